"""`pivot plots`: the rows and images of plots at several revisions, and the columns to draw."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import attrs

from pivot_core.files.paths import ArtifactPath
from pivot_core.spec import PLOT, PlotOptions
from pivot_core.values import Value
from pivot_runtime.artifacts.records import Record
from pivot_runtime.comparing import declarations, parts, series
from pivot_runtime.comparing.declarations import KnownStages
from pivot_runtime.comparing.metrics import PullOptions, select
from pivot_runtime.comparing.revisions import Revision, Revisions
from pivot_runtime.comparing.series import Axes, Row
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import ContentError

MOST_BYTES: Final = 1 << 26
"""The bytes of the largest file that is drawn."""


@attrs.frozen(eq=False, repr=False)
class PlotSide(Value):
    """A plot at one revision.

    Attributes:
        name: The name of the revision.
        rows: The rows of a series; None if there are none.
        image: The bytes of an image; None if there is none.
        edited: Whether the file in the workspace is not what its last run wrote.
    """

    name: str
    rows: tuple[Row, ...] | None = None
    image: bytes | None = None
    edited: bool = False


@attrs.frozen(eq=False, repr=False)
class PlotSubject(Value):
    """A plot at several revisions.

    Attributes:
        name: The path of the file, relative to the directory of the command.
        stage: The displayed name of the stage.
        options: How it is drawn.
        media: The media type of an image; ``""`` for a series.
        axes: The columns to draw; None if they are unknown.
        sides: The revisions that have it.
        stale: Whether the next run would run the stage; None if that is not known. It is False without the workspace.
        problems: The reason for each part that cannot be drawn, with a hint or None.
        path: The path of the file, relative to the root.
        may_be_plot: Whether its content can be drawn, with some columns, as far as it is known.
    """

    name: str
    stage: str
    options: PlotOptions
    media: str
    axes: Axes | None
    sides: tuple[PlotSide, ...]
    stale: bool | None = False
    problems: tuple[tuple[str, str | None], ...] = ()
    path: str = ""
    may_be_plot: bool = True


@attrs.frozen(eq=False, repr=False)
class PlotComparison(Value):
    """Plots at several revisions.

    Attributes:
        sides: The names of the revisions.
        plots: By path.
        empty: The names of the revisions that record no run at all.
        unknown: The reasons for which plots in directories are unknown, each with a hint or None.
    """

    sides: tuple[str, ...]
    plots: tuple[PlotSubject, ...]
    empty: tuple[str, ...] = ()
    unknown: tuple[tuple[str, str | None], ...] = ()

    @property
    def problems(self) -> tuple[tuple[str, str | None], ...]:
        """The reasons for parts that cannot be drawn."""
        return (*self.unknown, *(problem for plot in self.plots for problem in plot.problems))


def plots(
    context: CommandContext,
    sides: Sequence[str | None],
    targets: Iterable[str] = (),
    options: PullOptions | None = None,
) -> PlotComparison:
    """The plots at revisions, of which None is the workspace, as the pipelines say now how to draw them.

    Args:
        context: The context of the command.
        sides: The revisions.
        targets: Stages, paths of plots, or directories with some; none means all.
        options: Whether to fetch what the cache lacks.

    Raises:
        RevisionError: There is no such revision.
        TargetError: A target selects nothing at any revision.
        PivotError: Git or the remote fails.
    """
    options = options or PullOptions()
    named = list(targets)
    known = declarations.loaded(context)
    declared = _declared(known)
    with Revisions.opened(context) as revisions:
        found = revisions.read_all(sides)
        whole = parts.expanded(revisions, found, known, pull=options.pull)
        found = list(whole.sides)
        chosen = select(found, named, context.project, whole.lacking)
        wanted = [
            {path: each for path, each in side.items() if path in declared or known.kind(each) == PLOT}
            for side in map(declarations.of_today, found, chosen, itertools.repeat(known))
        ]
        if options.pull:
            revisions.pull((each for side in wanted for each in side.values()), options.progress)
        names = declarations.graph(found, known).short_names()
        subjects: list[PlotSubject] = []
        addresses: dict[str, str] = {}
        for path in sorted({path for side in wanted for path in side}):
            records = [side.get(path) for side in wanted]
            address = next(record.address or "" for record in reversed(records) if record is not None)
            part = whole.plots.get(path)
            chart = part.options if part is not None else declared.get(path, PlotOptions())
            subject = _subject(context, revisions, path, list(zip(found, records, strict=True)), chart)
            if part is not None and not part.named and not subject.may_be_plot:
                continue
            subjects.append(attrs.evolve(subject, stage=names.get(address, address)))
            addresses[subject.name] = address
    stale = declarations.stale(context, known, set(addresses.values())) if None in sides else {}
    return PlotComparison(
        tuple(side.name for side in found),
        tuple(attrs.evolve(each, stale=stale.get(addresses[each.name], False)) for each in subjects),
        tuple(side.name for side in found if not side.locks),
        whole.problems(chosen),
    )


def _declared(known: KnownStages) -> Mapping[ArtifactPath, PlotOptions]:
    return {
        out.path: out.plot
        for stage in known.stages.values()
        for out in stage.spec.outs
        if out.kind == PLOT and out.plot is not None
    }


def _subject(
    context: CommandContext,
    revisions: Revisions,
    path: ArtifactPath,
    sides: Sequence[tuple[Revision, Record | None]],
    options: PlotOptions,
) -> PlotSubject:
    name = context.project.from_cwd(path)
    media = series.IMAGES.get(series.suffix(path), "")
    found: list[PlotSide] = []
    problems: dict[str, str | None] = {}
    may_be_plot = True
    for revision, record in sides:
        if record is None:
            continue
        content = None
        try:
            content = revisions.content(revision, record, MOST_BYTES)
            rows = None if media else series.parse_rows(content.data, name)
            image = content.data if media else None
            found.append(PlotSide(revision.name, rows, image, content.edited and revision.is_workspace))
        except ContentError as error:
            problems[f"{revision.name}: {error}"] = error.hint
            may_be_plot &= content is None
    axes = None
    if not media and found:
        try:
            axes = series.axes(options, [row for side in found for row in side.rows or ()], name)
        except ContentError as error:
            problems[str(error)] = error.hint
            may_be_plot &= bool(options.x or options.y or options.group)
    return PlotSubject(
        name,
        "",
        options,
        media,
        axes,
        tuple(found),
        problems=tuple(problems.items()),
        path=path,
        may_be_plot=may_be_plot,
    )
