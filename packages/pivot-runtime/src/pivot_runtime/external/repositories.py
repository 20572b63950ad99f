"""Another git repository at a commit: the artifacts that its records name, and their bytes.

The user's git fetches the commit into a private directory, which has no working tree: nothing of the repository runs.
Bytes come from the cache of the repository if that is on this machine, else from its remote, or from git itself.
"""

import contextlib
import pathlib
import posixpath
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import attrs

from pivot_cache.errors import CacheError
from pivot_cache.formats import pvt
from pivot_cache.layout import STAGES
from pivot_cache.remotes import transfer
from pivot_cache.remotes.transfer import TransferCounts, TransferSettings
from pivot_core.errors import PathError, PivotError, suggest
from pivot_core.files.paths import RESERVED_DIRS, STATE_DIR, ArtifactPath
from pivot_core.lock import Artifact
from pivot_core.progress import no_progress
from pivot_runtime.artifacts.records import Record
from pivot_runtime.artifacts.stores import Stores
from pivot_runtime.artifacts.trackable import WORKED_FROM, not_data
from pivot_runtime.comparing.revisions import Revision, Revisions
from pivot_runtime.config.settings import FILE, Settings, read_config, user_file
from pivot_runtime.context import CommandContext
from pivot_runtime.definitions.params_file import PARAMS_FILE
from pivot_runtime.errors import ConfigError, ContentError, RepositoryError, TargetError
from pivot_runtime.external.clones import Clones, RepositoryLocation
from pivot_runtime.external.local_cache import LocalCache
from pivot_runtime.git import calls
from pivot_runtime.git.commits import CommitReader
from pivot_runtime.project.project import Project

_CODE: Final = frozenset({".bat", ".ps1", ".pth", ".py", ".pyc", ".pyd", ".pyi", ".sh", ".so", pvt.SUFFIX})
_BUILD_FILES: Final = frozenset({"dockerfile", "gnumakefile", "justfile", "makefile", "snakefile"})
_SETTINGS: Final = frozenset({".cfg", ".ini", ".toml"})
"""Suffixes and names, in lower case, of files that programs work from, which therefore only the user names."""


class ForeignRepository:
    """Another repository at one commit; use `opened`.

    Attributes:
        location: Where it is.
        commit: The id of the commit.
    """

    def __init__(  # noqa: PLR0913  # its parts
        self,
        location: RepositoryLocation,
        commit: str,
        revisions: Revisions,
        revision: Revision,
        stores: Stores,
        *,
        inside: str,
        prefix: str,
        near: pathlib.Path | None,
    ) -> None:
        """Create the object: ``inside`` is the named directory in the repository, and ``prefix`` the project's root."""
        self.location = location
        self.commit = commit
        self._revisions = revisions
        self._revision = revision
        self._stores = stores
        self._inside = inside
        self._prefix = prefix
        self._near = near

    @classmethod
    @contextlib.contextmanager
    def opened(
        cls,
        context: CommandContext,
        stores: Stores,
        clones: Clones,
        location: RepositoryLocation,
        rev: str | None,
        wanted: str,
    ) -> Iterator["ForeignRepository"]:
        """The repository at a revision, or at its default branch.

        Args:
            context: The context of the command.
            stores: The stores that receive the bytes.
            clones: The clones of the command.
            location: Where it is.
            rev: A branch, a tag or a commit.
            wanted: The path of an artifact in the repository, whose project is looked for.

        Raises:
            RepositoryError: It cannot be read.
            RevisionError: It has no such revision.
        """
        with contextlib.ExitStack() as stack:
            clone, name = clones.fetch(location, rev)
            inside = _prefix_of(location)
            reader = stack.enter_context(CommitReader.opened(clone))
            commit = reader.commit(name)
            prefix = _project_around(reader, commit, inside, wanted)
            root = clone / prefix
            root.mkdir(parents=True, exist_ok=True)
            foreign = CommandContext(Project(root, root), context.environment, notices=context.notices)
            settings = _settings(reader, commit, prefix, root, context.environment)
            revisions = Revisions(foreign, attrs.evolve(stores, settings=settings), stack)
            try:
                revision = revisions.read(name)
            except CacheError as error:
                raise RepositoryError(f"{location.recorded}: {error}", hint=error.hint) from None
            near = _cache_of(location, inside, prefix, context.environment)
            yield cls(location, commit, revisions, revision, stores, inside=inside, prefix=prefix, near=near)

    def find(self, wanted: str) -> Record:
        """The artifact at a path of the repository, or the only out of a stage of that name or address.

        Raises:
            TargetError: There is none.
        """
        try:
            inner = posixpath.relpath(posixpath.join("/", self._inside, wanted), posixpath.join("/", self._prefix))
            record = self._revisions.find(self._revision, ArtifactPath.parse(inner))
        except (PathError, ContentError, CacheError):
            record = None
        if record is None:
            named = records_of(self._revision, wanted)
            if len(named) > 1:
                outs = ", ".join(self._outer(each.path) for each in named)
                raise TargetError(f"the stage {wanted} has several outs: {outs}", hint="name one of them")
            record = next(iter(named), None)
        if record is None:
            records = self._revision.records
            known = [*map(self._outer, records.by_path), *(spec.name for spec in records.specs)]
            hint = suggest(wanted, known, most=3) or "name a path that Pivot records there: an out, or tracked data"
            raise TargetError(
                f"{self.location.recorded} records nothing at {wanted!r} (commit {self.commit[:10]})", hint=hint
            )
        return record

    def name_here(self, wanted: str, record: Record) -> str:
        """The name that its artifact gets here; see the function `name_here`."""
        return name_here(wanted, record)

    def path_of(self, record: Record) -> str:
        """The path of an artifact in the repository."""
        return self._outer(record.path)

    def content(self, record: Record) -> bytes:
        """The bytes of a file that is in git.

        Raises:
            ContentError: They are not there, or too many.
        """
        return self._revisions.content(self._revision, record).data

    def bring(self, record: Record, progress: Callable[[TransferCounts], object] = no_progress) -> Artifact:
        """Store the bytes of an artifact, and return it; a file in git is stored as git has it.

        Raises:
            ContentError: Neither its cache nor its remote has them.
            CacheError: The remote refuses or fails, or the cache cannot be written.
        """
        store, artifact = self._stores.store, record.artifact
        if not record.cache:
            with store.temporary() as place:
                file = place / "content"
                file.write_bytes(self.content(record))
                return attrs.evolve(store.put(file), executable=artifact.executable)
        if self._near is not None and not store.has_all(artifact):
            options = TransferSettings(progress=progress)
            transfer.fetch([artifact], store, LocalCache(self._near), options)
        if not store.has_all(artifact):
            self._pull(record, progress)
        if not store.has_all(artifact):
            raise self._lacking(record, "its remote does not have it")
        self._check_names(record)
        return artifact

    def _check_names(self, record: Record) -> None:
        name = not_data(self._stores.store.tree(record.artifact).files) if record.artifact.tree else None
        if name is not None:
            raise ContentError(
                f"{self.location.recorded}: {self._outer(record.path)} contains {name}, which is not data",
                hint=f"'pivot track' refuses such directories; import single files of it: {record.path}/FILE",
            )

    def _pull(self, record: Record, progress: Callable[[TransferCounts], object]) -> None:
        try:
            self._revisions.pull([record], progress)
        except ConfigError:
            raise self._lacking(record, "it configures no remote") from None

    def _lacking(self, record: Record, why: str) -> ContentError:
        cache = "" if self._near is None else "its cache does not have it, and "
        return ContentError(
            f"{self.location.recorded}: the content of {self._outer(record.path)} cannot be fetched: {cache}{why}",
            hint="'pivot push' there shares it",
        )

    def _outer(self, path: str) -> str:
        return posixpath.relpath(posixpath.join("/", self._prefix, path), posixpath.join("/", self._inside))


def _prefix_of(location: RepositoryLocation) -> str:
    """The directory in its repository that a location names; empty for a URL."""
    if location.directory is None:
        return ""
    done = calls.run(location.directory, "rev-parse", "--show-prefix")
    if done.returncode:
        raise RepositoryError(
            f"{location.recorded} is not in a git repository", hint="name the directory of a repository, or its URL"
        )
    return done.stdout.decode(errors="surrogateescape").strip("\n").rstrip("/")


def _project_around(reader: CommitReader, commit: str, inside: str, wanted: str) -> str:
    """The root of the project that a path is in: the top-most directory above it that has a ``.pivot``."""
    parts = [*filter(None, inside.split("/")), *wanted.removeprefix("./").split("/")[:-1]]
    if ".." in parts:
        return inside
    for length in range(len(parts) + 1):
        prefix = "/".join(parts[:length])
        state = f"{prefix}/{STATE_DIR}" if prefix else STATE_DIR
        if reader.names(commit, state) or reader.names(commit, f"{state}/{STAGES}"):
            return prefix
    return inside


def _settings(
    reader: CommitReader, commit: str, prefix: str, root: pathlib.Path, environment: Mapping[str, str]
) -> Settings:
    """The settings of the project at the commit, with those of the user, but not those for the user's own project."""
    name = f"{STATE_DIR}/{FILE}"
    data = reader.read(commit, f"{prefix}/{name}" if prefix else name)
    file = root / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(data or b"")
    return read_config(file, user_file(environment), _without_ours(environment)).settings()


def _without_ours(environment: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in environment.items() if not key.startswith("PIVOT_")}


def _cache_of(
    location: RepositoryLocation, inside: str, prefix: str, environment: Mapping[str, str]
) -> pathlib.Path | None:
    """The objects of a project on this machine."""
    if location.directory is None:
        return None
    top = location.directory
    for _ in filter(None, inside.split("/")):
        top = top.parent
    with contextlib.suppress(PivotError):
        return CommandContext.find(top / prefix, _without_ours(environment)).cache_layout.objects_dir
    return None


def name_here(wanted: str, record: Record) -> str:
    """The name for an artifact of another repository, which chooses it if the user has named a stage.

    Raises:
        TargetError: Git, Pivot or other programs work from files of that name, and the user has not named it.
    """
    name = posixpath.basename(record.path)
    folded = name.casefold()
    stem, suffix = posixpath.splitext(folded)
    special = name.startswith(".") or suffix in _CODE | _SETTINGS or folded in WORKED_FROM | _BUILD_FILES
    special |= folded == PARAMS_FILE or (stem.startswith("requirements") and suffix == ".txt")
    typed = posixpath.basename(wanted.rstrip("/")) == name
    if folded in RESERVED_DIRS or (special and not typed):
        raise TargetError(
            f"that repository has {record.path} for {wanted!r}, and programs work from files named {name!r}",
            hint="-o FILE chooses another name",
        )
    return name


def records_of(revision: Revision, stage: str) -> list[Record]:
    """The outs of the stage with a name or an address at a revision."""
    return [
        record
        for record in revision.records.by_path.values()
        if record.address is not None and stage in (record.address, record.address.partition(".")[2])
    ]
