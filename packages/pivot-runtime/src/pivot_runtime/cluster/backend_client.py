"""Client of the backend process: starts it, exchanges messages with it, and ends it."""

import contextlib
import os
import select
import signal
import time
from collections.abc import Mapping
from typing import Any, Final

from pivot_runtime.errors import ExecutorError
from pivot_runtime.loading.host_client import above_target, begin_process
from pivot_runtime.processes import process_tree, wire

_PATIENCE_S: Final = 5.0
"""The time that the process gets to close its connection, and a cluster of its own."""


class BackendClient:
    """A running backend process. It ends when this object is closed, or this process dies.

    Attributes:
        events: The descriptor that becomes readable when the process has sent something.
        pid: The process.
    """

    def __init__(self) -> None:
        """Start the process, a new interpreter."""
        theirs_in, self._commands = map(above_target, os.pipe())
        self.events, theirs_out = map(above_target, os.pipe())
        given = ((theirs_in, wire.COMMANDS_FD), (theirs_out, wire.EVENTS_FD))
        self.pid = begin_process("pivot_runtime.cluster.backend_process", given, quiet=True, startup_state=None)
        os.close(theirs_in)
        os.close(theirs_out)
        self._lines = wire.MessageReader(self.events)
        self._open, self._ended = True, False
        self._whole = True

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a command.

        Raises:
            ExecutorError: The process has ended.
        """
        self._whole = False  # a signal may interrupt it
        try:
            wire.send(self._commands, dict(message))
        except BrokenPipeError:
            raise _ended() from None
        self._whole = True

    def receive(self, seconds: float | None) -> list[dict[str, Any]]:
        """Wait for messages, at most so many seconds or without a limit, and return them; none if there are none.

        Raises:
            ExecutorError: The process has ended.
        """
        waiting = select.poll()
        waiting.register(self.events, select.POLLIN)
        if not wire.poll(waiting, None if seconds is None else seconds * 1000):
            return []
        found = list(self._lines.receive())
        if self._lines.closed and not found:
            raise _ended()
        return found

    def close(self) -> None:
        """End the process, at once if it takes long; may be called again, also if a signal has interrupted it."""
        if self._ended:
            return
        self._close_commands()
        if not process_tree.ends_within(self.pid, _PATIENCE_S):
            self._kill()
        os.waitpid(self.pid, 0)
        self._ended = True
        os.close(self.events)

    def kill(self) -> None:
        """End the process, and all that it has started, immediately."""
        if not self._ended:
            self._kill()
            self.close()

    def stopped(self, seconds: float) -> bool:
        """Let it stop all stage runs; return whether it has within so many seconds."""
        until = time.monotonic() + seconds
        if not (self._whole and self._is_writable(seconds)):  # the end of the pipe means the same
            self._close_commands()
            return process_tree.ends_within(self.pid, max(0.0, until - time.monotonic()))
        with contextlib.suppress(ExecutorError):
            self.send({"op": "stop"})
            while (left := until - time.monotonic()) > 0:
                if any(message["event"] == "stopped" for message in self.receive(left)):
                    return True
        return False

    def _is_writable(self, seconds: float) -> bool:
        """Whether the pipe takes a short message; a process that is stopped itself does not read."""
        waiting = select.poll()
        waiting.register(self._commands, select.POLLOUT)
        return bool(wire.poll(waiting, seconds * 1000))

    def _close_commands(self) -> None:
        if self._open:
            self._open = False
            os.close(self._commands)

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


def _ended() -> ExecutorError:
    return ExecutorError(
        "the process that talks to the cluster ended unexpectedly",
        hint="repeat the command: what the cluster has finished is not run again",
    )
