"""Imports of libraries in advance: what keeps a library from being imported so, and the imports themselves."""

import contextlib
import importlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any, NamedTuple

from pivot_runtime.libraries.origin import is_python
from pivot_runtime.libraries.preloaded import PreloadedLibraries
from pivot_runtime.processes import live_threads
from pivot_runtime.processes.originals import Originals
from pivot_runtime.processes.process_state import ProcessState

_OPEN = "/dev/fd"
_UNRECORDED = "its import cannot be recorded"
_PASSING = frozenset({_UNRECORDED})
"""The reasons that may not apply at another time: some libraries start a program at their very first import only."""


class LeftOut(NamedTuple):
    """An import that cannot be made in advance, after which this process is of no more use.

    Attributes:
        name: The module.
        reason: Why.
        lasting: It will be so until the library is installed again; else it may be possible at another time.
    """

    name: str
    reason: str
    lasting: bool = True


class Preload:
    """Imports in advance, in a process that has imported no user code.

    Attributes:
        libraries: The imports so far.
    """

    def __init__(
        self,
        libraries: PreloadedLibraries,
        is_user_code: Callable[[str], bool],
        threads: live_threads.ThreadStarts,
        unrecorded: Mapping[str, object],
    ) -> None:
        """Import nothing yet.

        Args:
            libraries: Receives the imports.
            is_user_code: Whether a file has code of the user, which must not be imported here.
            threads: The lines that started threads.
            unrecorded: Effects of the imports that make a load unrepeatable.
        """
        self.libraries = libraries
        self._is_user_code = is_user_code
        self._threads = threads
        self._unrecorded = unrecorded
        self._before: ProcessState | None = None
        self._nested: set[int] = set()

    def run(self, names: Iterable[str], starting: Callable[[str], object]) -> LeftOut | None:
        """Import these modules, calling ``starting`` before each; return the first that cannot be imported so."""
        with _output_kept() as printed, self._own_imports():
            originals = Originals()
            for name in names:
                starting(name)
                reason = self._import(name, printed, originals)
                if reason is not None:
                    return LeftOut(name, reason, lasting=reason not in _PASSING)
        return None

    def _import(self, name: str, printed: Callable[[], bool], originals: Originals) -> str | None:
        libraries = self.libraries
        libraries.hide()
        before, files, modules = ProcessState.now(), _open_files(), dict(sys.modules)
        self._before, self._nested = before, set()
        try:
            importlib.import_module(name)
        except BaseException as error:  # noqa: BLE001  # user code may expect it, and goes on without the module
            return f"its import fails: {type(error).__name__}"
        changes = before.changes(ProcessState.now())
        added = [module for each, module in sys.modules.items() if each not in modules]
        if isinstance(changes, str):
            return f"it changes this state of the process: {changes}"
        for reason, applies in (
            ("it imports modules of the user", any(map(self._is_of_user, added))),
            (_UNRECORDED, bool(self._unrecorded)),
            ("it replaces functions of Python", originals.changed(is_python) is not None),
            ("it prints", printed()),
            ("it keeps files open", _open_files() != files),
            ("it leaves threads running", bool(live_threads.describe_others(self._threads, "/"))),
        ):
            if applies:
                return reason
        libraries.add(name, modules, changes, self._nested)
        return None

    def _is_of_user(self, module: Any) -> bool:
        if not isinstance(module, ModuleType):
            return True
        held = module.__dict__
        file = held.get("__file__")
        if isinstance(file, str):
            return self._is_user_code(file)
        return any(self._is_user_code(os.path.join(str(place), "__init__.py")) for place in held.get("__path__") or ())

    @contextlib.contextmanager
    def _own_imports(self) -> Iterator[None]:
        """Show hidden libraries to each other, and note the top-level modules that they look for."""
        bootstrap: Any = sys.modules["_frozen_importlib"]
        original, libraries = bootstrap._find_and_load, self.libraries  # noqa: SLF001

        def find_and_load(name: str, import_: Any) -> Any:
            if "." not in name:
                libraries.searched.add(name)
            place = libraries.place(name)
            if place is None:
                return original(name, import_)
            if self._before is not None and self._before.difference(ProcessState.now()) is not None:
                self._nested.add(place)
            libraries.show(place)
            return sys.modules[name]

        code = original.__code__
        find_and_load.__code__ = find_and_load.__code__.replace(co_filename=code.co_filename, co_name=code.co_name)
        bootstrap._find_and_load = find_and_load  # noqa: SLF001
        try:
            yield
        finally:
            bootstrap._find_and_load = original  # noqa: SLF001


def _open_files() -> frozenset[str]:
    return frozenset(os.listdir(_OPEN))


@contextlib.contextmanager
def _output_kept() -> Iterator[Callable[[], bool]]:
    """Keep the output of this process from its reader; yields a function that returns whether there was any."""
    file = _new_file()
    kept = [(fd, os.dup(fd)) for fd in (1, 2)]

    def printed() -> bool:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        return os.fstat(file).st_size > 0

    try:
        for fd, _ in kept:
            os.dup2(file, fd)
        yield printed
        printed()
    finally:
        for fd, copy in kept:
            os.dup2(copy, fd)
            os.close(copy)
        os.close(file)


def _new_file() -> int:
    """Open a file without a name."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("output")
    import tempfile  # lazy

    fd, name = tempfile.mkstemp()
    os.unlink(name)
    return fd
