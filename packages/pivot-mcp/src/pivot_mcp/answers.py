"""Bounds of answers: nothing that is larger is sent, since it would fill the context of a model."""

import json
from typing import Any, Final

from mcp.server.mcpserver.exceptions import ToolError

from pivot_core.errors import PivotError

MOST_STAGES: Final = 500
"""The most stages in an answer."""
MOST_LINES: Final = 1000
"""The most lines of a log."""
MOST_TEXT: Final = 100_000
"""The most characters of a log, and of the report of an error."""
MOST_DIFF: Final = 4 << 20
"""The most bytes of an edit."""
MOST_REVISIONS: Final = 10
"""The most revisions whose metrics are compared."""
MOST_ROWS: Final = 200
"""The most rows or entries of a preview, and the most results."""
MOST_OFFSET: Final = 1 << 40
"""The most rows or entries before a preview."""
MOST_ANSWER: Final = 1 << 20
"""The most characters of an answer."""


def bounded(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer that is small enough.

    Raises:
        ToolError: It is not.
    """
    size = len(json.dumps(answer))
    if size > MOST_ANSWER:
        raise ToolError(f"the answer has {size} characters, more than {MOST_ANSWER}\nhint: ask about fewer stages")
    return answer


def cut_list(key: str, values: list[Any], most: int = MOST_STAGES) -> dict[str, Any]:
    """Return the first values below a key, and how many more there are."""
    left_out = len(values) - most
    return {key: values[:most], **({f"{key}_left_out": left_out} if left_out > 0 else {})}


def tool_error(error: PivotError) -> ToolError:
    """Return an error of Pivot's for the client: the problem, the hint, and the traceback of user code."""
    parts = [str(error)]
    if error.hint:
        parts.append(f"hint: {error.hint}")
    traceback = getattr(error, "traceback", "")
    if traceback:
        parts.append(traceback[-MOST_TEXT:])
    return ToolError("\n".join(parts))
