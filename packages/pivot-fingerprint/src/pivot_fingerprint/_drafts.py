"""Entries while they are being gathered: which exist, what they rest on, and what is still to be looked at."""

from collections import deque
from collections.abc import Hashable, Sequence
from typing import NamedTuple

from xxhash import xxh3_128_hexdigest

from pivot_fingerprint._form import Form
from pivot_fingerprint._manifest import Entry, Manifest, Unresolved
from pivot_fingerprint._modules import Module
from pivot_fingerprint._source import Definition, SourceFile


class Draft:
    """One entry in the making."""

    __slots__ = ("docs", "file", "key", "line", "lines", "live")

    def __init__(self, key: str, file: str | None, line: int | None) -> None:
        self.key = key
        self.file = file
        self.line = line
        self.lines: list[str] = []
        self.docs: list[str] = []
        self.live: object = None  # the function or class itself, once it is known


class CodeTask(NamedTuple):
    """A form whose names are to be resolved."""

    draft: Draft
    module: Module
    form: Form
    lenient: bool = False  # names may be unbound: the code of a whole module has run already


class ValueTask(NamedTuple):
    """A value to be encoded into an entry."""

    draft: Draft
    label: str
    value: object


class Drafts:
    """All entries by key, and the queue of what is still to be done."""

    def __init__(self) -> None:
        self.queue: deque[CodeTask | ValueTask] = deque()
        self.current = Draft("", None, None)
        self.reads_docs = False
        self._by_key: dict[str, Draft] = {}
        self._by_identity: dict[Hashable, Draft] = {}
        self._edges: set[Unresolved] = set()

    def open(self, key: str, identity: Hashable, place: tuple[str | None, int | None]) -> tuple[Draft, bool]:
        """The entry of this identity, and whether it is new; a second one of the same key is numbered."""
        draft = self._by_identity.get(identity)
        if draft is not None:
            return draft, False
        number, name = 1, key
        while name in self._by_key:
            number += 1
            name = f"{key}#{number}"
        draft = Draft(name, *place)
        self._by_key[name] = self._by_identity[identity] = draft
        return draft, True

    def code(self, module: Module, source: SourceFile, top: Definition) -> Draft:
        """The entry of a definition at the top of a module."""
        kind = "func" if hasattr(top, "args") else "class"
        key = f"{kind}:{module.name}:{top.name}"
        draft, new = self.open(key, (module.name, source.path, top), (module.shown, top.lineno))
        if new:
            self.queue.append(CodeTask(draft, module, source.form(top)))
        return draft

    def attach(self, draft: Draft, value: object, parts: Sequence[object]) -> bool:
        """Give an entry the live object that it is about; False if it is about another one already."""
        if draft.live is None:
            draft.live = value
            if parts:
                self.queue.append(ValueTask(draft, "live", parts))
        return draft.live is value

    def report(self, reason: str, module: Module | None = None, line: int | None = None) -> None:
        """Note something that cannot be followed, in the entry that is being looked at."""
        draft = self.current
        file = module.shown if module is not None else draft.file
        self._edges.add(Unresolved(file, line if module is not None else draft.line, reason, draft.key))

    def manifest(self) -> Manifest:
        """What has been gathered, as a value."""
        entries = {}
        for key, draft in self._by_key.items():
            lines = sorted(draft.lines)
            if self.reads_docs:
                lines += sorted(draft.docs)
            text = "\n".join(lines).encode("utf-8", "surrogatepass")
            entries[key] = Entry(xxh3_128_hexdigest(text), draft.file, draft.line)
        return Manifest(entries, tuple(self._edges))
