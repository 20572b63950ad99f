"""The graph: stages and artifacts, and which stage writes and reads each."""

from collections.abc import Mapping
from typing import Any

from pivot_cli.views.graph import listing_json
from pivot_core.files.paths import touches
from pivot_core.files.patterns import PathPattern
from pivot_core.graph import Graph
from pivot_core.spec import OutSpec
from pivot_runtime.artifacts import records
from pivot_runtime.definitions.notebook_code import KEY as CELL
from pivot_runtime.loading.loaded import LoadedStage
from pivot_ui.api.query import Query
from pivot_ui.project import ProjectService

__all__ = ["read_graph", "stage_kind"]


def read_graph(service: ProjectService, _: Query) -> dict[str, Any]:
    """Return all stages of all pipelines, all artifacts that they name, and the tracked data."""
    evaluated = service.evaluated()
    found = evaluated.overview
    loaded = {each.evaluation.stage.spec.address: each.evaluation.stage for each in evaluated.status.stages}
    tracked = {str(each.path): each.artifact.tree for each in records.read_tracked(service.context())}
    return {
        "stages": [_stage(each, loaded[each["address"]]) for each in listing_json(found)],
        "artifacts": _artifacts(found.graph, tracked),
        "broken": [{"file": each.file, "error": str(each.error), "hint": each.error.hint} for each in found.broken],
    }


def stage_kind(loaded: LoadedStage) -> str:
    """Return ``function``, ``shell`` or ``notebook``."""
    if any(key.startswith(CELL) for key in loaded.code):
        return "notebook"
    return "shell" if loaded.texts else "function"


def _stage(listed: dict[str, Any], loaded: LoadedStage) -> dict[str, Any]:
    base, at, _ = loaded.spec.name.partition("@")
    family = base if at else None
    return {**listed, "pipeline": loaded.spec.pipeline, "family": family, "kind": stage_kind(loaded)}


def _artifacts(graph: Graph, tracked: Mapping[str, bool]) -> list[dict[str, Any]]:
    outs = {str(out.path): out for spec in graph.stages.values() for out in spec.outs}
    readers: dict[str, list[str]] = {path: [] for path in (*outs, *tracked)}
    matching: dict[str, list[str]] = {}
    for address, spec in graph.stages.items():
        for dep in spec.deps:
            readers.setdefault(str(dep), []).append(address)
            matching[str(dep)] = [str(out.path) for out in _written_for(dep, graph) if out.path != dep]
    return [_artifact(path, outs.get(path), graph, readers[path], tracked, matching) for path in sorted(readers)]


def _written_for(dep: Any, graph: Graph) -> list[OutSpec]:
    """The outs that a dep consists of, or is inside."""
    if isinstance(dep, PathPattern):
        return list(graph.matching(dep))
    return [
        out for address in sorted(graph.writers(dep)) for out in graph.stages[address].outs if touches(out.path, dep)
    ]


def _artifact(
    path: str,
    out: OutSpec | None,
    graph: Graph,
    readers: list[str],
    tracked: Mapping[str, bool],
    matching: Mapping[str, list[str]],
) -> dict[str, Any]:
    writer = None if out is None else graph.producers.get(out.path)
    return {
        "path": path,
        "kind": "out" if out is not None else "tracked" if path in tracked else "source",
        "directory": out.directory if out is not None else tracked.get(path, False),
        "writer": writer,
        "readers": readers,
        "view": out.kind or None if out is not None else None,
        "parts": matching.get(path, []),
    }
