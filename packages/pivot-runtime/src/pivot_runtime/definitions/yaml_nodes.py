"""YAML as nodes, within bounds: no text makes Pivot wait, run out of memory or recurse forever.

Bounded is also what aliases stand for: each counts as all that it repeats.
"""

from typing import Any, ClassVar, Final

import attrs
import yaml
from yaml.composer import Composer
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from pivot_core.values import Value

MOST_CHARACTERS: Final = 1_000_000
MOST_NODES: Final = 50_000
DEEPEST: Final = 64

SMALLER: Final = "keep data in files of their own, which stages read as deps"
"""The way out of what is too large."""


class TextError(ValueError):
    """A text is not YAML, or more than is read.

    Attributes:
        line: Where, from 1 on.
        hint: The way out, if one is known.
    """

    def __init__(self, problem: str, line: int, *, hint: str | None = None) -> None:
        super().__init__(problem)
        self.line = line
        self.hint = hint


@attrs.frozen(eq=False, repr=False)
class _Extent(Value):
    """How many nodes a node with an anchor stands for, and how many levels are in it."""

    nodes: int
    levels: int


class NodeReader(Reader, Scanner, Parser, Composer, BaseResolver):
    """A reader of one text that counts; every plain word is a text to it, unless a subclass knows better."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}  # type: ignore[misc]  # it is one of the class

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
        """The next node, if not too much has been read with it."""
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
                    hint="name something that does not hold it",
                )
            return  # the composer says that there is no such anchor
        self._nodes += extent.nodes
        self._deepest = max(self._deepest, self._level + extent.levels)
        self._check(event)

    def _check(self, event: Any) -> None:
        line = event.start_mark.line + 1
        if self._nodes > MOST_NODES:
            with_aliases = ", with what aliases repeat" if self._extents else ""
            raise TextError(f"this holds more than {MOST_NODES:,} keys and values{with_aliases}", line, hint=SMALLER)
        if self._deepest > DEEPEST:
            raise TextError(f"this is nested more than {DEEPEST} levels deep", line, hint="nest less")


def compose(text: str, reading: type[NodeReader] = NodeReader) -> yaml.Node | None:
    """The node of the only document in a text; None where there is none.

    Args:
        text: The record in a file.
        reading: The reader that knows which plain words have which tag.

    Raises:
        TextError: It is not YAML, or more than is read.
    """
    if len(text) > MOST_CHARACTERS:
        line = text.count("\n", 0, MOST_CHARACTERS) + 1
        raise TextError(f"this holds more than {MOST_CHARACTERS:,} characters", line, hint=SMALLER)
    try:
        found: yaml.Node | None = reading(text).get_single_node()
    except yaml.YAMLError as error:
        raise _not_yaml(error, text) from None
    return found


def _not_yaml(error: yaml.YAMLError, text: str) -> TextError:
    """The problem that YAML reports; of what is never closed, where it was opened."""
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return TextError(f"this is not YAML: the character U+{ord(text[error.position]):04X} is not allowed", line)
    context, problem = (getattr(error, name, None) for name in ("context", "problem"))
    told = ", ".join(filter(None, (context, problem)))
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if context and context.startswith("while parsing a flow"):
        mark = getattr(error, "context_mark", None)
    return TextError(f"this is not YAML: {told}", mark.line + 1 if mark else 1)
