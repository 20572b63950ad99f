"""`pivot params`: the parameters of stages at several revisions."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pivot_core.errors import list_names
from pivot_core.graph import Graph
from pivot_runtime.comparing import declarations
from pivot_runtime.comparing.comparison import ComparedValues, Comparison
from pivot_runtime.comparing.declarations import KnownStages
from pivot_runtime.comparing.revisions import Revision, Revisions
from pivot_runtime.comparing.values import aligned, flat_params, readable
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import TargetError
from pivot_runtime.loading.loaded import LoadedStage
from pivot_runtime.project.targets import named as named_stages
from pivot_runtime.project.targets import resolve_targets

type _Params = Mapping[str, Mapping[str, Any]]
"""By address, the parameters of a stage as plain data."""


def params(context: CommandContext, sides: Sequence[str | None], targets: Iterable[str] = ()) -> Comparison:
    """The parameters at revisions, of which None is the workspace.

    Those of a commit are those of the runs that its lock files record. Those of the workspace are the ones that the
    next run would use: a pipeline that has changed since its last import is imported.

    Args:
        context: The context of the command.
        sides: The revisions.
        targets: Stages, or paths of their outs; none means all.

    Raises:
        RevisionError: There is no such revision.
        TargetError: A target selects nothing at any revision.
        PivotError: Git fails.
    """
    named = list(targets)
    with Revisions.opened(context) as revisions:
        found = revisions.read_all(sides)
    current = declarations.loaded(context) if None in sides else None
    every: list[_Params] = []
    for side in found:
        recorded = {address: lock.params for address, lock in side.locks.items()}
        if side.is_workspace and current is not None:
            kept = {} if current.complete else recorded
            recorded = {**kept, **{address: _of(context, stage) for address, stage in current.stages.items()}}
        every.append(recorded)
    graph = declarations.graph(found, current)
    chosen = graph.stages if not named else _chosen(named, graph, found, current, context)
    names = graph.short_names()
    subjects = [
        ComparedValues(names[address], address, tuple(aligned(_flat(side.get(address)) for side in every)))
        for address in sorted(chosen)
        if any(side.get(address) for side in every)
    ]
    workspace = next((side for side in found if side.is_workspace), None)
    notes = list(_notes(workspace, every[found.index(workspace)], names, chosen)) if workspace is not None else []
    return Comparison(
        tuple(side.name for side in found),
        tuple(subjects),
        tuple(side.name for side in found if not (side.locks or side.is_workspace)),
        notes=tuple(notes),
    )


def _of(context: CommandContext, stage: LoadedStage) -> Mapping[str, Any]:
    """The parameters of a stage, with those in files."""
    if not stage.spec.file_params:
        return stage.all_params
    from pivot_runtime.evaluating import file_params  # lazy

    return {**stage.all_params, **file_params.in_workspace(context, stage.spec)}


def _chosen(
    targets: Iterable[str],
    graph: Graph,
    sides: Iterable[Revision],
    current: KnownStages | None,
    context: CommandContext,
) -> frozenset[str]:
    """The stages that targets select; a path selects the stage that writes it, now or at a revision."""
    found: set[str] = set()
    for target in targets:
        stages = named_stages(target, graph)
        if not stages:
            for records in (side.records for side in sides):
                with contextlib.suppress(TargetError):
                    stages |= {each.address for each in records.select([target], context.project) if each.address}
        if not stages:
            known = current.assembly.graph if current is not None and current.assembly is not None else graph
            stages = frozenset(resolve_targets([target], known, root=context.project.root, cwd=context.project.cwd))
        found |= stages
    return frozenset(found)


def _flat(params: Mapping[str, Any] | None) -> dict[str, Any]:
    return flat_params(readable(dict(params))) if params else {}


def _notes(workspace: Revision, current: _Params, names: Mapping[str, str], chosen: Iterable[str]) -> Iterator[str]:
    """Remarks on stages that ran last with other parameters than those of the next run, such as those of `-p`."""
    for address in chosen:
        lock = workspace.locks.get(address)
        if lock is None or address not in current:
            continue
        other = [each for each in aligned((_flat(current[address]), _flat(lock.params))) if each.changed]
        if other:
            yield f"the last run of {names[address]!r} had other values of {list_names([each.name for each in other])}"
