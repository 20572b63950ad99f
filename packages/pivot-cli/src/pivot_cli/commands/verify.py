"""`pivot verify`."""

import json

import click

from pivot_cli import options, verdicts
from pivot_cli.group import working_directory
from pivot_cli.progress import warn_of_broken
from pivot_engine.project import Project
from pivot_engine.verify import verify


@click.command("verify")
@options.stages
@options.everything
@options.overrides
@click.option("--allow-missing", is_flag=True, help="What is missing here may be on the remote instead.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    stages: tuple[str, ...], *, everything: bool, overrides: tuple[str, ...], allow_missing: bool, as_json: bool
) -> int:
    """Check that all stages are cached and what they left is to be had.

    Without STAGES, those of the pipeline here and all that they rest on. Passed is a stage whose code, parameters and
    deps are those of its lock file, and whose outs are in the cache. Nothing is run or changed. The exit code
    is 0 if all stages pass, else 1.
    """
    found = verify(
        Project.find(working_directory(), overrides), stages, everything=everything, allow_missing=allow_missing
    )
    warn_of_broken(found.broken)
    if as_json:
        click.echo(json.dumps(verdicts.verification_plain(found), indent=2))
    else:
        click.echo(verdicts.verification(found), nl=False)
    return 0 if found.passed else 1
