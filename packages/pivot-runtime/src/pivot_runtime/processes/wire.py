"""The wire between command and host: one JSON object per line over a pair of pipes, and waits for messages."""

import contextlib
import math
import os
import select
import signal
import threading
import time
from collections.abc import Iterator
from json import JSONDecoder, JSONEncoder
from os import read, write  # user code, which a signal may interrupt, can replace those of the module
from typing import Any

COMMANDS_FD, EVENTS_FD, GUARD_FD = 3, 4, 5
"""The descriptors of a host: it reads commands, writes events, and may hold the project's guard."""

START_HOST, END_LEFTOVERS = b"h", b"l"
"""The requests to a fork server: to start a host, or to end the processes that killed hosts have left."""
QUIET_HOST, PRELOAD, SIZE_BYTES = b"q", b"p", 8
"""Further requests: to start a host whose output is dropped, and to import libraries, with a message after its size."""

_CHUNK = 1 << 16
_EMPTY = 2


class _Encoder(JSONEncoder):
    """An encoder with its own references to the methods, since user code may replace those of the base class."""

    default, encode, iterencode = JSONEncoder.default, JSONEncoder.encode, JSONEncoder.iterencode


class _Decoder(JSONDecoder):
    """The same for decoders."""

    decode, raw_decode = JSONDecoder.decode, JSONDecoder.raw_decode


dumps, loads = _Encoder().encode, _Decoder().decode
"""As `json.dumps` and `json.loads`, unaffected by user code that replaces these."""


class EncodedJSON:
    """A value of a message that is JSON already; it is on one line."""

    def __init__(self, content: bytes) -> None:
        self.content = content


def send(fd: int, message: dict[str, Any]) -> None:
    """Write one message, some of whose values may be `EncodedJSON`, whole.

    Raises:
        BrokenPipeError: The reader is gone.
    """
    encoded = {key: value.content for key, value in message.items() if type(value) is EncodedJSON}
    content = dumps(
        {key: value for key, value in message.items() if key not in encoded} if encoded else message
    ).encode()
    for key, value in encoded.items():
        content = b"%s%s%s: %s}" % (content[:-1], b", " if len(content) > _EMPTY else b"", dumps(key).encode(), value)
    view = memoryview(content + b"\n")
    while view:
        view = view[write(fd, view) :]


def poll(waiting: select.poll, milliseconds: float | None = None) -> list[tuple[int, int]]:
    """As the method of ``waiting``, but every signal that this process handles ends the wait.

    A system call ends only if a signal arrives in the main thread while it waits. One that arrives a moment before, or
    in another thread, would have to wait as well; therefore it also writes to a pipe that the call waits for.
    """
    found = waiting.poll(0)
    if found or milliseconds == 0:
        return found
    if threading.current_thread() is not threading.main_thread():  # only that one handles signals
        return waiting.poll(milliseconds)
    until = math.inf if milliseconds is None else time.monotonic() + milliseconds / 1000
    (ours, theirs), before = os.pipe(), -1
    try:
        os.set_blocking(ours, False)
        os.set_blocking(theirs, False)
        waiting.register(ours, select.POLLIN)
        before = signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
        while True:  # between the calls, Python calls the handlers of signals, which may raise an error
            left = None if until == math.inf else max(0.0, until - time.monotonic()) * 1000
            found = [(fd, events) for fd, events in waiting.poll(left) if fd != ours]
            if found or time.monotonic() >= until:
                return found
            _pass_on(ours, before)
    finally:
        signal.set_wakeup_fd(before)
        _pass_on(ours, before)
        waiting.unregister(ours)
        os.close(ours)
        os.close(theirs)


def _pass_on(ours: int, before: int) -> None:
    """Write the numbers of signals to the descriptor at which the process, such as its event loop, expects them."""
    with contextlib.suppress(OSError):
        numbers = read(ours, _CHUNK)
        if before != -1:
            write(before, numbers)


class MessageReader:
    """A reader of the messages on a file descriptor.

    Attributes:
        closed: The other end was closed, so there will be no more messages.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._pending = bytearray()
        self.closed = False

    def wait(self) -> None:
        """Wait until `receive` does not block; see `poll`."""
        waiting = select.poll()
        waiting.register(self._fd, select.POLLIN)
        poll(waiting)

    def receive(self) -> Iterator[dict[str, Any]]:
        """Read once, which may block, and yield the complete messages."""
        try:
            data = read(self._fd, _CHUNK)
        except BlockingIOError:
            return
        if not data:
            self.closed = True
            return
        self._pending += data
        if b"\n" not in data:  # one piece of a long message
            return
        *complete, rest = self._pending.split(b"\n")
        self._pending = bytearray(rest)
        for line in complete:
            yield loads(line.decode())
