"""The last boot: bytes that were written before it may not have reached the disk."""

import binascii
import functools
import time
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_ROUGHLY_NS = 600_000_000_000
_SECOND_NS = 1_000_000_000
_FIRST, _MARKS = 10_000_000, 900_000_000
"""The seconds since the epoch, in the last century, that stand for boots."""


@functools.cache
def boot_time_ns() -> int:
    """The time of the last boot, in ns since the epoch; good to a few seconds."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # macOS: monotonic since the start
    return time.time_ns() - time.clock_gettime_ns(clock)


@functools.cache
def boot_id() -> str:
    """An identifier of this boot, which no other boot shares."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return f"~{boot_time_ns() // _ROUGHLY_NS}"


def mtime_of_boot(boot_id: str) -> int:
    """A time of modification, in ns since the epoch: written during this boot, and not known to be on the disk."""
    return (_FIRST + binascii.crc32(boot_id.encode()) % _MARKS) * _SECOND_NS


def is_mtime_of_boot(time_ns: int) -> bool:
    """Whether a time of modification belongs to some boot, this one or another; 0 counts as one."""
    return time_ns == 0 or (_FIRST <= time_ns // _SECOND_NS < _FIRST + _MARKS and time_ns % _SECOND_NS == 0)
