"""Files in which the processes of a stage write their observations, line by line."""

import contextlib
import os
from collections.abc import Iterator
from typing import Final

from pivot_runtime.processes.wire import dumps, loads

READ: Final = "r"
WROTE: Final = "w"
VARIABLE: Final = "v"
UNSEEN: Final = "u"
_SUFFIX: Final = ".io"


class Spool:
    """In the stage's own process nothing is written: there, what is seen is kept in memory."""

    def __init__(self, directory: str) -> None:
        """Nothing is made before there is something to write."""
        self.directory = directory
        self._file = ""
        self._told: list[tuple[str, str]] | None = None

    def begin(self) -> None:
        """Write in each process that this one forks."""
        os.register_at_fork(after_in_child=self.enter_child)

    def enter_child(self) -> None:
        """Write from now on, in this process."""
        self._file = os.path.join(self.directory, f"{os.getpid()}{_SUFFIX}")

    def tell(self, kind: str, text: str) -> None:
        """Write that something was seen, at once, since no end is certain."""
        if not self._file:
            return
        # Opened each time: a daemon closes every descriptor.
        os.makedirs(self.directory, exist_ok=True)
        fd = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        try:
            os.write(fd, dumps([kind, text]).encode() + b"\n")
        finally:
            os.close(fd)

    def told(self) -> list[tuple[str, str]]:
        """All that was written until this was first asked: of what kind, and what."""
        if self._told is None:
            self._told = list(self._read())
        return self._told

    def _read(self) -> Iterator[tuple[str, str]]:
        with contextlib.suppress(OSError, ValueError):
            for name in os.listdir(self.directory):
                if name.endswith(_SUFFIX):
                    with open(os.path.join(self.directory, name), "rb") as file:
                        lines = file.read().splitlines()
                    for line in lines:
                        kind, text = loads(line.decode())
                        yield kind, text
