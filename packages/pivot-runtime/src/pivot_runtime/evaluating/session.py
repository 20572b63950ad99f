"""Session of a command: the loaded stages and graph of a project, its open stores, and the view of its workspace."""

import contextlib
import functools
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

import attrs

from pivot_cache.errors import ArtifactError, CacheError
from pivot_cache.layout import Layout
from pivot_cache.objects.store import CacheMemory, ObjectStore
from pivot_core.code import PROGRAMS
from pivot_core.decide import Memory, Reason
from pivot_core.files.paths import ArtifactPath
from pivot_core.files.patterns import PathPattern
from pivot_core.graph import Graph
from pivot_core.lock import Artifact, CodeEntry, LibraryUse, Observation, RunRecord, StageLock
from pivot_core.spec import StageSpec
from pivot_runtime.artifacts import lock_files
from pivot_runtime.artifacts.obstacles import Obstacles
from pivot_runtime.artifacts.stores import Stores, open_stores
from pivot_runtime.context import CommandContext, Notice
from pivot_runtime.evaluating import matching_files
from pivot_runtime.evaluating.evaluate import Evaluation, StageView, evaluate
from pivot_runtime.history import events
from pivot_runtime.loading.assembly import Assembly
from pivot_runtime.project import targets
from pivot_runtime.project.project import Project

if TYPE_CHECKING:
    from pivot_cache.formats.tree import TreeDifference
    from pivot_cache.state.run_cache import RunCache
    from pivot_runtime.artifacts.stash import OutStash
    from pivot_runtime.evaluating.file_params import FileParamValues, ValuesFiles
    from pivot_runtime.evaluating.observed_code import ObservedCode
    from pivot_runtime.evaluating.source_texts import SourceTexts
    from pivot_runtime.evaluating.temporary_outs import TemporaryOuts
    from pivot_runtime.evaluating.uncommitted import UncommittedRuns

_OUT_REASONS: Final = frozenset({Reason.OUT_MISSING, Reason.OUT_MODIFIED})


class Session:
    """The loaded stages of a command, with the project's open stores.

    Attributes:
        context: The context of the command.
        project: Its project.
        schema: The version of all fingerprints.
        graph: The dependencies between stages.
        own: The addresses of the command's own stages; the graph also has all stages upstream of them.
        stages: The loaded stages, by address.
        stores: The open stores, and the settings.
        stashed: The outs that a killed run stashed, if they count as put back; otherwise None.
        will_be_restored: The requested paths that are in the stash.
        literal: A directory that was fetched only in part counts as it is instead of as missing.
        written: The directories that stages of this run wrote, which their lock files may not record yet.
        unreadable: The requested paths that cannot be read, with the problem.
        obstacles: The check for files in the way of outs.
        adopted: The addresses of stages whose locks lacked the code of their programs, and have it now.
    """

    def __init__(
        self,
        context: CommandContext,
        assembly: Assembly,
        stores: Stores,
        *,
        stashed: "OutStash | None" = None,
        literal: bool = False,
    ) -> None:
        """Work on the stages of an assembly; `open_session` opens the stores."""
        self.context = context
        self.project = context.project
        self.schema = assembly.schema
        self.graph = assembly.graph
        self.own = assembly.own
        self.stages = assembly.stages
        self.stores = stores
        self.stashed = stashed
        self.will_be_restored: set[ArtifactPath] = set()
        self.literal = literal
        self.written: dict[ArtifactPath, Artifact] = {}
        self.unreadable: dict[ArtifactPath, str] = {}
        self._missing_params: dict[ArtifactPath, str] = {}  # why, by their names, or the paths of their files
        self.obstacles = Obstacles(stores, context.read_set)
        self.adopted: set[str] = set()
        self._observed_code: ObservedCode | None = None
        self._source_texts: SourceTexts | None = None

    @property
    def uncommitted(self) -> "UncommittedRuns":
        """Return the runs that were not recorded."""
        from pivot_runtime.evaluating.uncommitted import UncommittedRuns  # lazy

        return UncommittedRuns(self.stores.layout)

    def uncommitted_now(self, addresses: Iterable[str]) -> Iterator[str]:
        """Return those stages whose outs are as their last run wrote them, which was not recorded."""
        directory = self.stores.layout.uncommitted_dir
        self.context.read_set.look(directory)
        if not directory.is_dir():
            return
        for address in self.uncommitted.addresses().intersection(addresses):
            found = self.uncommitted.get(address)
            if found is not None and all(self.artifact_at(path) == out for path, out in found[0].outs.items()):
                yield address

    @property
    def observed_code(self) -> "ObservedCode":
        """Return the current state of code that runs were observed to use."""
        if self._observed_code is None:
            from pivot_runtime.evaluating.observed_code import ObservedCode  # lazy

            self._observed_code = ObservedCode(self.project.root, self.project.layout.observed_code_file)
        return self._observed_code

    @property
    def source_texts(self) -> "SourceTexts":
        """Return the source texts that earlier runs depended on."""
        if self._source_texts is None:
            from pivot_runtime.evaluating.source_texts import SourceTexts  # lazy

            self._source_texts = SourceTexts(self.project.layout.source_texts_file, self.project.root)
        return self._source_texts

    def close(self) -> None:
        """Store the digests of observed code, and the source texts of stages that ran."""
        if self._observed_code is not None:
            self._observed_code.close()
        if self._source_texts is not None:
            self._source_texts.close()

    @property
    def store(self) -> ObjectStore:
        """Return the object store: contents by digest."""
        return self.stores.store

    @property
    def runs(self) -> "RunCache":
        """Return the run cache: results by inputs key."""
        return self.stores.runs

    def prefetch(self, graph: Graph) -> None:
        """Read together what the stat cache knows of the deps and outs of a graph's stages."""
        paths = [path for spec in graph.stages.values() for path in (*spec.deps, *(out.path for out in spec.outs))]
        self.stores.files.prefetch(self.stores.layout.artifact_paths(paths))

    def artifact_at(self, path: ArtifactPath) -> Artifact | None:
        """Return the artifact at ``path`` now, or None; a temporary out that the cache has counts as present.

        None also for a directory that was fetched only in part, and for an unreadable file, which is reported.
        """
        return self.on_disk(path) if self.temporary is None else self.temporary.look(path)

    @functools.cached_property
    def temporary(self) -> "TemporaryOuts | None":
        """Return the temporary outs of all stages; None if there are none."""
        if not any(out.temp for stage in self.stages.values() for out in stage.spec.outs):
            return None
        from pivot_runtime.evaluating.temporary_outs import TemporaryOuts  # lazy

        return TemporaryOuts(self.graph, self.stores, self.on_disk, self.lock, self.context.read_set.look)

    def restore_inputs(self, spec: StageSpec) -> None:
        """Restore the absent temporary outs that a stage reads.

        Raises:
            CacheError: The cache has lost one, or a file cannot be written.
        """
        if self.temporary is not None:
            self.restore_temporary(matching_files.dep_paths(spec, self.graph, self))

    def restore_temporary(self, paths: Iterable[ArtifactPath]) -> None:
        """Restore the absent temporary outs at, around or below some paths.

        Raises:
            CacheError: The cache has lost one, or a file cannot be written.
        """
        if self.temporary is not None:
            try:
                self.temporary.restore(paths)
            except CacheError:
                del self.temporary  # the next look finds what the cache still has
                raise

    def on_disk(self, path: ArtifactPath) -> Artifact | None:
        """Return the artifact that is really at ``path`` now, as `artifact_at`."""
        file = self.stores.layout.artifact_path(path)
        self.context.read_set.look(file)
        try:
            found = self.stores.files.artifact(file)
        except ArtifactError as error:
            self._report_unreadable(path, error)
            return None
        if found is None and self.stashed is not None:
            return self._from_stash(path, self.stashed)
        if found is not None and found.tree:
            self.context.read_set.tree(file, *self.stores.files.walked[file])
            if not self.literal and self.written.get(path) != found and self._is_unfetched(path, found):
                self.context.read_set.mark_incomplete("the cache matters, not only the workspace")
                return None
        return found

    @functools.cached_property
    def _values_files(self) -> "ValuesFiles":
        from pivot_runtime.evaluating.file_params import ValuesFiles  # lazy

        return ValuesFiles(self.context, self.stores)

    def file_values(self, path: ArtifactPath, artifact: Artifact, keys: Iterable[str]) -> "FileParamValues":
        """Return the values of keys in a file with this content; a problem is reported."""
        values = self._values_files.values(path, artifact, keys)
        self._missing_params |= values.missing
        return values

    def _is_unfetched(self, path: ArtifactPath, found: Artifact) -> bool:
        from pivot_runtime.artifacts.tracked import is_unfetched  # lazy

        return is_unfetched(self.context, self.stores, self.graph, path, found)

    def _report_unreadable(self, path: ArtifactPath, error: ArtifactError) -> None:
        """Report an unreadable path: it blocks the stage that writes it, and is missing for a stage that reads it."""
        self.context.read_set.mark_incomplete("a path cannot be read")
        self.context.notices.add(Notice(str(error), error.hint))
        at = os.path.relpath(error.path, self.project.layout.artifact(path))
        problem = f"it {error.problem}" if at == "." else f"{at} in it {error.problem}"
        self.unreadable[path] = error.problem if error.problem.startswith("the name of") else problem

    def _from_stash(self, path: ArtifactPath, stash: "OutStash") -> Artifact | None:
        waiting = stash.left(path)
        if waiting is None:
            return None
        self.context.read_set.mark_incomplete("the next run puts back outs of a killed one")
        self.will_be_restored.add(path)
        return self.stores.files.artifact(waiting)

    def lost(self, path: ArtifactPath, artifact: Artifact) -> bool:
        """Return whether an out is at a path, but not completely in the cache, which should have it."""
        del path
        return not self.store.has_all(artifact, self.context.read_set.look)

    def artifact_in(self, directory: Artifact, path: str) -> Artifact | None:
        """Return the artifact at a relative path in a directory with this content, if the cache knows one."""
        try:
            return self.store.tree(directory).at(path)
        except CacheError:
            return None

    def files_matching(self, pattern: PathPattern) -> list[ArtifactPath]:
        """Return the files in the workspace that match a pattern, and tracked data that do, even if absent."""
        return matching_files.workspace_files(pattern, self.context)

    def names_in(self, directory: Artifact) -> Iterable[str]:
        """Return the relative paths of the files in a directory with this content, if the cache knows it."""
        try:
            return self.store.tree(directory).files
        except CacheError:
            return ()

    def ingest(self, path: ArtifactPath, *, later: bool = False) -> Artifact:
        """Store the artifact at ``path`` in the cache; with ``later``, a small one may wait for `write_pending`.

        Raises:
            ArtifactError: No readable file is there.
        """
        return self.stores.ingest(self.project.layout.artifact_path(path), later=later)

    def keep(self, path: ArtifactPath) -> Artifact:
        """Store an artifact that exists nowhere else: flush its bytes to the disk before returning.

        Raises:
            ArtifactError: No readable file is there.
        """
        from pivot_runtime.artifacts import kept  # lazy

        return kept.keep(self.stores, path, "pivot repro")

    def taken(
        self, spec: StageSpec, lock: StageLock | None, outs: Mapping[ArtifactPath, Artifact | None]
    ) -> Mapping[ArtifactPath, str]:
        """Return the outs of a stage in whose places something is that no run may replace, with its description."""
        unreadable = {out.path: self.unreadable[out.path] for out in spec.outs if out.path in self.unreadable}
        return self.obstacles.of(spec, lock, outs) | unreadable

    def blocked(self, address: str, observation: Observation) -> events.StageBlocked:
        """Return the event for a stage that cannot run, or that is frozen without all its outs."""
        if observation.frozen:
            absent = tuple(path for path, artifact in observation.outs.items() if artifact is None)
            return events.StageBlocked(address, "", taken=observation.taken, frozen=absent)
        missing = observation.missing
        problems = {**self._missing_params, **self.unreadable}
        unreadable = {path: problems[path] for path in missing if path in problems}
        tracked = (path for path in missing if path not in unreadable and self.obstacles.tracked(path, within=False))
        return events.StageBlocked(address, "", tuple(missing), observation.taken, tuple(tracked), unreadable)

    def lock(self, address: str) -> StageLock | None:
        """Return the last run of a stage, or None."""
        lock = lock_files.read(self.context, address)
        if lock is None:
            return None
        spec = self.stages[address].spec if address in self.stages else None
        if spec is not None and lock.ran_at is not None and spec.ttl is not None:
            self.context.read_set.expire(lock.ran_at + spec.ttl)
        if spec is not None and PROGRAMS in self.stages[address].code and PROGRAMS not in lock.inputs.code:
            from pivot_runtime.evaluating.followed_programs import with_followed_programs  # lazy

            followed = with_followed_programs(lock, self.stages[address])
            if followed is not lock:
                self.adopted.add(address)
                lock = followed
        inputs = lock.inputs
        if spec is not None and not inputs.params.keys().isdisjoint(
            spec.uncounted_params
        ):  # they counted in the last run
            counted = {name: value for name, value in inputs.params.items() if name not in spec.uncounted_params}
            inputs = attrs.evolve(inputs, params=counted)
        if lock.libraries:
            inputs = attrs.evolve(inputs, library_versions=self.library_versions(lock.libraries))
        return lock if inputs is lock.inputs else attrs.evolve(lock, inputs=inputs)

    def retire(self) -> None:
        """Remove and report the lock files of former stages whose outs other stages write now."""
        writers = {out.path: address for address, stage in self.stages.items() for out in stage.spec.outs}
        lock_files.retire(self.context, self.stages.keys(), writers)

    def memory(self) -> CacheMemory:
        """Return the results of earlier runs in the cache."""
        return CacheMemory(self.store, lambda: self.runs, self._still_holds)

    def _still_holds(self, record: RunRecord) -> bool:
        return self.current_code(record.observed) == record.observed

    def current_code(self, observed: Mapping[str, CodeEntry]) -> Mapping[str, CodeEntry]:
        """Return the current state of code that a run was observed to use, without deleted code."""
        for file in {entry.location.file for entry in observed.values() if entry.location is not None}:
            self.context.read_set.look(self.project.root / file)
        return self.observed_code.current(observed) if observed else {}

    def library_versions(self, libraries: Mapping[str, LibraryUse]) -> Mapping[str, str]:
        """Return the part of each library's version that counts under the policy."""
        return self.stores.settings.relevant_versions(libraries)

    def resolve(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the addresses that targets mean, in graph order; the command's own stages if there are no targets."""
        wanted = list(names)
        if not wanted:
            return self.own
        return targets.resolve_targets(wanted, self.graph, root=self.project.root, cwd=self.project.cwd)

    def out_differences(self, evaluation: Evaluation) -> "dict[str, TreeDifference]":
        """Return, for each out that is a directory and differs from its last run's, the files that differ."""
        from pivot_runtime.artifacts.tracked import differing  # lazy

        found = {}
        recorded = evaluation.lock.outs if evaluation.lock is not None else {}
        for change in evaluation.decision.changes:
            path = ArtifactPath(change.key)
            if change.reason not in _OUT_REASONS or path not in recorded or not recorded[path].tree:
                continue
            with contextlib.suppress(ArtifactError):  # unreadable data have been reported
                now = self.stores.look(path)
                differs = differing(self.stores, path, recorded[path]) if now is not None and now.tree else None
                if differs is not None:
                    found[change.key] = differs
        return found

    def evaluate(
        self, addresses: Iterable[str], *, force: bool = False, view: StageView | None = None
    ) -> dict[str, Evaluation]:
        """Return the evaluations of these stages and all upstream of them, from another view if one is given."""
        graph = self.graph.select(self.graph.ancestors(addresses))
        self.prefetch(graph)
        return evaluate(graph, self.stages, view or self, schema=self.schema, force=force)


class SessionView:
    """A `StageView` that shows what its session finds: the base class of views that show some artifacts differently."""

    def __init__(self, session: Session) -> None:
        """View a session."""
        self._session = session

    def artifact_at(self, path: ArtifactPath) -> Artifact | None:
        """Return the artifact at a path now, or None."""
        return self._session.artifact_at(path)

    def artifact_in(self, directory: Artifact, path: str) -> Artifact | None:
        """Return the artifact at a relative path in a directory with this content, if the cache knows one."""
        return self._session.artifact_in(directory, path)

    def files_matching(self, pattern: PathPattern) -> list[ArtifactPath]:
        """Return the files in the workspace that match a pattern, and tracked data that do, even if absent."""
        return self._session.files_matching(pattern)

    def names_in(self, directory: Artifact) -> Iterable[str]:
        """Return the relative paths of the files in a directory with this content, if the cache knows it."""
        return self._session.names_in(directory)

    def lost(self, path: ArtifactPath, artifact: Artifact) -> bool:
        """Return whether an out is at a path, but not completely in the cache, which should have it."""
        return self._session.lost(path, artifact)

    def lock(self, address: str) -> StageLock | None:
        """Return the last run of a stage, or None."""
        return self._session.lock(address)

    def memory(self) -> Memory:
        """Return the results of earlier runs."""
        return self._session.memory()

    def taken(
        self, spec: StageSpec, lock: StageLock | None, outs: Mapping[ArtifactPath, Artifact | None]
    ) -> Mapping[ArtifactPath, str]:
        """Return the outs of a stage in whose places something is that no run may replace, with its description."""
        return self._session.taken(spec, lock, {path: self._on_disk(path) for path in outs})

    def current_code(self, observed: Mapping[str, CodeEntry]) -> Mapping[str, CodeEntry]:
        """Return the current state of code that a run was observed to use, without deleted code."""
        return self._session.current_code(observed)

    def library_versions(self, libraries: Mapping[str, LibraryUse]) -> Mapping[str, str]:
        """Return the part of each library's version that counts."""
        return self._session.library_versions(libraries)

    def file_values(self, path: ArtifactPath, artifact: Artifact, keys: Iterable[str]) -> "FileParamValues":
        """Return the values of keys in a file with this content."""
        return self._session.file_values(path, artifact, keys)

    def _on_disk(self, path: ArtifactPath) -> Artifact | None:
        """Return the artifact that the session finds at a path, whatever this view shows there."""
        return self._session.artifact_at(path)


@contextlib.contextmanager
def open_session(
    context: CommandContext,
    assembly: Assembly,
    *,
    as_next_run: bool = False,
    literal: bool = False,
    stores: Stores | None = None,
) -> Iterator[Session]:
    """Open a session over loaded pipelines; it stores what it has learned of their code at the end of the block.

    Args:
        context: The context of the command.
        assembly: Its pipelines.
        as_next_run: Show the artifacts that a run would find if it began now.
        literal: Show the artifacts that are on disk.
        stores: The open stores of the project, if the caller has opened them.
    """
    with open_stores(context) if stores is None else contextlib.nullcontext(stores) as opened:
        stashed = _stashed(context.project) if as_next_run else None
        with contextlib.closing(Session(context, assembly, opened, stashed=stashed, literal=literal)) as session:
            yield session


def has_stash(layout: Layout) -> bool:
    """Return whether outs of a killed run, or of a current one, are in the stash."""
    try:
        with os.scandir(layout.stash_dir) as entries:
            return next(entries, None) is not None
    except OSError:
        return False


def _stashed(project: Project) -> "OutStash | None":
    """Return the stash if a killed run left outs in it."""
    if not has_stash(project.layout):
        return None
    from pivot_runtime.artifacts.stash import OutStash  # lazy
    from pivot_runtime.project.guard import held  # lazy

    return None if held(project.layout.guard_file) else OutStash(project.layout)
