"""YAML documents: the data of a text, and the line of each key.

Reading is bounded: no text makes Pivot wait, run out of memory or recurse forever. An alias counts with everything that
it repeats.

Plain words follow YAML 1.2: ``yes``, ``no``, ``on``, ``off``, ``12:30`` and dates are strings, ``1e-3`` is a number.
Keys beside a ``<<`` override merged ones, the first of several mappings wins, and a merged mapping has first been
merged itself. All of this is implemented here and does not depend on the version of PyYAML.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

import attrs
import yaml
from yaml.composer import Composer
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from pivot_core.values import Value
from pivot_runtime.errors import YamlError

MOST_CHARACTERS: Final = 1_000_000
MOST_NODES: Final = 50_000
DEEPEST: Final = 64
MOST_DIGITS: Final = 1000

SMALLER: Final = "keep data in files of their own, which stages read as deps"
"""The hint for a text that is too large."""


class TextError(ValueError):
    """A text is not YAML, or exceeds the limits.

    Attributes:
        line: The line, from 1.
        hint: A hint, if there is one.
    """

    def __init__(self, problem: str, line: int, *, hint: str | None = None) -> None:
        super().__init__(problem)
        self.line = line
        self.hint = hint


@attrs.frozen(eq=False, repr=False)
class _Extent(Value):
    """The number of nodes that an anchored node represents, and the number of levels in it."""

    nodes: int
    levels: int


class NodeReader(Reader, Scanner, Parser, Composer, BaseResolver):
    """A reader that counts nodes; every plain word is a string, unless a subclass decides otherwise.

    Attributes:
        most_characters: The most characters of a text.
        most_nodes: The most keys and values in it.
    """

    most_characters: ClassVar[int] = MOST_CHARACTERS
    most_nodes: ClassVar[int] = MOST_NODES
    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}  # type: ignore[misc] # a base class known only at run time

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        BaseResolver.__init__(self)
        self._nodes = 0
        self._level = 0
        self._deepest = 0
        self._extents: dict[str, _Extent] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        """The next node, if the limits are not exceeded."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            self._count_alias(event)
            return super().compose_node(parent, index)
        before, deepest = self._nodes, self._deepest
        self._level += 1
        self._nodes += 1
        self._deepest = self._level
        self._check(event)
        node = super().compose_node(parent, index)
        if event.anchor is not None:
            self._extents[event.anchor] = _Extent(self._nodes - before, self._deepest - self._level + 1)
        self._level -= 1
        self._deepest = max(deepest, self._deepest)
        return node

    def _count_alias(self, event: Any) -> None:
        extent = self._extents.get(event.anchor)
        if extent is None:
            if event.anchor in self.anchors:
                raise TextError(
                    f"the alias *{event.anchor} is inside what it names",
                    event.start_mark.line + 1,
                    hint="refer to something that does not contain it",
                )
            return  # the composer reports that there is no such anchor
        self._nodes += extent.nodes
        self._deepest = max(self._deepest, self._level + extent.levels)
        self._check(event)

    def _check(self, event: Any) -> None:
        line = event.start_mark.line + 1
        if self._nodes > self.most_nodes:
            with_aliases = ", with what aliases repeat" if self._extents else ""
            problem = f"this contains more than {self.most_nodes:,} keys and values{with_aliases}"
            raise TextError(problem, line, hint=SMALLER)
        if self._deepest > DEEPEST:
            raise TextError(f"this is nested more than {DEEPEST} levels deep", line, hint="reduce the nesting")


def compose(text: str, reading: type[NodeReader] = NodeReader) -> yaml.Node | None:
    """The node of the only document in a text; None if there is none.

    Args:
        text: The text.
        reading: The reader class, which maps plain words to tags.

    Raises:
        TextError: The text is not YAML, or exceeds the limits.
    """
    most = reading.most_characters
    if len(text) > most:
        line = text.count("\n", 0, most) + 1
        raise TextError(f"this contains more than {most:,} characters", line, hint=SMALLER)
    try:
        found: yaml.Node | None = reading(text).get_single_node()
    except yaml.YAMLError as error:
        raise _not_yaml(error, text) from None
    return found


def _not_yaml(error: yaml.YAMLError, text: str) -> TextError:
    """The problem that YAML reports; for an unclosed construct, at the line where it starts."""
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        character = f"U+{ord(text[error.position]):04X}"
        return TextError(
            f"this is not YAML: the character {character} is not allowed", line, hint="remove it, or save it as UTF-8"
        )
    context, problem = (getattr(error, name, None) or "" for name in ("context", "problem"))
    text_of_error = ", ".join(filter(None, (context, problem)))
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    unclosed = context.startswith("while parsing a flow") or "end of stream" in problem
    if unclosed or context == "while scanning a simple key":
        mark = getattr(error, "context_mark", None) or mark
    line = mark.line if mark else 0
    written = next(iter(text.splitlines()[line : line + 1]), "")
    return TextError(f"this is not YAML: {text_of_error}", line + 1, hint=_hint(text_of_error, written))


_QUOTE: Final = "put the whole text in quotes, or below a '|' in a line of its own"
_INDENT: Final = "indent keys that belong together by equally many spaces"


_HINTS: Final = (
    ("while parsing a flow", "close the bracket; a text that begins with one must be in quotes"),
    ("quoted scalar, found unexpected end", "close the quotes"),
    ("quoted scalar", "in double quotes, write \\\\ for \\, or use single quotes"),
    ("another document", "keep one document, without a line '---' in the middle"),
    ("while scanning a simple key", "write 'key: value', with a space after the colon"),
    ("undefined alias", f"a text that begins with '*' must be quoted: {_QUOTE}"),
    ("found '<scalar>'", _QUOTE),
    ("while parsing a block", _INDENT),
    ("", _QUOTE),
)
"""The hint for an error with some words in its text; the first one applies."""


def _hint(problem: str, line: str) -> str:
    """Return the hint for an error: most often, a command has characters that mean something in YAML."""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "indent by spaces, not by tabs"
    if problem.startswith("mapping values"):
        colons = len(re.findall(r":(?=\s|$)", line))
        return f"a text that contains ': ' must be quoted: {_QUOTE}" if colons > 1 else _INDENT
    if problem.startswith("while parsing a flow") and "${" in line:
        return "between brackets, put a text with ${...} in quotes"
    return next(hint for words, hint in _HINTS if words in problem)


type Path = tuple[str | int, ...]

_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$|[-+]?\.(?:inf|Inf|INF)$|\.(?:nan|NaN|NAN)$"
)
_BOOL = re.compile(r"(?:true|True|TRUE|false|False|FALSE)$")
_NULL = re.compile(r"(?:~|null|Null|NULL|)$")
_INT = re.compile(r"[-+]?[0-9]+$|0o[0-7]+$|0x[0-9a-fA-F]+$")
_SPECIAL = {".inf": "inf", "+.inf": "inf", "-.inf": "-inf", ".nan": "nan"}

_TAG = "tag:yaml.org,2002:"


@attrs.frozen(eq=False, repr=False)
class Document(Value):
    """The document of a file.

    Attributes:
        name: The name of the file, for errors.
        data: The value of the whole document; None if it is empty.
        lines: The line of each key and item, by the path of keys and positions that leads to it.
    """

    name: str
    data: Any
    lines: Mapping[Path, int]

    def line(self, path: Path = ()) -> int:
        """The line of a key or item, or of the nearest one that contains it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def where(self, path: Path = ()) -> str:
        """The ``file:line`` of a key or item, or of the nearest one that contains it."""
        return f"{self.name}:{self.line(path)}"


class _Words(NodeReader):
    """The words of YAML 1.2's core schema."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}  # type: ignore[misc] # a base class known only at run time


_Words.add_implicit_resolver(f"{_TAG}bool", _BOOL, list("tTfF"))
_Words.add_implicit_resolver(f"{_TAG}int", _INT, list("-+0123456789"))
_Words.add_implicit_resolver(f"{_TAG}float", _FLOAT, list("-+0123456789."))
_Words.add_implicit_resolver(f"{_TAG}null", _NULL, ["~", "n", "N", ""])
_Words.add_implicit_resolver(f"{_TAG}merge", re.compile(r"<<$"), ["<"])


class LargeReader(_Words):
    """The same words in a text that a program has written."""

    most_characters: ClassVar[int] = 50 * MOST_CHARACTERS
    most_nodes: ClassVar[int] = 50 * MOST_NODES


def _float(text: str) -> float:
    return float(_SPECIAL.get(text.lower(), text))


def _int(text: str) -> int:
    return int(text, 8) if text.startswith("0o") else int(text, 16) if text.startswith("0x") else int(text)


_SCALARS: Mapping[str, tuple[re.Pattern[str], Callable[[str], Any]]] = {
    f"{_TAG}str": (re.compile(""), str),
    f"{_TAG}merge": (re.compile(""), str),  # a plain << that is not a key
    f"{_TAG}bool": (_BOOL, lambda text: text.lower() == "true"),
    f"{_TAG}int": (_INT, _int),
    f"{_TAG}float": (re.compile(f"{_FLOAT.pattern}|{_INT.pattern}"), _float),
    f"{_TAG}null": (_NULL, lambda text: None),  # noqa: ARG005  # every such text means that
}


def parse(text: str, name: str, *, every_key: bool = False, reading: type[NodeReader] = _Words) -> Document:
    """Parse a text; with ``every_key``, a key may be any plain word, and is the text of it.

    ``reading`` is `LargeReader` for texts of programs, which may be larger.

    Raises:
        YamlError: The text is not YAML or exceeds the limits, a key occurs twice, or a key is not a string.
    """
    lines: dict[Path, int] = {}
    try:
        node = compose(text, reading)
        data = None if node is None else _read(node, (), lines, _text_key if every_key else _string_key)
    except TextError as error:
        raise YamlError(f"{name}:{error.line}: {error}", hint=error.hint) from None
    return Document(name, data, lines)


def _string_key(node: Any) -> str:
    key = _scalar(node)
    if not isinstance(key, str):
        raise TextError(f"the key {key!r} must be a string", _line(node), hint="put it in quotes")
    return key


def _text_key(node: Any) -> str:
    _scalar(node)
    text: str = node.value
    return text


def _read(node: Any, path: Path, lines: dict[Path, int], key_of: Callable[[Any], str]) -> Any:
    if isinstance(node, yaml.MappingNode):
        found = {}
        for key, (key_node, value_node) in _pairs(node, key_of).items():
            lines[*path, key] = _line(key_node)
            found[key] = _read(value_node, (*path, key), lines, key_of)
        return found
    if isinstance(node, yaml.SequenceNode):
        _check_tag(node, f"{_TAG}seq")
        items = []
        for at, each in enumerate(node.value):
            lines[*path, at] = _line(each)
            items.append(_read(each, (*path, at), lines, key_of))
        return items
    return _scalar(node)


def _pairs(node: Any, key_of: Callable[[Any], str]) -> dict[str, tuple[Any, Any]]:
    """The nodes of key and value, by key; merged items come first, and are overridden by the mapping's own."""
    _check_tag(node, f"{_TAG}map")
    own: dict[str, tuple[Any, Any]] = {}
    merged: list[Any] | None = None
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise TextError("a key must be a string", _line(key_node), hint="write a plain word")
        if key_node.tag == f"{_TAG}merge":
            twice, merged = merged is not None, _merged(key_node, value_node)
            key = "<<"
        else:
            key = key_of(key_node)
            twice = key in own
            own[key] = (key_node, value_node)
        if twice:
            hint = "merge a list: <<: [*a, *b]" if key_node.tag == f"{_TAG}merge" else "keep one"
            raise TextError(f"the key {key!r} occurs for the second time", _line(key_node), hint=hint)
    found: dict[str, tuple[Any, Any]] = {}
    for each in reversed(merged or ()):
        found.update(_pairs(each, key_of))
    return {**found, **own}


def _merged(key_node: Any, value_node: Any) -> list[Any]:
    """The merged mappings, in order of precedence."""
    several = isinstance(value_node, yaml.SequenceNode)
    mappings = list(value_node.value) if several else [value_node]
    if not all(isinstance(each, yaml.MappingNode) for each in mappings):
        raise TextError("<< takes a mapping, or a list of mappings", _line(key_node), hint="write '<<: *name'")
    return mappings


def _scalar(node: Any) -> Any:
    text, line = node.value, _line(node)
    _check_tag(node, *_SCALARS)
    fits, made = _SCALARS[node.tag]
    if not fits.match(text):
        raise TextError(f"{text[:40]!r} is no {node.tag.removeprefix(_TAG)}", line, hint="remove the tag")
    if node.tag == f"{_TAG}int" and len(text) > MOST_DIGITS:
        raise TextError(f"a number of more than {MOST_DIGITS:,} digits", line, hint="put it in quotes")
    return made(text)


def _check_tag(node: Any, *known: str) -> None:
    if node.tag not in known:
        tag = node.tag.replace(_TAG, "!!", 1)
        raise TextError(f"this is not YAML that Pivot reads: the tag {tag}", _line(node), hint="remove the tag")


def _line(node: Any) -> int:
    line: int = node.start_mark.line + 1
    return line
