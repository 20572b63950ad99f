"""Keys in values files, such as ``params.yaml``, whose values are parameters of a stage; pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pivot_core.conversion.plain import to_plain
from pivot_core.errors import DefinitionError, suggest

DEFAULT_FILE: Final = "params.yaml"
"""The file of keys that are declared without one, in the stage's directory."""

_POSITION: Final = re.compile(r"[0-9]{1,9}")
_EXAMPLE: Final = '["rate", {"config.json": ["model.depth"]}]'


def parse(given: Any) -> dict[str, tuple[str, ...]]:
    """The keys by file in a declaration such as ``["rate", {"config.json": ["model.depth"]}]``; none mean all of it.

    Raises:
        DefinitionError: It is not such a list.
    """
    if isinstance(given, str | Mapping) or not isinstance(given, Iterable):
        raise DefinitionError(f"file_params must be a list, not {given!r}", hint=_EXAMPLE)
    found: dict[str, dict[str, None] | None] = {}
    for file, keys in _pairs(given):
        if not keys:
            found[file] = None  # the whole file, which has all other keys
        elif (known := found.setdefault(file, {})) is not None:
            known |= dict.fromkeys(keys)
    return {file: tuple(keys or ()) for file, keys in found.items()}


def _pairs(given: Iterable[Any]) -> Iterator[tuple[str, list[str]]]:
    for item in given:
        if isinstance(item, str) and item:
            yield DEFAULT_FILE, [item]
            continue
        if not isinstance(item, Mapping):
            raise DefinitionError(f"file_params: {item!r} is neither a key nor a mapping from a file", hint=_EXAMPLE)
        for file, keys in item.items():
            several = [] if keys is None else keys
            if not isinstance(several, list | tuple) or not all(isinstance(key, str) and key for key in several):
                raise DefinitionError(f"file_params: the keys of {file!r} must be a list of texts", hint=_EXAMPLE)
            if not isinstance(file, str) or not file or "://" in file:
                raise DefinitionError(f"file_params: {file!r} must be the path of a file", hint=_EXAMPLE)
            yield file, list(several)


def label(path: str, key: str = "") -> str:
    """The name of the parameter: ``config.json:model.depth``, or the path for the whole file."""
    return f"{path}:{key}" if key else path


def labels(path: str, keys: Iterable[str]) -> list[str]:
    """The names of the parameters in a file."""
    return [label(path, key) for key in keys] or [label(path)]


def select(data: Any, path: str, keys: Iterable[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The values of a file's keys by name, as plain data; and the names whose keys are missing, with the problem.

    A key may have several parts, as in ``model.depth``; a number is a position in a list.

    Raises:
        DefinitionError: A value is nested too deeply.
    """
    keys = tuple(keys)
    if not keys:
        return {label(path): to_plain(data)}, {}
    found: dict[str, Any] = {}
    missing: dict[str, str] = {}
    for key in keys:
        value, problem = _value(data, key)
        if problem:
            missing[label(path, key)] = problem
        else:
            found[label(path, key)] = to_plain(value)
    return found, missing


def _value(data: Any, key: str) -> tuple[Any, str]:
    """The value of a key, and the problem if there is none."""
    parts = key.split(".")
    for at, part in enumerate(parts):
        if isinstance(data, list) and _POSITION.fullmatch(part) and int(part) < len(data):
            data = data[int(part)]
        elif isinstance(data, Mapping) and part in data:
            data = data[part]
        else:
            names = data if isinstance(data, Mapping) else ()
            close = suggest(part, names, format_name=lambda name: ".".join([*parts[:at], name]))  # noqa: B023  # at once
            if isinstance(data, list):
                owner = repr(".".join(parts[:at])) if at else "it"
                close = f"{owner} is a list with {len(data)} items, which are numbered from 0"
            return None, f"it has no such key; {close}" if close else "it has no such key"
    return data, ""
