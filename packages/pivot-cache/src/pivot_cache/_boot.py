"""When this machine started: what was written before that may have been lost on the way to the disk."""

import functools
import time
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_ROUGHLY_NS = 600_000_000_000


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
