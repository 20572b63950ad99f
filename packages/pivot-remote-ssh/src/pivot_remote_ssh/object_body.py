"""The bytes of an open file on the server, read with several requests at a time."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from typing import Final

import asyncssh

from pivot_remote_ssh.connection import SftpFile, SftpSession, SshConnection

_AT_ONCE: Final = 8
"""The requests under way for one file; large objects are read in parts, several at a time."""


class SftpBody:
    """A `pivot_cache.remotes.protocol.Body`.

    Attributes:
        size: The number of bytes of the whole file.
    """

    def __init__(
        self,
        connection: SshConnection,
        session: SftpSession,
        file: SftpFile,
        part: tuple[int, int],
        size: int,
        head: bytes,
    ) -> None:
        """Describe the rest of the reading.

        Args:
            connection: The connection.
            session: The session that the file is open in.
            file: The file.
            part: The first byte, and the one after the last.
            size: The size of the whole file.
            head: The first bytes of the part, which have arrived already.
        """
        self.size = size
        self._connection = connection
        self._session = session
        self._file = file
        self._start, self._stop = part
        self._head = head

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._head:
            yield self._head
        step = self._session.read_size
        starts = iter(range(self._start + len(self._head), self._stop, step))
        reads: deque[asyncio.Task[bytes]] = deque()
        try:
            while True:
                while len(reads) < _AT_ONCE and (start := next(starts, None)) is not None:
                    reads.append(asyncio.create_task(self._read(start, min(step, self._stop - start))))
                if not reads:
                    return
                with self._connection.waiting(self._session):
                    data = await reads[0]
                if not data:
                    return
                reads.popleft()
                yield data
        finally:
            for task in reads:
                task.cancel()
            await asyncio.gather(*reads, return_exceptions=True)

    async def _read(self, start: int, size: int) -> bytes:
        """Return so many bytes; fewer only at the end of the file."""
        data = await self._file.read(size, start)
        while len(data) < size:
            more = await self._file.read(size - len(data), start + len(data))
            if not more:
                break
            data += more
        return data


@contextlib.asynccontextmanager
async def open_body(
    connection: SshConnection, path: str, start: int, stop: int | None, digest: str | None
) -> AsyncIterator[SftpBody]:
    """Open a file, and read its first bytes.

    Raises:
        RemoteNotFoundError: It does not exist.
    """
    session = await connection.session()
    with connection.waiting(session, digest):
        file = await session.open(path, asyncssh.FXF_READ)
    try:
        first = session.read_size if stop is None else min(session.read_size, stop - start)
        with connection.waiting(session, digest):
            head, attributes = await asyncio.gather(file.read(first, start), file.stat())
        size = attributes.size
        if size is None:
            size = start + len(head)
        yield SftpBody(connection, session, file, (start, size if stop is None else min(stop, size)), size, head)
    finally:
        with contextlib.suppress(asyncssh.Error, OSError, ValueError):
            async with asyncio.timeout(2.0):
                await file.close()
