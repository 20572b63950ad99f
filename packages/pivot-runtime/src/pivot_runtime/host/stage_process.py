"""The process of one stage run, as the host sees it: its reports, its output, its time limits and its end."""

import contextlib
import importlib
import os
import signal
import sys
import time
from collections.abc import Collection, Iterator
from types import ModuleType
from typing import Any, Final, NamedTuple

from pivot_runtime.history import logs
from pivot_runtime.history.logs import RunLog, TextLines
from pivot_runtime.host.leftovers import Leftovers
from pivot_runtime.host.prefork import StartedProcess
from pivot_runtime.host.time_limits import TimeLimits
from pivot_runtime.processes import wire

_LEFTOVERS_POLL_SECONDS = 0.01
_POLL_SECONDS = 0.05
"""The time between two looks at a process whose end no descriptor reports."""
_LONGEST_SECONDS = 3600.0
"""The longest time that the system can wait at once."""
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024
_CHUNK = 1 << 16
_CHUNKS = 16
"""Chunks of output that are read at once, so that a stage that prints without end delays no other."""
_RESOURCE: Final = "resource"
"""The module of the standard library that `os.wait4` imports."""


def _standard_resource() -> ModuleType:
    """Import the module before any code of the user runs, and leave its name to a module of the user."""
    known = _RESOURCE in sys.modules
    module = importlib.import_module(_RESOURCE)
    if not known:
        del sys.modules[_RESOURCE]
    return module


_STANDARD: Final = _standard_resource()


class ProcessEnd(NamedTuple):
    """The end of a process.

    Attributes:
        status: Its exit code, or the negative number of the signal that killed it.
        seconds: The time that it took.
        usage: Seconds of processor time, and the most bytes of memory.
    """

    status: int
    seconds: float
    usage: tuple[float, int]


class OutputPipe:
    """The output of a stage: it goes into the log, and on demand is returned as lines.

    Attributes:
        fd: The descriptor to read from; None once the output has ended.
    """

    def __init__(self, fd: int, log: RunLog, *, stream: bool) -> None:
        """Read from ``fd``, which this object owns, without blocking; ``stream`` returns lines."""
        os.set_blocking(fd, False)
        self.fd: int | None = fd
        self._log = log
        self._lines = TextLines() if stream else None
        self._frames = logs.Frames()

    def held(self) -> tuple[int | None, int | None]:
        """The descriptors that no other process may hold open; None for one that is not open."""
        return self.fd, self._log.fd

    def read(self) -> list[str]:
        """Write new output to the log; returns the lines that it completes."""
        complete: list[str] = []
        for _ in range(_CHUNKS):
            if self.fd is None:
                break
            try:
                data = os.read(self.fd, _CHUNK)
            except BlockingIOError:
                break
            if not data:
                os.close(self.fd)
                self.fd = None
                break
            self._log.write(data)
            if self._lines is not None:
                complete += filter(self._frames.is_users, self._lines.feed(data))
        return complete

    def close(self) -> list[str]:
        """Close the pipe and the log; returns the last line if it is incomplete."""
        self._log.close()
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None
        rest = self._lines.rest() if self._lines is not None else ()
        return [*filter(self._frames.is_users, rest)]


class StageProcess:
    """The process of a stage run that has not ended, or has left other processes running.

    Attributes:
        number: The number of the run, from the command.
        address: The stage's.
        pid: Its process, which leads a group of its own.
        spool: The directory for observations of the processes that it starts.
        message: Its last report.
        end: How its process ended; None while it runs.
        overdue: It exceeded its timeout.
        leftovers: The processes that it left running.
    """

    def __init__(  # noqa: PLR0913  # the run of one stage
        self,
        number: int,
        address: str,
        started: StartedProcess,
        log: RunLog,
        *,
        stream: bool,
        timeout: float | None,
        importing: bool,
    ) -> None:
        """Follow a process that was just started.

        Args:
            number: The number of the run.
            address: The stage's.
            started: The process.
            log: The log that takes its output.
            stream: Return its output as lines besides.
            timeout: The seconds that the stage may take; None without a limit.
            importing: It imports the pipeline first, and the time counts from its report that it is ready.
        """
        self.number, self.address = number, address
        self.pid, self.spool = started.pid, started.spool
        self.message: dict[str, Any] | None = None
        self.end: ProcessEnd | None = None
        self.overdue = False
        self.leftovers = Leftovers(started.pid, started.output)
        self._result = started.result
        self._messages = wire.MessageReader(started.result)
        self._output = OutputPipe(started.output, log, stream=stream)
        self._pidfd = os.pidfd_open(started.pid) if hasattr(os, "pidfd_open") else None
        self._timeout = timeout
        self._limits = TimeLimits()
        self._begin_time(None if importing else timeout)
        os.set_blocking(started.result, False)

    def _begin_time(self, timeout: float | None) -> None:
        self._began = time.monotonic()
        self._limits = self._limits.with_timeout(self._began, timeout)

    def fds(self) -> list[int]:
        """The descriptors that become readable when there is something to do."""
        result = None if self._messages.closed else self._result
        pidfd = None if self.end is not None else self._pidfd
        return [fd for fd in (result, self._output.fd, pidfd) if fd is not None]

    def held(self) -> list[int]:
        """All descriptors that a process forked from this one must close."""
        return [fd for fd in (self._result, *self._output.held(), self._pidfd) if fd is not None]

    def patience(self) -> float | None:
        """The seconds after which there is something to do without a readable descriptor; None if there is nothing."""
        if self.end is not None:
            return _LEFTOVERS_POLL_SECONDS
        now = time.monotonic()
        polled = None if self._pidfd is not None else now + _POLL_SECONDS
        moments = [each for each in (self._limits.next, polled) if each is not None]
        return min(_LONGEST_SECONDS, max(0.0, min(moments) - now)) if moments else None

    def needs_attention(self, ready: frozenset[int]) -> bool:
        """Whether there is something to do now that these descriptors are readable."""
        if self.end is not None or self._pidfd is None or not ready.isdisjoint(self.fds()):
            return True
        return self._limits.next is not None and self._limits.next <= time.monotonic()

    def read(self) -> list[str]:
        """Take in its reports and its output; returns the complete lines if it streams."""
        before: object = self
        while not self._messages.closed and before is not self.message:
            before = self.message
            for message in self._messages.receive():
                if message.get("ready"):
                    self._begin_time(self._timeout)
                else:
                    self.message = message
        return self._output.read()

    def check_time(self) -> None:
        """Send it the signals that its time limits demand."""
        if self.end is not None:
            return
        signals, self._limits, timed_out = self._limits.due(time.monotonic())
        if timed_out:
            self.overdue = self.message is None
        for number in signals:
            self.signal(number)

    def interrupt(self) -> None:
        """Interrupt it, as Ctrl-C does; if it does not end, it gets SIGTERM, and then SIGKILL."""
        if self.end is None:
            self.signal(signal.SIGINT)
            self._limits = self._limits.interrupted(time.monotonic())

    def signal(self, number: int) -> None:
        """Send a signal to its process and to all of its group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def reap(self, known: Collection[int]) -> ProcessEnd | None:
        """The end of its process; None while that, or a leftover process, runs on.

        Leftovers are the children of this process but for the ``known`` ones, among which is the process of the run.
        They are ended, gently at first.
        """
        if self.end is None:
            if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                return None
            self.leftovers.find(known)
            self.end = self._wait()
            self.leftovers.begin(time.monotonic())
        else:
            self.leftovers.find(known)
        self.leftovers.end(time.monotonic())
        return None if self.leftovers.running else self.end

    def _wait(self) -> ProcessEnd:
        if not self.leftovers.running:
            # Also where leftovers cannot be listed. After the wait, the group's number may mean another group.
            self.signal(signal.SIGKILL)
        with _standard_in_place():
            _, status, usage = os.wait4(self.pid, 0)
        seconds = time.monotonic() - self._began
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None
        cost = (usage.ru_utime + usage.ru_stime, usage.ru_maxrss * _MAXRSS_UNIT)
        return ProcessEnd(os.waitstatus_to_exitcode(status), seconds, cost)

    def close(self) -> list[str]:
        """Close all descriptors; returns the last lines if it streams."""
        lines = self.read()
        os.close(self._result)
        if self._pidfd is not None:
            os.close(self._pidfd)
            self._pidfd = None
        return [*lines, *self._output.close()]


@contextlib.contextmanager
def _standard_in_place() -> Iterator[None]:
    """Let `os.wait4` find the standard module, even if the user has one of the same name."""
    theirs = sys.modules.get(_RESOURCE)
    sys.modules[_RESOURCE] = _STANDARD
    try:
        yield
    finally:
        if theirs is None:
            sys.modules.pop(_RESOURCE, None)
        else:
            sys.modules[_RESOURCE] = theirs
