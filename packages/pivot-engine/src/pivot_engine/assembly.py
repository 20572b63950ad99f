"""The pipelines that a command rests on: its own, and those that write what these read, each in a warm host."""

import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Self

import attrs

from pivot_core.assigning import Override, Takes, check
from pivot_core.discovery import all_pipelines, pipelines_above
from pivot_core.errors import GraphError, PivotError
from pivot_core.graph import Graph
from pivot_core.paths import ArtifactPath
from pivot_core.stage import StageError
from pivot_engine import hosting, knownstages
from pivot_engine.broken import Broken
from pivot_engine.errors import HostError, LoadError
from pivot_engine.hosting import HostProcess, Seed
from pivot_engine.ignore import ignored
from pivot_engine.loaded import Loaded, LoadedStage
from pivot_engine.project import Project


@attrs.frozen
class LoadedFile:
    """One pipeline file: where it is, what it holds, and the warm host that can run its stages."""

    file: pathlib.Path
    loaded: Loaded
    host: HostProcess


@attrs.frozen
class Assembly:
    """What a command works on.

    Attributes:
        files: Every pipeline file that was loaded, the command's own first.
        own: The addresses of the command's own stages.
        graph: These, and all that they rest on.
        stages: Of every loaded file, by address.
        broken: What could not be loaded.
    """

    files: tuple[LoadedFile, ...]
    own: tuple[str, ...]
    graph: Graph
    stages: Mapping[str, LoadedStage]
    broken: tuple[Broken, ...] = ()

    @property
    def schema(self) -> int:
        """The version of all fingerprints."""
        return self.files[0].loaded.schema

    def host_of(self, address: str) -> HostProcess:
        """The host that can run a stage."""
        return next(
            each.host for each in self.files if any(stage.spec.address == address for stage in each.loaded.stages)
        )

    def close(self) -> None:
        """End all hosts."""
        for each in self.files:
            each.host.close()


def assemble(
    project: Project, *, everything: bool = False, quiet: bool = False, slow: Callable[[], None] = lambda: None
) -> Assembly:
    """Load the pipeline of the command's directory, or every pipeline of the project, and what they rest on.

    Args:
        project: Where.
        everything: Load every pipeline of the project.
        quiet: Drop what the user's code prints while it is imported.
        slow: Called once if the import takes long.

    Raises:
        LoadError: One of the command's own pipelines cannot be imported.
        PivotError: There is no pipeline, a definition is wrong, or two pipelines contradict each other.
    """
    overrides = [Override.parse(text) for text in project.overrides]
    with _Loader(project, quiet=quiet, slow=slow) as loader:
        if everything:
            files = list(all_pipelines(project.root, ignored(project.layout.ignore_file)))
            if not files:
                project.pipeline_file()
            loader.load_all(files)
        else:
            loader.load(project.pipeline_file())
        count = len(loader.files)
        loader.follow()
        check(overrides, _parameters(loader.files))
        assembly = assembled(project.root, loader.files, own=count)
        broken = tuple(loader.broken(assembly.graph))
        knownstages.remember(
            project.layout,
            {
                str(each.file.relative_to(project.root)): [stage.spec.address for stage in each.loaded.stages]
                for each in loader.files
            },
        )
        loader.release()
        return attrs.evolve(assembly, broken=broken)


def assembled(root: pathlib.Path, files: Sequence[LoadedFile], *, own: int) -> Assembly:
    """What was loaded as one graph, of which the first ``own`` files are the command's own.

    Raises:
        PivotError: Two of them contradict each other.
    """
    _refuse_same_names(files, root)
    stages = [stage for each in files for stage in each.loaded.stages]
    graph = Graph.build(stage.spec for stage in stages)
    _refuse_undeclared(graph)
    _refuse_sources(graph, files, root)
    asked = {stage.spec.address for each in files[:own] for stage in each.loaded.stages}
    return Assembly(
        tuple(files),
        tuple(address for address in graph.stages if address in asked),
        graph.select(graph.ancestors(asked)),
        {stage.spec.address: stage for stage in stages},
    )


class _Loader:
    """Loads files one after the other, each once; whatever happens, no host is left behind."""

    def __init__(self, project: Project, *, quiet: bool, slow: Callable[[], None]) -> None:
        self.files: list[LoadedFile] = []
        self._root = project.root
        self._overrides = project.overrides
        self._quiet = quiet
        self._slow = slow
        self._seed: Seed | None = None
        self._errors: dict[pathlib.Path, PivotError] = {}
        self._tried: set[pathlib.Path] = set()
        self._started = 0
        self._kept = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._kept:
            for each in self.files:
                each.host.kill()
        if self._seed is not None:
            self._seed.close()

    def release(self) -> None:
        """From now on the hosts belong to the caller."""
        self._kept = True

    def load(self, file: pathlib.Path) -> LoadedFile:
        """Load one file."""
        self._tried.add(file)
        loaded, host = hosting.load_in(self._start, self._root, file, self._slow, self._overrides)
        self.files.append(LoadedFile(file, loaded, host))
        return self.files[-1]

    def load_all(self, files: Sequence[pathlib.Path]) -> None:
        """Load many files at once, as many at a time as there are processors.

        Raises:
            LoadError: One cannot be imported.
        """
        width = os.process_cpu_count() or 1
        for start in range(0, len(files), width):
            batch = files[start : start + width]
            hosts = []
            try:
                for file in batch:
                    hosts.append(self._start(many=len(files) > 1))
                    hosts[-1].ask_to_load(self._root, file, self._overrides)
                for file, host in zip(batch, list(hosts), strict=True):
                    loaded = host.loaded()
                    hosts.remove(host)
                    if loaded is None:
                        host.close()
                        self.load(file)
                    else:
                        self._tried.add(file)
                        self.files.append(LoadedFile(file, loaded, host))
            finally:
                for host in hosts:
                    host.kill()

    def follow(self) -> None:
        """Load what may write the deps that nothing loaded writes, as far as that leads."""
        known = 0
        while known < len(self.files):
            new = self.files[known:]
            known = len(self.files)
            for path in self._open_deps(new):
                self._search(path)

    def broken(self, graph: Graph) -> Iterator[Broken]:
        """What could not be loaded, with the deps of the graph that it may write."""
        for file, error in self._errors.items():
            suspected = tuple(
                path
                for path in dict.fromkeys(path for spec in graph.stages.values() for path in spec.deps)
                if not graph.writers(path) and file in pipelines_above(path, self._root)
            )
            if suspected:
                yield Broken(str(file.relative_to(self._root)), error, suspected)

    def _search(self, path: ArtifactPath) -> None:
        for file in pipelines_above(path, self._root):
            if file in self._tried:
                continue
            try:
                found = self.load(file)
            except (LoadError, HostError, PivotError) as error:
                self._errors[file] = error
                continue
            if any(_touch(path, out.path) for stage in found.loaded.stages for out in stage.spec.outs):
                return

    def _open_deps(self, files: Iterable[LoadedFile]) -> list[ArtifactPath]:
        outs = [out.path for each in self.files for stage in each.loaded.stages for out in stage.spec.outs]
        written = frozenset(outs)
        deps = dict.fromkeys(path for each in files for stage in each.loaded.stages for path in stage.spec.deps)
        return [path for path in deps if path not in written and not any(_touch(path, out) for out in outs)]

    def _start(self, *, many: bool = False) -> HostProcess:
        """The first host is an interpreter of its own; where there are more, they are forked from a common one."""
        self._started += 1
        if self._started == 1 and not many:
            return HostProcess.spawn(quiet=self._quiet)
        if self._seed is None:
            self._seed = Seed(quiet=self._quiet)
        return self._seed.host()


def _parameters(files: Iterable[LoadedFile]) -> list[Takes]:
    """Which parameters each stage takes."""
    return [
        Takes(stage.spec.pipeline, stage.spec.name, tuple(stage.params))
        for each in files
        for stage in each.loaded.stages
    ]


def _touch(one: str, other: str) -> bool:
    """Whether they are the same path, or one lies inside the other."""
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _refuse_same_names(files: Iterable[LoadedFile], root: pathlib.Path) -> None:
    """A pipeline's name is the first half of its stages' addresses, so it belongs to one file."""
    homes: dict[str, pathlib.Path] = {}
    for each in files:
        for stage in each.loaded.stages:
            home = homes.setdefault(stage.spec.pipeline, each.file)
            if home != each.file:
                raise GraphError(
                    f"two pipelines have the name {stage.spec.pipeline!r}: "
                    f"in {home.relative_to(root)} and in {each.file.relative_to(root)} ({stage.spec.location})",
                    hint="give one of them another name: pivot.Pipeline(...)",
                )


def _refuse_undeclared(graph: Graph) -> None:
    """What a command names and another stage writes is a dep, or the order of the two would be chance."""
    for address, spec in graph.stages.items():
        for path in spec.named:
            for around in (path, *map(ArtifactPath, _parents(path))):
                writer = graph.producers.get(around, address)
                if writer != address:
                    raise StageError(
                        spec.name,
                        spec.location,
                        f"its command names {str(path)!r}, which stage {writer!r} writes, but it does not declare that",
                        hint="add it to the stage's deps",
                    )


def _parents(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


def _refuse_sources(graph: Graph, files: Iterable[LoadedFile], root: pathlib.Path) -> None:
    """No stage may overwrite the code that was imported."""
    sources = {source for each in files for source, found in each.loaded.sources.items() if found}
    for path, address in graph.producers.items():
        if str(root / path) in sources:
            spec = graph.stages[address]
            problem = f"its out {str(path)!r} is a source file of the pipeline"
            raise StageError(spec.name, spec.location, problem, hint="let it write elsewhere")
