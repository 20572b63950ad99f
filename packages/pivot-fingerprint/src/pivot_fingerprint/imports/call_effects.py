"""Effects of running code, through everything that it may call: on names of all modules, and on libraries."""

from collections.abc import Iterable, Iterator
from functools import reduce
from typing import NamedTuple

from pivot_fingerprint.imports.graphs import BitSets, Closure
from pivot_fingerprint.imports.name_targets import GlobalName, NameTarget, NameTargets
from pivot_fingerprint.imports.statements import BodyEffects, Statement
from pivot_fingerprint.sources.modules import Module
from pivot_fingerprint.syntax.name_changes import NameChange
from pivot_fingerprint.syntax.scopes import Import


class NameEffects(NamedTuple):
    """The effects on names; each field but `writes` is a set of bits."""

    binds: int = 0
    changes: int = 0  # the object of a name, or its content
    deep: int = 0  # only the content of the object
    writes: bool = False  # sets attributes of its arguments
    values: int = 0  # the names that it mentions, other than functions and classes
    imports: int = 0  # modules

    def __or__(self, other: "NameEffects") -> "NameEffects":
        return NameEffects(
            self.binds | other.binds,
            self.changes | other.changes,
            self.deep | other.deep,
            self.writes or other.writes,
            self.values | other.values,
            self.imports | other.imports,
        )


class CallEffects:
    """Effects of code on names, from the text of modules alone; each name is examined once."""

    def __init__(self, targets: NameTargets, names: BitSets[GlobalName]) -> None:
        self.imports = BitSets[str]()
        self._targets = targets
        self._names = names
        self._closure = Closure(lambda target: target.key, self._examine, _union)

    def of(self, targets: Iterable[NameTarget]) -> NameEffects:
        """The total effects of running everything that these names refer to."""
        return reduce(NameEffects.__or__, (self._closure.of(target) for target in targets), NameEffects())

    def changed_names(
        self, module: Module, changes: Iterable[NameChange]
    ) -> Iterator[tuple[NameChange, GlobalName, int]]:
        """The names that some changes in a module reach, through all imports, and how deep below each name."""
        for change in changes:
            for target in self._targets.follow(module, change.chain[0], change.chain[1:]):
                yield change, target.key, len(target.rest) + change.steps

    def _examine(self, target: NameTarget) -> tuple[NameEffects, list[NameTarget]]:
        """The effects that the code of a name has by itself, and the names that it mentions."""
        module, source = target.module, target.module.source
        further: list[NameTarget] = []
        effects = NameEffects()
        if source is None:
            return effects, further
        for binding in source.bindings.get(target.name, ()):
            if binding.top is None:
                continue
            refs = source.form(source.tops[binding.top]).refs
            homes = [(module.absolute(ref.root), ref.root.name) for ref in refs if isinstance(ref.root, Import)]
            imports = self.imports.all(each for home, name in homes for each in (home, f"{home}.{name}"))
            mentioned = [each for ref in refs for each in self._targets.follow_ref(module, ref)]
            body = self._targets.statements(source).body(binding.top)
            further += mentioned
            effects |= self._body_effects(module, body, mentioned) | NameEffects(writes=body.writes, imports=imports)
        if not further:
            bound = [each for each in self._targets.statements(source).binding(target.name) if not each.defines]
            further = [each for one in bound for ref in one.form.refs for each in self._targets.follow_ref(module, ref)]
            effects |= self._value_effects(module, bound)
        values = self._names.all(each.key for each in further if not self._targets.is_defined(each.key))
        return effects | NameEffects(values=values), further

    def _body_effects(self, module: Module, body: BodyEffects, mentioned: Iterable[NameTarget]) -> NameEffects:
        effects = NameEffects(binds=self._names.all(GlobalName(module.name, name) for name in body.assigns))
        effects |= self._change_effects(module, body.changes)
        if body.aliases:
            anything = self._names.all(each.key for each in mentioned if not self._targets.is_defined(each.key))
            effects |= NameEffects(changes=anything, deep=anything)
        return effects

    def _value_effects(self, module: Module, statements: list[Statement]) -> NameEffects:
        """The effects of calling a value that some statements bind to a name: `add = table.append`."""
        effects = self._change_effects(module, [change for one in statements for change in one.changes])
        methods = [ref for one in statements for ref in one.form.refs if ref.attrs]
        keys = {each.key for ref in methods for each in self._targets.follow_ref(module, ref)}
        owners = self._names.all(key for key in keys if not self._targets.is_defined(key))
        return effects | NameEffects(changes=owners, deep=owners)

    def _change_effects(self, module: Module, changes: Iterable[NameChange]) -> NameEffects:
        effects = NameEffects()
        for _, name, depth in self.changed_names(module, changes):
            effects |= effect_on(self._names.of(name), depth)
        return effects


def effect_on(bit: int, depth: int) -> NameEffects:
    """The effect on one name by depth: 0 binds it, 1 changes its object, more changes the content of that object."""
    return NameEffects(bit if not depth else 0, bit if depth else 0, bit if depth > 1 else 0)


def _union(several: Iterable[NameEffects]) -> NameEffects:
    return reduce(NameEffects.__or__, several, NameEffects())


class LibraryChanges:
    """Changes that code makes to libraries, from the text of modules alone; each name is examined once."""

    def __init__(self, targets: NameTargets) -> None:
        self._targets = targets
        self._closure = Closure(lambda target: target.key, self._examine, _union_of_names)

    def of(self, module: Module, root: str | Import, attrs: tuple[str, ...]) -> frozenset[str]:
        """The library objects, by full name, that change when the target of a chain of names runs."""
        return frozenset(
            name for target in self._targets.follow(module, root, attrs) for name in self._closure.of(target)
        )

    def _examine(self, target: NameTarget) -> tuple[frozenset[str], list[NameTarget]]:
        """The changes that the code of a name makes by itself, and the names that it mentions."""
        module, source = target.module, target.module.source
        if source is None:
            return frozenset(), []
        numbers = {binding.top for binding in source.bindings.get(target.name, ())} - {None}
        acts = [act for act in source.outline.acts if act.top in numbers]
        names = frozenset(name for act in acts for name in self._targets.libraries(module, act.root, act.attrs))
        refs = [ref for number in numbers if number is not None for ref in source.form(source.tops[number]).refs]
        if not numbers:
            refs = [ref for one in self._targets.statements(source).binding(target.name) for ref in one.form.refs]
        return names, [each for ref in refs for each in self._targets.follow_ref(module, ref)]


def _union_of_names(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset[str]().union(*sets)
