"""Records the project's files that a process opens, by an audit hook that cannot be removed."""

import contextlib
import os
import stat
import sys
from collections.abc import Iterable
from typing import Any, Final

from pivot_fingerprint.programs import starts_python
from pivot_runtime.tracing.spool import READ, WROTE, Spool

_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_OWN: Final = frozenset({".pivot", ".git"})
_PARTS: Final = frozenset({"__pycache__", "site-packages", "dist-packages", ".git"})
_METADATA: Final = (".dist-info", ".egg-info")
"""Files that an installer, also one that installs the project itself, writes about a distribution."""
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
_OUR_READER: Final = starts_python.__module__
SOURCES: Final = (".py", ".pyc", ".pyi", ".so")
"""How the names of files end that are opened in order to be run."""


class FileAudit:
    """The files of a project that this process, and what it forks, has opened since `start`.

    Attributes:
        read: Those that were read before anything was written to them, relative to the root.
        wrote: Those that were opened for writing, or put in place by renaming or linking.
    """

    def __init__(self, root: str, declared: Iterable[str], spool: Spool) -> None:
        """Nothing is noted before `start`.

        Args:
            root: The absolute path of the project.
            declared: Absolute paths that are of no interest, nor is what is in them.
            spool: Where other processes leave what they see.
        """
        self.read: set[str] = set()
        self.wrote: set[str] = set()
        self._prefix = root.rstrip("/") + "/"
        self._declared = frozenset(declared)
        self._installed = os.path.join(sys.prefix, "")
        self._spool = spool
        self._active = False

    def start(self) -> None:
        """Note from now on. A process can do so once."""
        self._active = True
        sys.addaudithook(self._hook)

    def stop(self) -> None:
        """Note no more, and take in what children have seen."""
        self._active = False
        for kind, path in self._spool.told():
            if kind in (READ, WROTE):
                (self.read if kind == READ else self.wrote).add(path)
        self.read = {path for path in self.read if self._is_file(path)}
        self.wrote = {path for path in self.wrote if os.path.exists(self._prefix + path)}

    def note(self, path: str, *, wrote: bool) -> None:
        """Note that a file was used, given as this process sees it."""
        found = self._inside(path)
        if found is None:
            return
        if wrote:
            self._add(self.wrote, WROTE, found)
        elif found not in self.wrote:
            self._add(self.read, READ, found)

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._active or event not in _EVENTS:
            return
        # An exception here would fail what the stage does.
        with contextlib.suppress(Exception):
            self._take(event, args)

    def _take(self, event: str, args: tuple[Any, ...]) -> None:
        match event:
            case "open":
                path, _, flags = args
                if not isinstance(path, int) and not _is_of_no_interest(path):
                    self.note(os.fsdecode(path), wrote=bool(flags & _WRITING))
            case "os.rename" | "os.link" | "os.symlink":
                self.note(os.fsdecode(args[1]), wrote=True)
            case "os.truncate":
                if not isinstance(args[0], int):
                    self.note(os.fsdecode(args[0]), wrote=True)
            case "sqlite3.connect":
                path = os.fsdecode(args[0])
                self.note(path, wrote=not os.path.exists(path))

    def _inside(self, path: str) -> str | None:
        """A path relative to the root; None for what is of no interest."""
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
        self._spool.tell(kind, path)


_EVENTS: Final = frozenset({"open", "os.rename", "os.link", "os.symlink", "os.truncate", "sqlite3.connect"})


def _is_of_no_interest(path: Any) -> bool:
    """Whether a source file is opened in order to be run, or to be shown in a traceback; or we look at what is started.

    Python itself, not code in it, opens the file of a program.
    """
    try:
        frame = sys._getframe(3)  # noqa: SLF001  # this, `_take`, `_hook`, and who opens
    except ValueError:
        return True
    opener = frame.f_globals.get("__name__")
    return opener == _OUR_READER or (opener in _READERS_OF_SOURCE and os.fsdecode(path).endswith(SOURCES))
