"""The wire between command and host: one JSON object per line over a pair of pipes."""

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


class MessageReader:
    """A reader of the messages on a file descriptor.

    Attributes:
        closed: The other end was closed, so there will be no more messages.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._pending = bytearray()
        self.closed = False

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
