"""Names in a piece of code, resolved as the compiler resolves them, and the references that they depend on."""

from collections.abc import Sequence

from pivot_fingerprint.syntax.form import Ref, Refs, add_ref, sorted_refs
from pivot_fingerprint.syntax.scopes import Import, Scope

_UNBOUND = frozenset({"__class__", "__debug__"})


class Names:
    """The current scope of a walk, and the references so far."""

    def __init__(self) -> None:
        self.scope: Scope | None = None  # None: the module itself, where every name is a global
        self._refs: Refs = {}

    def refs(self) -> tuple[Ref, ...]:
        """The references so far, in an order that only depends on the text."""
        return sorted_refs(self._refs)

    def add(self, ref: Ref) -> None:
        """Add a reference."""
        add_ref(self._refs, ref)

    def use(self, name: str, attrs: tuple[str, ...], line: int) -> None:
        """Resolve a name that is read here, and add its references."""
        scope, weak, current = self.scope, False, True
        while scope is not None:
            if name in scope.declared:
                weak = True
                break
            targets = scope.names.get(name)
            if targets is not None and (current or not scope.is_class):
                scope.used.add(name)
                for target in targets:
                    self.add(Ref(target, attrs, line))
                if not scope.is_class:
                    return
                weak = True  # in a class body, a name may be the class's or the module's
            current = False
            scope = scope.parent
        known = self._refs.get((name, attrs))
        if (known is None or known.weak) and name not in _UNBOUND:
            self.add(Ref(name, attrs, line, weak))

    def is_local(self, name: str) -> bool:
        """Whether a name is bound in this code and not by the module."""
        return self.meanings(name) != [name]

    def meanings(self, name: str) -> Sequence[str | Import]:
        """The name itself if it is the module's; else the imports that bind it here, if any."""
        scope = self.scope
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return [name]

    def enter(self, scope: Scope) -> Scope | None:
        """Enter a new scope; returns the outer one."""
        outer, self.scope = self.scope, scope
        return outer

    def leave(self, outer: Scope | None) -> None:
        """Leave a scope, and add its unused imports, which may have effects."""
        scope, self.scope = self.scope, outer
        if scope is None or scope.is_class:
            return
        for name, targets in scope.names.items():
            if name not in scope.used:
                for target in targets:
                    self.add(Ref(target, (), 0, weak=True))
        for target, (top, *rest) in scope.dotted.items():
            taken = [attrs[: len(rest)] for root, attrs in self._refs if root == Import(0, top, None)]
            if tuple(rest) not in taken:
                self.add(Ref(target, (), 0, weak=True))
