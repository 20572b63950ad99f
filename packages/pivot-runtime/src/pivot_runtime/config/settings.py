"""The settings of a command as one typed object, and their sources; `keys` defines their spelling."""

import enum
import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from pivot_cache.files.link_modes import CheckoutMode
from pivot_cache.files.safe_read import read_regular
from pivot_cache.layout import DEFAULT_CACHE
from pivot_runtime.errors import ConfigError, NoRemoteError

if TYPE_CHECKING:
    from pivot_core.lock import LibraryUse
    from pivot_core.spec import StageSpec
    from pivot_runtime.config.file import ConfigEntry, FormatError
    from pivot_runtime.config.keys import Key

FILE = "config.yaml"
_MEMORY = "memory"

_BY_HAND = "repair the file by hand: one 'key: value' on each line"


class Fsync(enum.Enum):
    """Which bytes are flushed to the disk before a command continues or ends."""

    KEPT = "kept"
    ALL = "all"


class VersionPolicy(enum.Enum):
    """Which part of a library's version counts for the stages that use the library."""

    OFF = "off"
    MAJOR = "major"
    MINOR = "minor"
    EXACT = "exact"

    def relevant_part(self, version: str) -> str | None:
        """The part of a version that counts; None if no part does."""
        if self is VersionPolicy.OFF:
            return None
        parts = {VersionPolicy.MAJOR: 1, VersionPolicy.MINOR: 2}.get(self)
        return version if parts is None else ".".join(version.split(".")[:parts])


class Strictness(enum.Enum):
    """The reaction to a stage that uses undeclared files."""

    OFF = "off"
    WARN = "warn"
    ERROR = "error"


class WorkerStart(enum.Enum):
    """How the process of a stage starts."""

    FORK = "fork"
    SPAWN = "spawn"


# Named tuples, since every command creates these classes, and attrs takes three times as long.


class Settings(NamedTuple):
    """All settings, resolved once; each attribute belongs to a key in `keys.KEYS`, which documents it."""

    cache_dir: str = DEFAULT_CACHE
    checkout_mode: CheckoutMode = CheckoutMode.COPY
    fsync: Fsync = Fsync.KEPT
    keep_runs_days: int = 30
    sha256: bool = False
    trash_days: int = 14
    default_remote: str | None = None
    executor: str | None = None
    executor_shared: str | None = None
    ignore_outs: bool = True
    library_versions: VersionPolicy = VersionPolicy.OFF
    remote_jobs: int = 20
    remote_timeout: float = 30
    read_only: bool | tuple[str, ...] = False
    remote_run_cache: bool = False
    remotes: Mapping[str, str] = MappingProxyType({})
    resources: Mapping[str, int] = MappingProxyType({})
    run_jobs: int | None = None
    keep_going: bool = False
    silence_seconds: int = 60
    snapshot: bool = True
    strict_io_ignore: str | None = None
    strict_io_level: Strictness = Strictness.WARN
    warm: bool = False
    debounce_ms: int = 100
    worker_include: str | None = None
    worker_start: WorkerStart = WorkerStart.FORK

    def cache_home(self, root: pathlib.Path, environment: Mapping[str, str]) -> pathlib.Path | None:
        """The absolute directory of the cache, with environment variables expanded; None for the default.

        Raises:
            ConfigError: It contains an unknown variable or user.
        """
        if self.cache_dir == DEFAULT_CACHE:
            return None
        from pivot_runtime.config import cache_dir  # lazy

        home = pathlib.Path(os.path.normpath(root / cache_dir.expand(self.cache_dir, environment)))
        return None if home == root / DEFAULT_CACHE else home

    def capacities(self, stages: "Iterable[StageSpec]") -> Mapping[str, int]:
        """The available amount of each resource that is configured; of memory, otherwise that of the machine.

        A stage that needs one unit of ``memory`` does not mean bytes.
        """
        if _MEMORY in self.resources or all(stage.resources.get(_MEMORY, 0) <= 1 for stage in stages):
            return self.resources
        from pivot_runtime.processes.cpu_count import available_memory  # lazy

        return {**self.resources, _MEMORY: available_memory()}

    @property
    def effective_remote(self) -> str | None:
        """The name of the default remote: the configured default, or the only remote."""
        if self.default_remote is not None:
            return self.default_remote
        return next(iter(self.remotes)) if len(self.remotes) == 1 else None

    def remote_url(self, name: str | None = None) -> str:
        """The URL of a remote, or of the default.

        Raises:
            ConfigError: There is no remote of that name, or the default remote is ambiguous.
        """
        if not self.remotes:
            raise NoRemoteError("no remote is configured", hint="pivot remote add NAME s3://bucket/prefix")
        known = ", ".join(sorted(self.remotes))
        wanted = self.effective_remote if name is None else name
        if wanted is None:
            raise ConfigError(
                f"several remotes are configured ({known}), and none is the default",
                hint="name one, or choose one: pivot config set default_remote NAME",
            )
        if wanted not in self.remotes:
            problem = f"no remote is named {wanted!r}" + (", which default_remote names" if name is None else "")
            raise NoRemoteError(problem, hint=f"configured: {known}")
        return self.remotes[wanted]

    def relevant_versions(self, libraries: "Mapping[str, LibraryUse]") -> dict[str, str]:
        """The part of each library's version that counts."""
        return {
            name: part
            for name, use in libraries.items()
            if (part := self.library_versions.relevant_part(use.version)) is not None
        }

    def check_writable(self, name: str) -> None:
        """Check that a remote is not read-only.

        Raises:
            ConfigError: It is read-only.
        """
        if self.read_only is True or (self.read_only and name in self.read_only):
            raise ConfigError(
                f"the remote {name!r} is read-only: nothing was pushed",
                hint="the setting remote.read_only says so: see 'pivot config list'",
            )


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
        from pivot_runtime.config import keys  # lazy

        key = keys.require(name)
        return self.explicit.get(name) or Setting(name, key, key.default)

    def listed(self) -> Iterator[Setting]:
        """All settings, and the defaults of all keys in use, by name."""
        from pivot_runtime.config import keys  # lazy

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
    from pivot_runtime.config import keys  # lazy
    from pivot_runtime.config.file import FormatError, read_entries  # lazy

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
    from pivot_runtime.config import keys  # lazy

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
    from pivot_runtime.config import keys  # lazy

    if entry.value is None and keys.find(entry.key) is not None:
        raise ConfigError(
            "its value must be a single string or number", key=entry.key, hint="one 'key: value' on each line"
        )
    return keys.parse_value(entry.key, entry.value or "")


def _located(error: ConfigError, source: str, line: int | None) -> ConfigError:
    return ConfigError(error.problem, key=error.key, source=source, line=line, hint=error.hint)
