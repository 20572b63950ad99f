"""`pivot push` and `pivot fetch`: what lock files and `.pvt` files name, to a remote and from it; imports no code."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager

import attrs

from pivot_cache.errors import CacheError, CorruptObjectError, MissingObjectError
from pivot_cache.formats.tree import Tree
from pivot_cache.objects.store import ObjectStore
from pivot_cache.remotes import transfer
from pivot_cache.remotes.options import Options, Outcome, Progress
from pivot_cache.remotes.protocol import Remote, RemoteSettings, connect
from pivot_cache.state.known_objects import KnownObjects
from pivot_core.lock import Artifact, RunRecord
from pivot_core.paths import ArtifactPath
from pivot_core.values import Value
from pivot_runtime.artifacts import lock_files, records
from pivot_runtime.artifacts.records import Opened, Record
from pivot_runtime.cache.stores import Stores, open_stores
from pivot_runtime.project.project import Project


def _unseen(_: Progress) -> None:
    """The progress that nobody sees."""


@attrs.frozen(eq=False, repr=False)
class TransferOptions(Value):
    """How a transfer is done.

    Attributes:
        remote: The name of the remote; None for the usual one.
        jobs: The most transfers at once; None for what is configured.
        dry_run: Find out what would be moved, and move nothing but listings.
        refresh: Ask the remote about everything, also what is known of it.
        all_objects: Of a push: all objects of the cache, not only what is recorded.
        progress: Told how far it is.
    """

    remote: str | None = None
    jobs: int | None = None
    dry_run: bool = False
    refresh: bool = False
    all_objects: bool = False
    progress: Callable[[Progress], object] = _unseen


@attrs.frozen(eq=False, repr=False)
class TransferReport(Value):
    """The outcome of the objects that artifacts consist of.

    Attributes:
        remote: The remote's name.
        outcome: By object.
        failed: Artifacts of which something could not be moved, and why.
        missing: Artifacts of which something is not where it should come from.
        runs: How many run records were shared, or taken.
        planned: Of a dry run: artifacts of which something would be moved, and how many bytes.
    """

    remote: str
    outcome: Outcome
    failed: dict[str, CacheError]
    missing: tuple[str, ...]
    runs: int = 0
    planned: Mapping[str, int] = attrs.field(factory=dict)

    @property
    def complete(self) -> bool:
        """Everything is where it should be."""
        return not (self.outcome.failed or self.outcome.missing or self.outcome.stopped)


def push(project: Project, targets: Iterable[str] = (), wishes: TransferOptions | None = None) -> TransferReport:
    """Bring to a remote what it lacks of the targets; of all that is recorded if there are none.

    Raises:
        ConfigError: No remote is configured, or none of that name, or it is only read.
        TargetError: A target is not known.
        CacheError: A record cannot be read.
    """
    wishes = wishes or TransferOptions()
    with open_stores(project) as stores:
        selected = _selected(project, targets, lambda _: None)
        if wishes.all_objects:
            selected = list(_everything(stores.store))
        name, remote = remote_of(stores, wishes.remote, wishes.jobs)
        stores.settings.check_writable(name)
        outcome = transfer.push(_artifacts(selected), stores.store, remote, options(stores, wishes))
        moved = _moved(name, outcome, selected, stores.store, dry_run=wishes.dry_run and not wishes.all_objects)
        if not stores.settings.share_runs or wishes.dry_run or outcome.stopped is not None:
            return moved
        return attrs.evolve(moved, runs=_share(project, stores, wishes, selected, {*moved.failed, *moved.missing}))


def _share(
    project: Project, stores: Stores, wishes: TransferOptions, selected: Collection[Record], lacking: set[str]
) -> int:
    """Tell others which inputs gave what was pushed: of each stage whose outs the remote has now, all of them."""
    from pivot_cache.remotes import shared_runs  # noqa: PLC0415  # start-up time: seldom is it wanted

    found = []
    pushed = {record.path for record in selected}
    for address in sorted({record.address for record in selected if record.address is not None}):
        lock = lock_files.read(project, address)
        if lock is None or lock.accepted or not lacking.isdisjoint(lock.outs) or not lock.outs.keys() <= pushed:
            continue
        if all(out.cache and not out.incremental for out in lock.inputs.outs):
            inputs = attrs.evolve(lock.inputs, packages=stores.settings.counted(lock.libraries))
            found.append(RunRecord(inputs.key(), lock.outs, inputs.observed))
    _, remote = remote_of(stores, wishes.remote, wishes.jobs)
    return shared_runs.share(found, remote, options(stores, wishes))


def fetch(
    project: Project, targets: Iterable[str] = (), wishes: TransferOptions | None = None, more: Iterable[Record] = ()
) -> TransferReport:
    """Bring from a remote into the cache what that lacks of the targets; of all that is recorded if there are none.

    Args:
        project: Where.
        targets: What.
        wishes: How.
        more: Other artifacts to bring.

    Raises:
        ConfigError: No remote is configured, or none of that name.
        TargetError: A target is not known.
        CacheError: A record cannot be read.
    """
    wishes = wishes or TransferOptions()
    with open_stores(project) as stores:
        name, remote = remote_of(stores, wishes.remote, wishes.jobs)

        def opened(record: Record) -> Tree | None:
            if record.artifact.sha256:
                return None  # only the whole of it can be told apart from a forgery
            if not stores.store.has(record.artifact.digest):
                bring_from(remote, [record.artifact], stores, wishes)
            try:
                return stores.store.tree(record.artifact)
            except (MissingObjectError, CorruptObjectError):
                return None

        selected = [*_selected(project, targets, opened), *more]
        outcome = transfer.fetch(_artifacts(selected), stores.store, remote, options(stores, wishes))
        return _moved(name, outcome, selected, stores.store, dry_run=wishes.dry_run)


def shares_runs(project: Project) -> bool:
    """Whether results of others count.

    Raises:
        ConfigError: The configuration is wrong.
    """
    with open_stores(project) as stores:
        return stores.settings.share_runs


@contextmanager
def asking(project: Project, name: str | None = None) -> Iterator[Callable[[Collection[Artifact]], set[Artifact]]]:
    """A question to a remote: which of some artifacts does it not have in full now, whatever was known of it before?

    Raises:
        ConfigError: No remote is configured, or none of that name.
    """
    with open_stores(project) as stores:
        _, remote = remote_of(stores, name)

        yield lambda artifacts: absent_now(artifacts, stores, remote)


def absent_now(artifacts: Collection[Artifact], stores: Stores, remote: Remote) -> set[Artifact]:
    """The artifacts that a remote does not have in full, whatever was known of it before.

    Raises:
        RemoteError: It cannot tell.
    """
    usual = options(stores, TransferOptions())
    absent = transfer.absent(artifacts, stores.store, remote, attrs.evolve(usual, known=None))
    if usual.known is not None and absent:
        usual.known.forget(remote.identity)  # whoever looks after it pushes then, and believes nothing
    return set(absent)


def bring_listings(project: Project, artifacts: Collection[Artifact]) -> None:
    """Bring what is known of directories from the default remote, and no file of them; what it lacks, it lacks.

    Raises:
        ConfigError: No remote is configured.
        CacheError: The remote as a whole refuses or fails.
    """
    with open_stores(project) as stores:
        _, remote = remote_of(stores, None)
        bring_from(remote, artifacts, stores)


def bring_from(
    remote: Remote, artifacts: Collection[Artifact], stores: Stores, wishes: TransferOptions | None = None
) -> None:
    """As `bring_listings`, from this remote.

    Raises:
        CacheError: The remote as a whole refuses or fails: what else it is asked for would wait as long.
    """
    looking = attrs.evolve(wishes or TransferOptions(), dry_run=True)
    stopped = transfer.fetch(artifacts, stores.store, remote, options(stores, looking)).stopped
    if stopped is not None:
        raise stopped


def fetching(
    project: Project, progress: Callable[[Progress], object] = _unseen
) -> Callable[[Collection[Artifact]], CacheError | None] | None:
    """The function that fetches artifacts which the default remote has into the cache; None without a remote.

    It returns why the remote as a whole refuses or fails, if it does.
    """

    def bring(artifacts: Collection[Artifact]) -> CacheError | None:
        with open_stores(project) as stores:
            _, remote = remote_of(stores, None)
            return transfer.fetch(
                artifacts, stores.store, remote, options(stores, TransferOptions(progress=progress))
            ).stopped

    return bring if _has_usual(project) else None


def elsewhere(project: Project) -> Callable[[Collection[str]], set[str]] | None:
    """A function that reports which objects the default remote has now; None if there is none.

    Raises:
        RemoteError: When called: the remote cannot tell.
    """

    def there(digests: Collection[str]) -> set[str]:
        with open_stores(project) as stores:
            _, remote = remote_of(stores, None)
            return transfer.present(digests, remote, options(stores, TransferOptions(refresh=True)))

    return there if _has_usual(project) else None


def _has_usual(project: Project) -> bool:
    with open_stores(project) as stores:
        return stores.settings.usual_remote in stores.settings.remotes


def remote_of(stores: Stores, name: str | None, jobs: int | None = None) -> tuple[str, Remote]:
    """A remote by its name, and that name; the usual one if none is given. Nothing is connected to.

    Raises:
        ConfigError: No remote is configured, or none of that name.
        RemoteSchemeError: The package for such a URL is not installed.
    """
    settings = stores.settings
    url = settings.remote_url(name)
    chosen = name if name is not None else settings.usual_remote
    told = RemoteSettings(
        jobs=jobs or settings.remote_jobs, state=stores.layout.uploads_dir, timeout=settings.remote_timeout
    )
    return chosen or url, connect(url, told)


def options(stores: Stores, wishes: TransferOptions) -> Options:
    """How objects are transferred."""
    return Options(
        known=KnownObjects(stores.layout.remotes_file),
        refresh=wishes.refresh,
        dry_run=wishes.dry_run,
        jobs=wishes.jobs or stores.settings.remote_jobs,
        progress=wishes.progress,
        partials=stores.layout.partial_dir,
    )


def _selected(project: Project, targets: Iterable[str], opened: Opened) -> list[Record]:
    return [record for record in records.read(project).select(targets, project, opened) if record.cache]


def _everything(store: ObjectStore) -> Iterator[Record]:
    """Each object of a store as if it were a file of that name."""
    for digest in store.digests():
        size = store.path_of(digest).stat().st_size
        yield Record(ArtifactPath(digest), Artifact(digest, size))


def _artifacts(selected: Iterable[Record]) -> list[Artifact]:
    return [record.artifact for record in selected]


def _moved(
    name: str, outcome: Outcome, selected: Iterable[Record], store: ObjectStore, *, dry_run: bool
) -> TransferReport:
    """Which artifacts are concerned, where something went wrong or is only planned."""
    failed: dict[str, CacheError] = {}
    missing: list[str] = []
    planned: dict[str, int] = {}
    if outcome.failed or outcome.missing or dry_run:
        held_back = {part for part, error in outcome.failed.items() if isinstance(error, transfer.IncompleteTreeError)}
        for record in selected:
            sizes = transfer.content([record.artifact], store).sizes
            parts = {record.artifact.digest, *sizes}
            if dry_run and not parts.isdisjoint(outcome.transferred):
                planned[record.path] = sum(sizes.get(part) or 0 for part in parts & outcome.transferred)
            # That a listing was held back says nothing where it is known why.
            wrong = sorted(parts & outcome.failed.keys(), key=lambda part: (part in held_back, part))
            if parts & outcome.missing and held_back.issuperset(wrong):
                missing.append(record.path)
            elif wrong:
                failed[record.path] = outcome.failed[wrong[0]]
    return TransferReport(name, outcome, failed, tuple(missing), planned=planned)
