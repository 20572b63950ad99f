"""Targets of the command line: their resolution to stages."""

import fnmatch
import os
import pathlib
import shlex
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from pivot_core.errors import PathError, list_names, suggest
from pivot_core.files.paths import ArtifactPath
from pivot_core.graph import Graph
from pivot_runtime.errors import TargetError
from pivot_runtime.project.project import physical

_PATTERN = frozenset("*?[")


def resolve_targets(targets: Iterable[str], graph: Graph, *, root: pathlib.Path, cwd: pathlib.Path) -> tuple[str, ...]:
    """Return the addresses of the stages that the targets mean, in graph order; all stages if there are no targets.

    A target is a stage's name or address, a pattern of these (``train@*``), or, relative to ``cwd``, the path
    of an out, of a file in it, or of a directory that contains outs. ``+target`` adds all stages that it depends on,
    ``target+`` all stages that depend on it. A name that is also a path means the stage; ``./x`` means the path.

    Raises:
        TargetError: A target means no stage, or a name means several stages.
    """
    wanted: set[str] = set()
    named_none = True
    for target in targets:
        named_none = False
        wanted |= _one(target, graph, root, cwd)
    return tuple(address for address in graph.stages if named_none or address in wanted)


def named(target: str, graph: Graph) -> frozenset[str]:
    """Return the stages of which the target is the name, the address or a pattern.

    Raises:
        TargetError: It is the name of several stages.
    """
    if target in graph.stages:
        return frozenset({target})
    same = [address for address, spec in graph.stages.items() if spec.name == target]
    if len(same) > 1:
        raise TargetError(f"the stage name {target!r} is ambiguous", hint=f"use an address: {', '.join(same)}")
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
    """Return the target without its ``+``; empty if it has none."""
    core = target.removeprefix("+").removesuffix("+")
    return "" if core == target else core


def with_neighbours(target: str, found: AbstractSet[str], graph: Graph) -> frozenset[str]:
    """Return these stages with those upstream for ``+target``, and those downstream for ``target+``."""
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
    """Return the stages that write a path, a directory around it, or a file in it."""
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
    """A hint for an unknown target: where another pipeline has a stage of that name, or similar names."""
    elsewhere = _elsewhere(graph, root, cwd)
    same = [address for address in elsewhere if _means(target, address)]
    if same:
        places = list(dict.fromkeys(elsewhere[each] for each in same))
        return f"{list_names(same)} belongs to another pipeline: repeat the command with {' or '.join(places)}"
    names = list(dict.fromkeys(graph.short_names().values()))
    paths = [os.path.relpath(root / path, cwd) for path in graph.producers]
    bare = {address.partition(".")[2]: place for address, place in elsewhere.items()}
    places_of = {**bare, **elsewhere} | dict.fromkeys([*names, *paths, *graph.stages], "")
    return (
        suggest(
            target,
            places_of,
            most=3,
            format_name=lambda name: f"{name} ({place})" if (place := places_of[name]) else name,
        )
        or f"known stages: {list_names(names, 10) or 'none'}"
    )


def _elsewhere(graph: Graph, root: pathlib.Path, cwd: pathlib.Path) -> Mapping[str, str]:
    """The stages of other pipelines by address, each with the command that finds it, as far as these were loaded."""
    from pivot_runtime.project import stage_index  # lazy

    return {
        address: f"'pivot -C {shlex.quote(os.path.relpath((root / file).parent, cwd))}'"
        for address, file in stage_index.files(root).items()
        if address not in graph.stages
    }


def _means(target: str, address: str) -> bool:
    names = (address, address.partition(".")[2])
    return target in names or (
        not _PATTERN.isdisjoint(target) and any(fnmatch.fnmatchcase(name, target) for name in names)
    )
