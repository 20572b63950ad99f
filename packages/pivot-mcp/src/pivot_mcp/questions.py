"""Questions about a project, each a function of a context: they change nothing, and run no stage."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from pivot_cli.comparing.previews import preview_json
from pivot_cli.comparing.values import METRICS, show_json
from pivot_cli.sweeps.results import results_json
from pivot_cli.views import phrases
from pivot_cli.views.edit_preview import edit_json
from pivot_cli.views.graph import listing_json
from pivot_cli.views.status import stage_json, status_json
from pivot_core.errors import PivotError
from pivot_mcp.answers import MOST_DIFF, MOST_REVISIONS, MOST_TEXT, cut_list
from pivot_runtime.comparing.metrics import metrics
from pivot_runtime.context import CommandContext
from pivot_runtime.history import logs
from pivot_runtime.history.follow import running_stages
from pivot_runtime.inspecting.diff_patch import PatchError
from pivot_runtime.inspecting.edit_preview import Edit, EditCodeError, EditOptions, preview_edit
from pivot_runtime.inspecting.overview import overview
from pivot_runtime.inspecting.status import StatusOptions, status
from pivot_runtime.previews.preview import PreviewRequest, preview
from pivot_runtime.sweeps.results import results

type Answer = dict[str, Any]

_MAY_CHANGE: Final = (
    "whether stages in may_change stay as they are is only known once the edited code is imported: make the edit and "
    "ask status, or let the user start 'pivot mcp --allow-run'"
)


def ask_status(context: CommandContext, stages: Sequence[str], *, stale_only: bool) -> Answer:
    """Return the state of stages; of all stages of the project if none is named."""
    options = StatusOptions(all_pipelines=True, quiet=True, tracked=not stages)
    plain = status_json(status(context, stages, options), explain=False, stages_only=False)
    stale = [each for each in plain["stages"] if each["status"] == "stale"]
    return {
        "cached": len(plain["stages"]) - len(stale),
        "stale": len(stale),
        **cut_list("stages", stale if stale_only else plain["stages"]),
        **cut_list("tracked_files", [each for each in plain["tracked_files"] if each["status"] != "clean"]),
        "suggestions": plain["suggestions"],
    }


def ask_explain(context: CommandContext, stage: str) -> Answer:
    """Return why a stage is stale, with the edited lines; or what was compared if it is cached."""
    options = StatusOptions(all_pipelines=True, quiet=True, diff=True, variables=True, stats=True)
    found = status(context, [stage], options)
    if len(found.stages) != 1:
        raise PivotError(f"{stage!r} means {len(found.stages)} stages", hint="name a single one")
    each = found.stages[0]
    return {
        **stage_json(each, found, explain=True),
        **(cut_list("compared", [_compared(line) for line in each.compared()]) if each.cached else {}),
    }


def _compared(line: Any) -> Answer:
    place = None if line.location is None else str(line.location)
    return {"kind": line.kind, "key": line.key, "value": phrases.fact(line.kind, line.value), "place": place}


def ask_edit(
    context: CommandContext,
    diff: str | None,
    files: Mapping[str, str | None] | None,
    stages: Sequence[str],
    *,
    imports: bool,
) -> Answer:
    """Return what an edit would make stale: a unified diff, or the whole contents of files; None deletes one."""
    if (diff is None) == (files is None):
        raise PivotError("name an edit: either 'diff' or 'files'")
    if len(diff or "") + sum(len(text or "") for text in (files or {}).values()) > MOST_DIFF:
        raise PivotError(f"the edit is larger than {MOST_DIFF >> 20} MB")
    if diff is not None:
        try:
            edit = Edit.of_diff(context.project, diff.encode())
        except PatchError as error:
            raise PivotError(str(error), hint="give the whole contents of the files as 'files' instead") from None
    else:
        contents = {path: None if text is None else text.encode() for path, text in (files or {}).items()}
        edit = Edit.of_contents(context.project, contents)
    try:
        found = preview_edit(context, edit, stages, EditOptions(all_pipelines=True, quiet=True, imports=imports))
    except EditCodeError as error:
        raise PivotError(str(error), hint="'pivot mcp --allow-run' allows that, if you trust the client") from None
    plain = edit_json(found, explain=True)
    stale = [each for each in plain["stages"] if each["status"] == "stale"]
    may_change = [{"name": name, "reason": reason} for name, reason in found.may_change.items()]
    return {
        **plain["edit"],
        **cut_list("may_change", may_change),
        **({"hint": _MAY_CHANGE} if may_change else {}),
        "cached": len(plain["stages"]) - len(stale),
        **cut_list("stale_stages", stale),
    }


def ask_graph(context: CommandContext, targets: Sequence[str]) -> Answer:
    """Return stages with their deps and outs."""
    return cut_list("stages", listing_json(overview(context, targets, all_pipelines=True)))


def ask_logs(context: CommandContext, stage: str, lines: int, back: int) -> Answer:
    """Return the last lines that a stage printed."""
    project = context.project
    running = running_stages(project)
    address = logs.resolve_name(project.layout, stage, running)
    log = logs.find(project.layout, address, back=back)
    text = "" if log is None else logs.tail(log, lines)
    state = "running" if back == 0 and address in running else "ended" if log is not None else "no output"
    return {"address": address, "state": state, "text": text[-MOST_TEXT:], "cut": len(text) > MOST_TEXT}


def ask_metrics(context: CommandContext, revisions: Sequence[str], targets: Sequence[str]) -> Answer:
    """Return the values of metrics, in the workspace or at revisions."""
    if len(revisions) > MOST_REVISIONS:
        raise PivotError(f"{len(revisions)} revisions are too many", hint=f"name at most {MOST_REVISIONS}")
    sides = [None if each == "workspace" else each for each in revisions] or [None]
    return show_json(metrics(context, sides, targets), METRICS)


def ask_results(context: CommandContext, last: int) -> Answer:
    """Return the newest recorded results: parameters and metrics."""
    rows = results(context, (), all_pipelines=True)
    return {**results_json(rows[:last]), "recorded": len(rows)}


def ask_preview(context: CommandContext, request: PreviewRequest) -> Answer:
    """Return a part of an artifact, as its kind is shown; of a plot, the rows."""
    found = preview_json(preview(context, request))
    if found["kind"] == "plot":
        found = preview_json(preview(context, attrs.evolve(request, form="table")))
    return found
