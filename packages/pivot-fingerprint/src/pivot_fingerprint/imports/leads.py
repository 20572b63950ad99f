"""Where the names that are in a module lead, through all imports and aliases."""

from collections.abc import Iterator
from typing import NamedTuple

from pivot_fingerprint.imports.kept import statements
from pivot_fingerprint.imports.statements import Statements
from pivot_fingerprint.sources.modules import Module, Modules
from pivot_fingerprint.sources.source_file import SourceFile
from pivot_fingerprint.syntax.changes import ANY, FAR
from pivot_fingerprint.syntax.form import Ref
from pivot_fingerprint.syntax.scopes import Import


class Name(NamedTuple):
    """A name at the top of a module; `*` stands for all of them."""

    module: str
    name: str


class Spot(NamedTuple):
    """What a chain of names leads to, and the attributes that are left of it."""

    module: Module
    name: str
    rest: tuple[str, ...]

    @property
    def key(self) -> Name:
        """The module and the name, without the attributes that are left."""
        return Name(self.module.name, self.name)


class Leads:
    """Looks at modules as text alone; each chain of names is followed once."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._known: dict[SourceFile, Statements] = {}
        self._known_chains: dict[tuple[Module, str | Import, tuple[str, ...]], tuple[list[Spot], list[str]]] = {}

    def statements(self, source: SourceFile) -> Statements:
        """What is at the top of a file."""
        known = self._known.get(source)
        if known is None:
            known = self._known[source] = statements(source)
        return known

    def refers(self, module: Module, ref: Ref) -> list[Spot]:
        """Where what a statement refers to leads."""
        return self.lead(module, ref.root, ref.attrs)

    def is_defined(self, name: Name) -> bool:
        """Whether a name stands for a function or class of the text."""
        module = self._modules.named(name.module)
        source = module.source if module is not None else None
        bindings = source.bindings.get(name.name, ()) if source is not None else ()
        return bool(bindings) and all(binding.top is not None for binding in bindings)

    def lead(self, module: Module, root: str | Import, attrs: tuple[str, ...]) -> list[Spot]:
        """Where a chain of names that is in a module leads, through all imports."""
        return self._followed(module, root, attrs)[0]

    def libraries(self, module: Module, root: str | Import, attrs: tuple[str, ...]) -> list[str]:
        """What of libraries a chain of names leads to, by full names."""
        return self._followed(module, root, attrs)[1]

    def _followed(self, module: Module, root: str | Import, attrs: tuple[str, ...]) -> tuple[list[Spot], list[str]]:
        key = (module, root, attrs)
        known = self._known_chains.get(key)
        if known is None:
            found: dict[tuple[Name, tuple[str, ...]], Spot] = {}
            outside: dict[str, None] = {}
            seen: set[tuple[Name, tuple[str, ...]]] = set()
            stack = [Spot(module, root, attrs)] if isinstance(root, str) else list(self._out_of(module, root, attrs))
            while stack:
                spot = stack.pop()
                if isinstance(spot, str):
                    outside[spot] = None
                    continue
                if (spot.key, spot.rest) in seen:
                    continue
                seen.add((spot.key, spot.rest))
                ends, on = self._step(spot)
                if ends:
                    found[spot.key, spot.rest] = spot
                stack += on
            known = self._known_chains[key] = (list(found.values()), list(outside))
        return known

    def _step(self, spot: Spot) -> tuple[bool, list[Spot | str]]:
        """Whether a name is bound here by more than imports, and where its imports lead."""
        source = spot.module.source
        if source is None or spot.name == ANY:
            return spot.name == ANY, []
        bindings = source.bindings.get(spot.name, ())
        if not bindings:
            stars = [self._modules.named(spot.module.absolute(star)) for star in source.stars]
            return True, [Spot(home, spot.name, spot.rest) for home in stars if home is not None and home.is_user]
        targets = [target for binding in bindings for target in binding.imports]
        aliases = [each.alias for each in self.statements(source).binding(spot.name) if each.alias]
        # `node = node.next` leads on and on: no deeper than any object is looked into
        on: list[Spot | str] = [Spot(spot.module, alias[0], (*alias[1:], *spot.rest)[:FAR]) for alias in aliases]
        on += [each for target in targets for each in self._out_of(spot.module, target, spot.rest)]
        return any(not binding.imports for binding in bindings), on

    def _out_of(self, module: Module, target: Import, rest: tuple[str, ...]) -> Iterator[Spot | str]:
        """What an import gives, and of it what the attributes lead to; of libraries, the full name."""
        home = self._modules.named(module.absolute(target))
        rest = rest if target.name is None else (target.name, *rest)
        if home is None:
            yield ".".join((module.absolute(target), *rest))
            return
        while home.is_user:
            if not rest:
                yield Spot(home, ANY, ())
                return
            name, source = rest[0], home.source
            bound = source.bindings.get(name, ()) if source is not None else ()
            itself = {Import(1, "", name), Import(0, home.name, name)}  # `from . import name`
            others = [each for each in bound if itself.isdisjoint(each.imports)]
            submodule = None if others else self._modules.named(f"{home.name}.{name}")
            if submodule is None:
                yield Spot(home, name, rest[1:])
                return
            home, rest = submodule, rest[1:]
        yield ".".join((home.name, *rest))
