"""Time limits of requests, and reports of servers that are silent for long."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Final, Self

import attrs

from pivot_cache.remotes.stalls import StallWatch
from pivot_core.values import Value

if TYPE_CHECKING:
    import asyncio

TIMEOUT_S: Final = 30.0
"""The number of seconds that a request may take in which no byte moves."""

RATE: Final = 32 << 10
"""The lowest rate of a request in bytes per second: the client does not say how many bytes of one have moved."""

DRIVE_RATE: Final = 1 << 20
"""The same for a shared drive."""

STALL_S: Final = 10.0
"""The number of seconds after which a silent server is reported."""


@attrs.frozen(eq=False, repr=False)
class Deadlines(Value):
    """Limits of the requests to one server: each has a deadline, which depends on what it moves.

    Attributes:
        timeout: The number of seconds for a request that moves no byte.
        rate: The number of bytes per second that it must move on average after that.
    """

    timeout: float = TIMEOUT_S
    rate: int = RATE

    @classmethod
    def of(cls, timeout: float | None, rate: int = RATE) -> Self:
        """The default limits for a rate, with another timeout if there is one."""
        return cls(TIMEOUT_S if timeout is None else timeout, rate)

    def seconds(self, moves: int) -> float:
        """How long a request that moves this many bytes may take."""
        return self.timeout + moves / self.rate


class RequestClock:
    """Limits requests on the running event loop, and reports a server on which none of them makes progress.

    One timer serves all requests, since most of them end long before their deadline.
    """

    def __init__(self, limits: Deadlines, address: str) -> None:
        """Begin without a request.

        Args:
            limits: The limits of each request.
            address: The server as reports name it, without secrets.
        """
        from asyncio import get_running_loop  # lazy

        self._limits = limits
        self._address = address
        self._watch = StallWatch(min(STALL_S, limits.timeout / 3))
        self._loop = get_running_loop()
        self._ends: dict[asyncio.Timeout, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def request(self, moves: int = 0) -> AbstractAsyncContextManager[Callable[[], None]]:
        """A request that moves this many bytes; the block may call the value when it continues with as many more.

        Raises:
            TimeoutError: It has taken too long.
        """
        return _Request(self, moves)

    async def begin(self, request: "_Request") -> None:
        """Watch over a request from now on."""
        self._watch.begin(self._address)
        await request.limit.__aenter__()
        self._extend(request)

    async def end(self, request: "_Request", error: BaseException | None) -> None:
        """Watch over a request no longer.

        Raises:
            TimeoutError: It has taken too long.
        """
        try:
            del self._ends[request.limit]
            await request.limit.__aexit__(None if error is None else type(error), error, None)
            if error is None:
                self._watch.moved()
        finally:
            self._watch.end()

    def proceed(self, request: "_Request") -> None:
        """Give a request another deadline, unless it has ended."""
        self._watch.moved()
        if request.limit in self._ends:
            self._extend(request)

    def close(self) -> None:
        """Report nothing more."""
        self._watch.close()
        if self._timer is not None:
            self._timer.cancel()

    def _extend(self, request: "_Request") -> None:
        self._ends[request.limit] = ends = self._loop.time() + self._limits.seconds(request.moves)
        if self._timer is None or ends < self._timer.when():
            self._arm(ends)

    def _arm(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self._look)

    def _look(self) -> None:
        """End the requests that are late."""
        self._timer = None
        now = self._loop.time()
        for limit, ends in self._ends.items():
            if ends <= now and not limit.expired():
                limit.reschedule(now)
        waiting = [ends for ends in self._ends.values() if ends > now]
        if waiting:
            self._arm(min(waiting))


class _Request:
    """A request, as a context manager that is made of no generator, since there are many of them."""

    __slots__ = ("_clock", "limit", "moves")

    def __init__(self, clock: RequestClock, moves: int) -> None:
        from asyncio import timeout  # lazy

        self._clock = clock
        self.limit = timeout(None)
        self.moves = moves

    async def __aenter__(self) -> Callable[[], None]:
        await self._clock.begin(self)
        return self._proceed

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        await self._clock.end(self, error)

    def _proceed(self) -> None:
        self._clock.proceed(self)
