"""The view of a run on a cluster: absent outs count as present where the workers have put them."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping

from pivot_cache.formats.tree import Tree
from pivot_cache.remotes.transfer import TransferCounts, TransferResult
from pivot_cache.state.known_objects import LIFETIME_S
from pivot_core.files.paths import ArtifactPath
from pivot_core.graph import Graph
from pivot_core.lock import Artifact, RunRecord, StageLock
from pivot_core.spec import LOCAL
from pivot_runtime.evaluating.session import Session
from pivot_runtime.sharing.remote_client import RemoteClient
from pivot_runtime.sharing.remote_view import ArtifactSource, RemoteView


class CacheOnly:
    """The source of artifacts that are in the cache or nowhere."""

    name = ""

    def lacking(self, artifacts: Collection[Artifact]) -> set[Artifact]:
        """Return all of them."""
        return set(artifacts)

    def missing(self, artifacts: Collection[Artifact]) -> set[Artifact]:
        """Return all of them."""
        return set(artifacts)

    def fetch(self, artifacts: Iterable[Artifact], progress: Callable[[TransferCounts], object]) -> TransferResult:
        """Fetch nothing."""
        del artifacts, progress
        return TransferResult()

    def fetch_listings(self, artifacts: Iterable[Artifact]) -> None:
        """Fetch nothing."""

    def find_runs(self, keys: Iterable[str]) -> Mapping[str, tuple[RunRecord, ...]]:
        """Find nothing: the run cache has them."""
        return dict.fromkeys(keys, ())

    def forget(self) -> None:
        """Do nothing."""


class ClusterView(RemoteView):
    """The view of a session in which outs count as present that the cache or the cluster's remote has.

    Attributes:
        observed: The files, relative to the root, with code that the last runs of its stages were observed to use.
    """

    def __init__(self, session: Session, graph: Graph, source: ArtifactSource, sent: Collection[str] = ()) -> None:
        """Ask the source about what is recorded and missing here.

        Ask also for runs with the inputs keys ``sent``, as far as none is recorded here.

        Raises:
            RemoteError: The source does not answer.
        """
        self.observed: set[str] = set()
        super().__init__(session, graph, client=source, outs_stay=True)
        if sent and not isinstance(source, CacheOnly):
            memory = session.memory()
            self._find([key for key in sent if not any(True for _ in memory.recorded(key))])
        read_set = session.context.read_set
        for artifact in set(self._elsewhere.values()):
            if artifact in self._here:
                session.store.has_all(artifact, read_set.look)
            else:
                read_set.expire(time.time() + LIFETIME_S)

    def lock(self, address: str) -> StageLock | None:
        """The last run of a stage, or None; see `observed`."""
        lock = super().lock(address)
        if lock is not None:
            code = lock.inputs.observed.values()
            self.observed.update(entry.location.file for entry in code if entry.location is not None)
        return lock

    def is_there(self, path: ArtifactPath, artifact: Artifact) -> bool:
        """Return whether the source is known to have the content at a path completely, perhaps as part of another."""
        if artifact in self._there:
            return True
        around = () if artifact.tree else (each for _, each in self._overlay.touching(path))
        return any(each in self._there for each in around)

    def listing(self, path: ArtifactPath) -> Tree | None:
        """Return the contents of a directory that has no listing of its own; see `Overlay.listing`."""
        return self._overlay.listing(path)

    def add(self, outs: Mapping[ArtifactPath, Artifact]) -> None:
        """Add the outs of a stage that a worker has run."""
        for path, artifact in outs.items():
            self._elsewhere[path] = artifact
            self._overlay.add(path, artifact)
            if self._session.temporary is not None:
                self._session.temporary.forget(path)
        self.sent(outs.values())

    def sent(self, artifacts: Iterable[Artifact]) -> None:
        """Note that the source has artifacts."""
        self._there.update(artifacts)

    def forget(self, artifacts: Iterable[Artifact]) -> None:
        """Note that the source may lack artifacts; what is here is sent again, and the next run asks about the rest."""
        self._there.difference_update(artifacts)
        self._client.forget()

    def elsewhere(self, paths: Iterable[ArtifactPath]) -> dict[ArtifactPath, Artifact]:
        """Return the artifacts at some paths that are not on disk."""
        return {
            path: self._elsewhere[path]
            for path in paths
            if path in self._elsewhere and self._session.on_disk(path) is None
        }


def forecast_view(session: Session, graph: Graph, address: str) -> ClusterView | None:
    """Return the view that a run on an executor would have; None if that changes nothing.

    Raises:
        RemoteError: The remote does not answer.
    """
    settings = session.stores.settings
    if address == LOCAL:
        return None
    if settings.executor_shared or is_on_this_machine(address):
        return ClusterView(session, graph, CacheOnly())
    return ClusterView(session, graph, RemoteClient(session.stores)) if settings.remotes else None


def is_on_this_machine(address: str) -> bool:
    """Return whether an executor is a cluster that is started here, and so uses the same cache."""
    return address.partition("://")[2].partition("?")[0] == "local"
