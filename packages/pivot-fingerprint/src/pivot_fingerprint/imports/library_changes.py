"""Which libraries running code acts on, through everything that it may call."""

from collections.abc import Iterable

from pivot_fingerprint.imports.graphs import Closure
from pivot_fingerprint.imports.name_targets import NameTarget, NameTargets
from pivot_fingerprint.sources.modules import Module
from pivot_fingerprint.syntax.scopes import Import


class LibraryChanges:
    """Looks at modules as text alone; what a name stands for is looked at once, with all that it leads to."""

    def __init__(self, leads: NameTargets) -> None:
        self._leads = leads
        self._closure = Closure(lambda spot: spot.key, self._look, _union)

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


def _union(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset[str]().union(*sets)
