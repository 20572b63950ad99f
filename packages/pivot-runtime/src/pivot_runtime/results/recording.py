"""Recording of results: the parameters, metrics and outs of stages whose runs are in locks."""

import contextlib
import time
from collections.abc import Container, Mapping

import attrs

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
    stores: Stores, locks: Mapping[str, StageLock], metric_files: Container[ArtifactPath], *, seconds: float = 0.0
) -> Result:
    """The result of stages with these locks, as of now; nothing is stored.

    Metrics count as far as their content is readable, and in the cache or the workspace.
    """
    texts = {address: lock_file.dumps(lock).encode() for address, lock in locks.items()}
    return _result(stores, locks, texts, metric_files, seconds)


def record(
    stores: Stores, locks: Mapping[str, StageLock], metric_files: Container[ArtifactPath], *, seconds: float = 0.0
) -> tuple[str, Result]:
    """Store the result of stages with these locks, and what restoring it needs; returns its ID and the result.

    Raises:
        CacheError: The cache cannot be written.
    """
    if stores.layout.cache is not None and not identity.known(stores.layout):
        identity.assign_name(stores.layout)
    results = Results(stores.layout.results_dir)
    texts = {address: lock_file.dumps(lock).encode() for address, lock in locks.items()}
    for address, lock in locks.items():
        results.put_text(texts[address])
        for out in lock.inputs.outs:
            artifact = lock.outs[out.path]
            if not (out.cache or artifact.tree) and artifact.size <= MOST_BYTES:
                with contextlib.suppress(ContentError):  # it may be another file by now: then it cannot be restored
                    results.put_text(_content(stores, out.path, artifact))
    result = _result(stores, locks, texts, metric_files, seconds)
    before = None if seconds else results.get(result.id)
    if before is not None:
        result = attrs.evolve(result, seconds=before.seconds)
    return results.put(result), result


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


def _result(
    stores: Stores,
    locks: Mapping[str, StageLock],
    texts: Mapping[str, bytes],
    metric_files: Container[ArtifactPath],
    seconds: float,
) -> Result:
    """The result of stages with these locks, of which the texts are known."""
    written = {path for lock in locks.values() for path in lock.outs}
    around = {name for path in written for name in parent_names(path)}
    stages = {
        address: _stage(with_versions(stores, lock), texts[address], written, around)
        for address, lock in sorted(locks.items())
    }
    metrics = {}
    for lock in locks.values():
        for path, artifact in lock.outs.items():
            if path in metric_files and not artifact.tree and artifact.size <= MOST_BYTES:
                from pivot_runtime.comparing.values import parse  # lazy

                with contextlib.suppress(ContentError):
                    metrics[path] = parse(_content(stores, path, artifact), path)
    return Result(stages, metrics, round(time.time(), 3), round(seconds, 3), project_name(stores.layout))


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
