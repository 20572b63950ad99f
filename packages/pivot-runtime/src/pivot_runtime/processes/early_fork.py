"""An early fork: a process that imports what a host needs while the command finds out what to do."""

import _socket
import contextlib
import importlib
import json
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any, Final, Self

from pivot_runtime.processes import clean_fork, wire
from pivot_runtime.processes.startup_state import StartupState, can_fork

_SHARED: Final = (
    "pivot_core.discovery",
    "pivot_core.params.overrides",
    "pivot_runtime.loading.loaded",
    "pivot_runtime.processes.process_tree",
    "pivot_runtime.tracing.usage",
)
"""Modules that bring along most of what command and host both need; they are imported before the fork."""
_HOST: Final = "pivot_runtime.host.server"
_LINE_FD: Final = 3
_LARGEST: Final = 1 << 12
_MOST_FDS: Final = 3
_FD_BYTES: Final = 4


class EarlyFork:
    """A process that has imported Pivot and no user code; it becomes a host or a fork server, once.

    It ends when the command does.
    """

    def __init__(self, startup_state: StartupState) -> None:
        """Fork the process, which is like a new interpreter; ``startup_state`` is that of this one."""
        coordinator = os.getpid()
        self._line, theirs = _socket.socketpair()
        try:
            self._pid: int | None = clean_fork.fork(
                lambda: _wait(coordinator, startup_state),
                ((theirs.fileno(), _LINE_FD),),
                quiet=False,
                startup_state=startup_state,
            )
        finally:
            theirs.close()

    @classmethod
    def begin(cls, startup_state: StartupState) -> Self | None:
        """Import what command and host both need, and fork; return None where that would not make a command faster."""
        if sys.platform != "linux" or (os.process_cpu_count() or 1) == 1 or not can_fork():
            return None
        for name in _SHARED:
            importlib.import_module(name)
        try:
            return cls(startup_state)
        except OSError:  # no more processes or descriptors
            return None

    def become(self, module: str, given: Sequence[tuple[int, int]], *, quiet: bool) -> int | None:
        """Let the process run the ``main`` of a module, and return its pid; None if it has been used, or has ended.

        The arguments are those of `host_client.begin_process`.
        """
        if self._pid is None:
            return None
        message = json.dumps({"module": module, "quiet": quiet, "numbers": [number for _, number in given]}).encode()
        fds = b"".join(fd.to_bytes(_FD_BYTES, sys.byteorder) for fd, _ in given)
        try:
            self._line.sendmsg([message], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, fds)])
        except OSError:
            self.close()
            return None
        self._line.close()
        pid, self._pid = self._pid, None
        return pid

    def close(self) -> None:
        """End the process, unless it has become something else."""
        if self._pid is None:
            return
        pid, self._pid = self._pid, None
        self._line.close()
        with contextlib.suppress(ProcessLookupError, ChildProcessError):  # someone else has waited for it
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _wait(coordinator: int, startup_state: StartupState) -> None:
    """Import the host's modules, and become what the command wants; return when the command ends."""
    importlib.import_module(_HOST).prepare()
    line = _socket.socket(fileno=_LINE_FD)
    message, found, _, _ = line.recvmsg(_LARGEST, _socket.CMSG_SPACE(_MOST_FDS * _FD_BYTES))
    if not message:
        line.close()
        return
    wanted: dict[str, Any] = json.loads(message)
    received = b"".join(data for _, _, data in found)
    fds = [int.from_bytes(received[at : at + _FD_BYTES], sys.byteorder) for at in range(0, len(received), _FD_BYTES)]
    line.detach()
    clean_fork.replace_descriptors(tuple(zip(fds, wanted["numbers"], strict=True)), quiet=wanted["quiet"])
    guard = wire.GUARD_FD in wanted["numbers"]
    clean_fork.serve(wanted["module"], coordinator, guard=guard, startup_state=startup_state)
