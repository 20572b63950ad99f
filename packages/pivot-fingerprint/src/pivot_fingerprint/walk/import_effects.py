"""The effects of importing modules beyond binding their names: on libraries, and on the user's other modules."""

from collections.abc import Callable, Iterable, Mapping

from pivot_fingerprint.imports.name_targets import GlobalName
from pivot_fingerprint.imports.slices import Slices
from pivot_fingerprint.imports.statements import Statement
from pivot_fingerprint.sources.modules import Module, Modules
from pivot_fingerprint.syntax.form import Ref
from pivot_fingerprint.syntax.name_changes import ANY
from pivot_fingerprint.walk.drafts import CodeTask, Draft, DraftFacts, Drafts, EntrySpan

_QUIET = frozenset({"atexit", "logging"})  # what is done to these at import changes no result

_MOST = 150  # modules of the user's

type Tokens = Callable[[Module, Ref], list[str]]


class ImportEffects:
    """The entries of what importing does."""

    def __init__(self, drafts: Drafts, modules: Modules, slices: Slices) -> None:
        self._drafts = drafts
        self._modules = modules
        self._slices = slices
        self._on_libraries: dict[int, tuple[Module, Draft | None]] = {}
        self._held: dict[GlobalName, set[GlobalName]] = {}

    def on_libraries(self, module: Module, tokens: Tokens) -> Draft | None:
        """The entry of what importing a module does to libraries (`matplotlib.use("Agg")`), if it does anything."""
        known = self._on_libraries.get(id(module))
        if known is None:
            known = self._on_libraries[id(module)] = (module, self._library_effects(module, tokens))
        return known[1]

    def _library_effects(self, module: Module, tokens: Tokens) -> Draft | None:
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

    def on_others(self, looks: Mapping[Draft, DraftFacts]) -> list[tuple[Draft, Draft]]:
        """The effects on reached names of modules that will be imported during a run; each with what it is done to."""
        names = [imported for look in looks.values() for imported in look.found.imports]
        unseen = [draft.module.name for draft in looks if draft.module is not None and draft.module.namespace is None]
        most = len(self._closure({*names, *unseen}, self._named_by))
        if most > _MOST:
            return [(min(looks, key=lambda draft: draft.key), self._too_many(most))]
        modules = self._closure({*names, *unseen}, self._slices.imported_modules)
        if not modules:
            return []
        reached = self._reached(looks)
        by_module: dict[str, Draft] = {}
        for name, draft in reached.items():
            home = name.module
            while home:  # a module can be reached through the packages that it is in
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
        """Said instead of followed: what a whole library does to its own tables would take longer than to run it."""
        draft, new = self._drafts.open("effects:*", ("effects", count), EntrySpan())
        if new:
            draft.issues.append(f"{count} modules are imported during the run; how they change others is not followed")
        return draft

    def _named_by(self, module: Module) -> list[Module]:
        return [each for name in self._slices.named_modules(module) for each in self._slices.with_packages(name)]

    def _closure(self, names: Iterable[str], imported: Callable[[Module], Iterable[Module]]) -> set[Module]:
        """The modules that are not imported yet, and that importing these imports."""
        found: set[Module] = set()
        stack = [module for name in names for module in self._slices.with_packages(name)]
        while stack:
            module = stack.pop()
            if module.namespace is None and module not in found:
                found.add(module)
                stack += imported(module)
        return found

    def _reached(self, looks: Iterable[Draft]) -> dict[GlobalName, Draft]:
        """Each name that is reached, or whose value may be a part of one that is, with its entry."""
        entries = sorted((draft for draft in looks if draft.home is not None), key=lambda draft: draft.key)
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
    """Let an entry count by statements of a module, and by what decides whether they are reached."""
    for statement in statements:
        draft.tasks.append(CodeTask(module, statement.form, lenient=True))
        for target in statement.tried:
            name = module.absolute(target)
            draft.fixed.append(f"tried {name} {modules.named(name) is not None}")
