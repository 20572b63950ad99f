"""The output of stages, also while they run."""

import asyncio
import codecs
import contextlib
import os
import threading
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from pivot_cli.embedding.threads import in_thread
from pivot_runtime.errors import TargetError
from pivot_runtime.history import history, logs
from pivot_runtime.history.follow import RUNNING, LogFollower, RunningStage, running_stages
from pivot_runtime.project.project import Project
from pivot_ui.api.query import Query
from pivot_ui.errors import UnknownStageError
from pivot_ui.project import ProjectService

__all__ = ["LogReader", "follow_log", "read_log"]

_MOST_BYTES: Final = 1 << 20
_MOST_RUNS: Final = 20
_STEP_S: Final = 0.25
_HEARTBEAT: Final = 60
"""Steps without output after which a stream says that it is alive."""


def read_log(service: ProjectService, query: Query) -> dict[str, Any]:
    """Return the end of the log of the stage with an ``address``; empty if it has printed nothing here.

    Raises:
        UnknownStageError: There is no such stage.
    """
    project = service.context().project
    running = running_stages(project)
    address = _known(service, query.text("address"), running)
    log = logs.find(project.layout, address)
    text, size = "", 0
    if log is not None:
        size = _size(log)
        frames = logs.Frames()
        lines = logs.read_end(log, _MOST_BYTES).splitlines(keepends=True)
        text = "".join(line for line in lines if frames.is_users(line))
    return {
        "address": address,
        "state": RUNNING if address in running else _last_state(project, address),
        "text": text,
        "truncated": size > _MOST_BYTES,
        "size": size,
        "path": "" if log is None else os.fspath(log.relative_to(project.root)),
    }


def _known(service: ProjectService, address: str, running: Mapping[str, RunningStage]) -> str:
    """Return the address if a stage has it, or had it at its last run.

    Raises:
        UnknownStageError: None has it.
    """
    with contextlib.suppress(TargetError):
        if logs.resolve_name(service.context().project.layout, address, running) == address:
            return address
    seen = service.evaluated()
    if seen.stage(address) is None:
        raise UnknownStageError(address, seen.problem)
    return address


def _size(log: os.PathLike[str]) -> int:
    try:
        return os.stat(log).st_size
    except OSError:
        return 0


def _last_state(project: Project, address: str) -> str:
    """Return the state in which a stage ended last; empty if none of the newest runs had it."""
    for number, run in enumerate(history.runs(project)):
        states = [stage.state for stage in run.stages if stage.address == address]
        if states or number == _MOST_RUNS:
            return states[-1] if states else ""
    return ""


class LogReader:
    """The output of a running stage as text, without Pivot's own frames in a traceback.

    Attributes:
        state: Its state; the output is complete if it is no longer ``running``.
    """

    def __init__(self, follower: LogFollower) -> None:
        """Read from the beginning of its output."""
        self.state = RUNNING
        self._follower = follower
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._frames = logs.Frames()
        self._pending = ""
        self._reading = threading.Lock()

    def read(self) -> str:
        """Return the output since the last call; an unfinished line only if nothing has followed it."""
        with self._reading:
            data = b"".join(self._follower.read())
        self.state = self._follower.state
        ended = self.state != RUNNING
        *lines, rest = (self._pending + self._decoder.decode(data, final=ended)).split("\n")
        text = "".join(f"{line}\n" for line in lines if self._frames.is_users(line))
        if rest and (ended or not data):  # such as the progress of a stage
            text, rest = text + (rest if self._frames.is_users(rest) else ""), ""
        self._pending = rest
        return text

    def close(self) -> None:
        """Close the log, after a read that another thread has begun."""
        with self._reading:
            self._follower.close()


async def follow_log(service: ProjectService, query: Query) -> AsyncIterator[tuple[str, dict[str, Any]] | None]:
    """Yield ``text`` with output of the running stage with an ``address``, and ``end`` with its state at its end.

    Of a stage that does not run, yield the end only. None says that the stream is alive.

    Raises:
        UnknownStageError: There is no such stage.
    """
    address, reader = await in_thread(lambda: _begin(service, query))
    if reader is None:
        yield "end", {"state": await in_thread(lambda: _last_state(service.context().project, address))}
        return
    try:
        yield None
        quiet = 0
        while True:
            text = await in_thread(reader.read)
            quiet = 0 if text else quiet + 1
            if text:
                yield "text", {"text": text}
            elif quiet % _HEARTBEAT == 0:
                yield None
            if reader.state != RUNNING:
                yield "end", {"state": reader.state}
                return
            await asyncio.sleep(_STEP_S)
    finally:
        reader.close()


def _begin(service: ProjectService, query: Query) -> tuple[str, LogReader | None]:
    project = service.context().project
    running = running_stages(project)
    address = _known(service, query.text("address"), running)
    if address not in running:
        return address, None
    return address, LogReader(LogFollower(project, address, running[address]))
