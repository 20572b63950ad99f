"""Settings: one typed object, resolved once from the environment and ``.pivot/config.yaml``.

The file has one flat key per line, such as ``fingerprint.packages: minor``; the variable that wins over it
is named after the key, ``PIVOT_FINGERPRINT_PACKAGES``.
"""

import difflib
import enum
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import attrs

from pivot_cache.store import CheckoutMode
from pivot_engine.errors import EngineError

FILE = "config.yaml"


class PackagePolicy(enum.Enum):
    """How much of a library's version counts as a change of the stages that name the library."""

    OFF = "off"
    MAJOR = "major"
    MINOR = "minor"
    EXACT = "exact"

    def of(self, version: str) -> str | None:
        """The part of a version that counts; None if none does."""
        if self is PackagePolicy.OFF:
            return None
        parts = {PackagePolicy.MAJOR: 1, PackagePolicy.MINOR: 2}.get(self)
        return version if parts is None else ".".join(version.split(".")[:parts])


@attrs.frozen
class Settings:
    """What can be configured.

    Attributes:
        cache_dir: ``cache.dir``, as it is written: relative to the root.
        checkout_mode: ``cache.checkout_mode``.
        grace_days: ``cache.grace``.
        retention_days: ``cache.retention``.
        packages: ``fingerprint.packages``.
    """

    cache_dir: str | None = None
    checkout_mode: CheckoutMode = CheckoutMode.COPY
    grace_days: int = 14
    retention_days: int = 30
    packages: PackagePolicy = PackagePolicy.OFF

    def cache_home(self, root: pathlib.Path) -> pathlib.Path | None:
        """The absolute directory of the cache, if it is not the usual one."""
        return None if self.cache_dir is None else root / pathlib.Path(self.cache_dir).expanduser()


@attrs.frozen
class _Key:
    """One key: the attribute that it sets, and what its text must be."""

    attribute: str
    parse: Callable[[object], object]


def _one_of(choices: type[enum.Enum]) -> Callable[[object], object]:
    def parse(value: object) -> object:
        # YAML 1.1 reads a bare `off` as false.
        text = "off" if value is False else value
        for choice in choices:
            if choice.value == text:
                return choice
        raise ValueError(f"{text!r} is not one of {', '.join(choice.value for choice in choices)}")

    return parse


def _path(value: object) -> object:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError(f"{value!r} is not the path of a directory")
    return value


def _days(value: object) -> object:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return int(value)
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!r} is not a whole number of days")
    return value


KEYS: Mapping[str, _Key] = {
    "cache.checkout_mode": _Key("checkout_mode", _one_of(CheckoutMode)),
    "cache.dir": _Key("cache_dir", _path),
    "cache.grace": _Key("grace_days", _days),
    "cache.retention": _Key("retention_days", _days),
    "fingerprint.packages": _Key("packages", _one_of(PackagePolicy)),
}
"""What the file may hold."""


class ConfigError(EngineError):
    """The configuration holds something that it must not hold.

    Attributes:
        where: The file, or the environment variable.
        key: The key at fault, or "".
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, where: str, key: str, problem: str, *, hint: str | None = None) -> None:
        super().__init__(problem, hint=hint)
        self.where = where
        self.key = key
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.problem} @ {self.where}{f': {self.key}' if self.key else ''}"


def resolve(state_dir: pathlib.Path, environment: Mapping[str, str]) -> Settings:
    """The settings of a project.

    Raises:
        ConfigError: A key is not known, or its value is not one of its values.
    """
    chosen: dict[str, Any] = {}
    file = state_dir / FILE
    for key, value in _read(file).items():
        known = KEYS.get(key)
        if known is None:
            close = difflib.get_close_matches(key, KEYS, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known keys: {', '.join(KEYS)}"
            raise ConfigError(str(file), key, "this key is not known", hint=hint)
        chosen[known.attribute] = _parsed(known, value, str(file), key)
    for key, known in KEYS.items():
        variable = f"PIVOT_{key.replace('.', '_').upper()}"
        if environment.get(variable):
            chosen[known.attribute] = _parsed(known, environment[variable], variable, "")
    return Settings(**chosen)


def _read(file: pathlib.Path) -> Mapping[str, object]:
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(file), "", f"cannot be read: {error}", hint="mend or remove the file") from None
    if not text.strip():
        return {}
    import yaml  # noqa: PLC0415  # start-up time: most projects have no configuration

    try:
        parsed = yaml.safe_load(text)
    except yaml.YAMLError as error:
        problem = "it is not YAML: " + " ".join(str(error).split())
        raise ConfigError(str(file), "", problem, hint="one 'key: value' on each line") from None
    if parsed is None:
        return {}
    if not isinstance(parsed, dict) or not all(isinstance(key, str) for key in parsed):
        raise ConfigError(str(file), "", "it must hold keys and values", hint="one 'key: value' on each line")
    return parsed


def _parsed(known: _Key, value: object, where: str, key: str) -> object:
    try:
        return known.parse(value)
    except ValueError as error:
        raise ConfigError(where, key, str(error), hint="see docs/reference/configuration.md") from None
