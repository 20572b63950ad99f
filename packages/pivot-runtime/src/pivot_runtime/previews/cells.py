"""Values of tables and documents as JSON data that every program can read, cut where they are long."""

import datetime as dt
import itertools
import json
import math
from collections.abc import Mapping
from typing import Any, Final

MOST_LETTERS: Final = 500
"""The letters of a text that are shown."""
MOST_NODES: Final = 1000
"""The values of a document that are shown, of all levels."""
_MOST_ITEMS: Final = 100
"""The values of one list or mapping in a document that are shown."""
_DEEPEST: Final = 40
_EXACT: Final = 1 << 53
"""From here on, programs that know only floats would round an integer."""
_MOST_BITS: Final = 10_000
_CUT: Final = "…"
_NESTED: Final = (list, tuple, Mapping, map)
"""The types of values with parts; those of a `map` are made when they are asked for."""


def cell(value: Any) -> bool | int | float | str | None:
    """One value of a table as a scalar of JSON: what has no such form is a text.

    NaN, infinities and integers that a float cannot hold are texts; lists and mappings are the text of their JSON.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return _integer(int(value))
    if isinstance(value, float):
        return _number(float(value))
    if isinstance(value, bytes | bytearray | memoryview):
        return _hexadecimal(bytes(value[: MOST_LETTERS // 2]), len(value))
    if isinstance(value, _NESTED):
        data, cut = cut_value(value)
        return shortened(json.dumps(data, ensure_ascii=False) + (_CUT if cut else ""))
    return shortened(_text(value))


def cut_value(value: Any, most: int = MOST_NODES) -> tuple[Any, bool]:
    """A nested value as JSON data with at most ``most`` values in it, and whether something is left out."""
    cutting = _Cutting(most)
    data = cutting.of(value, 0)
    return data, cutting.cut


def shortened(text: str, most: int = MOST_LETTERS) -> str:
    """A text with at most so many letters, which can be encoded; one that is cut ends with ``…``."""
    if len(text) > most:
        text = text[: most - len(_CUT)] + _CUT
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


class _Cutting:
    """The conversion of one nested value, which ends when enough values are shown."""

    def __init__(self, most: int) -> None:
        self._left = most
        self.cut = False

    def of(self, value: Any, depth: int) -> Any:
        """The JSON data of a value at a depth."""
        self._left -= 1
        if not isinstance(value, _NESTED):
            return self._scalar(value)
        if depth >= _DEEPEST and value:
            self.cut = True
            return _CUT
        if isinstance(value, Mapping):
            found: dict[str, Any] = {}
            for key in self._shown(value):
                found[shortened(_key(key))] = self.of(value[key], depth + 1)
            return found
        return [self.of(each, depth + 1) for each in self._shown(value)]

    def _shown(self, values: Any) -> Any:
        """The first items, as long as values may still be shown."""
        for number, each in enumerate(itertools.chain(values, (_END,))):
            if each is _END:
                return
            if number >= _MOST_ITEMS or self._left <= 0:
                self.cut = True
                return
            yield each

    def _scalar(self, value: Any) -> bool | int | float | str | None:
        self.cut |= isinstance(value, str | bytes) and len(value) > MOST_LETTERS
        return cell(value)


_END: Final = object()


def _key(key: Any) -> str:
    return key if isinstance(key, str) else json.dumps(cell(key))


def _integer(value: int) -> int | str:
    if -_EXACT <= value <= _EXACT:
        return value
    if value.bit_length() > _MOST_BITS:
        return f"an integer of {value.bit_length()} bits"
    return shortened(str(value))


def _number(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _hexadecimal(head: bytes, size: int) -> str:
    return shortened(f"0x{head.hex()}{_CUT if size > len(head) else ''}")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)
    except Exception as error:  # noqa: BLE001  # a value of any library
        return f"{type(value).__name__}: {type(error).__name__}"
