"""The libraries that a fork server has imported for its hosts, with all that these imports depended on."""

import contextlib
import os
import pathlib
import sys
import time
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import TYPE_CHECKING

from pivot_cache.layout import Layout
from pivot_core.discovery import put_on_path
from pivot_runtime.definitions import source_import
from pivot_runtime.fingerprints.load_recorder import LoadRecorder
from pivot_runtime.freshness import load_trace
from pivot_runtime.freshness.stamps import stamp
from pivot_runtime.processes.originals import Originals

if TYPE_CHECKING:
    from pivot_runtime.libraries.kept_directory import KeptDirectory
    from pivot_runtime.libraries.preload import LeftOut
    from pivot_runtime.libraries.preloaded import PreloadedLibraries

_MODULES = (load_trace.MODULES, load_trace.TOP_MODULES)


class LoadStart:
    """The records of a load from its start, before any user code or library is imported.

    Attributes:
        originals: The functions of Python and Pivot.
        recorder: The recorder of the load.
        libraries: Libraries that were imported in advance; None if there are none.
    """

    def __init__(self, root: pathlib.Path, is_user_code: Callable[[str], bool]) -> None:
        """Record the state of this process."""
        layout = Layout(root)
        own = (*source_import.own_directories(), str(layout.database_dir), str(layout.cache_dir))
        self.originals = Originals()
        self.recorder = LoadRecorder(is_user_code, own)
        self.libraries: PreloadedLibraries | None = None


class SharedLibraries:
    """The libraries of a fork server; each host takes over their `start`.

    Attributes:
        start: The start of each load.
    """

    def __init__(self, root: pathlib.Path, file: pathlib.Path, is_user_code: Callable[[str], bool]) -> None:
        """Import nothing yet; the libraries will be imported as a host of ``file`` does."""
        self._root, self._file = root, file
        self._is_user_code = is_user_code
        self._path = tuple(sys.path)
        self.start = LoadStart(root, is_user_code)
        self._trace = load_trace.LoadTrace((), (), (), "", "")
        self._kept: KeptDirectory | None = None
        self._files: dict[str, str] = {}

    def preload(self, names: Iterable[str], starting: Callable[[str], object]) -> "LeftOut | None":
        """Import these modules, calling ``starting`` before each; return one that cannot be imported in advance."""
        from pivot_runtime.libraries.preload import Preload  # lazy: most hosts have no such libraries
        from pivot_runtime.libraries.preloaded import PreloadedLibraries  # lazy
        from pivot_runtime.processes.process_state import ProcessState  # lazy

        recorder, libraries = self.start.recorder, PreloadedLibraries()
        os.chdir(self._file.parent)
        sys.argv[:] = [str(self._file)]
        put_on_path(self._file, self._root)
        state, began = ProcessState.now(), time.time_ns()
        with recorder:
            preload = Preload(libraries, self._is_user_code, recorder.threads, recorder.unrecorded)
            left_out = preload.run(names, starting)
            libraries.finish()
        if left_out is not None:
            return left_out
        libraries.hide()
        state.restore()
        self.start.libraries = libraries
        self._trace = recorder.trace({})
        self._files = _stamps_since(began, libraries)
        self._kept = self._kept_directory(libraries)
        sys.path[:] = self._path
        return None

    def changed(self) -> str | None:
        """Return something that the imports depended on and that has changed; None if there is nothing."""
        broken = load_trace.check(self._trace, dict(os.environ), {}).broken
        if broken is not None:
            return broken.subject or broken.kind
        return next((file for file, at in self._files.items() if stamp(file) != at), None)

    def unfit(self, root: pathlib.Path, file: pathlib.Path) -> str | None:
        """Return why a host of this file cannot use these libraries; prepare it and return None if it can."""
        libraries, recorder = self.start.libraries, self.start.recorder
        if libraries is None or root != self._root:
            return "other project"
        for directory in {file.parent, root}:
            if load_trace.listing(str(directory), libraries.searched):
                return f"modules in {directory}"
        if file.parent != self._file.parent:
            if self._kept is None:
                return "other directory"
            reason = self._move(str(self._file.parent), str(file.parent))
            if reason is not None:
                return reason
            libraries.replace(self._kept.values, str(file.parent))
        for place in [each for each in sys.path_importer_cache if not recorder.is_installed(f"{each}/")]:
            del sys.path_importer_cache[place]
        recorder.resume({str(self._file.parent)} - {str(file.parent), str(root)})
        return None

    def _move(self, before: str, now: str) -> str | None:
        """Record for the host's directory what was recorded for that of the fork server; return why it differs."""
        own = {str(self._root), before}
        for fact in self._trace.facts:
            inside = fact.subject == before or fact.subject.startswith(f"{before}/")
            if not inside or fact.kind == load_trace.MTIME or (fact.kind in _MODULES and fact.subject in own):
                continue
            there = now + fact.subject[len(before) :]
            if fact.kind in (load_trace.FILE, *_MODULES) or load_trace.of_path(fact.kind, there) != fact.value:
                return f"other directory: {fact.subject}"
            self.start.recorder.recorded(load_trace.Fact(fact.kind, there, fact.value))
        return None

    def _kept_directory(self, libraries: "PreloadedLibraries") -> "KeptDirectory | None":
        """The values that are the current directory; None if others may depend on it."""
        from pivot_runtime.libraries.kept_directory import KeptDirectory  # lazy

        modules = [module for each in libraries.imports for module in each.modules.values()]
        modules += [module for name, module in sys.modules.items() if name != "sys"]
        kept = KeptDirectory(modules, str(self._file.parent), self.start.recorder.is_installed)
        return kept if kept.is_movable and not kept.depends_on(self._trace.facts, os.environ) else None


def _stamps_since(began: int, libraries: "PreloadedLibraries") -> dict[str, str]:
    """The files of the modules with their stamps; a file that was edited meanwhile counts as changed.

    The recorder has noted only the directories of installed libraries, in which a user may also edit a file.
    """
    found: dict[str, str] = {}
    for each in libraries.imports:
        for module in each.modules.values():
            file = vars(module).get("__file__") if isinstance(module, ModuleType) else None
            if isinstance(file, str) and file not in found:
                found[file] = "" if began <= _edited(file) <= time.time_ns() else stamp(file)
    return found


def _edited(file: str) -> int:
    with contextlib.suppress(OSError):
        return os.stat(file).st_mtime_ns
    return 0
