"""Signatures of files: texts that change with a file, the time from which they do so, and marks of the last boot.

Bytes that were written before the last boot may not have reached the disk. This module imports almost nothing.
"""

import binascii
import os
import stat
import time

import xxhash

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_ROUGHLY_NS = 600_000_000_000
_SECOND_NS = 1_000_000_000
_FINE_STEP_NS = 20_000_000
_COARSE_STEP_NS = 2 * _SECOND_NS
_FIRST, _MARKS = 10_000_000, 900_000_000
"""The seconds since the epoch, in the last century, that identify boots."""

_boot_ids: dict[str, str] = {}
"""By file, the identifier that was read from it."""


def stat_signature(status: os.stat_result) -> str:
    """A text that changes when the file changes."""
    return f"{status.st_dev} {status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


def tree_signature(files: "Iterable[tuple[str, os.stat_result]]", empty: "Iterable[str]") -> str:
    """A text that changes when any file, name, mode or empty directory changes."""
    lines = [f"{path}\0{stat_signature(status)} {status.st_mode & stat.S_IXUSR}" for path, status in files]
    return xxhash.xxh3_128_hexdigest("\0".join((*lines, "", *empty)).encode("utf-8", "surrogateescape"))


def settles_at(*changed_ns: int) -> int:
    """The time after which any change gives files that were changed at these times new signatures.

    All times are in ns since the epoch. The time stamps of a file system advance in steps: until the next step, an edit
    may leave the change time as it is.
    """
    # Only times in whole seconds reveal a file system that stores no fractions.
    return max((at + (_FINE_STEP_NS if at % _SECOND_NS else _COARSE_STEP_NS) for at in changed_ns), default=0)


def boot_time_ns() -> int:
    """The time of the last boot in ns since the epoch, accurate to a few seconds."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # macOS: monotonic since the start
    return time.time_ns() - time.clock_gettime_ns(clock)


def boot_id() -> str:
    """A unique identifier of this boot."""
    known = _boot_ids.get(_BOOT_ID)
    if known is None:
        try:
            with open(_BOOT_ID, encoding="ascii") as file:
                known = file.read().strip()
        except OSError:
            known = f"~{boot_time_ns() // _ROUGHLY_NS}"
        _boot_ids[_BOOT_ID] = known
    return known


def mtime_of_boot(boot_id: str) -> int:
    """The modification time, in ns since the epoch, of files written during this boot and not known to be flushed."""
    return (_FIRST + binascii.crc32(boot_id.encode()) % _MARKS) * _SECOND_NS


def is_mtime_of_boot(time_ns: int) -> bool:
    """Whether a modification time identifies a boot, this one or another; 0 counts as one."""
    return time_ns == 0 or (_FIRST <= time_ns // _SECOND_NS < _FIRST + _MARKS and time_ns % _SECOND_NS == 0)
