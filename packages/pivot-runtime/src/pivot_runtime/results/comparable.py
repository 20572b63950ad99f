"""Whether stages have results to compare. Every run asks this, so the module imports almost nothing."""

from collections.abc import Iterable, Mapping
from typing import Any

from pivot_core.files.paths import ArtifactPath
from pivot_core.spec import METRIC, StageSpec


def is_worthwhile(specs: Iterable[StageSpec], params: Iterable[Mapping[str, Any]]) -> bool:
    """Whether stages have anything to compare: parameters or metrics."""
    specs = list(specs)
    return any(params) or any(spec.file_params for spec in specs) or bool(metric_paths(specs))


def metric_paths(specs: Iterable[StageSpec]) -> frozenset[ArtifactPath]:
    """The metrics that stages declare, also those in directories."""
    outs = [out for spec in specs for out in spec.outs]
    inside = (ArtifactPath(f"{out.path}/{view.path}") for out in outs for view in out.inside if view.kind == METRIC)
    return frozenset((*(out.path for out in outs if out.kind == METRIC), *inside))
