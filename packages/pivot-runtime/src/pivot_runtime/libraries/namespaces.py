"""The values in the namespaces of modules, compared by identity with those of an earlier moment."""

from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any, Final

_DEPTH: Final = 3
"""The levels of containers in a namespace that count."""
_MOST: Final = 10_000
"""The items of a container; one with more counts by identity only."""
_KINDS: Final[Mapping[type, tuple[Any, Any]]] = {
    dict: (lambda held: dict(zip(dict.keys(held), dict.values(held), strict=True)), dict.__eq__),
    list: (list.copy, list.__eq__),
    set: (set.copy, set.__eq__),
}
_PASSED_OVER: Final = frozenset({"__warningregistry__", "__builtins__", "__spec__"})


class Namespaces:
    """The namespaces of some modules as they were when this object was created."""

    def __init__(self, modules: Iterable[ModuleType]) -> None:
        """Copy them, with the containers in them."""
        self._modules: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
        self._containers: dict[str, list[tuple[Any, Any, Any]]] = {}
        seen: set[int] = set()
        for module in modules:
            now = _namespace(module)
            name = now.get("__name__")
            if isinstance(name, str):
                self._modules[name] = now, dict(now)
                values = [value for each, value in now.items() if each not in _PASSED_OVER]
                self._containers[name] = list(_containers(values, _DEPTH, seen))

    def expect(self, namespace: dict[str, Any], name: str) -> None:
        """Expect the current value of a name in a namespace."""
        for now, before in self._modules.values():
            if now is namespace:
                before[name] = namespace[name]

    def changed(self, names: Iterable[str]) -> str | None:
        """Return the first of the named modules whose values are others now; None if there is none.

        A module that became an attribute of its package, or is not one yet, is no change.
        """
        return next((name for name in names if name in self._modules and self._has_changed(name)), None)

    def _has_changed(self, name: str) -> bool:
        now, before = self._modules[name]
        if _equal(dict.__eq__, now, before) or all(
            _is_expected(name, each, now, before) for each in _differing(now, before)
        ):
            return any(not _equal(equal, container, copy) for container, copy, equal in self._containers[name])
        return True


def _namespace(module: ModuleType) -> dict[str, Any]:
    found: dict[str, Any] = object.__getattribute__(module, "__dict__")
    return found


def _containers(values: Iterable[Any], depth: int, seen: set[int]) -> Iterator[tuple[Any, Any, Any]]:
    """The containers among these values and in them, each with a copy and its function to compare."""
    for value in values:
        kind: Any = next((each for each in _KINDS if isinstance(value, each)), None)
        if kind is None or id(value) in seen or kind.__len__(value) > _MOST:
            continue
        seen.add(id(value))
        copy, equal = _KINDS[kind]
        copied = copy(value)
        yield value, copied, equal
        if depth > 1:
            yield from _containers(dict.values(copied) if kind is dict else copied, depth - 1, seen)


def _differing(now: dict[str, Any], before: dict[str, Any]) -> Iterator[str]:
    gone = object()
    for name in (*before, *(each for each in now if each not in before)):
        if now.get(name, gone) is not before.get(name, gone):
            yield name


def _is_expected(module: str, name: str, now: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    value = now.get(name, before.get(name))
    return name in _PASSED_OVER or (
        isinstance(value, ModuleType) and _namespace(value).get("__name__") == f"{module}.{name}"
    )


def _equal(equal: Any, one: Any, two: Any) -> bool:
    try:
        return equal(one, two) is True
    except Exception:  # noqa: BLE001  # values that differ may not be comparable
        return False
