"""Calls in threads that do not keep the process alive, a bounded number at a time."""

import asyncio
from collections.abc import Callable
from typing import Final

from pivot_cli.embedding.threads import in_thread

__all__ = ["ThreadTurns"]

_MOST: Final = 16


class ThreadTurns:
    """At most some calls at a time."""

    def __init__(self, most: int = _MOST) -> None:
        """Allow ``most`` calls at a time."""
        self._turns = asyncio.Semaphore(most)

    async def call[T](self, function: Callable[[], T]) -> T:
        """Return what a function returns in a thread."""
        async with self._turns:
            return await in_thread(function)
