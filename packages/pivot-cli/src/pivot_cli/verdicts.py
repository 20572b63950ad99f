"""What `pivot verify` found, as text and as the documented JSON; pure."""

from typing import Any

from pivot_cli import wording
from pivot_engine.verify import StageVerdict, Verification


def verification(found: Verification) -> str:
    """A line per stage, and one that sums up."""
    if not found.stages:
        return "No stages are registered.\n"
    width = max(len(stage.name) for stage in found.stages)
    lines = [
        f"{'passed' if stage.passed else 'FAILED'}  {stage.name:<{width}}  {_not_passed(stage, found)}".rstrip()
        for stage in found.stages
    ]
    failed = sum(not stage.passed for stage in found.stages)
    total = wording.counted(len(found.stages), "stage")
    lines += ["", f"{total}, {failed} failed" if failed else f"{total}, all passed"]
    return "".join(f"{line}\n" for line in lines)


def verification_plain(found: Verification) -> dict[str, Any]:
    """The documented JSON."""
    return {
        "passed": found.passed,
        "stages": [
            {
                "name": stage.name,
                "status": "passed" if stage.passed else "failed",
                "reason": _not_passed(stage, found),
                "missing_files": list(stage.missing),
            }
            for stage in found.stages
        ],
    }


def _not_passed(stage: StageVerdict, found: Verification) -> str:
    if not stage.current:
        return wording.because(stage.evaluation.decision, found.names, stage.evaluation.observation.upstream)
    return f"Missing files: {', '.join(stage.missing)}" if stage.missing else ""
