"""The first difference between two results: which file, and where in it."""

import itertools
import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any, Final

_BLOCK: Final = 1 << 20
_READABLE: Final = 1 << 24
"""Longer texts are not parsed."""
_ALL: Final = "$"


def first_difference(old: pathlib.Path, new: pathlib.Path) -> str:
    """Where two files of different content differ first: in JSON the path, in text the line, else the byte.

    Raises:
        OSError: One cannot be read.
    """
    if max(os.path.getsize(old), os.path.getsize(new)) <= _READABLE:
        before, after = old.read_bytes(), new.read_bytes()
        return _in_json(before, after) or _in_text(before, after) or _in_bytes(old, new)
    return _in_bytes(old, new)


def _in_json(before: bytes, after: bytes) -> str:
    try:
        path = next(_json_paths(json.loads(before), json.loads(after), _ALL), "")
    except (ValueError, RecursionError):
        return ""
    return f"at {path}" if path not in ("", _ALL) else ""


def _json_paths(before: Any, after: Any, path: str) -> Iterator[str]:
    """The paths of all values that differ, in the order of the first."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            if key not in before or key not in after:
                yield f"{path}.{key}"
            else:
                yield from _json_paths(before[key], after[key], f"{path}.{key}")
    elif isinstance(before, list) and isinstance(after, list):
        for index, (one, other) in enumerate(zip(before, after, strict=False)):
            yield from _json_paths(one, other, f"{path}[{index}]")
        if len(before) != len(after):
            yield f"{path}[{min(len(before), len(after))}]"
    elif type(before) is not type(after) or (before != after and repr(before) != repr(after)):
        yield path


def _in_text(before: bytes, after: bytes) -> str:
    try:
        lines = itertools.zip_longest(
            before.decode().splitlines(keepends=True), after.decode().splitlines(keepends=True)
        )
    except UnicodeDecodeError:
        return ""
    if b"\0" in before or b"\0" in after:
        return ""
    return next((f"in line {number}" for number, (one, other) in enumerate(lines, 1) if one != other), "")


def _in_bytes(old: pathlib.Path, new: pathlib.Path) -> str:
    offset = 0
    with old.open("rb") as first, new.open("rb") as second:
        while True:
            one, other = first.read(_BLOCK), second.read(_BLOCK)
            if one != other:
                pairs = itertools.zip_longest(one, other)
                return f"at byte {offset + next(index for index, (a, b) in enumerate(pairs) if a != b)}"
            if not one:
                return ""
            offset += len(one)
