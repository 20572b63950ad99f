"""The seed: a process with Pivot imported and nothing of the user's, from which hosts are forked."""

import fcntl
import gc
import os
import signal
import socket

from pivot_engine import _death, _sources, host

_LINE_FD = host.COMMANDS_FD
_PID_BYTES = 8


def main(coordinator: int, *, guard: bool) -> None:
    """Fork a host for each pair of descriptors that comes in, until the process ``coordinator`` closes its end.

    ``guard``: as for `host.main`.
    """
    if guard:
        os.set_inheritable(host.GUARD_FD, False)
    _death.prepare()
    line = socket.socket(fileno=os.dup(_LINE_FD))
    os.close(_LINE_FD)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whose host has ended sees it by the pipes
    _sources.user_code_predicate()  # once for all hosts
    gc.collect()
    gc.freeze()  # what all hosts share is neither looked at nor copied by their collectors
    with _death.dying_with(coordinator):
        while True:
            told, fds, _, _ = socket.recv_fds(line, 1, 2)
            if not told:
                return
            seed = os.getpid()
            pid = os.fork()
            if pid == 0:
                _become_host(line, fds, seed, guard=guard)
            for fd in fds:
                os.close(fd)
            line.send(pid.to_bytes(_PID_BYTES))


def _become_host(line: socket.socket, fds: list[int], seed: int, *, guard: bool) -> None:
    status = 1
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        line.close()
        # First out of the way of the numbers that they are to have.
        moved = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, host.GUARD_FD + 1) for fd in fds]
        for fd in fds:
            os.close(fd)
        for fd, number in zip(moved, (host.COMMANDS_FD, host.EVENTS_FD), strict=True):
            os.dup2(fd, number)
            os.close(fd)
        host.main(seed, guard=guard)
        status = 0
    finally:
        os._exit(status)
