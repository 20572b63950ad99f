"""The warm process as one command uses it: for fork servers, and started at the end for the next command."""

import os
import pathlib
from collections.abc import Sequence

from pivot_runtime.config.settings import WorkerStart
from pivot_runtime.context import CommandContext
from pivot_runtime.project import guard
from pivot_runtime.warm import client, starting
from pivot_runtime.warm.client import OTHER_LIBRARIES, WarmLine
from pivot_runtime.warm.starting import WarmLibraries


class WarmProcess:
    """The warm process of a project, asked for fork servers and replaced if it could not give one."""

    def __init__(
        self, context: CommandContext, path: Sequence[str], *, quiet: bool, held: int | None, may_start: bool
    ) -> None:
        """Ask for nothing yet.

        Args:
            context: The context of the command.
            path: The module search path of a new interpreter.
            quiet: Drop the output of hosts.
            held: The descriptor of the project's guard, which the hosts hold as well.
            may_start: `finish` may start the process.
        """
        self._context = context
        self._path = path
        self._quiet = quiet
        self._guard = held
        self._may_start = may_start
        self._refusals: dict[tuple[str, ...], str | None] = {}
        self._served: tuple[str, ...] | None = None
        self._file = ""

    @classmethod
    def of(cls, context: CommandContext, *, quiet: bool, held: int | None, may_start: bool) -> "WarmProcess | None":
        """Return that of a command; None if its settings, or the way in which it was started, exclude it."""
        settings = context.settings
        if not settings.warm or settings.worker_start is not WorkerStart.FORK:
            return None
        if context.startup_state is None or context.host_pool is not None:  # another program's process, or watch
            return None
        return cls(context, context.startup_state.path, quiet=quiet, held=held, may_start=may_start)

    def line(self, names: tuple[str, ...]) -> WarmLine | None:
        """Return a line to a fork server that has imported exactly these modules; None if there is none."""
        if names in self._refusals:
            return None
        wanted = client.Request(os.environ, self._path, names, self._quiet, self._guard)
        answer = client.request(self._context.project.layout, wanted)
        if not isinstance(answer, WarmLine):
            self._refusals[names] = answer
            return None
        self._served, self._file = names, answer.file
        if self._guard is not None:
            guard.note_relative(self._guard, answer.pid)
        return answer

    def finish(self, file: pathlib.Path, names: tuple[str, ...], *, outdated: bool, unfit: bool) -> None:
        """Start the process for the next command, unless one waits with what that will need.

        Args:
            file: The pipeline file that the next command is expected to import.
            names: The modules to import in advance for it.
            outdated: Something that its imports depended on has changed.
            unfit: A pipeline could not use its imports.
        """
        useless = outdated or (unfit and self._file != str(file))
        if not self._may_start or (self._served == names and not useless):
            return
        if not names and self._served is None and OTHER_LIBRARIES in self._refusals.values():
            return  # it waits for the commands that need libraries
        layout = self._context.project.layout
        if starting.why_not(layout, self._context.environment) is not None:
            return
        if self._served is not None or any(reason is not None for reason in self._refusals.values()):
            starting.end(layout)
        starting.start(layout, WarmLibraries(str(file), names))
