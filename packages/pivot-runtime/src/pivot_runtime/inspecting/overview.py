"""`pivot list` and `pivot dag`: the stages of a project and their graph, without evaluating them."""

from collections.abc import Iterable, Mapping

import attrs

from pivot_core.graph import Graph
from pivot_core.values import Value
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import BrokenPipeline
from pivot_runtime.loading.assembly import LoadOptions, assemble
from pivot_runtime.project.targets import resolve_targets


@attrs.frozen(eq=False, repr=False)
class Overview(Value):
    """Stages as declared.

    Attributes:
        graph: The selected stages, and the edges between them.
        names: The displayed name of every stage, by address.
        broken: Pipelines that cannot be loaded, and that may write deps of these stages.
    """

    graph: Graph
    names: Mapping[str, str]
    broken: tuple[BrokenPipeline, ...] = ()


def overview(
    context: CommandContext, targets: Iterable[str] = (), *, all_pipelines: bool = False, with_upstream: bool = False
) -> Overview:
    """List the targets; without targets, the stages of the command's pipeline and everything upstream.

    Args:
        context: The context of the command.
        targets: As in `pivot_runtime.project.targets.resolve_targets`.
        all_pipelines: Whether to load every pipeline of the project.
        with_upstream: Whether to list also everything upstream of the targets.

    Raises:
        PivotError: A pipeline cannot be loaded, or a target is unknown.
    """
    assembly = assemble(context, LoadOptions(all_pipelines=all_pipelines))
    assembly.close()
    graph = assembly.graph
    named = list(targets)
    wanted: Iterable[str] = graph.stages
    if named:
        wanted = resolve_targets(named, graph, root=context.project.root, cwd=context.project.cwd)
        wanted = graph.ancestors(wanted) if with_upstream else wanted
    return Overview(graph.select(wanted), graph.short_names(), assembly.broken)
