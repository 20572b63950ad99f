"""A command that a long-lived program starts as a process of its own, and whose last lines of output it keeps."""

import collections
import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

from pivot_cli.terminal import formats

__all__ = ["CommandProcess", "CommandState"]

MOST_LINES: Final = 50
_LONGEST_LINE: Final = 2000
_REST_SECONDS: Final = 2.0
"""A process that the command has left running may keep its output open: longer than this, nobody waits for the rest."""
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")

type CommandState = Literal["running", "ended"]


class CommandProcess:
    """One command, from its start on.

    It runs in its own process group, so that Ctrl-C in the terminal of this program does not reach it, and reads
    nothing from that terminal.

    Attributes:
        words: The words of the command line.
    """

    def __init__(
        self,
        words: Sequence[str],
        root: pathlib.Path,
        environment: Mapping[str, str],
        on_change: Callable[[], object] = lambda: None,
    ) -> None:
        """Start the command.

        Args:
            words: The words of the command line, such as ``repro``.
            root: The directory in which it works.
            environment: Its environment variables.
            on_change: Called in a thread of its own after each line of output, and after the end.

        Raises:
            OSError: No process can be started.
        """
        self.words = tuple(words)
        self._on_change = on_change
        self._lines: collections.deque[str] = collections.deque(maxlen=MOST_LINES)
        self._ended = threading.Event()
        self._process = subprocess.Popen(  # noqa: S603  # this very program
            [sys.executable, "-P", "-m", "pivot_cli", *words],
            cwd=root,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
        self._reader = threading.Thread(target=self._read, name="output of a command", daemon=True)
        self._reader.start()
        threading.Thread(target=self._await_end, name="end of a command", daemon=True).start()

    @property
    def state(self) -> CommandState:
        """Whether it is running; it has ended once its output is known."""
        return "ended" if self._ended.is_set() else "running"

    @property
    def exit_code(self) -> int | None:
        """Its exit code; None while it is running, negative if a signal has killed it."""
        return self._process.returncode if self._ended.is_set() else None

    @property
    def lines(self) -> tuple[str, ...]:
        """The last lines of its output, without control codes."""
        return tuple(self._lines.copy())

    def stop(self) -> bool:
        """Interrupt it as Ctrl-C does, twice as a second Ctrl-C; return whether it was still running."""
        if self._ended.is_set() or self._process.poll() is not None:
            return False
        ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN  # the command has inherited that
        self._process.send_signal(signal.SIGTERM if ignored else signal.SIGINT)
        return True

    def kill(self) -> None:
        """Kill it and what is left of its process group, and wait for its end."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # it has just ended
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it has ended, or for some seconds; return whether it has ended."""
        return self._ended.wait(seconds)

    def _read(self) -> None:
        output = self._process.stdout
        if output is not None:
            with output:
                while line := output.readline(_LONGEST_LINE):
                    self._lines.append(_plain(line))
                    self._on_change()

    def _await_end(self) -> None:
        self._process.wait()
        self._reader.join(_REST_SECONDS)
        self._ended.set()
        self._on_change()


def _plain(line: bytes) -> str:
    text = formats.strip_control(line.decode("utf-8", "replace")).rstrip()
    return formats.one_line(_COLOUR.sub("", text))
