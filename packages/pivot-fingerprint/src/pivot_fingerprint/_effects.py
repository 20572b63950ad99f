"""What importing modules does beyond binding their names: to libraries, and to names of other modules of the user's."""

from collections.abc import Callable, Iterable, Mapping

from pivot_fingerprint._changes import ANY
from pivot_fingerprint._drafts import CodeTask, Draft, Drafts, Look, Span
from pivot_fingerprint._form import Ref
from pivot_fingerprint._modules import Module, Modules
from pivot_fingerprint._slices import Name, Slices
from pivot_fingerprint._statements import Statement

_QUIET = frozenset({"atexit", "logging"})  # what is done to these at import changes no result

type Tokens = Callable[[Module, Ref], list[str]]


class Effects:
    """The entries of what importing does."""

    def __init__(self, drafts: Drafts, modules: Modules, slices: Slices) -> None:
        self._drafts = drafts
        self._modules = modules
        self._slices = slices
        self._on_libraries: dict[int, tuple[Module, Draft | None]] = {}
        self._on_others: dict[Module, dict[Name, list[Statement]]] = {}
        self._closures: dict[str, frozenset[Module]] = {}
        self._held: dict[Name, set[Name]] = {}

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
        draft = Draft(f"effects:{module.name}:*", Span(module.shown, first.line, first.line, last.end))
        draft.tasks.append(CodeTask(module, source.outline.effects_form(numbers), lenient=True))
        return draft

    def on_others(self, looks: Mapping[Draft, Look]) -> list[tuple[Draft, Draft]]:
        """What modules that will be imported during a run do then to what is reached; each with what it is done to."""
        modules: set[Module] = set()
        for draft, look in looks.items():
            for imported in look.found.imports:
                modules |= self._closure(imported)
            if draft.module is not None and draft.module.namespace is None:
                modules |= self._closure(draft.module.name)
        done: dict[tuple[Module, Name], list[Statement]] = {
            (module, name): statements
            for module in modules
            for name, statements in self._effects_of(module).items()
        }  # fmt: skip
        if not done:
            return []
        reached = self._reached(looks)
        found = []
        for (module, name), statements in done.items():
            via = reached.get(name) or reached.get(Name(name.module, ANY))
            if via is None and name.name == ANY:
                kin = [draft for each, draft in reached.items() if each.module == name.module]
                via = min(kin, key=lambda draft: draft.key, default=None)
            if via is not None:
                found.append((via, self._entry(module, name, statements)))
        return sorted(found, key=lambda pair: pair[1].key)

    def _effects_of(self, module: Module) -> dict[Name, list[Statement]]:
        known = self._on_others.get(module)
        if known is None:
            known = self._on_others[module] = self._slices.effects(module)
        return known

    def _closure(self, name: str) -> frozenset[Module]:
        """The modules that are not imported yet, and that importing this one imports."""
        known = self._closures.get(name)
        if known is None:
            found: set[Module] = set()
            stack = list(self._slices.packages(name))
            while stack:
                module = stack.pop()
                if module.namespace is None and module not in found:
                    found.add(module)
                    stack += self._slices.imported(module)
            known = self._closures[name] = frozenset(found)
        return known

    def _reached(self, looks: Iterable[Draft]) -> dict[Name, Draft]:
        """Each name that is reached, or whose value may be a part of one that is, with its entry."""
        entries = sorted((draft for draft in looks if draft.home is not None), key=lambda draft: draft.key)
        stack = [(Name(*draft.home), draft) for draft in entries if draft.home is not None]
        stack.reverse()
        found: dict[Name, Draft] = {}
        while stack:
            name, draft = stack.pop()
            if name not in found:
                found[name] = draft
                if name not in self._held:
                    self._held[name] = self._slices.held(name)
                stack += [(each, draft) for each in sorted(self._held[name], reverse=True)]
        return found

    def _entry(self, module: Module, name: Name, statements: list[Statement]) -> Draft:
        first, last = statements[0], statements[-1]
        key = f"effects:{module.name}:{name.module}.{name.name}"
        identity = ("effects", module, name)
        draft, new = self._drafts.open(key, identity, Span(module.shown, first.line, first.line, last.end))
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
