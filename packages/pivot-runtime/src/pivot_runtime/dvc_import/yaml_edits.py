"""Edits of a YAML text that keep its comments and layout: removed and renamed keys, new ones, changed words; pure.

The edits are made in the text. If the result does not have exactly the intended data, the data are written again,
without comments.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from pivot_core.files.digest import canonical_json
from pivot_runtime.definitions import yaml_document
from pivot_runtime.errors import YamlError

type Path = tuple[str | int, ...]


def quoted_keys(text: str) -> str:
    """The text with quotes around keys that are numbers or other words that are no strings.

    Raises:
        TextError: The text is not YAML.
    """
    root = yaml_document.compose(text)
    found = [
        key
        for node in _below(root)
        if isinstance(node, yaml.MappingNode)
        for key, _ in node.value
        if isinstance(key, yaml.ScalarNode) and key.style is None and key.value != "<<" and not _is_word(key.value)
    ]
    for key in sorted(found, key=lambda each: each.start_mark.index, reverse=True):
        text = f'{text[: key.start_mark.index]}"{key.value}"{text[key.end_mark.index :]}'
    return text


def _is_word(text: str) -> bool:
    try:
        return isinstance(yaml_document.parse(text, "").data, str)
    except YamlError:
        return True


def _below(node: Any) -> Iterator[Any]:
    if node is None:
        return
    yield node
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            for each in pair:
                yield from _below(each)
    elif isinstance(node, yaml.SequenceNode):
        for each in node.value:
            yield from _below(each)


class YamlEdits:
    """Edits of one text, which `result` makes all at once.

    A path names a key, an item of a list, or the value there. The text is that of `yaml_document.parse`.
    """

    def __init__(self, text: str) -> None:
        """Change nothing yet."""
        self._text = text
        self._nodes: dict[Path, tuple[Any, Any, Any]] = {}
        root = yaml_document.compose(text)
        if root is not None:
            self._learn(root, ())
        self._edits: list[tuple[int, int, str]] = []
        self._removed: set[Path] = set()
        self._fits = True

    def remove(self, path: Path) -> None:
        """Remove a key with its value, or an item of a list."""
        self._removed.add(path)

    def replace(self, path: Path, items: Sequence[Any]) -> None:
        """Put other items in the place of an item of a list."""
        lines = self._lines_of(path)
        if lines is None:
            self._fits = False
            return
        start, end, margin = lines
        indent = " " * margin.index("-")
        text = "".join(f"{indent}{line}\n" for line in written(items).splitlines())
        self._edits.append((start, end, text))

    def give_up(self) -> None:
        """Write all data again, since a change cannot be made in the text."""
        self._fits = False

    def insert(self, path: Path, line: str) -> None:
        """Add ``key: value`` before a key, beside it."""
        key = self._key(path)
        if key is None or self._nodes[path][2].flow_style:
            self._fits = False
            return
        self._edits.append((key.start_mark.index, key.start_mark.index, f"{line}\n{' ' * key.start_mark.column}"))

    def prepend(self, path: Path, word: str) -> None:
        """Add an item, one word, to the beginning of a list that is not empty."""
        found = self._nodes.get((*path, 0))
        if found is None or found[2].flow_style:
            self._fits = False
            return
        at = found[1].start_mark.index
        start = self._text.rfind("\n", 0, at) + 1
        margin = self._text[start:at]
        if margin.strip() != "-":
            self._fits = False
        else:
            self._edits.append((start, start, f"{margin}{word}\n"))

    def rename(self, path: Path, name: str) -> None:
        """Give a key another name."""
        key = self._key(path)
        self._replace(key, name)

    def change(self, path: Path, word: str) -> None:
        """Replace a value that is one word."""
        found = self._nodes.get(path)
        self._replace(None if found is None else found[1], word)

    def result(self, wanted: Mapping[str, Any]) -> str:
        """The text with all edits, whose data are ``wanted``."""
        for path in sorted(self._removed, key=str):
            if not any(path[:length] in self._removed for length in range(1, len(path))):
                self._cut(path)
        if self._fits:
            text = self._text
            for start, end, new in sorted(self._edits, reverse=True):
                text = text[:start] + new + text[end:]
            try:
                if canonical_json(yaml_document.parse(text, "").data) == canonical_json(wanted):
                    return text
            except YamlError:
                pass
        return written(wanted)

    def _learn(self, node: Any, path: Path) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                inner = (*path, key.value)
                self._nodes.setdefault(inner, (key, value, node))
                self._learn(value, inner)
        elif isinstance(node, yaml.SequenceNode):
            for at, value in enumerate(node.value):
                self._nodes.setdefault((*path, at), (None, value, node))
                self._learn(value, (*path, at))

    def _key(self, path: Path) -> Any:
        found = self._nodes.get(path)
        return None if found is None else found[0]

    def _replace(self, node: Any, word: str) -> None:
        if not isinstance(node, yaml.ScalarNode) or node.style in ("|", ">"):
            self._fits = False
            return
        self._edits.append((node.start_mark.index, node.end_mark.index, _word(word, node.style)))

    def _cut(self, path: Path) -> None:
        lines = self._lines_of(path)
        if lines is None:
            self._fits = False
        else:
            self._edits.append((*lines[:2], ""))

    def _lines_of(self, path: Path) -> tuple[int, int, str] | None:
        """The begin and the end of the lines of a key or item, and their margin; None if they have more than it."""
        found = self._nodes.get(path)
        if found is None or found[2].flow_style:
            return None
        key, value, _ = found
        begin = (value if key is None else key).start_mark
        start = self._text.rfind("\n", 0, begin.index) + 1
        end = self._text.find("\n", max(_end(value), begin.index) - 1) + 1 or len(self._text)
        margin = self._text[start : begin.index]
        if margin.strip(" -") or (key is not None and "-" in margin):  # more is in the line, or an item begins there
            return None
        return start, end, margin


def _end(node: Any) -> int:
    """The end of the last word of a value, without the comments that follow."""
    end: int = node.end_mark.index
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return end


def _word(word: str, style: str | None) -> str:
    if style == '"':
        return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if style == "'":
        return "'" + word.replace("'", "''") + "'"
    return word


class _Dumper(yaml.SafeDumper):
    """A writer whose text `yaml_document` reads as the same data."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write every value in full."""
        del data
        return True


def _text_node(dumper: yaml.SafeDumper, value: str) -> Any:
    try:
        plain = yaml_document.parse(value, "").data == value
    except YamlError:
        plain = False
    style = "|" if "\n" in value else None if plain else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text_node)


def written(data: Mapping[str, Any] | Sequence[Any]) -> str:
    """Data as YAML, in the order of the data."""
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text
