"""The start of the machine: bytes that were written before it may not have reached the disk."""

import binascii
import functools
import time
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_ROUGHLY_NS = 600_000_000_000
_SECOND_NS = 1_000_000_000
_FIRST, _MARKS = 10_000_000, 900_000_000
"""The seconds since the epoch, in the last century, that stand for starts of the machine."""


@functools.cache
def started_ns() -> int:
    """The time of the last start, in ns since the epoch; good to a few seconds."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # macOS: monotonic since the start
    return time.time_ns() - time.clock_gettime_ns(clock)


@functools.cache
def session() -> str:
    """A text that another start of the machine does not share."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return f"~{started_ns() // _ROUGHLY_NS}"


def mark(session: str) -> int:
    """A time of modification, in ns since the epoch: written in this session, and not known to be on the disk."""
    return (_FIRST + binascii.crc32(session.encode()) % _MARKS) * _SECOND_NS


def is_mark(time_ns: int) -> bool:
    """Whether a time of modification is the mark of any session; an older Pivot marked all with 0."""
    return time_ns == 0 or (_FIRST <= time_ns // _SECOND_NS < _FIRST + _MARKS and time_ns % _SECOND_NS == 0)
