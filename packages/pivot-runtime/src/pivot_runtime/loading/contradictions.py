"""Contradictions between loaded pipelines."""

import pathlib
from collections.abc import Iterable, Iterator

from pivot_core.errors import GraphError
from pivot_core.graph import Graph
from pivot_core.paths import ArtifactPath
from pivot_core.spec import Location, StageError
from pivot_runtime.loading.loaded import Loaded


def refuse_same_names(files: Iterable[tuple[pathlib.Path, Loaded]], root: pathlib.Path) -> None:
    """A pipeline's name is the first half of its stages' addresses, so it belongs to one file.

    Raises:
        GraphError: Two files have it.
    """
    homes: dict[str, tuple[pathlib.Path, Location]] = {}
    for own, loaded in files:
        for stage in loaded.stages:
            here = (own, stage.spec.location)
            home = homes.setdefault(stage.spec.pipeline, here)
            if home[0] != own:
                first, second = (f"in {file.relative_to(root)} ({place})" for file, place in (home, here))
                raise GraphError(
                    f"two pipelines have the name {stage.spec.pipeline!r}: {first} and {second}",
                    hint="give one of them another name: pivot.Pipeline(...), or 'pipeline' in a pivot.yaml",
                )


def refuse_undeclared(graph: Graph) -> None:
    """A path that a command names and another stage writes must be a dep, or the order of the two would be undefined.

    Raises:
        StageError: It is none.
    """
    for address, spec in graph.stages.items():
        for path in spec.named:
            for around in (path, *_around(path)):
                writer = graph.producers.get(around, address)
                if writer != address:
                    raise StageError(
                        spec.name,
                        spec.location,
                        f"its command names {str(path)!r}, which stage {writer!r} writes, but it does not declare that",
                        hint="add it to the stage's deps",
                    )


def _around(path: str) -> Iterator[ArtifactPath]:
    while path := path.rpartition("/")[0]:
        yield ArtifactPath(path)


def refuse_sources(graph: Graph, files: Iterable[Loaded], root: pathlib.Path) -> None:
    """No stage may overwrite the code that was imported.

    Raises:
        StageError: One would.
    """
    sources = {source for loaded in files for source, found in loaded.sources.items() if found}
    for path, address in graph.producers.items():
        if str(root / path) in sources:
            spec = graph.stages[address]
            problem = f"its out {str(path)!r} is a source file of the pipeline"
            raise StageError(spec.name, spec.location, problem, hint="let it write elsewhere")
