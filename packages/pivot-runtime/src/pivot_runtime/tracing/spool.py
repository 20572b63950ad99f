"""The spool of a stage run: a directory with a file of observations of each process that the stage starts."""

import contextlib
import os
from collections.abc import Iterator
from typing import Final

from pivot_runtime.processes.wire import dumps, loads

READ: Final = "r"
WROTE: Final = "w"
VARIABLE: Final = "v"
UNSEEN: Final = "u"
SOURCE: Final = "s"
_SUFFIX: Final = ".io"


def remove_spool(directory: str) -> None:
    """Delete a spool, if there is one."""
    with contextlib.suppress(OSError):
        for name in os.listdir(directory):
            os.unlink(os.path.join(directory, name))
        os.rmdir(directory)


class Spool:
    """A spool directory, as one process of the stage sees it; the stage's own process reads it and writes nothing.

    Attributes:
        directory: Its path; the directory is created on demand.
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self._file = ""
        self._entries: list[tuple[str, str]] | None = None

    def begin(self) -> None:
        """Write in each process that this one forks."""
        os.register_at_fork(after_in_child=self.enter_child)

    def enter_child(self) -> None:
        """Write in this process from now on."""
        self._file = os.path.join(self.directory, f"{os.getpid()}{_SUFFIX}")

    def write(self, kind: str, text: str) -> None:
        """Write an observation at once, since the process may be killed; does nothing in the stage's own process."""
        if not self._file:
            return
        # The file is opened each time, since a daemon closes all its descriptors.
        os.makedirs(self.directory, exist_ok=True)
        fd = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        try:
            os.write(fd, dumps([kind, text]).encode() + b"\n")
        finally:
            os.close(fd)

    def entries(self) -> list[tuple[str, str]]:
        """The kind and text of each observation that was written before the first call."""
        if self._entries is None:
            self._entries = list(self._read())
        return self._entries

    def _read(self) -> Iterator[tuple[str, str]]:
        try:
            names = os.listdir(self.directory)
        except OSError:  # no process has written anything
            return
        with contextlib.suppress(OSError, ValueError):
            for name in names:
                if name.endswith(_SUFFIX):
                    with open(os.path.join(self.directory, name), "rb") as file:
                        lines = file.read().splitlines()
                    for line in lines:
                        kind, text = loads(line.decode())
                        yield kind, text
