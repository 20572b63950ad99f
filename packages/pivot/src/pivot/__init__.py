"""Change your code; Pivot knows what to run."""

from pivot import loaders
from pivot_core import Dep, Out, Pipeline, PivotError

__all__ = ["Dep", "Out", "Pipeline", "PivotError", "loaders"]
