"""Slices: the statements, in any module, that determine the value of a name by binding or changing it."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from pivot_fingerprint.imports.call_effects import CallEffects, LibraryChanges, NameEffects, effect_on
from pivot_fingerprint.imports.graphs import BitSets, bit_positions
from pivot_fingerprint.imports.name_targets import GlobalName, NameTarget, NameTargets
from pivot_fingerprint.imports.statements import HOLDS, PART, Statement
from pivot_fingerprint.object_ids import id_of
from pivot_fingerprint.sources.modules import Module, Modules
from pivot_fingerprint.syntax.name_changes import ANY

_WIDE = 32  # names


class _StatementFacts(NamedTuple):
    """A statement and the names of all modules that it concerns; each field but the first is a set of bits."""

    statement: Statement
    mentions: int  # names whose values may be in the value that it binds
    binds: int
    bound: int  # bound names whose values are more than a number or a text
    changes: int  # names whose object or its content it changes
    deep: int  # names of whose object it changes the content
    surely: int  # names that it certainly changes, not only if a called function sets attributes
    imports: int  # modules that are imported by code that it runs


class _Index:
    """The positions of statements by the names that they concern."""

    def __init__(self, sets: list[int]) -> None:
        self.all = 0
        self._wide: list[tuple[int, int]] = []  # faster to compare than to expand
        self._narrow = 0
        self._places: dict[int, int] = {}
        for place, bits in enumerate(sets):
            self.all |= bits
            if bits.bit_count() > _WIDE:
                self._wide.append((1 << place, bits))
                continue
            self._narrow |= bits
            for name in bit_positions(bits):
                self._places[name] = self._places.get(name, 0) | 1 << place

    def of(self, bits: int) -> int:
        """The positions of all statements that concern one of these names, as bits."""
        found = 0
        for place, wide in self._wide:
            if wide & bits:
                found |= place
        for name in bit_positions(bits & self._narrow):
            found |= self._places[name]
        return found


class _ModuleFacts:
    """The facts of a module's statements."""

    def __init__(self, facts: list[_StatementFacts]) -> None:
        self.facts = facts
        self.touching = _Index([each.binds | each.changes for each in facts])
        several = [each.bound if each.binds.bit_count() > 1 else 0 for each in facts]  # `t = u = {}`
        self.mentioning = _Index([each.mentions | more for each, more in zip(facts, several, strict=True)])
        self.names = self.touching.all | self.mentioning.all
        self.binding: dict[str, int] = {}
        for place, each in enumerate(facts):
            for name in each.statement.binds:
                self.binding[name] = self.binding.get(name, 0) | 1 << place

    def at(self, found: int) -> list[_StatementFacts]:
        """The statements at some positions, in order."""
        return [self.facts[place] for place in bit_positions(found)]


class Slices:
    """Slices of all modules, from their text alone; each module is examined once."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._targets = NameTargets(modules)
        self._names = BitSets[GlobalName]()
        self._call_effects = CallEffects(self._targets, self._names)
        self.library_changes = LibraryChanges(self._targets)
        self._facts: dict[Module, _ModuleFacts] = {}
        self._known_slices: dict[tuple[Module, GlobalName], list[Statement]] = {}
        self._imported: dict[Module, list[Module]] = {}
        self._others: dict[Module, list[GlobalName]] = {}
        self._plain: dict[GlobalName, bool] = {}

    def of(self, module: Module, name: str, *, defined: bool = False) -> list[Statement]:
        """All statements of a module that determine the value of one of its names.

        `defined`: include definitions, which have their own entries.
        """
        found = self._slice(module, GlobalName(module.name, name))
        if not defined:
            return found
        chosen = {id_of(each) for each in found}
        every = [each.statement for each in self._facts_of(module).facts]
        return [each for each in every if id_of(each) in chosen or (each.defines and name in each.binds)]

    def conditional_stars(self, module: Module) -> list[Statement]:
        """The star imports of a module that are not always reached."""
        every = self._targets.statements(module.source).all if module.source is not None else ()
        return [each for each in every if each.defines and each.guarded and not each.binds]

    def at_lines(self, module: Module, lines: Iterable[int]) -> list[Statement]:
        """The statements of a module that contain these lines."""
        every = self._targets.statements(module.source).all if module.source is not None else ()
        return [each for each in every if any(each.line <= line <= (each.end or each.line) for line in lines)]

    def effects(self, module: Module, is_reached: Callable[[GlobalName], bool]) -> dict[GlobalName, list[Statement]]:
        """The effects of importing a module on reached names of the user's other modules."""
        others = self._others.get(module)
        if others is None:
            names = self._names.items(self._facts_of(module).names)
            others = self._others[module] = sorted(name for name in names if name.module != module.name)
        slices = {name: self._slice(module, name) for name in others if is_reached(name)}
        return {name: statements for name, statements in slices.items() if statements}

    def named_modules(self, module: Module) -> Iterator[str]:
        """The modules that its import statements name; some may be other names of a module."""
        source = module.source
        for target in self._targets.statements(source).imports if source is not None else ():
            home = module.absolute(target)
            yield home
            if target.name is not None:
                yield f"{home}.{target.name}"

    def imported_modules(self, module: Module) -> list[Module]:
        """The user's modules that are imported with this one, also by code that runs at import."""
        known = self._imported.get(module)
        if known is None:
            names = [*self.named_modules(module)]
            by_code = 0
            for each in self._facts_of(module).facts:
                by_code |= each.imports
            names += sorted(self._call_effects.imports.items(by_code))
            found = [each for name in dict.fromkeys(names) for each in self.with_packages(name)]
            known = self._imported[module] = list(dict.fromkeys(found))
        return known

    def with_packages(self, name: str) -> Iterator[Module]:
        """A module by its full name, and the packages that contain it."""
        while name:
            module = self._modules.named(name)
            if module is not None and module.is_user:
                yield module
            name = name.rpartition(".")[0]

    def held_names(self, name: GlobalName) -> set[GlobalName]:
        """The names whose values may be a part of the value of a name."""
        module = self._modules.named(name.module)
        if module is not None and module.namespace is not None and module.source is not None:
            # The values of imported modules are encoded themselves: the text only shows which names are in them.
            return {
                target.key
                for ref in self._targets.statements(module.source).refs_of(name.name)
                for target in self._targets.follow_ref(module, ref)
            }
        if module is None:  # names of generated code
            return set()
        known = self._facts_of(module)
        found = 0
        for each in known.at(known.touching.of(self._names.of(name)) | known.binding.get(name.name, 0)):
            found |= each.mentions
        return set(self._names.items(found))

    def _slice(self, module: Module, name: GlobalName) -> list[Statement]:
        found = self._known_slices.get((module, name))
        if found is None:
            found = self._known_slices[module, name] = self._compute_slice(module, name)
        return found

    def _compute_slice(self, module: Module, name: GlobalName) -> list[Statement]:
        known = self._facts_of(module)
        own = name.module == module.name
        defined, plain = self._targets.is_defined(name), self._is_plain(name)
        itself = self._names.of(name) | self._names.of(GlobalName(name.module, ANY))
        same, holders = (0, 0) if plain else self._aliases(known, name, own=own)
        binding = known.binding.get(name.name, 0) if own else 0
        found = []
        for each in known.at(known.touching.of(itself | same | holders) | binding):
            statement = each.statement
            binds = own and not statement.binds.isdisjoint((name.name, ANY))
            if statement.defines:  # one of several: the conditions decide
                binds = binds and statement.guarded and binding.bit_count() > 1
            changes = each.changes & (itself | same)
            changes = changes & each.surely if defined else changes | each.deep & holders
            if binds or each.binds & itself or (changes and not plain):
                found.append(statement)
        return found

    def _aliases(self, known: _ModuleFacts, name: GlobalName, *, own: bool) -> tuple[int, int]:
        """The names that may have the same object or a part of it as value, and those whose values may contain it."""
        same, holders = self._names.of(name), 0
        new = same
        while new:
            was_same, was_holders = same, holders
            for each in known.at(known.mentioning.of(new)):
                gives, bound = each.statement.gives, each.bound
                if each.binds.bit_count() > 1 and same & bound:
                    same |= bound
                in_same = bool(same & each.mentions)
                if not in_same and not holders & each.mentions:
                    continue
                if each.statement.defines and in_same:  # a subclass shares the members of its bases
                    module, names = name.module if own else "", each.statement.binds
                    same |= self._names.all(
                        at for at in (GlobalName(module, each) for each in names) if self._is_class(at)
                    )
                elif gives != HOLDS if in_same else gives == PART:
                    same |= bound
                else:
                    holders |= bound
                holders |= each.changes
            new = same & ~was_same | holders & ~was_holders
        return same, holders

    def _is_class(self, name: GlobalName) -> bool:
        source = self._modules.source_of(name.module)
        bindings = source.bindings.get(name.name, ()) if source is not None else ()
        tops = [source.tops[each.top] for each in bindings if each.top is not None] if source is not None else []
        return any(top.site.kind == "class" for top in tops)

    def _is_plain(self, name: GlobalName) -> bool:
        """Whether the value of a name is always a number or a text, so that only binding it can change it."""
        if name not in self._plain:
            self._plain[name] = True  # the answer for a name that depends on itself
            source = self._modules.source_of(name.module)
            statements = self._targets.statements(source) if source is not None else None
            binding = [*statements.binding(name.name), *statements.binding(ANY)] if statements is not None else []
            self._plain[name] = bool(binding) and all(
                each.plain and all(self._is_plain(GlobalName(name.module, read)) for read in each.reads - {name.name})
                for each in binding
            )
        return self._plain[name]

    # Statements among the names of all modules

    def _facts_of(self, module: Module) -> _ModuleFacts:
        known = self._facts.get(module)
        if known is None:
            source = module.source
            statements = self._targets.statements(source).all if source is not None else []
            known = self._facts[module] = _ModuleFacts([self._facts_about(module, each) for each in statements])
        return known

    def _facts_about(self, module: Module, statement: Statement) -> _StatementFacts:
        mentioned = {ref: self._targets.follow_ref(module, ref) for ref in statement.form.refs}
        own = self._names.all(GlobalName(module.name, name) for name in statement.binds) if not statement.defines else 0
        code = (
            self._call_effects.of(target for targets in mentioned.values() for target in targets)
            if statement.runs
            else NameEffects()
        )
        done = NameEffects(binds=own)
        surely = own | code.binds | code.changes
        for change, name, depth in self._call_effects.changed_names(module, statement.changes):
            done |= effect_on(self._names.of(name), depth)
            surely |= self._names.of(name) if not change.passed or code.writes else 0
        given = code.values if statement.results else 0
        mentions = self._names.all(
            target.key
            for ref, targets in mentioned.items()
            for target in targets
            if not (ref.root in statement.called and not ref.attrs and self._is_function(target))
        )
        binds = done.binds | code.binds
        return _StatementFacts(
            statement,
            mentions=mentions | (code.values if statement.gives == PART else 0),
            binds=binds,
            bound=self._names.all(name for name in self._names.items(binds) if not self._is_plain(name)),
            changes=done.changes | code.changes | given,
            deep=done.deep | code.deep | given,
            surely=surely | given,
            imports=code.imports,
        )

    @staticmethod
    def _is_function(target: NameTarget) -> bool:
        source = target.module.source
        bindings = source.bindings.get(target.name, ()) if source is not None else ()
        return bool(bindings) and all(
            source is not None and binding.top is not None and source.tops[binding.top].site.kind == "func"
            for binding in bindings
        )
