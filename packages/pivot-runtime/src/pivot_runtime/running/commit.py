"""`pivot commit`: accepts the workspace as the result of the current code, without running it."""

import time
from collections.abc import Iterable, Sequence

import attrs

from pivot_cache.formats import lock_file
from pivot_core.decide import Reason
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact, Inputs, RunRecord, StageLock
from pivot_core.spec import StageSpec
from pivot_core.values import Value
from pivot_runtime.artifacts import lock_files
from pivot_runtime.artifacts.outs_in_git import IgnoredOuts
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import NotAcceptedError
from pivot_runtime.evaluating.evaluate import Evaluation, with_variables
from pivot_runtime.evaluating.matching_files import dep_paths
from pivot_runtime.evaluating.session import Session, open_session
from pivot_runtime.history import events
from pivot_runtime.history.events import Reporter, no_report
from pivot_runtime.loading.assembly import LoadOptions, load_pipelines
from pivot_runtime.project.guard import guarded
from pivot_runtime.running.outs import Outs

_COSMETIC = frozenset(
    {Reason.CODE, Reason.LIBRARY, Reason.SCHEMA, Reason.OUT_SPEC, Reason.OUT_MODIFIED, Reason.OUT_LOST}
)
"""Possible causes of a change that leaves the result as it is; other data or parameters do not."""


@attrs.frozen(eq=False, repr=False)
class Accepted(Value):
    """The accepted stages.

    Attributes:
        names: The displayed names of the stages, in graph order.
        unchanged: Those that were up to date anyway.
    """

    names: tuple[str, ...]
    unchanged: tuple[str, ...]


def accept(
    context: CommandContext,
    targets: Iterable[str] = (),
    *,
    reason: str = "",
    force: bool = False,
    report: Reporter = no_report,
) -> Accepted:
    """Record the outs that are in the workspace as the results of the targets; of all stages if there are none.

    Nothing is recorded unless all can be. Outs of a run with ``--no-commit`` are recorded as the results of that run.

    Args:
        context: The context of the command.
        targets: Stage names, addresses or out paths.
        reason: Why, for those who read the lock files.
        force: Accept also where data or parameters have changed, or no run is recorded.
        report: Called before waiting for another command.

    Raises:
        NotAcceptedError: An out or a dep is missing, or more than the code has changed.
        PivotError: The pipeline cannot be loaded, or a target is not known.
    """
    with (
        guarded(context.project.layout.guard_file, "pivot commit", events.report_waiting(report)),
        load_pipelines(context, LoadOptions(on_import=report)) as assembly,
        open_session(context, assembly, literal=True) as session,
    ):
        assembly.close()
        names = session.graph.short_names()
        done: list[str] = []
        unchanged: list[str] = []
        wanted = session.resolve(targets)
        stale = {}
        for address, evaluation in session.evaluate(wanted).items():
            if address not in wanted:
                continue
            if _changes(evaluation) in ([], [Reason.OUT_LOST]):
                if evaluation.lock is not None:
                    outs = Outs(session)
                    for out in evaluation.stage.spec.outs:
                        outs.recache(out, evaluation.lock.outs)
                    session.uncommitted.forget(address)  # it wrote what is recorded
                unchanged.append(names[address])
            else:
                stale[address] = evaluation
        runs = {
            address: run
            for address, evaluation in stale.items()
            if (run := _uncommitted_run(session, evaluation)) is not None
        }
        for address, evaluation in stale.items():
            changed = () if address in runs else _changed_deps(session, evaluation)
            _check(names[address], evaluation, changed, accepted=stale, force=force or address in runs)
        ignored_outs = IgnoredOuts(context, session.graph.stages)
        with lock_files.reporting_ignored(context):
            for address, evaluation in stale.items():
                ignored_outs.before_recording(evaluation.stage.spec, evaluation.lock)
                _record(session, evaluation, reason or "accepted without a run", runs.get(address))
                done.append(names[address])
            ignored_outs.report_tracked()
            session.retire()
        return Accepted(tuple(done), tuple(unchanged))


def _changes(evaluation: Evaluation) -> list[Reason]:
    """The reasons that are changes, unlike what the stage declares of its runs."""
    return [each for each in evaluation.decision.reasons if each not in (Reason.FROZEN, Reason.ALWAYS)]


def _changed_deps(session: Session, evaluation: Evaluation) -> list[ArtifactPath]:
    """Also those that a stale stage upstream writes: its outs are accepted as they are now."""
    before = {} if evaluation.lock is None else evaluation.lock.inputs.deps
    return [
        path for path, dep in before.items() if (now := session.artifact_at(path)) is None or now.digest != dep.digest
    ]


def _check(
    name: str,
    evaluation: Evaluation,
    changed: Sequence[ArtifactPath],
    *,
    accepted: Iterable[str],
    force: bool,
) -> None:
    observation = evaluation.observation
    absent = [path for path, artifact in observation.outs.items() if artifact is None]
    if absent or observation.missing:
        gone = (absent or list(observation.missing))[0]
        raise NotAcceptedError(f"stage {name!r} cannot be accepted: {gone} does not exist", hint="run 'pivot repro'")
    waiting = [address for address in (*observation.upstream, *observation.blocked) if address not in accepted]
    if waiting:
        raise NotAcceptedError(
            f"stage {name!r} cannot be accepted: {waiting[0]}, which it depends on, is stale",
            hint="accept or run that one first",
        )
    more = [each for each in _changes(evaluation) if each not in _COSMETIC and each is not Reason.UPSTREAM]
    if (more or changed) and not force:
        what = more[0].value.lower() if more else f"input data changed: {changed[0]}"
        raise NotAcceptedError(
            f"stage {name!r} cannot be accepted: {what}",
            hint="run 'pivot repro'; --force accepts it anyway",
        )


def _uncommitted_run(session: Session, evaluation: Evaluation) -> tuple[Inputs, RunRecord] | None:
    """The run of a stage that was not recorded, with its inputs, if they and its outs are still the same."""
    spec = evaluation.stage.spec
    found = session.uncommitted.get(spec.address)
    if found is None:
        return None
    record, variables = found
    inputs = attrs.evolve(evaluation.observation.inputs, deps=_deps(session, spec))
    observation, _ = with_variables(attrs.evolve(evaluation.observation, inputs=inputs), evaluation.stage, variables)
    same = all(session.artifact_at(path) == artifact for path, artifact in record.outs.items())
    return (observation.inputs, record) if same and observation.inputs.key() == record.key else None


def _deps(session: Session, spec: StageSpec) -> dict[ArtifactPath, Artifact]:
    counted = attrs.evolve(spec, deps=tuple(path for path in spec.deps if path not in spec.uncounted))
    paths = dep_paths(counted, session.graph, session)
    return {path: artifact for path in paths if (artifact := session.artifact_at(path)) is not None}


def _record(session: Session, evaluation: Evaluation, reason: str, run: tuple[Inputs, RunRecord] | None = None) -> None:
    stage, spec = evaluation.stage, evaluation.stage.spec
    session.restore_temporary([*spec.deps, *(out.path for out in spec.outs)])
    outs = Outs(session).store(spec)
    session.store.persist(*(outs[out.path] for out in spec.outs if out.cache))  # no run can make them again
    if run is None:
        inputs = attrs.evolve(evaluation.observation.inputs, deps=_deps(session, spec))
        lock = StageLock(
            inputs,
            outs,
            stage.libraries,
            reason,
            None if spec.ttl is None else int(time.time()),
            stage.uncounted_params,
        )
    else:
        inputs, record = run
        inputs = attrs.evolve(inputs, observed=record.observed)
        lock = StageLock(inputs, outs, stage.libraries, ran_at=record.ran_at, uncounted_params=stage.uncounted_params)
        if not (spec.always or any(out.incremental for out in spec.outs)):
            session.runs.put(attrs.evolve(record, outs=outs))
    session.uncommitted.forget(spec.address)
    lock_file.write(session.stores.layout.lock_file(spec.address), lock)
    session.source_texts.remember(stage, lock.inputs.observed)
