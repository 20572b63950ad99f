"""`pivot doctor`."""

import json
from typing import Final

import click

from pivot_cli import options
from pivot_cli.context import command_context
from pivot_cli.terminal import console, formats
from pivot_runtime.inspecting.doctor import Level, diagnose

_COLOURS = {Level.GOOD: "green", Level.SLOW: "yellow", Level.BAD: "red"}


_EXAMPLES: Final = """\b
Examples:
  pivot doctor         Check everything.
  pivot doctor --json  Print the findings as JSON.
"""


@click.command("doctor", epilog=_EXAMPLES)
@options.as_json
def command(*, as_json: bool) -> int:
    """Check the project for problems and slow spots.

    The command checks the configuration, the cache, git, and every pipeline: whether it can be imported, whether
    commands with nothing to do must import it again and why, and which of its code cannot be followed. It exits with
    1 if there is a problem.
    """
    found = list(diagnose(command_context()))
    if as_json:
        plain = [
            {"level": each.level.value, "about": each.about, "text": each.text, "hint": each.hint, "docs": each.topic}
            for each in found
        ]
        console.data(json.dumps({"findings": plain}, indent=2))
    else:
        for each in found:
            level = console.coloured(f"{each.level.value:<7}", _COLOURS[each.level])
            console.data(f"{level}  {formats.one_line(f'{each.about}: {each.text}')}")
            if each.hint:
                console.data(f"         {formats.one_line(each.hint)}")
        for topic in dict.fromkeys(each.topic for each in found):
            console.docs(topic)
    return 1 if any(each.level is Level.BAD for each in found) else 0
