"""Results: the parameters, metrics and outs of recorded runs of several stages, one small file per result.

Texts that results share are beside them: lock files, small outs for git, and the stages of large results in groups, so
that a result of many stages costs what has changed in it.
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from pivot_cache.errors import as_cache_errors
from pivot_cache.files import atomic, syscalls
from pivot_cache.files.safe_read import read_regular
from pivot_cache.files.shards import files
from pivot_cache.formats import artifact_json
from pivot_cache.layout import sharded
from pivot_core.files.digest import ALGORITHM, canonical_json, digest_bytes, digest_lines
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact
from pivot_core.values import Value

FORMAT = 1
"""The version of the layout of a file with all stages in it."""
GROUPED_FORMAT = 2
"""The version of the layout of a file that names groups of stages by digest."""

_MOST_INSIDE = 32
"""The number of stages above which they are stored in groups."""
_GROUP = 16
"""The mean number of stages in a group."""

_TEXTS = "texts"
_HOUR_NS = 3600 * 1_000_000_000
_TOP = frozenset({"format", "algorithm", "project", "time", "seconds", "stages", "metrics"})
_STAGE = frozenset({"lock", "key", "code", "params", "sources", "outs"})


@attrs.frozen(eq=False, repr=False)
class RecordedStage(Value):
    """The part of a stage in a result.

    Attributes:
        lock: The digest of the text of its lock file.
        key: The inputs key of the run.
        code: A digest of all facts that the run depended on, except parameters and deps.
        params: Its parameters as plain data; secrets as digests.
        sources: By path, the digests of the deps that no stage writes.
        outs: The outs of the run.
    """

    lock: str
    key: str
    code: str
    params: Mapping[str, Any] = attrs.field(factory=dict)
    sources: Mapping[ArtifactPath, str] = attrs.field(factory=dict)
    outs: Mapping[ArtifactPath, Artifact] = attrs.field(factory=dict)


@attrs.frozen(eq=False, repr=False)
class Result(Value):
    """The result of runs of several stages, which depend on each other.

    Attributes:
        stages: By address.
        metrics: The content of each metric, by path.
        time: The end of the runs in seconds since the epoch.
        seconds: Their duration; 0 if it is unknown.
        project: The name of the project if it shares its cache with others, else "".
        groups: The digests of the groups in which its stages are stored, if they are.
    """

    stages: Mapping[str, RecordedStage]
    metrics: Mapping[ArtifactPath, Any] = attrs.field(factory=dict)
    time: float = 0.0
    seconds: float = 0.0
    project: str = ""
    groups: tuple[str, ...] = attrs.field(default=(), eq=False)

    @property
    def id(self) -> str:
        """The digest of the inputs and outs of all stages: equal for equal results, whenever they were recorded."""
        lines = []
        for address, stage in sorted(self.stages.items()):
            lines += [address, stage.key, *(f"{path} {out.digest}" for path, out in sorted(stage.outs.items())), ""]
        return digest_lines(lines)

    def artifacts(self) -> Iterator[Artifact]:
        """The outs of all stages."""
        for stage in self.stages.values():
            yield from stage.outs.values()


class Results:
    """A directory of results."""

    def __init__(self, directory: Path) -> None:
        """Use a directory, which the first `put` creates."""
        self.directory = directory
        self._texts = directory / _TEXTS
        self._groups: dict[str, Mapping[str, RecordedStage]] = {}

    def put(self, result: Result) -> str:
        """Add a result, and return its ID; an equal older one gets the new time.

        Raises:
            CacheError: It cannot be written.
        """
        name = result.id
        groups = None
        if len(result.stages) > _MOST_INSIDE:
            groups = [self.put_text(_encoded(_plain_stages(group))) for group in _grouped(result.stages)]
        atomic.write_bytes(sharded(self.directory, name), dumps(result, groups), shared=True)
        return name

    def put_text(self, data: bytes) -> str:
        """Store a text that results need, unless it is there undamaged, and return its digest.

        Raises:
            CacheError: It cannot be written.
        """
        digest = digest_bytes(data)
        if digest not in self._groups and self.text(digest) is None:
            atomic.write_bytes(sharded(self._texts, digest), data, shared=True)
        return digest

    def text(self, digest: str) -> bytes | None:
        """The text with this digest; None if there is none, or if it is damaged.

        Raises:
            CacheError: The digest is none.
        """
        try:
            data = read_regular(sharded(self._texts, digest))
        except OSError:
            return None
        return data if digest_bytes(data) == digest else None

    def read(self) -> dict[str, Result]:
        """Every result by ID, the oldest first; unreadable ones are skipped.

        Raises:
            CacheError: A directory cannot be read.
        """
        with as_cache_errors("read", self.directory):
            names = [name for name, _ in files(self.directory)]
        found = {name: each for name in names if (each := self.get(name)) is not None}
        return dict(sorted(found.items(), key=lambda each: (each[1].time, each[0])))

    def get(self, name: str) -> Result | None:
        """The result with this ID; None if there is none, or if it is unreadable.

        Raises:
            CacheError: The ID is not a digest.
        """
        try:
            return self._loads(name, read_regular(sharded(self.directory, name)))
        except (OSError, ValueError):
            return None

    def remove(self, name: str) -> None:
        """Remove a result; its objects and texts stay.

        Raises:
            CacheError: It cannot be removed.
        """
        file = sharded(self.directory, name)
        with as_cache_errors("remove", file):
            file.unlink(missing_ok=True)

    def release(self, name: str) -> None:
        """Let a result keep no objects any more, as if it were old: `recent` omits it until it is written again.

        Raises:
            CacheError: Its file cannot be changed.
        """
        file = sharded(self.directory, name)
        with as_cache_errors("change", file), contextlib.suppress(FileNotFoundError):
            syscalls.utime(file, 0)

    def remove_texts(self) -> None:
        """Remove the texts that no result needs, unless they were written within the last hour.

        Raises:
            CacheError: One cannot be removed.
        """
        every = self.read().values()
        needed = {digest for result in every for digest in result.groups}
        needed |= {stage.lock for result in every for stage in result.stages.values()}
        needed |= {artifact.digest for result in every for artifact in result.artifacts()}
        before_ns = time.time_ns() - _HOUR_NS
        with as_cache_errors("remove texts from", self._texts):
            for digest, status in list(files(self._texts)):
                if digest not in needed and status.st_mtime_ns < before_ns:
                    sharded(self._texts, digest).unlink(missing_ok=True)

    def recent(self, since_ns: int) -> Iterator[tuple[str, int, Result]]:
        """The results that were written at this time or later: the ID of each, the time in ns, and the result.

        Raises:
            CacheError: A directory or file cannot be read.
        """
        with as_cache_errors("read", self.directory):
            written = [(name, status.st_mtime_ns) for name, status in files(self.directory)]
        for name, written_ns in written:
            if written_ns < max(since_ns, 1):
                continue
            file = sharded(self.directory, name)
            try:
                with as_cache_errors("read", file):
                    result = self._loads(name, read_regular(file))
            except ValueError:
                continue
            yield name, written_ns, result

    def _loads(self, name: str, data: bytes) -> Result:
        return loads(name, data, self._group)

    def _group(self, digest: str) -> Mapping[str, RecordedStage]:
        """The stages in a group, which several results may have.

        Raises:
            ValueError: It is gone or damaged.
        """
        found = self._groups.get(digest)
        if found is None:
            data = self.text(digest)
            if data is None:
                raise ValueError("a group of its stages is gone")
            found = self._groups[digest] = _stages(artifact_json.parse(data))
        return found


def _no_group(digest: str) -> Mapping[str, RecordedStage]:
    raise ValueError(f"the group {digest} is not known")


def dumps(result: Result, groups: Iterable[str] | None = None) -> bytes:
    """The content of the file of a result; with the digests of groups, of one that names them."""
    plain = {
        "format": FORMAT if groups is None else GROUPED_FORMAT,
        "algorithm": ALGORITHM,
        "project": result.project,
        "time": result.time,
        "seconds": result.seconds,
        "stages": _plain_stages(result.stages) if groups is None else list(groups),
        "metrics": dict(result.metrics),
    }
    return _encoded(plain)


def loads(name: str, data: bytes, group: Callable[[str], Mapping[str, RecordedStage]] = _no_group) -> Result:
    """The result in an untrusted text; ``group`` returns the stages of one that it names.

    Raises:
        ValueError: The text is invalid, or that of another result.
    """
    try:
        top = artifact_json.fields(artifact_json.parse(data), "", _TOP)
        if top["algorithm"] != ALGORITHM or top["format"] not in (FORMAT, GROUPED_FORMAT):
            raise ValueError("it is of another format")
        groups: tuple[str, ...] = ()
        if top["format"] == GROUPED_FORMAT:
            groups = tuple(
                artifact_json.digest(each, "stages") for each in artifact_json.sequence(top["stages"], "stages")
            )
            stages = {address: stage for each in groups for address, stage in group(each).items()}
        else:
            stages = _stages(top["stages"])
        result = Result(
            stages,
            {
                artifact_json.path(path, "metrics"): value
                for path, value in artifact_json.mapping(top["metrics"], "metrics").items()
            },
            float(top["time"]),
            float(top["seconds"]),
            artifact_json.text(top["project"], "project"),
            groups,
        )
        if result.id != name:
            raise ValueError("it is about something else")
    except (TypeError, RecursionError, artifact_json.FieldError) as error:
        raise ValueError(str(error)) from None
    return result


def _grouped(stages: Mapping[str, RecordedStage]) -> Iterator[dict[str, RecordedStage]]:
    """Stages in groups that stay the same where stages are added or removed elsewhere: addresses end them."""
    group: dict[str, RecordedStage] = {}
    for address, stage in sorted(stages.items()):
        group[address] = stage
        if int(digest_bytes(address.encode())[-4:], 16) % _GROUP == 0:
            yield group
            group = {}
    if group:
        yield group


def _encoded(plain: Any) -> bytes:
    return f"{canonical_json(plain)}\n".encode()


def _plain_stages(stages: Mapping[str, RecordedStage]) -> dict[str, Any]:
    return {address: _plain(stage) for address, stage in stages.items()}


def _stages(value: object) -> dict[str, RecordedStage]:
    return {address: _stage(each) for address, each in artifact_json.mapping(value, "stages").items()}


def _plain(stage: RecordedStage) -> dict[str, Any]:
    return {
        "lock": stage.lock,
        "key": stage.key,
        "code": stage.code,
        "params": dict(stage.params),
        "sources": dict(stage.sources),
        "outs": {path: artifact_json.encode(artifact) for path, artifact in stage.outs.items()},
    }


def _stage(value: object) -> RecordedStage:
    found = artifact_json.fields(value, "stages", _STAGE)
    sources = artifact_json.mapping(found["sources"], "sources")
    return RecordedStage(
        artifact_json.digest(found["lock"], "lock"),
        artifact_json.digest(found["key"], "key"),
        artifact_json.digest(found["code"], "code"),
        artifact_json.mapping(found["params"], "params"),
        {artifact_json.path(path, "sources"): artifact_json.digest(each, path) for path, each in sources.items()},
        artifact_json.artifacts(found["outs"], "outs"),
    )
