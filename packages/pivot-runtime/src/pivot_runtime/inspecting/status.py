"""`pivot status`: the verdict on each stage and its reasons; changes nothing."""

import functools
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import attrs

from pivot_cache.formats.tree import TreeDifference
from pivot_core.decide import Reason, VariableChange, Verdict
from pivot_core.files.paths import ArtifactPath
from pivot_core.graph import Graph
from pivot_core.lock import InputLine
from pivot_core.spec import LOCAL
from pivot_core.values import Value
from pivot_runtime.artifacts import lock_files, records
from pivot_runtime.artifacts.outs_in_git import report_tracked
from pivot_runtime.artifacts.tracked import TrackedFile, TrackedState, states
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import BrokenPipeline
from pivot_runtime.evaluating.evaluate import Evaluation, evaluate
from pivot_runtime.evaluating.session import Session, open_session
from pivot_runtime.freshness.load_trace import LoadTrace
from pivot_runtime.history.stage_stats import project_stats, valid_stats
from pivot_runtime.loading.assembly import LoadOptions, load_pipelines

if TYPE_CHECKING:
    from pivot_runtime.evaluating.source_texts import SourceEdit
    from pivot_runtime.external.update import SourceCheck
    from pivot_runtime.sharing.remote_view import Availability, RemoteView, SyncState

__all__ = ["StageStatus", "Status", "StatusOptions", "TrackedFile", "TrackedState", "status"]


@attrs.frozen(eq=False, repr=False)
class StageStatus(Value):
    """The status of one stage.

    Attributes:
        name: The displayed name.
        evaluation: Its last run, its current state and the decision.
        edits: The text of each changed source by key, before and now, if they were asked for.
        stats: The statistics from earlier runs, by the names in `pivot_runtime.history.stage_stats`.
        absent: If the remote was asked, the outs missing from the workspace, and where they are available.
        differences: For each directory out that differs from the last run's, the differing files.
        variables: The variables of its ``pivot.yaml`` that differ from those of the last run, as far as known.
    """

    name: str
    evaluation: Evaluation
    edits: "Mapping[str, SourceEdit]" = attrs.field(factory=dict)
    stats: Mapping[str, Any] = attrs.field(factory=dict)
    absent: "Mapping[ArtifactPath, Availability]" = attrs.field(factory=dict)
    differences: Mapping[str, TreeDifference] = attrs.field(factory=dict)
    variables: "tuple[VariableChange, ...]" = ()

    @functools.cached_property
    def diffs(self) -> Mapping[str, str]:
        """The diff of each edited source by key, as far as known; empty if it is the same."""
        found = {key: edit.diff() for key, edit in self.edits.items()}
        return {key: diff for key, diff in found.items() if diff is not None}

    @property
    def cached(self) -> bool:
        """Whether nothing must be done; if the remote was asked, nothing except restoring or fetching missing outs."""
        decision = self.evaluation.decision
        others = tuple(reason for reason in decision.reasons if reason is not Reason.FROZEN)
        elsewhere = bool(self.absent) and others == (Reason.OUT_MISSING,)
        return decision.holds or (decision.verdict is Verdict.RESTORE and elsewhere)

    def compared(self) -> list[InputLine]:
        """Return the facts that are compared with the last run; those of outs are their contents, ``""`` for none."""
        observation = self.evaluation.observation
        outs = sorted(observation.outs.items())
        return [
            *(line for line in observation.inputs.lines() if line.kind != "out"),
            *(InputLine("out", path, "" if artifact is None else artifact.digest) for path, artifact in outs),
        ]


@attrs.frozen(eq=False, repr=False)
class Status(Value):
    """The status of a project.

    Attributes:
        stages: The selected stages, in graph order.
        names: The displayed name of every stage, by address.
        tracked: The tracked data, if requested or if there are no stages.
        broken: Pipelines that cannot be loaded, and that may write deps of these stages.
        load_traces: The facts that the loads depended on.
        sync_state: Where the artifacts of these stages and the tracked data are available, if the remote was asked
            about them.
        sources: The states of the sources of imported data, if they were asked.
        left: The number of outs of cached stages that are not in the workspace, but where a cluster has left them.
        left_on: The name of the remote that has them; "" for the cache.
        skipped: Whether there are only tracked data, and all of them were skipped with a notice.
        uncommitted: The names of the listed stages whose outs come from a run with ``--no-commit``.
        will_be_restored: Paths that are missing because a run was killed, and that the next run restores first.
    """

    stages: tuple[StageStatus, ...]
    names: dict[str, str]
    tracked: tuple[TrackedFile, ...] = ()
    broken: tuple[BrokenPipeline, ...] = ()
    load_traces: tuple[LoadTrace, ...] = ()
    sync_state: "SyncState | None" = None
    uncommitted: tuple[str, ...] = ()
    will_be_restored: tuple[ArtifactPath, ...] = ()
    sources: "tuple[SourceCheck, ...]" = ()
    left: int = 0
    left_on: str = ""
    skipped: bool = False

    @property
    def cached(self) -> bool:
        """Whether nothing must be done for any stage; without stages, for any tracked data."""
        if not self.stages:
            return not self.skipped and all(each.state is TrackedState.CLEAN for each in self.tracked)
        return all(stage.cached for stage in self.stages)


type RemoteUse = Literal["none", "pull", "all"]


@attrs.frozen(eq=False, repr=False)
class StatusOptions(Value):
    """The options of `status`.

    Attributes:
        all_pipelines: Whether to load every pipeline of the project.
        with_upstream: Whether to list also everything upstream of the targets.
        force: Whether to evaluate as a forced run would.
        quiet: Whether to drop the output of the user's code during its import.
        diff: Whether to find the texts of edited sources.
        variables: Whether to determine the changed variables of a ``pivot.yaml``.
        tracked: Whether to add the tracked data.
        stats: Whether to add the statistics of each stage from earlier runs.
        remote: With ``pull``, evaluate as `repro --pull` would: artifacts on the default remote count as present. With
            ``all``, also ask the remote about present artifacts, and report where each is available.
        sources: Whether to ask the sources of imported data whether they have changed.
        executor: Evaluate as a run with this executor would; None for the configured one.
    """

    all_pipelines: bool = False
    with_upstream: bool = False
    force: bool = False
    quiet: bool = False
    diff: bool = False
    variables: bool = False
    tracked: bool = False
    stats: bool = False
    remote: RemoteUse = "none"
    sources: bool = False
    executor: str | None = None


def status(context: CommandContext, targets: Iterable[str] = (), options: StatusOptions | None = None) -> Status:
    """Evaluate the targets; without targets, the stages of the command's pipeline and everything upstream.

    Args:
        context: The context of the command.
        targets: Names or addresses of stages, or paths of outs.
        options: The options.

    Raises:
        ConfigError: The remote must be asked, but none is configured.
        RemoteError: The remote cannot answer.
        PivotError: The pipeline cannot be loaded, or a target is unknown.
    """
    options = options or StatusOptions()
    load_options = LoadOptions(
        all_pipelines=options.all_pipelines,
        quiet=options.quiet,
        may_be_empty=lambda: records.has_tracked(context),
        while_loading=functools.partial(lock_files.read_ahead, context),
    )
    with load_pipelines(context, load_options) as assembly:
        assembly.close()
    with open_session(context, assembly, as_next_run=True) as session:
        wanted = session.resolve(targets) if (targets := list(targets)) else tuple(session.graph.stages)
        graph = session.graph.select(session.graph.ancestors(wanted))
        remote = None if options.remote == "none" else _remote_view(session, graph, ask_all=options.remote == "all")
        elsewhere = None if remote else _elsewhere_view(session, graph, options.executor)
        view = remote or elsewhere or session
        evaluations = evaluate(graph, session.stages, view, schema=session.schema, force=options.force)
        listed = {address: each for address, each in evaluations.items() if options.with_upstream or address in wanted}
        tracked = _tracked(session) if options.tracked or not assembly.files else ()
        sync_state = None
        if remote is not None and options.remote == "all":
            outs = (out.path for each in listed.values() for out in each.stage.spec.outs)
            sync_state = remote.sync_state({*outs, *(each.path for each in tracked)})
        names = session.graph.short_names()
        report_tracked(context, (out for address in wanted for out in graph.stages[address].outs))
        stats = project_stats(context.project.layout).recall() if options.stats else {}
        return Status(
            stages=tuple(
                StageStatus(
                    names[address],
                    evaluation,
                    edits=_edits(session, evaluation) if options.diff else {},
                    variables=_variables(session, evaluation) if options.variables else (),
                    stats=valid_stats(evaluation.lock, stats.get(address, {})) if options.stats else {},
                    absent={}
                    if sync_state is None
                    else sync_state.of(each.path for each in evaluation.stage.spec.outs),
                    differences=session.out_differences(evaluation),
                )
                for address, evaluation in listed.items()
            ),
            names=dict(names),
            tracked=tracked,
            skipped=not (assembly.files or tracked),
            broken=assembly.broken,
            load_traces=assembly.load_traces,
            sync_state=sync_state,
            uncommitted=tuple(sorted(names[each] for each in session.uncommitted_now(evaluations))),
            will_be_restored=tuple(sorted(session.will_be_restored)),
            sources=_sources(session) if options.sources else (),
            left=0 if elsewhere is None else len(elsewhere.elsewhere(_outs_of_cached(evaluations, wanted))),
            left_on="" if elsewhere is None else elsewhere.remote,
        )


def _outs_of_cached(evaluations: Mapping[str, Evaluation], wanted: Collection[str]) -> Iterable[ArtifactPath]:
    held = (evaluations[address] for address in wanted if evaluations[address].decision.holds)
    return (out.path for each in held for out in each.stage.spec.outs if not out.temp)


def _edits(session: Session, evaluation: Evaluation) -> "dict[str, SourceEdit]":
    observed = {} if evaluation.lock is None else evaluation.lock.inputs.observed
    return session.source_texts.edits(evaluation.stage, evaluation.decision.changes, observed)


def _variables(session: Session, evaluation: Evaluation) -> "tuple[VariableChange, ...]":
    if not evaluation.decision.changes:
        return ()
    return session.source_texts.changed_variables(evaluation.stage, evaluation.lock)


def _tracked(session: Session) -> tuple[TrackedFile, ...]:
    found = records.read_tracked(session.context)
    return tuple(states(session.context, session.stores, found)) if found else ()


def _sources(session: Session) -> "tuple[SourceCheck, ...]":
    from pivot_runtime.external.update import check_sources  # lazy

    return check_sources(session.context, session.stores, records.read_tracked(session.context))


def _elsewhere_view(session: Session, graph: Graph, executor: str | None) -> "RemoteView | None":
    """The view in which outs on a cluster count as present: those of the executor, or that earlier runs have left."""
    executor = executor or session.stores.settings.executor or LOCAL
    if executor == LOCAL and not session.stores.layout.left_outs_file.exists():
        return None
    from pivot_runtime.cluster.view import forecast_view, left_view  # lazy

    return forecast_view(session, graph, executor) or left_view(session, graph)


def _remote_view(session: Session, graph: Graph, *, ask_all: bool) -> "RemoteView":
    from pivot_runtime.sharing.remote_view import RemoteView  # lazy

    return RemoteView(session, graph, ask_all=ask_all)
