"""Search for the pipelines that others depend on: those that write their deps or have the stages they run after."""

import pathlib
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Protocol

from pivot_core.discovery import directories_above, pipelines_above
from pivot_core.errors import PivotError
from pivot_core.files.paths import ArtifactPath, parent_names, touches
from pivot_core.files.patterns import PathPattern
from pivot_core.graph import Graph, stages_named
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import BrokenPipeline, HostError, LoadError
from pivot_runtime.project import pipeline_files

if TYPE_CHECKING:
    from pivot_runtime.loading.assembly import LoadedFile


class FileLoader(Protocol):
    """A loader of pipeline files."""

    @property
    def files(self) -> "Sequence[LoadedFile]":
        """The loaded files."""
        ...

    @property
    def tried(self) -> AbstractSet[pathlib.Path]:
        """The files that were loaded, and those that could not be."""
        ...

    def load(self, file: pathlib.Path) -> "LoadedFile":
        """Load a file, which becomes one of the `files`.

        Raises:
            PivotError: It cannot be loaded.
        """
        ...


class UpstreamSearch:
    """Loads the pipelines that the loaded ones depend on; one that cannot be loaded is left out."""

    def __init__(self, context: CommandContext, loader: FileLoader) -> None:
        """Load nothing yet."""
        self._context = context
        self._root = context.project.root
        self._loader = loader
        self._errors: dict[pathlib.Path, PivotError] = {}

    def follow(self) -> None:
        """Load the pipelines that may write deps that no loaded stage writes, then those for their deps, and so on."""
        known = 0
        while known < len(self._loader.files):
            new = self._loader.files[known:]
            known = len(self._loader.files)
            for path in self._open_deps(new):
                self._search(path)
            for stage in (stage for each in new for stage in each.loaded.stages):
                for name in stage.spec.after:
                    self._search_stage(name, stage.spec.pipeline)

    def _search_stage(self, name: str, pipeline: str) -> None:
        """Load other pipelines until a stage with this name, as one of a pipeline means it, is known."""
        others = pipeline_files.every(self._context.project, self._context.read_set)
        while not stages_named(name, pipeline, self._addresses()):
            file = next((each for each in others if each not in self._loader.tried), None)
            if file is None:
                return
            self._try(file)

    def _addresses(self) -> list[str]:
        return [stage.spec.address for each in self._loader.files for stage in each.loaded.stages]

    def _try(self, file: pathlib.Path) -> "LoadedFile | None":
        """Load a file that is not the command's own; None if it cannot be loaded."""
        try:
            return self._loader.load(file)
        except (LoadError, HostError, PivotError) as error:
            self._context.read_set.mark_incomplete("a pipeline cannot be loaded")
            self._errors[file] = error
            return None

    @property
    def unread(self) -> dict[str, PivotError]:
        """Return the errors of files that could not be loaded, by path relative to the root."""
        return {str(file.relative_to(self._root)): error for file, error in self._errors.items()}

    def broken(self, graph: Graph) -> Iterator[BrokenPipeline]:
        """Yield the pipelines that could not be loaded, with the deps of the graph that they may write."""
        for file, error in self._errors.items():
            may_write = tuple(
                path
                for path in dict.fromkeys(path for spec in graph.stages.values() for path in spec.deps)
                if not graph.writers(path) and file in pipelines_above(path, self._root)
            )
            if may_write:
                yield BrokenPipeline(str(file.relative_to(self._root)), error, may_write)

    def _search(self, path: ArtifactPath) -> None:
        around = (self._root / directory for directory in directories_above(path, self._root))
        self._context.read_set.probe(*(directory / name for directory in around for name in pipeline_files.NAMES))
        for file in pipelines_above(path, self._root):
            if file in self._loader.tried:
                continue
            found = self._try(file)
            if found is not None and any(
                touches(path, out.path) for stage in found.loaded.stages for out in stage.spec.outs
            ):
                return

    def _open_deps(self, files: "Iterable[LoadedFile]") -> list[ArtifactPath]:
        outs = [out.path for each in self._loader.files for stage in each.loaded.stages for out in stage.spec.outs]
        around = frozenset(parent for out in outs for parent in (out, *parent_names(out)))
        written = frozenset(outs)
        deps = dict.fromkeys(path for each in files for stage in each.loaded.stages for path in stage.spec.deps)
        return [
            path
            for path in deps
            if isinstance(path, PathPattern) or (path not in around and written.isdisjoint(parent_names(path)))
        ]
