"""Reads the user's modules for their fingerprints in the command's process, while a host still imports others."""

import collections
import pathlib
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pivot_cache.layout import Layout

if TYPE_CHECKING:
    from pivot_fingerprint import Fingerprinter


class ReadAhead:
    """The files that a host has announced; what their texts give is kept in the project, where the host finds it."""

    def __init__(self, root: pathlib.Path) -> None:
        """Nothing is read yet."""
        self._root = root
        self._waiting: collections.deque[str] = collections.deque()
        self._reader: Fingerprinter | None = None

    def announced(self, message: Mapping[str, Any]) -> None:
        """Take the files of a message; one without files says that the host reads the rest itself."""
        if message["files"] is None:
            self._waiting.clear()
        else:
            self._waiting.extend(message["files"])

    def read_next(self) -> bool:
        """Read one file; return whether there was one."""
        if not self._waiting:
            return False
        with warnings.catch_warnings(action="ignore"):  # the host reports those of the import
            self._fingerprinter().read_ahead([self._waiting.popleft()])
        return True

    def _fingerprinter(self) -> "Fingerprinter":
        if self._reader is None:
            from pivot_fingerprint import Fingerprinter  # lazy: most loads have few new files
            from pivot_runtime.definitions.outline_cache import OutlineCache  # lazy

            self._reader = Fingerprinter(root=self._root, memo=OutlineCache(Layout(self._root).outlines_dir))
        return self._reader
