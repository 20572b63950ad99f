"""The server process: its socket on 127.0.0.1, and its end by a signal."""

import contextlib
import errno
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from pivot_core.errors import PivotError

__all__ = ["HOST", "PageServer", "PortError", "open_socket"]

HOST: Final = "127.0.0.1"
_GRACE_SECONDS: Final = 1
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class PortError(PivotError):
    """No program may listen on this port now."""


def open_socket(port: int | None) -> socket.socket:
    """Return a socket that listens on a port of this machine, or on any that is free.

    Raises:
        PortError: Another program has the port, or it is not for users.
    """
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((HOST, port or 0))
        opened.listen(128)
    except OSError as error:
        opened.close()
        if error.errno == errno.EADDRINUSE:
            problem, more = (
                f"another program listens on port {port}",
                "; an earlier 'pivot ui' there goes on at its own link",
            )
        else:
            problem, more = f"cannot listen on port {port or 'of any number'}: {error.strerror}", ""
        raise PortError(problem, hint=f"leave out --port for any port that is free{more}") from None
    return opened


class PageServer(uvicorn.Server):
    """A server that a signal ends, without an error."""

    def __init__(self, app: ASGIApp, ending: Callable[[], object]) -> None:
        """Serve an app; ``ending`` is called, in the event loop's thread, as soon as the server is to end."""
        super().__init__(
            uvicorn.Config(
                app,
                loop="asyncio",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",  # bugs are reported by the app, and the rest are ends of connections
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )
        self._ending = ending

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Within the block, let signals end the server; an ignored one, as under `nohup`, stays ignored."""
        if threading.current_thread() is not threading.main_thread():  # only that one can be interrupted
            yield
            return
        before = {
            number: signal.getsignal(number)
            for number in _SIGNALS
            if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN
        }
        for number in before:
            signal.signal(number, self.handle_exit)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End the server; the second signal does so without waiting for answers."""
        del sig, frame
        self.force_exit = self.should_exit
        self.should_exit = True
        self._ending()
