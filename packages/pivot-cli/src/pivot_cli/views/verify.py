"""Formats the results of `pivot verify` as text and as the documented JSON; pure."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from pivot_cli.terminal import formats
from pivot_cli.views import phrases
from pivot_core.decide import Reason
from pivot_core.errors import list_names
from pivot_runtime.inspecting.verify import StageVerdict, Verification

if TYPE_CHECKING:
    from pivot_runtime.inspecting.rerun import Rerun  # start-up time: rarely used

_SHOWN: Final = {"passed": "passed", "failed": "FAILED", "unknown": "unknown"}


def verify_text(found: Verification) -> str:
    """Return a line per stage and a summary."""
    if not found.stages:
        return formats.one_per_line(f"missing {path}" for path in found.absent) + "No stages are registered.\n"
    width = max(len(stage.name) for stage in found.stages)
    lines = [
        f"{_SHOWN[stage.status]:<7} {stage.name:<{width}}  {detail}".rstrip()
        for stage in found.stages
        for detail in (why(stage, found) or remark(stage, found) or phrases.describe_rerun(stage.rerun),)
    ]
    return formats.one_per_line([*lines, "", summary(found)])


def summary(found: Verification) -> str:
    """Return the number of stages and their results in one line."""
    if not found.stages:
        return "No stages are registered."
    unread = f"determining the stages of {list_names(found.unread)} requires an import" if found.unread else ""
    parts = [f"{found.count('failed')} failed"] if found.count("failed") else []
    parts += [f"{found.count('unknown')} unknown"] if found.count("unknown") else []
    return ", ".join(
        [formats.counted(len(found.stages), "stage"), *(parts or ["all passed"]), *([unread] if unread else [])]
    )


def verify_json(found: Verification) -> dict[str, Any]:
    """Return the results as the documented JSON."""
    return {
        "passed": found.passed,
        **({"unread": list(found.unread)} if found.unread else {}),
        **({"missing_tracked": list(found.absent)} if found.absent else {}),
        "stages": [
            {
                "name": stage.name,
                "status": stage.status,
                "reason": why(stage, found),
                "missing_files": list(stage.missing),
                **({"remark": remark(stage, found)} if remark(stage, found) else {}),
                **({"rerun": phrases.rerun_json(stage.rerun)} if stage.rerun is not None else {}),
            }
            for stage in found.stages
        ],
    }


def reruns(results: "Sequence[Rerun]", names: Mapping[str, str]) -> str:
    """Return a line per stage that ran once more, and a summary."""
    if not results:
        return "\nNo stage is up to date, so none was run once more.\n"
    width = max(len(names[each.address]) for each in results)
    lines = ["", "Run once more:"]
    for each in results:
        took = formats.seconds(each.seconds) if each.seconds else ""
        lines.append(f"{each.verdict:<7}  {names[each.address]:<{width}}  {took:>6}  {each.detail}".rstrip())
    if any(each.verdict == "failed" for each in results):
        lines += ["", "The copy contains only the project's sources and the declared inputs."]
    bad = sum(not each.good for each in results)
    total = formats.counted(len(results), "stage")
    lines += ["", f"{total} run once more, {f'{bad} with differences' if bad else 'no differences'}"]
    return formats.one_per_line(lines)


def remark(stage: StageVerdict, found: Verification) -> str:
    """Return what is special about a stage that has passed: it is frozen, or always runs."""
    return phrases.main_reason(stage.decision, found.names, stage.upstream) if stage.current else ""


def why(stage: StageVerdict, found: Verification) -> str:
    """Return why a stage has not passed; empty if it has."""
    if not stage.current:
        reason = phrases.main_reason(stage.decision, found.names, stage.upstream)
        if not stage.differences or stage.decision.reasons[0] not in (Reason.OUT_MISSING, Reason.OUT_MODIFIED):
            return reason
        differences = (phrases.describe_difference(each, path) for path, each in stage.differences.items())
        return f"{reason} ({'; '.join(differences)})"
    return f"Missing files: {', '.join(stage.missing)}" if stage.missing else stage.unknown
