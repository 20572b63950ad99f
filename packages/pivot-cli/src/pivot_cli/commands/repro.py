"""`pivot repro`."""

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import click

from pivot_cli import console, options, place, render, signals, wording
from pivot_cli.cautions import warn_of_broken
from pivot_cli.keeping import keep
from pivot_cli.telling import Telling, reporting
from pivot_engine.project import Project
from pivot_engine.repro import Options, repro
from pivot_engine.status import status

jobs = click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Stages to run at once.  [default: run.jobs, else as many as this machine grants processors]",
)
"""How many stages run at once."""

keep_going = click.option(
    "-k",
    "--keep-going/--no-keep-going",
    default=None,
    help="After a failure, run what does not rest on it.  [default: run.keep_going, else no]",
)
"""What a failure stops."""

show_output = click.option(
    "--show-output", is_flag=True, help="Show what stages print as it comes, each line after the stage's name."
)
"""What a run lets the user see."""

no_wait = click.option(
    "--no-wait", is_flag=True, help="If another command works on this project, fail with exit code 3 at once."
)
"""What becomes of the second of two commands."""


def in_process[F: Callable[..., Any]](command: F) -> F:
    """Where stages run: options for whoever debugs them."""
    here = "Run stages in this process, one after the other: for debuggers, profilers and coverage."
    command = click.option("--pdb", is_flag=True, help="As --in-process, and debug where a stage fails.")(command)
    return click.option("--in-process", is_flag=True, help=here)(command)


def post_mortem(place: TracebackType) -> None:
    """Debug where a stage has failed, on the terminal."""
    import pdb  # noqa: PLC0415, T100  # start-up time; it is what the user asked for

    pdb.post_mortem(place)


@click.command("repro")
@options.targets
@options.everything
@options.overrides
@jobs
@keep_going
@show_output
@no_wait
@in_process
@click.option("-f", "--force", is_flag=True, help="Run every stage, also those that are cached.")
@click.option("--pull", is_flag=True, help="Count what the remote has as here; fetch only what stages that run read.")
@click.option("-w", "--watch", is_flag=True, help="Run again whenever something changes, until Ctrl-C.")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@options.telling
def command(  # noqa: PLR0913  # one parameter per option
    targets: tuple[str, ...],
    *,
    everything: bool,
    overrides: tuple[str, ...],
    jobs: int | None,
    keep_going: bool | None,
    show_output: bool,
    no_wait: bool,
    in_process: bool,
    pdb: bool,
    force: bool,
    pull: bool,
    watch: bool,
    dry_run: bool,
    **told: bool,
) -> int:
    """Run the stages whose code or inputs changed.

    Without TARGETS, the stages of the pipeline here; else the stages named, or those that write the
    files named. In any case also everything that they rest on, in whatever pipeline it is. Stages that are
    up to date are skipped; results that the cache already has are restored from it.
    """
    project = place.project(overrides)
    if dry_run and watch:
        raise click.UsageError("--dry-run and --watch exclude each other")
    if dry_run:
        planned = status(
            project,
            targets,
            everything=everything,
            closure=True,
            force=force,
            facts=told["explain"] or told["verbose"],
            remote=pull,
        )
        warn_of_broken(planned.broken)
        in_full = told["explain"] or told["verbose"]
        click.echo(render.explanations(planned) if in_full else render.dry_run(planned), nl=False)
        return 0
    wanted = Options(
        jobs=jobs,
        force=force,
        keep_going=keep_going,
        everything=everything,
        pull=pull,
        wait=not no_wait,
        show_output=show_output,
        sole=True,
        in_process=in_process or pdb,
        debugger=post_mortem if pdb else None,
    )
    if watch:
        from pivot_cli import watching  # noqa: PLC0415  # start-up time

        watching.watch(project, targets, wanted, command="pivot repro --watch", telling=Telling(**told))
    return work(project, targets, wanted, command="pivot repro", telling=Telling(**told))


def work(project: Project, targets: Sequence[str], wanted: Options, *, command: str, telling: Telling) -> int:
    """Run, print what happens and a summary; returns the exit code."""
    shown = reporting(telling, command, project, output=wanted.show_output, shared=wanted.in_process)
    with signals.heeding(), shown as report:
        outcome = repro(project, targets, options=wanted, command=command, report=report)
    if telling.summary:
        console.data(render.summary(outcome))
    asked_again = not wanted.alone  # nobody looks for what is kept of `pivot run`
    if outcome.idle and asked_again and not (telling.jsonl or wanted.force or wanted.pull):
        keep(project, outcome.grounds, wording.seconds(outcome.seconds) if telling.summary else "")
    if outcome.torn:
        console.hint("run 'pivot repro' again; where it is so each time, the stage itself changes what it reads")
    return 0 if outcome.complete else 1
