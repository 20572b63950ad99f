"""From what is named on the command line to stages."""

import difflib
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence

from pivot_core.errors import PathError
from pivot_core.graph import Graph
from pivot_core.paths import ArtifactPath
from pivot_engine.errors import TargetError


def short_names(graph: Graph) -> Mapping[str, str]:
    """How each address is shown: the bare stage name where only one pipeline has it."""
    count: dict[str, int] = {}
    for spec in graph.stages.values():
        count[spec.name] = count.get(spec.name, 0) + 1
    return {address: spec.name if count[spec.name] == 1 else address for address, spec in graph.stages.items()}


def resolve(targets: Iterable[str], graph: Graph, *, root: pathlib.Path, cwd: pathlib.Path) -> tuple[str, ...]:
    """The addresses of the stages that the targets mean, in graph order; all stages if there are no targets.

    A target is a stage's name or address, or the path of an out relative to ``cwd``. What is both
    means the stage; ``./x`` means the path.

    Raises:
        TargetError: A target means nothing, or several stages.
    """
    wanted = {_one(target, graph, root, cwd) for target in targets}
    return tuple(address for address in graph.stages if not wanted or address in wanted)


def _one(target: str, graph: Graph, root: pathlib.Path, cwd: pathlib.Path) -> str:
    if target in graph.stages:
        return target
    named = [address for address, spec in graph.stages.items() if spec.name == target]
    if len(named) == 1:
        return named[0]
    if named:
        raise TargetError(f"the stage name {target!r} is ambiguous", hint=f"say which: {', '.join(named)}")
    try:
        base = ArtifactPath.resolve(cwd, root=str(root)) if cwd != root else ""
        path = ArtifactPath.resolve(target, base=base, root=str(root))
    except PathError:
        path = None
    if path is not None and path in graph.producers:
        return graph.producers[path]
    raise TargetError(f"no stage or output is named {target!r}", hint=_suggest(target, graph, root, cwd))


def _suggest(target: str, graph: Graph, root: pathlib.Path, cwd: pathlib.Path) -> str:
    names = list(dict.fromkeys(short_names(graph).values()))
    paths = [os.path.relpath(root / path, cwd) for path in graph.producers]
    close = difflib.get_close_matches(target, [*names, *paths, *graph.stages], n=3)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"known stages: {_listed(names)}"


def _listed(names: Sequence[str], most: int = 10) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown or "none"
