"""`pivot import`."""

from typing import Final

import click

from pivot_cli import options, signals
from pivot_cli.context import command_context
from pivot_cli.reporting import imports
from pivot_cli.reporting.run_lines import RunLines
from pivot_cli.terminal.progress import TransferProgress
from pivot_runtime.external.import_data import import_artifact

_EXAMPLES: Final = """\b
Examples:
  pivot import ../registry model.json          Bring in ./model.json.
  pivot import ../registry raw.csv --rev v1.2  Bring in the data of a tag.
"""


@click.command("import", epilog=_EXAMPLES)
@click.argument("repo", metavar="REPO")
@click.argument("out", metavar="OUT")
@click.option("-o", "--output", metavar="PATH", help="The path in this project; by default the name of OUT.")
@click.option("--rev", metavar="REV", help="A branch, a tag or a commit to follow; by default the default branch.")
@click.option("-f", "--force", is_flag=True, help="Replace other content at the path; it is saved first.")
@options.as_json
def command(repo: str, out: str, *, output: str | None, rev: str | None, force: bool, as_json: bool) -> int:
    """Bring in data of another repository, and record where they came from.

    REPO is the URL or the directory of a git repository in which Pivot records OUT: an out or tracked data. The data
    are tracked here as by 'pivot track'; their .pvt file also names the repository and the commit, for 'pivot update'.
    The user's git reads the repository, and no code of it runs.
    """
    context = command_context()
    with signals.raise_on_termination(), TransferProgress("fetching") as progress:
        done = import_artifact(
            context, repo, out, to=output, rev=rev, force=force, report=RunLines(), progress=progress
        )
    return imports.report([done], context.project, as_json=as_json)
