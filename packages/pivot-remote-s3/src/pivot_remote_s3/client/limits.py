"""Time and size limits of requests to one server, and a watch that reports a server that is silent for long."""

from typing import TYPE_CHECKING, Final, Self

import attrs

from pivot_cache.remotes import stalls
from pivot_core.values import Value

if TYPE_CHECKING:
    import asyncio

TIMEOUT_S: Final = 30.0
"""The seconds that a request may take in which no byte moves."""

RATE: Final = 4 << 10
"""The lowest rate in bytes per second: what a line of 80 KiB/s leaves to each of twenty requests."""

STALL_S: Final = 10.0
"""The seconds after which a silent server is reported."""

_READ_TIMEOUT: Final = 1.5
_COMPLETION: Final = 10.0
_CREDENTIALS: Final = 10.0


@attrs.frozen(eq=False, repr=False)
class RequestLimits(Value):
    """Limits of the requests to one server: each has a deadline, which every byte that moves extends.

    Attributes:
        timeout: The seconds for a request in which no byte moves.
        rate: The bytes per second that it must move on average after that.
        longest: The most bytes of a response that is not an object; S3 lists at most a thousand keys of 1 KiB in one.
        error: The bytes that are read of an error.
    """

    timeout: float = TIMEOUT_S
    rate: int = RATE
    longest: int = 4 << 20
    error: int = 1 << 16

    @classmethod
    def of(cls, timeout: float | None) -> Self:
        """Return the default limits, with another timeout if there is one."""
        return cls() if timeout is None else cls(timeout)

    def seconds(self, moved: int) -> float:
        """Return how long a request may have taken once this number of bytes has moved."""
        return self.timeout + moved / self.rate

    @property
    def stall_seconds(self) -> float:
        """The seconds after which a silent server is reported."""
        return min(STALL_S, self.timeout / 3)

    @property
    def read_timeout(self) -> float:
        """The seconds of silence after a request was written, part of which may still be in a buffer."""
        return self.timeout * _READ_TIMEOUT

    @property
    def credentials(self) -> float:
        """The seconds for a program that provides credentials: the user may have to type a code for it."""
        return self.timeout * _CREDENTIALS

    @property
    def completion(self) -> float:
        """The seconds for the server to join the parts of an upload; it sends spaces meanwhile."""
        return self.timeout * _COMPLETION


class StallTimer:
    """Decides when a silent server is reported: once, until a byte moves again; pure."""

    def __init__(self, stall_seconds: float) -> None:
        """Begin without a request; silence of ``stall_seconds`` seconds is reported."""
        self._stall_seconds = stall_seconds
        self._requests = 0
        self._since = 0.0
        self._reported = False

    def begin(self, now: float) -> None:
        """Note that a request begins."""
        if not (self._requests or self._reported):
            self._since = now
        self._requests += 1

    def end(self) -> None:
        """Note that a request has ended, whether or not it succeeded."""
        self._requests -= 1

    def moved(self, now: float) -> None:
        """Note that a byte was sent or has arrived."""
        self._since, self._reported = now, False

    def wait(self, now: float) -> float | None:
        """Return the seconds until the next look; None if there is nothing to report until a request begins."""
        if not self._requests or self._reported:
            return None
        return max(0.0, self._since + self._stall_seconds - now)

    def due(self, now: float) -> float | None:
        """Return for how many seconds the server has been silent, if that is to be reported now."""
        if not self._requests or self._reported or now < self._since + self._stall_seconds:
            return None
        self._reported = True
        return now - self._since


class StallWatch:
    """Follows requests to one server on the running event loop; reports silence to `pivot_cache.remotes.stalls`."""

    def __init__(self, stall_seconds: float) -> None:
        """As `StallTimer`."""
        from asyncio import get_running_loop  # lazy

        self._loop = get_running_loop()
        self._stall = StallTimer(stall_seconds)
        self._timer: asyncio.TimerHandle | None = None
        self._address = ""

    def begin(self, url: str = "") -> None:
        """Note that a request begins: to this URL, or for this; by default to read the last response."""
        self._stall.begin(self._loop.time())
        self._address = url or self._address
        if self._timer is None:
            self._arm()

    def end(self) -> None:
        """Note that a request has ended, or that nobody reads its response at present."""
        self._stall.end()

    def moved(self) -> None:
        """Note that a byte was sent or has arrived."""
        self._stall.moved(self._loop.time())
        if self._timer is None:
            self._arm()

    def close(self) -> None:
        """Report nothing more."""
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        wait = self._stall.wait(self._loop.time())
        if wait is not None:
            self._timer = self._loop.call_later(wait, self._look)

    def _look(self) -> None:
        self._timer = None
        seconds = self._stall.due(self._loop.time())
        if seconds is None:
            self._arm()
        else:
            stalls.report(server_address(self._address), seconds)


def server_address(url: str) -> str:
    """Return the scheme, host and port of a URL, without credentials and path; any other text as it is."""
    from urllib.parse import urlsplit  # lazy

    parts = urlsplit(url)
    if not parts.netloc:
        return url
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}"
