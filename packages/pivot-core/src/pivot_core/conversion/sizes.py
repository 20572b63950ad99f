"""Amounts of resources as users write them: a whole number, or a size in bytes with a unit, as in ``8 GiB``."""

import re
from collections.abc import Mapping
from typing import Final

from pivot_core.errors import DefinitionError

_TEXT: Final = re.compile(r"\s*(\d{1,19})(?:\.(\d{1,18}))?\s*([a-z]*)\s*", re.ASCII | re.IGNORECASE)
_DECIMAL: Final[Mapping[str, int]] = {"TB": 10**12, "GB": 10**9, "MB": 10**6, "kB": 10**3}
_BINARY: Final[Mapping[str, int]] = {"TiB": 2**40, "GiB": 2**30, "MiB": 2**20, "KiB": 2**10}
_BYTES: Final = {"b": 1, **{unit.lower(): size for unit, size in (*_DECIMAL.items(), *_BINARY.items())}}
_MOST: Final = 2**63
_SMALL: Final = 10**6
"""Smaller amounts are shown as they are, since they may count anything."""


def amount_of(what: str, value: object, example: str) -> int:
    """The amount of a resource; that of a size is in bytes.

    Args:
        what: The resource, for errors.
        value: A whole number, or a text: a number, possibly with a unit of bytes.
        example: An example in the user's words, as in ``resources={"memory": "8 GiB"}``.

    Raises:
        DefinitionError: It is not an amount of at least 1.
    """
    found = value if isinstance(value, int) and not isinstance(value, bool) else _parsed(value)
    if found is None or not 1 <= found < _MOST:
        raise DefinitionError(
            f"{what} must be a whole number of at least 1, or a size, not {value!r}",
            hint=f"a size has one of the units {', '.join(_BINARY)}, {', '.join(_DECIMAL)} and B: {example}",
        )
    return found


def amount_text(amount: int) -> str:
    """An amount as a text that `amount_of` reads: in the largest unit that divides it, if it is large."""
    if amount >= _SMALL:
        for units in (_BINARY, _DECIMAL):
            for unit, size in units.items():
                if size >= _SMALL and amount % size == 0:
                    return f"{amount // size} {unit}"
    return str(amount)


def _parsed(value: object) -> int | None:
    match = _TEXT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    whole, part, unit = match[1], match[2] or "", match[3].lower()
    if not unit:
        return None if part else int(whole)
    if unit not in _BYTES:
        return None
    up: int = -(-int(whole + part) * _BYTES[unit] // 10 ** len(part))
    return up
