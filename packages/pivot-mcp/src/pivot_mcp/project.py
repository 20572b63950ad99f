"""The project that is served: one question about it at a time."""

import pathlib
import threading
from collections.abc import Callable, Mapping
from typing import Any

from pivot_cli.embedding.contexts import embedded_context
from pivot_cli.embedding.threads import in_thread
from pivot_core.errors import PivotError
from pivot_mcp.answers import bounded, tool_error
from pivot_runtime.context import CommandContext, Notice

type Answer = dict[str, Any]


class ServedProject:
    """A project, with the permissions of the client.

    Attributes:
        root: Its root.
        environment: The environment variables.
        allow_run: Whether the client may run code of its own: stages, and edits that must be imported.
    """

    def __init__(self, root: pathlib.Path, environment: Mapping[str, str], *, allow_run: bool) -> None:
        """Look at nothing yet."""
        self.root = root
        self.environment = environment
        self.allow_run = allow_run
        self._asking = threading.Lock()

    async def ask(self, question: Callable[[CommandContext], Answer]) -> Answer:
        """Return the answer to a question, with the notices of Pivot, once those asked before have theirs.

        Raises:
            ToolError: There is no answer, or it is too large.
        """
        return await in_thread(lambda: self._answer(question))

    def _answer(self, question: Callable[[CommandContext], Answer]) -> Answer:
        notices: list[Notice] = []
        try:
            with self._asking:
                answer = question(embedded_context(self.root, self.environment, notices))
        except PivotError as error:
            raise tool_error(error) from error
        return bounded({**answer, "notices": [each.text for each in notices]} if notices else answer)
