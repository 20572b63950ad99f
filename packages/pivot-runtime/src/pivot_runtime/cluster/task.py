"""One stage run on another machine as plain data: the task for a worker, and its answer."""

import base64
import binascii
import functools
import json
import sys
import zlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import attrs

from pivot_cache.formats import artifact_json
from pivot_cache.formats.artifact_json import FieldError
from pivot_core.files.digest import digest_bytes
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact, Inputs
from pivot_core.spec import METRIC, PLOT, StageSpec
from pivot_core.values import Value
from pivot_runtime.executors import finished_json
from pivot_runtime.executors.base import Finished
from pivot_runtime.freshness.stamps import VARIABLE
from pivot_runtime.tracing.usage import TraceOptions

if TYPE_CHECKING:
    from pivot_runtime.loading.loaded import Loaded

PROTOCOL: Final = 2
"""The version of tasks and answers; a worker refuses tasks of others."""
SAME_PIVOT: Final = "install the same Pivot and Python on all machines"
"""The hint for a worker with another version of something."""

_MOST_LOG: Final = 64 << 20
"""A worker shortens logs to much less."""

_NAMES: Final = (
    "PATH HOME USER LOGNAME SHELL PWD OLDPWD SHLVL _ HOSTNAME TMPDIR TEMP TMP VIRTUAL_ENV CONDA_PREFIX TERM COLUMNS "
    "LINES DISPLAY CUDA_VISIBLE_DEVICES"
)
_OF_THE_MACHINE: Final = frozenset(_NAMES.split())
_PREFIXES: Final = "PYTHON LD_ DYLD_ XDG_ SSH_ DBUS_ DASK_ SLURM_ PBS_ PIVOT_"
_OF_THE_MACHINE_PREFIXES: Final = tuple(_PREFIXES.split())
"""Variables that are right for one machine only; a worker has its own unless a stage declares them."""

type RefusalKind = Literal["protocol", "shared", "expectation", "inputs", "load", "worker"]


class TaskError(ValueError):
    """Data are no task, or no answer, of this version."""


@attrs.frozen(eq=False, repr=False)
class SharedRoute(Value):
    """Bytes go through a cache in a file system that both machines see.

    Attributes:
        cache: The absolute directory of the cache.
        probe: The absolute path of a file there whose content is ``token``, if the directory is the same one.
        token: See above.
    """

    cache: str
    probe: str
    token: str


@attrs.frozen(eq=False, repr=False)
class RemoteRoute(Value):
    """Bytes go through a remote.

    Attributes:
        name: Its name.
        url: Its URL.
        jobs: The maximum number of simultaneous transfers.
        timeout: The seconds without progress after which a transfer fails.
    """

    name: str
    url: str
    jobs: int
    timeout: float


@attrs.frozen(eq=False, repr=False)
class InlineRoute(Value):
    """Bytes travel with the task and its answer, up to `inline_limit.INLINE_LIMIT`."""


type Route = SharedRoute | RemoteRoute | InlineRoute


@attrs.frozen(eq=False, repr=False)
class TaskOut(Value):
    """An out that a task must write.

    Attributes:
        path: Its path.
        directory: Whether it is a directory.
        cache: Whether the cache keeps it.
        home: Whether the command needs its bytes as soon as the stage has ended.
    """

    path: ArtifactPath
    directory: bool = False
    cache: bool = True
    home: bool = False


@attrs.frozen(eq=False, repr=False)
class TaskTemplate(Value):
    """All that the tasks of one pipeline file share in one run.

    Attributes:
        run: The ID of the run, which no other run has.
        file: The pipeline file, relative to the root.
        overrides: The overrides of parameters.
        environment: The values of variables that count; None for one that is not set.
        sources: The digest of the archive of the project's sources.
        route: The way of the bytes of deps and outs.
        watching: The observations to make.
        fresh: Run stages in new interpreters.
        stream: Report output line by line.
        assigned: By name, a digest of each variable that the import of the file sets.
        keep_failed: Store the outs of stages that fail, too, if they have written all.
    """

    run: str
    file: str
    sources: str
    route: Route
    overrides: tuple[str, ...] = ()
    environment: Mapping[str, str | None] = attrs.field(factory=dict, repr=False)
    watching: TraceOptions = attrs.field(factory=TraceOptions)
    fresh: bool = False
    stream: bool = False
    assigned: Mapping[str, str] = attrs.field(factory=dict)
    keep_failed: bool = False

    def task(  # noqa: PLR0913  # the parts of a task
        self,
        number: int,
        spec: StageSpec,
        inputs: Inputs,
        *,
        expected: str,
        uncounted: Mapping[ArtifactPath, Artifact] | None = None,
        before: Mapping[ArtifactPath, Artifact] | None = None,
        objects: Mapping[str, bytes] | None = None,
    ) -> "StageTask":
        """The task of one stage.

        Args:
            number: A number that no other task of the run has.
            spec: The stage.
            inputs: Its current inputs.
            expected: The digest of its expectation.
            uncounted: The content of deps that do not count as inputs.
            before: The last content of its incremental outs.
            objects: The bytes of inputs by digest, if they travel with the task.
        """
        return StageTask(
            self,
            number=number,
            address=spec.address,
            expected=expected,
            key=inputs.key(),
            deps={**inputs.deps, **(uncounted or {})},
            before=before or {},
            outs=tuple(
                TaskOut(out.path, out.directory, out.cache, home=not out.cache or out.kind in (METRIC, PLOT))
                for out in spec.outs
            ),
            variables=tuple(sorted(inputs.env)),
            publish=is_published(spec),
            objects=objects or {},
        )


@attrs.frozen(eq=False, repr=False)
class StageTask(Value):
    """The run of one stage.

    Attributes:
        template: The part that it shares with others.
        number: Its number in the run.
        address: The stage.
        expected: The digest of the facts that the worker must find as well.
        key: Its inputs key.
        deps: The content of each dep.
        before: The last content of each incremental out.
        outs: Its outs.
        variables: The names of the variables that count in the key.
        publish: Record the run for others that share the cache or the remote.
        objects: The bytes of objects by digest, if they travel with the task.
    """

    template: TaskTemplate
    number: int
    address: str
    expected: str
    key: str
    deps: Mapping[ArtifactPath, Artifact] = attrs.field(factory=dict)
    before: Mapping[ArtifactPath, Artifact] = attrs.field(factory=dict)
    outs: tuple[TaskOut, ...] = ()
    variables: tuple[str, ...] = ()
    publish: bool = False
    objects: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)

    def to_plain(self) -> dict[str, Any]:
        """The task as data for JSON."""
        shared = self.template
        return {
            **versions(),
            "run": shared.run,
            "file": shared.file,
            "sources": shared.sources,
            "route": _route_to_plain(shared.route),
            "overrides": list(shared.overrides),
            "environment": dict(shared.environment),
            "watching": shared.watching.to_plain(),
            "fresh": shared.fresh,
            "stream": shared.stream,
            "keep_failed": shared.keep_failed,
            "assigned": dict(shared.assigned),
            "number": self.number,
            "address": self.address,
            "expected": self.expected,
            "key": self.key,
            "deps": _artifacts(self.deps),
            "before": _artifacts(self.before),
            "outs": [[out.path, out.directory, out.cache, out.home] for out in self.outs],
            "variables": list(self.variables),
            "publish": self.publish,
            "objects": _objects(self.objects),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """The task of such data of the same versions.

        Raises:
            TaskError: The data are no task.
        """
        return _parsed(lambda: cls._of(plain))

    @classmethod
    def _of(cls, plain: Mapping[str, Any]) -> Self:
        return cls(
            TaskTemplate(
                run=str(plain["run"]),
                file=artifact_json.path(plain["file"], "file"),
                sources=artifact_json.digest(plain["sources"], "sources"),
                route=_route(plain["route"]),
                overrides=tuple(map(str, plain["overrides"])),
                environment=dict(plain["environment"]),
                watching=TraceOptions.from_plain(plain["watching"]),
                fresh=bool(plain["fresh"]),
                stream=bool(plain["stream"]),
                keep_failed=bool(plain["keep_failed"]),
                assigned=artifact_json.texts(plain["assigned"], "assigned"),
            ),
            number=artifact_json.number(plain["number"], "number"),
            address=str(plain["address"]),
            expected=artifact_json.digest(plain["expected"], "expected"),
            key=artifact_json.digest(plain["key"], "key"),
            deps=artifact_json.artifacts(plain["deps"], "deps"),
            before=artifact_json.artifacts(plain["before"], "before"),
            outs=tuple(
                TaskOut(artifact_json.path(path, "outs"), bool(directory), bool(cache), bool(home))
                for path, directory, cache, home in plain["outs"]
            ),
            variables=tuple(map(str, plain["variables"])),
            publish=bool(plain["publish"]),
            objects=_bytes_by_digest(plain["objects"]),
        )


@attrs.frozen(eq=False, repr=False)
class Refusal(Value):
    """Why a worker did not run a stage.

    Attributes:
        kind: The reason as a word.
        summary: The reason in one line.
        detail: A traceback, or an empty text.
        hint: A solution, if there is one.
        facts: The facts that the worker found in place of those expected.
    """

    kind: RefusalKind
    summary: str
    detail: str = ""
    hint: str | None = None
    facts: Mapping[str, Any] | None = None


@attrs.frozen(eq=False, repr=False)
class StageAnswer(Value):
    """The answer to a task: a refusal, the end of the run, or neither if it was stopped.

    Attributes:
        number: The number of the task.
        worker: The name of the worker for people.
        refused: The refusal; None if the stage was run.
        finished: The end of the run; None if there was none.
        stopped: The run was stopped; then it counts as never run.
        outs: The content of each out of a run that succeeded, or perhaps of one that failed.
        objects: The bytes of objects by digest that travel with the answer.
        log: The output of the stage.
    """

    number: int
    worker: str
    refused: Refusal | None = None
    finished: Finished | None = None
    stopped: bool = False
    outs: Mapping[ArtifactPath, Artifact] = attrs.field(factory=dict)
    objects: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)
    log: bytes = attrs.field(default=b"", repr=False)

    def to_plain(self) -> dict[str, Any]:
        """The answer as data for JSON."""
        return {
            "protocol": PROTOCOL,
            "number": self.number,
            "worker": self.worker,
            "refused": None if self.refused is None else attrs.asdict(self.refused),
            "finished": None if self.finished is None else finished_json.to_plain(self.finished),
            "stopped": self.stopped,
            "outs": _artifacts(self.outs),
            "objects": _objects(self.objects),
            "log": _text_of(zlib.compress(self.log)),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], number: int | None = None) -> Self:
        """The answer of such data, to the task with a number if there is one.

        Raises:
            TaskError: The data are no answer of this version, or to another task.
        """
        answer = _parsed(lambda: cls._of(plain))
        if number not in (None, answer.number):
            raise TaskError(f"it is that to task {answer.number}, not to {number}")
        return answer

    @classmethod
    def _of(cls, plain: Mapping[str, Any]) -> Self:
        refused, finished = plain["refused"], plain["finished"]
        if plain["protocol"] != PROTOCOL:
            if refused is None:
                raise TaskError(f"it is of protocol {plain['protocol']}, not {PROTOCOL}")
            return cls(  # that of a worker with another Pivot, which says so; all protocols have these fields
                number=artifact_json.number(plain["number"], "number"),
                worker=artifact_json.text(plain["worker"], "worker"),
                refused=Refusal("protocol", artifact_json.text(refused["summary"], "refused"), hint=SAME_PIVOT),
            )
        return cls(
            number=artifact_json.number(plain["number"], "number"),
            worker=artifact_json.text(plain["worker"], "worker"),
            refused=None if refused is None else _refusal(refused),
            finished=None if finished is None else finished_json.of_plain(finished),
            stopped=bool(plain["stopped"]),
            outs=artifact_json.artifacts(plain["outs"], "outs"),
            objects=_bytes_by_digest(plain["objects"]),
            log=_log(plain["log"]),
        )


@functools.cache
def versions() -> Mapping[str, Any]:
    """The versions that must be the same on both machines, as the head of each task."""
    import importlib.metadata  # lazy

    python = ".".join(map(str, sys.version_info[:2]))
    return {"protocol": PROTOCOL, "pivot": importlib.metadata.version("pivot-runtime"), "python": python}


def encode(message: StageTask | StageAnswer) -> bytes:
    """The message as JSON."""
    return json.dumps(message.to_plain(), separators=(",", ":")).encode()


def parse(data: bytes | str) -> dict[str, Any]:
    """The plain data of a message, whatever its version.

    Raises:
        TaskError: It is no JSON object with a number.
    """
    try:
        plain = json.loads(data)
    except (ValueError, RecursionError):
        raise TaskError("it is not JSON") from None
    if not isinstance(plain, dict) or type(plain.get("number")) is not int:
        raise TaskError("it is no object with a number")
    return plain


def is_published(spec: StageSpec) -> bool:
    """Whether another run may take up the result of a stage: it depends neither on the time nor on the last result."""
    return not (spec.always or spec.ttl is not None or any(out.incremental for out in spec.outs))


def environment_of(loaded: "Loaded", environment: Mapping[str, str]) -> dict[str, str | None]:
    """The variables that a load depends on and its stages declare, with their values; None if one is not set.

    Variables that are right for one machine only are left out, unless a stage declares them.
    """
    facts = () if loaded.trace is None else loaded.trace.facts
    read = {fact.subject for fact in facts if fact.kind == VARIABLE}
    names = {name for name in read if name not in _OF_THE_MACHINE and not name.startswith(_OF_THE_MACHINE_PREFIXES)}
    names |= {name for stage in loaded.stages for name in stage.env}
    return {name: environment.get(name) for name in sorted(names)}


def _parsed[T](parse: Callable[[], T]) -> T:
    try:
        return parse()
    except FieldError as error:
        raise TaskError(f"{error.field} {error.problem}") from None
    except KeyError as error:
        raise TaskError(f"{error.args[0]} is missing") from None
    except (TypeError, AttributeError, ValueError, OverflowError, zlib.error) as error:
        raise TaskError(str(error)) from None


def _artifacts(artifacts: Mapping[ArtifactPath, Artifact]) -> dict[str, Any]:
    return {path: artifact_json.encode(artifact) for path, artifact in artifacts.items()}


def _objects(objects: Mapping[str, bytes]) -> dict[str, str]:
    return {digest: _text_of(data) for digest, data in objects.items()}


def _bytes_by_digest(plain: object) -> dict[str, bytes]:
    found = {digest: _bytes_of(text) for digest, text in artifact_json.texts(plain, "objects").items()}
    for digest, data in found.items():
        if digest_bytes(data) != digest:
            raise FieldError(f"objects.{digest}", "has other bytes")
    return found


def _text_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes_of(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise TaskError(str(error)) from None


def _route_to_plain(route: Route) -> dict[str, Any]:
    match route:
        case SharedRoute():
            return {"kind": "shared", "cache": route.cache, "probe": [route.probe, route.token]}
        case RemoteRoute():
            named = {"name": route.name, "url": route.url}
            return {"kind": "remote", **named, "jobs": route.jobs, "timeout": route.timeout}
        case InlineRoute():
            return {"kind": "inline"}


def _route(plain: Mapping[str, Any]) -> Route:
    match plain["kind"]:
        case "shared":
            return SharedRoute(plain["cache"], *plain["probe"])
        case "remote":
            return RemoteRoute(plain["name"], plain["url"], plain["jobs"], plain["timeout"])
        case "inline":
            return InlineRoute()
        case kind:
            raise FieldError("route", f"is of the unknown kind {kind!r}")


def _refusal(plain: Mapping[str, Any]) -> Refusal:
    facts = plain["facts"]
    if facts is not None:
        for name, value in artifact_json.mapping(facts, "facts").items():
            if isinstance(value, dict):
                artifact_json.texts(value, f"facts.{name}")
    summary, detail, hint = finished_json.failure_texts(plain)
    return Refusal(plain["kind"], summary, detail, hint, facts)


def _log(text: str) -> bytes:
    inflate = zlib.decompressobj()
    log = inflate.decompress(_bytes_of(text), _MOST_LOG)
    if inflate.unconsumed_tail:
        raise FieldError("log", f"has more than {_MOST_LOG} bytes")
    return log
