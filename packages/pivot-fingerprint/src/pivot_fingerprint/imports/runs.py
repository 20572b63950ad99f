"""What running code may do to the names of all modules, through everything that it may call."""

from collections.abc import Iterable, Iterator
from functools import reduce
from typing import NamedTuple

from pivot_fingerprint.imports.bits import Bits
from pivot_fingerprint.imports.components import components
from pivot_fingerprint.imports.leads import Leads, Name, Spot
from pivot_fingerprint.imports.statements import Body, Statement
from pivot_fingerprint.sources.modules import Module
from pivot_fingerprint.syntax.changes import Change
from pivot_fingerprint.syntax.scopes import Import


class Done(NamedTuple):
    """What is done to names; each field but `writes` is a set of bits."""

    binds: int = 0
    changes: int = 0  # the object that a name stands for, or what that holds
    deep: int = 0  # what the object holds
    writes: bool = False  # sets attributes of what it is given
    values: int = 0  # the names that it mentions, other than functions and classes
    imports: int = 0  # modules

    def __or__(self, other: "Done") -> "Done":
        return Done(
            self.binds | other.binds,
            self.changes | other.changes,
            self.deep | other.deep,
            self.writes or other.writes,
            self.values | other.values,
            self.imports | other.imports,
        )


class Runs:
    """Looks at modules as text alone; what a name stands for is looked at once, with all that it leads to."""

    def __init__(self, leads: Leads, names: Bits[Name]) -> None:
        self.imports = Bits[str]()
        self._leads = leads
        self._names = names
        self._own: dict[Name, tuple[Done, list[Spot]]] = {}
        self._done: dict[Name, Done] = {}

    def of(self, spots: Iterable[Spot]) -> Done:
        """What running all that these names stand for may do in the end."""
        return reduce(Done.__or__, (self._of(spot) for spot in spots), Done())

    def changed(self, module: Module, changes: Iterable[Change]) -> Iterator[tuple[Change, Name, int]]:
        """The names that some changes in a module reach, through all imports, and how deep below each."""
        for change in changes:
            for spot in self._leads.lead(module, change.chain[0], change.chain[1:]):
                yield change, spot.key, len(spot.rest) + change.steps

    def _of(self, spot: Spot) -> Done:
        if spot.key not in self._done:
            self._look(spot)
            for group in components(spot.key, self._further):
                ahead = {each.key for name in group for each in self._own[name][1]}
                own = [self._own[name][0] for name in group]
                done = reduce(Done.__or__, (self._done[name] for name in ahead if name in self._done), Done())
                done = reduce(Done.__or__, own, done)
                self._done |= dict.fromkeys(group, done)
        return self._done[spot.key]

    def _further(self, name: Name) -> Iterator[Name]:
        for spot in self._own[name][1]:
            if spot.key not in self._done:
                self._look(spot)
                yield spot.key

    def _look(self, spot: Spot) -> None:
        if spot.key not in self._own:
            self._own[spot.key] = self._found_at(spot)

    def _found_at(self, spot: Spot) -> tuple[Done, list[Spot]]:
        """What the code that a name stands for does by itself, and which names it mentions."""
        module, source = spot.module, spot.module.source
        further: list[Spot] = []
        done = Done()
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
            done |= self._done_by(module, body, mentioned) | Done(writes=body.writes, imports=imports)
        if not further:
            bound = [each for each in self._leads.statements(source).binding(spot.name) if not each.defines]
            further = [each for one in bound for ref in one.form.refs for each in self._leads.refers(module, ref)]
            done |= self._bound_by(module, bound)
        values = self._names.all(each.key for each in further if not self._leads.is_defined(each.key))
        return done | Done(values=values), further

    def _done_by(self, module: Module, body: Body, mentioned: Iterable[Spot]) -> Done:
        done = Done(binds=self._names.all(Name(module.name, name) for name in body.assigns))
        done |= self._changed_by(module, body.changes)
        if body.aliases:
            anything = self._names.all(each.key for each in mentioned if not self._leads.is_defined(each.key))
            done |= Done(changes=anything, deep=anything)
        return done

    def _bound_by(self, module: Module, statements: list[Statement]) -> Done:
        """What calling the value of a name may do that some statements bind: `add = table.append`."""
        done = self._changed_by(module, [change for one in statements for change in one.changes])
        methods = [ref for one in statements for ref in one.form.refs if ref.attrs]
        keys = {each.key for ref in methods for each in self._leads.refers(module, ref)}
        owners = self._names.all(key for key in keys if not self._leads.is_defined(key))
        return done | Done(changes=owners, deep=owners)

    def _changed_by(self, module: Module, changes: Iterable[Change]) -> Done:
        done = Done()
        for _, name, depth in self.changed(module, changes):
            done |= touch(self._names.of(name), depth)
        return done


def touch(bit: int, depth: int) -> Done:
    """What is done to one name; 0: it is bound, 1: its object is changed, more: what that holds."""
    return Done(bit if not depth else 0, bit if depth else 0, bit if depth > 1 else 0)
