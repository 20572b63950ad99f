"""Questions whose answers are streams of events, besides the changes that all tabs hear."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

from pivot_ui.api.logs import follow_log
from pivot_ui.api.query import Query
from pivot_ui.project import ProjectService

__all__ = ["STREAMS", "Stream"]

type Stream = Callable[[ProjectService, Query], AsyncIterator[tuple[str, Any] | None]]
"""Yields events, each with plain data."""

STREAMS: Final[Mapping[str, Stream]] = {"log/follow": follow_log}
"""By their names, which are paths below ``/api/``."""
