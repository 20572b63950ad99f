"""How many stages to run at once: what this process may really use of the machine."""

import math
import os
import pathlib

_CGROUP2 = "/sys/fs/cgroup/cpu.max"
_CGROUP1 = ("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us")


def default_jobs() -> int:
    """The processors that the scheduler grants: affinity, and the quota of a container; at least 1."""
    available = os.process_cpu_count() or 1
    quota = _quota(pathlib.Path(_CGROUP2), *map(pathlib.Path, _CGROUP1))
    return available if quota is None else max(1, min(available, math.ceil(quota)))


def _quota(unified: pathlib.Path, quota_file: pathlib.Path, period_file: pathlib.Path) -> float | None:
    try:
        quota, period = unified.read_text().split()
    except (OSError, ValueError):
        try:
            quota, period = quota_file.read_text().strip(), period_file.read_text().strip()
        except (OSError, ValueError):
            return None
    try:
        return int(quota) / int(period) if int(quota) > 0 else None
    except (ValueError, ZeroDivisionError):
        return None  # "max": no quota
