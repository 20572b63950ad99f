"""Revisions: the outs and parameters that lock files of a commit, a run or the workspace record, and the bytes of outs.

Bytes of outs that are cached come from the object store, those of others from git, and those of the workspace from its
files; nothing is checked out. Bytes from the store are always those that the lock names. Others may have been edited
since the run: then they are returned as they are, and marked.
"""

import contextlib
import os
import pathlib
import shlex
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, Self

import attrs

from pivot_cache.errors import (
    ArtifactError,
    CacheError,
    CorruptObjectError,
    LockFileError,
    MissingObjectError,
    NewerFormatError,
)
from pivot_cache.files import safe_read
from pivot_cache.formats import lock_file, pvt
from pivot_cache.formats.tree import Tree
from pivot_cache.layout import LOCK_SUFFIX, STAGES, lock_name
from pivot_cache.remotes.transfer import TransferCounts
from pivot_cache.state.results import Results
from pivot_core.errors import PivotError
from pivot_core.files.digest import digest_bytes
from pivot_core.files.paths import STATE_DIR, ArtifactPath, parents
from pivot_core.lock import Artifact, StageLock
from pivot_core.progress import no_progress
from pivot_core.values import Value
from pivot_runtime.artifacts import records
from pivot_runtime.artifacts.records import Record, Records
from pivot_runtime.artifacts.stores import Stores, open_stores
from pivot_runtime.context import CommandContext, Notice
from pivot_runtime.errors import ContentError, RevisionError
from pivot_runtime.git.commits import CommitReader
from pivot_runtime.history import recorded_runs

WORKSPACE: Final = "workspace"
"""The name under which the workspace is displayed."""
MOST_BYTES: Final = 1 << 26
"""The default limit of `Revisions.content`."""


@attrs.frozen(eq=False, repr=False)
class Revision(Value):
    """The locks of a commit, a run or the workspace, and the outs in them.

    Attributes:
        name: The name by which the user called it, or `WORKSPACE`.
        commit: The id of the commit; None for the workspace, and ``""`` for a run.
        locks: The locks by address.
        records: The outs in them; tracked data are found by `Revisions.find`.
        results: For a run, what has those of its outs that the cache does not store; else None.
    """

    name: str
    commit: str | None
    locks: Mapping[str, StageLock]
    records: Records
    results: Results | None = None

    @property
    def is_workspace(self) -> bool:
        """Whether it is the workspace."""
        return self.commit is None


@attrs.frozen(eq=False, repr=False)
class Content(Value):
    """The bytes of an out at a revision.

    Attributes:
        data: The bytes.
        edited: Whether they are not those that the lock records: somebody edited them after the run.
    """

    data: bytes
    edited: bool = False


class Revisions:
    """The revisions of a project, and the bytes that they record; use `opened`."""

    def __init__(self, context: CommandContext, stores: Stores, stack: contextlib.ExitStack) -> None:
        """Create the object."""
        self._context = context
        self._stores = stores
        self._stack = stack
        self._git: CommitReader | None = None

    @classmethod
    @contextlib.contextmanager
    def opened(cls, context: CommandContext) -> Iterator[Self]:
        """The revisions of the project of a command; git is started when it is needed.

        Raises:
            ConfigError: The configuration is invalid.
        """
        with contextlib.ExitStack() as stack:
            stores = stack.enter_context(open_stores(context))
            yield cls(context, stores, stack)

    def read(self, name: str | None) -> Revision:
        """The locks of a revision: a commit, a run with a recorded result (``run:12``), or for None the workspace.

        Damaged lock files are skipped with a notice.

        Raises:
            GitSetupError: The project is not in a git repository.
            RevisionError: There is no such commit, or no result of the run.
            HistoryError: There is no such run.
            NewerFormatError: A lock file requires a newer Pivot.
            GitError: Git failed.
        """
        if name is None:
            locks = records.read_locks(self._context)
            return Revision(WORKSPACE, None, locks, records.of_locks(self._context, locks))
        number = recorded_runs.number_of(name)
        if number is not None:
            results = Results(self._stores.layout.results_dir)
            locks = dict(self._locks_of_run(name, number, results))
            return Revision(name, "", locks, records.of_locks(self._context, locks), results)
        commit = self._reader.commit(name)
        locks = dict(self._locks(name, commit))
        return Revision(name, commit, locks, records.of_locks(self._context, locks))

    def read_all(self, names: Iterable[str | None]) -> list[Revision]:
        """The locks of several revisions, for a command whose targets are given with ``-t``.

        Raises:
            PivotError: As of `read`.
        """
        found = []
        for name in names:
            try:
                found.append(self.read(name))
            except RevisionError as error:
                here = records.read(self._context)
                try:
                    here.select([name or ""], self._context.project)
                except PivotError:
                    raise error from None
                raise RevisionError(str(error), hint=f"-t {shlex.quote(name or '')} selects a stage or path") from None
        return found

    def find(self, revision: Revision, path: ArtifactPath) -> Record | None:
        """The out or the tracked data at a path of the project; None if nothing is recorded there.

        A path inside a recorded directory is found if the listing of the directory is in the cache.

        Raises:
            CacheError: A ``.pvt`` file is damaged.
            ContentError: The path is in a recorded directory whose listing is not in the cache.
        """
        record = self.around(revision, path)
        if record is None or record.path == path:
            return record
        if not record.artifact.tree:
            return None
        file = self.listing(record).files.get(path.removeprefix(f"{record.path}/"))
        return None if file is None else attrs.evolve(record, path=path, artifact=file)

    def around(self, revision: Revision, path: ArtifactPath) -> Record | None:
        """The out or the tracked data at a path of the project or around it, the nearest; None if none is recorded.

        Raises:
            CacheError: A ``.pvt`` file is damaged.
        """
        for at in (path, *parents(path)):
            record = revision.records.by_path.get(at) or self._tracked(revision, at)
            if record is not None:
                return record
        return None

    def content(self, revision: Revision, record: Record, most: int = MOST_BYTES) -> Content:
        """The bytes of a file at a revision.

        Raises:
            ContentError: They are not available, or more than ``most``.
        """
        found = self._small(revision, record, most)
        if found is None:
            if record.cache:
                with open(self.object_file(record), "rb") as file:
                    return Content(file.read())
            if revision.is_workspace:
                raise self._missing(record)
            if revision.results is not None:
                raise self._not_kept(revision, record)
            raise ContentError(
                f"git does not have {self._shown(record)} at {revision.name}",
                hint="add it to git: the cache does not store it",
            )
        return Content(found, edited=digest_bytes(found) != record.artifact.digest)

    def workspace_file(self, record: Record) -> pathlib.Path | None:
        """The path of an out or of tracked data in the workspace; None if nothing is there."""
        path = self.workspace_path(record.path)
        return path if os.path.exists(path) else None

    def workspace_path(self, path: ArtifactPath) -> pathlib.Path:
        """The absolute path in the workspace."""
        return self._stores.layout.artifact(path)

    def workspace_tree(self, path: ArtifactPath) -> Tree:
        """The current contents of a directory in the workspace.

        Raises:
            ArtifactError: It contains something that cannot be an artifact.
        """
        return self._stores.files.tree(self._stores.layout.artifact(path))

    def object_file(self, record: Record) -> pathlib.Path:
        """The file in the object store with the bytes of a cached file, verified.

        Raises:
            ContentError: The cache does not have it.
        """
        store, artifact = self._stores.store, record.artifact
        if not (store.exists(artifact.digest) and store.verified(artifact.digest, artifact.size)):
            raise self._not_cached(record)
        return store.path_of(artifact.digest)

    def listing(self, record: Record) -> Tree:
        """The recorded contents of a directory.

        Raises:
            ContentError: The cache does not have the listing.
        """
        try:
            return self._stores.store.tree(record.artifact)
        except (MissingObjectError, CorruptObjectError):
            raise self._not_cached(record) from None

    def tree(self, revision: Revision, record: Record) -> Tree:
        """The contents of a directory at a revision: as recorded, or, without the listing, as the files there are.

        Raises:
            ContentError: They are unknown.
        """
        try:
            return self.listing(record)
        except ContentError:
            if revision.commit is None and self.workspace_path(record.path).is_dir():
                try:
                    return self.workspace_tree(record.path)
                except ArtifactError as error:
                    raise ContentError(str(error), hint=error.hint) from None
            if record.cache:
                raise
            if revision.commit is None:
                raise self._missing(record) from None
            if revision.results is not None:
                raise self._not_kept(revision, record) from None
            data = {
                name: self._reader.read(revision.commit, f"{record.path}/{name}") or b""
                for name in self._reader.below(revision.commit, record.path)
            }
            return Tree({name: Artifact(digest_bytes(each), len(each)) for name, each in data.items()})

    def look(self, path: ArtifactPath) -> Artifact | None:
        """The artifact in the workspace at a path; None if nothing is there."""
        return self._stores.look(path)

    def pull(self, wanted: Iterable[Record], progress: Callable[[TransferCounts], object] = no_progress) -> None:
        """Fetch the objects that the cache lacks of some artifacts from the default remote, as far as that has it.

        Raises:
            ConfigError: No remote is configured.
            CacheError: The remote refuses or fails.
        """
        lacking = [each.artifact for each in wanted if each.cache and not self._stores.store.has_all(each.artifact)]
        if lacking:
            from pivot_runtime.sharing.remote_client import RemoteClient  # lazy

            stopped = RemoteClient(self._stores).fetch(lacking, progress).stopped
            if stopped is not None:
                raise stopped

    def pull_listings(self, wanted: Iterable[Record]) -> None:
        """Fetch the listings of directories that the cache lacks, and none of their files, as `pull`."""
        store = self._stores.store
        lacking = [each.artifact for each in wanted if each.cache and not store.exists(each.artifact.digest)]
        if lacking:
            from pivot_runtime.sharing.remote_client import RemoteClient  # lazy

            RemoteClient(self._stores).fetch_listings(lacking)

    @property
    def _reader(self) -> CommitReader:
        if self._git is None:
            self._git = self._stack.enter_context(CommitReader.opened(self._context.project.root))
        return self._git

    def _locks(self, name: str, commit: str) -> Iterator[tuple[str, StageLock]]:
        for file in self._reader.names(commit, f"{STATE_DIR}/{STAGES}"):
            if file.endswith(LOCK_SUFFIX):
                address = file.removesuffix(LOCK_SUFFIX)
                data = self._reader.read(commit, lock_name(address))
                if data:
                    yield from self._parsed(name, address, data)

    def _locks_of_run(self, name: str, number: int, results: Results) -> Iterator[tuple[str, StageLock]]:
        result = recorded_runs.read_result(self._context.project, self._stores.layout, number)
        for address, stage in result.stages.items():
            yield from self._parsed(name, address, results.text(stage.lock) or b"")

    def _parsed(self, name: str, address: str, data: bytes) -> Iterator[tuple[str, StageLock]]:
        """A lock file of a revision; none if it is damaged, which is reported."""
        try:
            yield address, lock_file.parse(data, f"{lock_name(address)} at {name}")
        except NewerFormatError:
            raise
        except LockFileError as error:
            text = f"{lock_name(address)} at {name} is damaged, so its stage is left out: {error.problem}"
            self._context.notices.add(Notice(text))

    def _tracked(self, revision: Revision, path: ArtifactPath) -> Record | None:
        if revision.results is not None:
            return None
        name = f"{path}{pvt.SUFFIX}"
        try:
            if revision.commit is None:
                data: bytes | None = safe_read.read_regular(self._context.project.root / name)
            else:
                data = self._reader.read(revision.commit, name)
            return None if data is None else Record(path, pvt.loads(data, f"{name} at {revision.name}"))
        except (OSError, pvt.ForeignFileError):
            return None

    def _small(self, revision: Revision, record: Record, most: int) -> bytes | None:
        """The bytes in the workspace or in git; None if they are not there."""
        artifact = record.artifact
        if artifact.tree:
            raise ContentError(f"{self._shown(record)} is a directory")
        if revision.commit is not None:
            self._check_size(record, artifact.size, most)
            if revision.results is not None:
                return None if record.cache else revision.results.text(artifact.digest)
            return None if record.cache else self._reader.read(revision.commit, record.path)
        file = self._stores.layout.artifact(record.path)
        try:
            status = os.stat(file)
            self._check_size(record, status.st_size if stat.S_ISREG(status.st_mode) else 0, most)
            return safe_read.read_regular(file)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ContentError(f"{self._shown(record)} cannot be read: {error.strerror or error}") from None

    def _check_size(self, record: Record, size: int, most: int) -> None:
        if size > most:
            raise ContentError(f"{self._shown(record)} is too large: it has {size} bytes, and at most {most} are read")

    def _missing(self, record: Record) -> ContentError:
        return ContentError(f"{self._shown(record)} is missing", hint="'pivot repro' writes it")

    def _not_kept(self, revision: Revision, record: Record) -> ContentError:
        return ContentError(
            f"{self._shown(record)} of {revision.name} was not kept",
            hint="the cache keeps what is declared to be cached, and results small files besides",
        )

    def _not_cached(self, record: Record) -> CacheError | ContentError:
        return ContentError(
            f"the cache does not have the recorded content of {self._shown(record)}",
            hint="--pull fetches it from the remote",
        )

    def _shown(self, record: Record) -> str:
        return self._context.project.from_cwd(record.path)
