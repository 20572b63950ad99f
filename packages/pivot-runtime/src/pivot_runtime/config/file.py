"""The text of a configuration file as entries with lines, whatever their keys.

A file has flat keys, one ``key: value`` on each line. Any other YAML is read too: a mapping inside ``remotes`` gives
``remotes.<name>``. Every value is its literal text, so ``off`` is never ``false``.
"""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

_PLAIN: Final = r"[A-Za-z0-9_./~](?:[A-Za-z0-9_./~+@=-]|:(?=[A-Za-z0-9_./~+@=-]))*"
_LINE: Final = re.compile(rf"([A-Za-z_][A-Za-z0-9_.-]{{0,99}}): +({_PLAIN}) *(?: #.*)?")
_NOTHING: Final = re.compile(r" *(?:#.*)?")


class Span(NamedTuple):
    """The position of an entry: its key from ``key`` to ``key_end``, its value from ``value`` to ``value_end``."""

    key: int
    key_end: int
    value: int
    value_end: int


class ConfigEntry(NamedTuple):
    """A key and its value.

    Attributes:
        key: The key with its sections.
        value: The text; None for a list or the like.
        line: The line of the key, from 1.
        span: The position, if it was requested.
    """

    key: str
    value: str | None
    line: int
    span: Span | None = None


class FormatError(ValueError):
    """A text is not a valid configuration.

    Attributes:
        line: The line, from 1.
    """

    def __init__(self, problem: str, line: int) -> None:
        super().__init__(problem)
        self.line = line


def read_entries(text: str) -> tuple[ConfigEntry, ...]:
    """The entries of a text, in order; an empty section is an entry with an empty value.

    Raises:
        FormatError: The text is not YAML, or not a mapping.
    """
    simple = read_lines(text)
    return read_yaml(text) if simple is None else simple


def read_lines(text: str) -> tuple[ConfigEntry, ...] | None:
    """The result of `read_yaml` for a text of simple lines, without the slow import of YAML; else None."""
    lines = text.split("\n")
    found = []
    for number, line in enumerate(lines, 1):
        match = _LINE.fullmatch(line)
        if match is not None:
            found.append(ConfigEntry(match[1], match[2], number))
        elif not _NOTHING.fullmatch(line):
            return None
    return tuple(found) if all(map(str.isprintable, lines)) else None


def read_yaml(text: str, *, spans: bool = False) -> tuple[ConfigEntry, ...]:
    """The entries of any text; with ``spans``, also their positions.

    Raises:
        FormatError: The text is not YAML, or not a mapping.
    """
    from yaml import MappingNode  # lazy

    from pivot_runtime.definitions.yaml_document import TextError, compose  # lazy

    try:
        root = compose(text)
    except TextError as error:
        raise FormatError(str(error), error.line) from None
    if root is None or (root.tag == "tag:yaml.org,2002:str" and root.value == ""):
        return ()
    if not isinstance(root, MappingNode):
        raise FormatError("it must contain keys and values", root.start_mark.line + 1)
    return tuple(entry if spans else entry._replace(span=None) for entry in _entries(root, ""))


def _entries(mapping: Any, section: str) -> Iterator[ConfigEntry]:
    from yaml import MappingNode, ScalarNode  # lazy

    for key, value in mapping.value:
        line = key.start_mark.line + 1
        if not isinstance(key, ScalarNode):
            raise FormatError("a key must be a string", line)
        name = f"{section}{key.value}"
        span = Span(key.start_mark.index, key.end_mark.index, value.start_mark.index, _end(value))
        if isinstance(value, ScalarNode):
            yield ConfigEntry(name, value.value, line, span)
        elif isinstance(value, MappingNode):
            if value.value:
                yield from _entries(value, f"{name}.")
            else:
                yield ConfigEntry(name, "", line, span)
        else:
            yield ConfigEntry(name, None, line, span)


def _end(node: Any) -> int:
    """The end of a value; for YAML, a block list extends to the next key, comments included."""
    while node.id == "sequence" and not node.flow_style and node.value:
        node = node.value[-1]
    end: int = node.end_mark.index
    return end


def rendered(value: str) -> str:
    """A printable text in a form that is read as this text again."""
    if re.fullmatch(_PLAIN, value):
        return value
    import json  # lazy

    return json.dumps(value, ensure_ascii=False)
