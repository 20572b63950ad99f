"""A view of a session in which the default remote's artifacts count as present; only inputs of runs are fetched.

The remote is asked once, about everything that is recorded and missing here. An out that only the remote has counts as
present: its stage is up to date, and decisions about downstream stages use its digest. Outs in the cache are restored
as usual. Missing tracked data count as present if the cache or the remote has them.
"""

import contextlib
import enum
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

import attrs

from pivot_cache.errors import ArtifactError, MissingObjectError
from pivot_cache.files.replace_check import ReplaceCheck
from pivot_cache.formats.tree import Tree
from pivot_cache.objects import checkout
from pivot_cache.remotes.transfer import TransferCounts, TransferResult
from pivot_core.decide import Memory
from pivot_core.files.paths import ArtifactPath
from pivot_core.files.patterns import PathPattern
from pivot_core.graph import Graph
from pivot_core.lock import Artifact, RunRecord
from pivot_core.spec import StageSpec
from pivot_core.values import Value
from pivot_runtime.artifacts import records
from pivot_runtime.artifacts.overlay import Overlay
from pivot_runtime.evaluating.evaluate import observe
from pivot_runtime.evaluating.matching_files import dep_paths, matching_inside
from pivot_runtime.evaluating.session import Session, SessionView
from pivot_runtime.sharing.remote_client import RemoteClient, TransferOptions

if TYPE_CHECKING:
    from pivot_runtime.evaluating.file_params import FileParamValues


class Availability(enum.Enum):
    """Where missing content is available."""

    CACHE = "cache"
    REMOTE = "remote"
    NOWHERE = "nowhere"


@attrs.frozen(eq=False, repr=False)
class SyncState(Value):
    """The state of recorded artifacts, in the cache and on a remote.

    Attributes:
        remote: The remote's name.
        absent: The artifacts missing from the workspace, and where they are available.
        synced: The number of outs and tracked paths that both the cache and the remote have.
        to_push: The number that only the cache has.
        to_fetch: The number that only the remote has.
        missing: The number that neither has.
    """

    remote: str
    absent: Mapping[ArtifactPath, Availability]
    synced: int
    to_push: int
    to_fetch: int
    missing: int

    def of(self, paths: Iterable[ArtifactPath]) -> dict[ArtifactPath, Availability]:
        """The ones of some paths that are missing from the workspace."""
        return {path: self.absent[path] for path in paths if path in self.absent}


class ArtifactSource(Protocol):
    """A place with artifacts, such as a `RemoteClient`; each method may raise a `RemoteError`."""

    @property
    def name(self) -> str:
        """Its name in texts."""
        ...

    def lacking(self, artifacts: Collection[Artifact]) -> set[Artifact]:
        """See `RemoteClient.lacking`."""
        ...

    def missing(self, artifacts: Collection[Artifact]) -> set[Artifact]:
        """See `RemoteClient.missing`."""
        ...

    def fetch(self, artifacts: Iterable[Artifact], progress: Callable[[TransferCounts], object]) -> TransferResult:
        """See `RemoteClient.fetch`."""
        ...

    def fetch_listings(self, artifacts: Iterable[Artifact]) -> None:
        """See `RemoteClient.fetch_listings`."""
        ...

    def find_runs(self, keys: Iterable[str]) -> Mapping[str, tuple[RunRecord, ...]]:
        """See `RemoteClient.find_runs`."""
        ...

    def forget(self) -> None:
        """See `RemoteClient.forget`."""
        ...


class RemoteView(SessionView):
    """The view of a session in which artifacts on a remote, by default the default remote, count as present."""

    def __init__(  # noqa: PLR0913  # the wishes of four commands
        self,
        session: Session,
        graph: Graph,
        *,
        ask_all: bool = False,
        remote: str | None = None,
        client: ArtifactSource | None = None,
        outs_stay: bool = False,
        only: Mapping[ArtifactPath, Artifact] | None = None,
    ) -> None:
        """Ask the remote which artifacts of a graph's stages and of tracked data it has.

        Args:
            session: The view without the remote.
            graph: The relevant stages.
            ask_all: Whether to ask also about artifacts in the cache, and about known objects.
            remote: The name of the remote; None for the default.
            client: The place to ask instead of a remote.
            outs_stay: Absent outs that the cache has count as present as well, and are not restored.
            only: If not None, the only outs that this view is about; the remote is asked about nothing else, and its
                results do not count.

        Raises:
            ConfigError: No remote is configured, or it is ambiguous which one is meant.
            RemoteError: The remote does not answer the question.
        """
        super().__init__(session)
        self._graph = graph
        self._kinds = {out.path: out.directory for spec in graph.stages.values() for out in spec.outs}
        self._shared: dict[str, tuple[RunRecord, ...]] = {}
        outs = dict(self._outs(graph)) if only is None else dict(only)
        read = records.read_tracked(session.context) if only is None else ()
        tracked = {record.path: record.artifact for record in read}
        self._recorded = {**tracked, **outs}
        self._tracked = frozenset(tracked)
        known = set(self._recorded.values())
        self._here = {artifact for artifact in known if session.store.has_all(artifact)}
        self._ask_all = ask_all
        self._client: ArtifactSource = client or RemoteClient(session.stores, TransferOptions(remote))
        self.remote = self._client.name
        self._place = repr(self.remote) if self.remote else "the cache"
        self._there: set[Artifact] = set()
        self._asked: set[Artifact] = set()
        self._ask(known if ask_all else known - self._here)
        self._elsewhere = {
            path: artifact
            for path, artifact in self._recorded.items()
            if (artifact in self._there or artifact in self._here)
            and (outs_stay or not (path in outs and artifact in self._here))
            and session.artifact_at(path) is None
        }
        self._overlay = Overlay(session.stores, session.artifact_at, self._elsewhere, self._listing)
        self._shares_runs = only is None and session.stores.settings.remote_run_cache
        self._asks = only is None
        if self._shares_runs:
            self._foresee(graph)

    def _outs(self, graph: Graph) -> Iterator[tuple[ArtifactPath, Artifact]]:
        """The outs in lock files that belong in the cache."""
        for address, spec in graph.stages.items():
            lock = self.lock(address)
            if lock is not None:
                for out in spec.outs:
                    if out.cache and out.path in lock.outs:
                        yield out.path, lock.outs[out.path]

    def sync_state(self, paths: Collection[ArtifactPath] | None = None) -> SyncState:
        """The state of recorded artifacts: of those among some paths; the cache's are counted only with ``ask_all``."""
        both = only_here = only_there = neither = 0
        absent = {}
        for path, artifact in self._recorded.items():
            if paths is not None and path not in paths:
                continue
            here, there = artifact in self._here, artifact in self._there
            both += here and there
            only_here += here and not there
            only_there += there and not here
            neither += not (here or there)
            if self._session.artifact_at(path) is None:
                absent[path] = Availability.CACHE if here else Availability.REMOTE if there else Availability.NOWHERE
        return SyncState(self.remote, absent, both, only_here, only_there, neither)

    def supply(self, spec: StageSpec, progress: Callable[[TransferCounts], object]) -> tuple[ArtifactPath, ...]:
        """Fetch and restore the missing inputs of a stage; return their paths.

        Args:
            spec: The stage.
            progress: Called with the progress.

        Raises:
            ArtifactError: An input is not available.
            ChangedError: Somebody has put a file in its place meanwhile.
            CacheError: A file cannot be written.
        """
        read = [*dep_paths(spec, self._graph, self), *(out.path for out in spec.outs if out.incremental)]
        wanted = {path: artifact for each in read for path, artifact in self._overlay.touching(each)}
        if wanted:
            stores, check = self._session.stores, ReplaceCheck()
            for path in wanted:
                check.look(stores.layout.artifact(path))
            for path, problem in self.fetch(wanted, progress).items():
                hint = "repeat the command to compute it again"
                raise ArtifactError(stores.layout.artifact(path), problem, hint=hint)
            plan = checkout.compare(wanted, {path: stores.look(path) for path in wanted})
            mode = stores.settings.checkout_mode
            checkout.apply(plan, stores.store, stores.layout, mode, files=stores.files, check=check)
        return tuple(sorted(wanted))

    def fetch(
        self, wanted: Mapping[ArtifactPath, Artifact], progress: Callable[[TransferCounts], object]
    ) -> dict[ArtifactPath, str]:
        """Fetch artifacts; return the reasons why some are unavailable, which count as missing from then on.

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
                problems[path] = str(outcome.failed.get(artifact.digest, f"{self._place} no longer has it"))
                self._there.discard(artifact)
        if problems:
            self._client.forget()  # the next run asks about everything
        return problems

    def has(self, artifact: Artifact) -> bool:
        """Whether the cache or the remote has this content completely."""
        if artifact in self._there or self._session.store.has_all(artifact):
            return True
        if self._asks:
            self._ask({artifact} - self._asked)
        return artifact in self._there

    def recorded(self, key: str) -> Iterator[RunRecord]:
        """The shared runs with these inputs, as far as known or if enabled; their outs are of the declared kinds."""
        if key not in self._shared:
            if not self._shares_runs:
                return
            self._find([key])
        for record in self._shared[key]:
            fitting = all(self._kinds.get(path) is artifact.tree for path, artifact in record.outs.items())
            if fitting and self._session.observed_code.hold(record.observed):
                yield record

    def _foresee(self, graph: Graph) -> None:
        """Look up shared results, together for all stages whose known inputs differ from their last run."""
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
        """The artifact at a path, or the one that the remote would provide there."""
        return self._overlay.look(path)

    def elsewhere(self, paths: Iterable[ArtifactPath]) -> dict[ArtifactPath, Artifact]:
        """Return the artifacts at some paths that are not on disk."""
        return {
            path: self._elsewhere[path]
            for path in paths
            if path in self._elsewhere and self._session.on_disk(path) is None
        }

    def lost(self, path: ArtifactPath, artifact: Artifact) -> bool:
        """Whether the artifact is really at a path, but not completely in the cache."""
        return self._session.artifact_at(path) is not None and self._session.lost(path, artifact)

    def artifact_in(self, directory: Artifact, path: str) -> Artifact | None:
        """The artifact at a relative path in a directory with this content, if there is one."""
        try:
            return self._listing(directory).at(path)
        except MissingObjectError:
            return super().artifact_in(directory, path)

    def files_matching(self, pattern: PathPattern) -> list[ArtifactPath]:
        """The files that match a pattern in the workspace, and in absent tracked directories."""
        absent = (
            (path, artifact)
            for path, artifact in self._elsewhere.items()
            if artifact.tree and path in self._tracked and pattern.may_match_in(path)
        )
        return list(dict.fromkeys((*super().files_matching(pattern), *matching_inside(pattern, absent, self))))

    def names_in(self, directory: Artifact) -> Iterable[str]:
        """The relative paths of the files in a directory with this content, if it is known."""
        try:
            return self._listing(directory).files
        except MissingObjectError:
            return super().names_in(directory)

    def file_values(self, path: ArtifactPath, artifact: Artifact, keys: Iterable[str]) -> "FileParamValues":
        """The values of keys in a file with this content, which is fetched if it is not here."""
        if self._session.on_disk(path) is None:
            with contextlib.suppress(ArtifactError):  # then it is missing
                self.fetch({path: artifact}, lambda _: None)
        return super().file_values(path, artifact, keys)

    def memory(self) -> Memory:
        """The results of earlier runs, in the cache or on the remote."""
        return _Memory(self, self._session.memory())

    def _ask(self, artifacts: set[Artifact]) -> None:
        if artifacts:
            ask = self._client.missing if self._ask_all else self._client.lacking
            self._there |= artifacts - ask(artifacts)
            self._asked |= artifacts

    def _listing(self, directory: Artifact) -> Tree:
        """The contents of a directory; a missing listing is fetched, but no files."""
        store = self._session.store
        try:
            return store.tree(directory)
        except MissingObjectError:
            self._client.fetch_listings([directory])
        return store.tree(directory)


@attrs.frozen(eq=False, repr=False)
class _Memory(Value):
    """The results of earlier runs, including those on the remote."""

    view: RemoteView
    local: Memory

    def recorded(self, key: str) -> Iterator[RunRecord]:
        yield from self.local.recorded(key)
        yield from self.view.recorded(key)

    def has(self, artifact: Artifact) -> bool:
        return self.view.has(artifact)
