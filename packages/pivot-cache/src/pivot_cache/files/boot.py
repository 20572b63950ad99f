"""The last boot: bytes written before it may not have reached the disk."""

import binascii
import functools
import time
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_ROUGHLY_NS = 600_000_000_000
_SECOND_NS = 1_000_000_000
_FIRST, _MARKS = 10_000_000, 900_000_000
"""The seconds since the epoch, in the last century, that identify boots."""


@functools.cache
def boot_time_ns() -> int:
    """The time of the last boot in ns since the epoch, accurate to a few seconds."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # macOS: monotonic since the start
    return time.time_ns() - time.clock_gettime_ns(clock)


@functools.cache
def boot_id() -> str:
    """A unique identifier of this boot."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return f"~{boot_time_ns() // _ROUGHLY_NS}"


def mtime_of_boot(boot_id: str) -> int:
    """The modification time, in ns since the epoch, of files written during this boot and not known to be flushed."""
    return (_FIRST + binascii.crc32(boot_id.encode()) % _MARKS) * _SECOND_NS


def is_mtime_of_boot(time_ns: int) -> bool:
    """Whether a modification time identifies a boot, this one or another; 0 counts as one."""
    return time_ns == 0 or (_FIRST <= time_ns // _SECOND_NS < _FIRST + _MARKS and time_ns % _SECOND_NS == 0)
