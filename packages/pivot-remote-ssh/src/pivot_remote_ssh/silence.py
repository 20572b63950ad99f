"""A watch over the answers of one server: reports a silent one, and gives it up after the timeout."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from pivot_cache.remotes import stalls
from pivot_core.progress import no_progress

if TYPE_CHECKING:
    import asyncio

TIMEOUT_S: Final = 30.0
"""The seconds that a server may take for an answer, while there is a request."""

_STALL_S: Final = 10.0


class SilenceWatch:
    """Follows the requests of one connection on the running event loop; any answer counts as a sign of life.

    Attributes:
        expired: Whether the server was given up.
    """

    def __init__(self, address: str, timeout: float, give_up: Callable[[], object] = no_progress) -> None:
        """Begin without a request.

        Args:
            address: The server, for reports to `pivot_cache.remotes.stalls`.
            timeout: The seconds of silence after which ``give_up`` is called, once.
            give_up: Closes the connection, so that all its requests fail.
        """
        from asyncio import get_running_loop  # lazy

        self._loop = get_running_loop()
        self._address = address
        self._timeout = timeout
        self._stall = min(_STALL_S, timeout / 3)
        self._give_up = give_up
        self._requests = 0
        self._since = 0.0
        self._reported = False
        self._timer: asyncio.TimerHandle | None = None
        self.expired = False

    def begin(self) -> None:
        """Note that a request begins."""
        if not self._requests:
            self._since = self._loop.time()
        self._requests += 1
        if self._timer is None and not self.expired:
            self._timer = self._loop.call_later(self._stall, self._look)

    def end(self) -> None:
        """Note that a request was answered or given up."""
        self._requests -= 1
        self._since = self._loop.time()
        self._reported = False

    def close(self) -> None:
        """Report nothing more."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = None
        if not self._requests:
            return
        silent = self._loop.time() - self._since
        if silent >= self._timeout:
            self.expired = True
            self._give_up()
            return
        if silent >= self._stall and not self._reported:
            self._reported = True
            stalls.report(self._address, silent)
        limit = self._timeout if self._reported else self._stall
        self._timer = self._loop.call_later(max(limit - silent, 0.001), self._look)
