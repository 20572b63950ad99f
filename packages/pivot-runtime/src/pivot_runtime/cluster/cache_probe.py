"""The file in a shared cache by which workers recognise it: they read there what the command has written."""

import contextlib
import os
import pathlib
import secrets
import time
from typing import Final

from pivot_cache.files import atomic
from pivot_cache.layout import Layout

_KEPT_S: Final = 30 * 24 * 3600
"""The age from which the file of another run is that of a killed command."""


class CacheProbe:
    """The file of one run.

    Attributes:
        file: Its path.
        token: Its content, which nobody knows before.
    """

    def __init__(self, layout: Layout, run: str) -> None:
        """Name the file; nothing is written."""
        self.file: pathlib.Path = layout.probe_file(run)
        self.token = secrets.token_hex(16)
        self._written = False

    def write(self) -> None:
        """Write the file, or show that it is in use; files that killed commands have left are removed.

        Raises:
            CacheError: It cannot be written.
        """
        if self._written:
            try:
                os.utime(self.file)
            except FileNotFoundError:
                pass
            except OSError:
                return
            else:
                return
        self._written = True
        _sweep(self.file.parent)
        atomic.write_bytes(self.file, self.token.encode(), shared=True)

    def remove(self) -> None:
        """Remove the file, if it was written."""
        if self._written:
            self._written = False
            with contextlib.suppress(OSError):
                self.file.unlink()


def _sweep(directory: pathlib.Path) -> None:
    oldest = time.time() - _KEPT_S
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if entry.stat(follow_symlinks=False).st_mtime < oldest:
                    os.unlink(entry.path)
