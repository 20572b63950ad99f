"""The command that runs stages: a process of its own, one at a time, which ends with the request that began it."""

import asyncio
import contextlib
import pathlib
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from mcp.server.mcpserver.exceptions import ToolError

from pivot_cli.embedding.command_process import CommandProcess
from pivot_cli.embedding.threads import in_thread
from pivot_cli.views.history import run_json
from pivot_mcp.answers import MOST_TEXT, bounded
from pivot_runtime.errors import HistoryError
from pivot_runtime.history import history
from pivot_runtime.project.project import Project

PATIENCE_SECONDS: Final = 60.0
"""The time in which a command that was interrupted may end its stages; then it is killed."""


class OnProgress(Protocol):
    """Is called with the number of lines so far, and the last one."""

    async def __call__(self, count: int, line: str) -> None:
        """Report them to the client."""
        ...


class RunningCommands:
    """Starts commands for the client, one at a time."""

    def __init__(self, root: pathlib.Path, environment: Mapping[str, str]) -> None:
        """Start nothing yet."""
        self._root = root
        self._environment = environment
        self._busy = False

    async def run(self, words: Sequence[str], progress: OnProgress) -> dict[str, Any]:
        """Run a command to its end, or until the request is cancelled, which interrupts it as Ctrl-C does.

        Raises:
            ToolError: Another command of this server is running.
        """
        if self._busy:
            raise ToolError("a command of this server is running\nhint: wait for its end, or cancel it")
        self._busy = True
        try:
            return await self._run(words, progress)
        finally:
            self._busy = False

    async def _run(self, words: Sequence[str], progress: OnProgress) -> dict[str, Any]:
        changed = asyncio.Event()
        loop = asyncio.get_running_loop()

        def on_change() -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the program ends
                loop.call_soon_threadsafe(changed.set)

        before = await in_thread(self._newest)
        command = CommandProcess(words, self._root, self._environment, on_change)
        try:
            count, last = 0, ""
            while True:
                is_running, lines = command.state == "running", command.lines
                if lines and lines[-1] != last:
                    count, last = count + 1, lines[-1]
                    await progress(count, last)
                if not is_running:
                    break
                await changed.wait()
                changed.clear()
        finally:
            _end(command)
        answer: dict[str, Any] = {"exit_code": command.exit_code, "output": "\n".join(command.lines)[-MOST_TEXT:]}
        return bounded(await in_thread(lambda: self._with_run(answer, before)))

    def _newest(self) -> int:
        try:
            return history.run(Project(self._root, self._root)).number
        except HistoryError:
            return 0

    def _with_run(self, answer: dict[str, Any], before: int) -> dict[str, Any]:
        with contextlib.suppress(HistoryError):
            found = history.run(Project(self._root, self._root))
            if found.number > before:
                return {**answer, "run": run_json(found)}
        return answer


def _end(command: CommandProcess) -> None:
    """Interrupt a command if it is running, and kill it later if that does not end it."""
    if command.stop():
        threading.Thread(target=_await_end, args=(command,), name="end of a command").start()


def _await_end(command: CommandProcess) -> None:
    if not command.wait(PATIENCE_SECONDS):
        command.kill()
