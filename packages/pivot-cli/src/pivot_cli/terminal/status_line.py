"""The status line as rich draws it: what is done, a bar, figures; imported once something takes long."""

import contextlib
from typing import TextIO

from rich.console import Console, RenderableType
from rich.control import Control
from rich.progress import Progress, ProgressColumn, Task, TextColumn
from rich.progress_bar import ProgressBar
from rich.segment import ControlType
from rich.table import Column
from rich.text import Text

_WIDTH = 20


class StatusLine:
    """The last line of a terminal, redrawn and finally erased; errors of the terminal are ignored."""

    def __init__(self, stream: TextIO) -> None:
        """Draw on ``stream``, from :meth:`start` on."""
        self._console = _Console(file=stream, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            _Bar(),
            TextColumn("{task.fields[figures]}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
            console=self._console,
            auto_refresh=False,  # no thread of its own: a process with threads cannot be forked
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._progress.add_task("", total=0, figures="")

    def start(self) -> None:
        """Take the line, also from another that is drawn there."""
        with contextlib.suppress(OSError):
            if self._console.is_interactive:  # else rich would write lines that stay
                self._console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2)))
                self._progress.start()

    def show(self, doing: str, done: float, total: float, figures: str) -> None:
        """Draw it again; without a ``total`` there is no bar."""
        with contextlib.suppress(OSError):
            self._progress.update(
                self._task, description=doing, completed=done, total=total, figures=figures, visible=True
            )
            self._progress.refresh()

    def hide(self) -> None:
        """Erase it until it is shown again."""
        with contextlib.suppress(OSError):
            self._progress.update(self._task, visible=False)
            self._progress.refresh()

    def say(self, message: str) -> None:
        """Print a text that stays, above the line."""
        with contextlib.suppress(OSError):
            self._console.print(Text.from_ansi(message.removesuffix("\n")), soft_wrap=True)

    def stop(self) -> None:
        """Erase it for good."""
        with contextlib.suppress(OSError):
            if self._progress.live.is_started:
                self._progress.update(self._task, visible=True)  # rich ends a line, which there must be
                self._progress.stop()


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Go on: by default rich ends the process."""


class _Bar(ProgressColumn):
    def render(self, task: Task) -> RenderableType:
        if not task.total:
            return ""
        return ProgressBar(
            total=task.total, completed=task.completed, width=_WIDTH, complete_style="blue", finished_style="blue"
        )
