"""A stage run that the host has started: its output, its reports, and the end of all its processes."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Collection, Iterable
from typing import Any

from pivot_runtime.history import logs
from pivot_runtime.history.logs import RunLog, TextLines
from pivot_runtime.processes import process_tree, wire

GRACE_SECONDS = 5.0
"""How long a stage that is asked to end may take to do so."""
_UNWIND_SECONDS = 2.0
"""How much of that is left to code that takes an interruption as an exception."""
_LINGER_SECONDS = 0.1
"""How long what a stage started may outlive it, before it is asked to end as well."""
_FAREWELL_SECONDS = 0.5
"""How long that may take."""
_HELPERS_ROUNDS = 10
"""How many times as long what tidies up may take."""
_LONGEST_SECONDS = 3600.0
"""The system waits no longer at a time."""
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024
_CHUNK = 1 << 16
_CHUNKS = 16


class StageProcess:
    """A stage run that has not ended, or has left something running.

    Attributes:
        number: Its number, from the coordinator.
        address: Its stage.
        pid: Its process, which leads a group of its own.
        message: Its last report.
        status: How its process ended; None if it has not.
        seconds: How long its process has run, once it has ended.
        usage: Seconds of processors and most bytes of memory that it took, once it has ended.
        overdue: It ran longer than it may.
        left: Command lines of processes that it left running and that had to be ended.
        strays: Processes that it left running, by pid.
        lost: Processes that cannot be ended.
    """

    def __init__(self, number: int, address: str, pid: int, *, result: int, output: int) -> None:
        self.number = number
        self.address = address
        self.pid = pid
        self.message: dict[str, Any] | None = None
        self.status: int | None = None
        self.seconds = 0.0
        self.usage = (0.0, 0)
        self.overdue = False
        self.left: list[str] = []
        self._result = result
        self._messages = wire.Lines(result)
        self._output: int | None = output
        self._death = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
        self.strays: dict[int, str] = {}
        self.lost: set[int] = set()
        self._circles = {f"group {pid}", f"pipe:[{os.fstat(output).st_ino}]"}
        self._asked = 0
        self._began = 0.0
        self._deadline: float | None = None
        self._ask_at: float | None = None
        self._kill_at: float | None = None
        for fd in (result, output):
            os.set_blocking(fd, False)

    def begin(self, log: RunLog, *, stream: bool, timeout: float | None, importing: bool = False) -> None:
        """Take what it prints into ``log``, and with ``stream`` as lines besides; end it after ``timeout`` seconds.

        They count from now, or, if it is ``importing`` the pipeline itself, from when it says that it is ready.
        """
        self._log = log
        self._lines = TextLines() if stream else None
        self._frames = logs.Frames()
        self._timeout = timeout
        self._begin_time(timeout=None if importing else timeout)

    def _begin_time(self, timeout: float | None) -> None:
        self._began = time.monotonic()
        if timeout is not None:
            self._deadline = self._began + timeout

    def fds(self) -> list[int]:
        """The descriptors that become readable when there is something to do."""
        result = None if self._messages.closed else self._result
        death = None if self.status is not None else self._death
        return [fd for fd in (result, self._output, death) if fd is not None]

    def held(self) -> list[int]:
        """All descriptors that a process forked from this one must close."""
        every = (self._result, self._output, self._death, self._log.fd)
        return [fd for fd in every if fd is not None]

    def patience(self) -> float | None:
        """After how many seconds there is something to do in any case; None if nothing is certain."""
        if self.status is not None:
            return 0.01
        moments = [moment for moment in (self._deadline, self._ask_at, self._kill_at) if moment is not None]
        if self._death is None:
            moments.append(time.monotonic() + 0.05)
        return min(_LONGEST_SECONDS, max(0.0, min(moments) - time.monotonic())) if moments else None

    def read(self) -> list[str]:
        """Take in what it reports and prints; returns complete lines if they are asked for."""
        before: object = self
        while not self._messages.closed and before is not self.message:
            before = self.message
            for message in self._messages.receive():
                if message.get("ready"):
                    self._begin_time(self._timeout)
                else:
                    self.message = message
        return self._read_output()

    def _read_output(self) -> list[str]:
        shown: list[str] = []
        for _ in range(_CHUNKS):  # and no more, so that one that prints without end holds up nobody
            if self._output is None:
                break
            try:
                data = os.read(self._output, _CHUNK)
            except BlockingIOError:
                break
            if not data:
                os.close(self._output)
                self._output = None
                break
            self._log.write(data)
            if self._lines is not None:
                shown += filter(self._frames.is_users, self._lines.feed(data))
        return shown

    def check_time(self) -> None:
        """End it if it has run too long, by force if it was asked before."""
        now = time.monotonic()
        if self.status is None and self._deadline is not None and now >= self._deadline:
            self._deadline = None
            self.overdue = self.message is None
            self.ask_to_end()
        if self._ask_at is not None and now >= self._ask_at:
            self._ask_at = None
            self.ask_to_end()
        if self.status is None and self._kill_at is not None and now >= self._kill_at:
            self.signal(signal.SIGKILL)

    def interrupt(self) -> None:
        """Ctrl-C: what it would clean up then, it cleans up; what does not end by that is asked to, and then killed."""
        if self.status is None:
            self.signal(signal.SIGINT)
            self._ask_at = time.monotonic() + _UNWIND_SECONDS
            self._kill_at = time.monotonic() + GRACE_SECONDS

    def ask_to_end(self) -> None:
        """Let it put its things in order; after a while it is killed."""
        self.signal(signal.SIGTERM)
        if self._kill_at is None:
            self._kill_at = time.monotonic() + GRACE_SECONDS

    def signal(self, number: int) -> None:
        """Send a signal to its process and to all of its group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def ended(self, known: Collection[int]) -> bool:
        """Whether its process has ended and left nothing running; what it left is ended, at first kindly.

        ``known`` are the children of this process that are not to be touched, among them the one of this run.
        """
        if self.status is None:
            if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                return False
            self._find_strays(known)
            self._note_end()
        else:
            self._find_strays(known)
        if self.strays and self._kill_at is not None and time.monotonic() >= self._kill_at:
            self._end_strays()
        return not self.strays

    def _note_end(self) -> None:
        if not self.strays:  # also where it cannot be known; only the zombie's number is certainly that of its group
            self.signal(signal.SIGKILL)
        _, status, usage = os.wait4(self.pid, 0)
        self.usage = (usage.ru_utime + usage.ru_stime, usage.ru_maxrss * _MAXRSS_UNIT)
        self.seconds = time.monotonic() - self._began
        self.status = os.waitstatus_to_exitcode(status)
        self._ask_at = None
        if self._death is not None:
            os.close(self._death)
            self._death = None
        self._kill_at = time.monotonic() + _LINGER_SECONDS

    def _find_strays(self, known: Collection[int]) -> None:
        self.strays = {pid: told for pid, told in process_tree.strays(known).items() if pid not in self.lost}
        for pid in self.strays:
            self._circles |= process_tree.circles(pid)

    def claims(self, pid: int) -> bool:
        """Whether a process was started by what is known to be of this run."""
        return not self._circles.isdisjoint(process_tree.circles(pid))

    def _end_strays(self) -> None:
        helpers = {pid for pid, command in self.strays.items() if process_tree.is_helper(command)}
        late = self.strays.keys() - (helpers if self._asked < _HELPERS_ROUNDS else set())
        if self._asked == 0:
            self.left += process_tree.told(self.strays)
            _send(self.strays, signal.SIGTERM)
        elif self._asked in (1, _HELPERS_ROUNDS):
            _send(late, signal.SIGKILL)
        else:
            self.lost |= late
            self.strays = {pid: command for pid, command in self.strays.items() if pid not in late}
        self._asked += 1
        self._kill_at = time.monotonic() + _FAREWELL_SECONDS

    def close(self) -> list[str]:
        """Let go of all that it held; returns the last lines if they are asked for."""
        shown = self.read()
        self._log.close()
        for fd in (self._result, self._output, self._death):
            if fd is not None:
                os.close(fd)
        self._output = self._death = None
        rest = self._lines.rest() if self._lines is not None else ()
        return [*shown, *filter(self._frames.is_users, rest)]


def _send(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
