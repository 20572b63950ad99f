"""Event loops: runs a coroutine to its end, also where the calling thread runs a loop already, as in a notebook."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import Future, wait
from typing import Any, Final

_LONGEST_WAIT_S: Final = 0.2


def run[T](work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on an event loop of its own; if this thread has a running one, in another thread.

    An interruption cancels the coroutine, and waits until it has cleaned up.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    return _run_in_thread(work)


@contextlib.asynccontextmanager
async def task_group() -> AsyncIterator[asyncio.TaskGroup]:
    """As `asyncio.TaskGroup`, but the first error is raised itself, without a group around it."""
    try:
        async with asyncio.TaskGroup() as tasks:
            yield tasks
    except ExceptionGroup as group:
        raise group.exceptions[0] from None


def _run_in_thread[T](work: Coroutine[Any, Any, T]) -> T:
    begun: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any] | None]] = Future()
    ended: Future[T] = Future()

    async def supervised() -> T:
        begun.set_result((asyncio.get_running_loop(), asyncio.current_task()))
        return await work

    def main() -> None:
        try:
            ended.set_result(asyncio.run(supervised()))
        except BaseException as error:  # noqa: BLE001  # it is raised in the calling thread
            ended.set_exception(error)

    thread = threading.Thread(target=main, name="pivot remote")
    try:
        thread.start()
        # A signal that arrives just before a wait begins does not end it, so no wait is long.
        while not wait((ended,), _LONGEST_WAIT_S).done:
            pass
        return ended.result()
    except KeyboardInterrupt:
        loop, task = begun.result()
        with contextlib.suppress(RuntimeError):  # it has ended meanwhile
            if task is not None:
                loop.call_soon_threadsafe(task.cancel)
        thread.join()
        raise
