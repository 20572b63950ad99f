"""Words and decisions of Pivot: stages, artifacts, the graph, and what must run."""

from pivot_core.annotations import Dep, Out
from pivot_core.errors import PivotError
from pivot_core.pipeline import Pipeline

__all__ = ["Dep", "Out", "Pipeline", "PivotError"]
