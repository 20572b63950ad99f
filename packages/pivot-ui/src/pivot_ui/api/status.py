"""The state of every stage, as `pivot status` knows it."""

import datetime as dt
from typing import Any

from pivot_cli.views.status import status_json
from pivot_core.errors import PivotError
from pivot_runtime.inspecting.status import StageStatus
from pivot_ui.api.query import Query
from pivot_ui.project import ProjectService

__all__ = ["read_status", "stage_state"]


def read_status(service: ProjectService, _: Query) -> dict[str, Any]:
    """Return the last status; evaluate it if there is none yet."""
    seen = service.evaluated()
    plain = status_json(seen.status, explain=True, stages_only=False)
    for listed, stage in zip(plain["stages"], seen.status.stages, strict=True):
        listed["state"] = stage_state(stage)
    return {
        **plain,
        "version": seen.version,
        "computed": dt.datetime.fromtimestamp(seen.computed, dt.UTC).isoformat(),
        "problem": None if seen.problem is None else _problem(seen.problem),
    }


def _problem(error: PivotError) -> dict[str, Any]:
    return {"error": str(error), "hint": error.hint, "traceback": getattr(error, "traceback", "")}


def stage_state(stage: StageStatus) -> str:
    """Return ``cached``, ``stale``, ``blocked``, ``frozen`` or ``always``."""
    spec, verdict = stage.evaluation.stage.spec, stage.evaluation.decision.verdict.value
    if not stage.cached:
        return "blocked" if verdict == "blocked" else "stale"
    if spec.frozen:
        return "frozen"
    return "always" if spec.always else "cached"
