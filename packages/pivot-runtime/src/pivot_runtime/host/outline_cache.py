"""The outline of each source file, cached by content, so that only edited files are parsed."""

import contextlib
import os
import pathlib

_MOST = 24000
_LARGEST = 1 << 26
"""Files; beyond that the older half goes."""


class Outlines:
    """A `pivot_fingerprint.Memo` in a directory; where that cannot be written, nothing is kept.

    Files are written in place: who reads them checks them, and makes again what is damaged or half there.
    """

    def __init__(self, directory: pathlib.Path) -> None:
        """Describe it; it is made when something is first kept."""
        self._directory = directory
        self._counted = False

    def get(self, key: bytes) -> bytes | None:
        """The content under a key, if it can be read."""
        try:
            with open(self._file(key), "rb", buffering=0, opener=_at_once) as file:
                return file.read(_LARGEST)
        except OSError:
            return None

    def put(self, key: bytes, content: bytes) -> None:
        """Keep this."""
        with contextlib.suppress(OSError):
            self._directory.parent.mkdir(exist_ok=True)  # in what is a project already
            self._directory.mkdir(exist_ok=True)
            self._forget_some()
            with open(self._file(key), "wb", buffering=0, opener=_at_once) as file:
                file.write(content)

    def _file(self, key: bytes) -> str:
        return os.path.join(self._directory, key.hex())

    def _forget_some(self) -> None:
        """Once in a process, before the first file is written."""
        if self._counted:
            return
        self._counted = True
        with os.scandir(self._directory) as entries:
            found = list(entries)
        if len(found) <= _MOST:
            return
        for entry in sorted(found, key=lambda entry: entry.stat().st_mtime_ns)[: len(found) // 2]:
            os.unlink(entry.path)


def _at_once(file: str, flags: int) -> int:
    """A path that is no file, such as a pipe, is not waited for."""
    return os.open(file, flags | os.O_NONBLOCK, 0o666)
