"""The deps and outs of a stage in a ``pivot.yaml``, with its metrics and plots: from data to annotations; pure."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from pivot_core.errors import DefinitionError
from pivot_core.pivot_yaml import charts
from pivot_core.pivot_yaml.validate import ValidationError
from pivot_core.spec import METRIC, PLOT, PartView
from pivot_core.stages.annotations import Dep, DirectoryOut, Metric, Out, Plot, ViewedDirectory
from pivot_core.stages.interpolation import Path

_FLAGS: Final = ("cache", "persist", "temp", "desc")
_FOR_THE_READER: Final = ("type", "labels")


class _Item(NamedTuple):
    """A declared path: its name, its facts (``path`` and others), its place, and whether it is a path alone."""

    name: str
    facts: Mapping[str, Any]
    at: Path
    plain: bool = False


def executed(filled: Mapping[str, Any], path: Path) -> Any:
    """The out for the executed copy of a notebook; None without one.

    Raises:
        ValidationError: The stage has no notebook, or the out is invalid.
    """
    if "executed" not in filled:
        return None
    if "notebook" not in filled:
        raise ValidationError("'executed' is for stages with a notebook", (*path, "executed"), hint="remove it")
    raw = filled["executed"]
    return _out(raw if isinstance(raw, Mapping) else {"path": raw}, (*path, "executed"))


def deps(raw: Any, path: Path, *, shell: bool) -> Mapping[str, Any]:
    """The deps of a stage: paths, or `Dep` for more than a path.

    Raises:
        ValidationError: One is invalid.
    """
    at = (*path, "deps")
    if shell:
        return {item.name: _dep(item) for item in _items(raw, at)}
    if isinstance(raw, Mapping):
        for key, each in raw.items():
            if isinstance(each, Mapping):
                raise ValidationError(
                    f"{key!r} of 'deps' of a python stage must be a path, since its function declares the rest",
                    (*at, key),
                    hint="write 'parameter: path', and 'count' in the function's annotation",
                )
        return raw
    raise ValidationError("'deps' of a python stage must be a mapping", at, hint="write 'parameter: path' for each")


def _dep(item: _Item) -> Any:
    if item.plain:
        return item.facts["path"]
    try:
        return Dep(item.facts["path"], count=item.facts.get("count", True))
    except DefinitionError as error:
        raise ValidationError(str(error), item.at, hint=error.hint) from None


def outs(filled: Mapping[str, Any], path: Path, *, shell: bool) -> Mapping[str, Any]:
    """The outs of a stage, with its metrics and plots: paths for a Python stage, else `Out`.

    Raises:
        ValidationError: One is invalid, or two have the same name.
    """
    if not shell:
        return _python_outs(filled, path)
    found: dict[str, Out] = {}
    for key, role in (("outs", ""), ("metrics", METRIC), ("plots", PLOT)):
        for item in _items(filled.get(key, ()), (*path, key)):
            if item.name in found:
                raise ValidationError(
                    f"{key!r} names {item.name!r} twice"
                    if key == "outs"
                    else f"{item.name!r} of {key!r} is an out of the stage already",
                    item.at,
                    hint="remove one of the two",
                )
            found[item.name] = _out(item.facts, item.at, role)
    return found


def _python_outs(filled: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    for key in ("metrics", "plots"):
        if key in filled:
            raise ValidationError(
                f"{key!r} is for stages without a function, which declares its outs itself",
                (*path, key),
                hint="annotate the function: pivot.Metric(path), or pivot.Plot(path, loader)",
            )
    raw, at = filled.get("outs", {}), (*path, "outs")
    if not isinstance(raw, Mapping):
        raise ValidationError(
            "'outs' of a python stage must be a mapping",
            at,
            hint="write 'key: path' for each key of what the function returns; the key of a single out is 'return'",
        )
    for key, each in raw.items():
        if isinstance(each, Mapping):
            raise ValidationError(
                f"{key!r} of 'outs' of a python stage must be a path, since its function declares the rest",
                (*at, key),
                hint="write 'key: path', and 'cache' or 'directory' in the function's annotation",
            )
    return raw


def _items(raw: Any, at: Path) -> Iterable[_Item]:
    """The declared paths: of a list, or of a mapping by name."""
    if isinstance(raw, Mapping):
        for name, each in raw.items():
            plain = not isinstance(each, Mapping)
            yield _Item(name, {"path": each} if plain else each, (*at, name), plain)
        return
    for number, each in enumerate(raw):
        facts, place = each, (*at, number)
        if not isinstance(each, Mapping):
            facts = {"path": each}
        elif "path" not in each:
            ((path, flags),) = each.items()
            facts, place = {"path": path, **(flags or {})}, (*at, number, path)
        path = facts["path"]
        name = path if isinstance(path, str) else " ".join(path)
        yield _Item(name, facts, place, not isinstance(each, Mapping))


def _out(facts: Mapping[str, Any], at: Path, role: str = "") -> Out:
    path = facts["path"]
    paths = [path] if isinstance(path, str) else path
    directory = facts.get("directory", all(each.endswith("/") for each in paths))
    if not directory:
        path = path.rstrip("/") if isinstance(path, str) else [each.rstrip("/") for each in path]
    flags = _flags(facts, at)
    plot = facts.get("plot", False)
    options = {} if plot is True else plot
    if role == PLOT:
        options = charts.chart(facts, at)
    try:
        if role == METRIC or facts.get("metric", False):
            if directory or options is not False:
                other = "a directory" if directory else "a plot"
                raise ValidationError(f"an out cannot be both a metric and {other}", at, hint="remove 'metric'")
            return Metric(path, **({"cache": True, **flags} if role else flags))
        if options is not False and directory:
            return ViewedDirectory(path, **flags, parts=(part("", PLOT, options),))
        if options is not False:
            return Plot(path, **flags, **options)
        kind = DirectoryOut if directory else Out
        return kind(path, **flags)
    except DefinitionError as error:
        raise ValidationError(str(error), at, hint=error.hint) from None


def part(path: str, kind: str, options: Mapping[str, Any]) -> PartView:
    """A metric in a directory, or plots there that are drawn alike.

    Raises:
        DefinitionError: Plots cannot be drawn so.
    """
    return PartView(path, kind, Plot(path or "plots", **options).options if kind == PLOT else None)


def _flags(facts: Mapping[str, Any], at: Path) -> dict[str, Any]:
    """The arguments of an out that do not depend on its kind."""
    if "remote" in facts or not facts.get("push", True):
        key = "remote" if "remote" in facts else "push"
        raise ValidationError(
            f"an out cannot have {key!r} here: all outs that the cache has go to the remote of the command",
            (*at, key),
            hint="remove it; 'pivot push -r REMOTE PATH' pushes single outs to another remote",
        )
    flags = {name: facts[name] for name in _FLAGS if name in facts}
    meta = {**facts.get("meta", {}), **{name: facts[name] for name in _FOR_THE_READER if name in facts}}
    return {**flags, "meta": meta} if meta else flags
