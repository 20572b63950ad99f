"""The view of a session in which the default remote counts as here, so that only the inputs of runs are fetched.

The remote is asked once, about all that is recorded and not here. An out that only the remote has counts as being in
its place: its stage is up to date, and decisions about downstream stages use its digest. Outs in the cache are restored
by their stages, as usual. Tracked data that are not here count where either has them.
"""

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping

import attrs

from pivot_cache.errors import ArtifactError, MissingObjectError
from pivot_cache.formats.tree import Tree
from pivot_cache.objects import checkout
from pivot_cache.remotes.transfer import TransferCounts
from pivot_core.decide import Memory
from pivot_core.graph import Graph
from pivot_core.lock import Artifact, RunRecord
from pivot_core.paths import ArtifactPath
from pivot_core.spec import StageSpec
from pivot_core.values import Value
from pivot_runtime.artifacts import records
from pivot_runtime.artifacts.overlay import Overlay
from pivot_runtime.evaluating.evaluate import observe
from pivot_runtime.evaluating.session import Session, SessionView
from pivot_runtime.sharing.remote_client import RemoteClient, TransferOptions


class Availability(enum.Enum):
    """Place where something is available that is not in the workspace."""

    CACHE = "cache"
    REMOTE = "remote"
    NOWHERE = "nowhere"


@attrs.frozen(eq=False, repr=False)
class SyncState(Value):
    """State of everything that is recorded, in the cache and on a remote.

    Attributes:
        remote: The remote's name.
        absent: The artifacts that are not in the workspace, and where they are available.
        synced: How many outs and tracked paths both the cache and the remote have.
        to_push: How many only the cache has.
        to_fetch: How many only the remote has.
        missing: How many neither has.
    """

    remote: str
    absent: Mapping[ArtifactPath, Availability]
    synced: int
    to_push: int
    to_fetch: int
    missing: int

    def of(self, paths: Iterable[ArtifactPath]) -> dict[ArtifactPath, Availability]:
        """Those of some paths that are not in the workspace."""
        return {path: self.absent[path] for path in paths if path in self.absent}


class RemoteView(SessionView):
    """The view of a session in which the default remote counts as here."""

    def __init__(self, session: Session, graph: Graph, *, ask_all: bool = False, remote: str | None = None) -> None:
        """Ask the remote what it has of the stages of a graph and of tracked data.

        Args:
            session: The view without the remote.
            graph: The stages that matter.
            ask_all: Ask also about what the cache has, and what is thought to be known.
            remote: The name of the remote; None for the default.

        Raises:
            ConfigError: No remote is configured, or nothing says which one is meant.
            RemoteError: The remote cannot tell.
        """
        super().__init__(session)
        self._kinds = {out.path: out.directory for spec in graph.stages.values() for out in spec.outs}
        self._shared: dict[str, tuple[RunRecord, ...]] = {}
        outs = dict(_outs(session, graph))
        tracked = {record.path: record.artifact for record in records.read_tracked(session.context)}
        self._recorded = {**tracked, **outs}
        known = set(self._recorded.values())
        self._here = {artifact for artifact in known if session.store.has_all(artifact)}
        self._ask_all = ask_all
        self._client = RemoteClient(session.stores, TransferOptions(remote))
        self.remote = self._client.name
        self._there: set[Artifact] = set()
        self._asked: set[Artifact] = set()
        self._ask(known if ask_all else known - self._here)
        self._elsewhere = {
            path: artifact
            for path, artifact in self._recorded.items()
            if (artifact in self._there or (path in tracked and artifact in self._here))
            and not (path in outs and artifact in self._here)
            and session.artifact_at(path) is None
        }
        self._overlay = Overlay(session.stores, session.artifact_at, self._elsewhere, self._listing)
        if session.stores.settings.remote_run_cache:
            self._foresee(graph)

    def sync_state(self) -> SyncState:
        """State of everything; it counts what the cache has only if everything was asked for."""
        both = only_here = only_there = neither = 0
        absent = {}
        for path, artifact in self._recorded.items():
            here, there = artifact in self._here, artifact in self._there
            both += here and there
            only_here += here and not there
            only_there += there and not here
            neither += not (here or there)
            if self._session.artifact_at(path) is None:
                absent[path] = Availability.CACHE if here else Availability.REMOTE if there else Availability.NOWHERE
        return SyncState(self.remote, absent, both, only_here, only_there, neither)

    def supply(self, spec: StageSpec, progress: Callable[[TransferCounts], object]) -> tuple[ArtifactPath, ...]:
        """Bring into the workspace what a run of a stage reads and is not there; returns what was brought.

        Args:
            spec: The stage.
            progress: Told how far it is.

        Raises:
            ArtifactError: Something is not available.
            CacheError: Something cannot be written.
        """
        read = [*spec.deps, *(out.path for out in spec.outs if out.incremental)]
        wanted = {path: artifact for each in read for path, artifact in self._overlay.touching(each)}
        if wanted:
            stores = self._session.stores
            for path, problem in self.fetch(wanted, progress).items():
                hint = "'pivot repro --pull' once more computes it again"
                raise ArtifactError(stores.layout.artifact(path), problem, hint=hint)
            plan = checkout.compare(wanted, {path: stores.look(path) for path in wanted})
            checkout.apply(plan, stores.store, stores.layout, stores.settings.checkout_mode, files=stores.files)
        return tuple(sorted(wanted))

    def fetch(
        self, wanted: Mapping[ArtifactPath, Artifact], progress: Callable[[TransferCounts], object]
    ) -> dict[ArtifactPath, str]:
        """Bring artifacts into the cache; returns why some are unavailable, which count as nowhere from now on.

        Raises:
            ArtifactError: The remote as a whole refuses or fails.
        """
        stores = self._session.stores
        lacking = {path: artifact for path, artifact in wanted.items() if not stores.store.has_all(artifact)}
        if not lacking:
            return {}
        outcome = self._client.fetch(lacking.values(), progress)
        stopped = outcome.stopped
        if stopped is not None:
            raise ArtifactError(
                stores.layout.artifact(min(lacking)), f"cannot be fetched: {stopped}", hint=stopped.hint
            ) from stopped
        problems = {}
        for path, artifact in lacking.items():
            if not stores.store.has_all(artifact):
                problems[path] = str(outcome.failed.get(artifact.digest, f"{self.remote!r} does not have it any more"))
                self._there.discard(artifact)
        if problems:
            self._client.forget()  # the next run asks about everything
        return problems

    def has(self, artifact: Artifact) -> bool:
        """Whether the cache or the remote has this content, all of it."""
        if self._session.store.has_all(artifact):
            return True
        self._ask({artifact} - self._asked)
        return artifact in self._there

    def recorded(self, key: str) -> RunRecord | None:
        """A run with these inputs of somebody else, if such are shared; its outs are of the declared kinds."""
        stores = self._session.stores
        if not stores.settings.remote_run_cache:
            return None
        if key not in self._shared:
            self._find([key])
        for record in self._shared[key]:
            fitting = all(self._kinds.get(path) is artifact.tree for path, artifact in record.outs.items())
            if fitting and self._session.observed_code.hold(record.observed):
                return record
        return None

    def _foresee(self, graph: Graph) -> None:
        """Ask at once for results of all stages whose inputs are known already, and are not those of their last run."""
        session = self._session
        keys = []
        for address in graph.stages:
            lock = session.lock(address)
            now = observe(session.stages[address], graph, self, lock=lock, schema=session.schema)
            key = now.inputs.key()
            if not now.missing and (lock is None or lock.inputs.key() != key) and not session.runs.get(key):
                keys.append(key)
        self._find(keys)

    def _find(self, keys: Iterable[str]) -> None:
        self._shared |= self._client.find_runs(keys)

    def artifact_at(self, path: ArtifactPath) -> Artifact | None:
        """The artifact at a path, or the one that would be there if the remote's were here."""
        return self._overlay.look(path)

    def lost(self, path: ArtifactPath, artifact: Artifact) -> bool:
        """Whether this is at a path, and not only would, and the cache does not hold all of it."""
        return self._session.artifact_at(path) is not None and self._session.lost(path, artifact)

    def artifact_in(self, directory: Artifact, path: str) -> Artifact | None:
        """The artifact at a relative path in a directory with this content, if there is one."""
        try:
            return self._listing(directory).at(path)
        except MissingObjectError:
            return super().artifact_in(directory, path)

    def memory(self) -> Memory:
        """The results of earlier runs, in the cache or on the remote."""
        return _Memory(self, self._session.memory())

    def _ask(self, artifacts: set[Artifact]) -> None:
        if artifacts:
            ask = self._client.missing if self._ask_all else self._client.lacking
            self._there |= artifacts - ask(artifacts)
            self._asked |= artifacts

    def _listing(self, directory: Artifact) -> Tree:
        """The content of a directory; its listing is fetched if it is not here, and no file of it is."""
        store = self._session.store
        try:
            return store.tree(directory)
        except MissingObjectError:
            self._client.fetch_listings([directory])
        return store.tree(directory)


@attrs.frozen(eq=False, repr=False)
class _Memory(Value):
    """The results of earlier runs, where the remote counts."""

    view: RemoteView
    local: Memory

    def recorded(self, key: str) -> RunRecord | None:
        return self.local.recorded(key) or self.view.recorded(key)

    def has(self, artifact: Artifact) -> bool:
        return self.view.has(artifact)


def _outs(session: Session, graph: Graph) -> Iterator[tuple[ArtifactPath, Artifact]]:
    """The outs in lock files that the cache keeps."""
    for address, spec in graph.stages.items():
        lock = session.lock(address)
        if lock is not None:
            for out in spec.outs:
                if out.cache and out.path in lock.outs:
                    yield out.path, lock.outs[out.path]
