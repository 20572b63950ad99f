"""Resolves targets of the command line to stages."""

import fnmatch
import os
import pathlib
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

from pivot_core.errors import PathError, suggest
from pivot_core.graph import Graph
from pivot_core.paths import ArtifactPath
from pivot_runtime.errors import TargetError
from pivot_runtime.project.project import physical

_PATTERN = frozenset("*?[")


def resolve_targets(targets: Iterable[str], graph: Graph, *, root: pathlib.Path, cwd: pathlib.Path) -> tuple[str, ...]:
    """The addresses of the stages that the targets mean, in graph order; all stages if there are no targets.

    A target is a stage's name or address, a pattern of these (``train@*``), or, relative to ``cwd``, the path
    of an out, of something in it, or of a directory that holds outs. ``+target`` adds all that it depends on,
    ``target+`` all that depends on it. What is both means the stage; ``./x`` means the path.

    Raises:
        TargetError: A target means nothing, or one name several stages.
    """
    wanted: set[str] = set()
    everything = True
    for target in targets:
        everything = False
        wanted |= _one(target, graph, root, cwd)
    return tuple(address for address in graph.stages if everything or address in wanted)


def named(target: str, graph: Graph) -> frozenset[str]:
    """The stages of which a target is the name, the address or a pattern, with their neighbours where it says so.

    Raises:
        TargetError: It is the name of several stages.
    """
    if target in graph.stages:
        return frozenset({target})
    same = [address for address, spec in graph.stages.items() if spec.name == target]
    if len(same) > 1:
        raise TargetError(f"the stage name {target!r} is ambiguous", hint=f"say which: {', '.join(same)}")
    if same:
        return frozenset(same)
    if not _PATTERN.isdisjoint(target):
        return frozenset(
            address
            for address, spec in graph.stages.items()
            if fnmatch.fnmatchcase(spec.name, target) or fnmatch.fnmatchcase(address, target)
        )
    return frozenset()


def without_signs(target: str) -> str:
    """The target that ``+target`` and ``target+`` are about; empty if it has no such sign."""
    core = target.removeprefix("+").removesuffix("+")
    return "" if core == target else core


def with_neighbours(target: str, found: AbstractSet[str], graph: Graph) -> frozenset[str]:
    """These stages and, as the signs of the target say, those that they depend on and those that depend on them."""
    up = graph.ancestors(found) if target.startswith("+") else frozenset()
    down = graph.descendants(found) if target.endswith("+") else frozenset()
    return frozenset(found) | up | down


def _one(target: str, graph: Graph, root: pathlib.Path, cwd: pathlib.Path) -> frozenset[str]:
    found = named(target, graph) or _writers(target, graph, root, cwd)
    if found:
        return found
    core = without_signs(target)
    if core:
        return with_neighbours(target, _one(core, graph, root, cwd), graph)
    raise TargetError(f"no stage or output is named {target!r}", hint=_suggest(target, graph, root, cwd))


def _writers(target: str, graph: Graph, root: pathlib.Path, cwd: pathlib.Path) -> frozenset[str]:
    """The stages that write a path, what is around it, or something in it."""
    if not target:
        return frozenset()
    target = physical(target, root)
    try:
        base = ArtifactPath.resolve(cwd, root=str(root)) if cwd != root else ""
        path = ArtifactPath.resolve(target, base=base, root=str(root))
    except PathError:
        return frozenset(graph.producers.values()) if os.path.normpath(cwd / target) == str(root) else frozenset()
    return graph.writers(path)


def _suggest(target: str, graph: Graph, root: pathlib.Path, cwd: pathlib.Path) -> str:
    names = list(dict.fromkeys(graph.short_names().values()))
    paths = [os.path.relpath(root / path, cwd) for path in graph.producers]
    return suggest(target, [*names, *paths, *graph.stages], most=3) or f"known stages: {_listed(names)}"


def _listed(names: Sequence[str], most: int = 10) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown or "none"
