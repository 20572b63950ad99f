"""Events that a command reports while it works. A reporter prints or records them; this package prints nothing."""

import collections
import time
from collections.abc import Callable, Mapping

import attrs

from pivot_core.decide import Decision, VariableChange
from pivot_core.files.paths import ArtifactPath
from pivot_core.values import Value
from pivot_runtime.errors import BrokenPipeline
from pivot_runtime.tracing.undeclared import Undeclared
from pivot_runtime.tracing.usage import ResourceUsage


@attrs.frozen(eq=False, repr=False)
class WaitingForGuard(Value):
    """Another command holds the project's guard; the guard file has its process id, name and age in seconds."""

    pid: int
    command: str
    age: float | None = None


@attrs.frozen(eq=False, repr=False)
class ImportSlow(Value):
    """The import of a pipeline takes long; reported after a second, and then repeatedly.

    Attributes:
        file: The pipeline's, relative to the root.
        seconds: The duration so far.
        where: The line of the user's code that the import has reached, if that is known.
        libraries: The part of each library so far, in the order in which they were imported, if that is known.
    """

    file: str
    seconds: float
    where: str = ""
    libraries: Mapping[str, float] = attrs.field(factory=dict)


@attrs.frozen(eq=False, repr=False)
class PipelineImported(Value):
    """The import of a pipeline has ended.

    Attributes:
        file: The pipeline's, relative to the root.
        began: The start of the import in seconds after the command's, without the start of its process.
        seconds: The duration, without the fingerprints of the stages.
        libraries: The part of each library, in the order in which they were imported.
    """

    file: str
    began: float
    seconds: float
    libraries: Mapping[str, float] = attrs.field(factory=dict)


@attrs.frozen(eq=False, repr=False)
class PipelinesLoaded(Value):
    """The command knows its stages, from their last load or from an import.

    Attributes:
        began: The start of loading in seconds after the command's.
        seconds: The duration, with the imports and the fingerprints.
    """

    began: float
    seconds: float


@attrs.frozen(eq=False, repr=False)
class PipelinesBroken(Value):
    """Pipelines that may write deps of this one cannot be loaded; the command continues without them."""

    broken: tuple[BrokenPipeline, ...]


@attrs.frozen(eq=False, repr=False)
class RunStarted(Value):
    """The run knows its stages: their addresses in order, and the short name of each stage of the project."""

    names: Mapping[str, str]
    addresses: tuple[str, ...]


@attrs.frozen(eq=False, repr=False)
class ExecutorConnected(Value):
    """The executor that runs the stages elsewhere has been reached; reported once, before the first of them starts.

    Attributes:
        address: The executor's, without secrets.
        dashboard: The address of its dashboard; empty if it has none.
        workers: The number of its workers so far.
        threads: The number of stages that these run at once.
    """

    address: str
    dashboard: str
    workers: int
    threads: int


@attrs.frozen(eq=False, repr=False)
class StageStarted(Value):
    """A stage has been given to a process, or, if it is ``sent``, to a cluster, which may still be busy.

    Its ``changed_variables`` are those of a ``pivot.yaml`` with other values than at its last run, as far as known.
    """

    address: str
    decision: Decision
    sent: bool = False
    changed_variables: tuple[VariableChange, ...] = ()


@attrs.frozen(eq=False, repr=False)
class StagePlaced(Value):
    """A worker of a cluster has begun to run a stage that was sent there."""

    address: str
    worker: str


@attrs.frozen(eq=False, repr=False)
class StageWaiting(Value):
    """A stage was sent to a cluster, but no worker can run it now; ``reason`` says why. Reported once per stage."""

    address: str
    reason: str


@attrs.frozen(eq=False, repr=False)
class StageMoved(Value):
    """The worker that ran a stage, ``was``, was lost; the stage runs again at ``worker``, if that is known yet."""

    address: str
    worker: str
    was: str


@attrs.frozen(eq=False, repr=False)
class AskingRemote(Value):
    """The remote is asked which of the recorded objects it has."""


@attrs.frozen(eq=False, repr=False)
class Fetching(Value):
    """The inputs of a stage are being fetched; reported at the beginning, and then repeatedly.

    Attributes:
        address: The stage.
        remote: The remote's name.
        objects: The number of fetched objects.
        of_objects: The number of objects to fetch.
        bytes: The number of bytes fetched.
        of_bytes: The number of bytes to fetch, as far as known.
    """

    address: str
    remote: str
    objects: int
    of_objects: int
    bytes: int
    of_bytes: int


@attrs.frozen(eq=False, repr=False)
class InputsFetched(Value):
    """The inputs of a stage that is about to run were brought: these paths, from a remote, or ``""`` for the cache."""

    address: str
    remote: str
    paths: tuple[ArtifactPath, ...]
    seconds: float


@attrs.frozen(eq=False, repr=False)
class StagesSpawned(Value):
    """The stages of a pipeline cannot be forked, since its import leaves threads running; reported only once.

    Attributes:
        file: The pipeline's, relative to the root.
        threads: A description of each thread.
    """

    file: str
    threads: tuple[str, ...]


@attrs.frozen(eq=False, repr=False)
class StageCached(Value):
    """A stage is up to date."""

    address: str


@attrs.frozen(eq=False, repr=False)
class StageFrozen(Value):
    """A stage is frozen, so it was left as it is, whatever has changed."""

    address: str
    decision: Decision


@attrs.frozen(eq=False, repr=False)
class StageRestored(Value):
    """The outs of a stage were restored from the cache."""

    address: str
    decision: Decision
    seconds: float


@attrs.frozen(eq=False, repr=False)
class StageRan(Value):
    """A stage ran, its outs are in place, and it is being recorded unless that was not wanted.

    Attributes:
        address: The stage.
        decision: The decision to run it.
        seconds: The duration.
        incomplete: The reasons why it may depend on more than was observed.
        usage: The resources that it used, if known.
        variables: The names of environment variables that it read without declaring them.
        storing: How long it took to store its outs afterwards.
        recorded: Whether it is recorded.
    """

    address: str
    decision: Decision
    seconds: float
    incomplete: tuple[str, ...] = ()
    usage: ResourceUsage | None = None
    variables: tuple[str, ...] = ()
    storing: float = 0.0
    recorded: bool = True


@attrs.frozen(eq=False, repr=False)
class StageUndeclared(Value):
    """A stage used files of the project that it does not declare; ``fatal`` if it fails because of them."""

    address: str
    found: tuple[Undeclared, ...]
    fatal: bool


@attrs.frozen(eq=False, repr=False)
class StageOutput(Value):
    """A running stage has printed these lines."""

    address: str
    lines: tuple[str, ...]


@attrs.frozen(eq=False, repr=False)
class StageSilent(Value):
    """A stage has printed nothing for long; reported again after twice as long, and so on.

    Attributes:
        address: The stage.
        seconds: The time since its start in seconds.
        silent: The time since its last output in seconds.
    """

    address: str
    seconds: float
    silent: float


@attrs.frozen(eq=False, repr=False)
class StageRetried(Value):
    """A stage failed and is started again; after this, at most `left` retries remain."""

    address: str
    seconds: float
    summary: str
    left: int


@attrs.frozen(eq=False, repr=False)
class LeftoverProcessesKilled(Value):
    """A stage left processes running, which were killed; `commands` are their command lines."""

    address: str
    commands: tuple[str, ...]


@attrs.frozen(eq=False, repr=False)
class StageInputsChanged(Value):
    """A stage ran, but its inputs changed meanwhile: its outs stay, and no lock was written."""

    address: str
    seconds: float
    changed: tuple[str, ...]
    usage: ResourceUsage | None = None


@attrs.frozen(eq=False, repr=False)
class StageFailed(Value):
    """A stage failed.

    Attributes:
        address: The stage.
        seconds: The duration.
        summary: One line.
        detail: Its own traceback, or an empty text.
        output: The last lines that it printed.
        log: The file with its complete output, relative to the root; None if it did not start.
        hint: A hint how to solve it.
        usage: The resources that it used, if known.
    """

    address: str
    seconds: float
    summary: str
    detail: str = ""
    output: str = ""
    log: str | None = None
    hint: str | None = None
    usage: ResourceUsage | None = None


@attrs.frozen(eq=False, repr=False)
class StageBlocked(Value):
    """A stage cannot run.

    Attributes:
        address: The stage.
        failed_upstream: The stage that failed, or an empty string.
        missing: Inputs that are not available.
        taken: For each out whose path contains something that no run may replace, a description of it.
        tracked: The part of ``missing`` that is recorded as tracked data, so that the cache or a remote may have it.
        unreadable: The part of ``missing`` that exists but cannot be read, with the reason.
        frozen: For a frozen stage, its outs that are neither here nor available.
    """

    address: str
    failed_upstream: str
    missing: tuple[ArtifactPath, ...] = ()
    taken: Mapping[ArtifactPath, str] = attrs.field(factory=dict)
    tracked: tuple[ArtifactPath, ...] = ()
    unreadable: Mapping[ArtifactPath, str] = attrs.field(factory=dict)
    frozen: tuple[ArtifactPath, ...] = ()


@attrs.frozen(eq=False, repr=False)
class UserFileSaved(Value):
    """A file that no run had written was in the way of an out; its bytes are now in the cache at ``saved_as``."""

    path: ArtifactPath
    saved_as: str


@attrs.frozen(eq=False, repr=False)
class OutsRecached(Value):
    """Outs in lock files were missing from the cache; those in the workspace, at these paths, were stored again."""

    paths: tuple[ArtifactPath, ...]


@attrs.frozen(eq=False, repr=False)
class OutsElsewhere(Value):
    """Outs of stages that ran elsewhere are recorded, but not in the workspace; reported at the end of a run.

    Attributes:
        count: The number of outs.
        remote: The name of the remote that has them; empty if they are in the cache.
        bring: The command that brings them into the workspace.
    """

    count: int
    remote: str
    bring: str


@attrs.frozen(eq=False, repr=False)
class Interrupted(Value):
    """The user interrupts the run; the running stages are being ended."""

    running: tuple[str, ...]


@attrs.frozen(eq=False, repr=False)
class RunEnded(Value):
    """The run ended.

    Attributes:
        seconds: The time since the command began.
        complete: Every stage is up to date.
        recording: When writing small outs, records and lock files of stages, or flushing them to the disk, took long:
            the start in seconds after the command's, and the duration.
    """

    seconds: float
    complete: bool = True
    recording: tuple[tuple[float, float], ...] = ()


@attrs.frozen(eq=False, repr=False)
class RunStopped(Value):
    """The run ended early, and why."""

    reason: str


type Event = (
    WaitingForGuard
    | ImportSlow
    | PipelineImported
    | PipelinesLoaded
    | PipelinesBroken
    | AskingRemote
    | RunStarted
    | Fetching
    | InputsFetched
    | ExecutorConnected
    | StageStarted
    | StagePlaced
    | StageWaiting
    | StageMoved
    | StagesSpawned
    | StageCached
    | StageFrozen
    | StageRestored
    | StageRan
    | StageUndeclared
    | StageOutput
    | StageSilent
    | StageRetried
    | LeftoverProcessesKilled
    | StageInputsChanged
    | StageFailed
    | StageBlocked
    | UserFileSaved
    | OutsRecached
    | OutsElsewhere
    | Interrupted
    | RunEnded
    | RunStopped
)

type Reporter = Callable[[Event], None]
type ImportReporter = Callable[[ImportSlow | PipelineImported], None]


def seconds_since(began: float, event: Event) -> float:
    """The seconds from a command's start to an event, which occurs now; the end of a run is when that says it was."""
    return event.seconds if isinstance(event, RunEnded) else time.monotonic() - began


def report_waiting(report: Reporter) -> Callable[[int, str, float | None], None]:
    """A callback for `pivot_runtime.project.guard.guarded` that reports the command that holds the guard."""
    return lambda pid, command, age: report(WaitingForGuard(pid, command, age))


def no_report(_: Event) -> None:
    """A reporter that drops every event."""


class PatientReporter:
    """A reporter that may hold events back for a moment, and then passes them on in their order."""

    def __init__(self, report: Reporter) -> None:
        """Pass events on to ``report``."""
        self._report = report
        self._held: collections.deque[Event] | None = None

    def __call__(self, event: Event) -> None:
        """Pass an event on, or hold it back."""
        if self._held is None:
            self._report(event)
        else:
            self._held.append(event)

    def hold(self) -> None:
        """Hold events back, for as short as starting a stage takes, which comes first: `release` must follow."""
        if self._held is None:
            self._held = collections.deque()

    def release(self) -> None:
        """Pass on all events that were held back."""
        while self._held:
            self._report(self._held.popleft())
        self._held = None
