"""The number of processors that this process may really use."""

import math
import os
import pathlib
from collections.abc import Iterator
from typing import Final

_MOUNT: Final = pathlib.Path("/sys/fs/cgroup")
_MEMBERSHIP: Final = pathlib.Path("/proc/self/cgroup")


def default_jobs(mount: pathlib.Path = _MOUNT, membership: pathlib.Path = _MEMBERSHIP) -> int:
    """The processors that the scheduler grants: affinity, and the quotas of control groups; at least 1.

    Args:
        mount: Where control groups are, in the first version with a directory for each controller.
        membership: The file that says in which of them this process is.
    """
    available = os.process_cpu_count() or 1
    quotas = [quota for group in _groups(mount, membership) if (quota := _quota(group)) is not None]
    return max(1, min([available, *map(math.ceil, quotas)]))


def _groups(mount: pathlib.Path, membership: pathlib.Path) -> Iterator[pathlib.Path]:
    """The groups of this process and all around them, which limit what is in them.

    In a container they may be named as they are outside: then only the outermost is there, which is the container's.
    """
    unified = first = ""
    try:
        lines = membership.read_text().splitlines()
    except (OSError, ValueError):
        lines = []
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:
            unified = path
        elif "cpu" in controllers.split(","):
            first = path
    for top, path in ((mount, unified), (mount / "cpu", first)):
        inside = pathlib.PurePosixPath(path.strip("/"))
        yield from (top / each for each in (inside, *inside.parents))


def _quota(group: pathlib.Path) -> float | None:
    """How many processors a group may use; None if that is not limited."""
    try:
        quota, period = (group / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota, period = (group / "cpu.cfs_quota_us").read_text(), (group / "cpu.cfs_period_us").read_text()
        except (OSError, ValueError):
            return None
    try:
        return int(quota) / int(period) if int(quota) > 0 else None
    except (ValueError, ZeroDivisionError):
        return None  # "max": no quota
