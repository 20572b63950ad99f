"""Client of one remote: asks it which artifacts it has, and transfers them between it and the cache of a project."""

from collections.abc import Callable, Collection, Iterable
from typing import Self

import attrs

from pivot_cache.remotes import transfer
from pivot_cache.remotes.protocol import Remote, RemoteSettings, connect
from pivot_cache.remotes.transfer import TransferCounts, TransferResult, TransferSettings
from pivot_cache.state.known_objects import KnownObjects
from pivot_core.lock import Artifact, RunRecord
from pivot_core.progress import no_progress
from pivot_core.values import Value
from pivot_runtime.artifacts.stores import Stores


@attrs.frozen(eq=False, repr=False)
class TransferOptions(Value):
    """Options of a transfer.

    Attributes:
        remote: The name of the remote; None for the default remote.
        jobs: The most transfers at once; None for what is configured.
        dry_run: Find out what would be moved, and move nothing but listings.
        refresh: Ask the remote about everything, also what is known of it.
        all_objects: Of a push: all objects of the cache, not only what is recorded.
        progress: Called with the progress.
    """

    remote: str | None = None
    jobs: int | None = None
    dry_run: bool = False
    refresh: bool = False
    all_objects: bool = False
    progress: Callable[[TransferCounts], object] = no_progress


class RemoteClient:
    """A remote of a project, and the stores that it exchanges objects with.

    Attributes:
        name: The remote's name, or its URL where the configuration names none.
    """

    def __init__(self, stores: Stores, options: TransferOptions | None = None) -> None:
        """Describe the remote that the options name; nothing is connected to.

        Raises:
            ConfigError: No remote is configured, or none of that name.
            RemoteSchemeError: The package for such a URL is not installed.
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
        return cls(stores, options) if stores.settings.usual_remote in stores.settings.remotes else None

    def push(self, artifacts: Iterable[Artifact]) -> TransferResult:
        """Bring to the remote what it lacks of some artifacts."""
        return transfer.push(artifacts, self._store, self._remote, self._options)

    def fetch(
        self, artifacts: Iterable[Artifact], progress: Callable[[TransferCounts], object] | None = None
    ) -> TransferResult:
        """Bring into the cache what it lacks of some artifacts."""
        options = self._options if progress is None else attrs.evolve(self._options, progress=progress)
        return transfer.fetch(artifacts, self._store, self._remote, options)

    def fetch_listings(self, artifacts: Iterable[Artifact]) -> None:
        """Bring the listings of directories into the cache, as far as the remote has them, and no file in them.

        Raises:
            CacheError: The remote as a whole refuses or fails: another question would take as long.
        """
        options = attrs.evolve(self._options, dry_run=True)
        stopped = transfer.fetch(artifacts, self._store, self._remote, options).stopped
        if stopped is not None:
            raise stopped

    def lacking(self, artifacts: Collection[Artifact]) -> set[Artifact]:
        """Those artifacts that the remote does not have in full, as far as is known of it or else as it says.

        Raises:
            RemoteError: It cannot tell.
        """
        return set(transfer.absent(artifacts, self._store, self._remote, self._options))

    def missing(self, artifacts: Collection[Artifact]) -> set[Artifact]:
        """Those artifacts that the remote says it does not have in full now, whatever was known of it before.

        Raises:
            RemoteError: It cannot tell.
        """
        absent = transfer.absent(artifacts, self._store, self._remote, attrs.evolve(self._options, known=None))
        if absent:
            self.forget()  # the next push asks about everything
        return set(absent)

    def present(self, digests: Collection[str]) -> set[str]:
        """Those objects that the remote has now.

        Raises:
            RemoteError: It cannot tell.
        """
        return transfer.present(digests, self._remote, attrs.evolve(self._options, refresh=True))

    def forget(self) -> None:
        """Forget what is known of the remote: somebody has deleted objects there."""
        if self._options.known is not None:
            self._options.known.forget(self._remote.identity)

    def push_runs(self, runs: Iterable[RunRecord]) -> int:
        """Leave run records on the remote; returns how many are new there."""
        from pivot_cache.remotes import shared_runs  # noqa: PLC0415  # start-up time: few projects share runs

        return shared_runs.share(runs, self._remote, self._options)

    def find_runs(self, keys: Iterable[str]) -> dict[str, tuple[RunRecord, ...]]:
        """The run records that the remote has for some inputs keys."""
        from pivot_cache.remotes import shared_runs  # noqa: PLC0415  # start-up time: few projects share runs

        return dict(shared_runs.find(keys, self._remote, self._options))


def remote_of(stores: Stores, options: TransferOptions) -> tuple[str, Remote]:
    """The name and the protocol of the remote that the options name; nothing is connected to.

    Raises:
        ConfigError: No remote is configured, or none of that name.
        RemoteSchemeError: The package for such a URL is not installed.
    """
    settings = stores.settings
    url = settings.remote_url(options.remote)
    name = options.remote if options.remote is not None else settings.usual_remote
    limits = RemoteSettings(
        jobs=options.jobs or settings.remote_jobs, state=stores.layout.uploads_dir, timeout=settings.remote_timeout
    )
    return name or url, connect(url, limits)
