"""`pivot get`: the bytes of an artifact at a revision of this or of another repository, outside of any record."""

import contextlib
import os
import pathlib
import posixpath
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO, Final

import attrs

from pivot_cache.errors import MissingObjectError, as_cache_errors
from pivot_cache.files import atomic
from pivot_cache.files.replace_check import ReplaceCheck
from pivot_cache.remotes.transfer import TransferCounts
from pivot_core.errors import DiscoveryError, PathError, list_names, suggest
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact
from pivot_core.progress import no_progress
from pivot_core.values import Value
from pivot_runtime.artifacts.records import Record
from pivot_runtime.artifacts.stores import Stores, open_stores
from pivot_runtime.comparing.revisions import Revisions
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import ConfigError, ContentError, OccupiedError, TargetError
from pivot_runtime.external.clones import Clones, locate
from pivot_runtime.external.repositories import ForeignRepository, records_of
from pivot_runtime.project.project import Project

_MOST: Final = 10


@attrs.frozen(eq=False, repr=False)
class Got(Value):
    """An artifact that was written.

    Attributes:
        path: Its path in the repository.
        artifact: The content.
        commit: The commit whose record named it; None for the current records of the project.
        target: The file or directory written; None for a stream.
    """

    path: str
    artifact: Artifact
    commit: str | None
    target: pathlib.Path | None


@attrs.frozen(eq=False, repr=False)
class Destination(Value):
    """Where the bytes go.

    Attributes:
        path: The file or directory; None for the name of the artifact in the directory of the command.
        stream: The stream for the bytes of a file instead.
        force: Whether to replace an existing file or directory.
        into: Whether the path is a directory for a file, even if nothing is there yet.
    """

    path: pathlib.Path | None = None
    stream: BinaryIO | None = None
    force: bool = False
    into: bool = False


def get(  # noqa: PLR0913  # the options of the command
    cwd: pathlib.Path,
    environment: Mapping[str, str],
    wanted: str,
    destination: Destination,
    *,
    rev: str | None = None,
    repository: str | None = None,
    progress: Callable[[TransferCounts], object] = no_progress,
) -> Got:
    """Write the recorded bytes of an artifact; no project changes, and none is needed to read another repository.

    Args:
        cwd: The directory of the command.
        environment: The environment variables.
        wanted: The path of an out or of tracked data, or a stage with one out.
        destination: Where the bytes go.
        rev: A revision; by default what is recorded now or, of another repository, at its default branch.
        repository: The URL or directory of another repository.
        progress: Called with the progress.

    Raises:
        TargetError: Nothing is recorded at the path.
        OccupiedError: The destination exists.
        RepositoryError: The other repository cannot be read.
        ContentError: The bytes are not available.
        ChangedError: Somebody has written to the destination meanwhile.
        CacheError: They cannot be fetched or written.
    """
    with contextlib.ExitStack() as stack:
        context, stores = stack.enter_context(_stores(cwd, environment, needs_project=repository is None))
        source: ForeignRepository | _Own
        if repository is not None:
            location = locate(repository, None, cwd)
            clones = stack.enter_context(Clones())
            source = stack.enter_context(ForeignRepository.opened(context, stores, clones, location, rev, wanted))
        else:
            source = _Own(context, stores, Revisions(context, stores, stack), rev)
        record = source.find(wanted)
        target, check = _target(cwd, destination, record, lambda: source.name_here(wanted, record)), ReplaceCheck()
        if target is not None:
            check.look(target)
        if record.cache:
            source.bring(record, progress)
            _write(stores, record.artifact, target, destination, check)
        else:
            _write_bytes(source.content(record), target, destination, check)
        return Got(source.path_of(record), record.artifact, source.commit, target)


class _Own:
    """The project of the command at a revision, in the shape of a `ForeignRepository`."""

    def __init__(self, context: CommandContext, stores: Stores, revisions: Revisions, rev: str | None) -> None:
        self._context = context
        self._stores = stores
        self._revisions = revisions
        self._revision = revisions.read(rev)
        self.commit = self._revision.commit

    def find(self, wanted: str) -> Record:
        project = self._context.project
        with contextlib.suppress(PathError):
            path = project.path(wanted.rstrip("/"))
            found = self._revisions.find(self._revision, ArtifactPath(path)) if path else None
            if found is not None:
                return found
        named = records_of(self._revision, wanted)
        if len(named) == 1:
            return named[0]
        if named:
            outs = list_names([project.from_cwd(each.path) for each in named], _MOST)
            raise TargetError(f"the stage {wanted} has several outs: {outs}", hint="name one of them")
        records = self._revision.records
        known = [*(project.from_cwd(path) for path in records.by_path), *(spec.name for spec in records.specs)]
        where = "" if self.commit is None else f" at {self._revision.name}"
        raise TargetError(
            f"nothing is recorded at {wanted!r}{where}",
            hint=suggest(wanted, known, most=3) or "name an out or tracked data: see 'pivot list'",
        )

    def bring(self, record: Record, progress: Callable[[TransferCounts], object]) -> None:
        if self._stores.store.has_all(record.artifact):
            return
        with contextlib.suppress(ConfigError):
            self._revisions.pull([record], progress)
        if not self._stores.store.has_all(record.artifact):
            raise ContentError(
                f"neither the cache nor a remote has {self.path_of(record)} as recorded",
                hint="'pivot push' where it was made shares it",
            )

    def content(self, record: Record) -> bytes:
        return self._revisions.content(self._revision, record).data

    def name_here(self, _wanted: str, record: Record) -> str:
        return posixpath.basename(record.path)

    def path_of(self, record: Record) -> str:
        return self._context.project.from_cwd(record.path)


@contextlib.contextmanager
def _stores(
    cwd: pathlib.Path, environment: Mapping[str, str], *, needs_project: bool
) -> Iterator[tuple[CommandContext, Stores]]:
    """The stores of the project around a directory, else stores that are removed at the end."""
    with contextlib.ExitStack() as stack:
        try:
            context = CommandContext.find(cwd, environment)
        except DiscoveryError:
            if needs_project:
                raise
            root = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pivot_get_")))
            context = CommandContext(Project(root, root), {})
        yield context, stack.enter_context(open_stores(context))


def _target(
    cwd: pathlib.Path, destination: Destination, record: Record, name_here: Callable[[], str]
) -> pathlib.Path | None:
    """The path to write to; ``name_here`` is called if the user has not named the file.

    Raises:
        OccupiedError: Something is there.
        TargetError: The user must choose the name, or a directory was to be written to a stream.
    """
    if destination.stream is not None:
        if record.artifact.tree:
            raise TargetError(f"{record.path} is a directory, which cannot be printed", hint="-o DIR writes it")
        return None
    target = cwd if destination.path is None else cwd / destination.path
    if destination.path is None or target.is_dir() or (destination.into and not record.artifact.tree):
        target = target / name_here()
    if os.path.lexists(target) and not destination.force:
        raise OccupiedError(
            f"{os.path.relpath(target, cwd)} exists", hint="--force replaces it, and -o FILE writes elsewhere"
        )
    return target


def _write(
    stores: Stores, artifact: Artifact, target: pathlib.Path | None, destination: Destination, check: ReplaceCheck
) -> None:
    if target is not None:
        stores.store.restore(artifact, target, check=check)
    elif destination.stream is not None:
        if not stores.store.verified(artifact.digest, artifact.size):
            raise MissingObjectError(artifact.digest)
        with open(stores.store.path_of(artifact.digest), "rb") as file:
            shutil.copyfileobj(file, destination.stream)


def _write_bytes(data: bytes, target: pathlib.Path | None, destination: Destination, check: ReplaceCheck) -> None:
    if target is not None:
        with as_cache_errors("write", target):
            target.parent.mkdir(parents=True, exist_ok=True)
            check(target)
            atomic.write_bytes(target, data)
    elif destination.stream is not None:
        destination.stream.write(data)
