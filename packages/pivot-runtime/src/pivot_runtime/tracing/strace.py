"""Has strace watch the process itself: what C libraries open, and programs that are started."""

import contextlib
import os
import shutil
import signal
import time
from typing import Final

from pivot_runtime.errors import TraceError
from pivot_runtime.processes import parent_death
from pivot_runtime.tracing.straced import CALLS

PROGRAM: Final = "strace"
_PR_SET_PTRACER: Final = 0x59616D61
_ANYBODY: Final = -1
_STEP_S: Final = 0.001


def available() -> bool:
    """Whether it can be started."""
    return shutil.which(PROGRAM) is not None


class Strace:
    """A tracer of this process and of all that it starts, from `start` to `stop`."""

    def __init__(self, file: str) -> None:
        """``file`` takes what it writes."""
        self._file = file
        self._errors = f"{file}.err"
        self._pid = 0

    def start(self) -> None:
        """Begin, and wait until nothing can be missed.

        Raises:
            TraceError: It is not there, or not allowed.
        """
        program = shutil.which(PROGRAM)
        if program is None:
            raise missing()
        parent_death.libc().prctl(_PR_SET_PTRACER, _ANYBODY, 0, 0, 0)  # else only an ancestor may trace
        calls = ",".join(f"?{call}" for call in CALLS)
        options = ("-f", "-q", "-y", "-s", "4096", "-e", f"trace={calls}", "-e", "signal=none", "-o", self._file)
        actions = [(os.POSIX_SPAWN_OPEN, 2, self._errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)]
        self._pid = os.posix_spawn(
            program, [program, *options, "-p", str(os.getpid())], os.environ, file_actions=actions, setpgroup=0
        )
        while not _traced():
            if os.waitpid(self._pid, os.WNOHANG)[0]:
                raise TraceError(f"strace cannot watch the stage: {self._said()}", hint="allow ptrace, or do without")
            time.sleep(_STEP_S)

    def stop(self) -> None:
        """End it; the file is then whole."""
        if self._pid:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(self._pid, signal.SIGINT)  # it lets go of what it traces, and ends
                os.waitpid(self._pid, 0)
            self._pid = 0

    def _said(self) -> str:
        with contextlib.suppress(OSError), open(self._errors, encoding="utf-8", errors="replace") as file:
            return file.read().strip().splitlines()[-1].removeprefix("strace: ")
        return "it says nothing"


def missing() -> TraceError:
    """The error where there is no strace."""
    return TraceError("strace, which --trace-io needs, is not on the PATH", hint="install it; there is one for Linux")


def _traced() -> bool:
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        return not any(line.startswith("TracerPid:\t0") for line in file)
