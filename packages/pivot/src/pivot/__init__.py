"""Change your code; Pivot knows what to run."""

import importlib
import sys
from typing import TYPE_CHECKING, Any

from pivot import loaders
from pivot_core.errors import PivotError
from pivot_core.params.classes import Secret, StageParams, Uncounted
from pivot_core.pipeline import Pipeline
from pivot_core.stages.annotations import Dep, DirectoryOut, IncrementalOut, Metric, Out, PlaceholderDep, Plot
from pivot_core.stages.command import Command, command

if TYPE_CHECKING:
    from pivot import checks as checks
    from pivot_core.stages.notebook import Notebook as Notebook
    from pivot_core.stages.notebook import notebook as notebook
    from pivot_fingerprint import no_fingerprint as no_fingerprint
    from pivot_runtime.errors import OutUnavailableError as OutUnavailableError
    from pivot_runtime.errors import PivotWarning as PivotWarning
    from pivot_runtime.errors import RunFailedError as RunFailedError
    from pivot_runtime.errors import StaleWarning as StaleWarning
    from pivot_runtime.interactive.load import load as load
    from pivot_runtime.interactive.load import path as path
    from pivot_runtime.interactive.repro import repro as repro
    from pivot_runtime.interactive.results import ReproResult as ReproResult
    from pivot_runtime.interactive.results import StageResult as StageResult
    from pivot_runtime.interactive.results import StageState as StageState
    from pivot_runtime.interactive.results import StatusResult as StatusResult
    from pivot_runtime.interactive.status import status as status

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
    "Plot",
    "Secret",
    "StageParams",
    "Uncounted",
    "checks",
    "command",
    "loaders",
]

_LAZY = {
    "checks": "pivot.checks",
    "Notebook": "pivot_core.stages.notebook",
    "notebook": "pivot_core.stages.notebook",
    "no_fingerprint": "pivot_fingerprint",
    "load": "pivot_runtime.interactive.load",
    "path": "pivot_runtime.interactive.load",
    "repro": "pivot_runtime.interactive.repro",
    "status": "pivot_runtime.interactive.status",
    "ReproResult": "pivot_runtime.interactive.results",
    "StageResult": "pivot_runtime.interactive.results",
    "StageState": "pivot_runtime.interactive.results",
    "StatusResult": "pivot_runtime.interactive.results",
    "OutUnavailableError": "pivot_runtime.errors",
    "PivotWarning": "pivot_runtime.errors",
    "RunFailedError": "pivot_runtime.errors",
    "StaleWarning": "pivot_runtime.errors",
}
"""Names that few pipelines use, or that are for notebooks and scripts, by module: imported at their first use."""


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})


if not TYPE_CHECKING:  # a type checker would take any name

    def __getattr__(name: str) -> Any:
        if name in {*loaders.__all__, *loaders.OF_PIVOT_LOADERS}:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}: it is pivot.loaders.{name}")
        if name not in _LAZY:
            # With `name` and `obj`, Python adds the name that was meant.
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name, obj=sys.modules[__name__])
        module = importlib.import_module(_LAZY[name])
        return getattr(module, name, module)
