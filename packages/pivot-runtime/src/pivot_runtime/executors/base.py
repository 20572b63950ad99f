"""The interface of executors: how a stage run is started, and the report of its end."""

import pathlib
from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Protocol

import attrs

from pivot_core.lock import CodeEntry
from pivot_core.values import Value
from pivot_runtime.tracing.usage import ResourceUsage, UsedFiles

type Debugger = Callable[[TracebackType], None]
"""Is given the place in the user's code where a stage has failed."""


@attrs.frozen(eq=False, repr=False)
class Failure(Value):
    """How a stage run ended badly: one line, its own traceback or nothing, the way out if known."""

    summary: str
    detail: str = ""
    hint: str | None = None


@attrs.frozen(eq=False, repr=False)
class Finished(Value):
    """The end of a stage run.

    Attributes:
        address: Which.
        seconds: How long it took.
        failure: How it ended badly; None if it did not.
        observed: By key, code that it was observed to depend on and that its fingerprint does not have.
        incomplete: Why something that it depends on may not have been seen.
        seen: Other things that it used.
        usage: The resources that it used, if known.
        left: The command lines of processes that it left running and that had to be ended.
    """

    address: str
    seconds: float
    failure: Failure | None = None
    observed: Mapping[str, CodeEntry] = attrs.field(factory=dict)
    incomplete: tuple[str, ...] = ()
    seen: UsedFiles = attrs.field(factory=UsedFiles)
    usage: ResourceUsage | None = None
    left: tuple[str, ...] = ()


class Executor(Protocol):
    """Runs stages that the coordinator has found ready; it neither decides nor commits anything."""

    def start(self, address: str, log: pathlib.Path) -> None:
        """Begin to run a stage whose deps are on disk; ``log`` takes what it prints."""
        ...

    def wait(self) -> Finished:
        """Block until a started stage ends."""
        ...

    def stop(self) -> None:
        """End all started stages: gracefully, and after a while by force; they count as never run."""
        ...

    def kill(self) -> None:
        """End all started stages at once; nothing can be started any more."""
        ...


class Immediate:
    """The half of an executor that has nothing to wait for: when ``start`` returns, the stage has ended."""

    def __init__(self) -> None:
        self._finished: deque[Finished] = deque()

    def wait(self) -> Finished:
        """As `Executor.wait`."""
        return self._finished.popleft()

    def stop(self) -> None:
        """As `Executor.stop`."""
        self._finished.clear()

    def kill(self) -> None:
        """As `Executor.kill`."""
        self._finished.clear()
