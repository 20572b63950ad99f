"""Running stages of any process, and their output until they end: `pivot logs --follow`."""

import os
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from pivot_runtime.errors import EngineError
from pivot_runtime.history import history, logs
from pivot_runtime.project.project import Project

RUNNING: Final = "running"
_CHUNK: Final = 1 << 16
_STEP_SECONDS: Final = 0.01
"""More than a tick of the clock of file times."""
_SEEN: Final = 1 << 12


class RunningStage(NamedTuple):
    """A stage that is running.

    Attributes:
        run: The number of the run.
        name: The name by which the run shows it.
        began: Its start in seconds since the epoch.
        worker: The worker of a cluster that runs it; empty if it runs here.
    """

    run: int
    name: str
    began: float
    worker: str = ""


def running_stages(project: Project) -> Mapping[str, RunningStage]:
    """The running stages by address, all of the newest run, since a project has only one run at a time."""
    newest = next(history.runs(project), None)
    if newest is None or newest.state != RUNNING:
        return {}
    return {
        stage.address: RunningStage(newest.number, stage.name, newest.time + stage.began, stage.worker)
        for stage in newest.stages
        if stage.state == RUNNING
    }


class LogFollower:
    """The output of one stage, from its first byte on.

    Attributes:
        state: Its state, as in `history.STATES`.
    """

    def __init__(self, project: Project, address: str, running: RunningStage) -> None:
        """Follow the stage from its beginning."""
        self.state = RUNNING
        self._project = project
        self._address = address
        self._run = running.run
        self._began = running.began
        self._log = logs.path_of(project.layout, address)
        self._fd: int | None = None
        self._at = 0
        self._seen = b""

    def read(self) -> Iterator[bytes]:
        """The output since the last call; updates the state first."""
        if self.state == RUNNING:
            self.state = self._now()
        while True:
            yield from self._rest()
            if not self._next():
                return

    def close(self) -> None:
        """Close the log."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _now(self) -> str:
        try:
            found = history.run(self._project, self._run)
        except EngineError:
            return "interrupted"
        states = [stage.state for stage in found.stages if stage.address == self._address]
        return states[-1] if states else "interrupted"

    def _rest(self) -> Iterator[bytes]:
        if self._fd is None:
            return
        size = os.fstat(self._fd).st_size
        if size < self._at:  # its middle was omitted
            yield self._again(size)
        while data := os.pread(self._fd, _CHUNK, self._at):
            self._at += len(data)
            self._seen = (self._seen + data)[-_SEEN:]
            yield data

    def _again(self, size: int) -> bytes:
        """Continue after the last output that was read, or at the start of the kept end of the log."""
        fd = self._fd
        if fd is None:
            return b""
        kept = os.pread(fd, size, 0)
        at = kept.rfind(self._seen)
        self._at = at + len(self._seen) if at >= 0 else max(0, size - _SEEN)
        return b"" if at >= 0 else b"\n"

    def _next(self) -> bool:
        """Start with the current log if it is another one, as after a retry."""
        try:
            fd = os.open(self._log, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        if self._fd is not None and os.path.samestat(os.fstat(fd), os.fstat(self._fd)):
            os.close(fd)
            return False
        if os.fstat(fd).st_mtime + _STEP_SECONDS < self._began:  # of an earlier run
            os.close(fd)
            return False
        self.close()
        self._fd, self._at, self._seen = fd, 0, b""
        return True
