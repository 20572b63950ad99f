"""The part of a run that is on a cluster: which stages are sent, and where their outs are."""

import functools
import secrets
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from pivot_cache.errors import ArtifactError
from pivot_cache.state import left_outs
from pivot_core.files.paths import ArtifactPath
from pivot_core.files.patterns import PathPattern
from pivot_core.graph import Graph
from pivot_core.lock import Artifact, RunRecord
from pivot_core.plan import resource_needs
from pivot_core.spec import METRIC, PLOT, OutSpec, StageSpec
from pivot_runtime.cluster import home_transport, sent_runs
from pivot_runtime.cluster.home_transport import HomeTransport
from pivot_runtime.cluster.view import CacheOnly, ClusterView
from pivot_runtime.evaluating.matching_files import matching
from pivot_runtime.evaluating.session import Session
from pivot_runtime.history import events
from pivot_runtime.history.events import Reporter
from pivot_runtime.processes.cpu_count import default_jobs
from pivot_runtime.sharing.pull_inputs import report_progress

LOCAL: Final = "local"
"""The name of this machine as an executor."""
_JOBS: Final = 1000
"""The most stages under way at once unless `-j` says otherwise; a cluster that grows with its load must see it."""
_HERE: Final = "here"
"""The resource of which each stage that runs on this machine uses one."""


def is_cluster(address: str | None) -> bool:
    """Whether an executor is another machine, or acts as such."""
    return bool(address) and address != LOCAL


def is_home(spec: StageSpec, path: ArtifactPath) -> bool:
    """Whether an out comes home at once: it is not in the cache, or people look at it."""
    return any(out.path == path and (not out.cache or out.kind in (METRIC, PLOT)) for out in spec.outs)


class ClusterRun:
    """The part of one run that is on a cluster.

    Attributes:
        address: The address of the executor.
        run: The ID of the run.
        jobs: The most stages under way at once.
        report: Called with what happens on the cluster.
        keep_failed: Stages that fail store their outs, too, if they have written all.
    """

    def __init__(  # noqa: PLR0913  # the wishes of a run
        self,
        session: Session,
        graph: Graph,
        address: str,
        report: Reporter,
        *,
        jobs: int | None,
        fetch_outs: bool,
        keep_failed: bool,
    ) -> None:
        """Describe it; nothing is sent, and no connection to the executor is opened.

        Raises:
            ConfigError: The way of the bytes is not configured well.
        """
        self._session, self._graph, self.report = session, graph, report
        self.address = address
        self.run = secrets.token_hex(8)
        self.jobs = jobs or _JOBS
        self._jobs_here = jobs or session.stores.settings.run_jobs or default_jobs()
        self._fetch_outs = fetch_outs
        self.keep_failed = keep_failed
        self._left: dict[ArtifactPath, Artifact] = {}

    @functools.cached_property
    def transport(self) -> HomeTransport:
        """The way of bytes."""
        return home_transport.transport_of(self._session, self.address, self.run)

    @functools.cached_property
    def view(self) -> ClusterView:
        """The facts for decisions; asks about what is recorded and missing here.

        Raises:
            RemoteError: The remote does not answer.
        """
        keys = sent_runs.read(self._session.stores.layout)
        return ClusterView(self._session, self._graph, self.transport.source, keys)

    def takes(self, address: str) -> bool:
        """Whether a stage is sent to the cluster."""
        return self._graph.stages[address].executor != LOCAL

    def needs(
        self, specs: Iterable[StageSpec], capacities: Mapping[str, int]
    ) -> tuple[dict[str, dict[str, int]], dict[str, int]]:
        """The needs and capacities for the plan: the cluster has its own resources, and this machine its own jobs."""
        specs = list(specs)
        here = [spec for spec in specs if not self.takes(spec.address)]
        found = {address: {**each, _HERE: 1} for address, each in resource_needs(here, capacities).items()}
        for spec in specs:
            found.setdefault(spec.address, {f"mutex {group}": 1 for group in spec.mutex})
        return found, {**capacities, _HERE: self._jobs_here}

    def uncounted(self, spec: StageSpec) -> dict[ArtifactPath, Artifact]:
        """The current content of the deps of a stage that do not count as inputs, but which it reads."""
        found: dict[ArtifactPath, Artifact | None] = {}
        for path in spec.uncounted:
            if isinstance(path, PathPattern):
                found |= matching(path, self._graph, self.view)
            else:
                found[path] = self.view.artifact_at(path)
        return {path: artifact for path, artifact in found.items() if artifact is not None}

    def accept(self, address: str, outs: Mapping[ArtifactPath, Artifact]) -> None:
        """Count the outs of a stage as present; those that the cache does not keep are here, and perhaps only here.

        Raises:
            CacheError: It cannot be noted where they are.
        """
        spec = self._graph.stages[address]
        kept = {out.path: outs[out.path] for out in spec.outs if out.cache}
        self.view.add(kept)
        self._left |= kept
        if self.transport.outs_stay:
            stay = {path: left_outs.content_of(each) for path, each in kept.items() if not is_home(spec, path)}
            left_outs.add(self._session.stores.layout, stay)

    def adopt(self, address: str, record: RunRecord) -> bool:
        """Take up a result that the cluster has, without bringing it here; return whether that is possible.

        It is not if something is in the place of an out.

        Raises:
            ArtifactError: An out that must come home cannot be brought.
        """
        spec = self._graph.stages[address]
        if not (self.takes(address) and self.transport.outs_stay):
            return False
        if any(self._session.on_disk(path) is not None for path in record.outs):
            return False
        self.bring(address, {path: artifact for path, artifact in record.outs.items() if is_home(spec, path)})
        self.accept(address, record.outs)
        return True

    def bring(self, address: str, outs: Mapping[ArtifactPath, Artifact]) -> None:
        """Fetch outs of a stage, and put them at their paths.

        Raises:
            CacheError: One cannot be fetched or written.
        """
        if not outs:
            return
        progress = report_progress(address, self.view.remote, self.report)
        for path, problem in self.view.fetch(outs, progress).items():
            raise ArtifactError(self._session.stores.layout.artifact(path), problem)
        home_transport.place(self._session, outs, self.report)

    def bring_all(self, address: str, outs: Mapping[ArtifactPath, Artifact]) -> bool:
        """Bring the outs of a stage that failed, and return True; if some are missing, return False.

        Raises:
            CacheError: One cannot be fetched or written.
        """
        if any(out.path not in outs for out in self._graph.stages[address].outs):
            return False
        self.bring(address, outs)
        return True

    def finish(self, current: Collection[str]) -> None:
        """At the end of a run, bring all outs of current stages if that is wanted, or report that some are elsewhere.

        Raises:
            CacheError: One cannot be fetched or written.
        """
        sent_runs.clear(self._session.stores.layout)
        if not self.transport.outs_stay:
            return
        self.transport.stored(set(self._left.values()))
        outs = [out for address in current for out in self._graph.stages[address].outs if out.cache]
        if self._fetch_outs:
            self.bring("", self.view.elsewhere(out.path for out in outs if not out.temp))
        elsewhere = self.view.elsewhere(out.path for out in outs)
        self._note(outs, elsewhere)
        temporary = {out.path for out in outs if out.temp}
        left = self._left.keys() & elsewhere.keys() - temporary
        if left and not self._fetch_outs:
            remote = "" if isinstance(self.transport.source, CacheOnly) else self.view.remote
            self.report(events.OutsElsewhere(len(left), remote, "pivot pull" if remote else "pivot checkout"))

    def _note(self, outs: Iterable[OutSpec], elsewhere: Mapping[ArtifactPath, Artifact]) -> None:
        """Note which outs of current stages runs have left elsewhere, for runs without a cluster.

        Those that somebody has deleted here are not among them.
        """
        layout = self._session.stores.layout
        before, known = left_outs.read(layout), {out.path for out in outs}
        others = {path: content for path, content in before.items() if path not in known}
        now = {path: left_outs.content_of(artifact) for path, artifact in elsewhere.items()}
        left = {path: content for path, content in now.items() if path in self._left or before.get(path) == content}
        left_outs.replace(layout, others | left, before)

    def close(self) -> None:
        """Remove what was left for workers."""
        if "transport" in self.__dict__:
            self.transport.close()
