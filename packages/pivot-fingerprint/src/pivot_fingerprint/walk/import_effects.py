"""Entries for effects of imports besides binding names: on libraries, and on the user's other modules."""

from collections.abc import Callable, Iterable, Mapping

from pivot_fingerprint.imports.name_targets import GlobalName
from pivot_fingerprint.imports.slices import Slices
from pivot_fingerprint.imports.statements import Statement
from pivot_fingerprint.object_ids import id_of
from pivot_fingerprint.sources.modules import Module, Modules
from pivot_fingerprint.syntax.form import Ref
from pivot_fingerprint.syntax.name_changes import ANY
from pivot_fingerprint.walk.drafts import CodeTask, Draft, DraftFacts, Drafts, EntrySpan

_QUIET = frozenset({"atexit", "logging"})  # calls of these at import change no result

_MOST = 150  # of the user's modules

type Tokens = Callable[[Module, Ref], list[str]]


class ImportEffects:
    """The entries for effects of imports."""

    def __init__(self, drafts: Drafts, modules: Modules, slices: Slices) -> None:
        self._drafts = drafts
        self._modules = modules
        self._slices = slices
        self._on_libraries: dict[int, tuple[Module, Draft | None]] = {}
        self._held: dict[GlobalName, set[GlobalName]] = {}

    def on_libraries(self, module: Module, tokens: Tokens) -> Draft | None:
        """The entry for the effects of importing a module on libraries (`matplotlib.use("Agg")`), if there are any."""
        known = self._on_libraries.get(id_of(module))
        if known is None:
            known = self._on_libraries[id_of(module)] = (module, self._library_effects(module, tokens))
        return known[1]

    def _library_effects(self, module: Module, tokens: Tokens) -> Draft | None:
        if module.imports_if_quiet is not None:
            return None
        source = module.source
        numbers = [
            number
            for number, effect in enumerate(source.outline.effects if source is not None else ())
            if (names := tokens(module, Ref(effect.root, effect.attrs, 0, weak=True)))
            if all(name.startswith("lib ") for name in names)
            if not _QUIET.intersection(name[4:].partition(".")[0] for name in names)
        ]
        if source is None or not numbers:
            return None
        first, last = source.outline.effects[numbers[0]], source.outline.effects[numbers[-1]]
        draft = Draft(f"effects:{module.name}:*", EntrySpan(module.entry_file, first.line, first.line, last.end))
        draft.tasks.append(CodeTask(module, source.outline.effects_form(numbers), lenient=True))
        return draft

    def on_others(self, facts: Mapping[Draft, DraftFacts]) -> list[tuple[Draft, Draft]]:
        """The effects, on reached names, of modules that a run will import; each after the entry of its target."""
        names = [imported for each in facts.values() for imported in each.found.imports]
        unseen = [draft.module.name for draft in facts if draft.module is not None and draft.module.namespace is None]
        most = len(self._closure({*names, *unseen}, self._named_by))
        if most > _MOST:
            return [(min(facts, key=lambda draft: draft.key), self._too_many(most))]
        modules = self._closure({*names, *unseen}, self._slices.imported_modules)
        if not modules:
            return []
        reached = self._reached(facts)
        by_module: dict[str, Draft] = {}
        for name, draft in reached.items():
            home = name.module
            while home:  # a module can be reached through the packages that contain it
                if home not in by_module or draft.key < by_module[home].key:
                    by_module[home] = draft
                home = home.rpartition(".")[0]

        def through(name: GlobalName) -> Draft | None:
            via = reached.get(name) or reached.get(GlobalName(name.module, ANY))
            return by_module.get(name.module) if via is None and name.name == ANY else via

        return sorted(
            (
                (via, self._entry(module, name, statements))
                for module in modules
                for name, statements in self._slices.effects(module, lambda name: through(name) is not None).items()
                if (via := through(name)) is not None
            ),
            key=lambda pair: pair[1].key,
        )

    def _too_many(self, count: int) -> Draft:
        """An entry that only reports too many modules: analysing a whole library would take longer than its run."""
        draft, new = self._drafts.open("effects:*", ("effects", count), EntrySpan())
        if new:
            draft.issues.append(f"{count} modules are imported during the run; how they change others is not followed")
        return draft

    def _named_by(self, module: Module) -> list[Module]:
        return [each for name in self._slices.named_modules(module) for each in self._slices.with_packages(name)]

    def _closure(self, names: Iterable[str], imported: Callable[[Module], Iterable[Module]]) -> set[Module]:
        """The modules with these names that are not imported yet, and those that they import in turn."""
        found: set[Module] = set()
        stack = [module for name in names for module in self._slices.with_packages(name)]
        while stack:
            module = stack.pop()
            if module.namespace is None and module not in found:
                found.add(module)
                stack += imported(module)
        return found

    def _reached(self, facts: Iterable[Draft]) -> dict[GlobalName, Draft]:
        """Each name that is reached, or whose value may be a part of a reached one, with its entry."""
        entries = sorted((draft for draft in facts if draft.home is not None), key=lambda draft: draft.key)
        stack = [(GlobalName(*draft.home), draft) for draft in entries if draft.home is not None]
        stack.reverse()
        found: dict[GlobalName, Draft] = {}
        while stack:
            name, draft = stack.pop()
            if name not in found:
                found[name] = draft
                if name not in self._held:
                    self._held[name] = self._slices.held_names(name)
                stack += [(each, draft) for each in sorted(self._held[name], reverse=True)]
        return found

    def _entry(self, module: Module, name: GlobalName, statements: list[Statement]) -> Draft:
        first, last = statements[0], statements[-1]
        key = f"effects:{module.name}:{name.module}.{name.name}"
        identity = ("effects", module, name)
        draft, new = self._drafts.open(key, identity, EntrySpan(module.entry_file, first.line, first.line, last.end))
        if new:
            add_statements(draft, module, statements, self._modules)
        return draft


def add_statements(draft: Draft, module: Module, statements: Iterable[Statement], modules: Modules) -> None:
    """Add statements of a module to an entry, with the imports that decide whether they are reached."""
    for statement in statements:
        draft.tasks.append(CodeTask(module, statement.form, lenient=True))
        for target in statement.tried:
            name = module.absolute(target)
            draft.fixed.append(f"tried {name} {modules.named(name) is not None}")
