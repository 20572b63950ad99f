"""Path overrides: the paths that a registration sets for the deps and outs of a signature."""

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from pivot_core.errors import DefinitionError, suggest
from pivot_core.stages.annotations import Dep, Out, PlaceholderDep
from pivot_core.stages.signature import StageSignature


def with_paths(signature: StageSignature, deps: Mapping[str, Any], outs: Mapping[str, Any]) -> StageSignature:
    """The signature with other paths by parameter and by key; loaders and kinds stay the same.

    Raises:
        DefinitionError: A name is unknown, a path is invalid, or a placeholder has no path.
    """
    _refuse_unknown("deps", "a parameter with a Dep", deps, signature.deps)
    _refuse_unknown("outs", "an out", outs, signature.outs)
    new_deps = {name: _dep(name, dep, deps) for name, dep in signature.deps.items()}
    new_outs = {key: _out(out, outs[key]) if key in outs else out for key, out in signature.outs.items()}
    moved: dict[str, str] = {}
    for key in outs:
        old, new = signature.outs[key].paths, new_outs[key].paths
        if signature.outs[key].persist:
            moved |= dict(zip(old, new, strict=False))
    previous = {
        name: attrs.evolve(out, path=out.like([moved.get(path, path) for path in out.paths]))
        for name, out in signature.previous.items()
    }
    return signature._replace(deps=new_deps, outs=new_outs, previous=previous)


def _out(out: Out, path: Any) -> Out:
    """The same out with other paths; a directory stays one."""
    moved: Out = attrs.evolve(out, path=path)
    if out.directory and not moved.directory:
        moved = attrs.evolve(moved, path=moved.like([f"{each}/" for each in moved.paths]))
    return moved


def _dep(name: str, dep: Dep, deps: Mapping[str, Any]) -> Dep:
    if name in deps:
        return Dep(deps[name], dep.loader, lazy=dep.lazy, count=dep.count)
    if isinstance(dep, PlaceholderDep):
        raise DefinitionError(
            f"parameter {name!r} has a PlaceholderDep, so its path must be given",
            hint=f'pipeline.register(func, deps={{{name!r}: "path"}}), or below "deps" in pivot.yaml',
        )
    return dep


def _refuse_unknown(argument: str, what: str, given: object, known: Iterable[str]) -> None:
    if not isinstance(given, Mapping):
        raise DefinitionError(f"{argument} must be a mapping to paths, not {type(given).__name__}")
    names = list(known)
    for name in given:
        if name not in names:
            raise DefinitionError(
                f"{argument} names {name!r}, which is not {what}",
                hint=suggest(str(name), names) or f"it has: {', '.join(names) or 'none'}",
            )
