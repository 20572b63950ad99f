"""`pivot repro --compare`: runs the combinations of a sweep in processes of their own, and records their results."""

import contextlib
import os
import pathlib
import select
import signal
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from pivot_cache.errors import CacheError
from pivot_cache.formats import lock_file
from pivot_cache.layout import Layout
from pivot_cache.state.results import Result
from pivot_core.lock import StageLock
from pivot_core.plan import resource_needs
from pivot_core.values import Value
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import StaleSnapshotError
from pivot_runtime.evaluating.session import Session, open_session
from pivot_runtime.history.command_line import masked, shown_values
from pivot_runtime.loading.assembly import LoadOptions, load_pipelines
from pivot_runtime.loading.host_client import above_target, begin_process
from pivot_runtime.processes import wire
from pivot_runtime.processes.cpu_count import default_jobs
from pivot_runtime.results import recording
from pivot_runtime.results.comparable import metric_paths
from pivot_runtime.sweeps import combinations, copies, events, planning
from pivot_runtime.sweeps.combination import CombinationTask
from pivot_runtime.sweeps.events import SweepCombination, SweepReporter
from pivot_runtime.sweeps.planning import PlannedCombination
from pivot_runtime.sweeps.stage_turns import StageTurns, TurnRequest
from pivot_runtime.sweeps.sweep_journal import SweepJournal

RAN: Final = "ran"
CACHED: Final = "cached"
FAILED: Final = "failed"

_PATIENCE_S: Final = 60.0
"""How long combinations may take to end after Ctrl-C; stages have a grace period of their own, which is shorter."""


@attrs.frozen(eq=False, repr=False)
class SweepOptions(Value):
    """How a sweep is done.

    Attributes:
        jobs: Combinations at once; None for what is configured, else for what the machine grants.
        keep_going: After a failure, run the stages of a combination that do not depend on it; None for what is
            configured.
        force: Run every stage, whatever the decision would be.
        all_pipelines: Load every pipeline of the project.
    """

    jobs: int | None = None
    keep_going: bool | None = None
    force: bool = False
    all_pipelines: bool = False


@attrs.define
class SweepResult:
    """The result of a sweep.

    Attributes:
        ended: How each combination has ended, in their order.
        results: The recorded results by ID.
        seconds: The time since the command began.
    """

    ended: list[events.CombinationEnded] = attrs.field(factory=list)
    results: dict[str, Result] = attrs.field(factory=dict)
    seconds: float = 0.0

    @property
    def complete(self) -> bool:
        """Whether every combination has a result."""
        return all(each.state != FAILED for each in self.ended)


def plan(
    context: CommandContext, params: Sequence[str], targets: Sequence[str], options: SweepOptions
) -> tuple[tuple[SweepCombination, ...], Mapping[str, str]]:
    """Return the combinations of a sweep, with the stages that would run, and the short names of all stages.

    Raises:
        PivotError: As for `sweep`.
    """
    with _planned(context, params, targets, options) as (session, _, planned):
        return tuple(each.shown for each in planned), session.graph.short_names()


def sweep(
    context: CommandContext,
    params: Sequence[str],
    targets: Sequence[str],
    options: SweepOptions,
    report: SweepReporter,
) -> SweepResult:
    """Run every combination of the values of parameters, each in a private copy of the project.

    Stages with the inputs of an earlier run, or of another combination, are not run again. Results are recorded as
    combinations end.

    Raises:
        PivotError: The pipeline cannot be loaded, a target or parameter is unknown, or a value does not fit.
        KeyboardInterrupt: The user interrupted; the results of combinations that have ended are recorded.
    """
    with _planned(context, params, targets, options) as (session, files, planned):
        journal = _journal(session, params, planned, report)
        done = SweepResult()
        try:
            _run(session, files, planned, options, _Recorder(session, journal, done))
        except BaseException as error:
            journal.stopped(error)
            raise
        done.ended.sort(key=lambda each: each.combination.number)
        done.seconds = time.monotonic() - context.began
        journal(events.SweepEnded(done.seconds, done.complete))
        return done


def _run(
    session: Session,
    files: Any,
    planned: Sequence[PlannedCombination],
    options: SweepOptions,
    recorder: "_Recorder",
) -> None:
    recorder.report(events.SweepStarted([each.shown for each in planned], session.graph.short_names()))
    running = [each for each in planned if each.shown.stages and not each.shown.blocked]
    for each in planned:
        if each not in running:
            recorder.settled(each)
    if running:
        with copies.open_base(session.stores, files) as base:
            _Sweep(session, options, base, recorder).drive(running)


def _journal(
    session: Session, params: Sequence[str], planned: Sequence[PlannedCombination], report: SweepReporter
) -> SweepJournal:
    stages = [
        (each.stage.spec.pipeline, each.stage.spec.name, each.stage.params)
        for one in planned[:1]
        for each in one.evaluations.values()
    ]

    def command() -> str:
        return masked(session.context.arguments, params, stages) if session.context.arguments else "pivot repro"

    def values(number: int) -> str:
        overrides = next(each.overrides for each in planned if each.shown.number == number)
        return shown_values(overrides, stages)

    return SweepJournal(session.project.layout, command, values, report, session.context.began)


@contextlib.contextmanager
def _planned(
    context: CommandContext, params: Sequence[str], targets: Sequence[str], options: SweepOptions
) -> Iterator[tuple[Session, Any, tuple[PlannedCombination, ...]]]:
    axes = combinations.axes(params)
    every = list(combinations.combinations(axes))
    # The names of all parameters are checked with the first combination.
    context = attrs.evolve(context, overrides=every[0])
    with contextlib.ExitStack() as stack:
        try:
            opened = _load(context, options, stack, force_import=False)
            planned = planning.plan(*opened, axes, every, targets, force=options.force)
        except StaleSnapshotError:
            stack.close()
            opened = _load(context, options, stack, force_import=True)
            planned = planning.plan(*opened, axes, every, targets, force=options.force)
        session, assembly = opened
        assembly.close()  # its hosts are not needed any more
        yield session, assembly.files, planned


def _load(
    context: CommandContext, options: SweepOptions, stack: contextlib.ExitStack, *, force_import: bool
) -> tuple[Session, Any]:
    load_options = LoadOptions(all_pipelines=options.all_pipelines, force_import=force_import)
    assembly = stack.enter_context(load_pipelines(context, load_options))
    return stack.enter_context(open_session(context, assembly)), assembly


class _Recorder:
    """Records and reports how combinations end."""

    def __init__(self, session: Session, report: SweepReporter, done: SweepResult) -> None:
        self.report = report
        self._session = session
        self._done = done
        self._metric_files = metric_paths(session.graph.stages.values())

    def settled(self, planned: PlannedCombination) -> None:
        """A combination of which nothing runs has ended."""
        if planned.shown.blocked:
            self._end(events.CombinationEnded(planned.shown, FAILED, problem=planned.shown.blocked))
        else:
            self.recorded(planned, {}, CACHED, 0.0)

    def recorded(self, planned: PlannedCombination, ran: Mapping[str, StageLock], state: str, seconds: float) -> None:
        """All stages of a combination have locks: record them."""
        locks = {**planned.locks(), **ran}
        name, result = recording.record(self._session.stores, locks, self._metric_files, seconds=seconds)
        self._done.results[name] = result
        metrics = {str(path): value for path, value in result.metrics.items()}
        self._end(events.CombinationEnded(planned.shown, state, name, metrics, seconds))

    def failed(self, planned: PlannedCombination, problem: str, hint: str | None, seconds: float) -> None:
        """A combination has no result."""
        self._end(events.CombinationEnded(planned.shown, FAILED, problem=problem, hint=hint, seconds=seconds))

    def _end(self, ended: events.CombinationEnded) -> None:
        self._done.ended.append(ended)
        self.report(ended)


class _Process:
    """The process of a combination."""

    def __init__(self, planned: PlannedCombination, task: CombinationTask, context: CommandContext) -> None:
        self.planned = planned
        self.root = pathlib.Path(task.root)
        self.began = time.monotonic()
        self.problem: tuple[str, str | None] = ("", None)
        self.complete = False
        theirs_in, self._commands = map(above_target, os.pipe())
        self.events, theirs_out = map(above_target, os.pipe())
        try:
            given = ((theirs_in, wire.COMMANDS_FD), (theirs_out, wire.EVENTS_FD))
            state = context.startup_state
            self.pid = begin_process("pivot_runtime.sweeps.combination", given, quiet=True, startup_state=state)
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        self._reader = wire.MessageReader(self.events)
        self.send(task._asdict())

    @property
    def closed(self) -> bool:
        return self._reader.closed

    def send(self, message: Mapping[str, Any]) -> None:
        with contextlib.suppress(BrokenPipeError):
            wire.send(self._commands, dict(message))

    def receive(self) -> Iterator[dict[str, Any]]:
        return self._reader.receive()

    def interrupt(self, number: signal.Signals = signal.SIGINT) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def close(self) -> None:
        """Wait for its end, and remove its copy."""
        os.close(self._commands)
        os.close(self.events)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)
        copies.discard(self.root)


class _Sweep:
    """The combinations that run, each in a process."""

    def __init__(self, session: Session, options: SweepOptions, base: pathlib.Path, recorder: _Recorder) -> None:
        self._session = session
        self._options = options
        self._base = base
        self._recorder = recorder
        settings = session.stores.settings
        self._jobs = options.jobs or settings.run_jobs or default_jobs()
        capacities = settings.capacities(session.graph.stages.values())
        self._needs = resource_needs(session.graph.stages.values(), capacities)
        self._turns = StageTurns(capacities)
        self._processes: dict[int, _Process] = {}

    def drive(self, planned: Iterable[PlannedCombination]) -> None:
        """Run combinations until all have ended."""
        waiting = list(reversed(list(planned)))
        try:
            while waiting or self._processes:
                while waiting and len(self._processes) < self._jobs:
                    self._start(waiting.pop())
                self._listen(None)
        except BaseException as error:
            self._abandon(error)
            raise

    def _start(self, planned: PlannedCombination) -> None:
        number = planned.shown.number
        self._recorder.report(events.CombinationStarted(planned.shown))
        context = self._session.context
        self._processes[number] = _Process(planned, self._task(planned), context)

    def _task(self, planned: PlannedCombination) -> CombinationTask:
        context, stores, stages = self._session.context, self._session.stores, planned.shown.stages
        state = context.startup_state
        inputs = planned.inputs().items()
        return CombinationTask(
            project=str(context.project.root),
            cwd=str(context.project.cwd.relative_to(context.project.root)),
            base=str(self._base),
            root=str(copies.place_of(self._base, planned.shown.number)),
            cache=str(stores.layout.cache_dir),
            overrides=list(planned.overrides),
            stages=list(stages),
            inputs={path: [each.digest, each.size, each.executable, each.tree] for path, each in inputs},
            around=list(planned.open_deps()),
            outs=[out.path for address in stages for out in planned.evaluations[address].stage.spec.outs],
            all_pipelines=self._options.all_pipelines,
            force=self._options.force,
            keep_going=self._options.keep_going,
            startup=None if state is None else [sorted(state.modules), state.path, state.thresholds],
        )

    def _listen(self, seconds: float | None) -> None:
        """Wait until a process has sent something, and act on it."""
        poll = select.poll()
        for process in self._processes.values():
            poll.register(process.events, select.POLLIN)
        ready = {fd for fd, _ in wire.poll(poll, None if seconds is None else seconds * 1000)}
        for number, process in list(self._processes.items()):
            if process.events in ready:
                for message in process.receive():
                    self._hear(number, process, message)
                if process.closed:
                    self._end(number, process)
        for number, answer in self._turns.answers():
            self._processes[number].send({"answer": answer})

    def _hear(self, number: int, process: _Process, message: Mapping[str, Any]) -> None:
        match message["event"]:
            case "report":
                line = self._in_project(process, message["line"])
                if line["event"] == "stage_failed" and not process.problem[0]:
                    name = self._session.graph.short_names()[line["address"]]
                    process.problem = (f"{name}: {line['summary']}", line["hint"])
                self._recorder.report(events.CombinationEvent(process.planned.shown, line))
            case "take":
                self._turns.ask(TurnRequest(number, message["key"], self._needs[message["address"]]))
            case "done":
                self._turns.end(number, done=message["done"])
            case "ended":
                process.complete = message["complete"]
                if message["problem"]:
                    process.problem = (message["problem"], message["hint"])

    def _in_project(self, process: _Process, line: Mapping[str, Any]) -> dict[str, Any]:
        """An event whose texts name files in the project instead of those in the copy."""
        copy, project = f"{process.root}/", f"{self._session.project.root}/"
        return {key: each.replace(copy, project) if isinstance(each, str) else each for key, each in line.items()}

    def _end(self, number: int, process: _Process) -> None:
        """Record the results of a process that has ended."""
        self._turns.gone(number)
        seconds = time.monotonic() - process.began
        locks = self._locks(process) if process.complete else None
        del self._processes[number]
        process.close()
        if locks is not None:
            self._recorder.recorded(process.planned, locks, RAN, seconds)
        else:
            problem, hint = process.problem
            self._recorder.failed(process.planned, problem or "its process has died", hint, seconds)

    def _locks(self, process: _Process) -> dict[str, StageLock] | None:
        """The locks that a combination has written; None if one is missing."""
        layout, found = Layout(process.root), {}
        for address in process.planned.shown.stages:
            try:
                lock = lock_file.read(layout.lock_file(address))
            except CacheError:
                lock = None
            if lock is None:
                return None
            found[address] = lock
        return found

    def _abandon(self, error: BaseException) -> None:
        """End all processes, at once if the user insists."""
        try:
            if isinstance(error, KeyboardInterrupt):
                self._recorder.report(
                    events.SweepInterrupted([each.planned.shown for each in self._processes.values()])
                )
            for process in self._processes.values():
                process.interrupt()
            until = time.monotonic() + _PATIENCE_S
            while self._processes and (left := until - time.monotonic()) > 0:
                self._listen(left)
        finally:
            for process in self._processes.values():
                process.interrupt(signal.SIGKILL)
                process.close()
            self._processes.clear()
