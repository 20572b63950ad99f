"""Notices of remotes that have been silent for long: their listeners, and a watch that gives them."""

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio

_listeners: list[Callable[[str, float], object]] = []
"""Called while `listen` is in use, so that no remote must pass its silence on."""


@contextlib.contextmanager
def listen(listener: Callable[[str, float], object]) -> Iterator[None]:
    """Within the block, call ``listener`` with the address of a silent server and the seconds of its silence."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def report(address: str, seconds: float) -> None:
    """Report that a server, by an address without secrets, has been silent for so long; once until it answers."""
    for listener in _listeners:
        listener(address, seconds)


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
        """The seconds until the next look; None if there is nothing to report until a request begins."""
        if not self._requests or self._reported:
            return None
        return max(0.0, self._since + self._stall_seconds - now)

    def due(self, now: float) -> float | None:
        """For how many seconds the server has been silent, if that is to be reported now."""
        if not self._requests or self._reported or now < self._since + self._stall_seconds:
            return None
        self._reported = True
        return now - self._since


class StallWatch:
    """Follows requests to one server on the running event loop; `report`s its silence."""

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
            report(server_address(self._address), seconds)


def server_address(url: str) -> str:
    """The scheme, host and port of a URL, without credentials and path; any other text as it is."""
    from urllib.parse import urlsplit  # lazy

    parts = urlsplit(url)
    if not parts.netloc:
        return url
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}"
