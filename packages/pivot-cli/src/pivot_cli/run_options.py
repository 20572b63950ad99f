"""The options that say how stages are run, for all commands that run some."""

import functools
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final

import click

from pivot_runtime.executors.options import Options

_WISHES: Final = (
    click.option(
        "-j",
        "--jobs",
        type=click.IntRange(min=1),
        metavar="N",
        help="Number of stages to run at once.  [default: run.jobs, else the number of available processors]",
    ),
    click.option(
        "-k",
        "--keep-going/--no-keep-going",
        default=None,
        help="After a failure, still run independent stages.  [default: run.keep_going, else no]",
    ),
    click.option(
        "--show-output",
        is_flag=True,
        help="Show the output of stages immediately, with the stage's name before each line.",
    ),
    click.option(
        "--no-wait", is_flag=True, help="If another command is changing this project, fail with exit code 3 at once."
    ),
    click.option(
        "--in-process",
        is_flag=True,
        help="Run stages in this process, one after the other, for debuggers, profilers and coverage.",
    ),
    click.option("--pdb", is_flag=True, help="Same as --in-process, and open the debugger where a stage fails."),
)


def wishes(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command these options; it takes what they say as its argument ``wanted``."""

    @functools.wraps(command)
    def wishing(  # one parameter per option
        *,
        jobs: int | None,
        keep_going: bool | None,
        show_output: bool,
        no_wait: bool,
        in_process: bool,
        pdb: bool,
        **others: Any,
    ) -> int:
        wanted = Options(
            jobs=jobs,
            keep_going=keep_going,
            wait=not no_wait,
            show_output=show_output,
            sole=click.get_current_context().obj is not None,  # else it is somebody else's process
            in_process=in_process or pdb,
            debugger=_post_mortem if pdb else None,
        )
        return command(wanted=wanted, **others)

    for option in reversed(_WISHES):
        wishing = option(wishing)
    return wishing


def _post_mortem(place: TracebackType) -> None:
    """Debug where a stage has failed, on the terminal."""
    import pdb  # noqa: PLC0415, T100  # start-up time; it is what the user asked for

    pdb.post_mortem(place)
