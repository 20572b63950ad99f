"""`pivot import-url`."""

from typing import Final

import click

from pivot_cli import options, signals
from pivot_cli.context import command_context
from pivot_cli.reporting import imports
from pivot_cli.reporting.run_lines import RunLines
from pivot_cli.terminal.progress import TransferProgress
from pivot_runtime.external.import_data import import_url

_EXAMPLES: Final = """\b
Examples:
  pivot import-url https://example.org/a.csv  Bring in ./a.csv.
  pivot import-url s3://bucket/raw.csv b.csv  Give it another name.
"""


@click.command("import-url", epilog=_EXAMPLES)
@click.argument("url", metavar="URL")
@click.argument("path", required=False, metavar="[PATH]")
@click.option("-f", "--force", is_flag=True, help="Replace other content at the path; it is saved first.")
@options.as_json
def command(url: str, path: str | None, *, force: bool, as_json: bool) -> int:
    """Download the content of a URL, and record where it came from.

    URL begins with http://, https://, s3://, gs:// or az://. The data are tracked here as by 'pivot track'; their .pvt
    file also names the URL and what the server says of its content, for 'pivot update'. An interrupted download
    continues when the command is repeated. Users and passwords come from ~/.netrc; those in a URL are not recorded.
    """
    context = command_context()
    with signals.raise_on_termination(), TransferProgress("downloading") as progress:
        done = import_url(context, url, to=path, force=force, report=RunLines(), progress=progress)
    return imports.report([done], context.project, as_json=as_json)
