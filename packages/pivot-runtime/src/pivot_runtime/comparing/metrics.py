"""`pivot metrics`: the values in the metrics of several revisions."""

import itertools
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any

import attrs

from pivot_cache.formats.tree import Tree
from pivot_cache.remotes.transfer import TransferCounts
from pivot_core.files.paths import ArtifactPath
from pivot_core.progress import no_progress
from pivot_core.spec import METRIC
from pivot_core.values import Value
from pivot_runtime.artifacts.records import Record
from pivot_runtime.comparing import declarations, parts
from pivot_runtime.comparing.comparison import ComparedValues, Comparison
from pivot_runtime.comparing.revisions import Revision, Revisions
from pivot_runtime.comparing.values import aligned, flatten, parse
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import ContentError, TargetError
from pivot_runtime.project.project import Project

_MOST = 1 << 24
"""The bytes of the largest file that is read as a metric."""


@attrs.frozen(eq=False, repr=False)
class PullOptions(Value):
    """Whether missing content is fetched from the default remote.

    Attributes:
        pull: Whether to fetch it.
        progress: Called with the progress.
    """

    pull: bool = False
    progress: Callable[[TransferCounts], object] = no_progress


def metrics(
    context: CommandContext,
    sides: Sequence[str | None],
    targets: Iterable[str] = (),
    options: PullOptions | None = None,
    *,
    may_import: bool = True,
) -> Comparison:
    """The values of metrics at revisions, of which None is the workspace.

    Args:
        context: The context of the command.
        sides: The revisions.
        targets: Stages, paths of metrics, or directories with some; none means all.
        options: Whether to fetch what the cache lacks.
        may_import: Whether pipelines may be imported if locks do not say which outs are metrics.

    Raises:
        RevisionError: There is no such revision.
        TargetError: A target selects nothing at any revision.
        PivotError: Git or the remote fails.
    """
    options = options or PullOptions()
    named = list(targets)
    with Revisions.opened(context) as revisions:
        found = revisions.read_all(sides)
        every = [record for side in found for record in side.records.by_path.values()]
        known = declarations.for_kinds(context, every) if may_import else declarations.without_import(context)
        whole = parts.expanded(revisions, found, known, pull=options.pull)
        found = list(whole.sides)
        kinds = {record.path: kind for record in every if (kind := known.kind(record))}
        chosen = select(found, named, context.project, whole.lacking)
        wanted = [
            {path: each for path, each in side.items() if (kinds.get(path) or each.kind) == METRIC}
            for side in map(declarations.of_today, found, chosen, itertools.repeat(known))
        ]
        if options.pull:
            revisions.pull((each for side in wanted for each in side.values()), options.progress)
        reading = _Reading(context.project, revisions)
        subjects = []
        for path in sorted({path for side in wanted for path in side}):
            records = [side.get(path) for side in wanted]
            values = [reading.values(*pair) for pair in zip(found, records, strict=True)]
            address = next(record.address or "" for record in reversed(records) if record is not None)
            subjects.append(
                ComparedValues(
                    context.project.from_cwd(path), address, tuple(aligned(values)), path in reading.edited, path=path
                )
            )
    here = [subject.stage for subject in subjects] if None in sides else []
    stale = declarations.stale(context, known, here) if here else {}
    return Comparison(
        tuple(side.name for side in found),
        tuple(attrs.evolve(each, stale=stale.get(each.stage, False)) for each in subjects),
        tuple(side.name for side in found if not side.locks),
        (*whole.problems(chosen), *reading.problems),
        stage_names=declarations.graph(found, known).short_names(),
    )


def select(
    sides: Sequence[Revision], targets: Sequence[str], project: Project, lacking: Container[ArtifactPath]
) -> list[Mapping[ArtifactPath, Record]]:
    """The recorded outs of each revision that targets select; all without targets.

    A target in a directory whose contents are ``lacking`` selects the directory.

    Raises:
        TargetError: A target selects nothing at any revision.
    """
    if not targets:
        return [side.records.by_path for side in sides]

    def contents(directory: Record) -> Tree | None:
        """Return what is in a directory and no out of a revision already; None for all of it."""
        return None if directory.path in lacking else Tree({})

    found: list[dict[ArtifactPath, Record]] = [{} for _ in sides]
    for target in targets:
        error: TargetError | None = None
        known = False
        for side, chosen in zip(sides, found, strict=True):
            try:
                selected = side.records.select([target], project, contents)
                chosen.update({record.path: record for record in selected})
                known = True
            except TargetError as problem:
                error = problem
        if not known and error is not None:
            raise error
    return list(found)


class _Reading:
    """Reads values, and collects the problems."""

    def __init__(self, project: Project, revisions: Revisions) -> None:
        self._project = project
        self._revisions = revisions
        self.problems: list[tuple[str, str | None]] = []
        self.edited: set[ArtifactPath] = set()

    def values(self, revision: Revision, record: Record | None) -> Mapping[str, Any] | None:
        """The values of a metric by name; none without a record, None if they are not available."""
        if record is None:
            return {}
        try:
            content = self._revisions.content(revision, record, _MOST)
            name = self._project.from_cwd(record.path)
            values = flatten(parse(content.data, name))
        except ContentError as error:
            where = "" if revision.is_workspace or revision.name in str(error) else f" (at {revision.name})"
            self.problems.append((f"{error}{where}", error.hint))
            return None
        if content.edited:
            self.edited.add(record.path) if revision.is_workspace else self.problems.append(
                (f"{name} at {revision.name} is not what the run wrote that is recorded there", None)
            )
        return values
