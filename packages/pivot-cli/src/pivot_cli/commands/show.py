"""`pivot show`."""

import json
from typing import Final

import click

from pivot_cli.context import command_context
from pivot_cli.terminal import console
from pivot_cli.views.history import run_json, run_text
from pivot_runtime.history import history

_EXAMPLES: Final = """\b
Examples:
  pivot show                           Show the newest run.
  pivot show --json 1                  Show the first run, as JSON.
  pivot show --format html > run.html  Draw the newest run.
"""


@click.command("show", epilog=_EXAMPLES)
@click.argument("run", type=click.IntRange(min=1), required=False, metavar="[RUN]")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "html", "chrome-trace"]),
    default="text",
    help="The output format; html and chrome-trace show the run over time.  [default: text]",
)
@click.option("--json", "as_json", is_flag=True, help="Same as --format json.")
def command(run: int | None, *, form: str, as_json: bool) -> int:
    """Show a run: its stages, the reasons, times and resources.

    RUN is a number from 'pivot history', by default the newest. html prints one self-contained page; chrome-trace
    prints a trace for Perfetto and chrome://tracing.
    """
    found = history.run(command_context().project, run)
    match "json" if as_json else form:
        case "json":
            text = json.dumps(run_json(found), indent=2)
        case "html":
            from pivot_cli.pages.timeline import timeline_page  # lazy

            text = timeline_page(found)
        case "chrome-trace":
            from pivot_cli.views import timeline  # lazy

            text = json.dumps(timeline.chrome_trace(found))
        case _:
            text = run_text(found)
    console.data(text)
    return 0
