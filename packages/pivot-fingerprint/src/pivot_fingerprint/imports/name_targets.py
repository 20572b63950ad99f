"""Where the names that are in a module lead, through all imports and aliases."""

from collections.abc import Iterator
from typing import NamedTuple

from pivot_fingerprint.imports.statement_memo import statements
from pivot_fingerprint.imports.statements import Statements
from pivot_fingerprint.sources.modules import Module, Modules
from pivot_fingerprint.sources.source_file import SourceFile
from pivot_fingerprint.syntax.form import Ref
from pivot_fingerprint.syntax.name_changes import ANY, FAR
from pivot_fingerprint.syntax.scopes import Import


class GlobalName(NamedTuple):
    """A name at the top of a module; `*` stands for all of them."""

    module: str
    name: str


class NameTarget(NamedTuple):
    """The target of a chain of names, and the attributes that are left of it."""

    module: Module
    name: str
    rest: tuple[str, ...]

    @property
    def key(self) -> GlobalName:
        """The module and the name, without the attributes that are left."""
        return GlobalName(self.module.name, self.name)


class NameTargets:
    """Looks at modules as text alone; each chain of names is followed once."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._known: dict[SourceFile, Statements] = {}
        self._known_chains: dict[tuple[Module, str | Import, tuple[str, ...]], tuple[list[NameTarget], list[str]]] = {}

    def statements(self, source: SourceFile) -> Statements:
        """The statements at the top of a file."""
        known = self._known.get(source)
        if known is None:
            known = self._known[source] = statements(source)
        return known

    def refers(self, module: Module, ref: Ref) -> list[NameTarget]:
        """Where what a statement refers to leads."""
        return self.lead(module, ref.root, ref.attrs)

    def is_defined(self, name: GlobalName) -> bool:
        """Whether a name stands for a function or class of the text."""
        module = self._modules.named(name.module)
        source = module.source if module is not None else None
        bindings = source.bindings.get(name.name, ()) if source is not None else ()
        return bool(bindings) and all(binding.top is not None for binding in bindings)

    def lead(self, module: Module, root: str | Import, attrs: tuple[str, ...]) -> list[NameTarget]:
        """Where a chain of names that is in a module leads, through all imports."""
        return self._followed(module, root, attrs)[0]

    def libraries(self, module: Module, root: str | Import, attrs: tuple[str, ...]) -> list[str]:
        """The library objects that a chain of names leads to, by full names."""
        return self._followed(module, root, attrs)[1]

    def _followed(
        self, module: Module, root: str | Import, attrs: tuple[str, ...]
    ) -> tuple[list[NameTarget], list[str]]:
        key = (module, root, attrs)
        known = self._known_chains.get(key)
        if known is None:
            found: dict[tuple[GlobalName, tuple[str, ...]], NameTarget] = {}
            outside: dict[str, None] = {}
            seen: set[tuple[GlobalName, tuple[str, ...]]] = set()
            stack = (
                [NameTarget(module, root, attrs)] if isinstance(root, str) else list(self._out_of(module, root, attrs))
            )
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

    def _step(self, spot: NameTarget) -> tuple[bool, list[NameTarget | str]]:
        """Whether a name is bound here by more than imports, and where its imports lead."""
        source = spot.module.source
        if source is None or spot.name == ANY:
            return spot.name == ANY, []
        bindings = source.bindings.get(spot.name, ())
        if not bindings:
            stars = [self._modules.named(spot.module.absolute(star)) for star in source.stars]
            return True, [NameTarget(home, spot.name, spot.rest) for home in stars if home is not None and home.is_user]
        targets = [target for binding in bindings for target in binding.imports]
        aliases = [each.alias for each in self.statements(source).binding(spot.name) if each.alias]
        # `node = node.next` leads on and on: no deeper than any object is looked into
        on: list[NameTarget | str] = [
            NameTarget(spot.module, alias[0], (*alias[1:], *spot.rest)[:FAR]) for alias in aliases
        ]
        on += [each for target in targets for each in self._out_of(spot.module, target, spot.rest)]
        return any(not binding.imports for binding in bindings), on

    def _out_of(self, module: Module, target: Import, rest: tuple[str, ...]) -> Iterator[NameTarget | str]:
        """The target of an import, and within it the target of the attributes; of libraries, the full name."""
        home = self._modules.named(module.absolute(target))
        rest = rest if target.name is None else (target.name, *rest)
        if home is None:
            yield ".".join((module.absolute(target), *rest))
            return
        while home.is_user:
            if not rest:
                yield NameTarget(home, ANY, ())
                return
            name, source = rest[0], home.source
            bound = source.bindings.get(name, ()) if source is not None else ()
            itself = {Import(1, "", name), Import(0, home.name, name)}  # `from . import name`
            others = [each for each in bound if itself.isdisjoint(each.imports)]
            submodule = None if others else self._modules.named(f"{home.name}.{name}")
            if submodule is None:
                yield NameTarget(home, name, rest[1:])
                return
            home, rest = submodule, rest[1:]
        yield ".".join((home.name, *rest))
