"""The interface of executors: how to start a stage run, and how its end is reported."""

import pathlib
from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Protocol

import attrs

from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact, CodeEntry, Inputs
from pivot_core.values import Value
from pivot_runtime.tracing.usage import ResourceUsage, UsedFiles

type Debugger = Callable[[TracebackType], None]
"""Receives the place in the user's code where a stage failed."""


@attrs.frozen(eq=False, repr=False)
class Failure(Value):
    """The failure of a stage run: one line, its own traceback or an empty text, and a hint if there is one."""

    summary: str
    detail: str = ""
    hint: str | None = None


@attrs.frozen(eq=False, repr=False)
class Finished(Value):
    """The end of a stage run.

    Attributes:
        address: The stage.
        seconds: The duration.
        failure: The failure; None if it succeeded.
        observed: Code by key that it was observed to depend on, and that its fingerprint lacks.
        incomplete: The reasons why some dependencies may not have been observed.
        seen: Other things that it used.
        usage: The resources that it used, if known.
        left: The command lines of processes that it left running and that had to be ended.
        outs: The outs that it wrote, where an executor stores them; None if they are at their paths here. Of a stage
            that failed, there may be none.
    """

    address: str
    seconds: float
    failure: Failure | None = None
    observed: Mapping[str, CodeEntry] = attrs.field(factory=dict)
    incomplete: tuple[str, ...] = ()
    seen: UsedFiles = attrs.field(factory=UsedFiles)
    usage: ResourceUsage | None = None
    left: tuple[str, ...] = ()
    outs: Mapping[ArtifactPath, Artifact] | None = None


class Executor(Protocol):
    """Runs stages that the coordinator has found ready; it neither makes decisions nor commits results."""

    def start(self, address: str, log: pathlib.Path, inputs: Inputs) -> None:
        """Start a stage whose output goes to ``log``.

        An executor that runs it here finds its deps on disk, and needs no ``inputs``; others run it with these.
        """
        ...

    def wait(self) -> Finished:
        """Block until a started stage ends."""
        ...

    def stop(self) -> None:
        """End all started stages, first gracefully and then by force; they count as never run."""
        ...

    def kill(self) -> None:
        """End all started stages immediately; no more stages can be started."""
        ...


class Immediate:
    """The base of executors that never wait: when ``start`` returns, the stage has ended."""

    def __init__(self) -> None:
        self._finished: deque[Finished] = deque()

    def wait(self) -> Finished:
        """See `Executor.wait`."""
        return self._finished.popleft()

    def stop(self) -> None:
        """See `Executor.stop`."""
        self._finished.clear()

    def kill(self) -> None:
        """See `Executor.kill`."""
        self._finished.clear()
