"""One command at a time changes a project; the kernel frees the guard of whoever dies."""

import fcntl
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading

import pytest

from pivot_runtime.errors import BusyError
from pivot_runtime.project.guard import awaited, guarded

HOLD = """\
import pathlib, sys, time
from pivot_runtime.project.guard import guarded
with guarded(pathlib.Path(sys.argv[1]), "the other", lambda *_: None):
    print("held", flush=True)
    while True:
        time.sleep(1)
"""


@pytest.fixture
def file(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "state" / "run.guard"


def never(pid: int, command: str, _: float | None) -> None:
    raise AssertionError(f"waited for {pid}: {command}")


def test_a_free_guard_is_taken_at_once_and_stays_a_file(file: pathlib.Path) -> None:
    with guarded(file, "one", never):
        assert file.exists()
    inode = file.stat().st_ino
    with guarded(file, "two", never):
        pass

    assert file.stat().st_ino == inode


def test_it_is_freed_by_an_error(file: pathlib.Path) -> None:
    with pytest.raises(ZeroDivisionError), guarded(file, "one", never):
        raise ZeroDivisionError
    with guarded(file, "two", never):
        pass


def test_who_waits_is_told_for_whom_and_goes_on_when_the_holder_is_killed(file: pathlib.Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(file)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        told: list[tuple[int, str]] = []

        def kill(pid: int, command: str, age: float | None) -> None:
            assert age is not None
            assert 0 <= age < 3600
            told.append((pid, command))
            os.kill(pid, signal.SIGKILL)

        with guarded(file, "me", kill):
            pass

    assert told == [(holder.pid, "the other")]


def test_who_only_looks_waits_until_nobody_has_it(file: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not awaited(file)
    with subprocess.Popen([sys.executable, "-c", HOLD, str(file)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        flock = fcntl.flock

        tries = []

        def kill_and_wait(fd: int, operation: int) -> None:
            tries.append(operation)
            if len(tries) == len(["look", "wait"]):
                holder.kill()
            flock(fd, operation)

        monkeypatch.setattr(fcntl, "flock", kill_and_wait)

        assert awaited(file)
        assert not awaited(file)


def test_threads_exclude_each_other_too(file: pathlib.Path) -> None:
    inside: list[int] = []

    def work() -> None:
        with guarded(file, "thread", lambda *_: None):
            inside.append(len(inside))
            assert len(inside) == 1
            inside.clear()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert inside == []


@pytest.mark.parametrize("garbage", [b"", b"{", b"[]", b'{"pid": "x"}', b"\xff" * 5000])
def test_a_holder_that_says_nothing_of_itself(file: pathlib.Path, garbage: bytes) -> None:
    told: list[str] = []
    entered = threading.Event()
    waiting = threading.Event()

    def wait(_: int, command: str, __: float | None) -> None:
        told.append(command)
        waiting.set()

    def follow() -> None:
        with guarded(file, "second", wait):
            entered.set()

    with guarded(file, "first", never):
        file.write_bytes(garbage)
        follower = threading.Thread(target=follow)
        follower.start()
        assert waiting.wait(60)
        assert not entered.is_set()
    follower.join()

    assert told == ["another command"]


def test_the_next_holder_is_named_whole(file: pathlib.Path) -> None:
    """Also where the text of an earlier one was longer."""
    with guarded(file, "pivot repro " + "x" * 500, never):
        pass
    told: list[tuple[int, str]] = []
    with guarded(file, "pivot gc", never):
        follower = threading.Thread(target=lambda: follow(file, told))
        follower.start()
        while not told:
            os.sched_yield()
    follower.join()

    assert told == [(os.getpid(), "pivot gc")]


def follow(file: pathlib.Path, told: list[tuple[int, str]]) -> None:
    with guarded(file, "pivot status", lambda pid, command, _: told.append((pid, command))):
        pass


def test_it_is_not_inherited(file: pathlib.Path) -> None:
    """A process that a command left running does not hold the project."""
    with guarded(file, "pivot gc", never):
        script = "print(flush=True); input()"
        left = subprocess.Popen(
            [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False
        )
        assert left.stdout is not None
        left.stdout.readline()  # only now is it certain that what is closed at its start is closed
    with left, guarded(file, "pivot gc", never):
        left.kill()


def test_who_does_not_want_to_wait_is_told_for_whom_it_would(file: pathlib.Path) -> None:
    with (
        guarded(file, "pivot gc", never),
        pytest.raises(BusyError, match=rf"'pivot gc' \(process {os.getpid()}\) has been .* for \d+ s;"),
        guarded(file, "pivot repro", never, wait=False),
    ):
        raise AssertionError
    with guarded(file, "pivot repro", never, wait=False):
        pass


def test_a_clock_that_jumps_makes_no_age(file: pathlib.Path) -> None:
    """The text of an earlier start of the machine may be there, from a time that is yet to come."""
    told = r"'pivot gc' \(process 1\) has been working on this project;"
    with guarded(file, "first", never):
        file.write_text(json.dumps({"pid": 1, "command": "pivot gc", "since": 1e18}))
        with pytest.raises(BusyError, match=told), guarded(file, "second", never, wait=False):
            raise AssertionError


def test_whoever_inherits_it_holds_it_too(file: pathlib.Path) -> None:
    with guarded(file, "first", never) as fd:
        left = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[fd])
    with left, pytest.raises(BusyError), guarded(file, "second", never, wait=False):
        raise AssertionError
    with guarded(file, "second", never, wait=False):
        pass
