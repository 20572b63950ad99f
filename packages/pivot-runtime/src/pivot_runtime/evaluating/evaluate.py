"""Evaluation of stages: observes a loaded stage and the workspace, and asks `pivot_core.decide` for the decision."""

import math
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from pivot_core.decide import Decision, Memory, Verdict, decide
from pivot_core.files.paths import ArtifactPath
from pivot_core.files.patterns import PathPattern
from pivot_core.graph import Graph
from pivot_core.lock import Artifact, CodeEntry, Inputs, LibraryUse, Observation, StageLock
from pivot_core.params import file_keys
from pivot_core.spec import StageSpec
from pivot_core.values import Value
from pivot_runtime.evaluating.matching_files import FileView, matching
from pivot_runtime.loading.loaded import LoadedStage

if TYPE_CHECKING:
    from pivot_runtime.evaluating.file_params import FileParamValues


class StageView(FileView, Protocol):
    """The facts that a decision needs beyond the loaded code.

    A `Session` has the real facts; a `SessionView` changes some of them.
    """

    def lost(self, path: ArtifactPath, artifact: Artifact) -> bool:
        """Return whether an out is at a path, but not completely in the cache, which should have it."""
        ...

    def taken(
        self, spec: StageSpec, lock: StageLock | None, outs: Mapping[ArtifactPath, Artifact | None]
    ) -> Mapping[ArtifactPath, str]:
        """Return the outs of a stage in whose places something is that no run may replace, with its description."""
        ...

    def lock(self, address: str) -> StageLock | None:
        """Return the last run of a stage, or None."""
        ...

    def memory(self) -> Memory:
        """Return the results of earlier runs."""
        ...

    def current_code(self, observed: Mapping[str, CodeEntry]) -> Mapping[str, CodeEntry]:
        """Return the current state of code that a run was observed to use, without deleted code."""
        ...

    def library_versions(self, libraries: Mapping[str, LibraryUse]) -> Mapping[str, str]:
        """Return the part of each library's version that counts."""
        ...

    def file_values(self, path: ArtifactPath, artifact: Artifact, keys: Iterable[str]) -> "FileParamValues":
        """Return the values of keys in a file with this content."""
        ...


@attrs.frozen(eq=False, repr=False)
class Forecast(Value):
    """The effects of stages upstream that a read-only command foresees.

    Attributes:
        running: The addresses of stages that would run, so that their outs are unknown.
        blocked: The addresses of stages that could not run.
        restored: The artifacts that would be restored from the cache, by path.
    """

    running: Collection[str] = ()
    blocked: Collection[str] = ()
    restored: Mapping[ArtifactPath, Artifact] = attrs.field(factory=dict)


@attrs.frozen(eq=False, repr=False)
class Evaluation(Value):
    """A stage with its last run, its current state and the decision.

    Attributes:
        stage: The stage.
        lock: Its last run.
        observation: Its current state.
        decision: The decision, as if stages that always run wrote what they wrote last.
        unless: The addresses of these stages, as far as they are upstream.
    """

    stage: LoadedStage
    lock: StageLock | None
    observation: Observation
    decision: Decision
    unless: tuple[str, ...] = ()


def observe(
    stage: LoadedStage,
    graph: Graph,
    view: StageView,
    *,
    lock: StageLock | None,
    schema: int,
    forecast: Forecast | None = None,
) -> Observation:
    """Return the current state of a stage, or its state after the forecast."""
    forecast = forecast or Forecast()
    spec = stage.spec
    deps: dict[ArtifactPath, Artifact] = {}
    missing: list[ArtifactPath] = []
    will_run: set[str] = set()
    values_files: dict[ArtifactPath, Artifact] = {}
    for path in spec.deps:
        writers = graph.writers(path)
        if not writers.isdisjoint(forecast.running):
            counts = path not in spec.uncounted or path in spec.file_params
            will_run |= writers.intersection(forecast.running) if counts else set()
            continue
        if isinstance(path, PathPattern):
            files = matching(path, graph, view, forecast.restored) or {path: None}
        else:
            files = {path: artifact_after(path, forecast.restored, view)}
        if path not in spec.uncounted:
            deps |= {file: found for file, found in files.items() if found is not None}
        if None in files.values() and writers.isdisjoint(forecast.blocked):
            missing += [file for file, found in files.items() if found is None]
        values_files |= {file: found for file, found in files.items() if found is not None and file in spec.file_params}
    params, unknown, lacking = _with_file_params(stage, values_files, view)
    missing += lacking
    outs = {out.path: view.artifact_at(out.path) for out in spec.outs}
    return Observation(
        inputs=Inputs(
            schema=schema,
            code=stage.code,
            params=params,
            deps=deps,
            outs=spec.outs,
            observed=view.current_code(lock.inputs.observed) if lock is not None and lock.inputs.observed else {},
            library_versions=view.library_versions(stage.libraries),
            env=_reading(stage, lock.inputs.env if lock is not None else ()),
        ),
        outs=outs,
        lost=() if lock is None else tuple(_lost(spec, outs, lock, view)),
        missing=tuple(dict.fromkeys(missing)),
        upstream=tuple(sorted(will_run)),
        blocked=tuple(sorted(graph.upstream[spec.address].intersection(forecast.blocked))),
        unresolved=stage.unresolved,
        taken=view.taken(spec, lock, outs),
        always=spec.always,
        frozen=spec.frozen,
        oldest=None if spec.ttl is None else math.ceil(time.time() - spec.ttl),
        unknown_params=unknown,
    )


def _with_file_params(
    stage: LoadedStage, files: Mapping[ArtifactPath, Artifact], view: StageView
) -> tuple[Mapping[str, Any], tuple[str, ...], tuple[ArtifactPath, ...]]:
    """Return all parameters of a stage; those whose file is unknown; and the files and keys that are missing."""
    if not stage.spec.file_params:
        return stage.params, (), ()
    params = dict(stage.params)
    unknown: list[str] = []
    missing: list[ArtifactPath] = []
    for path, keys in stage.spec.file_params.items():
        values = view.file_values(path, files[path], keys) if path in files else None
        if values is not None:
            params |= values.found
            missing += values.missing
        if values is None or values.unread:
            unknown += file_keys.labels(path, keys)
    return params, tuple(unknown), tuple(missing)


def edited_params(view: StageView, spec: StageSpec, before: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the parameters in files that no longer have the values from before a run."""
    if not spec.file_params:
        return ()
    from pivot_runtime.evaluating import file_params  # lazy

    now: dict[str, Any] = {}
    for path, keys in spec.file_params.items():
        artifact = view.artifact_at(path)
        now |= {} if artifact is None else view.file_values(path, artifact, keys).found
    return tuple(f"param:{name}" for name in file_params.differing(spec, before, now))


def _lost(
    spec: StageSpec, outs: Mapping[ArtifactPath, Artifact | None], lock: StageLock, view: StageView
) -> Iterator[ArtifactPath]:
    for path in sorted(out.path for out in spec.outs if out.cache):
        found = outs[path]
        if found is not None and found == lock.outs.get(path) and view.lost(path, found):
            yield path


def with_variables(
    observation: Observation, stage: LoadedStage, variables: Iterable[str]
) -> tuple[Observation, tuple[str, ...]]:
    """Return the observation of a stage that has run, with the variables that it read; and those that do not count."""
    variables = tuple(variables)
    env = _reading(stage, variables)
    if env == observation.inputs.env:
        return observation, tuple(name for name in variables if name not in env)
    known = attrs.evolve(observation, inputs=attrs.evolve(observation.inputs, env=env))
    return known, tuple(name for name in variables if name not in env)


def _reading(stage: LoadedStage, variables: Iterable[str]) -> Mapping[str, str]:
    """Return the variables that count: the declared ones, and those that the import set and the stage read."""
    return {name: stage.assigned[name] for name in variables if name in stage.assigned} | dict(stage.env)


def artifact_after(path: ArtifactPath, restored: Mapping[ArtifactPath, Artifact], view: StageView) -> Artifact | None:
    """Return the artifact at a path after the restores, which may restore a directory around the path."""
    if path in restored:
        return restored[path]
    end = path.rfind("/") if restored else -1
    while end > 0:
        around = restored.get(ArtifactPath(path[:end]))
        if around is not None:
            return view.artifact_in(around, path[end + 1 :])
        end = path.rfind("/", 0, end)
    return view.artifact_at(path)


def _unless(upstream: Iterable[str], evaluations: Mapping[str, Evaluation]) -> tuple[str, ...]:
    """Return the stages upstream that run although nothing has changed."""
    found = set()
    for address in upstream:
        before = evaluations[address]
        if before.decision.holds and before.decision.verdict is Verdict.RUN:
            found.add(address)
        elif before.decision.verdict is not Verdict.FROZEN:
            found.update(before.unless)
    return tuple(sorted(found))


def evaluate(
    graph: Graph, stages: Mapping[str, LoadedStage], view: StageView, *, schema: int, force: bool = False
) -> dict[str, Evaluation]:
    """Return the evaluation of every stage of the graph, in its order; change nothing."""
    memory = view.memory()
    running: set[str] = set()
    blocked: set[str] = set()
    restored: dict[ArtifactPath, Artifact] = {}
    forecast = Forecast(running, blocked, restored)
    evaluations: dict[str, Evaluation] = {}
    for address in graph.stages:
        stage = stages[address]
        lock = view.lock(address)
        observation = observe(stage, graph, view, lock=lock, schema=schema, forecast=forecast)
        decision = decide(lock, observation, memory, force=force)
        match decision.verdict:
            case Verdict.RUN if not decision.holds:
                running.add(address)
            case Verdict.BLOCKED:
                blocked.add(address)
            case Verdict.RESTORE if decision.restore is not None:
                outs = decision.restore.outs.items()
                restored.update((path, out) for path, out in outs if observation.outs.get(path) != out)
            case _:
                pass
        evaluations[address] = Evaluation(
            stage, lock, observation, decision, _unless(graph.sources[address], evaluations)
        )
    return evaluations
