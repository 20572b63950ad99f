"""One command at work on a project: its loaded stages, graph, and the open stores."""

import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import attrs

from pivot_cache import lockfiles
from pivot_cache.memory import CacheMemory
from pivot_cache.runcache import RunCache
from pivot_cache.store import ObjectStore
from pivot_core.graph import Graph
from pivot_core.lock import Artifact, CodeEntry, LibraryUse, StageLock
from pivot_core.paths import ArtifactPath
from pivot_core.stage import StageError
from pivot_engine import hosting, targets
from pivot_engine.forms import FormStore
from pivot_engine.hosting import HostProcess
from pivot_engine.loaded import Loaded, LoadedStage
from pivot_engine.observe import Evaluation, evaluate
from pivot_engine.observed import Rechecker
from pivot_engine.project import Project
from pivot_engine.stores import Stores
from pivot_engine.stores import opened as opened_stores


@attrs.frozen
class Session:
    """What every command needs of a project.

    Attributes:
        project: Where.
        loaded: What was imported.
        graph: How the stages hang together.
        stages: By address.
        stores: Where contents and results are kept, and the configuration.
        rechecker: What became of code that runs were seen to rest on.
        forms: The source texts that earlier runs rested on.
    """

    project: Project
    loaded: Loaded
    graph: Graph
    stages: Mapping[str, LoadedStage]
    stores: Stores
    rechecker: Rechecker
    forms: FormStore

    @property
    def store(self) -> ObjectStore:
        """Contents by digest."""
        return self.stores.store

    @property
    def runs(self) -> RunCache:
        """Results by inputs key."""
        return self.stores.runs

    def look(self, path: ArtifactPath) -> Artifact | None:
        """What lies at ``path`` now, or None."""
        return self.stores.look(path)

    def ingest(self, path: ArtifactPath) -> Artifact:
        """Store what lies at ``path``, and remember what it is.

        Raises:
            ArtifactError: There is nothing that can be read.
        """
        return self.stores.ingest(self.project.layout.artifact(path))

    def lock(self, address: str) -> StageLock | None:
        """The last run of a stage, or None."""
        lock = lockfiles.read(self.project.layout.lock_file(address))
        if lock is None or not lock.libraries:
            return lock
        return attrs.evolve(lock, inputs=attrs.evolve(lock.inputs, packages=self.counted(lock.libraries)))

    def memory(self) -> CacheMemory:
        """What earlier runs left in the cache."""
        return CacheMemory(self.store, self.runs, lambda record: self.rechecker.hold(record.observed))

    def recheck(self, observed: Mapping[str, CodeEntry]) -> Mapping[str, CodeEntry]:
        """What became of code that a run was seen to rest on; what is gone is left out."""
        return self.rechecker.now(observed)

    def counted(self, libraries: Mapping[str, LibraryUse]) -> Mapping[str, str]:
        """As much of each library's version as counts under the policy."""
        policy = self.stores.settings.packages
        return {name: part for name, use in libraries.items() if (part := policy.of(use.version)) is not None}

    def resolve(self, names: Iterable[str]) -> tuple[str, ...]:
        """The addresses that targets mean; all stages if there are none."""
        return targets.resolve(names, self.graph, root=self.project.root, cwd=self.project.cwd)

    def evaluate(self, addresses: Iterable[str], *, force: bool = False) -> dict[str, Evaluation]:
        """What would have to happen to these stages and all that they rest on."""
        graph = self.graph.select(self.graph.ancestors(addresses))
        return evaluate(graph, self.stages, self, schema=self.loaded.schema, force=force)


def _refuse_sources(graph: Graph, loaded: Loaded, root: pathlib.Path) -> None:
    """No stage may overwrite the code that was imported.

    Raises:
        StageError: One declares to.
    """
    for path, address in graph.producers.items():
        if str(root / path) in loaded.sources:
            spec = graph.stages[address]
            problem = f"its out {str(path)!r} is a source file of the pipeline"
            raise StageError(spec.name, spec.location, problem, hint="let it write elsewhere")


@contextmanager
def opened(project: Project, loaded: Loaded) -> Iterator[Session]:
    """A session over what was loaded; what it learned of files is remembered at the end."""
    graph = Graph.build(stage.spec for stage in loaded.stages)
    _refuse_sources(graph, loaded, project.root)
    with opened_stores(project) as stores:
        yield Session(
            project=project,
            loaded=loaded,
            graph=graph,
            stages={stage.spec.address: stage for stage in loaded.stages},
            stores=stores,
            rechecker=Rechecker(project.root),
            forms=FormStore(project.layout.database_dir / "forms.sqlite"),
        )


@contextmanager
def loading(
    project: Project, *, quiet: bool = False, slow: Callable[[], None] = lambda: None
) -> Iterator[tuple[Loaded, HostProcess]]:
    """Load the command's pipeline; the warm host lives until the end of the block.

    Args:
        project: Where.
        quiet: Drop what the user's code prints while it is imported.
        slow: Called once if the import takes long.
    """
    file: pathlib.Path = project.pipeline_file()
    loaded, host = hosting.load(project.root, file, quiet=quiet, slow=slow)
    try:
        yield loaded, host
    finally:
        host.close()
