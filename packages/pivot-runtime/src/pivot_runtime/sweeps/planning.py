"""The plan of a sweep: for each combination its parameters, and the stages that must run."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs

from pivot_core.decide import Verdict
from pivot_core.files.digest import canonical_json
from pivot_core.files.paths import ArtifactPath, is_within
from pivot_core.files.patterns import PathPattern
from pivot_core.graph import Graph
from pivot_core.lock import Artifact, StageLock
from pivot_core.params.overrides import Override
from pivot_core.spec import StageSpec
from pivot_core.values import Value
from pivot_runtime.evaluating.evaluate import Evaluation, artifact_after, evaluate
from pivot_runtime.evaluating.matching_files import matching
from pivot_runtime.evaluating.session import Session, SessionView
from pivot_runtime.loading.assembly import Assembly
from pivot_runtime.loading.loaded import LoadedStage
from pivot_runtime.sweeps.combinations import Axis
from pivot_runtime.sweeps.events import SweepCombination
from pivot_runtime.sweeps.varied_stages import Given, Params, given_by, with_params


@attrs.frozen(eq=False, repr=False)
class PlannedCombination(Value):
    """A combination, and the state of its stages.

    Attributes:
        shown: The combination as users see it.
        overrides: Its options.
        evaluations: Its stages by address, in graph order.
        others: Other files that the stages that run need: those that match patterns, and deps that do not count.
    """

    shown: SweepCombination
    overrides: tuple[str, ...]
    evaluations: Mapping[str, Evaluation]
    others: Mapping[ArtifactPath, Artifact] = attrs.field(factory=dict)

    def locks(self) -> dict[str, StageLock]:
        """The locks of the stages that need not run; not of frozen ones with other outs than those of the last run."""
        found = {}
        for address, each in self.evaluations.items():
            restore = each.decision.restore
            if each.observation.frozen:
                outs = each.observation.outs if restore is None else restore.outs
                if each.lock is not None and each.lock.outs == outs:
                    found[address] = each.lock
            elif each.decision.verdict is Verdict.UP_TO_DATE and each.lock is not None:
                found[address] = each.lock
            elif each.decision.verdict is Verdict.RESTORE and restore is not None:
                inputs = attrs.evolve(each.observation.inputs, observed=restore.observed)
                found[address] = StageLock(
                    inputs,
                    restore.outs,
                    each.stage.libraries,
                    ran_at=None if each.stage.spec.ttl is None else restore.ran_at,
                    uncounted_params=each.stage.uncounted_params,
                )
        return found

    def inputs(self) -> dict[ArtifactPath, Artifact]:
        """The deps of the stages that run which no such stage writes, and the outs that some may keep."""
        around = set(self.open_deps())
        locks = self.locks()
        others = (out for lock in locks.values() for out in lock.outs.items())
        found = {path: out for path, out in others if any(is_within(path, each) for each in around)}
        found.update(self.others)
        for address in self.shown.stages:
            found.update(self.evaluations[address].observation.inputs.deps)
            found.update(locks[address].outs if address in locks else {})
        return found

    def open_deps(self) -> Iterator[ArtifactPath]:
        """The deps of the stages that run which are written while they run, at least in part."""
        for address in self.shown.stages:
            each = self.evaluations[address]
            paths = (path for path in each.stage.spec.deps if not isinstance(path, PathPattern))
            yield from (path for path in paths if path not in each.observation.inputs.deps)


class _PrivateView(SessionView):
    """The workspace as a private copy of it would be: nothing of the user's is in the way of outs."""

    def taken(
        self, spec: StageSpec, lock: StageLock | None, outs: Mapping[ArtifactPath, Artifact | None]
    ) -> Mapping[ArtifactPath, str]:
        """Return no paths: in a copy, nothing is in the way."""
        del spec, lock, outs
        return {}


def plan(
    session: Session,
    assembly: Assembly,
    axes: Sequence[Axis],
    options: Iterable[tuple[str, ...]],
    targets: Iterable[str],
    *,
    force: bool = False,
) -> tuple[PlannedCombination, ...]:
    """Plan the combinations with these options; those with equal parameters are one.

    Raises:
        PivotError: A target is unknown, or a value does not fit its parameter.
        StaleSnapshotError: The pipeline has to be loaded again.
    """
    wanted = session.graph.ancestors(session.resolve(targets))
    graph = session.graph.select(wanted)
    session.prefetch(graph)
    view = _PrivateView(session)
    distinct: dict[str, tuple[tuple[str, ...], Given]] = {}
    every = list(options)
    for each, given in zip(every, given_by(assembly, every), strict=True):
        distinct.setdefault(canonical_json(given.params), (each, given))
    varying = [axis.name for axis in axes if len(axis.values) > 1] or [axis.name for axis in axes]
    planned = []
    for number, (overrides, (params, others)) in enumerate(distinct.values(), 1):
        stages = dict(session.stages)
        for address, values in params.items():
            stages[address] = with_params(stages[address], values, others.get(address))
        found = evaluate(graph, stages, view, schema=session.schema, force=force)
        running = tuple(address for address, each in found.items() if _may_run(each))
        shown = SweepCombination(number, _values(varying, params, stages), running, _blocked(session, found))
        planned.append(PlannedCombination(shown, overrides, found, _others(graph, view, found, running)))
    return tuple(planned)


def _may_run(evaluation: Evaluation) -> bool:
    """Whether a stage runs, or whether that depends on the outs of one that always does."""
    verdict = evaluation.decision.verdict
    if evaluation.unless and not evaluation.observation.frozen and verdict is not Verdict.BLOCKED:
        return True
    return verdict is Verdict.RUN


def _others(
    graph: Graph, view: SessionView, evaluations: Mapping[str, Evaluation], running: Sequence[str]
) -> dict[ArtifactPath, Artifact]:
    """The files that match patterns, and deps that do not count, of running stages; without what such stages write."""
    restores = (each.decision.restore for each in evaluations.values())
    restored = {path: out for each in restores if each is not None for path, out in each.outs.items()}
    found: dict[ArtifactPath, Artifact] = {}
    for address in running:
        spec = evaluations[address].stage.spec
        for dep in spec.deps:
            if isinstance(dep, PathPattern):
                files = matching(dep, graph, view, restored)
            elif dep in spec.uncounted:
                files = {dep: artifact_after(dep, restored, view)}
            else:
                continue
            there = ((path, artifact) for path, artifact in files.items() if artifact is not None)
            found.update((path, artifact) for path, artifact in there if graph.writers(path).isdisjoint(running))
    return found


def _values(names: Iterable[str], params: Params, stages: Mapping[str, LoadedStage]) -> dict[str, Any]:
    """The values of parameters by the names that users have given them."""
    found = {}
    for name in names:
        override = Override.parse(f"{name}=")
        for address, values in params.items():
            spec = stages[address].spec
            path = override.path(spec.pipeline, spec.name, values)
            if path is not None:
                value: Any = values
                for part in path:
                    value = value.get(part) if isinstance(value, Mapping) else None
                found[name] = value
                break
    return found


def _blocked(session: Session, evaluations: Mapping[str, Evaluation]) -> str:
    """Why the first stage that cannot run cannot; empty if all can."""
    names = session.graph.short_names()
    for address, each in evaluations.items():
        if each.decision.verdict is Verdict.BLOCKED:
            missing = ", ".join(each.observation.missing)
            return f"{names[address]} cannot run: {missing} is missing" if missing else f"{names[address]} cannot run"
    return ""
