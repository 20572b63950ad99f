"""`pivot verify`."""

import contextlib
import json
import os
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click

from pivot_cli import options, signals
from pivot_cli.context import command_context
from pivot_cli.reporting.notices import note_stalls, warn_of_broken
from pivot_cli.terminal import console
from pivot_cli.terminal.progress import HashProgress
from pivot_cli.views.verify import reruns, verify_json, verify_text
from pivot_core.errors import PivotError, list_names
from pivot_runtime.context import CommandContext
from pivot_runtime.inspecting.verify import Verification, verify
from pivot_runtime.project.project import Project

if TYPE_CHECKING:
    from pivot_runtime.inspecting.rerun import Rerun  # start-up time: rarely used

_WHOLE = 100


_EXAMPLES: Final = """\b
Examples:
  pivot verify --allow-missing           Verify a clone without outs.
  pivot verify --rerun 20%               Run a fifth of the stages again.
  pivot verify --static --format github  Verify a stranger's change.
"""


@click.command("verify", epilog=_EXAMPLES)
@options.stages
@options.all_pipelines
@options.overrides
@click.option("--allow-missing", is_flag=True, help="Accept missing files that the remote has.")
@click.option("--static", is_flag=True, help="Import nothing; exit with 3 if the answer requires an import.")
@click.option(
    "--rerun",
    "again",
    is_flag=True,
    help="Run cached stages once more, in a copy, and compare the bytes; STAGES can be a share, such as 20%.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "junit", "github"]),
    metavar="FORM",
    help="text, json, junit (XML), or github: annotations and the job's step summary.  [default: text]",
)
@click.option("--metrics", is_flag=True, help="With --format github: add the metrics to the step summary.")
@click.option(
    "--metrics-since", metavar="REV", help="The same, with their changes since a revision, such as origin/main."
)
@click.option("--json", "as_json", is_flag=True, help="Same as --format json.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing; the exit code is the result.")
def command(  # noqa: PLR0913  # one parameter per option
    stages: tuple[str, ...],
    *,
    all_pipelines: bool,
    overrides: tuple[str, ...],
    allow_missing: bool,
    static: bool,
    again: bool,
    form: str | None,
    metrics: bool,
    metrics_since: str | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Verify that all stages are cached and their outs are available.

    Without STAGES, verify the stages of the current pipeline and everything upstream. A stage passes if its code,
    parameters and deps match its lock file, and its outs are in the cache. The command runs and changes nothing. The
    exit code is 0 if all stages pass, else 1.

    --rerun also runs the stages once more on the same inputs, in a copy of the project that is removed afterwards, and
    names the first difference. The result is stored, and shown from then on.

    --static imports no code of the project, to verify a stranger's change: the result of the last import is valid as
    long as nothing that it depended on has changed; a pivot.yaml with only shell commands is parsed; otherwise files
    are compared with the lock files. A stage that differs fails; all others are unknown.
    """
    form = _format(form, as_json=as_json, quiet=quiet)
    if again and static:
        raise click.UsageError("--rerun imports the pipelines, which --static forbids")
    if (metrics or metrics_since) and form != "github":
        raise click.UsageError("--metrics and --metrics-since go with --format github")
    context = command_context(overrides, report_imports=not quiet)
    project = context.project
    named, percent = _sample(stages) if again else (stages, _WHOLE)
    with HashProgress(), note_stalls() if allow_missing and not quiet else contextlib.nullcontext():
        found = verify(
            context, named, all_pipelines=all_pipelines, allow_missing=allow_missing, quiet=quiet, static=static
        )
    if not quiet:
        warn_of_broken(found.broken)
    lost = sorted({path for stage in found.stages for path in stage.lost})
    if lost and not quiet:
        shown = list_names([project.from_cwd(path) for path in lost])
        console.hint(f"the cache lacks outs that are in the workspace: 'pivot repro' stores them again: {shown}")
    if not quiet and found.stages and all(stage.never_run for stage in found.stages):
        console.hint(
            "commit .pivot/stages/*.lock where the stages have run: without lock files, there is nothing to check"
        )
    results = _run_once_more(context, found, all_pipelines=all_pipelines, percent=percent) if again else None
    if not quiet:
        _PRINTERS[form](project, found, results)
        if metrics or metrics_since:
            _append_metrics(context, metrics_since, static=static)
    if _differing(results) or found.count("failed") or found.absent:
        return 1
    return 3 if found.count("unknown") or found.unread else 0


def _format(form: str | None, *, as_json: bool, quiet: bool) -> str:
    """Return the form of the output that these options select together."""
    if as_json and form not in (None, "json"):
        raise click.UsageError(f"--json and --format {form} contradict each other")
    if quiet and (as_json or form):
        raise click.UsageError("--quiet prints nothing, so it excludes other formats")
    return form or ("json" if as_json else "text")


def _print_text(_: Project, found: Verification, results: "Sequence[Rerun] | None") -> None:
    console.data(_text(found, results))


def _print_json(_: Project, found: Verification, results: "Sequence[Rerun] | None") -> None:
    console.data(json.dumps(verify_json(found.with_reruns(results or ())), indent=2))


def _print_junit(_: Project, found: Verification, results: "Sequence[Rerun] | None") -> None:
    from pivot_cli.views import ci_reports  # lazy

    console.data(ci_reports.junit(found, _differing(results)))


def _print_for_github(project: Project, found: Verification, results: "Sequence[Rerun] | None") -> None:
    from pivot_cli.views import ci_reports  # lazy

    differing = _differing(results)
    console.data(ci_reports.plain_lines(_text(found, results)))
    inside = os.path.relpath(project.root, os.environ.get("GITHUB_WORKSPACE") or project.root)
    around = inside == "." or inside.startswith("..")
    console.data(ci_reports.annotations(found, differing, "" if around else inside))
    _append_to_summary(ci_reports.summary(found, differing))


def _append_metrics(context: CommandContext, since: str | None, *, static: bool) -> None:
    """Add the metrics to the step summary; the verdict is valid without them."""
    from pivot_cli.comparing import values  # lazy
    from pivot_runtime.comparing.metrics import metrics  # lazy

    try:
        sides = (None,) if since is None else (since, None)
        found = metrics(context, sides, may_import=not static)
    except PivotError as error:
        console.warning(f"the metrics are left out: {error}")
        if error.hint:
            console.hint(error.hint)
        return
    _append_to_summary(f"\n### pivot metrics\n\n{values.metrics_markdown(found)}")
    for problem, _ in found.problems:
        console.warning(problem)


def _append_to_summary(text: str) -> None:
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        try:
            with open(summary, "a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:  # the verdict is valid without the summary
            console.warning(f"the step summary cannot be written: {error.strerror}: {summary}")


_PRINTERS: Final = {"text": _print_text, "json": _print_json, "junit": _print_junit, "github": _print_for_github}


def _text(found: Verification, results: "Sequence[Rerun] | None") -> str:
    return verify_text(found) + ("" if results is None else reruns(results, found.names))


def _differing(results: "Sequence[Rerun] | None") -> dict[str, str]:
    """Return the difference of each stage, by address, that wrote different bytes or failed."""
    return {each.address: each.detail for each in results or () if not each.good}


def _run_once_more(
    context: CommandContext, found: Verification, *, all_pipelines: bool, percent: int
) -> "Sequence[Rerun]":
    from pivot_runtime.inspecting.rerun import rerun  # lazy

    current = [stage.address for stage in found.stages if stage.current]
    with signals.raise_on_termination():
        return rerun(
            context,
            current,
            all_pipelines=all_pipelines,
            percent=percent,
            starting=lambda address: console.note(f"running {found.names[address]!r} once more"),
        )


def _sample(stages: tuple[str, ...]) -> tuple[tuple[str, ...], int]:
    """Return the named stages, and the percentage of them to run."""
    parts = [match for each in stages if (match := re.fullmatch(r"(\d{1,3})%", each))]
    if len(parts) > 1 or any(not 1 <= int(part[1]) <= _WHOLE for part in parts):
        raise click.UsageError("give the share of the stages once, from 1% to 100%")
    rest = tuple(each for each in stages if not re.fullmatch(r"\d{1,3}%", each))
    return rest, int(parts[0][1]) if parts else _WHOLE
