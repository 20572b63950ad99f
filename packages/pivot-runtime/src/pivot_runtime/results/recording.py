"""Recording of results: the parameters, metrics and outs of stages whose runs are in locks."""

import contextlib
import pathlib
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

import attrs

from pivot_cache.errors import CacheError, LockFileError
from pivot_cache.files import atomic
from pivot_cache.files.safe_read import read_regular
from pivot_cache.formats import lock_file
from pivot_cache.layout import Layout
from pivot_cache.state.results import RecordedStage, Result, Results
from pivot_core.files.digest import digest_bytes, digest_lines
from pivot_core.files.paths import ArtifactPath, parent_names
from pivot_core.lock import Artifact, Inputs, StageLock
from pivot_runtime.artifacts.stores import Stores
from pivot_runtime.errors import ContentError
from pivot_runtime.project import identity

MOST_BYTES = 1 << 20
"""The size of the largest file that is read as metrics, or kept although its out is declared not to be cached."""

_VARYING = frozenset({"param", "env", "dep", "observed"})


def result_of(
    stores: Stores, locks: Mapping[str, StageLock], metric_files: Collection[ArtifactPath], *, seconds: float = 0.0
) -> Result:
    """The result of stages with these locks, as of now; nothing is stored.

    Metrics count as far as their content is readable, and in the cache or the workspace.
    """
    return _result(stores, _recorded(stores, locks, _texts(locks)), metric_files, seconds)


def record(
    stores: Stores, locks: Mapping[str, StageLock], metric_files: Collection[ArtifactPath], *, seconds: float = 0.0
) -> tuple[str, Result]:
    """Store the result of stages with these locks, and what restoring it needs; returns its ID and the result.

    Raises:
        CacheError: The cache cannot be written.
    """
    _assign_name(stores.layout)
    texts = _texts(locks)
    result = _result(stores, _recorded(stores, locks, texts), metric_files, seconds)
    results = Results(stores.layout.results_dir)
    before = None if seconds else results.get(result.id)
    if before is not None:
        result = attrs.evolve(result, seconds=before.seconds)
    return _put(stores, results, locks, texts, result), result


def record_run(
    stores: Stores, addresses: Iterable[str], metric_files: Collection[ArtifactPath], *, seconds: float
) -> None:
    """Store the result of stages whose lock files are those of a run that has ended, as `record`.

    A stage whose lock file is as in the result of the last run is taken from there.

    Raises:
        CacheError: The cache cannot be written.
    """
    _assign_name(stores.layout)
    file, policy = stores.layout.last_result_file, stores.settings.library_versions.value
    results = Results(stores.layout.results_dir)
    last = _last(results, file, policy)
    texts = {}
    for address in addresses:
        with contextlib.suppress(OSError):
            texts[address] = read_regular(stores.layout.lock_path(address))
    same = {
        address: last.stages[address]
        for address, text in texts.items()
        if address in last.stages and last.stages[address].lock == digest_bytes(text)
    }
    locks = _parsed({address: text for address, text in texts.items() if address not in same})
    if _written(locks, same) != _written({}, last.stages):  # then the deps that no stage writes may be others
        locks |= _parsed({address: texts[address] for address in same})
        same = {}
    stages = same | _recorded(stores, locks, texts, same)
    result = _result(stores, dict(sorted(stages.items())), metric_files, seconds, last)
    name = _put(stores, results, locks, texts, result)
    with contextlib.suppress(CacheError):
        atomic.change_bytes(file, f"{name} {policy}\n".encode())


def with_versions(stores: Stores, lock: StageLock) -> StageLock:
    """A lock with the versions of libraries that count, which its file does not have."""
    versions = stores.settings.relevant_versions(lock.libraries)
    return attrs.evolve(lock, inputs=attrs.evolve(lock.inputs, library_versions=versions))


def code_digest(inputs: Inputs) -> str:
    """A digest of the code that a stage depends on, with libraries and the declarations of outs."""
    lines = [line for line in inputs.lines() if line.kind not in _VARYING]
    return digest_lines([str(inputs.schema), *(text for line in lines for text in (line.kind, line.key, line.value))])


def project_name(layout: Layout) -> str:
    """The name of a project that shares its cache; "" if it does not."""
    return "" if layout.cache is None else identity.known(layout)


def _assign_name(layout: Layout) -> None:
    """Give a project that shares its cache a name, which results have."""
    if layout.cache is not None and not identity.known(layout):
        identity.assign_name(layout)


def _texts(locks: Mapping[str, StageLock]) -> dict[str, bytes]:
    return {address: lock_file.dumps(lock).encode() for address, lock in locks.items()}


def _parsed(texts: Mapping[str, bytes]) -> dict[str, StageLock]:
    """The locks with these texts; those that are damaged are left out."""
    locks = {}
    for address, text in texts.items():
        with contextlib.suppress(LockFileError):
            locks[address] = lock_file.parse(text, address)
    return locks


def _last(results: Results, file: pathlib.Path, policy: str) -> Result:
    """The result of the last run; an empty one if it is gone, or if other versions of libraries counted."""
    with contextlib.suppress(OSError, ValueError, CacheError):
        name, last_policy = read_regular(file).decode().split()
        if last_policy == policy:
            return results.get(name) or Result({})
    return Result({})


def _written(locks: Mapping[str, StageLock], recorded: Mapping[str, RecordedStage]) -> set[ArtifactPath]:
    outs = (*(lock.outs for lock in locks.values()), *(stage.outs for stage in recorded.values()))
    return {path for each in outs for path in each}


def _recorded(
    stores: Stores,
    locks: Mapping[str, StageLock],
    texts: Mapping[str, bytes],
    others: Mapping[str, RecordedStage] = MappingProxyType({}),
) -> dict[str, RecordedStage]:
    """The parts of stages in a result, which also has others."""
    written = _written(locks, others)
    around = {name for path in written for name in parent_names(path)}
    return {
        address: _stage(with_versions(stores, lock), texts[address], written, around)
        for address, lock in sorted(locks.items())
    }


def _result(
    stores: Stores,
    stages: Mapping[str, RecordedStage],
    metric_files: Collection[ArtifactPath],
    seconds: float,
    last: Result | None = None,
) -> Result:
    """The result of these stages; metrics that are as in the last result are taken from there."""
    metrics = {}
    by_directory: dict[str, list[ArtifactPath]] = {}
    for path in metric_files:
        for around in parent_names(path):
            by_directory.setdefault(around, []).append(path)
    for address, stage in stages.items():
        before = last.stages.get(address) if last is not None else None
        for path, artifact, out in _metrics_of(stores, stage.outs, metric_files, by_directory):
            if artifact.size > MOST_BYTES:
                continue
            same = before is not None and before.outs.get(out) == stage.outs[out]
            if last is not None and same and path in last.metrics:
                metrics[path] = last.metrics[path]
                continue
            from pivot_runtime.comparing.values import parse  # lazy

            with contextlib.suppress(ContentError):
                metrics[path] = parse(_content(stores, path, artifact), path)
    return Result(stages, metrics, round(time.time(), 3), round(seconds, 3), project_name(stores.layout))


def _metrics_of(
    stores: Stores,
    outs: Mapping[ArtifactPath, Artifact],
    metric_files: Collection[ArtifactPath],
    by_directory: Mapping[str, Sequence[ArtifactPath]],
) -> Iterator[tuple[ArtifactPath, Artifact, ArtifactPath]]:
    """The metrics of a stage, each with the out that it is or that it is in."""
    for out, artifact in outs.items():
        if not artifact.tree:
            if out in metric_files:
                yield out, artifact, out
            continue
        inside = by_directory.get(out, ())
        with contextlib.suppress(CacheError):
            files = _files(stores, out, artifact) if inside else {}
            yield from ((path, files[name], out) for path in inside if (name := path[len(out) + 1 :]) in files)


def _files(stores: Stores, directory: ArtifactPath, recorded: Artifact) -> Mapping[str, Artifact]:
    """The files in a directory; where the cache lacks the listing, those of the workspace if nothing has changed.

    Raises:
        CacheError: They are unknown.
    """
    if stores.store.exists(recorded.digest):
        return stores.store.tree(recorded).files
    found = stores.files.tree(stores.layout.artifact(directory))
    return found.files if found.artifact() == recorded else {}


def _put(
    stores: Stores, results: Results, locks: Mapping[str, StageLock], texts: Mapping[str, bytes], result: Result
) -> str:
    """Store a result, and what restoring these of its stages needs.

    Raises:
        CacheError: The cache cannot be written.
    """
    for address, lock in locks.items():
        results.put_text(texts[address])
        for out in lock.inputs.outs:
            artifact = lock.outs[out.path]
            if not (out.cache or artifact.tree) and artifact.size <= MOST_BYTES:
                with contextlib.suppress(ContentError):  # it may be another file by now: then it cannot be restored
                    results.put_text(_content(stores, out.path, artifact))
    return results.put(result)


def _stage(lock: StageLock, text: bytes, written: set[ArtifactPath], around: set[str]) -> RecordedStage:
    return RecordedStage(
        digest_bytes(text),
        lock.inputs.key(),
        code_digest(lock.inputs),
        lock.inputs.params,
        {
            path: dep.digest
            for path, dep in sorted(lock.inputs.deps.items())
            if path not in around and written.isdisjoint((path, *parent_names(path)))
        },
        lock.outs,
    )


def _content(stores: Stores, path: ArtifactPath, artifact: Artifact) -> bytes:
    for file in (stores.store.path_of(artifact.digest), stores.layout.artifact(path)):
        with contextlib.suppress(OSError):
            data = file.read_bytes()
            if digest_bytes(data) == artifact.digest:
                return data
    raise ContentError(f"the content of {path} is not available")
