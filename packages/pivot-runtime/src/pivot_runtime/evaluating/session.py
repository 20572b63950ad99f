"""One command at work on a project: its loaded stages, graph, and the open stores."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from typing import TYPE_CHECKING

import attrs

from pivot_cache.errors import ArtifactError, CacheError
from pivot_cache.objects.run_memory import CacheMemory
from pivot_cache.objects.store import ObjectStore
from pivot_cache.state.run_cache import RunCache
from pivot_core.graph import Graph
from pivot_core.lock import Artifact, CodeEntry, LibraryUse, Observation, StageLock
from pivot_core.paths import ArtifactPath
from pivot_core.spec import StageSpec
from pivot_core.values import Value
from pivot_runtime.artifacts import lock_files
from pivot_runtime.artifacts.obstacles import Obstacles
from pivot_runtime.artifacts.unfetched import is_unfetched
from pivot_runtime.cache.stores import Stores, open_stores
from pivot_runtime.evaluating.evaluate import Evaluation, StageView, evaluate
from pivot_runtime.evaluating.observed_code import ObservedCode
from pivot_runtime.evaluating.source_texts import SourceTexts
from pivot_runtime.history import events
from pivot_runtime.loading.assembly import Assembly, assemble
from pivot_runtime.loading.loaded import LoadedStage
from pivot_runtime.project import targets
from pivot_runtime.project.project import Project
from pivot_runtime.project.unusable_files import Doubt

if TYPE_CHECKING:
    from pivot_runtime.artifacts.stash import OutStash


@attrs.frozen(eq=False, repr=False)
class Session(Value):
    """The open stores and views of a project that every command needs.

    Attributes:
        project: Where.
        schema: The version of all fingerprints.
        graph: How the stages depend on each other.
        own: The addresses of the command's own stages; the graph has also what they depend on.
        stages: By address.
        stores: Where contents and results are kept, and the configuration.
        rechecker: The current state of code that runs were observed to depend on.
        forms: The source texts that earlier runs depended on.
        left: The outs that a killed run has set aside count as put back, for a read-only command.
        to_come: Those of them that have been looked for and found.
        literal: A directory of which something is not here is another directory, and not missing.
        unreadable: Those that have been looked for and cannot be read, and why.
        obstacles: Looks for what is in the way of outs.
    """

    project: Project
    schema: int
    graph: Graph
    own: tuple[str, ...]
    stages: Mapping[str, LoadedStage]
    stores: Stores
    rechecker: ObservedCode
    forms: SourceTexts
    left: "OutStash | None" = None
    to_come: set[ArtifactPath] = attrs.field(factory=set)
    literal: bool = False
    unreadable: dict[ArtifactPath, str] = attrs.field(factory=dict)
    obstacles: Obstacles = attrs.field(init=False, eq=False, repr=False)

    @obstacles.default
    def _obstacles(self) -> Obstacles:
        return Obstacles(self.stores, self.project.notes)

    @property
    def store(self) -> ObjectStore:
        """Contents by digest."""
        return self.stores.store

    @property
    def runs(self) -> RunCache:
        """Results by inputs key."""
        return self.stores.runs

    def look(self, path: ArtifactPath) -> Artifact | None:
        """The artifact at ``path`` now, or None, also for a partly fetched directory.

        And for what cannot be read, which is reported.
        """
        file = self.stores.layout.artifact(path)
        self.project.notes.look(file)
        try:
            found = self.stores.look(path)
        except ArtifactError as error:
            self._pass_over(path, error)
            return None
        if found is None and self.left is not None:
            return self._left(path, self.left)
        if found is not None and found.tree:
            self.project.notes.tree(file, *self.stores.files.walked[file])
            if not self.literal and is_unfetched(self.project, self.stores, self.graph, path, found):
                self.project.notes.partial = True  # it depends on what the cache has
                return None
        return found

    def _pass_over(self, path: ArtifactPath, error: ArtifactError) -> None:
        """An unreadable path blocks the stage that writes there, and is missing for one that reads it."""
        self.project.notes.partial = True
        self.project.doubts.add(Doubt(str(error), error.hint, grave=False))
        at = os.path.relpath(error.path, self.project.layout.artifact(path))
        told = f"it {error.problem}" if at == "." else f"{at} in it {error.problem}"
        self.unreadable[path] = error.problem if error.problem.startswith("the name of") else told

    def _left(self, path: ArtifactPath, left: "OutStash") -> Artifact | None:
        waiting = left.left(path)
        if waiting is None:
            return None
        self.project.notes.partial = True  # when it has been put back, this is not so for the same reason
        self.to_come.add(path)
        return self.stores.files.artifact(waiting)

    def lost(self, path: ArtifactPath, artifact: Artifact) -> bool:
        """Whether the cache does not hold all of what is at a path, and it should keep."""
        del path
        return not self.store.holds(artifact, self.project.notes.look)

    def inside(self, directory: Artifact, path: str) -> Artifact | None:
        """The artifact at a relative path in a directory with this content, if there is one and the cache knows it."""
        try:
            return self.store.tree(directory).at(path)
        except CacheError:
            return None

    def ingest(self, path: ArtifactPath) -> Artifact:
        """Store what is at ``path``, and remember what it is.

        Raises:
            ArtifactError: There is nothing that can be read.
        """
        return self.stores.ingest(self.project.layout.artifact(path))

    def keep(self, path: ArtifactPath) -> Artifact:
        """As `ingest`, for what exists nowhere else: it is on the disk when this returns.

        Raises:
            ArtifactError: There is nothing that can be read.
        """
        from pivot_runtime.artifacts import kept  # noqa: PLC0415  # start-up time: seldom is anything in the way

        return kept.keep(self.stores, path, "pivot repro")

    def taken(
        self, spec: StageSpec, lock: StageLock | None, outs: Mapping[ArtifactPath, Artifact | None]
    ) -> Mapping[ArtifactPath, str]:
        """Those outs of a stage in whose place is what no run may replace, and what that is."""
        unreadable = {out.path: self.unreadable[out.path] for out in spec.outs if out.path in self.unreadable}
        return self.obstacles.of(spec, lock, outs) | unreadable

    def blocked(self, address: str, observation: Observation) -> events.StageBlocked:
        """The report of a stage that cannot run."""
        missing = observation.missing
        unreadable = {path: self.unreadable[path] for path in missing if path in self.unreadable}
        tracked = (path for path in missing if path not in unreadable and self.obstacles.tracked(path, within=False))
        return events.StageBlocked(address, "", tuple(missing), observation.taken, tuple(tracked), unreadable)

    def lock(self, address: str) -> StageLock | None:
        """The last run of a stage, or None."""
        lock = lock_files.read(self.project, address)
        if lock is None or not lock.libraries:
            return lock
        return attrs.evolve(lock, inputs=attrs.evolve(lock.inputs, packages=self.counted(lock.libraries)))

    def retire(self) -> None:
        """Remove the lock files of stages that are gone, and whose outs others write now, and tell it."""
        writers = {out.path: address for address, stage in self.stages.items() for out in stage.spec.outs}
        lock_files.retire(self.project, self.stages.keys(), writers)

    def memory(self) -> CacheMemory:
        """The results of earlier runs in the cache."""
        return CacheMemory(self.store, self.runs, lambda record: self.recheck(record.observed) == record.observed)

    def recheck(self, observed: Mapping[str, CodeEntry]) -> Mapping[str, CodeEntry]:
        """The current state of code that a run was observed to depend on; deleted code is left out."""
        for file in {entry.location.file for entry in observed.values() if entry.location is not None}:
            self.project.notes.look(self.project.root / file)
        return self.rechecker.now(observed) if observed else {}

    def counted(self, libraries: Mapping[str, LibraryUse]) -> Mapping[str, str]:
        """As much of each library's version as counts under the policy."""
        return self.stores.settings.counted(libraries)

    def resolve(self, names: Iterable[str]) -> tuple[str, ...]:
        """The addresses that targets mean, in graph order; the command's own stages if there are none."""
        wanted = list(names)
        if not wanted:
            return self.own
        return targets.resolve(wanted, self.graph, root=self.project.root, cwd=self.project.cwd)

    def evaluate(
        self, addresses: Iterable[str], *, force: bool = False, world: StageView | None = None
    ) -> dict[str, Evaluation]:
        """The verdicts on these stages and all that they depend on; in another world, if one is given."""
        graph = self.graph.select(self.graph.ancestors(addresses))
        return evaluate(graph, self.stages, world or self, schema=self.schema, force=force)


@contextmanager
def opened(
    project: Project,
    assembly: Assembly,
    *,
    foreseeing: bool = False,
    literal: bool = False,
    stores: Stores | None = None,
) -> Iterator[Session]:
    """A session over what was loaded; what it learned of files is remembered at the end.

    Args:
        project: The project.
        assembly: Its pipelines.
        foreseeing: Things are seen as a run would find them that began now.
        literal: Things are seen as they are on disk.
        stores: The open stores of the project, if the caller has opened them.
    """
    rechecker = ObservedCode(project.root, project.layout.database_dir / "observed.json")
    with closing(rechecker), open_stores(project) if stores is None else nullcontext(stores) as opened_stores:
        yield Session(
            project=project,
            schema=assembly.schema,
            graph=assembly.graph,
            own=assembly.own,
            stages=assembly.stages,
            stores=opened_stores,
            rechecker=rechecker,
            forms=SourceTexts(project.layout.database_dir / "forms.sqlite"),
            left=_left(project) if foreseeing else None,
            literal=literal,
        )


def _left(project: Project) -> "OutStash | None":
    """The outs that a killed run has set aside."""
    directory = project.layout.database_dir / "aside"
    try:
        with os.scandir(directory) as entries:
            if next(entries, None) is None:
                return None
    except OSError:
        return None
    from pivot_runtime.artifacts.stash import OutStash  # noqa: PLC0415  # start-up time: it seldom comes to this
    from pivot_runtime.project.guard import held  # noqa: PLC0415

    return None if held(project.layout.guard_file) else OutStash(directory, project.root)


@contextmanager
def loading(  # noqa: PLR0913  # each is a wish of the command
    project: Project,
    *,
    everything: bool = False,
    quiet: bool = False,
    fresh: bool = False,
    slow: Callable[[float, str], None] | None = None,
    guard: int | None = None,
    without: Callable[[], object] = lambda: False,
) -> Iterator[Assembly]:
    """Load the pipelines of a command, as `assemble`; the warm hosts live until the end of the block."""
    assembly = assemble(
        project, everything=everything, quiet=quiet, fresh=fresh, slow=slow, guard=guard, without=without
    )
    try:
        yield assembly
    finally:
        assembly.close()
