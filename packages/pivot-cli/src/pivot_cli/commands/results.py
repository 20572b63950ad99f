"""`pivot results`."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click

from pivot_cli import options
from pivot_cli.context import command_context
from pivot_cli.sweeps import results as views
from pivot_cli.terminal import console, formats
from pivot_core.errors import list_names, suggest
from pivot_runtime.comparing.values import is_number
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import TargetError
from pivot_runtime.sweeps.results import ResultRow, remove, results

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_EXAMPLES: Final = """\b
Examples:
  pivot results                         List the results of this project.
  pivot results --sort accuracy --desc  The most accurate first.
  pivot results --last 5 --md           The newest ones, for a pull request.
  pivot results --remove 3f2a91c0       Forget a result.
"""


def _complete(context: click.Context, parameter: click.Parameter, typed: str) -> "list[CompletionItem]":
    complete = options.complete_results if context.params.get("removed") else options.complete_targets
    return complete(context, parameter, typed)


@click.command("results", epilog=_EXAMPLES)
@click.argument("names", nargs=-1, metavar="[TARGETS]...", shell_complete=_complete)
@options.all_pipelines
@click.option("--sort", "sorted_by", metavar="NAME", help="Sort by a metric or parameter, the smallest value first.")
@click.option("--desc", is_flag=True, help="With --sort: the largest value first.")
@click.option("--last", type=options.WholeNumber(min=1), metavar="N", help="Show the N newest results only.")
@click.option("--all-params", is_flag=True, help="Also show parameters that are equal in all results.")
@options.value_formats
@click.option("--remove", "removed", is_flag=True, help="Remove the results with the IDs given as TARGETS.")
def command(  # noqa: PLR0913  # one parameter per option
    names: tuple[str, ...],
    *,
    all_pipelines: bool,
    sorted_by: str | None,
    desc: bool,
    last: int | None,
    all_params: bool,
    form: str,
    precision: int,
    removed: bool,
) -> int:
    """Compare the recorded results: parameters and metrics.

    Each run of 'pivot repro' that did something is recorded, and each combination of 'pivot repro --compare'; the
    newest come first. With TARGETS, show the results that contain these stages. STATE marks the result in the
    workspace, and names the stages whose code or source data have changed since. 'pivot apply ID' puts a result into
    the workspace.
    """
    context = command_context()
    if removed:
        return _remove(context, names)
    if desc and sorted_by is None:
        raise click.UsageError("--desc goes with --sort")
    rows = results(context, names, all_pipelines=all_pipelines)[:last]
    if sorted_by is not None and rows:
        rows = _sorted(rows, sorted_by, desc=desc)
    if form == "json":
        console.data(json.dumps(views.results_json(rows), indent=2))
    else:
        console.data(views.results_table(rows, precision, every=all_params, markdown=form == "md"))
    return 0


def _remove(context: CommandContext, targets: Sequence[str]) -> int:
    if not targets:
        raise click.UsageError("--remove goes with the IDs of results")
    gone = remove(context, targets)
    console.data(f"Removed {formats.counted(len(gone), 'result')}\n")
    return 0


def _sorted(rows: Sequence[ResultRow], name: str, *, desc: bool) -> list[ResultRow]:
    """Sort rows by a value; those without it, or whose value is no number where others' are, come last."""
    known = list(dict.fromkeys(key for row in rows for key in (*row.metrics, *row.params)))
    fitting = [key for key in known if key == name] or [key for key in known if key.endswith(f".{name}")]
    if len(fitting) > 1:
        raise TargetError(f"several values end with {name!r}", hint=f"give a whole name: {', '.join(fitting)}")
    if not fitting:
        last = {key.rpartition(".")[2]: key for key in known}
        close = suggest(name, [*known, *last]) or f"known names: {list_names(known)}"
        descending = f"--sort {name.removeprefix('-')} --desc sorts by the largest value first"
        raise TargetError(f"no result has the value {name!r}", hint=descending if name.startswith("-") else close)
    values = [(row, {**row.params, **row.metrics}.get(fitting[0])) for row in rows]
    numbers = [(row, value) for row, value in values if is_number(value) and value == value]  # noqa: PLR0124  # NaN
    texts = [(row, value) for row, value in values if isinstance(value, str)]
    sortable = {id(row) for row, _ in (*numbers, *texts)}
    others = [row for row, _ in values if id(row) not in sortable]
    ordered = [sorted(group, key=lambda each: each[1], reverse=desc) for group in (numbers, texts)]
    return [*(row for group in ordered for row, _ in group), *others]
