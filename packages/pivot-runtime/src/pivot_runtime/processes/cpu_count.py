"""The number of processors and the memory that this process may use, with the limits of containers."""

import contextlib
import math
import os
import pathlib
from collections.abc import Iterator
from typing import Final

_MOUNT: Final = pathlib.Path("/sys/fs/cgroup")
_MIB: Final = 1 << 20
_MEMBERSHIP: Final = pathlib.Path("/proc/self/cgroup")


def default_jobs(mount: pathlib.Path = _MOUNT, membership: pathlib.Path = _MEMBERSHIP) -> int:
    """The default number of stages to run at once: the CPU affinity, limited by cgroup quotas; at least 1.

    Args:
        mount: The directory of cgroups; version 1 has a directory in it for each controller.
        membership: The file that lists the cgroups of this process.
    """
    available = os.process_cpu_count() or 1
    quotas = [quota for group in _groups(mount, membership) if (quota := _quota(group)) is not None]
    return max(1, min([available, *map(math.ceil, quotas)]))


def available_memory(mount: pathlib.Path = _MOUNT, membership: pathlib.Path = _MEMBERSHIP) -> int:
    """The memory of the machine in bytes, limited by cgroups, in whole MiB; the arguments are as above."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [limit for group in _groups(mount, membership, "memory") if (limit := _memory(group)) is not None]
    return max(_MIB, min([machine, *limits]) // _MIB * _MIB)


def _groups(mount: pathlib.Path, membership: pathlib.Path, controller: str = "cpu") -> Iterator[pathlib.Path]:
    """The cgroups of this process and their ancestors, each of which limits it.

    In a container the names may be those of the host. Then only the root exists, which is the container's own cgroup.
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
        elif controller in controllers.split(","):
            first = path
    for top, path in ((mount, unified), (mount / controller, first)):
        inside = pathlib.PurePosixPath(path.strip("/"))
        yield from (top / each for each in (inside, *inside.parents))


def _memory(group: pathlib.Path) -> int | None:
    """The number of bytes that a cgroup may use; None without a limit."""
    for name in ("memory.max", "memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):  # "max": no limit
            return int((group / name).read_text())
    return None


def _quota(group: pathlib.Path) -> float | None:
    """The number of processors that a cgroup may use; None without a limit."""
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
