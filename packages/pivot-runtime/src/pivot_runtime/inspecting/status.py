"""`pivot status`: what would have to happen to each stage, and why; changes nothing."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from pivot_cache.formats.tree_diff import Difference
from pivot_core.decide import Reason, Verdict
from pivot_core.graph import Graph
from pivot_core.paths import ArtifactPath
from pivot_core.values import Value
from pivot_runtime.artifacts import records
from pivot_runtime.artifacts.tracked import TrackedFile, TrackedState, states
from pivot_runtime.errors import BrokenPipeline
from pivot_runtime.evaluating.evaluate import Evaluation, evaluate
from pivot_runtime.evaluating.session import Session, load_pipelines, open_session
from pivot_runtime.evaluating.source_texts import diffs
from pivot_runtime.freshness.load_trace import Grounds
from pivot_runtime.history.stage_stats import project_stats, valid_stats
from pivot_runtime.inspecting.changed_outs import out_differences
from pivot_runtime.project.project import Project
from pivot_runtime.project.targets import short_names

if TYPE_CHECKING:
    from pivot_runtime.sharing.remote_view import Availability, RemoteView, SyncState


@attrs.frozen(eq=False, repr=False)
class StageStatus(Value):
    """One stage.

    Attributes:
        name: As it is shown.
        evaluation: How it is.
        diffs: By key what was edited, where that is known.
        facts: The statistics from earlier runs, by the names in `pivot_runtime.history.stage_stats`.
        absent: Where the remote was asked: its outs that are not here, and where they are.
        differences: Of its outs that are directories and differ from what its last run left, which files do.
    """

    name: str
    evaluation: Evaluation
    diffs: Mapping[str, str] = attrs.field(factory=dict)
    facts: Mapping[str, Any] = attrs.field(factory=dict)
    absent: "Mapping[ArtifactPath, Availability]" = attrs.field(factory=dict)
    differences: Mapping[str, Difference] = attrs.field(factory=dict)

    @property
    def cached(self) -> bool:
        """Nothing has to be done; where the remote was asked, but to restore or to fetch what is not here."""
        decision = self.evaluation.decision
        elsewhere = bool(self.absent) and decision.reasons == (Reason.OUT_MISSING,)
        return decision.verdict is Verdict.UP_TO_DATE or (decision.verdict is Verdict.RESTORE and elsewhere)


@attrs.frozen(eq=False, repr=False)
class Status(Value):
    """The stages asked for, in graph order, the names by which all stages are shown, and tracked data.

    Attributes:
        broken: Pipelines that cannot be loaded and may write what is read here.
        grounds: The facts that the loads depended on.
        whereabouts: Where all is that is recorded, if the remote was asked.
        will_be_restored: Paths that are missing because a run was killed, and that the next one restores first.
    """

    stages: tuple[StageStatus, ...]
    names: dict[str, str]
    tracked: tuple[TrackedFile, ...] = ()
    broken: tuple[BrokenPipeline, ...] = ()
    grounds: tuple[Grounds, ...] = ()
    whereabouts: "SyncState | None" = None
    will_be_restored: tuple[ArtifactPath, ...] = ()

    @property
    def cached(self) -> bool:
        """Nothing has to be done to any of them; where there are no stages, to none of the tracked data."""
        if not self.stages:
            return all(each.state is TrackedState.CLEAN for each in self.tracked)
        return all(stage.cached for stage in self.stages)


def status(  # noqa: PLR0913  # one parameter per question
    project: Project,
    targets: Iterable[str] = (),
    *,
    everything: bool = False,
    closure: bool = False,
    force: bool = False,
    quiet: bool = False,
    diff: bool = False,
    tracked: bool = False,
    facts: bool = False,
    remote: bool = False,
    pull: bool = False,
) -> Status:
    """Evaluate the targets; if there are none, the stages of the command's pipeline and all that they depend on.

    Args:
        project: Where.
        targets: Stage names, addresses or out paths.
        everything: Load every pipeline of the project.
        closure: List also the stages that the targets depend on.
        force: Evaluate as a forced run would.
        quiet: Drop what the user's code prints while it is imported.
        diff: Find out what was edited.
        tracked: Look also at data that are tracked without a stage.
        facts: Add what earlier runs have taught of each stage.
        remote: Artifacts of the default remote count as here, as in a run that pulls; the status says where each is.
        pull: As such a run sees it, and no more: of what the cache has the remote is not asked.

    Raises:
        ConfigError: With ``remote`` or ``pull``, no remote is configured.
        RemoteError: The remote cannot tell what it has.
        PivotError: The pipeline cannot be loaded, or a target is not known.
    """
    with load_pipelines(
        project, everything=everything, quiet=quiet, without=lambda: records.read_tracked(project)
    ) as assembly:
        assembly.close()
    with open_session(project, assembly, as_next_run=True) as session:
        wanted = session.resolve(targets) if (targets := list(targets)) else tuple(session.graph.stages)
        graph = session.graph.select(session.graph.ancestors(wanted))
        afar = _afar(session, graph, everything=remote) if remote or pull else None
        evaluations = evaluate(graph, session.stages, afar or session, schema=session.schema, force=force)
        whereabouts = afar.whereabouts() if afar is not None and remote else None
        names = short_names(session.graph)
        known = project_stats(project.layout).recall() if facts else {}
        return Status(
            tuple(
                _stage_status(
                    session,
                    names[address],
                    evaluation,
                    diffs(evaluation.stage, evaluation.decision.changes, session.source_texts, project.root)
                    if diff
                    else {},
                    valid_stats(evaluation.lock, known.get(address, {})),
                    {} if whereabouts is None else whereabouts.of(out.path for out in evaluation.stage.spec.outs),
                )
                for address, evaluation in evaluations.items()
                if closure or address in wanted
            ),
            dict(names),
            tuple(states(project, session.stores, records.read_tracked(project)))
            if tracked or not assembly.files
            else (),
            assembly.broken,
            assembly.grounds,
            whereabouts,
            tuple(sorted(session.will_be_restored)),
        )


def _stage_status(
    session: Session,
    name: str,
    evaluation: Evaluation,
    edited: Mapping[str, str],
    facts: Mapping[str, Any],
    absent: "Mapping[ArtifactPath, Availability]",
) -> StageStatus:
    found = out_differences(session.stores, evaluation)
    return StageStatus(name, evaluation, edited, facts, absent, found)


def _afar(session: Session, graph: Graph, *, everything: bool) -> "RemoteView":
    from pivot_runtime.sharing.remote_view import RemoteView  # noqa: PLC0415  # start-up time: remotes are seldom asked

    return RemoteView(session, graph, everything=everything)
