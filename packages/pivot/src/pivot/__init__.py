"""Change your code; Pivot knows what to run."""

from pivot import loaders
from pivot_core.errors import PivotError
from pivot_core.params import Secret, StageParams
from pivot_core.pipeline import Pipeline
from pivot_core.stages.annotations import Dep, DirectoryOut, IncrementalOut, Metric, Out, PlaceholderDep
from pivot_core.stages.command import Command, command

__all__ = [
    "Command",
    "Dep",
    "DirectoryOut",
    "IncrementalOut",
    "Metric",
    "Out",
    "Pipeline",
    "PivotError",
    "PlaceholderDep",
    "Secret",
    "StageParams",
    "command",
    "loaders",
]
