"""Which libraries running code acts on, through everything that it may call."""

from collections.abc import Iterator

from pivot_fingerprint.imports.components import components
from pivot_fingerprint.imports.leads import Leads, Name, Spot
from pivot_fingerprint.sources.modules import Module
from pivot_fingerprint.syntax.scopes import Import


class Acting:
    """Looks at modules as text alone; what a name stands for is looked at once, with all that it leads to."""

    def __init__(self, leads: Leads) -> None:
        self._leads = leads
        self._own: dict[Name, tuple[frozenset[str], list[Spot]]] = {}
        self._found: dict[Name, frozenset[str]] = {}

    def by(self, module: Module, root: str | Import, attrs: tuple[str, ...]) -> frozenset[str]:
        """What of libraries is changed, by full names, when what a chain of names stands for runs."""
        return frozenset(name for spot in self._leads.lead(module, root, attrs) for name in self._of(spot))

    def _of(self, spot: Spot) -> frozenset[str]:
        if spot.key not in self._found:
            self._look(spot)
            for group in components(spot.key, self._further):
                names = {each.key for name in group for each in self._own[name][1]}
                parts = [self._found[name] for name in names if name in self._found]
                self._found |= dict.fromkeys(group, frozenset().union(*parts, *(self._own[name][0] for name in group)))
        return self._found[spot.key]

    def _further(self, name: Name) -> Iterator[Name]:
        for spot in self._own[name][1]:
            if spot.key not in self._found:
                self._look(spot)
                yield spot.key

    def _look(self, spot: Spot) -> None:
        if spot.key not in self._own:
            self._own[spot.key] = self._found_at(spot)

    def _found_at(self, spot: Spot) -> tuple[frozenset[str], list[Spot]]:
        """What the code that a name stands for changes by itself, and which names it mentions."""
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
