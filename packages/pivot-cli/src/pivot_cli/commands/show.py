"""`pivot show`."""

import json
from typing import TYPE_CHECKING, Final

import click

from pivot_cli import options
from pivot_cli.context import command_context
from pivot_cli.terminal import console
from pivot_cli.views.history import run_json, run_text
from pivot_runtime.history import history

if TYPE_CHECKING:
    from pivot_cli.pages.output import PageOptions

_EXAMPLES: Final = """\b
Examples:
  pivot show                           Show the newest run.
  pivot show --json 1                  Show the first run, as JSON.
  pivot show --open                    Draw the newest run in the browser.
"""


@click.command("show", epilog=_EXAMPLES)
@click.argument("run", type=options.WholeNumber(min=1), required=False, metavar="[RUN]")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "html", "chrome-trace"]),
    default="text",
    help="The output format; html and chrome-trace show the run over time.  [default: text]",
)
@click.option("--json", "as_json", is_flag=True, help="Same as --format json.")
@options.page_output
def command(run: int | None, *, form: str, as_json: bool, output: "PageOptions | None") -> int:
    """Show a run: its stages, the reasons, times and resources.

    RUN is a number from 'pivot history', by default the newest. html prints one self-contained page; chrome-trace
    prints a trace for Perfetto and chrome://tracing. With -o or --open, draw a page, as with html.
    """
    form = "json" if as_json else form
    if output is not None and form not in ("text", "html"):
        raise click.UsageError(f"-o and --open are for pages, and not for --format {form}")
    context = command_context()
    found = history.run(context.project, run)
    match form if output is None else "html":
        case "json":
            text = json.dumps(run_json(found), indent=2)
        case "html":
            from pivot_cli.pages.output import PageOptions, deliver  # lazy
            from pivot_cli.pages.timeline import timeline_page  # lazy

            deliver(timeline_page(found), output or PageOptions("-", open=False), context.project, "timeline")
            return 0
        case "chrome-trace":
            from pivot_cli.views import timeline  # lazy

            text = json.dumps(timeline.chrome_trace(found))
        case _:
            text = run_text(found)
    console.data(text)
    return 0
