"""The cache of outlines: results of parsing files for fingerprints, in a directory of the project."""

import contextlib
import os
import pathlib

from pivot_cache.files.atomic import drop_older_half

_MOST = 24000
"""Files that are kept."""
_LARGEST = 1 << 26
"""Bytes of a file that are read."""
# A named pipe in the place of a file would block otherwise.
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NONBLOCK | os.O_CLOEXEC


class OutlineCache:
    """A `pivot_fingerprint.Memo` with a file for each key in a directory; errors are ignored.

    Files are not written atomically, since the reader checks the content and replaces a damaged file.
    """

    def __init__(self, directory: pathlib.Path) -> None:
        """Use a directory, which is created when something is first kept."""
        self._directory = directory
        self._path = os.fspath(directory)
        self._exists = False

    def get(self, key: bytes) -> bytes | None:
        """The content under a key, if it can be read."""
        try:
            file = os.open(self._file(key), _READ)
            try:
                return os.read(file, min(os.fstat(file).st_size, _LARGEST))
            finally:
                os.close(file)
        except OSError:
            return None

    def put(self, key: bytes, content: bytes) -> None:
        """Keep a content under a key."""
        with contextlib.suppress(OSError):
            if not self._exists:
                self._directory.parent.mkdir(exist_ok=True)  # without its parents: a project must exist already
                self._directory.mkdir(exist_ok=True)
                self._exists = True
                drop_older_half(self._directory, _MOST)
            file = os.open(self._file(key), _WRITE, 0o666)
            try:
                os.write(file, content)
            finally:
                os.close(file)

    def _file(self, key: bytes) -> str:
        return os.path.join(self._path, key.hex())
