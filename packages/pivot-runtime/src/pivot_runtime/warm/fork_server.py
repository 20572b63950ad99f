"""The fork server that a command has from the warm process, and the start of that process for the next command."""

import os
import socket
from collections.abc import Sequence

from pivot_runtime.config.settings import WorkerStart
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import HostError
from pivot_runtime.processes import wire
from pivot_runtime.project import guard
from pivot_runtime.warm import client, starting
from pivot_runtime.warm.client import WarmLine

_PID_BYTES = 8
_LEFTOVERS_SECONDS = 5.0
_ENDED = "the process that starts your pipelines' processes ended unexpectedly"


class WarmForkServer:
    """A fork server from the warm process, as long as that answers."""

    def __init__(
        self, context: CommandContext, path: Sequence[str], *, quiet: bool, held: int | None, may_start: bool
    ) -> None:
        """Ask for nothing yet.

        Args:
            context: The context of the command.
            path: The module search path of a new interpreter.
            quiet: Drop the output of hosts.
            held: The descriptor of the project's guard, which the hosts hold as well.
            may_start: `finish` may start the process.
        """
        self._context = context
        self._path = path
        self._quiet = quiet
        self._guard = held
        self._may_start = may_start
        self._asked = False
        self._line: WarmLine | None = None
        self._refusal: str | None = None

    @classmethod
    def of(cls, context: CommandContext, *, quiet: bool, held: int | None, may_start: bool) -> "WarmForkServer | None":
        """Return that of a command; None if its settings, or the way in which it was started, exclude them."""
        settings = context.settings
        if not settings.warm or settings.worker_start is not WorkerStart.FORK:
            return None
        if context.startup_state is None or context.host_pool is not None:  # another program's process, or watch
            return None
        return cls(context, context.startup_state.path, quiet=quiet, held=held, may_start=may_start)

    def is_ready(self) -> bool:
        """Whether it forks hosts."""
        if not self._asked:
            self._asked = True
            self._ask()
        return self._line is not None

    def fork(self, theirs_in: int, theirs_out: int) -> int:
        """Fork a host with its ends of the two pipes; return its pid.

        Raises:
            HostError: The fork server has ended; it is not ready any more.
        """
        try:
            if self._line is None:
                raise HostError(_ENDED)
            socket.send_fds(self._line.line, [wire.START_HOST], [theirs_in, theirs_out])
            data = self._line.line.recv(_PID_BYTES)
        except OSError:
            data = b""
        if not data:
            self._close()
            raise HostError(_ENDED)
        return int.from_bytes(data)

    def end_leftovers(self) -> None:
        """End the processes that killed hosts have left, which are descendants of the fork server."""
        if self._line is None:
            return
        try:
            self._line.line.settimeout(_LEFTOVERS_SECONDS)
            self._line.line.send(wire.END_LEFTOVERS)
            self._line.line.recv(_PID_BYTES)
            self._line.line.settimeout(None)
        except OSError:
            self._close()

    def finish(self) -> None:
        """End what this command uses of the warm process; start one for the next command if that could not be used."""
        if self._line is not None:
            self._close()
        elif self._asked and self._may_start:
            layout = self._context.project.layout
            if starting.why_not(layout, self._context.environment) is None:
                if self._refusal is not None:
                    starting.end(layout)
                starting.start(layout)

    def _ask(self) -> None:
        wanted = client.Request(os.environ, self._path, self._quiet, self._guard)
        answer = client.request(self._context.project.layout, wanted)
        if isinstance(answer, str):
            self._refusal = answer
        elif answer is not None:
            self._line = answer
            if self._guard is not None:
                guard.note_relative(self._guard, answer.pid)

    def _close(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None
