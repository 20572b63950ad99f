"""Plots: the rows of a small file, and the columns to draw."""

from typing import BinaryIO, Final

import attrs

from pivot_core.files.paths import ArtifactPath
from pivot_core.spec import PlotOptions
from pivot_core.values import Value
from pivot_runtime.comparing import declarations, series
from pivot_runtime.comparing.plots import PlotSide
from pivot_runtime.comparing.series import Axes, Row
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import ContentError

MOST_BYTES: Final = 1 << 22
"""The bytes of the largest file that is drawn."""


@attrs.frozen(eq=False, repr=False)
class PlotPreview(Value):
    """The rows of a plot.

    Attributes:
        options: How it is drawn.
        axes: The columns that are drawn.
        side: The rows.
    """

    options: PlotOptions
    axes: Axes
    side: PlotSide


def declared(context: CommandContext, path: ArtifactPath) -> PlotOptions:
    """How the pipelines say now that a plot is drawn, as far as that is known without an import."""
    for stage in declarations.without_import(context).stages.values():
        for out in stage.spec.outs:
            if out.path == path and out.plot is not None:
                return out.plot
    return PlotOptions()


def read(stream: BinaryIO, name: str, side: str, options: PlotOptions) -> PlotPreview:
    """The plot in a file.

    Raises:
        ContentError: It is too large to be drawn, or has no columns that can be.
    """
    rows = rows_in(stream, name)
    return PlotPreview(options, series.axes(options, rows, name), PlotSide(side, rows))


def rows_in(stream: BinaryIO, name: str) -> tuple[Row, ...]:
    """The rows in the file of a plot.

    Raises:
        ContentError: It is too large to be drawn, or has no rows.
    """
    data = stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ContentError(f"it has more than {MOST_BYTES >> 20} MiB: it is not drawn here")
    return series.parse_rows(data, name)
