"""The log of one stage run: all that it printed, or the beginning and the end of it where it was a lot."""

import contextlib
import os
from typing import Final

HEAD: Final = 1 << 20
"""How many bytes of the beginning stay, whatever follows."""
TAIL: Final = 1 << 20
"""How many bytes of the end stay at least."""
KEPT: Final = 3
"""How many logs of earlier runs stay, as ``<log>.1`` and so on, the latest first."""


class RunLog:
    """A file that never grows beyond ``HEAD + 2 * TAIL`` and a line. Output that cannot be written is lost.

    Attributes:
        fd: Its descriptor; None if there is none.
    """

    def __init__(self, file: str) -> None:
        """Begin a log; that of the run before is kept under another name if it holds anything."""
        self._file = file
        self.fd: int | None = None
        self._size = 0
        self._left_out = 0
        self._tail_begins = HEAD
        self._begun = False
        if os.path.exists(file):
            self._begin()

    def _begin(self) -> None:
        self._begun = True
        with contextlib.suppress(OSError):
            _put_by(self._file)
        with contextlib.suppress(OSError):
            self.fd = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)

    def write(self, data: bytes) -> None:
        """Add what was printed; where there is nothing, and never was, there is no file."""
        if not self._begun:
            self._begin()
        if self.fd is None:
            return
        view = memoryview(data)
        try:
            while view:
                written = os.pwrite(self.fd, view, self._size)
                self._size += written
                view = view[written:]
            if self._size > self._tail_begins + 2 * TAIL:
                self._shorten(self.fd)
        except OSError:
            self._left_out += len(view)

    def close(self) -> None:
        """End it."""
        fd, self.fd = self.fd, None
        if fd is not None:
            os.close(fd)

    def _shorten(self, fd: int) -> None:
        tail = os.pread(fd, TAIL, self._size - TAIL)
        self._left_out += self._size - self._tail_begins - len(tail)
        told = f"\n… {self._left_out} bytes are left out here …\n".encode()
        os.pwrite(fd, told + tail, HEAD)
        self._tail_begins = HEAD + len(told)
        self._size = self._tail_begins + len(tail)
        os.ftruncate(fd, self._size)


def _put_by(file: str) -> None:
    if os.stat(file).st_size == 0:
        return
    for number in range(KEPT - 1, 0, -1):
        with contextlib.suppress(FileNotFoundError):
            os.replace(f"{file}.{number}", f"{file}.{number + 1}")
    os.replace(file, f"{file}.1")


class TextLines:
    """Bytes as they come, as whole lines of text; of a line that overwrites itself only what is seen last."""

    _LONGEST = 1 << 14

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, data: bytes) -> list[str]:
        """The lines that are now complete."""
        *complete, self._pending = (self._pending + data).split(b"\n")
        if len(self._pending) > self._LONGEST:
            complete.append(self._pending)
            self._pending = b""
        return [_shown(line) for line in complete]

    def rest(self) -> list[str]:
        """The text after the last end of a line."""
        pending, self._pending = self._pending, b""
        return [_shown(pending)] if pending else []


def _shown(line: bytes) -> str:
    return line.removesuffix(b"\r").rpartition(b"\r")[2].decode(errors="replace")
