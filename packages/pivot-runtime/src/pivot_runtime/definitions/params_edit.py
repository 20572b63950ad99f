"""Edits of a ``params.yaml`` that keep every other byte: comments, order and layout; pure.

The changed text is parsed again: it must have exactly the intended values, otherwise nothing is changed.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from pivot_core.files.digest import canonical_json
from pivot_runtime.definitions import yaml_document
from pivot_runtime.errors import YamlError

_INDENT = 2
_FLOW = "{"


def assign(text: str, path: Sequence[str], value: Any, name: str) -> str:
    """The text with a value at a path of keys: in its place if it exists, otherwise after the last key beside it.

    Args:
        text: The text of the file.
        path: The keys that lead to the value.
        value: A number, text, truth value, None, or lists and mappings of these.
        name: The name of the file, for errors.

    Raises:
        YamlError: The text is not YAML, or its form does not allow the change.
    """
    before = yaml_document.parse(text, name).data
    wanted = _with(before, path, value)
    if canonical_json(before) == canonical_json(wanted):
        return text
    changed = _changed(text, path, rendered(value))
    try:
        found = None if changed is None else yaml_document.parse(changed, name).data
    except YamlError:
        found = None
    if changed is None or canonical_json(found) != canonical_json(wanted):
        raise YamlError(
            f"the form of {name} is too complex to be changed here",
            hint=f"set {'.'.join(path)} to {rendered(value)} by hand",
        )
    return changed


def rendered(value: Any) -> str:
    """A value on one line, as YAML that this version reads as exactly that value."""
    match value:
        case bool() | None:
            return json.dumps(value)
        case float() if not math.isfinite(value):
            return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
        case int() | float():
            return repr(value)
        case str():
            return _text(value)
        case list():
            return f"[{', '.join(map(rendered, value))}]"
        case Mapping():
            return f"{{{', '.join(f'{_text(key)}: {rendered(each)}' for key, each in value.items())}}}"
    raise AssertionError(value)


def _text(value: str) -> str:
    plain = value.replace("_", "").replace("-", "").replace(".", "").replace("@", "")
    if plain.isalnum() and plain.isascii() and value[0].isalpha():
        try:
            if yaml_document.parse(value, "").data == value:
                return value
        except YamlError:
            pass
    return json.dumps(value, ensure_ascii=False)


def _with(data: Any, path: Sequence[str], value: Any) -> Any:
    if not path:
        return value
    held = data if isinstance(data, Mapping) else {}
    return {**held, path[0]: _with(held.get(path[0]), path[1:], value)}


def _changed(text: str, path: Sequence[str], value: str) -> str | None:
    """The changed text; None if the form of the text does not allow it."""
    node = yaml_document.compose(text)
    ending = "\r\n" if "\r\n" in text else "\n"
    if node is None:
        lead = text if not text or text.endswith("\n") else f"{text}{ending}"
        return lead + _lines(path, value, 0, ending)
    found = node
    for depth, key in enumerate(path):
        if not isinstance(found, yaml.MappingNode) or not found.value:
            return _in_place(text, found, path[depth:], value) if depth else None
        pair = next((each for each in found.value if each[0].value == key), None)
        if pair is None:
            return _after_last(text, found, path[depth:], value, ending)
        found = pair[1]
        if depth + 1 == len(path):
            return _replaced(text, pair[0], found, value)
        if isinstance(found, yaml.ScalarNode) and not found.value:
            return _below(text, pair[0], path[depth + 1 :], value, ending)
    return None


def _lines(path: Sequence[str], value: str, indent: int, ending: str) -> str:
    """The lines of a new entry: ``stage:``, and below it ``name: value``."""
    keys = [f"{' ' * (indent + _INDENT * depth)}{_text(key)}:" for depth, key in enumerate(path)]
    return f"{ending.join(keys)} {value}{ending}"


def _flow(path: Sequence[str], value: str) -> str:
    """The same on one line, without the braces around it."""
    head, *rest = path
    return f"{_text(head)}: {f'{{{_flow(rest, value)}}}' if rest else value}"


def _replaced(text: str, key: Any, node: Any, value: str) -> str:
    """The value after a key replaced, on the line of the key."""
    colon = text.index(":", key.end_mark.index) + 1
    start = node.start_mark.index
    end = max(colon, _end(node))
    end = start + len(text[start:end].rstrip("\r\n")) if start < end else end
    comment = ""
    if "\n" in text[colon:start] or start < colon:
        comment = text[colon:start].partition("\n")[0].rstrip()
        start = colon
    gap = "" if text[start - 1 : start] in (" ", "\t") else " "
    return f"{text[:start]}{gap}{value}{comment}{text[end:]}"


def _in_place(text: str, node: Any, path: Sequence[str], value: str) -> str | None:
    """An empty mapping in braces, with an entry."""
    start, end = node.start_mark.index, node.end_mark.index
    return f"{text[:start]}{{{_flow(path, value)}}}{text[end:]}" if text[start:end].startswith(_FLOW) else None


def _below(text: str, key: Any, path: Sequence[str], value: str, ending: str) -> str:
    """A key without a value, with an entry on the next line."""
    end = text.find("\n", key.end_mark.index)
    head, tail = (text + ending, "") if end < 0 else (text[: end + 1], text[end + 1 :])
    return head + _lines(path, value, key.start_mark.column + _INDENT, ending) + tail


def _after_last(text: str, mapping: Any, path: Sequence[str], value: str, ending: str) -> str:
    """A mapping with one more entry at its end."""
    if mapping.flow_style:
        end = _end(mapping.value[-1][1])
        return f"{text[:end]}, {_flow(path, value)}{text[end:]}"
    end = text.find("\n", _end(mapping.value[-1][1]) - 1)
    head, tail = (text + ending, "") if end < 0 else (text[: end + 1], text[end + 1 :])
    return head + _lines(path, value, mapping.value[0][0].start_mark.column, ending) + tail


def _end(node: Any) -> int:
    """The end of the last word of a value, without the comments that follow."""
    end: int = node.end_mark.index
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return end
