"""The record of the project's files that a process opens, by an audit hook."""

import contextlib
import os
import stat
import sys
from collections.abc import Iterable
from typing import Any, Final

from pivot_fingerprint.programs import starts_python
from pivot_runtime.programs.start_files import ProgramTracer
from pivot_runtime.tracing.spool import READ, WROTE, Spool

WRITE_FLAGS: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
"""The flags of `os.open` that may change a file."""
_OWN: Final = frozenset({".pivot", ".git"})
_PARTS: Final = frozenset({"__pycache__", "site-packages", "dist-packages", ".git"})
_METADATA: Final = (".dist-info", ".egg-info")
"""The suffixes of directories in which installers describe a distribution, also the project's own."""
_READERS_OF_SOURCE: Final = frozenset(
    {
        "_frozen_importlib_external",
        "importlib._bootstrap_external",
        "linecache",
        "pkgutil",
        "runpy",
        "tokenize",
        "zipimport",
    }
)
_OUR_READERS: Final = frozenset({starts_python.__module__, ProgramTracer.__module__})
SOURCES: Final = (".py", ".pyc", ".pyi", ".so")
"""The suffixes of files that are opened to be executed."""


class FileAudit:
    """The files of a project that this process and its children open from `start` to `stop`.

    Attributes:
        read: Files that were read before anything was written to them, relative to the root.
        wrote: Files that were opened for writing, or created by a rename or link.
    """

    def __init__(self, root: str, declared: Iterable[str], spool: Spool) -> None:
        """Record nothing before `start`.

        Args:
            root: The absolute path of the project.
            declared: Absolute paths that are not recorded, nor are files below them.
            spool: The observations of other processes.
        """
        self.read: set[str] = set()
        self.wrote: set[str] = set()
        self._prefix = f"{root.rstrip('/')}/"
        self._declared = frozenset(declared)
        self._installed = f"{sys.prefix}/"
        self._spool = spool
        self._active = False

    def start(self) -> None:
        """Record from now on, once in a process, since an audit hook cannot be removed."""
        self._active = True
        sys.addaudithook(self._hook)

    def stop(self) -> None:
        """Record no more, and add the files that other processes used."""
        self._active = False
        for kind, path in self._spool.entries():
            if kind in (READ, WROTE):
                (self.read if kind == READ else self.wrote).add(path)
        self.read = {path for path in self.read if self._is_file(path)}
        self.wrote = {path for path in self.wrote if os.path.exists(self._prefix + path)}

    def note(self, path: str, *, wrote: bool) -> None:
        """Record the use of a file; the path may be relative to the working directory."""
        relative = self._relative(path)
        if relative is None:
            return
        if wrote:
            self._add(self.wrote, WROTE, relative)
        elif relative not in self.wrote:
            self._add(self.read, READ, relative)

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._active or event not in _EVENTS:
            return
        with contextlib.suppress(Exception):  # the stage's own call would fail with it
            self._note_event(event, args)

    def _note_event(self, event: str, args: tuple[Any, ...]) -> None:
        match event:
            case "open":
                path, _, flags = args
                if not isinstance(path, int) and not _is_opened_as_code(path):
                    self.note(os.fsdecode(path), wrote=bool(flags & WRITE_FLAGS))
            case "os.rename" | "os.link" | "os.symlink":
                self.note(os.fsdecode(args[1]), wrote=True)
            case "os.truncate":
                if not isinstance(args[0], int):
                    self.note(os.fsdecode(args[0]), wrote=True)
            case "sqlite3.connect":
                path = os.fsdecode(args[0])
                self.note(path, wrote=not os.path.exists(path))

    def _relative(self, path: str) -> str | None:
        """A path relative to the root; None for a file that is not recorded."""
        plain = path.startswith("/") and "/." not in path and "//" not in path
        full = path if plain else os.path.abspath(path)
        if not full.startswith(self._prefix) or full.startswith(self._installed):
            return None
        relative = full[len(self._prefix) :]
        parts = relative.split("/")
        if parts[0] in _OWN or not _PARTS.isdisjoint(parts) or self._is_declared(full):
            return None
        if any(part.endswith(_METADATA) for part in parts):
            return None
        return relative

    def _is_declared(self, full: str) -> bool:
        if full in self._declared:
            return True
        end = full.rfind("/", len(self._prefix))
        while end > 0:
            if full[:end] in self._declared:
                return True
            end = full.rfind("/", len(self._prefix), end)
        return False

    def _is_file(self, path: str) -> bool:
        try:
            return stat.S_ISREG(os.stat(self._prefix + path).st_mode)
        except OSError:
            return False

    def _add(self, kept: set[str], kind: str, path: str) -> None:
        if path in kept:
            return
        kept.add(path)
        self._spool.write(kind, path)


_EVENTS: Final = frozenset({"open", "os.rename", "os.link", "os.symlink", "os.truncate", "sqlite3.connect"})


def _is_opened_as_code(path: Any) -> bool:
    """Whether a file is opened to be executed, to be shown in a traceback, or by Pivot to identify a program."""
    try:
        frame = sys._getframe(3)  # noqa: SLF001  # the callers are `_note_event`, `_hook`, and the code that opens
    except ValueError:  # the interpreter itself opens the file of the program that it runs
        return True
    opener = frame.f_globals.get("__name__")
    return opener in _OUR_READERS or (opener in _READERS_OF_SOURCE and os.fsdecode(path).endswith(SOURCES))
