"""Events as JSON: the documented lines of `--jsonl` and of the journals; pure.

A line is an object with ``event``, the event's name, ``at``, the seconds since the command began by a monotonic clock,
and the event's fields. It never contains the value of a parameter or variable.

Names and fields are spelled out here, since they are part of the format, unlike names of classes and attributes.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pivot_core.decide import Decision
from pivot_runtime.history import events
from pivot_runtime.tracing.usage import ResourceUsage

FORMAT = 1
"""The version of the lines; it changes if new lines would mislead a reader of old ones."""


def to_json(event: events.Event, at: float) -> dict[str, Any]:
    """The line of an event."""
    name, fields = _line(event)
    return {"event": name, "at": round(at, 6), **fields}


def first_line(command: str, *, time: float, pid: int) -> dict[str, Any]:
    """The first line: the format, the start in seconds since the epoch, the command and its process."""
    return {"event": "began", "at": 0.0, "format": FORMAT, "time": round(time, 6), "command": command, "pid": pid}


def stage_planned(address: str, decision: Decision, upstream: Iterable[str], *, at: float) -> dict[str, Any]:
    """The line of a stage in the plan of a dry run: the decision, and the stages before it that would run or cannot."""
    action = decision.verdict.value
    fields = {"address": address, "action": action, **_decision(decision), "upstream": _texts(upstream)}
    return {"event": "stage_planned", "at": round(at, 6), **fields}


def plan_ended(*, seconds: float, complete: bool) -> dict[str, Any]:
    """The last line of the plan of a dry run; it is ``complete`` if a run would have nothing to do."""
    return {"event": "plan_ended", "at": round(seconds, 6), "seconds": round(seconds, 6), "complete": complete}


def _line(event: events.Event) -> tuple[str, dict[str, Any]]:  # noqa: C901, PLR0911, PLR0912  # a case per event
    match event:
        case events.WaitingForGuard(pid=pid, command=command, age=age):
            return "waiting_for_guard", {"pid": pid, "command": command, "age": None if age is None else round(age, 6)}
        case events.ImportSlow(file=file, seconds=seconds, where=where, libraries=libraries):
            fields = {"file": file, "seconds": round(seconds, 6), "where": where, "libraries": _rounded(libraries)}
            return "import_slow", fields
        case events.PipelineImported():
            return "pipeline_imported", {
                "file": event.file,
                "began": round(event.began, 6),
                "seconds": round(event.seconds, 6),
                "libraries": _rounded(event.libraries),
            }
        case events.PipelinesLoaded(began=began, seconds=seconds):
            return "pipelines_loaded", {"began": round(began, 6), "seconds": round(seconds, 6)}
        case events.PipelinesBroken(broken=broken):
            return "pipelines_broken", {
                "broken": [
                    {"file": each.file, "error": str(each.error), "may_write": _texts(each.may_write)}
                    for each in broken
                ]
            }
        case events.AskingRemote():
            return "asking_remote", {}
        case events.RunStarted(names=names, addresses=addresses):
            return "run_started", {"names": _by_text(names), "addresses": _texts(addresses)}
        case events.Fetching():
            return "fetching", {
                "address": event.address,
                "remote": event.remote,
                "objects": event.objects,
                "of_objects": event.of_objects,
                "bytes": event.bytes,
                "of_bytes": event.of_bytes,
            }
        case events.InputsFetched():
            return "inputs_fetched", {
                "address": event.address,
                "remote": event.remote,
                "paths": _texts(event.paths),
                "seconds": round(event.seconds, 6),
            }
        case events.ExecutorConnected():
            return "executor_connected", {
                "executor": event.address,
                "dashboard": event.dashboard,
                "workers": event.workers,
                "threads": event.threads,
            }
        case events.StagesSpawned(file=file, threads=threads):
            return "stages_spawned", {"file": file, "threads": _texts(threads)}
        case events.UserFileSaved(path=path, saved_as=saved_as):
            return "user_file_saved", {"path": str(path), "saved_as": saved_as}
        case events.OutsRecached(paths=paths):
            return "outs_recached", {"paths": _texts(paths)}
        case events.OutsElsewhere(count=count, remote=remote, bring=bring):
            return "outs_elsewhere", {"count": count, "remote": remote, "bring": bring}
        case events.Interrupted(running=running):
            return "interrupted", {"running": _texts(running)}
        case events.RunEnded(seconds=seconds, complete=complete, recording=recording):
            spans = [{"began": round(began, 6), "seconds": round(took, 6)} for began, took in recording]
            return "run_ended", {"seconds": round(seconds, 6), "complete": complete, "recording": spans}
        case events.RunStopped(reason=reason):
            return "run_stopped", {"reason": reason}
        case _:
            name, fields = _stage_line(event)
            return name, {"address": event.address, **fields}


type _OfStage = (
    events.StageStarted
    | events.StagePlaced
    | events.StageWaiting
    | events.StageMoved
    | events.StageCached
    | events.StageFrozen
    | events.StageRestored
    | events.StageRan
    | events.StageUndeclared
    | events.StageOutput
    | events.StageSilent
    | events.StageRetried
    | events.LeftoverProcessesKilled
    | events.StageInputsChanged
    | events.StageFailed
    | events.StageBlocked
)


def _stage_line(event: _OfStage) -> tuple[str, dict[str, Any]]:  # noqa: C901, PLR0911, PLR0912  # as above
    match event:
        case events.StageStarted(decision=decision, sent=sent):
            return "stage_started", {**_decision(decision), **({"sent": True} if sent else {})}
        case events.StagePlaced(worker=worker):
            return "stage_placed", {"worker": worker}
        case events.StageWaiting(reason=reason):
            return "stage_waiting", {"reason": reason}
        case events.StageMoved(worker=worker, was=was):
            return "stage_moved", {"worker": worker, "was": was}
        case events.StageCached():
            return "stage_cached", {}
        case events.StageFrozen(decision=decision):
            return "stage_frozen", _decision(decision)
        case events.StageRestored(decision=decision, seconds=seconds):
            return "stage_restored", {**_decision(decision), "seconds": round(seconds, 6)}
        case events.StageRan():
            return "stage_ran", {
                **_decision(event.decision),
                "seconds": round(event.seconds, 6),
                "incomplete": _texts(event.incomplete),
                **_usage(event.usage),
                "variables": _texts(event.variables),
                "storing": round(event.storing, 6),
                **({} if event.recorded else {"recorded": False}),
            }
        case events.StageUndeclared(found=found, fatal=fatal):
            return "stage_undeclared", {
                "found": [
                    {
                        "path": str(each.path),
                        "wrote": each.wrote,
                        "line": each.line,
                        "owner": each.owner,
                        "count": each.count,
                    }
                    for each in found
                ],
                "fatal": fatal,
            }
        case events.StageOutput(lines=lines):
            return "stage_output", {"lines": _texts(lines)}
        case events.StageSilent(seconds=seconds, silent=silent):
            return "stage_silent", {"seconds": round(seconds, 6), "silent": round(silent, 6)}
        case events.StageRetried(seconds=seconds, summary=summary, left=left):
            return "stage_retried", {"seconds": round(seconds, 6), "summary": summary, "left": left}
        case events.LeftoverProcessesKilled(commands=commands):
            return "leftover_processes_killed", {"commands": _texts(commands)}
        case events.StageInputsChanged(seconds=seconds, changed=changed, usage=usage):
            return "stage_inputs_changed", {"seconds": round(seconds, 6), "changed": _texts(changed), **_usage(usage)}
        case events.StageFailed():
            return "stage_failed", {
                "seconds": round(event.seconds, 6),
                "summary": event.summary,
                "detail": event.detail,
                "output": event.output,
                "log": event.log,
                "hint": event.hint,
                **_usage(event.usage),
            }
        case events.StageBlocked():
            return "stage_blocked", {
                "failed_upstream": event.failed_upstream,
                "missing": _texts(event.missing),
                "taken": _by_text(event.taken),
                "tracked": _texts(event.tracked),
                "unreadable": _by_text(event.unreadable),
                **({"frozen": _texts(event.frozen)} if event.frozen else {}),
            }


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "reasons": [reason.value for reason in decision.reasons],
        "changes": [{"reason": change.reason.value, "key": change.key} for change in decision.changes],
    }


def _usage(usage: ResourceUsage | None) -> dict[str, Any]:
    return {"cpu": None if usage is None else round(usage.cpu, 6), "memory": None if usage is None else usage.memory}


def _rounded(seconds: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 6) for name, value in seconds.items()}


def _texts(values: Iterable[str]) -> list[str]:
    return [str(value) for value in values]


def _by_text(values: Mapping[Any, str]) -> dict[str, str]:
    return {str(key): value for key, value in values.items()}
