"""The status line drawn with rich: work done, a bar, figures; imported only when something takes long."""

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
    """The last line of a terminal, redrawn and finally erased; terminal errors are ignored."""

    def __init__(self, stream: TextIO) -> None:
        """Draw on ``stream`` once :meth:`start` is called."""
        self._console = _Console(file=stream, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            _Bar(),
            TextColumn("{task.fields[figures]}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
            console=self._console,
            auto_refresh=False,  # without a thread: a process with threads cannot be forked
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._progress.add_task("", total=0, figures="")

    def start(self) -> None:
        """Take over the last line, even from another status line."""
        with contextlib.suppress(OSError):
            if self._console.is_interactive:  # otherwise rich would write permanent lines
                self._console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2)))
                self._progress.start()

    def show(self, doing: str, done: float, total: float, figures: str) -> None:
        """Redraw the line; without a ``total``, it has no bar."""
        with contextlib.suppress(OSError):
            self._progress.update(
                self._task, description=doing, completed=done, total=total, figures=figures, visible=True
            )
            self._progress.refresh()

    def hide(self) -> None:
        """Erase the line until it is shown again."""
        with contextlib.suppress(OSError):
            self._progress.update(self._task, visible=False)
            self._progress.refresh()

    def say(self, message: str) -> None:
        """Print a permanent text above the line."""
        with contextlib.suppress(OSError):
            self._console.print(Text.from_ansi(message.removesuffix("\n")), soft_wrap=True)

    def stop(self) -> None:
        """Erase the line for good."""
        with contextlib.suppress(OSError):
            if self._progress.live.is_started:
                self._progress.update(self._task, visible=True)  # rich ends a line, so there must be one
                self._progress.stop()


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Continue; by default, rich ends the process."""


class _Bar(ProgressColumn):
    def render(self, task: Task) -> RenderableType:
        if not task.total:
            return ""
        return ProgressBar(
            total=task.total, completed=task.completed, width=_WIDTH, complete_style="blue", finished_style="blue"
        )
