"""`pivot warm`."""

import json
from typing import Final

import click

from pivot_cli import options
from pivot_cli.app import SuggestingGroup
from pivot_cli.context import command_context
from pivot_cli.terminal import console
from pivot_cli.views import warm
from pivot_runtime.warm import control

_EXAMPLES: Final = """\b
Examples:
  pivot config set warm on  Let a process wait for the next command.
  pivot warm status         Show what it does.
  pivot warm stop           End it.
"""


@click.group("warm", cls=SuggestingGroup, epilog=_EXAMPLES)
def command() -> None:
    """Inspect and end the process that waits for the next command.

    With the setting 'warm', a process that has imported the libraries of your pipelines stays after 'pivot repro' or
    'pivot run', so that the next command need not import them again. It ends by itself after ten minutes without a
    command, when memory is scarce, when something that it has imported is installed anew, and when the project is
    removed or moved.
    """


@command.command("status")
@options.as_json
def status(*, as_json: bool) -> int:
    """Show whether a process waits for the next command.

    A command uses it only where that makes no difference: with the same interpreter, libraries, environment variables
    and limits. Otherwise the command works as if there were none, and starts another one at its end.
    """
    found = control.warm_status(command_context())
    if as_json:
        console.data(json.dumps(warm.status_json(found), indent=2))
    else:
        console.data(warm.status_text(found))
    return 0


@command.command("stop")
@options.as_json
def stop(*, as_json: bool) -> int:
    """End the process that waits for the next command, if there is one.

    Commands that use it at the moment are not disturbed.
    """
    pid = control.stop(command_context())
    if as_json:
        console.data(json.dumps({"pid": pid}, indent=2))
    else:
        console.data(warm.stop_text(pid))
    return 0
