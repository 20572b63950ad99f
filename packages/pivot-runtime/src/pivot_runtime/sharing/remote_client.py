"""Client of a remote: asks which artifacts it has, and transfers them to and from a project's cache."""

from collections.abc import Callable, Collection, Iterable
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Self

import attrs

from pivot_cache.remotes import transfer
from pivot_cache.remotes.protocol import Remote, RemoteSettings, connect
from pivot_cache.remotes.transfer import TransferCounts, TransferResult, TransferSettings
from pivot_cache.state.known_objects import KnownObjects
from pivot_core.lock import Artifact, RunRecord
from pivot_core.progress import no_progress
from pivot_core.values import Value
from pivot_runtime.artifacts.stores import Stores

if TYPE_CHECKING:
    from pivot_cache.remotes.gc import RemoteGcResult, RemotePlan


@attrs.frozen(eq=False, repr=False)
class TransferOptions(Value):
    """Options of a transfer.

    Attributes:
        remote: The name of the remote; None for the default remote.
        jobs: The maximum number of simultaneous transfers; None for the configured one.
        dry_run: Whether to determine only what would be transferred; listings are still fetched.
        refresh: Whether to ask the remote about everything, including known objects.
        all_objects: For a push: whether to push all objects of the cache, not only recorded ones.
        progress: Called with the progress.
    """

    remote: str | None = None
    jobs: int | None = None
    dry_run: bool = False
    refresh: bool = False
    all_objects: bool = False
    progress: Callable[[TransferCounts], object] = no_progress


class RemoteClient:
    """A remote of a project, with the stores that it exchanges objects with.

    Attributes:
        name: The remote's name, or its URL if the configuration has no name for it.
    """

    def __init__(self, stores: Stores, options: TransferOptions | None = None) -> None:
        """Create the client of the remote in the options; no connection is opened.

        Raises:
            ConfigError: No remote is configured, or none of that name.
            RemoteSchemeError: The package for this kind of URL is not installed.
        """
        options = options or TransferOptions()
        self.name, self._remote = remote_of(stores, options)
        self._store = stores.store
        self._options = TransferSettings(
            known=KnownObjects(stores.layout.remotes_file),
            refresh=options.refresh,
            dry_run=options.dry_run,
            jobs=options.jobs or stores.settings.remote_jobs,
            progress=options.progress,
            partials=stores.layout.partial_dir,
        )

    @classmethod
    def default(cls, stores: Stores, options: TransferOptions | None = None) -> Self | None:
        """The client of the default remote; None if there is no such remote."""
        return cls(stores, options) if stores.settings.effective_remote in stores.settings.remotes else None

    def push(self, artifacts: Iterable[Artifact]) -> TransferResult:
        """Upload the objects of some artifacts that the remote lacks."""
        return transfer.push(artifacts, self._store, self._remote, self._options)

    def fetch(
        self, artifacts: Iterable[Artifact], progress: Callable[[TransferCounts], object] | None = None
    ) -> TransferResult:
        """Download the objects of some artifacts that the cache lacks."""
        options = self._options if progress is None else attrs.evolve(self._options, progress=progress)
        return transfer.fetch(artifacts, self._store, self._remote, options)

    def fetch_listings(self, artifacts: Iterable[Artifact]) -> None:
        """Download the listings of directories, as far as the remote has them, and none of their files.

        Raises:
            CacheError: The remote as a whole refuses or fails, so that another request would take just as long.
        """
        options = attrs.evolve(self._options, dry_run=True)
        stopped = transfer.fetch(artifacts, self._store, self._remote, options).stopped
        if stopped is not None:
            raise stopped

    def lacking(self, artifacts: Collection[Artifact]) -> set[Artifact]:
        """The artifacts that the remote does not have completely, from what is known or from its answer.

        Raises:
            RemoteError: The remote does not answer the question.
        """
        return set(transfer.absent(artifacts, self._store, self._remote, self._options))

    def missing(self, artifacts: Collection[Artifact]) -> set[Artifact]:
        """The artifacts that the remote currently does not have completely, regardless of previous knowledge.

        Raises:
            RemoteError: The remote does not answer the question.
        """
        absent = transfer.absent(artifacts, self._store, self._remote, attrs.evolve(self._options, known=None))
        if absent:
            self.forget()  # the next push asks about everything
        return set(absent)

    def present(self, digests: Collection[str]) -> set[str]:
        """The ones of these objects that the remote currently has.

        Raises:
            RemoteError: The remote does not answer the question.
        """
        return transfer.present(digests, self._remote, attrs.evolve(self._options, refresh=True))

    def note_stored(self, artifacts: Collection[Artifact]) -> None:
        """Note that another machine has stored artifacts on the remote."""
        if self._options.known is not None:
            listings = [artifact.digest for artifact in artifacts if artifact.tree]
            files = [artifact.digest for artifact in artifacts if not artifact.tree]
            self._options.known.add(self._remote.identity, files)
            self._options.known.add(self._remote.identity, listings, whole=True)

    def forget(self) -> None:
        """Forget what is known of the remote, after somebody has deleted objects there."""
        if self._options.known is not None:
            self._options.known.forget(self._remote.identity)

    def plan_gc(self, needed: AbstractSet[str], *, before_s: float) -> "RemotePlan":
        """Plan to delete the objects that are not needed, and that were uploaded before a time in s since the epoch.

        Raises:
            RemoteError: The remote does not answer, or cannot list its objects with their ages.
        """
        from pivot_cache.remotes import gc  # lazy

        return gc.plan(needed, self._remote, self._store, self._options, before_s=before_s)

    def delete(self, planned: "RemotePlan") -> "RemoteGcResult":
        """Delete the objects of a plan.

        Raises:
            RemoteError: The remote cannot be opened.
        """
        from pivot_cache.remotes import gc  # lazy

        return gc.delete(planned, self._remote, self._options)

    def push_runs(self, runs: Iterable[RunRecord]) -> int:
        """Upload run records; return the number of new ones."""
        from pivot_cache.remotes import shared_runs  # lazy

        return shared_runs.share(runs, self._remote, self._options)

    def find_runs(self, keys: Iterable[str]) -> dict[str, tuple[RunRecord, ...]]:
        """The run records on the remote for some inputs keys."""
        from pivot_cache.remotes import shared_runs  # lazy

        return dict(shared_runs.find(keys, self._remote, self._options))


def remote_of(stores: Stores, options: TransferOptions) -> tuple[str, Remote]:
    """The name and the protocol object of the remote in the options; no connection is opened.

    Raises:
        ConfigError: No remote is configured, or none of that name.
        RemoteSchemeError: The package for this kind of URL is not installed.
    """
    settings = stores.settings
    url = settings.remote_url(options.remote)
    name = options.remote if options.remote is not None else settings.effective_remote
    limits = RemoteSettings(
        jobs=options.jobs or settings.remote_jobs, state=stores.layout.uploads_dir, timeout=settings.remote_timeout
    )
    return name or url, connect(url, limits)
