"""Libraries that this process imported in advance, hidden from user code until that imports them itself."""

import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from threading import get_ident
from types import CodeType, FrameType, ModuleType, TracebackType
from typing import Any, Final, NamedTuple, Self

from pivot_runtime.libraries.namespaces import Namespaces
from pivot_runtime.libraries.origin import is_library, is_python
from pivot_runtime.processes.originals import Originals
from pivot_runtime.processes.process_state import ProcessState, StateChanges

_IMPORT_SYSTEM: Final = "<frozen importlib"
_REPLACED: Final = frozenset({"_frozen_importlib._find_and_load", "importlib._bootstrap._find_and_load"})
"""The function that `ImportRequests` replaces."""
_IMPORT_CODE: Final = frozenset(
    {
        *("CACHE", "COPY", "EXTENDED_ARG", "IMPORT_FROM", "IMPORT_NAME", "LOAD_CONST", "LOAD_SMALL_INT", "NOP"),
        *("POP_TOP", "RESUME", "STORE_FAST", "STORE_GLOBAL", "STORE_NAME", "SWAP"),
    }
)
"""The instructions of imports and of names for constants."""
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


class DifferentImportError(BaseException):
    """An import in advance is not what an import now would be; no `Exception`, so that user code does not handle it."""


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

    def begin(self) -> None:
        """Expect the current state of the process at the next import, except for changes by these libraries."""
        self._state = ProcessState.now()

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


class ImportRequests:
    """A context manager around an import of user code: the library modules that it asks for.

    Some may come from `PreloadedLibraries`. It replaces the function of the import system that imports a
    module which is not in `sys.modules`.

    Attributes:
        names: The names of the modules that user code asked for, in this order.
        refused: Why an import that was made in advance could not be used; empty if all could.
        refused_name: The module of that import.
        refused_file: The file with the user's code that asked for it.
    """

    def __init__(self, is_user_code: Callable[[str], bool], preloaded: PreloadedLibraries | None) -> None:
        """Intercept nothing outside the block."""
        self.names: dict[str, None] = {}
        self.refused = ""
        self.refused_name = ""
        self.refused_file = ""
        self._is_user_code = is_user_code
        self._preloaded = preloaded
        self._libraries = frozenset[str]() if preloaded is None else preloaded.libraries
        self._bootstrap: Any = sys.modules["_frozen_importlib"]
        self._original: Any = None
        self._replacement: Any = None
        self._touched = ""
        self._compared: tuple[CodeType | None, int] = (None, 0)
        self._others = 0
        self._before = frozenset(sys.modules)

    def __enter__(self) -> Self:
        self._original = self._bootstrap._find_and_load  # noqa: SLF001
        self._replacement = self._replace(self._original)
        self._bootstrap._find_and_load = self._replacement  # noqa: SLF001
        if self._preloaded is not None:
            self._preloaded.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bootstrap._find_and_load is self._replacement:  # noqa: SLF001  # else user code has replaced it in turn
            self._bootstrap._find_and_load = self._original  # noqa: SLF001

    @property
    def unused(self) -> tuple[str, ...]:
        """The imports in advance that nothing has asked for."""
        return () if self._preloaded is None else self._preloaded.hidden

    def libraries(self) -> list[str]:
        """Return those of the names that are modules of libraries now."""
        return [name for name in self.names if is_library(name, self._is_user_code)]

    def loaded(self) -> list[str]:
        """Return the names of all top-level modules of libraries in this process, without those that Pivot imports."""
        tops = [name for name in list(sys.modules) if "." not in name and name not in self._before]
        return [name for name in tops if is_library(name, self._is_user_code)]

    def called(self, code: CodeType, offset: int, module: str) -> None:
        """Note a call by user code of a function of a module.

        A call of a library's function for its effect alone, since the result is dropped, may change what a later import
        does.
        """
        if not self._touched and module.partition(".")[0] in self._libraries and _drops_result(code, offset):
            self._touched = module

    def _replace(self, original: Any) -> Any:
        thread, preloaded, names = get_ident(), self._preloaded, self.names

        def find_and_load(name: str, import_: Any) -> Any:
            if get_ident() != thread:
                return original(name, import_)
            if name not in names and self._is_asked_by_user(sys._getframe(1)):  # noqa: SLF001
                parts = name.split(".")
                names.update(dict.fromkeys(".".join(parts[: end + 1]) for end in range(len(parts))))
            if preloaded is None or preloaded.place(name) is None:
                found = original(name, import_)
                self._others += not is_python(name) or self._is_user_code(
                    getattr(found, "__file__", None) or "<built-in>"
                )
                return found
            parent = name.rpartition(".")[0]
            if parent and parent not in sys.modules:
                import_(parent)
            return self._take(preloaded, name)

        code = original.__code__
        find_and_load.__code__ = find_and_load.__code__.replace(
            co_filename=code.co_filename, co_name=code.co_name, co_firstlineno=code.co_firstlineno
        )
        return find_and_load

    def _take(self, preloaded: PreloadedLibraries, name: str) -> ModuleType:
        place = preloaded.place(name)  # its package may have shown it
        if place is not None:
            try:
                preloaded.take(place, name, self._touched, compare=not self._only_imported())
            except DifferentImportError as error:
                self.refused, self.refused_name, self.refused_file = str(error), name, _file_of(self._asking_frame())
                raise
        return sys.modules[name]

    def _only_imported(self) -> bool:
        """Whether the user's code has done nothing but import shared libraries since the last call."""
        frame = self._asking_frame()
        code, position = (None, 0) if frame is None else (frame.f_code, frame.f_lasti)
        (before, start), self._compared = self._compared, (code, position)
        others, self._others = self._others, 0
        if code is None or others or start > position:
            return False
        if before is None and frame is not None:  # the module that is imported first, which nothing has run before
            is_first = self._asking_frame(frame.f_back) is None
            return is_first and _are_imports(code, 0, position)
        return before is code and _are_imports(code, start, position)

    def _asking_frame(self, frame: FrameType | None = None) -> FrameType | None:
        frame = frame or sys._getframe(1)  # noqa: SLF001
        while frame is not None and not self._is_of_user(frame.f_code.co_filename):
            frame = frame.f_back
        return frame

    def _is_of_user(self, file: object) -> bool:
        """Whether a file has code of the user; the text of `exec` is in none, and must not be looked for."""
        return isinstance(file, str) and not file.startswith("<") and self._is_user_code(file)

    def _is_asked_by_user(self, frame: FrameType | None) -> bool:
        while frame is not None and _is_of_import_system(frame):
            frame = frame.f_back
        return frame is not None and self._is_of_user(frame.f_code.co_filename)


def _is_of_import_system(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_IMPORT_SYSTEM) or frame.f_globals.get("__name__") == "importlib"


def _attributes(modules: Mapping[str, ModuleType]) -> Iterable[tuple[dict[str, Any], str, ModuleType]]:
    for name, module in modules.items():
        parent, _, child = name.rpartition(".")
        if parent and parent not in modules and parent in sys.modules:
            namespace = sys.modules[parent].__dict__
            if namespace.get(child) is module:
                yield namespace, child, module


def _file_of(frame: FrameType | None) -> str:
    return "" if frame is None else frame.f_code.co_filename


def _are_imports(code: CodeType, start: int, end: int) -> bool:
    """Whether all instructions between two places are those of imports."""
    import opcode  # lazy

    names = {opcode.opname[number] for number in code.co_code[start:end:2]}
    return names <= _IMPORT_CODE


def _drops_result(code: CodeType, offset: int) -> bool:
    """Whether the result of the call at this place is not used."""
    import opcode  # lazy

    text = code.co_code
    position = offset + 2
    while position < len(text) and text[position] == opcode.opmap["CACHE"]:
        position += 2
    return position < len(text) and text[position] == opcode.opmap["POP_TOP"]
