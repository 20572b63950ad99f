"""Libraries that this process imported in advance, hidden from user code until that imports them itself."""

import sys
import warnings
from collections.abc import Collection, Iterable, Mapping
from types import ModuleType
from typing import Any, Final, NamedTuple

from pivot_runtime.libraries.import_requests import DifferentImportError
from pivot_runtime.libraries.kept_directory import KeptValue
from pivot_runtime.libraries.namespaces import Namespaces
from pivot_runtime.libraries.origin import is_python
from pivot_runtime.processes.originals import Originals
from pivot_runtime.processes.process_state import ProcessState, StateChanges

_REPLACED: Final = frozenset(
    {"_frozen_importlib._find_and_load", "importlib._bootstrap._find_and_load", "os.register_at_fork"}
)
"""The functions that a load replaces while it imports."""
_NUMPY_RANDOM: Final = "numpy.random"


class LibraryImport(NamedTuple):
    """One import of a library module, made in advance.

    Attributes:
        name: The module that was asked for.
        modules: The modules that the import added, by name.
        attributes: The other modules' attributes that it added, which are such modules: namespace, name and module.
        needs: The positions of the imports that it depends on, and its own.
        nested: Those of them that it asked for after it had changed this process, so that they had to come before it.
        changes: The changes of this process.
    """

    name: str
    modules: Mapping[str, Any]
    attributes: tuple[tuple[dict[str, Any], str, ModuleType], ...]
    needs: frozenset[int]
    nested: frozenset[int]
    changes: StateChanges


class PreloadedLibraries:
    """The imports that were made in advance, each hidden or shown.

    Attributes:
        imports: The imports, in their order.
        searched: The names of all top-level modules that these imports looked for.
    """

    def __init__(self) -> None:
        """There are none yet."""
        self.imports: list[LibraryImport] = []
        self.searched: set[str] = set()
        self._places: dict[str, int] = {}
        self._shown: set[int] = set()
        self._state = ProcessState.now()
        self._originals: Originals | None = None
        self._namespaces: Namespaces | None = None

    @property
    def hidden(self) -> tuple[str, ...]:
        """The names of the imports that are hidden."""
        return tuple(each.name for place, each in enumerate(self.imports) if place not in self._shown)

    @property
    def libraries(self) -> frozenset[str]:
        """The names of all top-level modules."""
        return frozenset(name.partition(".")[0] for name in self._places)

    def place(self, name: str) -> int | None:
        """Return the position of the import that has a module, if it is hidden."""
        place = self._places.get(name)
        return None if place is None or place in self._shown else place

    def add(self, name: str, before: Mapping[str, Any], changes: StateChanges, nested: Collection[int] = ()) -> None:
        """Add an import that was made just now; ``before`` are the modules of before it."""
        own = {
            each: module
            for each, module in sys.modules.items()
            if each not in before and each not in self._places and not is_python(each)
        }
        place = len(self.imports)
        self._places |= dict.fromkeys(own, place)
        self._shown.add(place)
        attributes = tuple(_attributes(own))
        self.imports.append(LibraryImport(name, own, attributes, frozenset(self._shown), frozenset(nested), changes))

    def hide(self) -> None:
        """Hide all, as if none had been imported; only the changes of the process remain."""
        for place in self._shown:
            for name in self.imports[place].modules:
                sys.modules.pop(name, None)
            for namespace, attribute, module in self.imports[place].attributes:
                if namespace.get(attribute) is module:
                    del namespace[attribute]
        self._shown.clear()

    def show(self, place: int) -> None:
        """Show an import and all that it depends on."""
        for each in sorted(self.imports[place].needs - self._shown):
            found = self.imports[each]
            sys.modules.update(found.modules)
            for namespace, attribute, module in found.attributes:
                namespace[attribute] = module
            self._shown.add(each)

    def finish(self) -> None:
        """Show all, and expect the current functions of Python, and values in the namespaces, when `take` is called."""
        for place in range(len(self.imports)):
            self.show(place)
        every = [module for each in self.imports for module in each.modules.values()]
        modules = [module for module in every if isinstance(module, ModuleType)]
        self._originals, self._namespaces = Originals(), Namespaces(modules)

    def replace(self, values: Iterable[KeptValue], directory: str) -> None:
        """Put another directory in the place of the one in which the imports were made, and expect these values."""
        for namespace, name, kind in values:
            namespace[name] = kind(directory)
            if self._namespaces is not None:
                self._namespaces.expect(namespace, name)

    def begin(self) -> None:
        """Expect the current state of the process at the next import, except for changes by these libraries."""
        self._state = ProcessState.now()

    def expect_filters(self, before: tuple[Any, ...]) -> None:
        """Expect the current filters of `warnings`, which another library has added to those of ``before``.

        The import of a library does not depend on which warnings are shown, but on which are errors.
        """
        if self._state.filters != before:
            return
        expected = self._state._replace(filters=tuple(warnings.filters))
        added = self._state.changes(expected)
        if isinstance(added, StateChanges) and all(
            action != "error" for action, *_ in (*added.filters_before, *added.filters_after)
        ):
            self._state = expected

    def take(self, place: int, name: str, called: str, *, compare: bool) -> None:
        """Show an import because code in this process imports the module ``name`` of it now.

        ``called`` is a library that user code has called for an effect; empty if there is none. ``compare`` this
        process with its expected state; else nothing has happened since that was done, or since `begin`.

        Raises:
            DifferentImportError: It might have another result now.
        """
        difference = f"calls of {called}" if called else self._difference(place, name)
        if difference is None and compare:
            difference = self._changed()
        if difference is not None:
            raise DifferentImportError(difference)
        needed = sorted(self.imports[place].needs - self._shown)
        self.show(place)
        for each in needed:
            self.imports[each].changes.apply()
            if _NUMPY_RANDOM in self.imports[each].modules:
                sys.modules[_NUMPY_RANDOM].seed()  # hosts must not share random numbers
        if any(self.imports[each].changes.any for each in needed):
            self._state = ProcessState.now()

    def _difference(self, place: int, name: str) -> str | None:
        needed = self.imports[place].needs
        skipped = [each for each in range(place) if each not in self._shown and each not in needed]
        if (
            name != self.imports[place].name
            or any(self.imports[each].changes.any for each in skipped)
            or not self.imports[place].nested <= self._shown
        ):
            return "the order of imports"
        if any(each in sys.modules for other in needed - self._shown for each in self.imports[other].modules):
            return "other modules"
        return None

    def _changed(self) -> str | None:
        found = self._state.difference(ProcessState.now())
        if found is None and self._originals is not None:
            found = self._originals.changed(is_python, _REPLACED)
        if found is None and self._namespaces is not None:
            names = [name for each in sorted(self._shown) for name in self.imports[each].modules]
            found = self._namespaces.changed(names)
        return found


def _attributes(modules: Mapping[str, ModuleType]) -> Iterable[tuple[dict[str, Any], str, ModuleType]]:
    for name, module in modules.items():
        parent, _, child = name.rpartition(".")
        if parent and parent not in modules and parent in sys.modules:
            namespace = sys.modules[parent].__dict__
            if namespace.get(child) is module:
                yield namespace, child, module
