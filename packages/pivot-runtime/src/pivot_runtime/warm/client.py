"""The command's side: a line to a fork server of the warm process, if that can stand in for one of its own."""

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from pivot_cache.layout import Layout
from pivot_runtime.processes import process_tree
from pivot_runtime.warm import conditions, endpoint, messages

ANSWER_SECONDS: Final = 2.0
"""The time within which the warm process must have answered; otherwise a command goes on without it."""
_END_SECONDS: Final = 2.0
OTHER_LIBRARIES: Final = "other libraries"
"""The reason of a warm process that has imported other libraries than a command needs."""


class WarmLine(NamedTuple):
    """A line to a fork server of this command, forked from the warm process.

    Attributes:
        line: The socket for the requests.
        pid: The fork server.
        file: The pipeline file for whose hosts the libraries were imported.
    """

    line: socket.socket
    pid: int
    file: str

    def close(self) -> None:
        """End the fork server, and wait until it has ended; its hosts live on."""
        with contextlib.suppress(OSError):
            self.line.shutdown(socket.SHUT_WR)
        if not process_tree.readable_within(self.line.fileno(), _END_SECONDS):
            with contextlib.suppress(OSError):  # it cannot have ended, since its end of the line is open
                os.kill(self.pid, signal.SIGKILL)
            process_tree.readable_within(self.line.fileno(), _END_SECONDS)
        self.line.close()


class Request(NamedTuple):
    """The request of a command for a fork server.

    Attributes:
        environment: Its environment variables.
        path: The module search path of a new interpreter.
        names: The modules that the hosts must have imported in advance.
        quiet: Drop the output of hosts.
        guard: The descriptor of the project's guard, which the hosts hold as well.
    """

    environment: Mapping[str, str]
    path: Sequence[str]
    names: tuple[str, ...]
    quiet: bool
    guard: int | None


def request(layout: Layout, wanted: Request) -> WarmLine | str | None:
    """Return a line; None if no warm process listens, and the reason if there is one that cannot be used."""
    own = conditions.conditions(wanted.path)
    if own is None:
        return "the control group of this process cannot be seen"
    until = time.monotonic() + ANSWER_SECONDS
    try:
        line = endpoint.connect(layout, ANSWER_SECONDS)
    except endpoint.EndpointError as error:
        return str(error)
    if line is None:
        return None
    message = {
        "op": "serve",
        "conditions": own,
        "environment": dict(wanted.environment),
        "names": wanted.names,
        "arguments": [sys.argv, sys.orig_argv],
        "guard": wanted.guard is not None,
    }
    try:
        with _descriptors(wanted) as fds:
            messages.send(line, message, fds)
        answer, _ = messages.receive(line, max(0.0, until - time.monotonic()))
        if answer.get("event") == "ready":
            line.settimeout(None)
            return WarmLine(line, int(answer["pid"]), str(answer["file"]))
        reason = str(answer.get("reason", ""))
    except (OSError, ValueError, KeyError, messages.MessageError):
        reason = "it does not answer"
    line.close()
    return reason


def ask_status(layout: Layout) -> dict[str, Any] | str | None:
    """Return what the warm process says of itself; None if none listens, and the reason if it does not answer."""
    try:
        line = endpoint.connect(layout, ANSWER_SECONDS)
    except endpoint.EndpointError as error:
        return str(error)
    if line is None:
        return None
    with line:
        try:
            messages.send(line, {"op": "status"})
            return messages.receive(line, ANSWER_SECONDS)[0]
        except (OSError, messages.MessageError):
            return "it does not answer"


@contextlib.contextmanager
def _descriptors(wanted: Request) -> Iterator[list[int]]:
    opened = [os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)]
    try:
        if wanted.quiet:
            opened.append(os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC))
        yield [opened[0], opened[1] if wanted.quiet else 2, *(() if wanted.guard is None else (wanted.guard,))]
    finally:
        for fd in opened:
            os.close(fd)
