"""The cache of outlines: results of parsing files for fingerprints, in a directory of the project."""

import contextlib
import os
import pathlib

from pivot_cache.files.atomic import drop_older_half

_MOST = 24000
"""Files that are kept."""
_LARGEST = 1 << 26
"""Bytes of a file that are read."""


class OutlineCache:
    """A `pivot_fingerprint.Memo` with a file for each key in a directory; errors are ignored.

    Files are not written atomically, since the reader checks the content and replaces a damaged file.
    """

    def __init__(self, directory: pathlib.Path) -> None:
        """Use a directory, which is created when something is first kept."""
        self._directory = directory
        self._pruned = False

    def get(self, key: bytes) -> bytes | None:
        """The content under a key, if it can be read."""
        try:
            with open(self._file(key), "rb", buffering=0, opener=_open_nonblocking) as file:
                return file.read(_LARGEST)
        except OSError:
            return None

    def put(self, key: bytes, content: bytes) -> None:
        """Keep a content under a key."""
        with contextlib.suppress(OSError):
            self._directory.parent.mkdir(exist_ok=True)  # without its parents: a project must exist already
            self._directory.mkdir(exist_ok=True)
            if not self._pruned:
                self._pruned = True
                drop_older_half(self._directory, _MOST)
            with open(self._file(key), "wb", buffering=0, opener=_open_nonblocking) as file:
                file.write(content)

    def _file(self, key: bytes) -> str:
        return os.path.join(self._directory, key.hex())


def _open_nonblocking(file: str, flags: int) -> int:
    """Open a file; a named pipe in its place would block otherwise."""
    return os.open(file, flags | os.O_NONBLOCK, 0o666)
