"""`pivot status`."""

import contextlib
import json
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from pivot_cli import options
from pivot_cli.context import command_context, keep_answer
from pivot_cli.reporting import notices
from pivot_cli.terminal import console
from pivot_cli.terminal.progress import HashProgress
from pivot_cli.views.status import explanations, status_json, status_text, tracked_states
from pivot_core.errors import PivotError
from pivot_runtime.inspecting.status import Status, StatusOptions, status
from pivot_runtime.project.project import Project

if TYPE_CHECKING:
    from pivot_runtime.context import CommandContext

_EXAMPLES: Final = """\b
Examples:
  pivot status                   Show the stages of the current pipeline.
  pivot status --diff summarize  Show the edited source lines of one stage.
  pivot status --all --json      Show all pipelines of the project, as JSON.
  pivot status --quiet           Only exit: with 0 if everything is cached.
  pivot status --with-diff -     Show what a diff would make stale.
"""


@click.command("status", epilog=_EXAMPLES)
@options.stages
@options.all_pipelines
@options.overrides
@click.option("--explain", is_flag=True, help="Show what changed, and why each stage would run.")
@click.option("--diff", is_flag=True, help="Show edited source lines; implies --explain.")
@click.option("--why-not", is_flag=True, help="Show what was compared for cached stages; implies --explain.")
@click.option("-v", "--verbose", is_flag=True, help="Show every place of code that is not tracked; implies --explain.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing; exit with 0 if everything is cached, else with 1.")
@click.option("--stages-only", is_flag=True, help="Leave out tracked files.")
@click.option("--remote", is_flag=True, help="Ask the remote: outs that it has count as available.")
@click.option("--sources", is_flag=True, help="Ask the sources of imported data whether they have changed.")
@click.option(
    "--with-diff",
    metavar="FILE",
    help="Show the status after a diff in FILE ('-' for standard input), which is not applied.",
)
def command(  # noqa: PLR0913  # one parameter per option
    stages: tuple[str, ...],
    *,
    all_pipelines: bool,
    overrides: tuple[str, ...],
    explain: bool,
    diff: bool,
    why_not: bool,
    verbose: bool,
    as_json: bool,
    quiet: bool,
    stages_only: bool,
    remote: bool,
    sources: bool,
    with_diff: str | None,
) -> int:
    """Show which stages are cached, which are stale, and why.

    Without STAGES, show the stages of the current pipeline and everything upstream. The command runs and changes
    nothing.
    """
    explain = explain or diff or why_not or verbose
    context = command_context(overrides, quiet=quiet)
    if with_diff is not None:
        if remote or sources:
            raise click.UsageError("--with-diff cannot be combined with --remote or --sources")
        shown = _Shown(explain=explain, diff=diff, why_not=why_not, verbose=verbose, as_json=as_json, quiet=quiet)
        return _show_edit(context, with_diff, stages, all_pipelines=all_pipelines, shown=shown)
    with HashProgress(), notices.note_stalls() if remote and not quiet else contextlib.nullcontext():
        found = status(
            context,
            stages,
            StatusOptions(
                all_pipelines=all_pipelines,
                quiet=quiet,
                diff=diff or (as_json and explain),
                variables=explain,
                tracked=not (quiet or stages_only or stages),
                stats=explain,
                remote="all" if remote else "none",
                sources=sources,
            ),
        )
    if quiet:
        if found.cached and not (found.broken or remote or sources):
            keep_answer(context, found)
        return 0 if found.cached else 1
    notices.warn_of_broken(found.broken)
    notices.hint_at_stashed_outs(found.will_be_restored)
    notices.note_outs_elsewhere(found.left, found.left_on)
    if as_json:
        plain = status_json(found, explain=explain, stages_only=stages_only)
        if sources:
            from pivot_cli.reporting.imports import source_json  # lazy

            plain["sources"] = [source_json(each) for each in found.sources]
        console.data(json.dumps(plain, indent=2))
    elif explain:
        console.data(explanations(found, why_not=why_not, verbose=verbose, diff=diff))
    else:
        console.data(status_text(found))
        _say_tracked(found, context.project)
        if sources:
            _say_sources(found, context.project)
    if found.cached and not (explain or found.broken or remote or sources):
        keep_answer(context, found)
    return 0


class _Shown(NamedTuple):
    """How a status is shown."""

    explain: bool
    diff: bool
    why_not: bool
    verbose: bool
    as_json: bool
    quiet: bool


_LARGEST_DIFF: Final = 1 << 26


def _show_edit(
    context: "CommandContext", file: str, stages: tuple[str, ...], *, all_pipelines: bool, shown: _Shown
) -> int:
    """Show what a diff would make stale; return the exit code."""
    from pivot_cli.views.edit_preview import edit_json, edit_lines, edit_text  # lazy
    from pivot_runtime.inspecting.edit_preview import Edit, EditOptions, preview_edit  # lazy

    edit = Edit.of_diff(context.project, _read_diff(file))
    with HashProgress():
        found = preview_edit(context, edit, stages, EditOptions(all_pipelines=all_pipelines, quiet=shown.quiet))
    if shown.quiet:
        return 0 if found.status.cached else 1
    if shown.as_json:
        console.data(json.dumps(edit_json(found, explain=shown.explain), indent=2))
    elif shown.explain:
        why_not, verbose, diff = shown.why_not, shown.verbose, shown.diff
        console.data(explanations(found.status, why_not=why_not, verbose=verbose, diff=diff))
        for line in edit_lines(found):
            console.line(line)
    else:
        console.data(edit_text(found))
    return 0


def _read_diff(file: str) -> bytes:
    try:
        with contextlib.nullcontext(sys.stdin.buffer) if file == "-" else open(file, "rb") as source:
            found = source.read(_LARGEST_DIFF + 1)
    except OSError as error:
        raise PivotError(f"the diff {file} cannot be read: {error.strerror}") from None
    if len(found) > _LARGEST_DIFF:
        raise PivotError(f"the diff is larger than {_LARGEST_DIFF >> 20} MB", hint="leave generated files out of it")
    return found


def _say_tracked(found: Status, project: Project) -> None:
    if found.tracked:
        console.data("\nTracked data:")
        for line in tracked_states(found.tracked, project):
            console.line(line)
    elif not found.stages:
        notices.hint_at_no_stages()


def _say_sources(found: Status, project: Project) -> None:
    from pivot_cli.reporting.imports import source_line  # lazy

    console.data("\nSources of imported data:")
    for check in found.sources:
        console.line(source_line(check, project))
        if check.error is not None:
            console.note(str(check.error))
    if not found.sources:
        console.line("nothing here was imported")
    elif any(check.state.value in ("moved", "unknown") for check in found.sources):
        console.hint("'pivot update' brings in what has changed")
