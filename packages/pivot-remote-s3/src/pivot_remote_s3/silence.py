"""When a server has been silent for long while requests are under way, so that it is to be said for whom one waits."""

import asyncio
from urllib.parse import urlsplit

from pivot_cache import stalls


class Silence:
    """One server, and whether it is to be said that it is silent: once, until a byte moves again; pure."""

    def __init__(self, patience: float) -> None:
        """Nothing is under way; ``patience`` is for how many seconds silence is not worth a word."""
        self._patience = patience
        self._under_way = 0
        self._since = 0.0
        self._told = False

    def begin(self, now: float) -> None:
        """A request begins."""
        if not (self._under_way or self._told):
            self._since = now
        self._under_way += 1

    def end(self) -> None:
        """A request has ended, in whatever way."""
        self._under_way -= 1

    def moved(self, now: float) -> None:
        """Some byte was sent or has come."""
        self._since, self._told = now, False

    def wait(self, now: float) -> float | None:
        """After how many seconds there is something to look at; None for nothing until a request begins."""
        if not self._under_way or self._told:
            return None
        return max(0.0, self._since + self._patience - now)

    def due(self, now: float) -> float | None:
        """For how long the server has been silent, if that is to be said now."""
        if not self._under_way or self._told or now < self._since + self._patience:
            return None
        self._told = True
        return now - self._since


class Watch:
    """Follows the requests to one server on the running event loop, and tells `pivot_cache.stalls` of silence."""

    def __init__(self, patience: float) -> None:
        """As `Silence`."""
        self._silence = Silence(patience)
        self._timer: asyncio.TimerHandle | None = None
        self._address = ""

    def begin(self, url: str = "") -> None:
        """A request to this URL, or for this, begins; without one, what the last one was for is read."""
        loop = asyncio.get_running_loop()
        self._silence.begin(loop.time())
        self._address = url or self._address
        if self._timer is None:
            self._arm(loop)

    def end(self) -> None:
        """A request has ended, or is not being read at present."""
        self._silence.end()

    def moved(self) -> None:
        """Some byte was sent or has come."""
        loop = asyncio.get_running_loop()
        self._silence.moved(loop.time())
        if self._timer is None:
            self._arm(loop)

    def close(self) -> None:
        """Tell nothing more."""
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        wait = self._silence.wait(loop.time())
        if wait is not None:
            self._timer = loop.call_later(wait, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        seconds = self._silence.due(loop.time())
        if seconds is None:
            self._arm(loop)
        else:
            stalls.tell(address(self._address), seconds)


def address(url: str) -> str:
    """What a URL says of the server alone: not who asks, nor for what; and what is no URL as it is."""
    parts = urlsplit(url)
    if not parts.netloc:
        return url
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}"
