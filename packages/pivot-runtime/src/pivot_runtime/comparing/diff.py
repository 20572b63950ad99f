"""`pivot diff`: how an out or tracked data differ between revisions, by the format of the file."""

import contextlib
import difflib
import os
import pathlib
import tempfile
from collections.abc import Callable, Sequence
from typing import Final

import attrs

from pivot_cache.formats import tree
from pivot_cache.formats.tree import Tree, TreeDifference
from pivot_cache.remotes.transfer import TransferCounts
from pivot_core.errors import PathError
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact
from pivot_core.progress import no_progress
from pivot_core.values import Value
from pivot_runtime.artifacts.records import Record
from pivot_runtime.comparing import row_diff, row_files
from pivot_runtime.comparing.revisions import Revision, Revisions
from pivot_runtime.comparing.row_diff import TableDifference
from pivot_runtime.comparing.values import Difference, aligned, flatten, parse
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import ContentError, TargetError

__all__ = ["DiffOptions", "LineDifference", "OutDifference", "TreeDifference", "diff"]

MOST_BYTES: Final = 1 << 26
"""The largest JSON, YAML or TOML file that is read."""
MOST_TEXT: Final = 1 << 22
"""The largest text file that is compared line by line."""

_VALUES: Final = (".json", ".yaml", ".yml", ".toml")


@attrs.frozen(eq=False, repr=False)
class LineDifference(Value):
    """The difference of two texts.

    Attributes:
        lines: The unified diff, as far as it was asked for.
        added: The number of new lines.
        removed: The number of lines that are no longer there.
        more: The number of lines of the diff that are left out.
    """

    lines: tuple[str, ...]
    added: int
    removed: int
    more: int


type Detail = TableDifference | LineDifference | TreeDifference | tuple[Difference, ...] | None


@attrs.frozen(eq=False, repr=False)
class OutDifference(Value):
    """The difference of a file or directory between two revisions.

    Attributes:
        path: Its path, relative to the root.
        name: Its path, relative to the directory of the command.
        sides: The names of the revisions.
        artifacts: The artifact on each side; None if there is none.
        detail: The difference in its content; None if that is the same, or only sizes and digests are known.
        note: Why the content was not compared in more detail; empty if it was.
    """

    path: ArtifactPath
    name: str
    sides: tuple[str, ...]
    artifacts: tuple[Artifact | None, Artifact | None]
    detail: Detail = None
    note: str = ""

    @property
    def same(self) -> bool:
        """Whether the bytes are the same on both sides."""
        return self.artifacts[0] == self.artifacts[1]


@attrs.frozen(eq=False, repr=False)
class DiffOptions(Value):
    """The options of `diff`.

    Attributes:
        keys: The columns by which rows are matched; without any, their positions.
        most: The number of rows, lines, values or files to show.
        pull: Whether to fetch what the cache lacks.
        fetching: Called with the progress of that.
        reading: Called with numbers of rows that have been read.
    """

    keys: tuple[str, ...] = ()
    most: int = 20
    pull: bool = False
    fetching: Callable[[TransferCounts], object] = no_progress
    reading: Callable[[int], object] = no_progress


def diff(
    context: CommandContext, target: str, sides: Sequence[str | None], options: DiffOptions | None = None
) -> OutDifference:
    """Compare an out or tracked data at two revisions, of which None is the workspace.

    Args:
        context: The context of the command.
        target: Its path, or the name of a stage with one out.
        sides: The revisions.
        options: The options.

    Raises:
        RevisionError: There is no such revision.
        TargetError: Nothing of that name is recorded at either revision.
        ContentError: The content is not available.
        RowKeyError: A table has no such column.
        MissingLibraryError: The format needs a library that is not installed.
    """
    options = options or DiffOptions()
    with Revisions.opened(context) as revisions, tempfile.TemporaryDirectory(prefix="pivot-") as scratch:
        found = [revisions.read(side) for side in sides]
        path = _path(context, revisions, found, target)
        both = [_Side(revisions, side, path, pathlib.Path(scratch, str(number))) for number, side in enumerate(found)]
        artifacts = (both[0].artifact, both[1].artifact)
        difference = OutDifference(path, context.project.from_cwd(path), tuple(each.name for each in found), artifacts)
        if None in artifacts or difference.same:
            return difference
        if options.pull:
            revisions.pull((each.record for each in both if each.record and not each.here), options.fetching)
        detail, note = _detail(both[0], both[1], os.path.splitext(path)[1].lower(), options)
        return attrs.evolve(difference, detail=detail, note=note)


def _path(context: CommandContext, revisions: Revisions, sides: Sequence[Revision], target: str) -> ArtifactPath:
    """The recorded path that a target means."""
    project = context.project
    error: TargetError | None = None
    if os.sep not in target and not target.startswith("."):
        for side in sides:
            with contextlib.suppress(TargetError):
                records = side.records.select([target], project)
                outs = sorted(record.path for record in records)
                if len(outs) == 1:
                    return outs[0]
                if outs:
                    error = TargetError(f"{target!r} has several outs", hint=f"name one of them: {', '.join(outs)}")
    with contextlib.suppress(PathError):
        path = project.path(target)
        if path and any(revisions.find(side, ArtifactPath(path)) for side in sides):
            return ArtifactPath(path)
    if error is not None:
        raise error
    sides[-1].records.select([target], project)
    raise TargetError(f"nothing recorded is named {target!r}", hint="name an out, or tracked data: see 'pivot list'")


class _Side:
    """One side of a comparison."""

    def __init__(self, revisions: Revisions, revision: Revision, path: ArtifactPath, scratch: pathlib.Path) -> None:
        self._revisions = revisions
        self._revision = revision
        self._scratch = scratch
        self.record = revisions.find(revision, path)
        self.here = revision.is_workspace
        self.artifact = revisions.look(path) if self.here else None if self.record is None else self.record.artifact
        if self.here and self.artifact is None and self.record is not None and self.record.cache:
            self.here, self.artifact = False, self.record.artifact  # an out that is not restored counts as recorded
        self._path = path

    def file(self) -> pathlib.Path:
        """A file with the bytes."""
        if self.here:
            return self._revisions.workspace_path(self._path)
        record = self._recorded
        if record.cache:
            return self._revisions.object_file(record)
        content = self._revisions.content(self._revision, record)
        self._scratch.write_bytes(content.data)
        return self._scratch

    def tree(self) -> Tree:
        """The listing of a directory."""
        return self._revisions.workspace_tree(self._path) if self.here else self._revisions.listing(self._recorded)

    @property
    def _recorded(self) -> Record:
        if self.record is None:
            raise ContentError(f"{self._path} is missing")
        return self.record


def _detail(old: _Side, new: _Side, suffix: str, options: DiffOptions) -> tuple[Detail, str]:
    trees = [side.artifact is not None and side.artifact.tree for side in (old, new)]
    if all(trees):
        return tree.compare(old.tree(), new.tree()), ""
    if any(trees):
        return None, "one is a directory, the other a file"
    files = old.file(), new.file()
    if row_files.is_table(suffix):
        try:
            before, after = (row_files.rows_of(file, suffix) for file in files)
            return row_diff.compare(before, after, options.keys, options.most, options.reading), ""
        except ContentError as error:
            return _texts(files, options.most, f"not compared as tables: {error}")
    if suffix in _VALUES:
        return _values(files, suffix, options)
    return _texts(files, options.most)


def _values(files: tuple[pathlib.Path, pathlib.Path], suffix: str, options: DiffOptions) -> tuple[Detail, str]:
    if max(file.stat().st_size for file in files) > MOST_BYTES:
        return None, f"not compared in detail: more than {MOST_BYTES >> 20} MiB"
    try:
        values = [parse(file.read_bytes(), f"it{suffix}") for file in files]
    except ContentError as error:
        return _texts(files, options.most, f"not compared by values: {error}")
    if all(isinstance(value, list) for value in values):
        before, after = map(row_files.rows_in, values)
        return row_diff.compare(before, after, options.keys, options.most, options.reading), ""
    return tuple(each for each in aligned(map(flatten, values)) if each.changed), ""


def _texts(files: tuple[pathlib.Path, pathlib.Path], most: int, note: str = "") -> tuple[Detail, str]:
    if max(file.stat().st_size for file in files) > MOST_TEXT:
        return None, note or f"not compared in detail: more than {MOST_TEXT >> 20} MiB"
    texts = []
    for file in files:
        data = file.read_bytes()
        try:
            texts.append(data.decode() if b"\0" not in data else None)
        except UnicodeDecodeError:
            texts.append(None)
    old, new = texts
    if old is None or new is None:
        return None, note
    lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=3))[2:]
    return LineDifference(
        tuple(lines[:most]),
        sum(line.startswith("+") for line in lines),
        sum(line.startswith("-") for line in lines),
        max(0, len(lines) - most),
    ), note
