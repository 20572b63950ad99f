"""The record of the warm process: a file that it locks as long as it lives, with what it says of itself."""

import contextlib
import fcntl
import os
import stat
import time
from typing import Any, Final

from pivot_cache.layout import Layout
from pivot_runtime.processes import wire

_MOST: Final = 1 << 16
_POLL_SECONDS: Final = 0.02


class WarmRecord:
    """The locked record of this process. The lock ends with the process, and the file is never unlinked."""

    def __init__(self, layout: Layout, seconds: float) -> None:
        """Lock it, and wait so long for another process that ends.

        Raises:
            OSError: Another process holds it, or it is not a file of this user.
        """
        self._fd = _open(layout, os.O_CREAT)
        until = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise
                time.sleep(_POLL_SECONDS)
            else:
                return

    def close(self) -> None:
        """Unlock it, as the end of the process does."""
        os.close(self._fd)

    def write(self, record: dict[str, Any]) -> None:
        """Replace the record; a full disk only keeps users from seeing it."""
        text = wire.dumps({"pid": os.getpid(), **record}).encode()
        with contextlib.suppress(OSError):
            os.pwrite(self._fd, text, 0)
            os.ftruncate(self._fd, len(text))


def read(layout: Layout) -> tuple[dict[str, Any] | None, bool]:
    """Return the last record, None if there is none, and whether its process lives."""
    try:
        fd = _open(layout, 0)
    except OSError:
        return None, False
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            lives = False
        except BlockingIOError:
            lives = True
        return _parsed(os.pread(fd, _MOST, 0)), lives
    finally:
        os.close(fd)


def age(layout: Layout) -> float:
    """Return the seconds since the record was written."""
    try:
        return abs(time.time() - os.stat(layout.warm_record_file).st_mtime)
    except OSError:
        return 0.0


def _parsed(text: bytes) -> dict[str, Any] | None:
    try:
        found = wire.loads(text.decode())
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("pid"), int) else None


def _open(layout: Layout, flags: int) -> int:
    """Open the file, which only this user can write.

    Raises:
        OSError: There is none, or it belongs to somebody else, who could name the process of another program there.
    """
    flags |= os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    fd = os.open(layout.warm_record_file, flags, 0o600)
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        os.close(fd)
        raise PermissionError
    return fd
