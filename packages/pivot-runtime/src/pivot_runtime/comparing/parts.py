"""The metrics and plots in recorded directories, as records of their own."""

from collections.abc import Container, Iterator, Mapping, Sequence

import attrs

from pivot_cache.formats.tree import Tree
from pivot_core.files.paths import ArtifactPath, is_within
from pivot_core.lock import Artifact
from pivot_core.spec import PLOT, OutSpec, PartView, PlotOptions
from pivot_core.values import Value
from pivot_runtime.artifacts.records import Record
from pivot_runtime.comparing import series
from pivot_runtime.comparing.declarations import KnownStages
from pivot_runtime.comparing.revisions import Revision, Revisions
from pivot_runtime.errors import ContentError


@attrs.frozen(eq=False, repr=False)
class PartPlot(Value):
    """A plot in a directory.

    Attributes:
        options: How it is drawn.
        named: Whether its own path is declared, and not only that of a directory around it.
    """

    options: PlotOptions
    named: bool


@attrs.frozen(eq=False, repr=False)
class ExpandedRevisions(Value):
    """Revisions whose records include metrics and plots in directories.

    Attributes:
        sides: The revisions.
        plots: The plots in directories, by path.
        lacking: The directories whose contents are unknown, each with the reasons, of which each has a hint or None.
    """

    sides: tuple[Revision, ...]
    plots: Mapping[ArtifactPath, PartPlot]
    lacking: Mapping[ArtifactPath, Mapping[str, str | None]] = attrs.field(factory=dict)

    def problems(self, chosen: Sequence[Container[ArtifactPath]]) -> tuple[tuple[str, str | None], ...]:
        """The reasons for which parts are unknown, of the directories among the chosen outs of any revision."""
        asked = (found for path, found in self.lacking.items() if any(path in side for side in chosen))
        return tuple(problem for found in asked for problem in found.items())


def expanded(
    revisions: Revisions, sides: Sequence[Revision], known: KnownStages, *, pull: bool = False
) -> ExpandedRevisions:
    """Add the metrics and plots in directories to the records of revisions, as the pipelines declare them now.

    Args:
        revisions: The revisions of the project.
        sides: Some of them.
        known: The pipelines.
        pull: Fetch the listings of directories that the cache lacks.

    Raises:
        PivotError: Git or the remote fails.
    """
    declared = {out.path: out for stage in known.stages.values() for out in stage.spec.outs if out.inside}
    if not declared:
        return ExpandedRevisions(tuple(sides), {})
    held = [
        (side, record)
        for side in sides
        for path, record in side.records.by_path.items()
        if path in declared and record.artifact.tree  # else it was a file then
    ]
    if pull:
        revisions.pull_listings(record for _, record in held)
    lacking: dict[ArtifactPath, dict[str, str | None]] = {}
    plots: dict[ArtifactPath, PartPlot] = {}
    found: dict[int, dict[ArtifactPath, Record]] = {}
    for side, record in held:
        try:
            tree = revisions.tree(side, record)
        except ContentError as error:
            lacking.setdefault(record.path, {})[f"{side.name}: {error}"] = error.hint
            continue
        for part, plot in _parts(declared[record.path], record, tree):
            found.setdefault(id(side), {})[part.path] = part
            plots |= {} if plot is None else {part.path: plot}
    return ExpandedRevisions(tuple(_with_parts(side, found.get(id(side), {})) for side in sides), plots, lacking)


def _with_parts(side: Revision, parts: Mapping[ArtifactPath, Record]) -> Revision:
    by_path = dict(sorted({**parts, **side.records.by_path}.items()))
    return attrs.evolve(side, records=attrs.evolve(side.records, by_path=by_path))


def _parts(out: OutSpec, directory: Record, tree: Tree) -> Iterator[tuple[Record, PartPlot | None]]:
    """The metrics and plots in a directory, each as the nearest declaration around it says."""
    for name, artifact in tree.files.items():
        view = max((each for each in out.inside if _shows(each, name)), key=lambda each: len(each.path), default=None)
        if view is not None:
            plot = None if view.plot is None else PartPlot(view.plot, view.path == name)
            yield _record(directory, name, artifact, view.kind), plot


def _shows(view: PartView, name: str) -> bool:
    if view.kind != PLOT or view.path == name:
        return view.path == name
    return (not view.path or is_within(name, view.path)) and series.may_be_drawn(name)


def _record(directory: Record, name: str, artifact: Artifact, kind: str) -> Record:
    path = ArtifactPath(f"{directory.path}/{name}")
    return Record(path, artifact, directory.address, directory.cache, kind, temp=directory.temp)
