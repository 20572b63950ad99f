"""What the names of a piece of code mean where they stand, as the compiler would say, and all they rest on."""

from collections.abc import Sequence

from pivot_fingerprint._form import Ref
from pivot_fingerprint._scopes import Import, Scope

_UNBOUND = frozenset({"__class__", "__debug__"})


class Names:
    """The scope a walk is in, and the references it has met."""

    def __init__(self) -> None:
        self.scope: Scope | None = None  # None: the module itself, where every name is a global
        self._refs: dict[tuple[str | Import, tuple[str, ...]], Ref] = {}

    def refs(self) -> tuple[Ref, ...]:
        """What was met, in an order that the text alone decides."""
        return tuple(self._refs[key] for key in sorted(self._refs, key=lambda key: (str(key[0]), key[1])))

    def note(self, ref: Ref) -> None:
        key = (ref.root, ref.attrs)
        known = self._refs.get(key)
        if known is None or (known.weak and not ref.weak):
            self._refs[key] = ref

    def use(self, name: str, attrs: tuple[str, ...], line: int) -> None:
        """Find out what a name that is read here means, and note it."""
        scope, weak, current = self.scope, False, True
        while scope is not None:
            if name in scope.declared:
                weak = True
                break
            targets = scope.names.get(name)
            if targets is not None and (current or not scope.is_class):
                scope.used.add(name)
                for target in targets:
                    self.note(Ref(target, attrs, line))
                if not scope.is_class:
                    return
                weak = True  # in a class body a name may be the class's or the module's
            current = False
            scope = scope.parent
        if name not in _UNBOUND:
            self.note(Ref(name, attrs, line, weak))

    def is_local(self, name: str) -> bool:
        return self.meanings(name) != [name]

    def meanings(self, name: str) -> Sequence[str | Import]:
        """The name itself where it is the module's; else the imports that bind it here, if any do."""
        scope = self.scope
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return [name]

    def close(self, scope: Scope) -> None:
        """At the end of a scope: an import that no name uses is there for what it does."""
        if scope.is_class:
            return
        for name, targets in scope.names.items():
            if name not in scope.used:
                for target in targets:
                    self.note(Ref(target, (), 0, weak=True))
