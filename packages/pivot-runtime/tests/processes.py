"""Watching processes without sleeping for luck."""

import subprocess
import time
from collections.abc import Callable

DEADLINE = 60.0


def wait_until(condition: Callable[[], bool]) -> None:
    """Poll for something that another process does."""
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return shown.stdout.strip()[:1] not in ("", "Z", "X")
