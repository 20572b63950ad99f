"""`pivot verify --rerun`: runs stages once more on the same inputs, in a scratch copy, and compares their outs."""

import contextlib
import functools
import itertools
import json
import math
import os
import pathlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from pivot_cache.errors import CacheError
from pivot_cache.state.stat_cache import StatCache
from pivot_core.errors import PivotError
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact, StageLock
from pivot_core.spec import StageSpec
from pivot_core.values import Value
from pivot_runtime.context import CommandContext
from pivot_runtime.evaluating.matching_files import dep_paths
from pivot_runtime.evaluating.session import Session, open_session
from pivot_runtime.executors.base import Finished
from pivot_runtime.executors.host_executor import HostExecutor
from pivot_runtime.history import stage_stats
from pivot_runtime.inspecting.scratch import InputGoneError, Scratch, open_scratch, remove
from pivot_runtime.loading import host_client
from pivot_runtime.loading.assembly import Assembly, LoadOptions, load_pipelines
from pivot_runtime.loading.host_pool import LazyHost
from pivot_runtime.tracing.usage import TraceOptions

SAME: Final = "same"
DIFFERS: Final = "differs"
FAILED: Final = "failed"
SKIPPED: Final = "skipped"


@attrs.frozen(eq=False, repr=False)
class Rerun(Value):
    """The result of running a stage once more.

    Attributes:
        address: The stage.
        verdict: `SAME`, `DIFFERS`, `FAILED`, or `SKIPPED`.
        detail: The place of the first difference, or the reason why there is no answer.
        seconds: The duration.
        time: The end, in seconds since the epoch.
    """

    address: str
    verdict: str
    detail: str = ""
    seconds: float = 0.0
    time: float = attrs.field(factory=time.time)

    @property
    def good(self) -> bool:
        """Whether nothing counts against the stage."""
        return self.verdict in (SAME, SKIPPED)

    @property
    def skipped(self) -> bool:
        """Whether the stage was not run."""
        return self.verdict == SKIPPED

    def to_stats(self) -> dict[str, Any]:
        """The part for the stage's statistics, without the state of the stage that it is valid for."""
        return {"verdict": self.verdict, "detail": self.detail, "time": self.time}


def sample(addresses: Sequence[str], percent: int, known: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """A share of the stages, at least one, in their order: those never or least recently run again."""

    def when(address: str) -> float:
        kept = known.get(address, {}).get(stage_stats.RERUN)
        return float(kept["time"]) if isinstance(kept, dict) and "time" in kept else 0.0

    count = math.ceil(len(addresses) * percent / 100)
    oldest = set(sorted(addresses, key=when)[:count])
    return tuple(address for address in addresses if address in oldest)


def rerun(
    context: CommandContext,
    addresses: Iterable[str],
    *,
    all_pipelines: bool = False,
    percent: int = 100,
    starting: Callable[[str], None] = lambda _: None,
) -> tuple[Rerun, ...]:
    """Run stages that are up to date once more in a scratch copy, and store the results.

    Args:
        context: The context of the command.
        addresses: The stages.
        all_pipelines: Whether to load every pipeline of the project.
        percent: The share of them to run.
        starting: Called with the address of each stage before it runs.

    Raises:
        PivotError: A pipeline cannot be loaded.
    """
    store = stage_stats.project_stats(context.project.layout)
    wanted = sample(tuple(addresses), percent, store.recall())
    with load_pipelines(context, LoadOptions(all_pipelines=all_pipelines, quiet=True)) as assembly:
        assembly.close()
    results = []
    with open_session(context, assembly) as session, open_scratch(session.stores) as copy:
        copy.copy_sources(each.loaded for each in assembly.files)
        with _hosts(context, assembly, copy.root) as hosts:
            for address in wanted:
                starting(address)
                result = _Repetition(session, copy, hosts).run(address)
                results.append(result)
                lock = session.lock(address)
                if lock is not None and not result.skipped:
                    store.remember({address: {stage_stats.RERUN: stage_stats.bound_to(lock, result.to_stats())}})
    return tuple(results)


@contextlib.contextmanager
def _hosts(context: CommandContext, assembly: Assembly, root: pathlib.Path) -> Iterator[Mapping[str, LazyHost]]:
    """The hosts of the copied pipelines, each started on demand and ended at the end."""
    with contextlib.ExitStack() as ending:
        found: dict[str, LazyHost] = {}
        for each in assembly.files:
            file = root / each.file.relative_to(context.project.root)
            host = LazyHost(
                None, functools.partial(host_client.load, root, file, quiet=True, overrides=context.overrides)
            )
            ending.callback(host.kill)
            found.update((stage.spec.address, host) for stage in each.loaded.stages)
        yield found


def _why_not(spec: StageSpec, lock: StageLock | None) -> str:
    """Why a stage cannot give the result of its last run again; empty if it can."""
    if lock is None:
        return "it has never run"
    if spec.frozen:
        return "it is frozen"
    if spec.always or spec.ttl is not None:
        return "its result depends on when it runs"
    return "it continues from its last result" if any(out.incremental for out in spec.outs) else ""


class _Repetition:
    """A run of one stage in the copy, compared with its last run."""

    def __init__(self, session: Session, copy: Scratch, hosts: Mapping[str, LazyHost]) -> None:
        self._session = session
        self._copy = copy
        self._hosts = hosts

    def run(self, address: str) -> Rerun:
        spec = self._session.graph.stages[address]
        lock = self._session.lock(address)
        cannot = _why_not(spec, lock)
        if lock is None or cannot:
            return Rerun(address, SKIPPED, cannot)
        outs = [out.path for out in spec.outs]
        deps = {**lock.inputs.deps, **self._uncounted(spec)}
        try:
            self._copy.clear(outs)
            self._copy.place_inputs(deps)
            for path in outs:
                (self._copy.root / path).parent.mkdir(parents=True, exist_ok=True)
            finished = self._execute(address)
            if finished.failure is not None:
                return Rerun(address, FAILED, finished.failure.summary, finished.seconds)
            difference = self._difference(lock)
            return Rerun(address, DIFFERS if difference else SAME, difference, finished.seconds)
        except InputGoneError as error:
            return Rerun(address, SKIPPED, f"{error} is not available with its former content")
        except PivotError as error:
            return Rerun(address, FAILED, str(error))
        finally:
            self._copy.clear([*outs, *deps])

    def _uncounted(self, spec: StageSpec) -> dict[ArtifactPath, Artifact]:
        """The deps that do not count as inputs, as they are now: the lock does not have their content."""
        paths = dep_paths(attrs.evolve(spec, deps=spec.uncounted), self._session.graph, self._session)
        return {path: artifact for path in paths if (artifact := self._session.artifact_at(path)) is not None}

    def _execute(self, address: str) -> Finished:
        start = self._session.stores.settings.worker_start
        executor = HostExecutor(lambda of: self._hosts[of].process(), TraceOptions(files=False), start=start)
        executor.start(address, self._copy.root / f".rerun-{os.getpid()}.log")
        return executor.wait()

    def _difference(self, lock: StageLock) -> str:
        """The place of the first difference in the outs; empty if all are the same."""
        with StatCache(self._copy.root / ".rerun.sqlite", readonly=True) as files:
            for path, recorded in sorted(lock.outs.items()):
                found = files.artifact(self._copy.root / path)
                if found == recorded:
                    continue
                if found is None:
                    return f"{path} was not written"
                if found.tree != recorded.tree:
                    return f"{path} is {'a directory' if found.tree else 'a file'} now"
                if found.tree:
                    return self._in_tree(path, recorded, files)
                return f"{path} {self._in_file(path, recorded, found)}".rstrip()
        return ""

    def _in_tree(self, path: ArtifactPath, recorded: Artifact, files: StatCache) -> str:
        now = files.tree(self._copy.root / path)
        try:
            before = self._session.store.tree(recorded)
        except CacheError:
            return f"{path} (its former content is no longer in the cache)"
        for name in sorted({*before.files, *now.files}):
            inner = ArtifactPath(f"{path}/{name}")
            if name not in now.files:
                return f"{inner} was not written"
            if name not in before.files:
                return f"{inner} is new"
            if before.files[name] != now.files[name]:
                return f"{inner} {self._in_file(inner, before.files[name], now.files[name])}".rstrip()
        return f"{path}: its empty directories differ"

    def _in_file(self, path: ArtifactPath, recorded: Artifact, now: Artifact) -> str:
        if recorded.digest == now.digest:
            return f"is {'' if now.executable else 'not '}executable now"
        old = self._copy.root / ".rerun.old"
        remove(old)
        try:
            self._session.store.restore(recorded, old)
        except CacheError:
            if self._session.artifact_at(path) != recorded:
                return "(its former content is no longer available)"
            old = self._session.project.root / path
        try:
            return first_difference(old, self._copy.root / path)
        except OSError:
            return ""


_BLOCK: Final = 1 << 20
_READABLE: Final = 1 << 24
"""The size above which texts are not parsed."""
_ALL: Final = "$"


def first_difference(old: pathlib.Path, new: pathlib.Path) -> str:
    """The first difference between two files: the path in JSON, the line in a text, otherwise the byte.

    Raises:
        OSError: A file cannot be read.
    """
    if max(os.path.getsize(old), os.path.getsize(new)) <= _READABLE:
        before, after = old.read_bytes(), new.read_bytes()
        return _in_json(before, after) or _in_text(before, after) or _in_bytes(old, new)
    return _in_bytes(old, new)


def _in_json(before: bytes, after: bytes) -> str:
    try:
        path = next(_json_paths(json.loads(before), json.loads(after), _ALL), "")
    except (ValueError, RecursionError):
        return ""
    return f"at {path}" if path not in ("", _ALL) else ""


def _json_paths(before: Any, after: Any, path: str) -> Iterator[str]:
    """The paths of all values that differ, in the order of the first file."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            if key not in before or key not in after:
                yield f"{path}.{key}"
            else:
                yield from _json_paths(before[key], after[key], f"{path}.{key}")
    elif isinstance(before, list) and isinstance(after, list):
        for index, (one, other) in enumerate(zip(before, after, strict=False)):
            yield from _json_paths(one, other, f"{path}[{index}]")
        if len(before) != len(after):
            yield f"{path}[{min(len(before), len(after))}]"
    elif type(before) is not type(after) or (before != after and repr(before) != repr(after)):
        yield path


def _in_text(before: bytes, after: bytes) -> str:
    try:
        lines = itertools.zip_longest(
            before.decode().splitlines(keepends=True), after.decode().splitlines(keepends=True)
        )
    except UnicodeDecodeError:
        return ""
    if b"\0" in before or b"\0" in after:
        return ""
    return next((f"in line {number}" for number, (one, other) in enumerate(lines, 1) if one != other), "")


def _in_bytes(old: pathlib.Path, new: pathlib.Path) -> str:
    offset = 0
    with old.open("rb") as first, new.open("rb") as second:
        while True:
            one, other = first.read(_BLOCK), second.read(_BLOCK)
            if one != other:
                pairs = itertools.zip_longest(one, other)
                return f"at byte {offset + next(index for index, (a, b) in enumerate(pairs) if a != b)}"
            if not one:
                return ""
            offset += len(one)
