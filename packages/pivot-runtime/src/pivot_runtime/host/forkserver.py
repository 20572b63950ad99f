"""The fork server: a process that has imported Pivot and perhaps libraries, but no user code, and forks hosts."""

import atexit
import fcntl
import gc
import os
import pathlib
import signal
import socket
import sys
import traceback
from collections.abc import Sequence

from pivot_runtime.definitions import source_import
from pivot_runtime.host import server
from pivot_runtime.host.library_process import SharedLibraries
from pivot_runtime.processes import clean_fork, live_threads, parent_death, process_tree, wire

_LINE_FD = wire.COMMANDS_FD
_PID_BYTES = 8


def main(coordinator: int, *, guard: bool) -> None:
    """Fork a host for each pair of descriptors that the command sends, until the command closes its end.

    Before that, the command may send a list of libraries to import. The arguments are as for `host.server.main`.
    """
    if guard:
        os.set_inheritable(wire.GUARD_FD, False)
    parent_death.prepare()
    line = taken_line()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the command sees the end of a host by the pipes
    source_import.user_code_predicate()  # cached for all hosts
    if sys.platform == "linux":  # elsewhere it would take a thread, and the end of the connection does the same
        parent_death.die_with(coordinator)
    _freeze()
    with line:
        serve(line, guard=guard)
    atexit._clear()  # noqa: SLF001  # the functions that libraries registered are for the end of the hosts


def taken_line() -> socket.socket:
    """Take the socket to the command from the number that it has at first, which belongs to hosts."""
    line = socket.socket(fileno=os.dup(_LINE_FD))
    os.close(_LINE_FD)
    return line


def _freeze() -> None:
    gc.collect()
    gc.freeze()  # the collectors of the hosts neither walk nor copy shared objects


def serve(line: socket.socket, *, guard: bool, shared: SharedLibraries | None = None) -> None:
    """Fork a host for each pair of descriptors, with ``shared`` libraries, until the command closes its end."""
    hosts: set[int] = set()
    while True:
        request, fds, _, _ = socket.recv_fds(line, 1, 2)
        if not request:
            return
        if request == wire.PRELOAD:
            shared = _preload(line)
            if shared is None:
                return
            continue
        if request == wire.END_LEFTOVERS:
            process_tree.end_leftovers(hosts & process_tree.children())
            line.send(bytes(_PID_BYTES))
            continue
        if live_threads.count() > 1:  # an installed package starts one in each interpreter
            pid = _spawn_host(fds, guard=guard)
        else:
            server_pid = os.getpid()
            pid = os.fork()
            if pid == 0:
                _become_host(line, fds, server_pid, shared, guard=guard, quiet=request == wire.QUIET_HOST)
        for fd in fds:
            os.close(fd)
        hosts.add(pid)
        line.send(pid.to_bytes(_PID_BYTES))


def _preload(line: socket.socket) -> SharedLibraries | None:
    """Import the libraries that the command asks for; None if that has made this process useless."""
    from pivot_runtime.libraries.preload import LeftOut  # lazy

    size = int.from_bytes(line.recv(wire.SIZE_BYTES, socket.MSG_WAITALL))
    asked = wire.loads(line.recv(size, socket.MSG_WAITALL).decode())
    shared = SharedLibraries(
        pathlib.Path(asked["root"]), pathlib.Path(asked["file"]), source_import.user_code_predicate()
    )
    handling = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        left_out = shared.preload(asked["names"], lambda name: wire.send(line.fileno(), {"starting": name}))
    except Exception as error:  # noqa: BLE001  # of an unusual library: the hosts import it themselves
        left_out = LeftOut(asked["names"][-1], f"{type(error).__name__}: {error}")
    if left_out is not None:
        wire.send(line.fileno(), {"left out": left_out.name, "reason": left_out.reason, "lasting": left_out.lasting})
        return None
    signal.signal(signal.SIGCHLD, handling)
    _freeze()
    wire.send(line.fileno(), {"ready": True})
    return shared


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


def _become_host(
    line: socket.socket, fds: list[int], server_pid: int, shared: SharedLibraries | None, *, guard: bool, quiet: bool
) -> None:
    status = 1
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        line.close()
        # Moved away first, since one may have the number that the other will have.
        moved = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, wire.GUARD_FD + 1) for fd in fds]
        for fd in fds:
            os.close(fd)
        for fd, number in zip(moved, (wire.COMMANDS_FD, wire.EVENTS_FD), strict=True):
            os.dup2(fd, number)
            os.close(fd)
        if quiet:
            nothing = os.open(os.devnull, os.O_WRONLY)
            for number in (1, 2):
                os.dup2(nothing, number)
            os.close(nothing)
        server.main(server_pid, guard=guard, shared=shared)
        status = 0
    except BaseException:  # noqa: BLE001  # it would return into the code of the fork server
        traceback.print_exc()
    finally:
        clean_fork.end(status)
