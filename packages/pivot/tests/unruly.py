"""A server that says whatever a test wants, to whoever asks for whatever."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

type Script = Callable[["Unruly", str], Iterator[bytes]]
"""From the first line of a request to what is answered, piece by piece; the connection is closed after the last."""

OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"


class Unruly:
    """The server, as a context manager.

    Attributes:
        url: Where it answers.
        requests: The first line of each request.
        script: Its output; it may be changed at any time.
    """

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[str] = []
        self.script = script
        self._ended = threading.Event()
        self._tls = tls
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join()

    def silent(self, _: str) -> Iterator[bytes]:
        """Nothing, and no end."""
        return self.forever()

    def forever(self, *first: bytes, drip: bytes = b"", pause: float = 0.02) -> Iterator[bytes]:
        """Pieces, and then the same one again and again."""
        yield from first
        while not self._ended.wait(pause):
            yield drip

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._start(self._serve, self._listening.accept()[0])

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(60)
        with contextlib.suppress(OSError), connection:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection:
                asked = b""
                while b"\r\n\r\n" not in asked:
                    more = connection.recv(1 << 16)
                    if not more:
                        return
                    asked += more
                    if not asked[:1].isupper():  # no HTTP
                        break
                line = asked.partition(b"\r\n")[0].decode(errors="replace")
                self.requests.append(line)
                for piece in self.script(self, line):
                    connection.sendall(_head(piece) if line.startswith("HEAD ") else piece)


def _head(piece: bytes) -> bytes:
    """Of an answer to HEAD, no body."""
    head, end, _ = piece.partition(b"\r\n\r\n")
    return head + end


def answer(body: bytes, status: str = "200 OK", *headers: str) -> Iterator[bytes]:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status}", "Connection: close", f"Content-Length: {len(body)}", *headers, "", ""]
    yield "\r\n".join(lines).encode() + body


def listing(contents: str = "", token: str = "") -> Iterator[bytes]:
    """The answer of S3 to who asks which objects there are; with a token it is not all."""
    more = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    truncated = "true" if token else "false"
    return answer(
        f"<ListBucketResult><Name>bucket</Name><IsTruncated>{truncated}</IsTruncated>{contents}{more}"
        "</ListBucketResult>".encode()
    )
