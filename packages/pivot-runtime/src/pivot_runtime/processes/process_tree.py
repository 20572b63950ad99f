"""Descendants of this process: found, described, awaited and ended."""

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Container, Mapping

from pivot_runtime.processes import parent_death

_PR_SET_CHILD_SUBREAPER = 36
_ROUNDS = 100
_ROUND_SECONDS = 0.01
_CHILDREN = "/proc/thread-self/children"
_CHUNK = 1 << 16
SPAWN_CODE = "from pivot_runtime.worker.spawned import main"
"""The code with which a new interpreter becomes the process of a stage."""
_HELPERS = ("from multiprocessing.resource_tracker import main", "from multiprocessing.forkserver import main")


def adopt() -> None:
    """From now on, adopt descendants of this process whose parent ends; else init would (Linux only)."""
    if sys.platform == "linux":
        parent_death.libc().prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children() -> frozenset[int]:
    """The children of this process's main thread, zombies and adopted ones included; empty where the system lists none.

    Adopted processes become children of the main thread.
    """
    try:
        fd = os.open(_CHILDREN, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return frozenset()
    listed = b""
    try:
        while part := os.read(fd, _CHUNK):
            listed += part
    except OSError:
        return frozenset()
    finally:
        os.close(fd)
    return frozenset(map(int, listed.split()))


def leftovers(known: Container[int]) -> dict[int, str]:
    """The command lines of running children that are not ``known``, by pid; zombies among them are reaped."""
    while True:
        found = [pid for pid in children() if pid not in known]
        running = [pid for pid in found if not _ended(pid)]
        if len(running) == len(found):  # a reaped child may have left children of its own, which were adopted since
            return {pid: command_of(pid) for pid in sorted(running)}


def end_leftovers(known: Container[int]) -> None:
    """Kill all running children that are not ``known``, and then the children that they leave."""
    for _ in range(_ROUNDS):
        found = leftovers(known)
        if not found:
            return
        for pid in found:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_ROUND_SECONDS)


def await_end(pid: int) -> None:
    """Wait for a process that is about to end, since its children are adopted only then."""
    for _ in range(_ROUNDS):
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                state = file.read().rpartition(b")")[2].split()[0]
        except OSError:
            return
        if state in (b"Z", b"X"):
            return
        time.sleep(_ROUND_SECONDS)


def ends_within(child: int, seconds: float) -> bool:
    """Whether a child ends within so many seconds; it is not reaped."""
    end = time.monotonic() + seconds
    if hasattr(os, "pidfd_open"):
        fd = os.pidfd_open(child)
        try:
            return readable_within(fd, seconds)
        finally:
            os.close(fd)
    while os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if time.monotonic() > end:
            return False
        time.sleep(_ROUND_SECONDS)
    return True


def readable_within(fd: int, seconds: float) -> bool:
    """Whether a descriptor is readable, or its other end closed, within so many seconds."""
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def pidfd_of(pid: int) -> int | None:
    """Open a descriptor that becomes readable when a process ends; None where there is none, or no such process."""
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def command_of(pid: int) -> str:
    """The command line of a process."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().rstrip(b"\0").split(b"\0")
    except OSError:
        words = []
    return b" ".join(words).decode(errors="replace") or _nameless(pid)


def shared_ids(pid: int) -> frozenset[str]:
    """The names of the process group, session and output pipes that a process has in common only with its relatives."""
    found: set[str] = set()
    with contextlib.suppress(OSError):
        found.add(f"group {os.getpgid(pid)}")
        session = os.getsid(pid)
        if session != os.getsid(0):
            found.add(f"session {session}")
    for fd in (1, 2):
        with contextlib.suppress(OSError):
            output = os.readlink(f"/proc/{pid}/fd/{fd}")
            if output.startswith("pipe:"):
                found.add(output)
    return frozenset(found)


def describe(leftovers: Mapping[int, str]) -> list[str]:
    """Descriptions of leftover processes for users, without helper processes and those that are just ending."""
    own = command_of(os.getpid())
    worth_naming = (
        command for pid, command in leftovers.items() if not (is_helper(command) or command == _nameless(pid))
    )
    return [
        "a process that it had forked" if command == own or SPAWN_CODE in command else _on_one_line(command)
        for command in worth_naming
    ]


def _on_one_line(command: str, most: int = 100) -> str:
    line = " ".join(command.split())
    return line if len(line) <= most else f"{line[:most]}…"


def is_helper(command: str) -> bool:
    """Whether a process only tidies up after others and then ends, as the helpers of `multiprocessing` do."""
    return any(helper in command for helper in _HELPERS)


def _nameless(pid: int) -> str:
    """The text for a process whose command line is gone, since it is ending."""
    return f"process {pid}"


def _ended(pid: int) -> bool:
    """Whether a child has ended; it is reaped then."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True
