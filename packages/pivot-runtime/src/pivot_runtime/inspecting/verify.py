"""`pivot verify`: checks that stages are up to date and that the cache or the remote has their files; runs nothing."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

import attrs

from pivot_cache.errors import CorruptObjectError, MissingObjectError
from pivot_cache.formats.tree import TreeDifference
from pivot_core.decide import Decision, Memory, Reason
from pivot_core.files.paths import ArtifactPath
from pivot_core.files.patterns import PathPattern
from pivot_core.graph import Graph
from pivot_core.lock import Artifact
from pivot_core.spec import Location
from pivot_core.values import Value
from pivot_runtime.artifacts import records
from pivot_runtime.artifacts.overlay import Overlay
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import BrokenPipeline
from pivot_runtime.evaluating.evaluate import Evaluation, evaluate
from pivot_runtime.evaluating.matching_files import dep_paths, matching_inside
from pivot_runtime.evaluating.session import Session, SessionView, open_session
from pivot_runtime.history.stage_stats import RERUN, project_stats, valid_stats
from pivot_runtime.loading.assembly import Assembly, LoadOptions, load_pipelines
from pivot_runtime.sharing.remote_client import RemoteClient

if TYPE_CHECKING:
    from pivot_runtime.inspecting.rerun import Rerun


@attrs.frozen(eq=False, repr=False)
class StageVerdict(Value):
    """The verdict on one stage.

    Attributes:
        name: The displayed name.
        address: The address, which is unique in the project.
        location: The location of the most important change, otherwise of the stage; None if unknown.
        decision: The decision for it if missing files count as recorded.
        upstream: The stages that would run first.
        missing: Its inputs and outs that must be in the cache or on the remote, but are not.
        lost: The part of ``missing`` that is in the workspace, from which a run stores it again.
        unknown: The reason why it is unknown whether its code has changed since its last run; empty if it is known.
        rerun: The result of running its current state once more, with ``verdict``, ``detail`` and ``time``; None
            without such a run.
        differences: For each directory out that differs from the last run's, the differing files.
    """

    name: str
    address: str
    location: Location | None
    decision: Decision
    upstream: Sequence[str] = ()
    missing: tuple[ArtifactPath, ...] = ()
    lost: tuple[ArtifactPath, ...] = ()
    unknown: str = ""
    rerun: Mapping[str, Any] | None = None
    differences: Mapping[str, TreeDifference] = attrs.field(factory=dict)

    @property
    def current(self) -> bool:
        """Whether its code, its inputs and its outs on disk are those of its last run, as far as known.

        A frozen stage may differ; a stage that always runs is compared like any other.
        """
        return self.decision.holds and not self.never_run

    @property
    def never_run(self) -> bool:
        """Whether no run of it is recorded."""
        return Reason.NEVER_RUN in self.decision.reasons

    @property
    def status(self) -> Literal["passed", "failed", "unknown"]:
        """``passed`` if it is current and all its files are available; ``unknown`` only if nothing has failed."""
        if self.missing or not self.current:
            return "failed"
        return "unknown" if self.unknown else "passed"


@attrs.frozen(eq=False, repr=False)
class Verification(Value):
    """The verdicts on the selected stages.

    Attributes:
        stages: The verdicts, in graph order.
        names: The displayed name of every stage, by address.
        broken: Pipelines that could not be loaded, and that may write deps of these stages.
        unread: Pipeline files of unknown content.
        absent: In a project without pipelines, the tracked data that are available nowhere.
    """

    stages: tuple[StageVerdict, ...]
    names: Mapping[str, str]
    broken: tuple[BrokenPipeline, ...] = ()
    unread: tuple[str, ...] = ()
    absent: tuple[ArtifactPath, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether all stages have passed, and there are no unknown pipeline files or unavailable tracked data."""
        return self.count("passed") == len(self.stages) and not (self.unread or self.absent)

    def with_reruns(self, reruns: "Iterable[Rerun]") -> Self:
        """The same, with the results of stages that have been run once more since."""
        found = {each.address: each.to_stats() for each in reruns if not each.skipped}
        stages = (attrs.evolve(each, rerun=found.get(each.address, each.rerun)) for each in self.stages)
        return attrs.evolve(self, stages=tuple(stages))

    def count(self, status: str) -> int:
        """The number of stages with this status."""
        return sum(stage.status == status for stage in self.stages)


def verify(
    context: CommandContext,
    targets: Iterable[str] = (),
    *,
    all_pipelines: bool = False,
    allow_missing: bool = False,
    quiet: bool = False,
    static: bool = False,
) -> Verification:
    """Verify the targets; without targets, the stages of the command's pipeline and everything upstream.

    Args:
        context: The context of the command.
        targets: Names or addresses of stages, or paths of outs.
        all_pipelines: Whether to load every pipeline of the project.
        allow_missing: Whether missing files may be on the default remote instead.
        quiet: Whether to drop the output of the user's code during its import.
        static: Whether to import nothing, and report for each stage what is unknown without an import.

    Raises:
        StaticError: With ``static``, no stage is known.
        ConfigError: With ``allow_missing``, no remote is configured.
        RemoteError: The remote does not answer the question.
        PivotError: A pipeline cannot be loaded, or a target is unknown.
    """
    named = list(targets)
    if not static:
        load_options = LoadOptions(
            all_pipelines=all_pipelines, quiet=quiet, may_be_empty=lambda: records.read_tracked(context)
        )
        with load_pipelines(context, load_options) as assembly:
            assembly.close()
        return verify_loaded(context, assembly, named, allow_missing=allow_missing)
    from pivot_runtime.loading.static import load_statically  # lazy

    loaded = load_statically(context, all_pipelines=all_pipelines)
    found = verify_loaded(context, loaded.assembly, named, allow_missing=allow_missing)
    stages = found.stages if allow_missing else map(_unknown_if_missing, found.stages)
    return attrs.evolve(
        found,
        stages=tuple(attrs.evolve(each, unknown=loaded.unknown.get(each.address, each.unknown)) for each in stages),
        unread=() if named else loaded.unread,
    )


def verify_loaded(
    context: CommandContext,
    assembly: Assembly,
    named: Sequence[str] = (),
    *,
    allow_missing: bool = False,
) -> Verification:
    """Verify loaded stages.

    Args:
        context: The context of the command.
        assembly: The stages.
        named: See `verify`.
        allow_missing: See `verify`.

    Raises:
        PivotError: See `verify`.
    """
    with open_session(context, assembly) as session:
        if allow_missing:
            session.stores.settings.remote_url()
        wanted = session.resolve(named) if named else tuple(session.graph.stages)
        graph = session.graph.select(session.graph.ancestors(wanted))
        tracked = {record.path: record.artifact for record in records.read_tracked(context)}
        if not assembly.files:
            unavailable = _unavailable(session, set(tracked.values()), allow_missing)
            return Verification((), {}, absent=tuple(path for path, each in tracked.items() if each in unavailable))
        view = _RecordedView(session, graph, tracked)
        if allow_missing and (listings := view.unlisted()):
            RemoteClient(session.stores).fetch_listings(listings)
        evaluations = evaluate(graph, session.stages, view, schema=session.schema)
        needed = {address: dict(view.needed(evaluations[address])) for address in wanted}
        unavailable = _unavailable(
            session, {each for files in needed.values() for each in files.values()}, allow_missing
        )
        names = session.graph.short_names()
        stats = project_stats(context.project.layout).recall()
        verdicts = []
        for address in graph.stages:
            if address in needed:
                evaluation = evaluations[address]
                missing = {path: artifact for path, artifact in needed[address].items() if artifact in unavailable}
                verdicts.append(
                    StageVerdict(
                        names[address],
                        address,
                        location=_location(evaluation),
                        decision=evaluation.decision,
                        upstream=evaluation.observation.upstream,
                        missing=tuple(sorted(missing)),
                        lost=tuple(path for path in sorted(missing) if view.in_place(path, missing[path])),
                        rerun=valid_stats(evaluation.lock, stats.get(address, {})).get(RERUN),
                        differences=session.out_differences(evaluation),
                    )
                )
        return Verification(tuple(verdicts), names, assembly.broken)


def _location(evaluation: Evaluation) -> Location:
    """The location of the most important change, otherwise of the stage."""
    decision = evaluation.decision
    changed = [each.location for each in decision.changes if each.reason in decision.reasons[:1] and each.location]
    return changed[0] if changed else evaluation.stage.spec.location


def _unknown_if_missing(stage: StageVerdict) -> StageVerdict:
    """Count missing files as unknown, since strangers' changes are verified without credentials for the remote."""
    if not stage.missing:
        return stage
    unknown = f"Not in the cache here, and the remote was not asked: {', '.join(stage.missing)}"
    return attrs.evolve(stage, missing=(), lost=(), unknown=unknown)


def _unavailable(session: Session, artifacts: set[Artifact], allow_missing: bool) -> set[Artifact]:  # noqa: FBT001
    """The files that are neither here nor, if they may be there, on the remote, which is asked once."""
    absent = {artifact for artifact in artifacts if not session.store.has_all(artifact)}
    if not (absent and allow_missing):
        return absent
    return RemoteClient(session.stores).missing(absent)


class _RecordedView(SessionView):
    """A view of a session in which artifacts that are not on disk count as recorded."""

    def __init__(self, session: Session, graph: Graph, tracked: Mapping[ArtifactPath, Artifact]) -> None:
        super().__init__(session)
        self._graph = graph
        self._found: dict[ArtifactPath, Artifact | None] = {}
        self._recorded = dict(tracked)
        for address in graph.stages:
            lock = session.lock(address)
            if lock is not None:
                self._recorded |= lock.outs
        self._overlay = Overlay(session.stores, self._on_disk, dict(self._recorded), session.store.tree)
        for address in graph.stages:
            lock = session.lock(address)
            for path, artifact in lock.inputs.deps.items() if lock is not None else ():
                if self._is_inside(path):  # no other missing content can be brought back
                    self._recorded.setdefault(path, artifact)

    def artifact_at(self, path: ArtifactPath) -> Artifact | None:
        if self._on_disk(path) is None and path in self._session.unreadable:
            return None
        try:
            found = self._overlay.look(path)
        except (MissingObjectError, CorruptObjectError):
            return self._recorded.get(path)  # the directory is reported as unavailable
        return self._recorded.get(path) if found is None and not self._is_inside(path) else found

    def lost(self, path: ArtifactPath, artifact: Artifact) -> bool:
        """False: Files that the cache lacks are reported separately from the decision."""
        del path, artifact
        return False

    def _on_disk(self, path: ArtifactPath) -> Artifact | None:
        if path not in self._found:
            self._found[path] = super()._on_disk(path)
        return self._found[path]

    def _is_inside(self, path: ArtifactPath) -> bool:
        """Whether a path is in a directory that is not on disk, whose listing determines whether the path exists."""
        return any(True for _ in self._overlay.touching(path))

    def unlisted(self) -> set[Artifact]:
        """The directories that are not on disk and whose listings are needed but not in the cache."""
        needed = {path for spec in self._graph.stages.values() for path in spec.deps}
        around = {each for path in needed for at, each in self._overlay.touching(path) if at != path and each.tree}
        for path in needed:
            if isinstance(path, PathPattern):
                around.update(artifact for _, artifact in self._absent_directories(path))
        return {artifact for artifact in around if not self._session.store.verified(artifact.digest)}

    def _absent_directories(self, pattern: PathPattern) -> Iterable[tuple[ArtifactPath, Artifact]]:
        """The directories that are not on disk and in which files may match."""
        for path, artifact in list(self._recorded.items()):
            if artifact.tree and pattern.may_match_in(path) and self._on_disk(path) is None:
                yield path, artifact

    def files_matching(self, pattern: PathPattern) -> list[ArtifactPath]:
        inside = matching_inside(pattern, self._absent_directories(pattern), self)
        return list(dict.fromkeys((*super().files_matching(pattern), *inside)))

    def memory(self) -> Memory:
        return _NoMemory()

    def needed(self, evaluation: Evaluation) -> Iterable[tuple[ArtifactPath, Artifact]]:
        """The files of a stage that must be in the cache or on the remote: all outs, and absent deps."""
        cached = {out.path for out in evaluation.stage.spec.outs if out.cache}
        lock = evaluation.lock
        for path, artifact in (lock.outs if lock is not None else {}).items():
            if path in cached or self._found.get(path) is None:
                yield path, artifact
        for path in dep_paths(evaluation.stage.spec, self._graph, self):
            within = dict(self._overlay.touching(path))
            yield from within.items()
            recorded = self._recorded.get(path)
            if not within and recorded is not None and self._found.get(path) is None:
                yield path, recorded

    def in_place(self, path: ArtifactPath, artifact: Artifact) -> bool:
        """Whether this artifact is in the workspace at a path that has been examined."""
        return self._found.get(path) == artifact


class _NoMemory:
    """An empty run cache: a stage that could only be restored is not verified, since its lock file is out of date."""

    def recorded(self, key: str) -> tuple[()]:
        """Nothing."""
        del key
        return ()

    def has(self, artifact: Artifact) -> bool:
        del artifact
        return False
