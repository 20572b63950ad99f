"""Assembly of the pipelines that a command needs: its own, and those that write the deps of others."""

import collections
import contextlib
import functools
import os
import pathlib
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Self

import attrs

from pivot_core.errors import DiscoveryError
from pivot_core.graph import Graph, refuse_contradictions, refuse_unknown_names
from pivot_core.params.overrides import Override
from pivot_core.values import Value
from pivot_runtime.config.settings import WorkerStart
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import BrokenPipeline, ImportRequiredError
from pivot_runtime.freshness.load_trace import LoadTrace
from pivot_runtime.loading.import_reports import ImportReports
from pivot_runtime.loading.loaded import Loaded, LoadedStage, check_overrides, refuse_same_names, refuse_sources
from pivot_runtime.loading.snapshot import Snapshots
from pivot_runtime.loading.upstream import UpstreamSearch
from pivot_runtime.project import pipeline_files, stage_index
from pivot_runtime.project.frozen import read_frozen
from pivot_runtime.project.project import Project

if TYPE_CHECKING:
    from pivot_runtime.history.events import ImportReporter
    from pivot_runtime.loading.host_client import HostClient
    from pivot_runtime.loading.host_pool import HostStarter, LazyHost


@attrs.frozen(eq=False, repr=False)
class LoadedFile(Value):
    """One pipeline file and its content.

    Attributes:
        file: The file.
        loaded: Its content.
        stamps: The stamps that files have as long as they are as the load read them.
    """

    file: pathlib.Path
    loaded: Loaded
    stamps: Mapping[str, str] = attrs.field(factory=dict, eq=False, repr=False)


@attrs.frozen(eq=False, repr=False)
class Assembly(Value):
    """The pipelines and stages that a command works on.

    Attributes:
        files: Every pipeline file that was loaded, the command's own first.
        own: The addresses of the command's own stages.
        graph: These stages, and all that they depend on.
        stages: The stages of every loaded file, by address.
        broken: The pipelines that could not be loaded.
        loader: The loader, which has the hosts of the files; None if no stage can run.
    """

    files: tuple[LoadedFile, ...]
    own: tuple[str, ...]
    graph: Graph
    stages: Mapping[str, LoadedStage]
    broken: tuple[BrokenPipeline, ...] = ()
    loader: "_Loader | None" = None

    @property
    def load_traces(self) -> tuple[LoadTrace, ...]:
        """Return the traces of the loads."""
        return tuple(each.loaded.trace for each in self.files if each.loaded.trace is not None)

    @property
    def schema(self) -> int:
        """Return the version of all fingerprints."""
        return self.files[0].loaded.schema if self.files else 0

    def host_of(self, address: str) -> "HostClient":
        """Return the host that can run a stage.

        Raises:
            ImportRequiredError: No host may be started.
            StaleSnapshotError: It was started just now, and its load differs from the snapshot.
        """
        if self.loader is None:
            raise ImportRequiredError
        return self.loader.host_of(self._homes[address]).process()

    @functools.cached_property
    def _homes(self) -> Mapping[str, LoadedFile]:
        return {stage.spec.address: each for each in self.files for stage in each.loaded.stages}

    def store(self) -> None:
        """Store the loads for the next command, if that has not been done."""
        if self.loader is not None:
            self.loader.snapshots.write()

    def close(self) -> None:
        """Store the loads, and end all hosts."""
        if self.loader is not None:
            self.loader.close()


@attrs.frozen(eq=False, repr=False)
class LoadOptions(Value):
    """Options of a load.

    Attributes:
        all_pipelines: Load every pipeline of the project, not only that of the command's directory.
        may_be_empty: Called where the project has no pipeline at all: whether that is fine, and there are no stages.
        quiet: Drop the output of the user's code during the import.
        force_import: Import all pipelines, even those that have not changed since the last load.
        static_loader: Called instead of an import, with a file without a snapshot; returns its content.
        on_import: Called with the events of imports; by default, that of the context is called.
        guard: The project's guard, which the hosts hold as well.
        runs_stages: The command runs stages in the hosts; with `warm: on`, it starts the process for the next command.
        while_importing: Called once, when the first host has begun to import, to do other work meanwhile.
        while_loading: Called once after that, with the addresses of the stages that the last loads found, to do other
            work as long as the second argument returns True: nothing has been loaded yet.
    """

    all_pipelines: bool = False
    may_be_empty: Callable[[], object] = lambda: False
    quiet: bool = False
    force_import: bool = False
    static_loader: Callable[[pathlib.Path], Loaded] | None = None
    on_import: "ImportReporter | None" = None
    guard: int | None = None
    runs_stages: bool = False
    while_importing: Callable[[], object] = lambda: None
    while_loading: Callable[[Iterable[str], Callable[[], bool]], object] = lambda _, __: None


def assemble(context: CommandContext, options: LoadOptions | None = None) -> Assembly:
    """Load the pipeline of the command's directory, or every pipeline of the project, and all that they depend on.

    Raises:
        ImportRequiredError: The static loader cannot load a file.
        LoadError: One of the command's own pipelines cannot be imported.
        PivotError: There is no pipeline, a definition is wrong, or two pipelines contradict each other.
    """
    assembly = _assemble(context, options or LoadOptions())
    assembly.store()
    return assembly


def _assemble(context: CommandContext, options: LoadOptions) -> Assembly:
    overrides = [Override.parse(text) for text in context.overrides]
    with _Loader(context, options) as loader:
        loader.load_all(_files(context, options))
        count = len(loader.files)
        upstream = UpstreamSearch(context, loader)
        upstream.follow()
        index_missing = not context.project.layout.known_stages_file.exists()
        if options.static_loader is None and (loader.imported or index_missing):
            _remember(context.project, loader.files)
            loader.loaded_together()
        if overrides:
            files = [(each.file, each.loaded) for each in loader.files]
            check_overrides(overrides, files, upstream.unread, context.project.root)
        if options.static_loader is None:
            specs = {stage.spec.address: stage.spec for each in loader.files for stage in each.loaded.stages}
            refuse_unknown_names(specs.values(), specs, upstream.unread)
        frozen = read_frozen(context.project.layout, context.read_set)
        assembly = assembled(context.project.root, loader.files, own=count, frozen=frozen)
        broken = tuple(upstream.broken(assembly.graph))
        return attrs.evolve(assembly, broken=broken, loader=loader.release())


@contextlib.contextmanager
def load_pipelines(context: CommandContext, options: LoadOptions | None = None) -> Iterator[Assembly]:
    """Load pipelines as `assemble` does; at the end of the block, `Assembly.store` the loads and end the hosts."""
    assembly = _assemble(context, options or LoadOptions())
    try:
        yield assembly
    finally:
        assembly.close()


def _files(context: CommandContext, options: LoadOptions) -> list[pathlib.Path]:
    """Return the command's own pipeline files; none if the project has none and may be empty."""
    if not options.all_pipelines:
        try:
            return [pipeline_files.nearest(context.project, context.read_set)]
        except DiscoveryError:
            if any(True for _ in pipeline_files.every(context.project, context.read_set)) or not options.may_be_empty():
                raise
            return []
    files = list(pipeline_files.every(context.project, context.read_set))
    if not files and not options.may_be_empty():
        raise DiscoveryError(
            f"no pipeline.py or pivot.yaml anywhere in {context.project.root}",
            hint="describe your stages in a pipeline.py or a pivot.yaml",
        )
    return files


def _remember(project: Project, files: Iterable[LoadedFile]) -> None:
    """Store the addresses of the stages for completion."""
    addresses = {
        str(each.file.relative_to(project.root)): [stage.spec.address for stage in each.loaded.stages] for each in files
    }
    stage_index.remember(project.layout, addresses)


def assembled(root: pathlib.Path, files: Sequence[LoadedFile], *, own: int, frozen: Container[str] = ()) -> Assembly:
    """Return the loaded pipelines as one graph; the first ``own`` files are the command's own.

    The stages with the addresses ``frozen`` are frozen.

    Raises:
        PivotError: Two of them contradict each other.
    """
    refuse_same_names([(each.file, each.loaded) for each in files], root)
    stages = [stage.kept_frozen(frozen) for each in files for stage in each.loaded.stages]
    graph = Graph.build(stage.spec for stage in stages)
    refuse_contradictions(graph)
    refuse_sources(graph, [each.loaded for each in files], root)
    asked = {stage.spec.address for each in files[:own] for stage in each.loaded.stages}
    return Assembly(
        tuple(files),
        tuple(address for address in graph.stages if address in asked),
        graph.select(graph.ancestors(asked)),
        {stage.spec.address: stage for stage in stages},
    )


class _Loader:
    """Loads files, each once; an error ends all their hosts.

    Attributes:
        files: The loaded files.
        tried: The files that were loaded, and those that could not be.
        imported: Whether any was imported.
    """

    def __init__(self, context: CommandContext, options: LoadOptions) -> None:
        self.files: list[LoadedFile] = []
        self.tried: set[pathlib.Path] = set()
        self.imported = False
        self._context = context
        self._root = context.project.root
        self._overrides = context.overrides
        self._import_reports = ImportReports(context, options.on_import or context.on_import)
        self._static_loader = options.static_loader
        self._options = options
        self._starter: HostStarter | None = None
        self._hosts: dict[pathlib.Path, LazyHost] = {}
        self.snapshots = Snapshots(context.project.layout.snapshots_dir, context.environment)
        self._use_snapshots = not options.force_import and context.use_snapshots and context.settings.snapshot
        self._forks_stages = options.runs_stages and context.settings.worker_start is WorkerStart.FORK
        self._released = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._released:
            try:
                self.snapshots.write()
            finally:
                for host in self._hosts.values():
                    host.kill()
                if self._starter is not None:
                    self._starter.close()

    def release(self) -> Self:
        """Leave the hosts to the caller, who must `close` them."""
        self._released = True
        return self

    def close(self) -> None:
        """End all hosts and their starter; store what they have loaded while they end."""
        for host in self._hosts.values():
            host.begin_to_close()
        try:
            self.snapshots.write()
        finally:
            if self._starter is not None:
                self._starter.close()
            for host in self._hosts.values():
                host.close()

    def host_of(self, of: LoadedFile) -> "LazyHost":
        """Return the host that can run the stages of a file."""
        host = self._hosts.get(of.file)
        if host is None:
            host = self._hosts[of.file] = self._new_host(of.file, of.loaded)
        return host

    def load(self, file: pathlib.Path) -> LoadedFile:
        """Load one file."""
        self.tried.add(file)
        return self._known(file) or self._import(file)

    def _known(self, file: pathlib.Path) -> LoadedFile | None:
        """Return a file whose last load still holds, or None."""
        if not self._use_snapshots:
            return None
        found = self.snapshots.find(file, self._overrides)
        if found is None:
            return None
        self._context.read_set.add(found.check.stamps)
        return self._add(LoadedFile(file, found.loaded, found.check.unchanged))

    def _add(self, each: LoadedFile, process: "HostClient | None" = None) -> LoadedFile:
        file, loaded, pool = each.file, each.loaded, self._context.host_pool
        host = pool.take(file, loaded) if pool is not None and process is None else None
        if host is None and (pool is not None or process is not None):
            host = self._new_host(file, loaded, process)
        if host is not None:
            self._hosts[file] = host
            if pool is not None:
                pool.put(file, host)
        self.files.append(each)
        return each

    def _new_host(self, file: pathlib.Path, loaded: Loaded, process: "HostClient | None" = None) -> "LazyHost":
        from pivot_runtime.loading.host_pool import LazyHost  # lazy

        return LazyHost(loaded, lambda: self._load(file), process)

    def _start_host(self, file: pathlib.Path, together: Sequence[pathlib.Path] = ()) -> "HostClient":
        if self._starter is None:
            from pivot_runtime.loading.host_pool import HostStarter  # lazy

            options, may_start = self._options, self._static_loader is None
            self._starter = HostStarter.of_command(
                self._context, options.guard, quiet=options.quiet, may_start=may_start, starts_warm=options.runs_stages
            )
        return self._starter.host(file, together, self._import_reports.slow(file))

    def _import(self, file: pathlib.Path) -> LoadedFile:
        if self._static_loader is not None:
            return self._add(LoadedFile(file, self._static_loader(file)))
        self._let_go(file)
        loaded, host = self._load(file)
        return self._take(file, loaded, host)

    def _let_go(self, file: pathlib.Path) -> None:
        """Let the previous host of a file end while another one imports it."""
        if self._context.host_pool is not None:
            self._context.host_pool.let_go(file)

    def _load(self, file: pathlib.Path) -> "tuple[Loaded, HostClient]":
        from pivot_runtime.loading import host_client  # lazy

        slow = self._import_reports.slow(file)
        loaded, host = host_client.load_in(lambda: self._start_host(file), self._root, file, slow, self._overrides)
        self._import_reports.ended(file, loaded)
        return loaded, host

    def _take(self, file: pathlib.Path, loaded: Loaded, host: "HostClient") -> LoadedFile:
        self.imported = True
        if self._starter is not None:
            self._starter.loaded(file, loaded, host)
        loaded, check = self.snapshots.keep(file, self._overrides, loaded)
        if check is not None:
            self._context.read_set.add(check.stamps)
        if check is None or check.broken is not None or loaded.unrecorded:
            self._context.read_set.mark_incomplete("an import depends on something that no stamp shows")
        return self._add(LoadedFile(file, loaded, {} if check is None else check.unchanged), host)

    def load_all(self, files: Sequence[pathlib.Path]) -> None:
        """Load many files, about as many at a time as there are processors.

        Raises:
            LoadError: One cannot be imported.
        """
        if self._static_loader is not None:
            for file in files:
                self.load(file)
            return
        known = {file for file in files if self._known(file)}
        self.tried |= known
        unknown = [file for file in files if file not in known]
        most = (os.process_cpu_count() or 1) + 1  # one waits for a processor while this process reads another's result
        waiting: collections.deque[tuple[pathlib.Path, HostClient]] = collections.deque()
        try:
            for file in unknown:
                if len(waiting) == most:
                    self._take_first(waiting)
                self._let_go(file)
                waiting.append((file, self._start_host(file, unknown)))
                waiting[-1][1].ask_to_load(self._root, file, self._overrides, alone=len(unknown) == 1)
                if self._forks_stages:
                    waiting[-1][1].prepare()
                if file == unknown[0]:
                    self._options.while_importing()
                if len(waiting) == min(most, len(unknown)) and not self.imported:
                    self._work_meanwhile([file for file, _ in waiting], waiting[0][1])
            while waiting:
                self._take_first(waiting)
        finally:
            for _, host in waiting:
                host.kill()
        place = {file: number for number, file in enumerate(files)}
        self.files.sort(key=lambda each: place[each.file])

    def _work_meanwhile(self, files: Sequence[pathlib.Path], first: "HostClient") -> None:
        """Let the command do other work until the ``first`` of the hosts has something to say."""
        last = (address for file in files for address in self.snapshots.known_addresses(file, self._overrides))
        self._options.while_loading(last, lambda: not first.has_spoken())

    def _take_first(self, waiting: "collections.deque[tuple[pathlib.Path, HostClient]]") -> None:
        """Take the result of the first waiting host."""
        file, host = waiting[0]
        loaded = host.loaded(*self._import_reports.slow(file))
        waiting.popleft()
        self.tried.add(file)
        if loaded is None:  # its sources were edited meanwhile
            host.close()
            self._import(file)
        else:
            self._import_reports.ended(file, loaded)
            self._take(file, loaded, host)

    def loaded_together(self) -> None:
        """Note the files, whose libraries the next command may import for all."""
        if self._starter is not None:
            self._starter.loaded_together([each.file for each in self.files])
