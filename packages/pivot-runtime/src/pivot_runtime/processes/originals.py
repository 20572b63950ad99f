"""The originals of functions in Python's library and in Pivot that user code may replace.

A user's module may replace `json.dumps`, `builtins.open` or `time.time` in its own process. Pivot's code runs there
before and after the user's, never at the same time, and restores the originals for itself.
"""

import os
import sys
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from operator import is_
from types import CodeType, ModuleType
from typing import Any, Final

_USED_AFTER_SUCCESS: Final = frozenset(
    {
        *("builtins", "contextlib", "fcntl", "os", "posixpath", "stat", "sys"),
        *("json", "json.encoder", "json.decoder", "pivot_runtime.processes.wire"),
        *(
            "pivot_runtime.worker.stage_main",
            "pivot_runtime.tracing.tracer",
            "pivot_runtime.tracing.audit",
            "pivot_runtime.tracing.environ",
        ),
    }
)
"""The modules that Pivot uses when a stage has succeeded, of which only the names count that its code contains."""
_ROOMS: Final = (
    *("pivot_runtime.worker.", "pivot_runtime.tracing.", "pivot_runtime.programs."),
    *("pivot_fingerprint.observation", "pivot_fingerprint.runtime."),
)
"""The packages and modules of that code, besides those modules."""
_USED_OTHERWISE: Final = frozenset(
    {
        *("atexit", "gc", "io", "linecache", "struct", "threading", "time", "tokenize", "traceback"),
        "pivot_runtime.worker.failure",
    }
)
"""The modules that it uses besides when a stage has failed, or has left threads, files or children."""
_KINDS: Final = (ModuleType, type(os.environ))
_GONE: Final = object()
_callable, _type, _all, _map, _zip = callable, type, all, map, zip  # user code may replace these too

type _UsedNames = tuple[dict[str, Any], tuple[str, ...], tuple[Any, ...]]
"""The namespace of a module, or `sys.modules`, with names in it and their values."""
type _Slot = tuple[dict[str, Any], str]
"""The namespace of a module, or `sys.modules`, and a name in it."""


class Replacements:
    """The replacements by user code, which can be applied again."""

    def __init__(self, values: Sequence[tuple[_Slot, Any]] = ()) -> None:
        """Hold the value of each slot; `_GONE` for a name that user code deleted."""
        self._values = values

    @property
    def names(self) -> tuple[str, ...]:
        """The replaced names of the standard library, each as ``module.name``."""
        dotted = [f"{mapping.get('__name__')}.{name}" for (mapping, name), _ in self._values if "__name__" in mapping]
        return tuple(each for each in dotted if each.partition(".")[0] in sys.stdlib_module_names)

    def apply(self) -> None:
        """Put the replacements in place."""
        if self._values:
            _put(self._values)


class Originals:
    """The functions, classes and modules in all loaded modules, and these modules, as they were at one moment."""

    def __init__(self) -> None:
        """Record them, before any user code is imported."""
        self._in_builtins: list[tuple[_Slot, Any]] = []
        self._modules = dict(sys.modules)
        self._names = {
            name: (vars(module), dict(vars(module)))
            for name, module in self._modules.items()
            if type(module) is ModuleType
        }
        self._after_success: list[_UsedNames] = []
        self._otherwise: list[_UsedNames] = []

    def prepare(self) -> None:
        """Prepare `restore_for_end` and `restore_all_for_end`, once for all processes that this one forks."""
        named = _names_in(
            before
            for name, (_, before) in self._names.items()
            if name in _USED_AFTER_SUCCESS or name.startswith(_ROOMS)
        )
        self._after_success = self._used(_USED_AFTER_SUCCESS, named.__contains__)
        self._otherwise = self._used(_USED_AFTER_SUCCESS | _USED_OTHERWISE, bool)

    def _used(self, modules: frozenset[str], is_used: Callable[[str], bool]) -> list[_UsedNames]:
        """The functions and modules in these modules, in the form that is compared fastest."""
        found: list[_UsedNames] = []
        for now, before in (self._names[name] for name in sorted(modules) if name in self._names):
            values = {
                name: value
                for name, value in before.items()
                if is_used(name) and (callable(value) or type(value) in _KINDS)
            }
            found.append((now, tuple(values), tuple(values.values())))
        held = {name: self._modules[name] for name in modules if name in self._modules}
        return [*found, (sys.modules, tuple(held), tuple(held.values()))]

    def values(self, modules: Iterable[str]) -> Iterator[object]:
        """The modules of these names, and all values in them; a dot at the end stands for all modules of a package."""
        names = frozenset(modules)
        packages = tuple(name for name in names if name.endswith("."))
        for name, (_, before) in self._names.items():
            if name in names or name.startswith(packages):
                yield self._modules[name]
                yield from before.values()

    @property
    def compared(self) -> tuple[object, ...]:
        """The values that `restore_for_end` compares, in the form in which it does."""
        return tuple(self._after_success)

    def changed(self, concerns: Callable[[str], bool], expected: Container[str] = ()) -> str | None:
        """Return the name of something that is not as it was recorded; None if all is.

        Args:
            concerns: Whether a module counts, by its name.
            expected: Names, each as ``module.name``, that do not count.
        """
        for name, (now, before) in self._names.items():
            if not concerns(name) or now == before:
                continue
            for attribute, value in before.items():
                if now.get(attribute, _GONE) is not value and (_callable(value) or _type(value) in _KINDS):
                    dotted = f"{name}.{attribute}"
                    if dotted not in expected:
                        return dotted
        modules = (name for name, module in self._modules.items() if sys.modules.get(name) is not module)
        return next((name for name in modules if concerns(name)), None)

    def restore_builtins(self) -> None:
        """Restore the built-in functions, which Pivot's own code uses and no fingerprint follows."""
        self._in_builtins = self._restore(("builtins",))

    def restore(self) -> Replacements:
        """Restore everything; returns the replacements, with those that `restore_builtins` found."""
        return Replacements([*self._in_builtins, *self._restore(self._names)])

    def restore_for_end(self) -> None:
        """Restore what Pivot uses when a stage has succeeded, which is much faster than restoring everything.

        `prepare` comes first.
        """
        _restore_used(self._after_success)

    def restore_all_for_end(self) -> None:
        """Restore what Pivot uses at any other end of a stage."""
        _restore_used(self._otherwise)

    def _restore(self, names: Iterable[str]) -> list[tuple[_Slot, Any]]:
        """Restore the contents of modules, and the modules; returns the values that were there."""
        found: list[tuple[_Slot, Any]] = []
        originals: list[tuple[_Slot, Any]] = []
        for name in names:
            if name not in self._names:
                continue
            now, before = self._names[name]
            for attribute, value in before.items():
                other = now.get(attribute, _GONE)
                if other is not value and (_callable(value) or _type(value) in _KINDS):
                    originals.append(((now, attribute), value))
                    found.append(((now, attribute), other))
        for name in names:
            module = self._modules.get(name, _GONE)
            other = sys.modules.get(name, _GONE)
            if module is not other and module is not _GONE:
                originals.append(((sys.modules, name), module))
                found.append(((sys.modules, name), other))
        _put(originals)
        return found


def _names_in(namespaces: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """All names in the code of the functions and classes of some modules."""
    found: set[str] = set()
    for namespace in namespaces:
        for value in list(namespace.values()):
            for each in vars(value).values() if isinstance(value, type) else (value,):
                function = getattr(each, "fget", getattr(each, "__func__", each))  # of a property or a class method
                code = getattr(function, "__code__", None)
                if isinstance(code, CodeType):
                    _add_names(code, found)
    return frozenset(found)


def _add_names(code: CodeType, found: set[str]) -> None:
    found.update(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _add_names(constant, found)


def _restore_used(used: Iterable[_UsedNames], same: Callable[..., object] = is_) -> None:
    for mapping, names, values in used:
        if not _all(_map(same, _map(mapping.get, names), values)):
            mapping.update(_zip(names, values))


def _put(values: Iterable[tuple[_Slot, Any]]) -> None:
    for (mapping, name), value in values:
        if value is _GONE:
            mapping.pop(name, None)
        else:
            mapping[name] = value
