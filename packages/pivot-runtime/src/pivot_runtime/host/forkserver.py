"""The fork server: a process with Pivot imported and no user code, from which hosts are forked."""

import fcntl
import gc
import os
import signal
import socket
import sys
from collections.abc import Sequence

from pivot_runtime.definitions import source_import
from pivot_runtime.host import server
from pivot_runtime.processes import live_threads, parent_death, wire

_LINE_FD = wire.COMMANDS_FD
_PID_BYTES = 8


def main(coordinator: int, *, guard: bool) -> None:
    """Fork a host for each pair of descriptors that comes in, until the process ``coordinator`` closes its end.

    ``guard``: as for `host.main`.
    """
    if guard:
        os.set_inheritable(wire.GUARD_FD, False)
    parent_death.prepare()
    line = socket.socket(fileno=os.dup(_LINE_FD))
    os.close(_LINE_FD)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whose host has ended sees it by the pipes
    source_import.user_code_predicate()  # once for all hosts
    gc.collect()
    gc.freeze()  # what all hosts share is neither looked at nor copied by their collectors
    if sys.platform == "linux":  # elsewhere that takes a thread, and the end of the line says the same
        parent_death.die_with(coordinator)
    with line:
        _serve(line, guard=guard)


def _serve(line: socket.socket, *, guard: bool) -> None:
    while True:
        told, fds, _, _ = socket.recv_fds(line, 1, 2)
        if not told:
            return
        if live_threads.count() > 1:  # what is installed here starts them in each interpreter
            pid = _spawn_host(fds, guard=guard)
        else:
            seed = os.getpid()
            pid = os.fork()
            if pid == 0:
                _become_host(line, fds, seed, guard=guard)
        for fd in fds:
            os.close(fd)
        line.send(pid.to_bytes(_PID_BYTES))


def _spawn_host(fds: Sequence[int], *, guard: bool) -> int:
    command = f"from pivot_runtime.host.server import main; main({os.getpid()}, guard={guard})"
    moved = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, wire.GUARD_FD + 1) for fd in fds]
    numbers = [*zip(moved, (wire.COMMANDS_FD, wire.EVENTS_FD), strict=True)]
    if guard:
        moved.append(fcntl.fcntl(wire.GUARD_FD, fcntl.F_DUPFD_CLOEXEC, wire.GUARD_FD + 1))
        numbers.append((moved[-1], wire.GUARD_FD))
    try:
        return os.posix_spawn(
            sys.executable,
            [sys.executable, "-P", "-c", command],
            os.environ,
            file_actions=[(os.POSIX_SPAWN_DUP2, ours, theirs) for ours, theirs in numbers],
            setpgroup=0,
            setsigdef=[signal.SIGCHLD],
        )
    finally:
        for fd in moved:
            os.close(fd)


def _become_host(line: socket.socket, fds: list[int], seed: int, *, guard: bool) -> None:
    status = 1
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        line.close()
        # First out of the way of the numbers that they are to have.
        moved = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, wire.GUARD_FD + 1) for fd in fds]
        for fd in fds:
            os.close(fd)
        for fd, number in zip(moved, (wire.COMMANDS_FD, wire.EVENTS_FD), strict=True):
            os.dup2(fd, number)
            os.close(fd)
        server.main(seed, guard=guard)
        status = 0
    finally:
        os._exit(status)
