"""Which paths may be previewed: outs, deps and tracked data, and what is in them, as records or pipelines name them."""

from collections.abc import Iterable, Iterator
from typing import Final

import attrs

from pivot_core.errors import PathError
from pivot_core.files.paths import RESERVED_DIRS, ArtifactPath, parents
from pivot_core.files.patterns import PathPattern, is_pattern
from pivot_core.lock import Artifact
from pivot_core.values import Value
from pivot_runtime.artifacts.records import Record
from pivot_runtime.comparing import declarations
from pivot_runtime.comparing.revisions import WORKSPACE, Revision, Revisions
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import RevisionError, UnknownArtifactError

RECORDED: Final = "recorded"
"""The side with the content that the current lock files and `.pvt` files name."""
_LONGEST: Final = 1000


@attrs.frozen(eq=False, repr=False)
class KnownArtifact(Value):
    """A file or directory that may be previewed.

    Attributes:
        path: Its path, which may be inside a recorded directory.
        side: `WORKSPACE`, `RECORDED`, the name of a git revision, or a run such as ``run:12``.
        revision: The records of this side.
        record: The record at the path or around it; None if there is none.
        source: Whether no run has written it: a file that stages read.
    """

    path: ArtifactPath
    side: str
    revision: Revision
    record: Record | None
    source: bool = False

    @property
    def inside(self) -> str:
        """The path in the recorded directory; ``""`` for the recorded file or directory itself."""
        return "" if self.record is None else self.path.removeprefix(self.record.path).removeprefix("/")


def known(context: CommandContext, revisions: Revisions, path: str, side: str, inside: str = "") -> KnownArtifact:
    """The artifact that a path names on a side.

    Raises:
        UnknownArtifactError: No stage and no tracked data name it there, or it is no path of the project.
        RevisionError: There is no such revision.
        HistoryError: There is no such run.
        PivotError: The records of the side cannot be read.
    """
    place = _parsed(path, inside)
    if len(side) > _LONGEST or "\0" in side:
        raise RevisionError("the name of the revision is no name of a commit")
    revision = revisions.read(None if side in (WORKSPACE, RECORDED) else side)
    record = revisions.around(revision, place)
    if record is not None:
        return KnownArtifact(place, side, revision, record)
    read = _dep(revision, place)
    if read is not None:
        return KnownArtifact(place, side, revision, read, source=True)
    if revision.is_workspace and _is_declared(context, place):
        return KnownArtifact(place, side, revision, None)
    raise unknown(place)


def unknown(path: str) -> UnknownArtifactError:
    """The error for a path that nothing names."""
    return UnknownArtifactError(
        f"pivot knows no artifact at {path!r}", hint="name an out, a dep or tracked data: see 'pivot list --json'"
    )


def _parsed(path: str, inside: str) -> ArtifactPath:
    whole = f"{path}/{inside}" if inside else path
    try:
        for text in (path, *([inside] if inside else ())):
            if not RESERVED_DIRS.isdisjoint(ArtifactPath.parse(text).split("/")):
                raise unknown(whole)
        return ArtifactPath.parse(whole)
    except PathError:
        raise unknown(whole) from None


def _dep(revision: Revision, path: ArtifactPath) -> Record | None:
    """The dep at a path or around it, as a record of bytes that the cache does not have."""
    patterns: set[ArtifactPath] = set()
    around = (path, *parents(path))
    for lock in revision.locks.values():
        for at in around:
            if at in lock.inputs.deps:
                return Record(at, lock.inputs.deps[at], cache=False)
        patterns.update(filter(is_pattern, lock.inputs.deps))
    return Record(path, Artifact("", 0), cache=False) if _matches(patterns, around) else None


def _is_declared(context: CommandContext, path: ArtifactPath) -> bool:
    """Whether a stage declares a path, or a directory around it, as far as that is known without an import."""
    around = (path, *parents(path))
    named = set(_declared(context))
    return not named.isdisjoint(around) or _matches(filter(is_pattern, named), around)


def _declared(context: CommandContext) -> Iterator[ArtifactPath]:
    for stage in declarations.without_import(context).stages.values():
        yield from stage.spec.deps
        yield from (out.path for out in stage.spec.outs)


def _matches(patterns: Iterable[str], paths: Iterable[str]) -> bool:
    found = list(paths)
    return any(any(map(PathPattern(pattern).matcher(), found)) for pattern in patterns)
