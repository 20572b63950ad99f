"""The view of a run on a cluster: absent outs count as present where the workers have put them."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping

from pivot_cache.formats.tree import Tree
from pivot_cache.remotes.protocol import RemoteError
from pivot_cache.remotes.transfer import TransferCounts, TransferResult
from pivot_cache.state import left_outs
from pivot_cache.state.known_objects import LIFETIME_S
from pivot_core.errors import PivotError
from pivot_core.files.paths import ArtifactPath
from pivot_core.graph import Graph
from pivot_core.lock import Artifact, RunRecord, StageLock
from pivot_core.spec import LOCAL
from pivot_runtime.context import Notice
from pivot_runtime.evaluating.session import Session
from pivot_runtime.history import events
from pivot_runtime.history.events import Reporter
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


class LeftOutsView(RemoteView):
    """The view of a command without a cluster: outs that an earlier run has left on one count as present."""

    def __init__(self, session: Session, graph: Graph, only: Mapping[ArtifactPath, Artifact]) -> None:
        """Ask the remote about those of these outs that the cache lacks."""
        source = CacheOnly() if all(map(session.store.has_all, only.values())) else _LeftThere(session)
        super().__init__(session, graph, client=source, outs_stay=True, only=only)
        read_set = session.context.read_set
        for artifact in self._elsewhere.values():
            if artifact in self._here:
                session.store.has_all(artifact, read_set.look)
            else:
                read_set.expire(time.time() + LIFETIME_S)

    def finish(self, report: Reporter, current: Collection[str]) -> None:
        """Report at the end of a run how many outs of current stages are not here."""
        outs = (out.path for address in current for out in self._graph.stages[address].outs if not out.temp)
        if count := len(self.elsewhere(outs)):
            report(events.OutsElsewhere(count, self.remote, "pivot pull" if self.remote else "pivot checkout"))


class _LeftThere(CacheOnly):
    """The default remote, with what a run has left there; while it does not answer, that run is believed."""

    def __init__(self, session: Session) -> None:
        self._context = session.context
        self._client: RemoteClient | None = None
        try:
            self._client = RemoteClient.default(session.stores)
        except PivotError as error:
            self._context.notices.add(Notice(str(error), error.hint))
        self.name = "" if self._client is None else self._client.name

    def lacking(self, artifacts: Collection[Artifact]) -> set[Artifact]:
        """See `RemoteClient.lacking`."""
        if self._client is None:
            return set(artifacts)
        try:
            return self._client.lacking(artifacts)
        except RemoteError as error:
            self._context.read_set.mark_incomplete("a remote does not answer")
            doubt = f"it is not known whether remote {self.name} still has the outs that a cluster has left there"
            self._context.notices.add(Notice(f"{doubt}: {error}", error.hint))
            return set()

    def fetch(self, artifacts: Iterable[Artifact], progress: Callable[[TransferCounts], object]) -> TransferResult:
        """See `RemoteClient.fetch`."""
        return super().fetch(artifacts, progress) if self._client is None else self._client.fetch(artifacts, progress)

    def fetch_listings(self, artifacts: Iterable[Artifact]) -> None:
        """See `RemoteClient.fetch_listings`."""
        if self._client is not None:
            self._client.fetch_listings(artifacts)

    def forget(self) -> None:
        """See `RemoteClient.forget`."""
        if self._client is not None:
            self._client.forget()


def left_view(session: Session, graph: Graph) -> LeftOutsView | None:
    """Return the view in which the outs count as present that earlier runs have left on a cluster; None if none are."""
    layout = session.stores.layout
    session.context.read_set.look(layout.left_outs_file)
    left = left_outs.read(layout)
    only = {}
    for address, spec in graph.stages.items():
        paths = [out.path for out in spec.outs if out.cache and out.path in left]
        lock = session.lock(address) if paths else None
        outs = {} if lock is None else lock.outs
        for path in paths:
            artifact = outs.get(path)
            if artifact is not None and left_outs.content_of(artifact) == left[path]:
                only[path] = artifact
    only = {path: artifact for path, artifact in only.items() if session.artifact_at(path) is None}
    return LeftOutsView(session, graph, only) if only else None


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
