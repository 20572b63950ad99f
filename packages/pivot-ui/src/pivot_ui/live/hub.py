"""Passes events on to any number of listeners in an event loop; a slow one gets the newest of each kind."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from typing import Any

__all__ = ["EventHub"]


class EventHub:
    """The last event of each kind, for those who listen and those who will."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._lock = threading.Lock()
        self._last: dict[str, Any] = {}
        self._listeners: set[EventListener] = set()
        self._closed = False

    def publish(self, kind: str, plain: Any) -> None:
        """Tell all listeners; in any thread."""
        with self._lock:
            self._last[kind] = plain
            listeners = tuple(self._listeners)
        for each in listeners:
            each.tell(kind, plain)

    def close(self) -> None:
        """End the waiting of all listeners, also of those to come; in any thread, or in a signal handler."""
        self._closed = True
        for each in tuple(self._listeners):
            each.tell(None, None)

    async def events(self, silence_seconds: float) -> AsyncIterator[tuple[str, Any] | None]:
        """Yield the last event of each kind, and then all to come; None after each silence of some seconds."""
        listener = EventListener(asyncio.get_running_loop())
        with self._lock:
            for kind, plain in self._last.items():
                listener.add(kind, plain)
            self._listeners.add(listener)
        try:
            while not (self._closed or listener.closed):
                heard = await listener.next(silence_seconds)
                if heard is None:
                    yield None
                for each in heard or ():
                    yield each
        finally:
            with self._lock:
                self._listeners.discard(listener)


class EventListener:
    """The events that one listener has not heard yet."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.closed = False
        self._loop = loop
        self._pending: dict[str, Any] = {}
        self._some = asyncio.Event()

    def tell(self, kind: str | None, plain: Any) -> None:
        """Add an event, or without a kind the end; in any thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self.add, kind, plain)

    def add(self, kind: str | None, plain: Any) -> None:
        """Add an event, or without a kind the end."""
        if kind is None:
            self.closed = True
        else:
            self._pending.pop(kind, None)
            self._pending[kind] = plain
        self._some.set()

    async def next(self, silence_seconds: float) -> list[tuple[str, Any]] | None:
        """Return the events since the last call, waiting for one; None after so many seconds without any."""
        try:
            async with asyncio.timeout(silence_seconds):
                await self._some.wait()
        except TimeoutError:
            return None
        self._some.clear()
        heard, self._pending = self._pending, {}
        return list(heard.items())
