"""The wire between command and host: one JSON object per line over a pair of pipes."""

import os
from collections.abc import Iterator
from json import JSONDecoder, JSONEncoder
from typing import Any

COMMANDS_FD, EVENTS_FD, GUARD_FD = 3, 4, 5
"""The descriptors of a host: it reads commands, writes events, and holds the project's guard if it is given it."""

_CHUNK = 1 << 16


class _Encoder(JSONEncoder):
    """With methods of its own: what the user's code makes of those that all encoders share is its affair."""

    default, encode, iterencode = JSONEncoder.default, JSONEncoder.encode, JSONEncoder.iterencode


class _Decoder(JSONDecoder):
    """The same for decoders."""

    decode, raw_decode = JSONDecoder.decode, JSONDecoder.raw_decode


dumps, loads = _Encoder().encode, _Decoder().decode
"""As those of `json`, whatever becomes of these."""


def send(fd: int, message: dict[str, Any]) -> None:
    """Write one message whole.

    Raises:
        BrokenPipeError: Nobody reads any more.
    """
    view = memoryview(dumps(message).encode() + b"\n")
    while view:
        view = view[os.write(fd, view) :]


class MessageReader:
    """The messages that come in on a file descriptor."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._pending = bytearray()
        self.closed = False

    def receive(self) -> Iterator[dict[str, Any]]:
        """Read once (blocking if nothing has come) and yield what is complete; sets `closed` at the end."""
        try:
            data = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return
        if not data:
            self.closed = True
            return
        self._pending += data
        if b"\n" not in data:  # what is long comes in many pieces
            return
        *complete, rest = self._pending.split(b"\n")
        self._pending = bytearray(rest)
        for line in complete:
            yield loads(line.decode())
