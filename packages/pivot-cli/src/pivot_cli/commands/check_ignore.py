"""`pivot check-ignore`."""

import json
from typing import Final

import attrs
import click

from pivot_cli import options
from pivot_cli.context import command_context
from pivot_cli.terminal import console
from pivot_runtime.inspecting.check_ignore import check_ignore

_EXAMPLES: Final = """\b
Examples:
  pivot check-ignore __pycache__/a.pyc  Show the line that ignores a path.
  pivot check-ignore -q .venv/lib       Report it by the exit code only.
"""


@click.command("check-ignore", epilog=_EXAMPLES)
@click.argument("paths", nargs=-1, required=True, metavar="PATHS...", type=click.Path())
@click.option(
    "--git", "with_git", is_flag=True, help="Also ask git, whose .gitignore files 'list --untracked' respects."
)
@click.option("--non-matching", is_flag=True, help="Also print paths that are not ignored.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing.")
@options.as_json
def command(paths: tuple[str, ...], *, with_git: bool, non_matching: bool, quiet: bool, as_json: bool) -> int:
    """Show which line of .pivotignore ignores a path.

    Each ignored path has a line on stdout, as with 'git check-ignore -v': FILE:LINE:PATTERN and the path. The
    command exits with 0 if a path is ignored, and with 1 if none is. Paths need not exist. Declared deps and outs, and
    files in them, are used even if they are ignored.
    """
    found = check_ignore(command_context(), paths, with_git=with_git)
    if as_json:
        console.data(json.dumps({"paths": [attrs.asdict(each) for each in found]}, indent=2))
    elif not quiet:
        for each in found:
            if each.ignored:
                console.line(f"{each.source}:{each.line}:{each.pattern}  {each.path}")
            elif non_matching:
                console.line(f"::  {each.path}")
    return 0 if any(each.ignored for each in found) else 1
