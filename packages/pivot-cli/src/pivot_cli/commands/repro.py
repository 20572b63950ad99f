"""`pivot repro`."""

from collections.abc import Sequence

import attrs
import click

from pivot_cli import context, options, run_options, signals
from pivot_cli.reporting.noop_answer import keep
from pivot_cli.reporting.notices import telling_of_stalls, warn_of_broken
from pivot_cli.reporting.reporter import Telling, reporting
from pivot_cli.terminal import console
from pivot_cli.views import phrases
from pivot_cli.views import status as render
from pivot_runtime.artifacts import lock_files
from pivot_runtime.inspecting.status import StatusOptions, status
from pivot_runtime.project.project import Project
from pivot_runtime.running.repro import Options, repro

_LONGEST = 100
"""So many characters of a command are shown."""


@click.command("repro")
@options.targets
@options.everything
@options.overrides
@run_options.wishes
@click.option("-f", "--force", is_flag=True, help="Run every stage, even if it is cached.")
@click.option("--pull", is_flag=True, help="Use results on the remote; fetch only inputs of stages that run.")
@click.option("-w", "--watch", is_flag=True, help="Run again whenever something changes, until Ctrl-C.")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be done, but do nothing.")
@options.telling
def command(  # noqa: PLR0913  # one parameter per option
    targets: tuple[str, ...],
    wanted: Options,
    *,
    everything: bool,
    overrides: tuple[str, ...],
    force: bool,
    pull: bool,
    watch: bool,
    dry_run: bool,
    **told: bool,
) -> int:
    """Run the stages whose code or inputs changed.

    Without TARGETS, run the stages of the current pipeline; otherwise, the named stages, or the stages that write the
    named files. In any case, include everything upstream, in any pipeline. Stages that are up to date are skipped;
    results that the cache has are restored from it.
    """
    project = context.project(overrides)
    if dry_run and watch:
        raise click.UsageError("--dry-run and --watch exclude each other")
    if dry_run:
        with telling_of_stalls(wanted=pull):
            planned = status(
                project,
                targets,
                StatusOptions(
                    all_pipelines=everything,
                    with_upstream=True,
                    force=force,
                    stats=told["explain"] or told["verbose"],
                    remote="all" if pull else "none",
                ),
            )
        warn_of_broken(planned.broken)
        in_full = told["explain"] or told["verbose"]
        console.data(render.explanations(planned) if in_full else render.dry_run(planned))
        return 0
    wanted = attrs.evolve(wanted, force=force, everything=everything, pull=pull)
    if watch:
        from pivot_cli.reporting import watch as watching  # noqa: PLC0415  # start-up time

        command = called("pivot repro --watch", targets)
        with telling_of_stalls(wanted=pull and not told["quiet"]):
            watching.watch(project, targets, wanted, command=command, telling=Telling(**told))
    return work(project, targets, wanted, command="pivot repro", telling=Telling(**told))


def called(command: str, targets: Sequence[str]) -> str:
    """The command line that others see for this command; values of parameters may be secrets."""
    import shlex  # noqa: PLC0415  # start-up time

    whole = f"{command} {shlex.join(targets)}".rstrip()
    return whole if len(whole) <= _LONGEST else f"{whole[: _LONGEST - 1]}…"


def work(project: Project, targets: Sequence[str], wanted: Options, *, command: str, telling: Telling) -> int:
    """Run, print what happens and a summary; returns the exit code."""
    command = called(command, targets)
    shown = reporting(telling, command, project, output=wanted.show_output, shared=wanted.in_process)
    stalls = telling_of_stalls(wanted=wanted.pull and not telling.quiet)
    with signals.heeding(), lock_files.shared(project), shown as report, stalls:
        outcome = repro(project, targets, options=wanted, command=command, report=report)
    if telling.summary:
        console.data(render.summary(outcome))
    asked_again = not wanted.alone  # nobody looks for what is kept of `pivot run`
    if outcome.idle and asked_again and not (telling.jsonl or wanted.force or wanted.pull):
        keep(project, outcome.load_traces, phrases.seconds(outcome.seconds) if telling.summary else "")
    if outcome.torn:
        console.hint("run 'pivot repro' again; where it is so each time, the stage itself changes what it reads")
    return 0 if outcome.complete else 1
