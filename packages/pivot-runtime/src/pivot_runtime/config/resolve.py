"""Resolves the settings: the environment, then the project's file, the user's file and the defaults."""

import enum
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from pivot_cache.files.safe_read import read_regular
from pivot_runtime.config.settings import Settings
from pivot_runtime.errors import ConfigError

if TYPE_CHECKING:
    from pivot_runtime.config.file import ConfigEntry, FormatError
    from pivot_runtime.config.keys import Key

FILE = "config.yaml"

_BY_HAND = "repair the file by hand: one 'key: value' on each line"


class SettingSource(enum.Enum):
    """The sources of settings, in order of increasing precedence."""

    DEFAULT = "default"
    USER = "user"
    PROJECT = "project"
    ENVIRONMENT = "environment"


class Setting(NamedTuple):
    """A key, its value, and its source.

    Attributes:
        name: The key as written.
        key: Its definition.
        value: The value; None for none.
        origin: The kind of source.
        source: The file or the variable; "" for a default.
        line: The line of the file.
    """

    name: str
    key: "Key"
    value: Any
    origin: SettingSource = SettingSource.DEFAULT
    source: str = ""
    line: int | None = None

    @property
    def text(self) -> str | None:
        """The value as text; None for none."""
        return None if self.value is None else self.key.kind.show(self.value)


class ResolvedConfig(NamedTuple):
    """The settings, and their problems.

    Attributes:
        explicit: By name, the setting of the source with the highest precedence.
        problems: Invalid entries.
    """

    explicit: Mapping[str, Setting]
    problems: tuple[ConfigError, ...]

    def settings(self) -> Settings:
        """The settings as one typed object.

        Raises:
            ConfigError: There are invalid entries.
        """
        for problem in self.problems:
            raise problem
        chosen: dict[str, Any] = {}
        for name, setting in self.explicit.items():
            family = setting.key.family
            if family:
                chosen.setdefault(setting.key.attribute, {})[name.removeprefix(family)] = setting.value
            else:
                chosen[setting.key.attribute] = setting.value
        return Settings(**chosen)

    def get(self, name: str) -> Setting:
        """One setting, or its default.

        Raises:
            ConfigError: The key is unknown, or its value is invalid.
        """
        for problem in self.problems:
            if problem.key in (name, ""):
                raise problem
        return self.effective(name)

    def effective(self, name: str) -> Setting:
        """One setting or its default, even if other settings are invalid.

        Raises:
            ConfigError: The key is unknown.
        """
        from pivot_runtime.config import keys  # noqa: PLC0415  # start-up time: most projects have no configuration

        key = keys.require(name)
        return self.explicit.get(name) or Setting(name, key, key.default)

    def listed(self) -> Iterator[Setting]:
        """All settings, and the defaults of all keys in use, by name."""
        from pivot_runtime.config import keys  # noqa: PLC0415  # start-up time: most projects have no configuration

        names = {key.name for key in keys.KEYS if not key.family}
        for name in sorted(names | self.explicit.keys()):
            key = keys.find(name)
            if key is not None:
                yield self.explicit.get(name) or Setting(name, key, key.default)


def user_file(environment: Mapping[str, str]) -> pathlib.Path | None:
    """The user's own settings file for all projects; None for a user without a home directory."""
    base = environment.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(base):
        home = environment.get("HOME", "")
        if not os.path.isabs(home):
            return None
        base = f"{home}/.config"
    return pathlib.Path(base, "pivot", FILE)


def read_config(
    project: pathlib.Path | None, user: pathlib.Path | None, environment: Mapping[str, str]
) -> ResolvedConfig:
    """The values in the files and the environment, valid or not; a file that is None is ignored."""
    explicit: dict[str, Setting] = {}
    problems: list[ConfigError] = []
    for origin, file in ((SettingSource.USER, user), (SettingSource.PROJECT, project)):
        if file is not None:
            _take_file(file, origin, explicit, problems)
    _take_variables(environment, explicit, problems)
    return ResolvedConfig(explicit, tuple(problems))


def text_of(file: pathlib.Path) -> str:
    """The exact text of a file; empty if the file does not exist.

    Raises:
        ConfigError: The file cannot be read.
    """
    try:
        return read_regular(file).decode()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        problem = f"it cannot be read: {error.strerror}"
        raise ConfigError(problem, source=str(file), hint="check what is there") from None
    except UnicodeDecodeError:
        raise ConfigError("it is not UTF-8", source=str(file), hint=_BY_HAND) from None


def unreadable(error: "FormatError", file: pathlib.Path) -> ConfigError:
    """The error of a malformed file."""
    return ConfigError(str(error), source=str(file), line=error.line, hint=_BY_HAND)


def _take_file(
    file: pathlib.Path, origin: SettingSource, explicit: dict[str, Setting], problems: list[ConfigError]
) -> None:
    try:
        text = text_of(file)
    except ConfigError as error:
        problems.append(error)
        return
    if not text:
        return
    # start-up time: most projects have no configuration
    from pivot_runtime.config import keys  # noqa: PLC0415
    from pivot_runtime.config.file import FormatError, read_entries  # noqa: PLC0415

    try:
        entries = read_entries(text)
    except FormatError as error:
        problems.append(unreadable(error, file))
        return
    lines: dict[str, int] = {}
    for entry in entries:
        if entry.value == "" and keys.is_section(entry.key):
            continue
        first = lines.setdefault(entry.key, entry.line)
        try:
            key, value = _parsed(entry, first)
        except ConfigError as error:
            problems.append(_located(error, str(file), entry.line))
        else:
            explicit[entry.key] = Setting(entry.key, key, value, origin, str(file), entry.line)


def _take_variables(environment: Mapping[str, str], explicit: dict[str, Setting], problems: list[ConfigError]) -> None:
    set_ = sorted(variable for variable, value in environment.items() if variable.startswith("PIVOT_") and value)
    if not set_:
        return
    from pivot_runtime.config import keys  # noqa: PLC0415  # start-up time: most projects have no configuration

    for name, variable in keys.set_by(set_, explicit):
        try:
            key, value = keys.parse_value(name, environment[variable])
        except ConfigError as error:
            problems.append(_located(error, variable, None))
        else:
            explicit[name] = Setting(name, key, value, SettingSource.ENVIRONMENT, variable)


def _parsed(entry: "ConfigEntry", first: int) -> "tuple[Key, Any]":
    if entry.line != first:
        problem = f"this key occurs twice, first in line {first}"
        raise ConfigError(problem, key=entry.key, hint="keep one of them")
    from pivot_runtime.config import keys  # noqa: PLC0415  # start-up time: most projects have no configuration

    if entry.value is None and keys.find(entry.key) is not None:
        raise ConfigError(
            "its value must be a single string or number", key=entry.key, hint="one 'key: value' on each line"
        )
    return keys.parse_value(entry.key, entry.value or "")


def _located(error: ConfigError, source: str, line: int | None) -> ConfigError:
    return ConfigError(error.problem, key=error.key, source=source, line=line, hint=error.hint)
