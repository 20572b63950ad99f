"""How many stages at once: what the files of a container say, whatever they hold."""

import os
import pathlib

import pytest

from pivot_runtime.processes import cpu_count


@pytest.fixture
def cgroup(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A directory in the place of the system's, and 8 processors."""
    (tmp_path / "cpu").mkdir()
    monkeypatch.setattr(os, "process_cpu_count", lambda: 8)
    return tmp_path


def counted(cgroup: pathlib.Path) -> int:
    return cpu_count.default_jobs(cgroup, cgroup / "membership")


@pytest.mark.parametrize(
    ("content", "count"),
    [
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),
        ("1000 100000\n", 1),
        ("1600000 100000\n", 8),
        ("max 100000\n", 8),
        ("", 8),
        ("garbage", 8),
        ("1 2 3", 8),
        ("x y", 8),
        ("100000 0", 8),
        ("-1 100000", 8),
    ],
)
def test_unified_files(cgroup: pathlib.Path, content: str, count: int) -> None:
    (cgroup / "cpu.max").write_text(content)

    assert counted(cgroup) == count


@pytest.mark.parametrize(
    ("quota", "period", "count"),
    [("300000\n", "100000\n", 3), ("-1\n", "100000\n", 8), ("garbage", "100000", 8), ("1", "0", 8), ("1", "1", 1)],
)
def test_files_of_the_first_version(cgroup: pathlib.Path, quota: str, period: str, count: int) -> None:
    (cgroup / "cpu/cpu.cfs_quota_us").write_text(quota)
    (cgroup / "cpu/cpu.cfs_period_us").write_text(period)

    assert counted(cgroup) == count


def test_no_text_at_all(cgroup: pathlib.Path) -> None:
    (cgroup / "cpu.max").write_bytes(b"\xff\xfe")
    (cgroup / "cpu/cpu.cfs_quota_us").write_bytes(b"\xff\xfe")
    (cgroup / "cpu/cpu.cfs_period_us").write_text("1")

    assert counted(cgroup) == 8


def test_no_files(cgroup: pathlib.Path) -> None:
    assert counted(cgroup) == 8


def test_a_system_that_cannot_count(cgroup: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "process_cpu_count", lambda: None)

    assert counted(cgroup) == 1


@pytest.mark.parametrize(
    ("membership", "count"),
    [
        ("0::/slice/service\n", 3),
        ("0::/slice\n", 4),
        ("0::/elsewhere\n", 6),
        ("0::/\n", 6),
        ("4:memory:/slice\n", 6),
        ("2:cpu,cpuacct:/batch/job\n1:memory:/slice\n0::/slice\n", 2),
        ("garbage\n::\n\xff\n", 6),
    ],
)
def test_each_group_around_this_process_is_a_limit(cgroup: pathlib.Path, membership: str, count: int) -> None:
    """As with `systemd-run`, and on clusters."""
    (cgroup / "membership").write_text(membership)
    for group, processors in (("", 6), ("slice", 4), ("slice/service", 3)):
        (cgroup / group).mkdir(exist_ok=True)
        (cgroup / group / "cpu.max").write_text(f"{processors}00000 100000\n")
    (cgroup / "cpu/batch/job").mkdir(parents=True)
    (cgroup / "cpu/batch/cpu.cfs_quota_us").write_text("200000\n")
    (cgroup / "cpu/batch/cpu.cfs_period_us").write_text("100000\n")

    assert counted(cgroup) == count


@pytest.mark.parametrize(
    ("file", "content", "mebibytes"),
    [
        ("memory.max", f"{3 << 20}\n", 3),
        ("memory.max", f"{(3 << 20) - 1}\n", 2),
        ("memory.max", "0\n", 1),
        ("memory.max", f"{1 << 62}\n", None),
        ("memory.max", "max\n", None),
        ("memory/memory.limit_in_bytes", f"{5 << 20}\n", 5),
        ("memory/memory.limit_in_bytes", "garbage", None),
    ],
)
def test_the_memory_of_a_container_is_its_limit(
    tmp_path: pathlib.Path, file: str, content: str, mebibytes: int | None
) -> None:
    machine = cpu_count.available_memory(tmp_path, tmp_path / "membership")
    (tmp_path / "memory").mkdir()
    (tmp_path / file).write_text(content)

    found = cpu_count.available_memory(tmp_path, tmp_path / "membership")
    assert found == (machine if mebibytes is None else mebibytes << 20)
    assert machine % (1 << 20) == 0
