"""`pivot repro`."""

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import attrs
import click

from pivot_cli import options
from pivot_cli.context import command_context
from pivot_cli.reporting.notices import hint_at_no_stages, note_local_runs, note_stalls, warn_of_broken
from pivot_cli.reporting.run import Verbosity, command_line, run_stages
from pivot_cli.terminal import console
from pivot_runtime.running.repro import RunOptions

if TYPE_CHECKING:
    from pivot_runtime.context import CommandContext

_EXAMPLES: Final = """\b
Examples:
  pivot repro                              Update the current pipeline.
  pivot repro summarize                    Update a stage and its upstream.
  pivot repro --dry-run --explain          Show what would run, and why.
  pivot repro --jobs 4                     Run up to four stages at once.
  pivot repro --watch                      Update it after every change.
  pivot repro -p train.rate=1,2 --compare  Run both apart, and compare.
  pivot repro --executor dask://local      Try to run stages on a cluster.
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
@click.option(
    "--compare",
    is_flag=True,
    help="Run each combination of the comma-separated values of -p apart, and compare the results.",
)
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
    compare: bool,
    **verbosity: bool,
) -> int:
    """Run the stages whose code or inputs changed.

    Without TARGETS, run the stages of the current pipeline; otherwise, the named stages, or the stages that write the
    named files. In any case, include everything upstream, in any pipeline. Stages that are up to date are skipped;
    results that the cache has are restored from it.

    With --compare, the workspace stays as it is: each combination of values, as in -p train.rate=0.1,0.2, is run in a
    private copy of the project, unless its result is known. 'pivot results' lists all results, and 'pivot apply'
    puts one into the workspace.
    """
    if compare:
        _refuse(overrides, run_options, watch=watch, pull=pull)
        sweep_options = {"force": force, "all_pipelines": all_pipelines, "dry_run": dry_run}
        return _compare(targets, overrides, run_options, Verbosity(**verbosity), **sweep_options)
    context = command_context(overrides)
    for given, option in (
        (dry_run, "--dry-run"),
        (run_options.no_commit, "--no-commit"),
        (run_options.ignore_errors, "--ignore-errors"),
    ):
        if given and watch:
            raise click.UsageError(f"{option} and --watch exclude each other")
    run_options = attrs.evolve(run_options, force=force, all_pipelines=all_pipelines, pull=pull)
    if dry_run:
        _print_plan(context, targets, run_options, Verbosity(**verbosity))
        return 0
    if watch:
        from pivot_cli.reporting.watch import watch_project  # lazy

        watch_project(context, targets, run_options, Verbosity(**verbosity))
        return 0
    return run_stages(context, targets, run_options, Verbosity(**verbosity), command="pivot repro")


def _refuse(overrides: Sequence[str], run_options: RunOptions, *, watch: bool, pull: bool) -> None:
    from pivot_core.params.overrides import VARIABLE  # lazy

    if not overrides:
        raise click.UsageError("--compare goes with -p STAGE.NAME=VALUE,VALUE")
    excluded = {"--watch": watch, "--pull": pull, "--in-process": run_options.in_process}
    excluded |= {"--show-output": run_options.show_output, "--no-commit": run_options.no_commit}
    excluded["--ignore-errors"] = run_options.ignore_errors
    excluded["--var"] = any(text.startswith(VARIABLE) for text in overrides)
    for name, given in excluded.items():
        if given:
            raise click.UsageError(f"--compare and {name} exclude each other")


def _compare(
    targets: Sequence[str],
    overrides: Sequence[str],
    run_options: RunOptions,
    verbosity: Verbosity,
    *,
    dry_run: bool,
    **options: bool,
) -> int:
    from pivot_cli.sweeps import run  # lazy
    from pivot_runtime.sweeps.sweep import SweepOptions  # lazy

    context = command_context()
    sweep_options = SweepOptions(jobs=run_options.jobs, keep_going=run_options.keep_going, **options)
    command = command_line("pivot repro --compare", targets)
    if not verbosity.quiet:
        note_local_runs(context, "--compare")
    if dry_run:
        run.print_plan(context, overrides, targets, sweep_options, jsonl=verbosity.jsonl, command=command)
        return 0
    return run.run_sweep(context, overrides, targets, sweep_options, verbosity, command)


def _print_plan(context: "CommandContext", targets: Sequence[str], options: RunOptions, verbosity: Verbosity) -> None:
    from pivot_runtime.inspecting.status import StatusOptions, status  # lazy

    in_full = verbosity.explain or verbosity.verbose
    wanted = StatusOptions(
        all_pipelines=options.all_pipelines,
        with_upstream=True,
        force=options.force,
        stats=in_full,
        variables=in_full,
        remote="all" if options.pull else "none",
        executor=options.effective_executor,
    )
    with note_stalls() if options.pull else contextlib.nullcontext():
        planned = status(context, targets, wanted)
    warn_of_broken(planned.broken)
    if verbosity.jsonl:
        from pivot_cli.reporting.jsonl import write_plan  # lazy

        write_plan(planned, command_line("pivot repro --dry-run", targets), began=context.began)
        return
    from pivot_cli.views.status import explanations, planned_runs  # lazy

    console.data(explanations(planned) if in_full else planned_runs(planned))
    if not planned.stages:
        hint_at_no_stages()
