"""The events of the engine; it never prints."""

from collections.abc import Callable, Mapping

import attrs

from pivot_core.decide import Decision
from pivot_core.paths import ArtifactPath
from pivot_core.values import Value
from pivot_runtime.errors import BrokenPipeline
from pivot_runtime.tracing.undeclared import Undeclared
from pivot_runtime.tracing.usage import Usage


@attrs.frozen(eq=False, repr=False)
class Waiting(Value):
    """Another command holds the project; ``command``, ``pid`` and its age in seconds are what it says of itself."""

    pid: int
    command: str
    age: float | None = None


@attrs.frozen(eq=False, repr=False)
class Importing(Value):
    """Importing the user's pipeline takes its time: so many seconds already; reported after one, and then repeatedly.

    Attributes:
        seconds: How many.
        where: The line of the user's code that it is at, if that is known.
    """

    seconds: float
    where: str = ""


@attrs.frozen(eq=False, repr=False)
class PipelinesBroken(Value):
    """Pipelines that may write what nothing else does cannot be loaded; the command goes on without them."""

    broken: tuple[BrokenPipeline, ...]


@attrs.frozen(eq=False, repr=False)
class RunStarted(Value):
    """The stages of this run, in their order, and how each stage of the project is called for short."""

    names: Mapping[str, str]
    addresses: tuple[str, ...]


@attrs.frozen(eq=False, repr=False)
class StageStarted(Value):
    """A stage has been given to a worker."""

    address: str
    decision: Decision


@attrs.frozen(eq=False, repr=False)
class AskingRemote(Value):
    """The remote is asked what it has of all that is recorded."""


@attrs.frozen(eq=False, repr=False)
class Fetching(Value):
    """The inputs of a stage are being fetched; reported at the beginning, and then repeatedly.

    Attributes:
        address: The stage.
        remote: The remote's name.
        objects: How many objects are done.
        of_objects: How many there are to fetch.
        bytes: How many bytes have come.
        of_bytes: How many there are to come, as far as is known.
    """

    address: str
    remote: str
    objects: int
    of_objects: int
    bytes: int
    of_bytes: int


@attrs.frozen(eq=False, repr=False)
class InputsFetched(Value):
    """The inputs of a stage that is about to run were fetched from a remote: these paths."""

    address: str
    remote: str
    paths: tuple[ArtifactPath, ...]
    seconds: float


@attrs.frozen(eq=False, repr=False)
class StagesSpawned(Value):
    """The stages of a pipeline cannot be forked, since importing it leaves threads running; reported only once.

    Attributes:
        file: The pipeline's, relative to the root.
        threads: Each of them, in words.
    """

    file: str
    threads: tuple[str, ...]


@attrs.frozen(eq=False, repr=False)
class StageCached(Value):
    """Nothing had to be done."""

    address: str


@attrs.frozen(eq=False, repr=False)
class StageRestored(Value):
    """Its outs were written from the cache."""

    address: str
    decision: Decision
    seconds: float


@attrs.frozen(eq=False, repr=False)
class StageRan(Value):
    """It ran, its outs are in place, and it is being recorded.

    Attributes:
        address: Which.
        decision: Why it ran.
        seconds: How long.
        incomplete: Why what it depends on may be more than what was seen.
        usage: The resources that it used, if known.
        variables: The names of environment variables that it read and does not declare.
    """

    address: str
    decision: Decision
    seconds: float
    incomplete: tuple[str, ...] = ()
    usage: Usage | None = None
    variables: tuple[str, ...] = ()


@attrs.frozen(eq=False, repr=False)
class StageUndeclared(Value):
    """It used files of the project that it does not declare; ``fatal`` if that makes it fail."""

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
    """A stage has printed nothing for long; reported again when it has been silent for twice as long, and so on.

    Attributes:
        address: Which.
        seconds: How long it has been running.
        silent: For how long of that it has printed nothing.
    """

    address: str
    seconds: float
    silent: float


@attrs.frozen(eq=False, repr=False)
class StageRetried(Value):
    """It ended badly, and is started again: `left` times more at most after this one."""

    address: str
    seconds: float
    summary: str
    left: int


@attrs.frozen(eq=False, repr=False)
class ProcessesEnded(Value):
    """A stage left processes running, which were ended; `commands` are their command lines."""

    address: str
    commands: tuple[str, ...]


@attrs.frozen(eq=False, repr=False)
class StageTorn(Value):
    """It ran, but what it depends on moved meanwhile: its outs stay, and no lock was written."""

    address: str
    seconds: float
    moved: tuple[str, ...]
    usage: Usage | None = None


@attrs.frozen(eq=False, repr=False)
class StageFailed(Value):
    """It ended badly.

    Attributes:
        address: Which.
        seconds: How long it ran.
        summary: One line.
        detail: Its own traceback, or nothing.
        output: The last lines that it printed.
        log: The file with all that it printed, relative to the root; None if it did not start.
        hint: The way out.
        usage: The resources that it used, if known.
    """

    address: str
    seconds: float
    summary: str
    detail: str = ""
    output: str = ""
    log: str | None = None
    hint: str | None = None
    usage: Usage | None = None


@attrs.frozen(eq=False, repr=False)
class StageBlocked(Value):
    """It cannot run: an upstream stage failed, an input is missing, or where an out belongs is what must stay."""

    address: str
    because: str
    missing: tuple[ArtifactPath, ...] = ()
    taken: Mapping[ArtifactPath, str] = attrs.field(factory=dict)
    tracked: tuple[ArtifactPath, ...] = ()
    """Of what is missing, what is recorded as tracked data, so that the cache or a remote may have it."""
    unreadable: Mapping[ArtifactPath, str] = attrs.field(factory=dict)
    """Of what is missing, what is there and cannot be read, and why."""


@attrs.frozen(eq=False, repr=False)
class FileKept(Value):
    """A file that no run had written was in the way of an out; its bytes are now in the cache at ``kept``."""

    path: ArtifactPath
    kept: str


@attrs.frozen(eq=False, repr=False)
class OutsStored(Value):
    """The cache had lost outs that lock files name; those that were in place, at these paths, are in it again."""

    paths: tuple[ArtifactPath, ...]


@attrs.frozen(eq=False, repr=False)
class Interrupted(Value):
    """The user ends the run; the stages that are running are being ended."""

    running: tuple[str, ...]


@attrs.frozen(eq=False, repr=False)
class RunEnded(Value):
    """The whole run, with how long it took, and whether every stage is now as it should be."""

    seconds: float
    complete: bool = True


@attrs.frozen(eq=False, repr=False)
class RunStopped(Value):
    """The run ended before its time, and why."""

    reason: str


type Event = (
    Waiting
    | Importing
    | PipelinesBroken
    | AskingRemote
    | RunStarted
    | Fetching
    | InputsFetched
    | StageStarted
    | StagesSpawned
    | StageCached
    | StageRestored
    | StageRan
    | StageUndeclared
    | StageOutput
    | StageSilent
    | StageRetried
    | ProcessesEnded
    | StageTorn
    | StageFailed
    | StageBlocked
    | FileKept
    | OutsStored
    | Interrupted
    | RunEnded
    | RunStopped
)

type Reporter = Callable[[Event], None]


def waiting(report: Reporter) -> Callable[[int, str, float | None], None]:
    """The callback by which a guard reports for whom a command waits."""
    return lambda pid, command, age: report(Waiting(pid, command, age))


def silent(_: Event) -> None:
    """The reporter that says nothing."""
