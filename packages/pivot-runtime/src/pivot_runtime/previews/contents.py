"""Where the content of an artifact is: a file of the workspace, an object of the cache, bytes of git, or not here."""

import contextlib
import errno
import io
import os
import pathlib
import shlex
import stat
from collections.abc import Iterator
from typing import BinaryIO, Final

import attrs

from pivot_cache.files import safe_read
from pivot_cache.formats.tree import Tree
from pivot_core.files.digest import digest_bytes
from pivot_core.files.paths import RESERVED_DIRS, ArtifactPath, below
from pivot_core.values import Value
from pivot_runtime.artifacts.records import Record
from pivot_runtime.comparing.revisions import WORKSPACE, Revisions
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import ContentError
from pivot_runtime.previews.known_artifacts import RECORDED, KnownArtifact, unknown

MOST_WHOLE: Final = 1 << 26
"""The bytes of the largest file that is read as a whole: from git, or to compare it with its record."""

_ABSENT: Final = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)


@attrs.frozen(eq=False, repr=False)
class FileContent(Value):
    """The content of a file.

    Attributes:
        size: The number of bytes.
        digest: The digest, as far as it is known without reading it.
        file: The file with the bytes; None if they are in ``data``.
        data: The bytes; None if they are in a file.
        identity: The device and the inode of the file that was found; None if it may be replaced meanwhile.
    """

    size: int
    digest: str | None = None
    file: pathlib.Path | None = None
    data: bytes | None = attrs.field(default=None, repr=False)
    identity: tuple[int, int] | None = None

    @contextlib.contextmanager
    def opened(self) -> Iterator[BinaryIO]:
        """Open it for reading within the block; never blocks.

        Raises:
            OSError: It cannot be read, is no regular file any more, or is not the file that was found.
        """
        if self.file is None:
            yield io.BytesIO(self.data or b"")
            return
        with safe_read.open_regular(self.file) as stream:
            if self.identity is not None:
                _check_identity(stream.fileno(), self.identity, self.file)
            yield stream


@attrs.frozen(eq=False, repr=False)
class WorkspaceDirectory(Value):
    """A directory in the workspace.

    Attributes:
        directory: Its absolute path, without symbolic links.
        identity: The device and the inode of the directory that was found.
        digest: Its digest; None if it is unknown.
    """

    directory: str
    identity: tuple[int, int]
    digest: str | None = None

    @contextlib.contextmanager
    def opened(self) -> Iterator[int]:
        """Open it within the block, as a descriptor.

        Raises:
            OSError: It cannot be read, or is not the directory that was found.
        """
        descriptor = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _check_identity(descriptor, self.identity, self.directory)
            yield descriptor
        finally:
            os.close(descriptor)


@attrs.frozen(eq=False, repr=False)
class RecordedDirectory(Value):
    """A directory as a run recorded it, or one in it.

    Attributes:
        tree: The listing.
        inside: The path in the recorded directory; ``""`` for this itself.
        digest: The digest of the listing; None for a directory in it.
        size: The bytes of all files in the listing.
    """

    tree: Tree
    inside: str
    digest: str | None
    size: int


@attrs.frozen(eq=False, repr=False)
class AbsentContent(Value):
    """Content that is not on this side.

    Attributes:
        where: ``cache``; ``remote``, if the cache does not have it and the remote may; ``outside`` the project, where a
            symbolic link leads; or ``nowhere``.
        command: The command that brings it; None if there is none.
        problem: Why it is not here; empty if there is nothing to say.
        size: The recorded size; None if it is unknown.
        digest: The recorded digest; None if it is unknown.
    """

    where: str
    command: str | None = None
    problem: str = ""
    size: int | None = None
    digest: str | None = None


type Content = FileContent | WorkspaceDirectory | RecordedDirectory | AbsentContent


def find(context: CommandContext, revisions: Revisions, known: KnownArtifact) -> Content:
    """The content of an artifact on its side.

    Raises:
        UnknownArtifactError: The path is in a directory or a file that does not contain it.
        OSError: It cannot be read, or is neither a file nor a directory.
        PivotError: Git or the cache fails.
    """
    if known.side == WORKSPACE:
        return _in_workspace(context, revisions, known)
    if known.record is None:
        return AbsentContent("nowhere", problem=f"no run has recorded {known.path}")
    try:
        if known.record.cache:
            return _in_cache(revisions, known, known.record)
        if known.side == RECORDED:
            return _unchanged(context, revisions, known, known.record)
        return _in_git(revisions, known, known.record)
    except ContentError as error:
        return attrs.evolve(_elsewhere(context, known, known.record), problem=str(error))


def _in_workspace(context: CommandContext, revisions: Revisions, known: KnownArtifact) -> Content:
    place = os.path.realpath(revisions.workspace_path(known.path))
    if not _may_be_read(context, place):
        return AbsentContent("outside", problem="a symbolic link leads out of the project, and is not followed here")
    try:
        status = os.lstat(place)
    except OSError as error:
        if error.errno not in _ABSENT:
            raise
        return _not_in_workspace(context, revisions, known)
    if not stat.S_ISDIR(status.st_mode) and not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is neither a file nor a directory", known.path)
    if os.path.realpath(place) != place:
        raise OSError(errno.EAGAIN, "it was replaced meanwhile", known.path)
    if stat.S_ISDIR(status.st_mode):
        return WorkspaceDirectory(place, _identity(status))
    return FileContent(status.st_size, file=pathlib.Path(place), identity=_identity(status))


def _check_identity(descriptor: int, identity: tuple[int, int], name: os.PathLike[str] | str) -> None:
    """Raise an error if what was opened is not what was found: a link may have taken its place."""
    if _identity(os.fstat(descriptor)) != identity:
        raise OSError(errno.EAGAIN, "it was replaced meanwhile", os.fspath(name))


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _may_be_read(context: CommandContext, place: str) -> bool:
    """Whether a path without symbolic links is an object of the cache, or in the project and not of Pivot or git."""
    if below(place, os.path.realpath(context.cache_layout.objects_dir)) is not None:
        return True
    inside = below(place, os.path.realpath(context.project.root))
    return inside is not None and RESERVED_DIRS.isdisjoint(inside.split("/"))


def _not_in_workspace(context: CommandContext, revisions: Revisions, known: KnownArtifact) -> AbsentContent:
    record = known.record
    if record is not None and known.inside and not (record.artifact.tree and record.cache):
        raise unknown(known.path)
    if record is None or known.source:
        return AbsentContent("nowhere")
    name = shlex.quote(context.project.from_cwd(record.path))
    try:
        if record.cache:
            found = _in_cache(revisions, known, record)
            if not isinstance(found, AbsentContent):
                return AbsentContent("cache", f"pivot checkout {name}", size=found.size, digest=found.digest)
    except ContentError:
        pass
    return _elsewhere(context, known, record)


def _elsewhere(context: CommandContext, known: KnownArtifact, record: Record) -> AbsentContent:
    """Where the recorded content may be that is neither in the workspace nor in the cache."""
    size, digest = (None, None) if known.inside else (record.artifact.size, record.artifact.digest or None)
    name = shlex.quote(context.project.from_cwd(record.path))
    if record.cache and context.settings.remotes:
        fetched = None if known.revision.results is not None else f"pivot get {name} --rev {shlex.quote(known.side)}"
        command = {WORKSPACE: f"pivot pull {name}", RECORDED: f"pivot fetch {name}"}.get(known.side, fetched)
        return AbsentContent("remote", command, size=size, digest=digest)
    runs = known.revision.is_workspace and record.address is not None
    return AbsentContent(
        "nowhere", f"pivot repro {shlex.quote(record.address or '')}" if runs else None, size=size, digest=digest
    )


def _in_cache(revisions: Revisions, known: KnownArtifact, record: Record) -> FileContent | RecordedDirectory:
    if record.artifact.tree:
        found = _in_tree(known, revisions.listing(record), record)
        if isinstance(found, RecordedDirectory):
            return found
        record = found
    elif known.inside:
        raise unknown(known.path)
    return FileContent(record.artifact.size, record.artifact.digest, revisions.object_file(record))


def _in_tree(known: KnownArtifact, tree: Tree, record: Record) -> RecordedDirectory | Record:
    """The directory that is shown, or the record of the file in it."""
    file = tree.files.get(known.inside)
    if file is not None:
        return attrs.evolve(record, path=known.path, artifact=file)
    if known.inside and not _has_directory(tree, known.inside):
        raise unknown(known.path)
    digest = None if known.inside else record.artifact.digest
    return RecordedDirectory(tree, known.inside, digest, record.artifact.size)


def _has_directory(tree: Tree, path: str) -> bool:
    lead = f"{path}/"
    return any(each == path or each.startswith(lead) for each in (*tree.files, *tree.empty))


def _in_git(revisions: Revisions, known: KnownArtifact, record: Record) -> FileContent | RecordedDirectory:
    if record.artifact.tree:
        if record.artifact.size > MOST_WHOLE:
            raise ContentError(f"it is a directory of more than {MOST_WHOLE >> 20} MiB in git, which is not read")
        found = _in_tree(known, revisions.tree(known.revision, record), record)
        if isinstance(found, RecordedDirectory):
            return found
        record = found
    elif known.inside:
        raise unknown(known.path)
    elif not record.artifact.digest and known.revision.results is not None:
        raise ContentError("the run has not recorded which files matched")
    data = revisions.content(known.revision, record, MOST_WHOLE).data
    return FileContent(len(data), digest_bytes(data), data=data)


def _unchanged(context: CommandContext, revisions: Revisions, known: KnownArtifact, record: Record) -> Content:
    """The content that the cache does not store: that of the workspace, if it is as recorded."""
    if not record.artifact.digest or record.artifact.size > MOST_WHOLE:
        raise ContentError("the cache does not store it, and it is not compared with its record")
    if not _may_be_read(context, os.path.realpath(revisions.workspace_path(record.path))):
        raise ContentError("a symbolic link leads out of the project, and is not followed here")
    if revisions.look(ArtifactPath(record.path)) != record.artifact:
        raise ContentError("the cache does not store it, and the workspace has other content")
    found = _in_workspace(context, revisions, known)
    return found if known.inside else attrs.evolve(found, digest=record.artifact.digest)
