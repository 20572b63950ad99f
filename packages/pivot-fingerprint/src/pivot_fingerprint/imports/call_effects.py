"""The effects of running code on the names of all modules, through everything that it may call."""

from collections.abc import Iterable, Iterator
from functools import reduce
from typing import NamedTuple

from pivot_fingerprint.imports.graphs import Bits, Closure
from pivot_fingerprint.imports.name_targets import GlobalName, NameTarget, NameTargets
from pivot_fingerprint.imports.statements import Body, Statement
from pivot_fingerprint.sources.modules import Module
from pivot_fingerprint.syntax.name_changes import NameChange
from pivot_fingerprint.syntax.scopes import Import


class NameEffects(NamedTuple):
    """The effects on names; each field but `writes` is a set of bits."""

    binds: int = 0
    changes: int = 0  # the object that a name stands for, or what that holds
    deep: int = 0  # what the object holds
    writes: bool = False  # sets attributes of what it is given
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
    """Looks at modules as text alone; what a name stands for is looked at once, with all that it leads to."""

    def __init__(self, leads: NameTargets, names: Bits[GlobalName]) -> None:
        self.imports = Bits[str]()
        self._leads = leads
        self._names = names
        self._closure = Closure(lambda spot: spot.key, self._look, _either)

    def of(self, spots: Iterable[NameTarget]) -> NameEffects:
        """The total effects of running everything that these names refer to."""
        return reduce(NameEffects.__or__, (self._closure.of(spot) for spot in spots), NameEffects())

    def changed(self, module: Module, changes: Iterable[NameChange]) -> Iterator[tuple[NameChange, GlobalName, int]]:
        """The names that some changes in a module reach, through all imports, and how deep below each."""
        for change in changes:
            for spot in self._leads.lead(module, change.chain[0], change.chain[1:]):
                yield change, spot.key, len(spot.rest) + change.steps

    def _look(self, spot: NameTarget) -> tuple[NameEffects, list[NameTarget]]:
        """The effects that the code behind a name has by itself, and the names that it mentions."""
        module, source = spot.module, spot.module.source
        further: list[NameTarget] = []
        done = NameEffects()
        if source is None:
            return done, further
        for binding in source.bindings.get(spot.name, ()):
            if binding.top is None:
                continue
            refs = source.form(source.tops[binding.top]).refs
            homes = [(module.absolute(ref.root), ref.root.name) for ref in refs if isinstance(ref.root, Import)]
            imports = self.imports.all(each for home, name in homes for each in (home, f"{home}.{name}"))
            mentioned = [each for ref in refs for each in self._leads.refers(module, ref)]
            body = self._leads.statements(source).body(binding.top)
            further += mentioned
            done |= self._done_by(module, body, mentioned) | NameEffects(writes=body.writes, imports=imports)
        if not further:
            bound = [each for each in self._leads.statements(source).binding(spot.name) if not each.defines]
            further = [each for one in bound for ref in one.form.refs for each in self._leads.refers(module, ref)]
            done |= self._bound_by(module, bound)
        values = self._names.all(each.key for each in further if not self._leads.is_defined(each.key))
        return done | NameEffects(values=values), further

    def _done_by(self, module: Module, body: Body, mentioned: Iterable[NameTarget]) -> NameEffects:
        done = NameEffects(binds=self._names.all(GlobalName(module.name, name) for name in body.assigns))
        done |= self._changed_by(module, body.changes)
        if body.aliases:
            anything = self._names.all(each.key for each in mentioned if not self._leads.is_defined(each.key))
            done |= NameEffects(changes=anything, deep=anything)
        return done

    def _bound_by(self, module: Module, statements: list[Statement]) -> NameEffects:
        """The effects of calling the value of a name that some statements bind: `add = table.append`."""
        done = self._changed_by(module, [change for one in statements for change in one.changes])
        methods = [ref for one in statements for ref in one.form.refs if ref.attrs]
        keys = {each.key for ref in methods for each in self._leads.refers(module, ref)}
        owners = self._names.all(key for key in keys if not self._leads.is_defined(key))
        return done | NameEffects(changes=owners, deep=owners)

    def _changed_by(self, module: Module, changes: Iterable[NameChange]) -> NameEffects:
        done = NameEffects()
        for _, name, depth in self.changed(module, changes):
            done |= touch(self._names.of(name), depth)
        return done


def touch(bit: int, depth: int) -> NameEffects:
    """The effect on one name; 0: it is bound, 1: its object is changed, more: what that holds."""
    return NameEffects(bit if not depth else 0, bit if depth else 0, bit if depth > 1 else 0)


def _either(several: Iterable[NameEffects]) -> NameEffects:
    return reduce(NameEffects.__or__, several, NameEffects())


class LibraryChanges:
    """Looks at modules as text alone; what a name stands for is looked at once, with all that it leads to."""

    def __init__(self, leads: NameTargets) -> None:
        self._leads = leads
        self._closure = Closure(lambda spot: spot.key, self._look, _union_of_names)

    def by(self, module: Module, root: str | Import, attrs: tuple[str, ...]) -> frozenset[str]:
        """The library objects that are changed, by full names, when the target of a chain of names runs."""
        return frozenset(name for spot in self._leads.lead(module, root, attrs) for name in self._closure.of(spot))

    def _look(self, spot: NameTarget) -> tuple[frozenset[str], list[NameTarget]]:
        """The changes that the code behind a name makes by itself, and the names that it mentions."""
        module, source = spot.module, spot.module.source
        if source is None:
            return frozenset(), []
        numbers = {binding.top for binding in source.bindings.get(spot.name, ())} - {None}
        acts = [act for act in source.outline.acts if act.top in numbers]
        names = frozenset(name for act in acts for name in self._leads.libraries(module, act.root, act.attrs))
        refs = [ref for number in numbers if number is not None for ref in source.form(source.tops[number]).refs]
        if not numbers:
            refs = [ref for one in self._leads.statements(source).binding(spot.name) for ref in one.form.refs]
        return names, [each for ref in refs for each in self._leads.refers(module, ref)]


def _union_of_names(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset[str]().union(*sets)
