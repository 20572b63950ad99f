"""The process of one combination: makes its private copy of the project, and runs the stages there."""

import os
import pathlib
import time
import traceback
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from pivot_core.errors import PivotError
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact
from pivot_runtime.artifacts.stores import open_stores
from pivot_runtime.context import CommandContext, StartupState
from pivot_runtime.history import event_json, events
from pivot_runtime.inspecting.scratch import InputGoneError
from pivot_runtime.processes import parent_death, wire
from pivot_runtime.project.project import Project
from pivot_runtime.running.repro import RunOptions, repro
from pivot_runtime.running.turns import Turn
from pivot_runtime.sweeps import copies
from pivot_runtime.sweeps.events import INTERRUPTED

if TYPE_CHECKING:
    from pivot_runtime.running.repro import RunResult


class CombinationTask(NamedTuple):
    """The task of the process of a combination, which the sweep sends to it.

    Attributes:
        project: The root of the project.
        cwd: The directory of the command, relative to it.
        base: The copy of its sources.
        root: The root of the copy to make.
        cache: The directory of the cache.
        overrides: The options of the combination.
        stages: The addresses of the stages to run.
        inputs: Their inputs: digest, size, executable, tree.
        around: The directories which they both read and write into.
        outs: Their outs.
        all_pipelines: Whether to load every pipeline of the project.
        force: Whether to run them in any case.
        keep_going: Whether to go on after a failure; None for what is configured.
        startup: The modules, the path and the thresholds of a `StartupState`, if hosts may be forked.
    """

    project: str
    cwd: str
    base: str
    root: str
    cache: str
    overrides: list[str]
    stages: list[str]
    inputs: Mapping[str, list[Any]]
    around: list[str]
    outs: list[str]
    all_pipelines: bool
    force: bool
    keep_going: bool | None
    startup: list[Any] | None


def main(coordinator: int, *, guard: bool) -> None:
    """Carry out the task that the sweep sends, whose pid is ``coordinator``; ends when that ends."""
    del guard
    parent_death.die_with(coordinator)
    line = _Line()
    task = CombinationTask(**next(line.messages()))
    ended: dict[str, Any] = {"event": "ended", "complete": False, "problem": "", "hint": None}
    try:
        result = _run(task, line)
        ended["complete"] = result.complete
    except KeyboardInterrupt:
        ended["problem"] = INTERRUPTED
    except InputGoneError as error:
        ended["problem"] = f"{error} has been changed since the sweep began"
    except PivotError as error:
        ended |= {"problem": str(error), "hint": error.hint}
    except Exception as error:  # noqa: BLE001  # the sweep reports it and goes on with the other combinations
        ended["problem"] = f"this is a bug in Pivot: {type(error).__name__}: {error}"
        ended["traceback"] = traceback.format_exc()
    line.send(ended)


def _run(task: CombinationTask, line: "_Line") -> "RunResult":
    project, root = pathlib.Path(task.project), pathlib.Path(task.root)
    inputs = {ArtifactPath(path): Artifact(*fields) for path, fields in task.inputs.items()}
    around, outs = (list(map(ArtifactPath, paths)) for paths in (task.around, task.outs))
    with open_stores(CommandContext(Project(project, project), os.environ)) as stores:
        copies.make(pathlib.Path(task.base), root, stores, inputs, around, outs)
    cwd = root / task.cwd
    cwd.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    context = CommandContext(
        Project(root, cwd),
        os.environ,
        tuple(task.overrides),
        began=began,
        use_snapshots=False,
        startup_state=None if task.startup is None else _startup_state(task.startup),
        borrowed_cache=pathlib.Path(task.cache),
    )
    options = RunOptions(
        jobs=1,
        force=task.force,
        keep_going=task.keep_going,
        all_pipelines=task.all_pipelines,
        only_targets=True,
        owns_children=True,
        turns=line,
    )

    def report(event: events.Event) -> None:
        line.send({"event": "report", "line": event_json.to_json(event, events.seconds_since(began, event))})

    return repro(context, task.stages, options=options, report=report)


def _startup_state(plain: list[Any]) -> StartupState:
    modules, path, thresholds = plain
    first, second, third = thresholds
    return StartupState(frozenset(modules), tuple(path), (first, second, third))


class _Line:
    """The line to the sweep, on which it also grants turns."""

    def __init__(self) -> None:
        self._reader = wire.MessageReader(wire.COMMANDS_FD)
        for fd in (wire.COMMANDS_FD, wire.EVENTS_FD):
            os.set_inheritable(fd, False)

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message to the sweep."""
        wire.send(wire.EVENTS_FD, dict(message))

    def messages(self) -> Iterator[dict[str, Any]]:
        """Wait for messages of the sweep."""
        while not self._reader.closed:
            self._reader.wait()
            yield from self._reader.receive()

    def take(self, address: str, key: str) -> Turn:
        """Wait for a turn; see `pivot_runtime.running.turns`."""
        self.send({"event": "take", "address": address, "key": key})
        return Turn(next(self.messages())["answer"])

    def end(self, address: str, *, done: bool | None) -> None:
        """End a turn."""
        self.send({"event": "done", "address": address, "done": done})
