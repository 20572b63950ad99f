"""Python's library and Pivot as they were before the user's code could replace parts of them.

A module may replace `json.dumps`, `builtins.open` or `time.time`, in its own process with good right. Pivot's own work
in that process, before and after the user's code and never beside it, uses the original functions.
"""

import os
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any, Final

_AT_THE_END: Final = frozenset(
    {
        *("atexit", "builtins", "contextlib", "fcntl", "gc", "io", "linecache", "os", "posixpath"),
        *("stat", "struct", "sys", "threading", "time", "tokenize", "traceback"),
        *("json", "json.encoder", "json.decoder", "pivot_runtime.worker.failure", "pivot_runtime.processes.wire"),
        *(
            "pivot_runtime.worker.stage_main",
            "pivot_runtime.tracing.tracer",
            "pivot_runtime.tracing.audit",
            "pivot_runtime.tracing.environ",
        ),
    }
)
"""The parts of it that are used when a stage has ended."""
_KINDS: Final = (ModuleType, type(os.environ))
_GONE: Final = object()
_callable, _type = callable, type  # these too may be replaced

type _Slot = tuple[dict[str, Any], str]


class Replacements:
    """The replacements by the user's code; `apply` puts it there again."""

    def __init__(self, values: Iterable[tuple[_Slot, Any]] = ()) -> None:
        """By default it has replaced nothing."""
        self._values = values

    @property
    def names(self) -> tuple[str, ...]:
        """The names of replaced parts of Python: ``module.name`` each."""
        told = [f"{mapping.get('__name__')}.{name}" for (mapping, name), _ in self._values if "__name__" in mapping]
        return tuple(each for each in told if each.partition(".")[0] in sys.stdlib_module_names)

    def apply(self) -> None:
        """As the user's code has made it."""
        _put(self._values)


class Pristine:
    """All functions, classes and modules that the loaded modules have now, and the modules themselves."""

    def __init__(self) -> None:
        """Take them; nothing of the user's must have been imported."""
        self._found: list[tuple[_Slot, Any]] = []
        self._modules = dict(sys.modules)
        self._names = {
            name: (vars(module), dict(vars(module)))
            for name, module in self._modules.items()
            if type(module) is ModuleType
        }
        self._ending = [
            (now, attribute, value)
            for now, before in (self._names[name] for name in _AT_THE_END if name in self._names)
            for attribute, value in before.items()
            if callable(value) or type(value) in _KINDS
        ]

    def restore_builtins(self) -> None:
        """Put back what all code uses without an import, and no fingerprint looks into."""
        self._found = self._restore(("builtins",))

    def restore(self) -> Replacements:
        """Put back what was replaced; returns that, with what `restore_builtins` has put back."""
        return Replacements([*self._found, *self._restore(self._names)])

    def restore_what_ends(self) -> None:
        """Put back what the end of a stage takes, in a fraction of the time."""
        for mapping, name, value in self._ending:
            if mapping.get(name) is not value:
                mapping[name] = value
        for name in _AT_THE_END:
            if name in self._modules and sys.modules.get(name) is not self._modules[name]:
                sys.modules[name] = self._modules[name]

    def _restore(self, names: Iterable[str]) -> list[tuple[_Slot, Any]]:
        found: list[tuple[_Slot, Any]] = []
        ours: list[tuple[_Slot, Any]] = []
        for name in names:
            if name not in self._names:
                continue
            now, before = self._names[name]
            for attribute, value in before.items():
                other = now.get(attribute, _GONE)
                if other is not value and (_callable(value) or _type(value) in _KINDS):
                    ours.append(((now, attribute), value))
                    found.append(((now, attribute), other))
        for name in names:
            module = self._modules.get(name, _GONE)
            other = sys.modules.get(name, _GONE)
            if module is not other and module is not _GONE:
                ours.append(((sys.modules, name), module))
                found.append(((sys.modules, name), other))
        _put(ours)
        return found


def _put(values: Iterable[tuple[_Slot, Any]]) -> None:
    for (mapping, name), value in values:
        if value is _GONE:
            mapping.pop(name, None)
        else:
            mapping[name] = value
