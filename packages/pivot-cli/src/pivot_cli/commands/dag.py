"""`pivot dag`."""

import json
from typing import TYPE_CHECKING, Final

import click

from pivot_cli import options
from pivot_cli.context import command_context
from pivot_cli.reporting.notices import hint_at_no_stages, warn_of_broken
from pivot_cli.terminal import console
from pivot_cli.views import graph
from pivot_runtime.context import CommandContext
from pivot_runtime.inspecting.overview import Overview, overview

if TYPE_CHECKING:
    from pivot_cli.pages.output import PageOptions

_EXAMPLES: Final = """\b
Examples:
  pivot dag summarize                       Show a stage and its upstream.
  pivot dag --artifacts --stages            Show stages and files.
  pivot dag --all --open                    Draw all in the browser.
"""


@click.command("dag", epilog=_EXAMPLES)
@options.targets
@options.all_pipelines
@options.overrides
@click.option(
    "--format",
    "shape",
    type=click.Choice(["text", "mermaid", "dot", "json", "html"]),
    default="text",
    show_default=True,
    help="The output format; html is one self-contained page.",
)
@options.page_output
@click.option("--stages", is_flag=True, help="Show stages.  [default]")
@click.option("--artifacts", is_flag=True, help="Show files; with --stages, show both.")
def command(  # noqa: PLR0913  # one parameter per option
    targets: tuple[str, ...],
    *,
    all_pipelines: bool,
    overrides: tuple[str, ...],
    shape: str,
    stages: bool,
    artifacts: bool,
    output: "PageOptions | None",
) -> int:
    """Show how stages depend on each other.

    Without TARGETS, show the stages of the current pipeline; in either case, with everything upstream. In the text, a ←
    b means that a depends on b. With -o or --open, draw a page, as with --format html.
    """
    if output is not None and shape not in ("text", "html"):
        raise click.UsageError(f"-o and --open are for pages, and not for --format {shape}")
    context = command_context(overrides)
    found = overview(context, targets, all_pipelines=all_pipelines, with_upstream=True)
    warn_of_broken(found.broken)
    drawn = graph.drawing(found, stages=stages or not artifacts, artifacts=artifacts)
    match shape if output is None else "html":
        case "mermaid":
            console.data(graph.mermaid(drawn))
        case "dot":
            console.data(graph.dot(drawn))
        case "json":
            console.data(json.dumps(graph.drawing_json(drawn), indent=2))
        case "html":
            start = "both" if artifacts and stages else "artifacts" if artifacts else "stages"
            page = _page(context, targets, found, all_pipelines=all_pipelines, start=start)
            _show(page, output, context)
        case _:
            console.data(graph.text(drawn) or "No stages are registered.\n")
            if not found.graph.stages:
                hint_at_no_stages()
    return 0


def _show(page: str, output: "PageOptions | None", context: CommandContext) -> None:
    from pivot_cli.pages.output import PageOptions, deliver  # lazy

    deliver(page, output or PageOptions("-", open=False), context.project, "dag")


def _page(
    context: CommandContext, targets: tuple[str, ...], found: Overview, *, all_pipelines: bool, start: str
) -> str:
    """Include the state of each stage, which the other formats do not need."""
    from pivot_cli.pages.graph import details, graph_page  # lazy
    from pivot_runtime.inspecting.status import StatusOptions, status  # lazy

    options = StatusOptions(all_pipelines=all_pipelines, with_upstream=True, stats=True)
    known = details(status(context, targets, options).stages)
    return graph_page(found, known, f"{context.project.root.name}: pivot dag", start=start)
