"""Trying again what may succeed later, with growing pauses of random length."""

from collections.abc import Awaitable, Callable

import attrs

from pivot_cache.remotes.protocol import RemoteThrottledError, RemoteTimeoutError, RemoteUnreachableError
from pivot_core.values import Value

PASSING = (RemoteThrottledError, RemoteUnreachableError)
"""Errors that may be gone the next time."""


async def _sleep(seconds: float) -> None:
    import asyncio  # noqa: PLC0415 - start-up time

    await asyncio.sleep(seconds)


def _random() -> float:
    import random  # noqa: PLC0415 - start-up time

    return random.random()  # noqa: S311 - only keeps clients from trying again all at once


@attrs.frozen(eq=False, repr=False)
class Retry(Value):
    """How often and when something is tried again.

    Attributes:
        attempts: The most attempts in a row that got nowhere.
        timeouts: The most attempts that took too long, wherever they got.
        step: So much further is somewhere; a server that sends a byte and closes leads nowhere.
        first: The longest first pause, in seconds; it doubles each time.
        longest: The longest pause, in seconds.
        sleep: Waits for that many seconds.
        chance: The part of the longest pause to take, from 0 to 1.
    """

    attempts: int = 6
    timeouts: int = 2
    step: int = 1 << 16
    first: float = 0.5
    longest: float = 20.0
    sleep: Callable[[float], Awaitable[None]] = _sleep
    chance: Callable[[], float] = _random

    async def __call__[T](self, work: Callable[[], Awaitable[T]], progress: Callable[[], int] = lambda: 0) -> T:
        """The result of ``work``, tried again while it is throttled or out of reach, and after no other error.

        Once ``progress`` is a ``step`` higher than when the count began, it begins again; not so that of attempts that
        took too long, since a server that sends a byte now and then would go on forever.
        """
        failures, timeouts, mark = 0, 0, progress()
        while True:
            try:
                return await work()
            except PASSING as error:
                timeouts += isinstance(error, RemoteTimeoutError)
                reached = progress()
                failures, mark = (1, reached) if reached >= mark + self.step else (failures + 1, mark)
                if failures >= self.attempts or timeouts >= self.timeouts:
                    raise
            await self.sleep(self.chance() * min(self.longest, self.first * 2 ** (failures - 1)))
