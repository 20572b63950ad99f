"""Which stages were running when their run was killed, or may have been when the machine stopped."""

import contextlib
import pathlib

from pivot_cache.files import atomic
from pivot_cache.files.boot import session


class Unfinished:
    """Which stages have begun to run and not ended: what is in the places of their outs, a killed run has left.

    ``.pivot/state.db/unfinished/<address>``: empty, or the session of the machine in which the last run ended. After
    a power cut nothing else may tell that a run has written what is there, so an end counts in its session only.
    """

    def __init__(self, directory: pathlib.Path) -> None:
        """Describe them; the directory is made when a stage begins."""
        self._directory = directory

    def knows(self, address: str) -> bool:
        """Whether a stage is one of them."""
        try:
            return (self._directory / address).read_text() != session()
        except OSError:
            return False

    def begin(self, address: str, *, lasting: bool) -> None:
        """A stage is about to run; with ``lasting``, a power cut does not take that it has ever begun.

        Raises:
            OSError: That cannot be written.
            CacheError: The same.
        """
        file = self._directory / address
        if not lasting or file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"")
        else:
            atomic.write_bytes(file, b"", durable=True)

    def end(self, address: str, *, lasting: bool) -> None:
        """It has ended; with ``lasting``, what is in the places of its outs is what a run has written."""
        file = self._directory / address
        with contextlib.suppress(OSError):
            if lasting:
                file.write_text(session())
            else:
                file.unlink()
