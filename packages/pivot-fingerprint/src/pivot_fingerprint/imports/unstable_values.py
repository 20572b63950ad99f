"""Values that may differ at each import: the digests that stand for them and for their parts."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, cast

from pivot_fingerprint.values.builtin_types import attributes

__pivot_module__ = "pivot_fingerprint"

_DEEPEST = 4
_MOST = 200
"""Parts of one value."""
_FIRST = 20
"""Items of one container."""
_FROM_CLASS = 1 << 9
"""The flag of types that were made by a `class` statement."""


class UnstableValues(NamedTuple):
    """The digests of values that may differ at each import.

    Attributes:
        digests: By the key of each entry with such a value: a digest of the statements that determine the value, and
            of everything that these use.
        parts: By the same key and by the path into the value: the digest of each part.
    """

    digests: Mapping[str, str]
    parts: Mapping[str, Mapping[str, str]]


def parts_of(value: object, token: Callable[[object], str]) -> dict[str, str]:
    """The digests of the parts of a value by path (`.name`, `[key]`), the outer parts first."""
    found: dict[str, str] = {}
    waiting: deque[tuple[str, object, int]] = deque([("", value, 0)])
    while waiting and len(found) < _MOST:
        path, part, depth = waiting.popleft()
        found[path] = token(part)
        if depth < _DEEPEST:
            waiting.extend((f"{path}{step}", inner, depth + 1) for step, inner in _inside(part))
    return found


def _inside(value: object) -> Iterator[tuple[str, object]]:
    kind: type = type(value)
    if kind is dict:
        each: Iterable[tuple[str, object]] = (
            (f"[{key!r}]", item) for key, item in cast("dict[str, object]", value).items() if type(key) is str
        )
    elif kind is list or kind is tuple:
        each = ((f"[{number}]", item) for number, item in enumerate(cast("list[object]", value)))
    elif kind.__flags__ & _FROM_CLASS and not issubclass(kind, type):
        each = ((f".{name}", item) for name, item in attributes(value).items())
    else:
        return
    for _, found in zip(range(_FIRST), each, strict=False):
        yield found
