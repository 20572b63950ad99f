"""The metrics and plots that a ``pivot.yaml`` lists beside its stages: which outs these are; pure."""

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from pivot_core.errors import DefinitionError, suggest
from pivot_core.files.paths import parent_names
from pivot_core.pivot_yaml import artifacts, charts
from pivot_core.pivot_yaml.validate import ValidationError
from pivot_core.stages.annotations import Metric, Out, Plot, ViewedDirectory
from pivot_core.stages.interpolation import Path


def views(data: Mapping[str, Any], outs: Mapping[str, Out]) -> dict[str, Out]:
    """The outs that are listed as metrics or plots, as such, and those with such files in them.

    Args:
        data: The content of the file.
        outs: The outs of its stages by path, relative to the directory of the file.

    Raises:
        ValidationError: A path is neither one of these outs nor in one, or cannot be a metric or a plot.
    """
    found: dict[str, Out] = {}
    listed: set[str] = set()
    for number, path in enumerate(data.get("metrics", ())):
        listed.add(posixpath.normpath(path))
        _view(Metric, path, {}, ("metrics", number), outs, found)
    for name, facts, at in _plots(data.get("plots", ())):
        path, options = _file(name, facts, at)
        known = posixpath.normpath(path)
        if known in listed:
            raise ValidationError(
                f"{path!r} is a metric or another plot already", at, hint="Pivot draws one plot of a file: keep one"
            )
        listed.add(known)
        _view(Plot, path, options, at, outs, found)
    return found


def _view(
    kind: type[Metric | Plot],
    path: str,
    options: Mapping[str, Any],
    at: Path,
    outs: Mapping[str, Out],
    found: dict[str, Out],
) -> None:
    """Add an out that is listed, or has a listed file in it."""
    known = posixpath.normpath(path)
    around = next((each for each in (known, *parent_names(known)) if each in outs), None)
    out = None if around is None else outs[around]
    if around is None or out is None or (around != known and not out.directory):
        raise ValidationError(
            f"{path!r} is no out of a command or notebook of this file, nor in one",
            at,
            hint=suggest(path, outs) or "add it to the outs of the stage that writes it, or remove it here",
        )
    if not out.directory or (around == known and kind is Metric):
        found[around] = _as(kind, out, options, at)
    else:
        found[around] = _with_part(found.get(around, out), kind, known[len(around) + 1 :], options, at)


def _with_part(out: Out, kind: type[Metric | Plot], path: str, options: Mapping[str, Any], at: Path) -> Out:
    """A directory with one more metric or plot in it."""
    before = next((each.kind for each in out.inside if each.path == path), None)
    if before is not None:
        whole = posixpath.join(out.paths[0], path)
        raise ValidationError(f"{whole!r} is a {before} already", at, hint="remove it in one of the two places")
    try:
        parts = (*out.inside, artifacts.part(path, kind.role, options))
    except DefinitionError as error:
        raise ValidationError(str(error), at, hint=error.hint) from None
    return ViewedDirectory(
        out.path, cache=out.cache, persist=out.persist, temp=out.temp, desc=out.desc, meta=out.meta, parts=parts
    )


def _plots(raw: Any) -> Iterator[tuple[str, Mapping[str, Any], Path]]:
    """Each plot with its name, its facts, and its place."""
    if isinstance(raw, Mapping):
        yield from ((name, facts or {}, ("plots", name)) for name, facts in raw.items())
        return
    for number, each in enumerate(raw):
        pairs = each.items() if isinstance(each, Mapping) else [(each, {})]
        yield from ((name, facts or {}, ("plots", number, name)) for name, facts in pairs)


def _file(name: str, facts: Mapping[str, Any], at: Path) -> tuple[str, dict[str, Any]]:
    """The file of a plot, and the options of its chart: columns may be given by file, which else is its name."""
    by_file = {axis: facts[axis] for axis in ("x", "y") if isinstance(facts.get(axis), Mapping)}
    files = list(dict.fromkeys(file for each in by_file.values() for file in each))
    if len(files) > 1:
        raise ValidationError(
            f"the plot {name!r} has columns of several files: {', '.join(files)}",
            at,
            hint="Pivot draws a plot for each file: list each file on its own",
        )
    if not files:
        return name, charts.chart(facts, at)
    (file,) = files
    columns = {axis: each.get(file, "") for axis, each in by_file.items()}
    return file, charts.chart({"title": name, **facts, **columns}, at)


def _as(kind: type[Metric | Plot], out: Out, options: Mapping[str, Any], at: Path) -> Out:
    """An out as a metric or a plot; everything else stays."""
    path = f"{out.paths[0].rstrip('/')}/" if out.directory else out.path
    if out.role not in ("", kind.role):
        raise ValidationError(f"{path!r} is a {out.role} already", at, hint="remove it in one of the two places")
    try:
        return kind(path, cache=out.cache, persist=out.persist, temp=out.temp, desc=out.desc, meta=out.meta, **options)
    except DefinitionError as error:
        hint = "name the files in it that have metrics" if out.directory else error.hint
        raise ValidationError(str(error), at, hint=hint) from None
