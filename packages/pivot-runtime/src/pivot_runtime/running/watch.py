"""`pivot repro --watch`: runs again whenever something changes that decides what has to run.

A round is an ordinary run, with hosts that stay. Its read set has the paths that it looked at, each with its stamp from
before; afterwards a look at all stages gives a second read set, so that whatever is edited meanwhile has another stamp
than the one noted. Only such a difference begins the next round. Files that a run writes are looked at after the run;
if only these have other stamps, as after another command's run, the next round begins if their content differs.
"""

import os
import pathlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Final

import attrs

from pivot_core.errors import PivotError
from pivot_core.values import Value
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import HostError, TargetError
from pivot_runtime.executors.options import RunOptions
from pivot_runtime.freshness.file_events import Waiter
from pivot_runtime.freshness.stamps import ABSENT, DIRECTORY, ReadSet, are_settled, restamp
from pivot_runtime.history.events import Reporter
from pivot_runtime.inspecting.status import Status, StatusOptions, status
from pivot_runtime.loading.host_pool import HostPool
from pivot_runtime.project.guard import awaited, held
from pivot_runtime.project.ignore import ignored
from pivot_runtime.running.repro import repro
from pivot_runtime.running.runner import RunResult

DEFAULT_MS: Final = 100
_STEP_SECONDS: Final = 0.025
"""Longer than a step of the clock by which most file systems date changes."""
_LOOKS: Final = 100
_TORN_ROUNDS: Final = 3
"""So often a stage that changes what it reads is run again by itself."""

_CODE: Final = (".py", ".yaml", ".yml", ".toml", ".json")
_PASSED_OVER: Final = frozenset({"node_modules", "__pycache__", "site-packages"})


@attrs.frozen(eq=False, repr=False)
class Round(Value):
    """The result of one round.

    Attributes:
        outcome: Of each stage; None if there was an error.
        error: Why nothing could be run.
    """

    outcome: RunResult | None
    error: PivotError | None = None


type Reporting = Callable[[Sequence[str]], AbstractContextManager[Reporter]]
"""Makes the reporter of a round, given the paths that have changed; none in the first round."""


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
        waiting: Callable[[], None],
        polling: Callable[[str], None],
    ) -> None:
        """Nothing is run before `rounds`.

        Args:
            context: The context of the command.
            targets: As of `repro`.
            options: As of `repro`; what is forced is forced in the first round.
            command: As of `repro`.
            reporting: For each round.
            waiting: Called when there is nothing left to do but to wait.
            polling: Told why directories are polled, if they are.
        """
        self._pool = HostPool()
        self._context = attrs.evolve(context, hosts=self._pool)
        self._guard = context.project.layout.guard_file
        self._targets = tuple(targets)
        self._options = options
        self._command = command
        self._reporting = reporting
        self._waiting = waiting
        self._polling = polling
        self._waiter = Waiter()
        self._seen = ReadSet()
        self._found: object = None
        self._written: tuple[str, ...] = ()
        self._error = ""
        self._torn = 0

    def rounds(self) -> Iterator[Round]:
        """Each round, after it has ended; between them it waits.

        Raises:
            PivotError: In the first round: the targets are unknown.
            KeyboardInterrupt: The user wants no more.
        """
        because: list[str] = []
        try:
            while True:
                context = self._fresh()
                done = self._round(context, because)
                yield done
                if self._again(context, done):
                    because = []
                    time.sleep(self._settle_ms() / 1000)
                else:
                    self._waiting()
                    because = self._wait()
        finally:
            self._pool.close()

    def _fresh(self) -> CommandContext:
        """A context in which nothing has been looked at."""
        context = self._context
        found = CommandContext.find(context.project.cwd, context.environment)
        return attrs.evolve(found, overrides=context.overrides, hosts=self._pool)

    def _round(self, context: CommandContext, because: Sequence[str]) -> Round:
        try:
            with self._reporting(because) as report:
                outcome = repro(context, self._targets, options=self._options, command=self._command, report=report)
            return Round(outcome)
        except TargetError as error:
            if not self._seen.stamps:
                raise
            return Round(None, error)
        except HostError as error:
            self._pool.close()
            return Round(None, error)
        except PivotError as error:
            return Round(None, error)
        finally:
            self._options = attrs.evolve(self._options, force=False)

    def _again(self, before: CommandContext, done: Round) -> bool:
        """Whether something has moved since the round looked at it; else it is known what to wait for."""
        try:
            look, found = self._look()
        except PivotError:
            look = self._fresh()
            note_code(look)
            look.read_set.add({**self._seen.stamps, **before.read_set.stamps, **look.read_set.stamps})
            self._seen, self._found = look.read_set, None
            return done.outcome is not None or bool(changed(before.read_set))
        outs = (out.path for each in found.stages for out in each.evaluation.stage.spec.outs)
        kept = (look.project.layout.stages_dir, look.cache_layout.objects_dir)
        self._written = (*(str(look.project.layout.artifact(path)) for path in outs), *map(str, kept))
        was, self._found = self._found, _deciding(found)
        self._seen = look.read_set
        outcome = done.outcome
        if outcome is None:  # what was in its way may be gone; but not if it comes to nothing else twice
            error, self._error = self._error, str(done.error)
            return (was, error) != (self._found, self._error)
        self._error = ""
        self._torn = self._torn + 1 if outcome.torn else 0
        ended = outcome.failed | outcome.blocked | outcome.unstarted
        if self._torn >= _TORN_ROUNDS:
            ended |= outcome.torn
        stale = {each.evaluation.stage.spec.address for each in found.stages if not each.cached}
        if stale - ended:
            return True
        moved = changed(before.read_set) if ended else []
        return any(not self._by_runs(path, before.read_set) for path in moved) or (
            bool(moved) and _otherwise(outcome, found)
        )

    def _wait(self) -> list[str]:
        """Wait until something has changed that another round is for; returns what, as the user would write it."""
        found: list[str] = []
        at_work = False
        while True:
            seen = self._seen
            new = self._next(seen, at_work=at_work)
            found += new
            edited = self._found is None or any(not self._by_runs(path, seen) for path in new)
            at_work = not edited and held(self._guard)
            if edited or (not at_work and self._differs()):
                files = [path for path in found if not os.path.isdir(path)]
                return [os.path.relpath(path, self._context.project.cwd) for path in dict.fromkeys(files or found)]
            if not at_work:
                found = []

    def _next(self, seen: ReadSet, *, at_work: bool) -> list[str]:
        """Wait until something has another stamp than in the read set, or another command no longer is ``at_work``."""
        self._waiter.wait(
            directories(seen),
            lambda: bool(changed(seen)) or (at_work and not held(self._guard)),
            self._settle_ms(),
            self._polling,
        )
        found = changed(seen)
        for path in found:  # a round that cannot load looks at little, and must not begin for the same again
            if path in seen.stamps:
                seen.stamps[path] = restamp(path, seen.stamps[path])
        return found

    def _by_runs(self, path: str, read_set: ReadSet) -> bool:
        """Whether a run may have changed it, be it that of a stage that failed, by putting back its outs.

        That is an out, what is in it, a directory that it is in, a lock, an object, or which names there are in a
        directory.
        """
        within = f"{path}/"
        return _only_names(path, read_set) or any(
            each.startswith(within) or within.startswith(f"{each}/") for each in self._written
        )

    def _differs(self) -> bool:
        """Whether a look finds other than the last one did; if not, it is that from which to wait."""
        try:
            look, found = self._look()
        except PivotError:
            return True
        if _deciding(found) != self._found:
            return True
        self._seen = look.read_set
        return False

    def _look(self) -> tuple[CommandContext, Status]:
        """How all stages are when no command has set outs aside, and any later edit gives a file another mark."""
        awaited(self._guard)
        for _ in range(_LOOKS):
            look = self._fresh()
            found = status(
                look,
                self._targets,
                StatusOptions(
                    all_pipelines=self._options.all_pipelines,
                    with_upstream=True,
                    quiet=True,
                    remote="pull" if self._options.pull else "none",
                ),
            )
            read_set = look.read_set
            if are_settled(read_set.stamps.values(), read_set.began) and not awaited(self._guard):
                break
            time.sleep(_STEP_SECONDS)
        return look, found

    def _settle_ms(self) -> int:
        try:
            return self._fresh().settings.debounce_ms
        except PivotError:
            return DEFAULT_MS


def changed(read_set: ReadSet) -> list[str]:
    """The paths whose stamp differs from the read set."""
    found = [path for path, stamped in read_set.stamps.items() if restamp(path, stamped) != stamped]
    return found + [path for path, signature in read_set.trees.items() if _signature(path) != signature]


def _only_names(path: str, read_set: ReadSet) -> bool:
    """Whether only names in a directory have changed, as they do when outs of a stage that failed are put back."""
    return os.path.isdir(path) and path not in read_set.trees and read_set.stamps[path] != ABSENT


def _otherwise(outcome: RunResult, found: Status) -> bool:
    """Whether a stage that failed would now run with other inputs."""
    evaluations = [each.evaluation for each in found.stages]
    now_tried = {each.stage.spec.address: each.observation.inputs.key() for each in evaluations}
    return any(now_tried.get(address, key) != key for address, key in outcome.tried.items())


def _deciding(found: Status) -> object:
    """All that decides what a round would do and tell; compares equal only if nothing of it has changed."""
    stages = [
        (
            each.evaluation.stage.spec.address,
            each.evaluation.decision.verdict,
            each.evaluation.observation.inputs.key(),
            dict(each.evaluation.observation.outs),
            each.evaluation.observation.missing,
        )
        for each in found.stages
    ]
    return stages, [(each.file, str(each.error)) for each in found.broken]


def directories(read_set: ReadSet) -> set[str]:
    """Where something must happen before anything can change."""
    found = set()
    for path, stamped in read_set.stamps.items():
        if path.endswith("/.pivot"):
            continue
        if not stamped.startswith(DIRECTORY) or stamped == ABSENT:
            found.add(_existing(os.path.dirname(path)))
        if os.path.isdir(path) and not stamped.startswith(DIRECTORY):
            found.add(path)
    for path in read_set.trees:
        found.update(directory for directory, _, _ in os.walk(path))
    return found


def note_code(context: CommandContext) -> None:
    """Look at every file in the project that may be code, since nobody knows which of them a load depends on."""
    try:
        passed_over = ignored(context.project.layout.ignore_file)
    except PivotError:
        passed_over = _nothing
    root = os.fspath(context.project.root)
    pending = [""]
    while pending:
        below = pending.pop()
        context.read_set.look(f"{root}/{below}".rstrip("/"))
        try:
            with os.scandir(f"{root}/{below}") as entries:
                listed = list(entries)
        except OSError:
            continue
        for entry in listed:
            path = f"{below}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                if not (entry.name.startswith(".") or entry.name in _PASSED_OVER or passed_over(f"{path}/")):
                    pending.append(f"{path}/")
            elif entry.name.endswith(_CODE):
                context.read_set.look(f"{root}/{path}")


def _nothing(_: str) -> bool:
    return False


def _signature(path: str) -> str:
    from pivot_cache.state.scan import scan  # noqa: PLC0415  # start-up time: few projects have directories

    try:
        return scan(pathlib.Path(path)).signature()
    except (OSError, PivotError):
        return ""


def _existing(path: str) -> str:
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path
