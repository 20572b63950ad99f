"""How many stages at once: what the files of a container say, whatever they hold."""

import os
import pathlib

import pytest

from pivot_engine import jobs


@pytest.fixture
def cgroup(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A directory in the place of the system's, and 8 processors."""
    (tmp_path / "cpu").mkdir()
    monkeypatch.setattr(jobs, "_CGROUP2", str(tmp_path / "cpu.max"))
    monkeypatch.setattr(jobs, "_CGROUP1", (str(tmp_path / "cpu/quota"), str(tmp_path / "cpu/period")))
    monkeypatch.setattr(os, "process_cpu_count", lambda: 8)
    return tmp_path


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

    assert jobs.default_jobs() == count


@pytest.mark.parametrize(
    ("quota", "period", "count"),
    [("300000\n", "100000\n", 3), ("-1\n", "100000\n", 8), ("garbage", "100000", 8), ("1", "0", 8), ("1", "1", 1)],
)
def test_files_of_the_first_version(cgroup: pathlib.Path, quota: str, period: str, count: int) -> None:
    (cgroup / "cpu/quota").write_text(quota)
    (cgroup / "cpu/period").write_text(period)

    assert jobs.default_jobs() == count


def test_no_text_at_all(cgroup: pathlib.Path) -> None:
    (cgroup / "cpu.max").write_bytes(b"\xff\xfe")
    (cgroup / "cpu/quota").write_bytes(b"\xff\xfe")
    (cgroup / "cpu/period").write_text("1")

    assert jobs.default_jobs() == 8


def test_no_files(cgroup: pathlib.Path) -> None:
    assert jobs.default_jobs() == 8


def test_a_system_that_cannot_count(cgroup: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "process_cpu_count", lambda: None)

    assert jobs.default_jobs() == 1
