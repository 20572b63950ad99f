"""Entries for effects of imports on used libraries: through functions, under conditions, or in unused modules."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import ModuleType
from typing import NamedTuple

from pivot_fingerprint.imports.graphs import Closure
from pivot_fingerprint.imports.slices import Slices
from pivot_fingerprint.sources.modules import Module, Modules
from pivot_fingerprint.syntax.form import Form, Ref
from pivot_fingerprint.syntax.scopes import Import
from pivot_fingerprint.values.encoder import Parts
from pivot_fingerprint.walk.drafts import Draft, DraftFacts, Drafts, EntrySpan
from pivot_fingerprint.walk.import_effects import add_statements

# Changes of these by an import change no result.
_QUIET = frozenset({"atexit", "faulthandler", "gc", "json", "logging", "shutil", "subprocess", "threading", "time"})
_PARTS = {"os": frozenset({"chdir", "environ", "environb", "putenv", "umask", "unsetenv"})}  # only these parts count

type Tokens = Callable[[Module, Ref], list[str | Parts]]


class _LibraryAct(NamedTuple):
    """A line at the top of a module that changes a library."""

    line: int
    library: str
    is_known: bool  # it has its own entry wherever the module is used


class LibraryState:
    """The entries for changes that modules make to used libraries; each module is examined once."""

    def __init__(self, drafts: Drafts, modules: Modules, slices: Slices, tokens: Tokens) -> None:
        self._drafts = drafts
        self._modules = modules
        self._slices = slices
        self._tokens = tokens
        self._library_changes = slices.library_changes
        self._acting = Closure[Module, Module, frozenset[Module]](lambda module: module, self._examine, _union)
        self._known_acts: dict[Module, list[_LibraryAct]] = {}

    def entries(self, facts: Mapping[Draft, DraftFacts]) -> list[tuple[Draft, Draft]]:
        """The entries, each after an entry whose module imports the acting one, directly or not."""
        acting: dict[Module, Draft] = {}
        for start, draft in self._starts(facts).items():
            for module in self._acting.of(start):
                acting.setdefault(module, draft)
        if not acting:
            return []
        used = {
            name.partition(".")[0]
            for draft, each in facts.items()
            if not draft.key.startswith("effects:")
            for name in each.found.libraries
        }
        own = {draft.module for draft in facts}
        found = []
        for module, draft in acting.items():
            lines: dict[str, list[int]] = {}
            for done in self._library_acts(module):
                if done.library in used and not (done.is_known and module in own):
                    lines.setdefault(done.library, []).append(done.line)
            found += [(draft, self._entry(module, library, lines[library])) for library in lines]
        return sorted(found, key=lambda pair: pair[1].key)

    def acts_with(self, module: Module) -> bool:
        """Whether a module, or any that it imports, acts on a library."""
        return bool(self._acting.of(module))

    def _starts(self, facts: Mapping[Draft, DraftFacts]) -> dict[Module, Draft]:
        """The modules of entries and those that their code imports, each with the first entry that leads to it."""
        starts: dict[Module, Draft] = {}
        for draft in sorted(facts, key=lambda draft: draft.key):
            imports = facts[draft].found.imports
            for name in sorted(imports) if imports else ():
                for module in self._slices.with_packages(name):
                    starts.setdefault(module, draft)
            if draft.module is not None and draft.module.is_user:
                starts.setdefault(draft.module, draft)
        return starts

    def _entry(self, module: Module, library: str, lines: list[int]) -> Draft:
        statements = self._slices.at_lines(module, lines)
        identity = ("library effects", module, library, *lines)
        span = EntrySpan(module.entry_file, lines[0], lines[0], statements[-1].end)
        draft, new = self._drafts.open(f"effects:{module.name}:{library}", identity, span)
        if new:
            if library in _PARTS:  # the values that are set count by themselves, regardless of their origin
                statements = [each._replace(form=_without(each.form, each.binds)) for each in statements]
            add_statements(draft, module, statements, self._modules)
        return draft

    def _examine(self, module: Module) -> tuple[frozenset[Module], list[Module]]:
        """The module if it acts on a library, and the modules that it imports."""
        acts = frozenset([module]) if self._library_acts(module) else frozenset[Module]()
        return acts, list(dict.fromkeys(self._imported_at(module)))

    def _imported_at(self, module: Module) -> Iterator[Module]:
        imports = module.imports_if_quiet
        if imports is None:
            imports = module.source.outline.imports if module.source is not None else []
        for target in imports:
            name = module.absolute(target)
            yield from self._slices.with_packages(name)
            home = self._modules.named(name) if target.name is not None else None
            if home is not None and home.is_user and self._may_be_module(home, target):
                yield from self._slices.with_packages(f"{name}.{target.name}")

    @staticmethod
    def _may_be_module(home: Module, target: Import) -> bool:
        """Whether `from home import name` may import a module."""
        if home.namespace is not None:
            return isinstance(home.namespace.get(target.name or ""), ModuleType)
        return home.source is None or target.name not in home.source.bindings

    def _library_acts(self, module: Module) -> list[_LibraryAct]:
        known = self._known_acts.get(module)
        if known is None:
            known = self._known_acts[module] = []
            if module.imports_if_quiet is not None:
                return known
            acts = [act for act in (module.source.outline.acts if module.source is not None else ()) if act.top is None]
            changed = {chain: self._changed(module, *chain) for chain in {(act.root, act.attrs): None for act in acts}}
            for act in acts:
                names, itself = changed[act.root, act.attrs]
                if act.changes or not itself:
                    known += [_LibraryAct(act.line, name, is_known=itself and not act.guarded) for name in names]
        return known

    def _changed(self, module: Module, root: str | Import, attrs: tuple[str, ...]) -> tuple[list[str], bool]:
        """The libraries that an act on a chain of names changes, and whether it acts on them itself."""
        tokens = self._tokens(module, Ref(root, attrs, 0, weak=True))
        names = [token[4:] for token in tokens if isinstance(token, str) and token.startswith("lib ")]
        if len(names) < len(tokens):  # through code of the user
            return _counted_libraries(self._library_changes.of(module, root, attrs)), False
        return _counted_libraries(names), True


def _counted_libraries(names: Iterable[str]) -> list[str]:
    """The libraries, among some full names, whose changes count."""
    found = set()
    for name in names:
        top, *part = name.split(".")[:2]
        if top not in _QUIET and _PARTS.get(top, {*part}).issuperset(part):
            found.add(top)
    return sorted(found)


def _union(sets: Iterable[frozenset[Module]]) -> frozenset[Module]:
    return frozenset[Module]().union(*sets)


def _without(form: Form, names: frozenset[str]) -> Form:
    """A form without references to some names, such as the variables of a loop."""
    return form._replace(refs=tuple(ref for ref in form.refs if ref.root not in names))
