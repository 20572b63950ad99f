"""A check, directly before files of the workspace are replaced or removed, that nobody has edited them meanwhile."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pivot_cache.errors import ChangedError, as_cache_errors
from pivot_cache.files.signatures import is_mtime_of_boot

_VERIFIED_NS = 1_000_000_000
"""As `pivot_cache.objects.object_files.VERIFIED_NS`, which is in a layer above."""


type _Seen = tuple[tuple[int, int, int, int], int, int]
"""A file as it was seen, a link as itself: its device, inode, size and modification; its links; its last change."""


class ReplaceCheck:
    """Raises an error for paths that have changed since `look`; a removed file counts as unchanged.

    A caller looks, then reads what is there and decides, and calls the object with each path that it is about to
    replace or remove.
    """

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def look(self, path: Path) -> None:
        """Note the state of a file, or of all files in a directory; also behind a link at the path.

        Raises:
            CacheError: A directory cannot be read.
        """
        with as_cache_errors("read", path):
            self._seen.update(_files(os.fspath(path)))
            if path.is_symlink():
                self._seen.update(_files(os.path.realpath(path)))

    def __call__(self, path: Path) -> None:
        """Check that everything at a path is as it was when it was looked at.

        Raises:
            ChangedError: Something is not.
            CacheError: A directory cannot be read.
        """
        with as_cache_errors("read", path):
            for name, now in _files(os.fspath(path)):
                before = self._seen.get(name)
                if before is None or not _is_same(now, before):
                    raise ChangedError(Path(name))


def unchecked(path: Path) -> None:
    """Check nothing: for files that no user edits, or whose bytes are kept elsewhere."""


def _is_same(one: _Seen, other: _Seen) -> bool:
    """Whether a file is unchanged: each new link to it, and each removed one, also sets the time of its change."""
    linked = one[1] > 1 or other[1] > 1
    return one[0] == other[0] and (linked or one[2] == other[2])


def _files(path: str) -> Iterator[tuple[str, _Seen]]:
    """Every file at or below a path; none if there is none."""
    try:
        status = os.lstat(path)
        if not stat.S_ISDIR(status.st_mode):
            yield path, _seen(status)
            return
        with os.scandir(path) as found:
            entries = list(found)
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _files(entry.path)
        else:
            with contextlib.suppress(FileNotFoundError):
                yield entry.path, _seen(entry.stat(follow_symlinks=False))


def _seen(status: os.stat_result) -> _Seen:
    # The file may be linked to an object, whose mark may be set meanwhile.
    modified_ns = status.st_mtime_ns
    if is_mtime_of_boot(modified_ns) or modified_ns == _VERIFIED_NS:
        modified_ns = 0
    return (status.st_dev, status.st_ino, status.st_size, modified_ns), status.st_nlink, status.st_ctime_ns
