"""Threads for system calls on a drive that may not answer: neither a command nor its end waits long for them."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, Final

_GRACE_S: Final = 1.0
"""The most seconds that work may take to clean up once it is abandoned."""


class DriveThreads:
    """A few threads, which end with the process even if a system call never returns."""

    def __init__(self, most: int) -> None:
        """Start no thread before it is needed.

        Args:
            most: The most threads.
        """
        self._most = most
        self._idle = 0
        self._threads = 0
        self._work: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()

    async def run[T](self, work: Callable[[], T], abandon: Callable[[], object] | None = None) -> T:
        """The result of ``work`` in a thread, which is left to itself if this is cancelled.

        Args:
            work: Called in the thread.
            abandon: Called on a cancellation; then the work may take a short time to clean up.
        """
        future: asyncio.Future[T] = self._loop.create_future()

        def settle(result: Any, error: BaseException | None) -> None:
            self._idle += 1
            if not future.done():
                if error is None:
                    future.set_result(result)
                else:
                    future.set_exception(error)

        def call() -> None:
            result, failure = None, None
            try:
                result = work()
            except BaseException as error:  # noqa: BLE001 - it is raised where the result is awaited
                failure = error
            self.tell(lambda: settle(result, failure))

        if self._idle:
            self._idle -= 1
        elif self._threads < self._most:
            self._threads += 1
            threading.Thread(target=self._serve, name="pivot drive", daemon=True).start()
        self._work.put(call)
        if abandon is None:
            return await future
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            abandon()
            future.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # nobody else asks for it
            await asyncio.wait({future}, timeout=_GRACE_S)
            raise

    def tell(self, call: Callable[[], object]) -> None:
        """Call something on the event loop, from one of the threads."""
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            self._loop.call_soon_threadsafe(call)

    def close(self) -> None:
        """Let the threads end once they have nothing to do."""
        for _ in range(self._threads):
            self._work.put(None)

    def _serve(self) -> None:
        while (call := self._work.get()) is not None:
            call()
