"""`pivot report`."""

from typing import Final

import click

from pivot_cli import options, signals
from pivot_cli.context import command_context
from pivot_cli.pages.output import PageOptions, deliver
from pivot_cli.pages.report import report_page
from pivot_cli.reporting.report import report_facts
from pivot_cli.terminal import console
from pivot_cli.terminal.progress import TransferProgress
from pivot_runtime.comparing.metrics import PullOptions

_EXAMPLES: Final = """\b
Examples:
  pivot report --open                  Show the workspace beside HEAD.
  pivot report --rev main -o all.html  Show it beside main, in this file.
  pivot report --rev v1.0 --rev v1.1   Show two revisions side by side.
"""


@click.command("report", epilog=_EXAMPLES)
@click.option(
    "--rev",
    "revisions",
    multiple=True,
    metavar="REV",
    shell_complete=options.complete_revisions,
    help="Compare this revision; can be repeated. One is compared with the workspace.  [default: HEAD]",
)
@options.pull_content
@options.page_output
def command(revisions: tuple[str, ...], *, pull: bool, output: PageOptions | None) -> int:
    """Write everything about the project's results on one page.

    It prints the path of the page, which has the status of all stages, metrics, plots, parameters and the first rows of
    tables at the revisions, the graph, the last runs and the environment. It is one file that works offline, and has no
    values of secret parameters or of environment variables.
    """
    context = command_context()
    with signals.raise_on_termination(), TransferProgress("fetching") as progress:
        facts = report_facts(context, revisions, PullOptions(pull, progress))
    deliver(report_page(facts), output, context.project, "report")
    for problem, hint in facts.all_problems:
        console.error(problem)
        if hint:
            console.hint(hint)
    return 1 if facts.all_problems else 0
