"""The files of the user's modules while they are imported, announced to the command, which reads them ahead."""

from select import POLLOUT, poll  # user code may replace those of the module
from typing import Any, Final

from pivot_runtime.processes import wire

MANY_NEW: Final = 16
"""The number of files without kept code after which it pays that another process reads them ahead."""
_BATCH: Final = 8
_LARGEST: Final = 4096
"""The bytes of a message that is written at once, so that no message of a signal handler gets into it."""


class ImportedFiles:
    """The files in the order of their imports.

    Attributes:
        files: Their absolute paths, as their modules name them.
    """

    def __init__(self, to: int | None) -> None:
        """Announce them on a descriptor, or not at all; most of them, unless most have code from an earlier import."""
        self.files: list[str] = []
        self._to = to
        self._new = 0
        self._announced = 0
        self._ended = False

    @property
    def are_new(self) -> bool:
        """Many of them had no kept code."""
        return self._new >= MANY_NEW

    @property
    def are_mostly_new(self) -> bool:
        """More of them had no kept code than had some."""
        return 2 * self._new > len(self.files)

    def add(self, file: str, *, is_new: bool) -> None:
        """Add a file, whose code is kept unless it ``is_new``; does nothing after `end`."""
        if self._ended:
            return
        self.files.append(file)
        self._new += is_new
        if self._to is not None and self.are_new and len(self.files) - self._announced >= _BATCH:
            self._announce(self._to, self.files[self._announced :])
            self._announced = len(self.files)

    def end(self) -> None:
        """Announce that no more will be imported, and that this process will read the rest itself."""
        self._ended = True
        if self._announced and self._to is not None:
            self._send(self._to, {"event": "importing", "files": None})

    def _announce(self, to: int, files: list[str]) -> None:
        """Announce files, unless the command is behind: this process must not wait for it."""
        waiting = poll()
        waiting.register(to, POLLOUT)
        for begin in range(0, len(files), _BATCH):
            message = {"event": "importing", "files": files[begin : begin + _BATCH]}
            if len(wire.dumps(message)) < _LARGEST and waiting.poll(0):
                self._send(to, message)

    def _send(self, to: int, message: dict[str, Any]) -> None:
        """Send a message, or none from now on if the user's module has closed the descriptor."""
        if self._to is not None:
            try:
                wire.send(to, message)
            except OSError:
                self._to = None
