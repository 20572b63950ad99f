"""The imports of library modules by user code, while a pipeline is loaded."""

import sys
import warnings
from collections.abc import Callable
from threading import get_ident
from types import CodeType, FrameType, ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from pivot_runtime.libraries.origin import is_library, is_python

if TYPE_CHECKING:
    from pivot_runtime.libraries.preloaded import PreloadedLibraries

_IMPORT_SYSTEM: Final = "<frozen importlib"
_IMPORT_CODE: Final = frozenset(
    {
        *("CACHE", "COPY", "EXTENDED_ARG", "IMPORT_FROM", "IMPORT_NAME", "LOAD_CONST", "LOAD_SMALL_INT", "NOP"),
        *("POP_TOP", "RESUME", "STORE_FAST", "STORE_GLOBAL", "STORE_NAME", "SWAP"),
    }
)
"""The instructions of imports and of names for constants."""


class DifferentImportError(BaseException):
    """An import in advance is not what an import now would be; no `Exception`, so that user code does not handle it."""


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

    def __init__(self, is_user_code: Callable[[str], bool], preloaded: "PreloadedLibraries | None") -> None:
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
        self._is_first = True
        self._others = 0
        self._running: list[str] = []
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
        return [name for name in self.names if is_library(name, self._is_of_user)]

    def loaded(self) -> list[str]:
        """Return the names of all top-level modules of libraries in this process, without those that Pivot imports."""
        tops = [name for name in list(sys.modules) if "." not in name and name not in self._before]
        return [name for name in tops if is_library(name, self._is_of_user)]

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
            if preloaded is None:
                return original(name, import_)
            if preloaded.place(name) is None:  # without a frame of Pivot, which a traceback would show
                before = self._begin(name)
                try:
                    found = original(name, import_)
                finally:
                    self._running.pop()
                self._end(name, found, before, preloaded)
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

    def _begin(self, name: str) -> tuple[Any, ...]:
        """Note that a module that is not shared is imported; returns the filters of `warnings`."""
        self._running.append(name)
        return tuple(warnings.filters)

    def _end(self, name: str, found: Any, before: tuple[Any, ...], preloaded: "PreloadedLibraries") -> None:
        """Note that it has been imported, and expect the filters that a library has added to those of ``before``."""
        file = getattr(found, "__file__", None)
        self._others += not is_python(name) or self._is_of_user(file)
        if (
            before != tuple(warnings.filters)
            and self._is_library(name)
            and not any(map(self._is_library, self._running))
        ):
            preloaded.expect_filters(before)

    def _is_library(self, name: str) -> bool:
        return is_library(name, self._is_of_user)

    def _take(self, preloaded: "PreloadedLibraries", name: str) -> ModuleType:
        place = preloaded.place(name)  # its package may have shown it
        if place is not None:
            try:
                preloaded.take(place, name, self._touched, compare=not self._only_imported())
            except DifferentImportError as error:
                self.refused, self.refused_name, self.refused_file = str(error), name, _file_of(self._asking_frame())
                raise
        return sys.modules[name]

    def _only_imported(self) -> bool:
        """Whether the user's code asks itself, and has only imported shared libraries since the last call."""
        frame = _outside_import_system(sys._getframe(2))  # noqa: SLF001  # from the frame of the replacement on
        others, self._others = self._others, 0
        (before, start), self._compared = self._compared, (None, 0)
        if frame is None or not self._is_of_user(frame.f_code.co_filename):  # other code, which may have done anything
            self._is_first = False
            return False
        code, position = frame.f_code, frame.f_lasti
        self._compared = code, position
        is_first, self._is_first = self._is_first and self._asking_frame(frame.f_back) is None, False
        if others or not (is_first or before is code) or start > position:
            return False
        return _are_imports(code, start, position + 2)

    def _asking_frame(self, frame: FrameType | None = None) -> FrameType | None:
        frame = frame or sys._getframe(1)  # noqa: SLF001
        while frame is not None and not self._is_of_user(frame.f_code.co_filename):
            frame = frame.f_back
        return frame

    def _is_of_user(self, file: object) -> bool:
        """Whether a file has code of the user; the text of `exec` is in none, and must not be looked for."""
        return isinstance(file, str) and not file.startswith("<") and self._is_user_code(file)

    def _is_asked_by_user(self, frame: FrameType | None) -> bool:
        frame = _outside_import_system(frame)
        return frame is not None and self._is_of_user(frame.f_code.co_filename)


def _outside_import_system(frame: FrameType | None) -> FrameType | None:
    """The frame that made an import."""
    while frame is not None and _is_of_import_system(frame):
        frame = frame.f_back
    return frame


def _is_of_import_system(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_IMPORT_SYSTEM) or frame.f_globals.get("__name__") == "importlib"


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
