"""`pivot warm`."""

import json
from typing import Any, Final

import click

from pivot_cli import options
from pivot_cli.app import SuggestingGroup
from pivot_cli.context import command_context
from pivot_cli.terminal import console, formats
from pivot_runtime.warm import control
from pivot_runtime.warm.control import WarmState, WarmStatus

_EXAMPLES: Final = """\b
Examples:
  pivot warm status  Show whether a process waits.
  pivot warm stop    End it.
"""


@click.group("warm", cls=SuggestingGroup, epilog=_EXAMPLES)
def command() -> None:
    """Inspect and end the process that waits for the next command.

    With the setting 'warm', a process that has imported the libraries of your pipelines stays after 'pivot repro' or
    'pivot run', so that the next command need not import them again. It ends by itself after ten minutes without a
    command, when memory is scarce, when something that it has imported is upgraded, and when the project is removed or
    moved.
    """


_STATUS_EXAMPLES: Final = """\b
Examples:
  pivot warm status         Show the process and its libraries.
  pivot warm status --json  Print it as JSON.
"""


@command.command("status", epilog=_STATUS_EXAMPLES)
@options.as_json
def status(*, as_json: bool) -> int:
    """Show whether a process waits for the next command.

    A command uses it only where that makes no difference: with the same interpreter, libraries, environment variables
    and limits. Otherwise the command works as if there were none, and starts another one at its end.
    """
    found = control.warm_status(command_context())
    if as_json:
        console.data(json.dumps(_status_json(found), indent=2))
    else:
        console.data(_status_text(found))
    return 0


_STOP_EXAMPLES: Final = """\b
Examples:
  pivot warm stop  End it now.
"""


@command.command("stop", epilog=_STOP_EXAMPLES)
@options.as_json
def stop(*, as_json: bool) -> int:
    """End the process that waits for the next command, if there is one.

    Commands that use it at the moment are not disturbed.
    """
    pid = control.stop(command_context())
    if as_json:
        console.data(json.dumps({"pid": pid}, indent=2))
    else:
        console.data("No process waited for the next command" if pid is None else f"Ended process {pid}")
    return 0


def _status_text(found: WarmStatus) -> str:
    """Describe the process in one line, and the setting in another if it is off."""
    lines = [f"{_process(found)}{f': {found.reason}' if found.reason else ''}"]
    if found.libraries:
        lines.append(f"Imported: {', '.join(found.libraries)}")
    if not found.enabled:
        lines.append("The setting 'warm' is off: commands neither start nor use such a process")
    return formats.one_per_line(lines)


def _process(found: WarmStatus) -> str:
    match found.state:
        case WarmState.NONE:
            return "No process waits for the next command"
        case WarmState.STARTING:
            return f"Process {found.pid} imports libraries for the next command"
        case WarmState.SILENT:
            return f"Process {found.pid} cannot be used"
        case WarmState.WAITING if found.commands:
            return f"Process {found.pid} is used by {formats.counted(found.commands, 'command')}"
        case WarmState.WAITING:
            idle = formats.whole_seconds(found.idle_seconds or 0.0)
            return f"Process {found.pid} has waited for the next command for {idle}"


def _status_json(found: WarmStatus) -> dict[str, Any]:
    """Return the process as JSON."""
    return {
        "warm": found.enabled,
        "state": found.state.value,
        "pid": found.pid,
        "idle_seconds": found.idle_seconds,
        "commands": found.commands,
        "libraries": list(found.libraries),
        "reason": found.reason,
    }
