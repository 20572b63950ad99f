"""`pivot repro --watch`: runs again whenever something changes that decides what has to run.

A round is an ordinary run, with hosts that stay. The read set of the run has the paths that it looked at, each with its
stamp from before; a look at all stages after the run gives a second read set, so that whatever is edited meanwhile has
another stamp than the one noted. Files that runs write are looked at after the run; if only these have other stamps, as
after another command's run, the next round begins if their content differs; likewise when a result expires.
`running.watch_states` decides what comes after each step; this module takes the steps.
"""

import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Final

import attrs

from pivot_core.decide import Verdict
from pivot_core.errors import PivotError
from pivot_core.files.paths import ArtifactPath
from pivot_core.files.patterns import PathPattern
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import HostError, TargetError
from pivot_runtime.freshness.file_events import Waiter
from pivot_runtime.freshness.stamps import ReadSet, are_settled
from pivot_runtime.history.events import Reporter
from pivot_runtime.inspecting.status import Status, StatusOptions, status
from pivot_runtime.loading.host_pool import HostPool
from pivot_runtime.project.guard import awaited, held
from pivot_runtime.running.repro import RunOptions, repro
from pivot_runtime.running.watch_states import (
    ChangedPaths,
    Debounce,
    FailedLook,
    Look,
    Round,
    StageLook,
    Verdicts,
    WatchEvent,
    WatchPhase,
    WatchState,
    next_state,
)
from pivot_runtime.running.watched_paths import changed, directories, edits, note_code, update_stamps

__all__ = ["DEFAULT_MS", "Round", "Watch"]

DEFAULT_MS: Final = 100
_STEP_SECONDS: Final = 0.025
"""Longer than a step of the clock by which most file systems date changes."""
_LOOKS: Final = 100

type Reporting = Callable[[Sequence[str], float], AbstractContextManager[Reporter]]
"""Makes the reporter of a round, given the paths that have changed (none in the first round) and its start."""


class Watch:
    """Rounds of one command, for as long as the user likes."""

    def __init__(  # noqa: PLR0913  # as `repro`
        self,
        context: CommandContext,
        targets: Sequence[str],
        options: RunOptions,
        *,
        command: str,
        reporting: Reporting,
        waiting: Callable[[Collection[str]], None],
        polling: Callable[[str], None],
    ) -> None:
        """Nothing is run before `rounds`.

        Args:
            context: The context of the command.
            targets: As of `repro`.
            options: As of `repro`; what is forced is forced in the first round.
            command: As of `repro`.
            reporting: For each round.
            waiting: Called whenever a wait for changes begins, with the stages that are given up.
            polling: Called with the reason if directories are polled.
        """
        self._pool = HostPool()
        self._context = attrs.evolve(context, host_pool=self._pool)
        self._guard = context.project.layout.guard_file
        self._targets = tuple(targets)
        self._options = options
        self._command = command
        self._reporting = reporting
        self._waiting = waiting
        self._polling = polling
        self._waiter = Waiter()
        self._run_reads = ReadSet()
        """The paths that the last run looked at."""
        self._look_reads = ReadSet()
        """The paths that the last look at all stages read: a wait ends when one of them changes."""
        self._expiry: float | None = None
        """When the next result expires that was valid at the last look, in seconds since the epoch."""

    def rounds(self) -> Iterator[Round]:
        """Each round, after it has ended; between them it waits.

        Raises:
            PivotError: In the first round: the targets are unknown.
            KeyboardInterrupt: The user wants no more.
        """
        state = WatchState()
        event: WatchEvent
        try:
            while True:
                match state.phase:
                    case WatchPhase.RUNNING:
                        yield (event := self._run(state))
                    case WatchPhase.LOOKING:
                        event = self._look_after(state.run)
                    case WatchPhase.SETTLING:
                        event = self._settle()
                    case WatchPhase.WAITING | WatchPhase.WAITING_FOR_FIX | WatchPhase.WAITING_FOR_COMMAND:
                        event = self._wait(state)
                    case WatchPhase.COMPARING:
                        event = self._compare()
                state = next_state(state, event)
        finally:
            self._pool.close()

    def _run(self, state: WatchState) -> Round:
        context = self._fresh()
        if state.first:
            context = attrs.evolve(context, began=self._context.began)
        self._run_reads = context.read_set
        options = self._options if state.first else attrs.evolve(self._options, force=False)
        try:
            with self._reporting(self._relative(state.changed), context.began) as report:
                return Round(repro(context, self._targets, options=options, command=self._command, report=report))
        except TargetError as error:
            if state.first:
                raise
            return Round(None, error)
        except HostError as error:
            self._pool.close()
            return Round(None, error)
        except PivotError as error:
            return Round(None, error)

    def _look_after(self, run: Round) -> Look | FailedLook:
        try:
            look = self._look()
        except PivotError:
            self._look_at_code()
            return FailedLook(ChangedPaths(() if run.complete else tuple(changed(self._run_reads))))
        if run.complete:
            return look
        paths = tuple(changed(self._run_reads))
        return attrs.evolve(look, since_run=ChangedPaths(paths, edits(paths, self._run_reads, look.written)))

    def _settle(self) -> Debounce:
        time.sleep(self._settle_ms() / 1000)
        return Debounce()

    def _wait(self, state: WatchState) -> ChangedPaths:
        reads, for_command = self._look_reads, state.phase is WatchPhase.WAITING_FOR_COMMAND
        if not for_command:
            self._waiting(state.given_up)
            self._pool.prepare(self._fresh())
        self._waiter.wait(
            directories(reads),
            lambda: bool(changed(reads)) or (for_command and not held(self._guard)) or self._has_expired(),
            self._settle_ms(),
            self._polling,
        )
        paths = tuple(changed(reads))
        update_stamps(reads, paths)
        edited = paths if state.look is None else edits(paths, reads, state.look.written)
        return ChangedPaths(paths, edited, command_at_work=not edited and held(self._guard))

    def _has_expired(self) -> bool:
        return self._expiry is not None and time.time() > self._expiry

    def _compare(self) -> Look | FailedLook:
        try:
            return self._look()
        except PivotError:
            return FailedLook()

    def _look(self) -> Look:
        """How all stages are when no command has set outs aside, and any later edit gives a file another stamp."""
        awaited(self._guard)
        for _ in range(_LOOKS):
            context = self._fresh()
            found = status(
                context,
                self._targets,
                StatusOptions(
                    all_pipelines=self._options.all_pipelines,
                    with_upstream=True,
                    quiet=True,
                    remote="pull" if self._options.pull else "none",
                    executor=self._options.effective_executor,
                ),
            )
            read_set = context.read_set
            if are_settled(read_set.stamps.values(), read_set.began) and not awaited(self._guard):
                break
            time.sleep(_STEP_SECONDS)
        look = Look(_verdicts(context, found), _written_by_runs(context, found))
        self._look_reads = read_set
        self._expiry = min(_expiries(found, read_set.began / 1e9), default=None)
        return look

    def _look_at_code(self) -> None:
        """Look at the code instead of the stages, and at all that was looked at before: the fix may be anywhere."""
        context = self._fresh()
        note_code(context)
        reads = context.read_set
        reads.add({**self._look_reads.stamps, **self._run_reads.stamps, **reads.stamps})
        self._look_reads = reads

    def _fresh(self) -> CommandContext:
        """A context in which nothing has been looked at."""
        context = self._context
        found = CommandContext.find(context.project.cwd, context.environment)
        return attrs.evolve(
            found,
            overrides=context.overrides,
            arguments=context.arguments,
            use_snapshots=context.use_snapshots,
            host_pool=self._pool,
        )

    def _settle_ms(self) -> int:
        try:
            return self._fresh().settings.debounce_ms
        except PivotError:
            return DEFAULT_MS

    def _relative(self, paths: Sequence[str]) -> list[str]:
        """Paths as the user would write them; directories only if there is nothing else."""
        files = [path for path in paths if not os.path.isdir(path)]
        return [os.path.relpath(path, self._context.project.cwd) for path in dict.fromkeys(files or paths)]


def _verdicts(context: CommandContext, found: Status) -> Verdicts:
    layout = context.project.layout
    stages = (
        StageLook(
            each.stage.spec.address,
            each.decision.verdict,
            each.observation.inputs.key(),
            tuple(str(layout.artifact(_place(dep))) for dep in each.stage.spec.deps),
            {str(layout.artifact(out)): found for out, found in each.observation.outs.items()},
            tuple(each.observation.missing),
            each.decision.holds and each.decision.verdict is Verdict.RUN,
        )
        for each in (stage.evaluation for stage in found.stages)
    )
    return Verdicts(tuple(stages), tuple((each.file, str(each.error)) for each in found.broken))


def _expiries(found: Status, after: float) -> Iterator[float]:
    """When results with a ``ttl`` expire after a time, in seconds since the epoch."""
    for evaluation in (stage.evaluation for stage in found.stages):
        lock, ttl = evaluation.lock, evaluation.stage.spec.ttl
        if lock is not None and lock.ran_at is not None and ttl is not None and lock.ran_at + ttl >= after:
            yield lock.ran_at + ttl


def _place(dep: ArtifactPath) -> ArtifactPath:
    """A dep; for a pattern, the directory with all files that match."""
    return dep.base if isinstance(dep, PathPattern) else dep


def _written_by_runs(context: CommandContext, found: Status) -> tuple[str, ...]:
    layout = context.project.layout
    outs = (layout.artifact(out.path) for each in found.stages for out in each.evaluation.stage.spec.outs)
    return tuple(map(str, (*outs, layout.stages_dir, context.cache_layout.objects_dir)))
