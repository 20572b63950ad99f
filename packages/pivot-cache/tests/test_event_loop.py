"""Remotes also work where the calling thread runs an event loop, as a notebook does."""

import asyncio
import signal
import threading

import pytest

from pivot_cache.remotes import event_loop


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


def test_a_coroutine_runs_without_a_loop() -> None:
    assert event_loop.run(double(2)) == 4


def test_a_coroutine_runs_inside_a_running_loop() -> None:
    async def notebook() -> int:
        return event_loop.run(double(2))

    assert asyncio.run(notebook()) == 4


def test_its_error_reaches_the_caller() -> None:
    async def fail() -> None:
        raise LookupError("gone")

    async def notebook() -> None:
        event_loop.run(fail())

    with pytest.raises(LookupError, match="gone"):
        asyncio.run(notebook())


def test_an_interruption_cancels_it_and_waits_until_it_has_cleaned_up() -> None:
    cleaned: list[str] = []
    began = threading.Event()

    async def wait() -> None:
        began.set()
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            cleaned.append("up")

    def interrupt() -> None:
        began.wait()
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    async def notebook() -> None:
        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            event_loop._run_in_thread(wait())
        thread.join()

    loop = asyncio.new_event_loop()  # unlike `asyncio.run`, it leaves the interruption to Python
    try:
        loop.run_until_complete(notebook())
    finally:
        loop.close()

    assert cleaned == ["up"]
