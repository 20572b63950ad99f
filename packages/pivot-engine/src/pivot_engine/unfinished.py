"""Which stages were running when their run was killed."""

import contextlib
import pathlib


class Unfinished:
    """Which stages have begun to run and not ended: what lies in the places of their outs, a killed run has left.

    ``.pivot/state.db/unfinished/<address>``, an empty file.
    """

    def __init__(self, databases: pathlib.Path) -> None:
        """Describe them; the directory is made when a stage begins."""
        self._directory = databases / "unfinished"

    def knows(self, address: str) -> bool:
        """Whether a stage is one of them."""
        return (self._directory / address).exists()

    def begin(self, address: str) -> None:
        """A stage is about to run."""
        self._directory.mkdir(parents=True, exist_ok=True)
        (self._directory / address).touch()

    def end(self, address: str) -> None:
        """It has ended, and its outs are those of a run."""
        with contextlib.suppress(OSError):
            (self._directory / address).unlink()
