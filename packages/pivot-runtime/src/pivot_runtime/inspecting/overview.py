"""The stages of a project and how they depend on each other, without a look at what is stale."""

from collections.abc import Iterable, Mapping

import attrs

from pivot_core.graph import Graph
from pivot_core.values import Value
from pivot_runtime.errors import BrokenPipeline
from pivot_runtime.loading.assembly import assemble
from pivot_runtime.project import targets as naming
from pivot_runtime.project.project import Project


@attrs.frozen(eq=False, repr=False)
class Overview(Value):
    """Stages as they are declared.

    Attributes:
        graph: The stages asked for, and the edges between them.
        names: How each stage is shown.
        broken: Pipelines that cannot be loaded and may write what is read here.
    """

    graph: Graph
    names: Mapping[str, str]
    broken: tuple[BrokenPipeline, ...] = ()


def overview(
    project: Project, targets: Iterable[str] = (), *, everything: bool = False, upstream: bool = False
) -> Overview:
    """The targets; if there are none, the stages of the command's pipeline and all that they depend on.

    Args:
        project: Where.
        targets: As in `pivot_runtime.project.targets.resolve`.
        everything: Load every pipeline of the project.
        upstream: List also what the targets depend on.

    Raises:
        PivotError: A pipeline cannot be loaded, or a target is not known.
    """
    assembly = assemble(project, everything=everything)
    assembly.close()
    graph = assembly.graph
    named = list(targets)
    wanted: Iterable[str] = graph.stages
    if named:
        wanted = naming.resolve(named, graph, root=project.root, cwd=project.cwd)
        wanted = graph.ancestors(wanted) if upstream else wanted
    return Overview(graph.select(wanted), naming.short_names(graph), assembly.broken)
