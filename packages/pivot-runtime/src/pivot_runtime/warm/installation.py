"""The code that the warm process has loaded from the disk, compared with the installed code of now."""

import os
import sys
from collections.abc import Iterator

type Stamp = tuple[int, int, int] | None


class Installation:
    """The files of Python and Pivot that this process has imported, and the directories of installed packages."""

    def __init__(self, began: int) -> None:
        """Note nothing yet; ``began`` is the time when this process began, in nanoseconds since the epoch."""
        self._began = began
        self._stamps: dict[str, Stamp] = {}

    def changed(self) -> str | None:
        """Return why the imported code may differ from the installed one; None if it does not."""
        newest = 0
        for path in _paths():
            stamp = _stamp(path)
            if self._stamps.setdefault(path, stamp) != stamp:
                return f"{path} has changed"
            if stamp is not None:
                newest = max(newest, stamp[2])
        return "an installed file is newer than this process" if newest >= self._began else None


def _paths() -> Iterator[str]:
    """The files of all imported modules of Pivot, the interpreter, and the directories on the path."""
    yield sys.executable
    for name, module in list(sys.modules.items()):
        if name.startswith(("pivot", "attr", "xxhash")):
            file = getattr(module, "__file__", None)
            if isinstance(file, str):
                yield file
    yield from (path for path in sys.path if os.path.basename(path) in ("site-packages", "dist-packages"))


def _stamp(path: str) -> Stamp:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
