"""Marks of unfinished stages: those that were running when their run was killed or the machine stopped."""

import contextlib
import pathlib

from pivot_cache.files import atomic
from pivot_cache.files.boot import session


class UnfinishedStages:
    """The stages that have begun to run and not ended: the files at their outs are leftovers of a killed run.

    ``.pivot/state.db/unfinished/<address>``: empty, or the session of the machine in which the last run ended. After
    a power cut nothing else may tell that a run has written what is there, so an end counts in its session only.
    """

    def __init__(self, directory: pathlib.Path) -> None:
        """Use a directory, which the first `begin` creates."""
        self._directory = directory

    def knows(self, address: str) -> bool:
        """Whether a stage is unfinished."""
        try:
            return (self._directory / address).read_text() != session()
        except OSError:
            return False

    def begin(self, address: str, *, lasting: bool) -> None:
        """A stage is about to run; with ``lasting``, its first mark is flushed, so that it survives a power cut.

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
        """A stage has ended; with ``lasting``, the files at its outs were written by a run."""
        file = self._directory / address
        with contextlib.suppress(OSError):
            if lasting:
                file.write_text(session())
            else:
                file.unlink()
