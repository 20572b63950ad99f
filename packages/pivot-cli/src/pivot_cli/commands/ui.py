"""`pivot ui`."""

from typing import Final

import click

from pivot_cli import options
from pivot_cli.apps import UiOptions, load_app
from pivot_cli.context import command_context

_EXAMPLES: Final = """\b
Examples:
  pivot ui                           Open the page of this project.
  pivot ui --allow-run               Let the page also run stages.
  pivot ui --no-browser --port 8000  Serve it there, and print the link.
  pivot ui --export page             Write it as files, as for CI.
"""


@click.command("ui", epilog=_EXAMPLES)
@click.option(
    "--port",
    type=options.WholeNumber(min=1, max=65535),
    metavar="PORT",
    help="Listen on this port of 127.0.0.1.  [default: any that is free]",
)
@click.option("--no-browser", is_flag=True, help="Do not open the page; print its link only.")
@click.option("--allow-run", is_flag=True, help="Let the page run and stop stages.")
@click.option("--export", metavar="DIR", help="Write the page as files into DIR, and serve nothing.")
def command(*, port: int | None, no_browser: bool, allow_run: bool, export: str | None) -> int:
    """Show the project as a page in your browser: graph, reasons, results.

    The page follows runs of all terminals, and edits. It is served on this computer only, at a link with a secret that
    the command prints; other users of the computer cannot open it without that. It changes nothing, unless --allow-run
    lets it run stages. Ctrl-C ends it.

    With --export, the page becomes files that a browser opens without a server, with everything as it is now.

    The command needs the package pivot-ui: install pivot[ui].
    """
    if export is not None and (port is not None or allow_run):
        raise click.UsageError("--export serves nothing: leave out --port and --allow-run")
    context = command_context()
    return load_app("ui", UiOptions)(context, UiOptions(port, not no_browser, allow_run, export))
