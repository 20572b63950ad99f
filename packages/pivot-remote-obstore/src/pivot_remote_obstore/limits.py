"""Time limits of requests: each ends after a number of seconds in which no byte moves."""

from typing import TYPE_CHECKING, Final, Self

import attrs

from pivot_core.values import Value

if TYPE_CHECKING:
    import asyncio

TIMEOUT_S: Final = 30.0
"""The number of seconds that a request may take in which no byte moves."""

RATE: Final = 4 << 10
"""The lowest rate in bytes per second: what a line of 80 KiB/s leaves to each of twenty requests."""


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
    def of(cls, timeout: float | None) -> Self:
        """The default limits, with another timeout if there is one."""
        return cls() if timeout is None else cls(timeout)

    def seconds(self, moves: int) -> float:
        """How long a request that moves this many bytes may take."""
        return self.timeout + moves / self.rate

    def deadline(self, moves: int = 0) -> "asyncio.Timeout":
        """A context that ends with a `TimeoutError` when a request that moves this many bytes has taken too long."""
        import asyncio  # lazy

        return asyncio.timeout(self.seconds(moves))
