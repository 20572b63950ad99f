"""Targets of the names in a module, through all imports and aliases."""

from collections.abc import Iterator
from typing import NamedTuple

from pivot_fingerprint.imports.statement_memo import statements_of
from pivot_fingerprint.imports.statements import Statements
from pivot_fingerprint.sources.modules import Module, Modules
from pivot_fingerprint.sources.source_file import SourceFile
from pivot_fingerprint.syntax.form import Ref
from pivot_fingerprint.syntax.name_changes import ANY, DEEPEST
from pivot_fingerprint.syntax.scopes import Import


class GlobalName(NamedTuple):
    """A name at the top of a module; `*` stands for all of them."""

    module: str
    name: str


class NameTarget(NamedTuple):
    """The global name that a chain of names leads to, and the remaining attributes."""

    module: Module
    name: str
    rest: tuple[str, ...]

    @property
    def key(self) -> GlobalName:
        """The module and the name, without the remaining attributes."""
        return GlobalName(self.module.name, self.name)


class NameTargets:
    """Follows names through the text of modules; each chain of names only once."""

    def __init__(self, modules: Modules) -> None:
        self._modules = modules
        self._known: dict[SourceFile, Statements] = {}
        self._known_chains: dict[tuple[Module, str | Import, tuple[str, ...]], tuple[list[NameTarget], list[str]]] = {}

    def statements(self, source: SourceFile) -> Statements:
        """The statements at the top of a file."""
        known = self._known.get(source)
        if known is None:
            known = self._known[source] = statements_of(source)
        return known

    def follow_ref(self, module: Module, ref: Ref) -> list[NameTarget]:
        """The targets of a reference in a statement."""
        return self.follow(module, ref.root, ref.attrs)

    def is_defined(self, name: GlobalName) -> bool:
        """Whether a name is bound only by definitions of functions and classes."""
        source = self._modules.source_of(name.module)
        bindings = source.bindings.get(name.name, ()) if source is not None else ()
        return bool(bindings) and all(binding.top is not None for binding in bindings)

    def follow(self, module: Module, root: str | Import, attrs: tuple[str, ...]) -> list[NameTarget]:
        """The targets of a chain of names in a module, through all imports."""
        return self._follow(module, root, attrs)[0]

    def libraries(self, module: Module, root: str | Import, attrs: tuple[str, ...]) -> list[str]:
        """The library objects that a chain of names leads to, by full name."""
        return self._follow(module, root, attrs)[1]

    def _follow(self, module: Module, root: str | Import, attrs: tuple[str, ...]) -> tuple[list[NameTarget], list[str]]:
        key = (module, root, attrs)
        known = self._known_chains.get(key)
        if known is None:
            found: dict[tuple[GlobalName, tuple[str, ...]], NameTarget] = {}
            outside: dict[str, None] = {}
            seen: set[tuple[GlobalName, tuple[str, ...]]] = set()
            stack = (
                [NameTarget(module, root, attrs)]
                if isinstance(root, str)
                else list(self._import_targets(module, root, attrs))
            )
            while stack:
                target = stack.pop()
                if isinstance(target, str):
                    outside[target] = None
                    continue
                if (target.key, target.rest) in seen:
                    continue
                seen.add((target.key, target.rest))
                is_bound, further = self._step(target)
                if is_bound:
                    found[target.key, target.rest] = target
                stack += further
            known = self._known_chains[key] = (list(found.values()), list(outside))
        return known

    def _step(self, target: NameTarget) -> tuple[bool, list[NameTarget | str]]:
        """Whether a name is bound here by more than imports, and the targets of its imports and aliases."""
        source = target.module.source
        if source is None or target.name == ANY:
            return target.name == ANY, []
        bindings = source.bindings.get(target.name, ())
        if not bindings:
            stars = [self._modules.named(target.module.absolute(star)) for star in source.stars]
            return True, [
                NameTarget(home, target.name, target.rest) for home in stars if home is not None and home.is_user
            ]
        imports = [imported for binding in bindings for imported in binding.imports]
        aliases = [each.alias for each in self.statements(source).binding(target.name) if each.alias]
        # `node = node.next` would never end: stop at the greatest depth
        further: list[NameTarget | str] = [
            NameTarget(target.module, alias[0], (*alias[1:], *target.rest)[:DEEPEST]) for alias in aliases
        ]
        further += [each for imported in imports for each in self._import_targets(target.module, imported, target.rest)]
        return any(not binding.imports for binding in bindings), further

    def _import_targets(self, module: Module, imported: Import, rest: tuple[str, ...]) -> Iterator[NameTarget | str]:
        """The targets of an import and of the attributes taken from it; a full name for libraries."""
        home = self._modules.named(module.absolute(imported))
        rest = rest if imported.name is None else (imported.name, *rest)
        if home is None:
            yield ".".join((module.absolute(imported), *rest))
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
