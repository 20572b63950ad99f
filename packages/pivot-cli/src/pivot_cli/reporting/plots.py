"""Prints plots as JSON, or the path of a page with them, and notes on stderr."""

import json

from pivot_cli.pages import output, plots
from pivot_cli.pages.output import PageOptions
from pivot_cli.reporting.comparison import report_incomplete
from pivot_cli.terminal import console
from pivot_runtime.comparing.plots import PlotComparison
from pivot_runtime.project.project import Project


def print_plots(found: PlotComparison, project: Project, options: PageOptions | None, *, as_json: bool) -> int:
    """Print plots at one or several revisions; return the exit code."""
    if as_json:
        console.data(json.dumps(plots.plots_json(found), indent=2))
    else:
        title = f"{project.root.name}: plots of {', '.join(found.sides)}"
        output.deliver(plots.plots_page(found, title), options, project, "plots")
    return report_incomplete(plots.plot_notes(found), found.problems)
