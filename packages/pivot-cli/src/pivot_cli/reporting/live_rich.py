"""Draws the live view with rich; imported only when something is drawn."""

import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from pivot_cli.reporting.live import Row
from pivot_cli.terminal import formats

_WIDTH = 20
_WORTH_A_BAR = 1 << 24


class Display:
    """An area at the end of the terminal that is redrawn repeatedly and finally erased."""

    def __init__(self, stream: TextIO) -> None:
        """Draw on ``stream``."""
        self._console = Console(file=stream, highlight=False)
        self._writing = threading.RLock()
        """Rich computes what to erase before it writes: another thread must not write in between."""
        self._live = Live(
            console=self._console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def say(self, message: str) -> None:
        """Print a permanent text above the area."""
        with self._writing:
            self._console.print(Text.from_ansi(message.removesuffix("\n")), soft_wrap=True)

    def show(self, rows: Sequence[Row], footer: str, hashing: tuple[int, int], transfer: str = "") -> None:
        """Redraw the area."""
        most = max(1, self._console.height // 2)
        area = layout(rows, footer, hashing, transfer, most=most)
        with self._writing:
            self._live.update(area, refresh=True)


def layout(
    rows: Sequence[Row], footer: str, hashing: tuple[int, int], transfer: str = "", *, most: int
) -> RenderableType:
    """Return the area: at most ``most`` lines for stages, a bar for files being read, and the progress."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", style="bright_black")
    for row in rows[:most]:
        bar = "" if row.done is None else _bar(row.done, 1.0)
        table.add_row(Text(f"running   {row.name}", style="blue"), bar, row.time, Text(row.last))
    lines: list[RenderableType] = [table] if rows else []
    if len(rows) > most:
        lines.append(Text(f"          and {len(rows) - most} more"))
    done, total = hashing
    if total - done and total >= _WORTH_A_BAR:
        line = Table.grid(padding=(0, 2))
        line.add_row("reading", _bar(done, total), f"{formats.size(done)} of {formats.size(total)}")
        lines.append(line)
    if transfer:
        lines.append(Text(transfer, style="blue", no_wrap=True, overflow="ellipsis"))
    if footer:
        lines.append(Text(footer, style="bright_black"))
    return Group(*lines)


def _bar(done: float, total: float) -> ProgressBar:
    return ProgressBar(total=total, completed=done, width=_WIDTH, complete_style="blue", finished_style="blue")
