"""`pivot repro`."""

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import attrs
import click

from pivot_cli import options
from pivot_cli.context import command_context
from pivot_cli.reporting.notices import note_stalls, warn_of_broken
from pivot_cli.reporting.run import Verbosity, command_line, run_stages
from pivot_cli.terminal import console
from pivot_runtime.running.repro import RunOptions

if TYPE_CHECKING:
    from pivot_runtime.context import CommandContext

_EXAMPLES: Final = """\b
Examples:
  pivot repro                        Update the current pipeline.
  pivot repro summarize              Update a stage and its upstream.
  pivot repro --dry-run --explain    Show what would run, and why.
  pivot repro --jobs 4               Run up to four stages at once.
  pivot repro --watch                Update it after every change.
"""


@click.command("repro", epilog=_EXAMPLES)
@options.targets
@options.all_pipelines
@options.overrides
@options.run_options
@click.option("-f", "--force", is_flag=True, help="Run every stage, even if it is cached.")
@click.option("--pull", is_flag=True, help="Use results on the remote; fetch only inputs of stages that run.")
@click.option("-w", "--watch", is_flag=True, help="Run again whenever something changes, until Ctrl-C.")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be done, but do nothing.")
@options.verbosity
def command(  # noqa: PLR0913  # one parameter per option
    targets: tuple[str, ...],
    run_options: RunOptions,
    *,
    all_pipelines: bool,
    overrides: tuple[str, ...],
    force: bool,
    pull: bool,
    watch: bool,
    dry_run: bool,
    **verbosity: bool,
) -> int:
    """Run the stages whose code or inputs changed.

    Without TARGETS, run the stages of the current pipeline; otherwise, the named stages, or the stages that write the
    named files. In any case, include everything upstream, in any pipeline. Stages that are up to date are skipped;
    results that the cache has are restored from it.
    """
    context = command_context(overrides)
    for given, option in (
        (dry_run, "--dry-run"),
        (run_options.no_commit, "--no-commit"),
        (run_options.ignore_errors, "--ignore-errors"),
    ):
        if given and watch:
            raise click.UsageError(f"{option} and --watch exclude each other")
    if dry_run:
        _print_plan(context, targets, Verbosity(**verbosity), all_pipelines=all_pipelines, force=force, pull=pull)
        return 0
    run_options = attrs.evolve(run_options, force=force, all_pipelines=all_pipelines, pull=pull)
    if watch:
        from pivot_cli.reporting.watch import watch_project  # lazy

        watch_project(context, targets, run_options, Verbosity(**verbosity))
        return 0
    return run_stages(context, targets, run_options, Verbosity(**verbosity), command="pivot repro")


def _print_plan(
    context: "CommandContext",
    targets: Sequence[str],
    verbosity: Verbosity,
    *,
    all_pipelines: bool,
    force: bool,
    pull: bool,
) -> None:
    from pivot_runtime.inspecting.status import StatusOptions, status  # lazy

    in_full = verbosity.explain or verbosity.verbose
    wanted = StatusOptions(
        all_pipelines=all_pipelines,
        with_upstream=True,
        force=force,
        stats=in_full,
        remote="all" if pull else "none",
    )
    with note_stalls() if pull else contextlib.nullcontext():
        planned = status(context, targets, wanted)
    warn_of_broken(planned.broken)
    if verbosity.jsonl:
        from pivot_cli.reporting.jsonl import write_plan  # lazy

        write_plan(planned, command_line("pivot repro --dry-run", targets), began=context.began)
        return
    from pivot_cli.views.status import explanations, planned_runs  # lazy

    console.data(explanations(planned) if in_full else planned_runs(planned))
