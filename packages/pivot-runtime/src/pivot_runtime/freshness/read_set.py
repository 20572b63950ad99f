"""Notes of what a command looked at: the mark of each path from before it was looked at, and what cannot be marked."""

import os
import time
from collections.abc import Mapping

from pivot_runtime.freshness.stamps import DIRECTORY, mark, place


class Notes:
    """The paths that one command looked at.

    Attributes:
        marks: By absolute path; of directories whose names do not matter, only which directory it is.
        trees: The signatures of directories all of whose files matter.
        began: When the command began, in ns since the epoch.
        partial: Something else counts too, so that the marks do not say all.
    """

    def __init__(self) -> None:
        """Nothing was looked at."""
        self.marks: dict[str, str] = {}
        self.trees: dict[str, str] = {}
        self.began = time.time_ns()
        self.partial = False

    def look(self, path: str | os.PathLike[str]) -> None:
        """The content of a path is about to be looked at."""
        name = os.fspath(path)
        if name not in self.marks:
            self.marks[name] = mark(name)

    def add(self, marks: Mapping[str, str]) -> None:
        """Paths were looked at that had these marks before."""
        for name, marked in marks.items():
            if self.marks.get(name, DIRECTORY).startswith(DIRECTORY):
                self.marks[name] = marked

    def tree(self, path: str | os.PathLike[str], signature: str, settles_at: int) -> None:
        """All the files of a directory were looked at, and had this signature; when it is final, in ns."""
        name = os.fspath(path)
        self.marks[name] = place(name)
        self.trees.setdefault(name, signature)
        if settles_at > self.began:
            self.partial = True

    def probe(self, path: str | os.PathLike[str]) -> None:
        """Whether something is at a path, and what kind of thing, is about to be looked at."""
        name = os.fspath(path)
        if name not in self.marks:
            self.marks[name] = place(name)
