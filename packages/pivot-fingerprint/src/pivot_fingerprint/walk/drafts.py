"""Drafts: entries under construction, with the code and values that are still to be resolved for each."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

from xxhash import xxh3_128_hexdigest

from pivot_fingerprint.object_ids import id_of
from pivot_fingerprint.sources.modules import Module
from pivot_fingerprint.sources.source_file import SourceFile
from pivot_fingerprint.syntax.form import Form
from pivot_fingerprint.syntax.outline import Top
from pivot_fingerprint.values.encoder import Parts


class EntrySpan(NamedTuple):
    """The place of an entry, with the fields of `Entry`."""

    file: str | None = None
    line: int | None = None
    start: int | None = None
    end: int | None = None


class CodeTask(NamedTuple):
    """A form whose names are still to be resolved."""

    module: Module
    form: Form
    lenient: bool = False  # names may be unbound: the code of a whole module has run already


class ValueTask(NamedTuple):
    """Every name of a module that is used as a whole."""

    label: str
    value: object


class NamesTask(NamedTuple):
    """All names of a module that is used as a whole."""

    module: Module


class Draft:
    """An entry under construction, or a live object that belongs to an entry.

    A definition is one entry, but several live objects may have been made from it: each is a draft
    with an owner, and adds its lines to those of the owner if it is reached.
    """

    __slots__ = (
        "also",
        "base",
        "facts",
        "fixed",
        "home",
        "issues",
        "key",
        "module",
        "name",
        "owner",
        "parts",
        "span",
        "tasks",
    )

    def __init__(self, key: str, span: EntrySpan, owner: "Draft | None" = None, base: str = "") -> None:
        self.key = key
        self.base = base or key  # its name in the lines of others, unless several drafts of a manifest share it
        self.name = self.base  # its current name in the lines of others
        self.span = span
        self.owner = owner
        self.module: Module | None = None  # the module whose effects it brings along
        self.home: tuple[str, str] | None = None  # the module and the name of its subject; `*` for all names
        self.tasks: list[CodeTask | ValueTask | NamesTask] = []
        self.also: list[Draft] = []  # entries that it brings along
        self.fixed: list[str] = []
        self.issues: list[str] = []
        self.facts: DraftFacts | None = None
        self.parts = Parts("", entry=self)


class Findings:
    """Everything that some code or a value leads to."""

    __slots__ = ("drafts", "imports", "issues", "libraries", "reads", "reads_of")

    def __init__(self) -> None:
        self.drafts: dict[Draft, None] = {}
        self.imports: set[str] = set()  # modules, and names that may be modules, that the code itself imports
        self.issues: dict[tuple[str | None, int | None, str], None] = {}
        self.libraries: set[str] = set()
        self.reads: set[str] = set()  # "docs", "signatures": count because some code reads them
        self.reads_of: dict[Draft, set[str]] = {}  # the same for one definition

    def add(self, other: "Findings") -> None:
        """Add other findings."""
        self.drafts |= other.drafts
        self.imports |= other.imports
        self.issues |= other.issues
        self.libraries |= other.libraries
        self.reads |= other.reads
        for draft, kinds in other.reads_of.items():
            self.reads_of.setdefault(draft, set()).update(kinds)


class DraftFacts:
    """The lines and findings of a draft."""

    __slots__ = ("_digests", "_forms", "found", "lines")

    def __init__(self, lines: list[str], forms: list[Form], found: Findings) -> None:
        self.lines = lines
        self.found = found
        self._forms = forms
        self._digests: dict[frozenset[str], str] = {}

    def digest(self, reads: frozenset[str], more: Sequence["DraftFacts"] = ()) -> str:
        """The digest of all lines, those of live objects, and the parts that count because some code reads them."""
        digest = self._digests.get(reads) if not more else None
        if digest is None:
            lines = sorted([*self.lines, *(line for other in more for line in other.lines)])
            if "docs" in reads:
                lines += sorted(f"docs {form.docs.hex()}" for form in self._forms)
            if "signatures" in reads:
                lines += [each.form.digest.hex() for form in self._forms for each in form.signatures]
            digest = xxh3_128_hexdigest("\n".join(lines).encode("utf-8", "surrogatepass"))
            if not more:
                self._digests[reads] = digest
        return digest


class Drafts:
    """All drafts, by identity."""

    def __init__(self) -> None:
        self._by_identity: dict[Hashable, Draft] = {}

    def open(self, key: str, identity: Hashable, span: EntrySpan) -> tuple[Draft, bool]:
        """The draft of this identity, and whether it is new."""
        draft = self._by_identity.get(identity)
        if draft is not None:
            return draft, False
        draft = self._by_identity[identity] = Draft(key, span)
        return draft, True

    def code(self, module: Module, source: SourceFile, top: Top) -> tuple[Draft, bool]:
        """The draft of a definition at the top of a module, and whether it is new."""
        identity = (id_of(module.namespace), source.path, module.name, top)
        draft = self._by_identity.get(identity)
        if draft is not None:
            return draft, False
        site = top.site
        span = EntrySpan(module.entry_file, site.line, site.first, site.end)
        draft = self._by_identity[identity] = Draft(f"{site.kind}:{module.name}:{site.name}", span)
        draft.module, draft.home = module, (module.name, site.name)
        draft.tasks.append(CodeTask(module, source.form(top)))
        return draft, True

    def live(self, owner: Draft, value: object, parts: Sequence[object], *, base: str) -> Draft:
        """The draft of a live object that was made from a definition."""
        identity = ("live", id_of(value))
        draft = self._by_identity.get(identity)
        if draft is None:
            draft = self._by_identity[identity] = Draft(owner.key, owner.span, owner, base)
            if parts:
                draft.tasks.append(ValueTask("live", parts))
        return draft
