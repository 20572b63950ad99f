"""Values of files and parameters as people compare them: nested values by dotted names, and their differences; pure.

`flatten` turns nested mappings into one value per name: ``{"test": {"accuracy": 0.9}}`` has one, ``test.accuracy``.
Lists are values of their own. A key that is empty or contains a dot, a quote or a space is quoted, as in TOML:
``test."top.5"``.
"""

import datetime as dt
import json
import math
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import attrs

from pivot_core.conversion import plain
from pivot_core.values import Value
from pivot_runtime.errors import ContentError, YamlError

_BARE: Final = re.compile(r"""[^\s."'=\x00-\x1f\x7f]+""")
_YAML: Final = (".yaml", ".yml")
_TOML: Final = (".toml",)
_DEEPEST: Final = 200


class Absent:
    """Stands for a value on a side that has none: `MISSING` or `UNKNOWN`."""

    def __init__(self, name: str) -> None:
        """Create one of the two instances."""
        self._name = name

    def __repr__(self) -> str:
        """Return the name of the instance."""
        return self._name


MISSING: Final = Absent("MISSING")
"""The side does not have the name."""
UNKNOWN: Final = Absent("UNKNOWN")
"""The content of the side is not available."""


@attrs.frozen(eq=False, repr=False)
class HiddenValue(Value):
    """A secret: displayed as ``***``, and compared by its digest.

    Attributes:
        digest: The digest.
    """

    digest: str = attrs.field(repr=False)

    def __str__(self) -> str:
        """The text that people see instead."""
        return "***"


def parse(data: bytes, name: str) -> Any:
    """The nested value in a file: YAML or TOML by the suffix of its name, else JSON, in which NaN may occur.

    Raises:
        ContentError: The file has another content.
    """
    if b"\0" in data:
        raise ContentError(f"{name} is a binary file: it has no values with names", hint=_DIFF)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ContentError(f"{name} is not UTF-8: it has no values with names", hint=_DIFF) from None
    if not text.strip():
        raise ContentError(f"{name} is empty")
    suffix = name[name.rfind(".") :].lower()
    try:
        if suffix in _YAML:
            from pivot_runtime.definitions import yaml_document  # lazy

            return yaml_document.parse(text, name).data
        if suffix in _TOML:
            return _without_dates(tomllib.loads(text))
        return json.loads(text)
    except YamlError as error:
        raise ContentError(str(error), hint=error.hint) from None
    except (ValueError, RecursionError) as error:
        kind = "TOML" if suffix in _TOML else "JSON"
        raise ContentError(f"{name} is not {kind}: {error}", hint=_DIFF) from None


def _without_dates(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_dates(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_dates(each) for each in value]
    return value.isoformat() if isinstance(value, dt.date | dt.time) else value


_DIFF: Final = "metrics are JSON, YAML or TOML; 'pivot diff' compares tables and texts"


def flatten(value: Any, name: str = "") -> dict[str, Any]:
    """The values in nested mappings by dotted name, in their order; a value that is no mapping has the name itself.

    An empty mapping is a value.

    Raises:
        ContentError: The value is nested too deeply.
    """
    return dict(_flat(value, name, 0))


def _flat(value: Any, name: str, depth: int) -> Iterator[tuple[str, Any]]:
    if depth > _DEEPEST:
        raise ContentError(f"{name.partition('.')[0]} is nested more than {_DEEPEST} levels deep")
    if not isinstance(value, Mapping) or not value:
        yield name, value
        return
    for key, inner in value.items():
        yield from _flat(inner, f"{name}.{quoted(str(key))}" if name else quoted(str(key)), depth + 1)


def flat_params(params: Mapping[str, Any], owner: str = "") -> dict[str, Any]:
    """The values of parameters by dotted name, below the name of their stage if ``owner`` is given.

    Those in files keep their names: ``config.json:model.depth``.
    """
    found: dict[str, Any] = {}
    for name, value in params.items():
        own = name.isidentifier()
        inner = flatten(value, quoted(name) if own else "")
        if not own:
            dot = "." if ":" in name else ":"
            inner = {f"{name}{dot}{key}" if key else name: each for key, each in inner.items()}
        found |= {f"{owner}.{key}" if owner else key: each for key, each in inner.items()}
    return found


def readable(value: Any) -> Any:  # noqa: PLR0911  # one return per kind
    """A value of a lock without the marks of values that JSON does not have; a secret becomes a `HiddenValue`."""
    match value:
        case list():
            return [readable(each) for each in value]
        case {plain.SECRET: digest}:
            return HiddenValue(str(digest))
        case {"$enum": _, "value": inner}:
            return readable(inner)
        case {"$dict": pairs}:
            return {str(readable(key)): readable(inner) for key, inner in pairs}
        case Mapping():
            tagged = next(iter(value), "") if len(value) == 1 else ""
            if tagged.startswith("$") and tagged != "$class":
                return readable(value[tagged])
            return {key: readable(inner) for key, inner in value.items() if key != "$class"}
    return value


def quoted(key: str) -> str:
    """A key as a part of a dotted name."""
    return key if _BARE.fullmatch(key) else json.dumps(key, ensure_ascii=False)


@attrs.frozen(eq=False, repr=False)
class Difference(Value):
    """A value on several sides, such as at two revisions.

    Attributes:
        name: Its dotted name.
        sides: The value on each side; `MISSING` where there is none, `UNKNOWN` where it is not available.
    """

    name: str
    sides: tuple[Any, ...]

    @property
    def changed(self) -> bool:
        """Whether the first and the last side differ: 1 and 1.0 do not, True and 1 do, NaN equals NaN."""
        return not same(self.sides[0], self.sides[-1])

    @property
    def change(self) -> float | int | None:
        """The last value minus the first, if both are numbers; None otherwise, and if it is not a finite number."""
        first, last = self.sides[0], self.sides[-1]
        if not (is_number(first) and is_number(last)):
            return None
        try:
            difference: float | int = last - first
        except OverflowError:
            return None
        return difference if isinstance(difference, int) or math.isfinite(difference) else None


def is_number(value: Any) -> bool:
    """Whether a value is a number; True and False are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def same(one: Any, other: Any) -> bool:
    """Whether two values are displayed as equal ones."""
    if is_number(one) and is_number(other):
        return bool(one == other) or (one != one and other != other)  # noqa: PLR0124  # NaN
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return type(one) is type(other) and bool(one == other)


def aligned(sides: Iterable[Mapping[str, Any] | None]) -> list[Difference]:
    """The values of several sides by name: names in the order of the last side, then those of earlier ones only.

    A side that is None is `UNKNOWN` for every name.
    """
    every = list(sides)
    names = dict.fromkeys(name for side in reversed(every) for name in side or ())
    return [
        Difference(name, tuple(UNKNOWN if side is None else side.get(name, MISSING) for side in every))
        for name in names
    ]
