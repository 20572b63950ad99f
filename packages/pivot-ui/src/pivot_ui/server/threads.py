"""Calls in threads that do not keep the process alive, unlike those of asyncio's executors."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Final

__all__ = ["in_thread"]

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


async def in_thread[T](function: Callable[[], T]) -> T:
    """Return what a function returns in a thread; a caller that is cancelled does not wait for it."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def finish(result: T | None, error: BaseException | None) -> None:
        if not future.done():
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # type: ignore[arg-type]  # T may be optional

    def work() -> None:
        result, failure = None, None
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001  # raised again by the caller
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(finish, result, failure)

    threading.Thread(target=work, name="answer", daemon=True).start()
    return await future
