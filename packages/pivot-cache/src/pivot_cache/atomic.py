"""Files that appear whole or not at all: written under a temporary name beside the target, then renamed.

Nothing here is flushed to the disk (no fsync): a rename is seen by every process at once and survives any kill.
After a power cut the newest files may be missing, empty or short. Readers must notice that: objects are
verified before use (`pivot_cache.store`), an empty lock file means "no run" (`pivot_cache.lockfiles`),
a damaged run record is none. The README says what was measured.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from pivot_cache.errors import reporting

PREFIX = ".pivot-"
SUFFIX = ".tmp"
"""How temporary names begin and end: short, whatever the target's name, and no ``*.lock``."""

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


@contextlib.contextmanager
def temporary(directory: Path, mode: int = 0o666) -> Iterator[tuple[int, Path]]:
    """A new empty file in ``directory``, which is made if need be: its open descriptor and its path.

    The descriptor is closed at the end, and the file removed unless it was renamed. Its mode is
    ``mode`` less the umask.
    """
    path = directory / f"{PREFIX}{os.urandom(8).hex()}{SUFFIX}"
    try:
        descriptor = os.open(path, _FLAGS, mode)
    except FileNotFoundError:
        directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, _FLAGS, mode)
    try:
        yield descriptor, path
    finally:
        os.close(descriptor)
        with contextlib.suppress(OSError):
            path.unlink()


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    """Write all of ``data``; one call of the system may write less."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def write_bytes(path: Path, data: bytes) -> None:
    """Make ``data`` the content of ``path``: every reader sees the old bytes or all of the new ones.

    Missing parent directories are made. A symlink at ``path`` is replaced, not followed.

    Raises:
        CacheError: It could not be written; the old content is untouched.
    """
    with reporting("write", path), temporary(path.parent) as (descriptor, temp):
        write_all(descriptor, data)
        temp.replace(path)
