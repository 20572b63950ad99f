"""`pivot status`."""

import json

import click

from pivot_cli import jsonform, options, render
from pivot_cli.group import working_directory
from pivot_engine.project import Project
from pivot_engine.status import status


@click.command("status")
@options.stages
@click.option("--explain", is_flag=True, help="Show what changed, and why each stage would run.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing; exit with 0 if all is cached, else with 1.")
@click.option("--stages-only", is_flag=True, help="Leave out tracked files.")
def command(stages: tuple[str, ...], *, explain: bool, as_json: bool, quiet: bool, stages_only: bool) -> int:
    """Show which stages are cached, which are stale, and why.

    Without STAGES, all of them. Nothing is run or changed.
    """
    project = Project.find(working_directory())
    found = status(project, stages, quiet=quiet)
    if quiet:
        return 0 if found.cached else 1
    if as_json:
        click.echo(json.dumps(jsonform.status(found, explain=explain, stages_only=stages_only), indent=2))
    elif explain:
        click.echo(render.explanations(found), nl=False)
    else:
        click.echo(render.status(found), nl=False)
    return 0
