"""Messages between a command and the warm process: JSON of bounded length, with the version of the protocol."""

import os
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pivot_runtime.processes import wire

_MARK: Final = b"pivot 1\n"
"""The version of the protocol. It changes with each change of the messages, or of how hosts are requested."""
_LENGTH_BYTES: Final = 4
_MOST: Final = 1 << 22
"""The length of the longest message: an environment can have two megabytes."""


class MessageError(Exception):
    """No message of this protocol has arrived in time."""


def send(line: socket.socket, message: Mapping[str, Any], fds: Sequence[int] = ()) -> None:
    """Send a message with some descriptors, within the time that is set for the socket.

    Raises:
        OSError: The other side is gone, or takes too long.
    """
    body = wire.dumps(dict(message)).encode()
    head = _MARK + len(body).to_bytes(_LENGTH_BYTES)
    if fds:
        socket.send_fds(line, [head], fds)
        line.sendall(body)
    else:
        line.sendall(head + body)


def receive(line: socket.socket, seconds: float, most_fds: int = 0) -> tuple[dict[str, Any], list[int]]:
    """Return the next message and its descriptors, which the caller owns.

    Raises:
        MessageError: There is none within so many seconds.
    """
    until = time.monotonic() + seconds
    fds: list[int] = []
    try:
        length = _length(_exactly(line, len(_MARK) + _LENGTH_BYTES, until, most_fds, fds))
        message = wire.loads(_exactly(line, length, until, 0, fds).decode())
    except BaseException as error:
        for fd in fds:
            os.close(fd)
        if isinstance(error, OSError | ValueError | RecursionError):
            raise MessageError(str(error)) from None
        raise
    return message if isinstance(message, dict) else {}, fds


def _length(head: bytes) -> int:
    length = int.from_bytes(head[len(_MARK) :])
    if not head.startswith(_MARK) or length > _MOST:
        raise MessageError("another version, or no message")
    return length


def _exactly(line: socket.socket, count: int, until: float, most_fds: int, fds: list[int]) -> bytes:
    found = bytearray()
    while len(found) < count:
        left = until - time.monotonic()
        if left <= 0:
            raise MessageError("no answer in time")
        line.settimeout(left)
        if most_fds:
            data, received, _, _ = socket.recv_fds(line, count - len(found), most_fds)
            fds += received
            for fd in received:
                os.set_inheritable(fd, False)
        else:
            data = line.recv(count - len(found))
        if not data:
            raise MessageError("the other side is gone")
        found += data
    return bytes(found)
