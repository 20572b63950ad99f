"""Durations as users write them: a number of seconds, or a text with a unit, as in ``90s`` or ``1d``."""

import math
import re
from collections.abc import Mapping
from typing import Final

from pivot_core.errors import DefinitionError

_TEXT: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", re.ASCII)
_SECONDS: Final[Mapping[str, int]] = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def seconds_of(what: str, value: object, example: str) -> float:
    """The seconds of a duration.

    Args:
        what: The name of the option, for errors.
        value: A number of seconds, or a text.
        example: A usual value, such as ``1d``.

    Raises:
        DefinitionError: It is not a duration above 0.
    """
    found = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else _parsed(value)
    if found is None or not 0 < found < math.inf:
        raise DefinitionError(
            f"{what} must be a duration above 0, not {value!r}",
            hint=f"write a number of seconds, or a number with one of the units s, m, h, d and w, such as {example}",
        )
    return found


def _parsed(value: object) -> float | None:
    match = _TEXT.fullmatch(value) if isinstance(value, str) else None
    if match is None or match[2] not in _SECONDS:
        return None
    return float(match[1]) * _SECONDS[match[2]]
