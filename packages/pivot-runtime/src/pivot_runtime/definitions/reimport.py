"""Imports a pipeline file again, in a process that did not load it, to run its stages there."""

import os
import pathlib
from collections.abc import Callable, Iterable, Mapping

from pivot_core.params.overrides import Override
from pivot_core.stages.stage import Stage
from pivot_runtime.definitions import params
from pivot_runtime.definitions.pipeline_file import read_definitions
from pivot_runtime.errors import SourceChangedError


class ReimportedPipeline:
    """The live stages of one file."""

    def __init__(
        self,
        file: pathlib.Path,
        root: pathlib.Path,
        *,
        overrides: Iterable[Override],
        sources: dict[str, str],
        imported: Callable[[], None] = lambda: None,
    ) -> None:
        """Import it. Exceptions of the user's modules are passed on.

        Args:
            file: The pipeline file.
            root: The project's root.
            overrides: Overrides of parameters and variables.
            imported: Called after the user's modules have been imported.
            sources: Receives the digests of the files that are read; for imported ones, `import_from_source` does.

        Raises:
            PivotError: The file is invalid.
        """
        self._file = file
        self._root = root
        overrides = tuple(overrides)
        described = read_definitions(file, root, overrides=overrides)
        imported()
        self._settled = params.ParamResolver(described.pipelines, file, root=root, overrides=overrides)
        sources |= {**described.sources, **self._settled.sources}
        self._sources = sources
        self._pipelines = {pipeline.name: pipeline for pipeline in described.pipelines}

    def stage(self, address: str, known: Mapping[str, str]) -> Stage:
        """The stage with this address and its resolved parameters.

        ``known`` are the digests of the files from which it was fingerprinted.

        Raises:
            SourceChangedError: A file has changed since.
        """
        name, _, stage = address.partition(".")
        pipeline = self._pipelines.get(name)
        moved = sorted(file for file in known.keys() & self._sources.keys() if known[file] != self._sources[file])
        if moved or pipeline is None or stage not in pipeline.stages:
            raise SourceChangedError(os.path.relpath(file, self._root) for file in moved or [str(self._file)])
        return self._settled.stage(pipeline.stages[stage], name)[0]


def declared(stage: Stage, directory: str) -> tuple[str, ...]:
    """The absolute paths of all files that a stage in this directory declares."""
    return tuple(
        os.path.normpath(os.path.join(directory, path))
        for each in (*stage.deps.values(), *stage.outs.values(), *stage.previous.values())
        for path in each.paths
    )
