"""Combinations of the values that ``-p STAGE.NAME=VALUE,VALUE`` gives parameters; pure."""

import itertools
import math
from collections.abc import Iterable, Iterator

import attrs

from pivot_core.params.overrides import Override, ParamError
from pivot_core.values import Value

MOST = 10_000
"""The most combinations of one sweep."""

_OPEN, _CLOSE, _QUOTES = "[{", "]}", "\"'"


@attrs.frozen(eq=False, repr=False)
class Axis(Value):
    """A parameter with its values.

    Attributes:
        name: The parameter, as the user has named it: ``train.rate``.
        values: The texts of the values, each once.
    """

    name: str
    values: tuple[str, ...]

    def overrides(self) -> Iterator[str]:
        """The option for each value: ``train.rate=0.1``."""
        return (f"{self.name}={value}" for value in self.values)


def axes(texts: Iterable[str]) -> tuple[Axis, ...]:
    """The axes of these options, in order; several options for one parameter are one axis.

    Raises:
        ParamError: An option does not have the form ``STAGE.NAME=VALUE,…``, or there are too many combinations.
    """
    found: dict[str, dict[str, None]] = {}
    for text in texts:
        override = Override.parse(text)
        found.setdefault(".".join(override.parts), {}).update(dict.fromkeys(split(override.value)))
    made = tuple(Axis(name, tuple(values)) for name, values in found.items())
    count = math.prod(len(axis.values) for axis in made)
    if count > MOST:
        raise ParamError(
            f"these are {count:,} combinations, and a sweep has at most {MOST:,}",
            hint="give some parameters fewer values",
        )
    return made


def combinations(found: Iterable[Axis]) -> Iterator[tuple[str, ...]]:
    """The options of each combination; the values of the last axis change first."""
    return itertools.product(*(tuple(axis.overrides()) for axis in found))


def split(text: str) -> Iterator[str]:
    """The values in a text: separated by commas, except those in brackets, braces or quotes.

    Quotes around a whole value are not part of it. Where brackets do not match, the text is one value.
    """
    parts, start, depth, quote = [], 0, 0, ""
    for at, char in enumerate(text):
        if quote:
            quote = "" if char == quote and text[at - 1] != "\\" else quote
        elif char in _QUOTES and (depth or not text[start:at].strip()):
            quote = char
        elif char in _OPEN:
            depth += 1
        elif char in _CLOSE:
            depth -= 1
        elif char == "," and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    if depth or quote:
        return iter((text,))
    return (_unquoted(part.strip()) for part in (*parts, text[start:]))


def _unquoted(text: str) -> str:
    quoted = len(text) > 1 and text[0] in _QUOTES and text[-1] == text[0] and text.count(text[0]) == 2  # noqa: PLR2004
    return text[1:-1] if quoted else text
