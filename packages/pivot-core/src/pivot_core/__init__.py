"""The vocabulary and the decisions of Pivot: stages, artifacts, the graph, and which stages must run."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pivot_core.errors import PivotError
    from pivot_core.pipeline import Pipeline
    from pivot_core.stages.annotations import Dep, Out

__all__ = ["Dep", "Out", "Pipeline", "PivotError"]

_HOMES = {
    "Dep": "pivot_core.stages.annotations",
    "Out": "pivot_core.stages.annotations",
    "Pipeline": "pivot_core.pipeline",
    "PivotError": "pivot_core.errors",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first access, since every module of this package imports the package first."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)
