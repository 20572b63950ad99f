"""Work in threads that nothing has to wait for."""

import asyncio
import contextlib
import threading
from collections.abc import Callable

__all__ = ["in_thread"]


async def in_thread[T](work: Callable[[], T]) -> T:
    """Return the result of a function that blocks. If the caller is cancelled, the work goes on and its result is lost.

    Unlike the threads of asyncio, this one does not keep the program from ending.
    """
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(value: T | None, error: BaseException | None) -> None:
        if not result.done():
            if error is not None:
                result.set_exception(error)
            else:
                result.set_result(value)  # type: ignore[arg-type]  # without an error, it is the value

    def run() -> None:
        value, problem = None, None
        try:
            value = work()
        except BaseException as error:  # noqa: BLE001  # the caller gets each
            problem = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: the program ends
            loop.call_soon_threadsafe(settle, value, problem)

    threading.Thread(target=run, name="answer", daemon=True).start()
    return await result
