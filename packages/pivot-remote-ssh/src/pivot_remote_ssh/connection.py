"""The connection to a server: opened with the first request, and again after it was lost."""

import asyncio
import contextlib
import ipaddress
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Final, Protocol, cast

import asyncssh

from pivot_cache.remotes.protocol import RemoteAbsentError, RemoteError, RemoteUnreachableError
from pivot_core.progress import no_progress
from pivot_remote_ssh.errors import SshErrorMapper
from pivot_remote_ssh.known_hosts import KnownHosts
from pivot_remote_ssh.location import SshLocation
from pivot_remote_ssh.silence import SilenceWatch

_SIGNING_IN: Final = 10
"""The factor of the timeout for signing in: the user may have to touch a key, or unlock it in an agent."""

_CLOSING_S: Final = 2.0
_SAFE: Final = 1 << 15
"""The bytes of a request that every server accepts."""

_LARGEST: Final = 255 << 10

_SESSIONS: Final = 4
"""The SFTP sessions of a connection; OpenSSH permits ten, unless its `MaxSessions` is another number."""

_FEW_FILES: Final = 20
"""The number of files that are written in the first session before there are others."""

_FAST: Final = frozenset({"aes256-gcm@openssh.com", "aes128-gcm@openssh.com"})
"""Ciphers for which most processors have instructions: twice as fast here as asyncssh's first choice."""


class _NoSendErrors(logging.Filter):
    """Drops a warning of asyncio: requests that asyncssh had still to send after the connection was lost."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is another one."""
        return record.msg != "socket.send() raised exception."


class _Client(asyncssh.SSHClient):
    """Notes how far a connection has come.

    Attributes:
        made: Called as soon as the host is reached.
        unknown_key: Whether the server gave a key that is not among the known ones.
    """

    def __init__(self) -> None:
        self.made: Callable[[], object] = no_progress
        self._connection: asyncssh.SSHClientConnection | None = None
        self.unknown_key = False

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        """Note the connection."""
        self._connection = conn
        self.made()

    def validate_host_public_key(self, *_: object) -> bool:
        """Accept no key that is not among the known ones."""
        self.unknown_key = True
        return False

    def address(self) -> str | None:
        """Return the IP address of the host, if it was reached; empty if the connection is made by others."""
        if self._connection is None:
            return None
        peer = self._connection.get_extra_info("peername")
        try:
            return str(ipaddress.ip_address(peer[0]))
        except (TypeError, ValueError, IndexError):
            return ""

    def is_signing_in(self) -> bool:
        """Return whether both sides have agreed on their keys."""
        return self._connection is not None and bool(self._connection.get_extra_info("send_cipher"))


class SftpFile(Protocol):
    """An open file on the server; each method is one request."""

    async def read(self, size: int, offset: int) -> bytes:
        """Return at most so many bytes."""
        ...

    async def write(self, data: bytes, offset: int) -> int:
        """Write bytes; return their number."""
        ...

    async def stat(self) -> asyncssh.SFTPAttrs:
        """Return the attributes."""
        ...

    async def chmod(self, mode: int) -> None:
        """Set the rights."""
        ...

    async def fsync(self) -> None:
        """Force the bytes to the disk."""
        ...

    async def close(self) -> None:
        """Close it."""
        ...


class SftpSession:
    """An open connection, and SFTP sessions in it.

    The first session is for reading and for names. As soon as many files are written, others share that work: a server
    does the requests of a session one after the other, and takes long to force bytes to its disk.

    Attributes:
        sftp: The first session.
        read_size: The most bytes to read in one request.
        write_size: The most bytes to write in one request.
        safe_rename: Whether a rename never replaces a file: OpenSSH makes a hard link for it, if it can.
        watch: Follows the requests.
    """

    def __init__(
        self, connection: asyncssh.SSHClientConnection, sftp: asyncssh.SFTPClient, watch: SilenceWatch
    ) -> None:
        """Begin with one session."""
        self.sftp = sftp
        self.read_size = min(sftp.limits.max_read_len or _SAFE, _LARGEST)
        self.write_size = min(sftp.limits.max_write_len or _SAFE, _LARGEST)
        self.safe_rename = connection.get_extra_info("server_version", "").startswith("SSH-2.0-OpenSSH_")
        self.watch = watch
        self._connection = connection
        self._sessions = [sftp]
        self._written = 0
        self._adding: asyncio.Task[None] | None = None

    async def open(self, path: str, flags: int, mode: int | None = None) -> SftpFile:
        """Open a file."""
        sftp = self.sftp
        if flags & asyncssh.FXF_WRITE:
            self._written += 1
            if self._written == _FEW_FILES:
                self._adding = asyncio.create_task(self._add_sessions())
            sftp = self._sessions[self._written % len(self._sessions)]
        attributes = asyncssh.SFTPAttrs() if mode is None else asyncssh.SFTPAttrs(permissions=mode)
        return cast("SftpFile", await sftp.open(path, flags, attributes, encoding=None, block_size=0))

    async def _add_sessions(self) -> None:
        """Open more sessions, as far as the server permits."""
        with contextlib.suppress(asyncssh.Error, OSError):
            while len(self._sessions) < _SESSIONS:
                self._sessions.append(await self._connection.start_sftp_client())

    def abort(self) -> None:
        """Close it without a farewell."""
        self._end()
        self._connection.abort()

    async def close(self) -> None:
        """Close it."""
        self._end()
        for sftp in self._sessions:
            sftp.exit()
        self._connection.close()
        try:
            async with asyncio.timeout(_CLOSING_S):
                await self._connection.wait_closed()
        except TimeoutError:
            self._connection.abort()

    def _end(self) -> None:
        self.watch.close()
        if self._adding is not None:
            self._adding.cancel()


class SshConnection:
    """Sends requests to one server, all over one connection."""

    def __init__(self, location: SshLocation, timeout: float, errors: SshErrorMapper) -> None:
        """Describe the connection; it is opened with the first request, and must be closed.

        Args:
            location: The server.
            timeout: The seconds that it may be silent while there is a request.
            errors: Maps those of asyncssh.
        """
        self.errors = errors
        self._location = location
        self._timeout = timeout
        self._opening = asyncio.Lock()
        self._session: SftpSession | None = None
        self._failed = 0
        self._failure: RemoteError | None = None
        self._was_open = False
        self._filter = _NoSendErrors()
        logging.getLogger("asyncio").addFilter(self._filter)

    async def session(self) -> SftpSession:
        """Return the open session; open it if there is none.

        Raises:
            RemoteError: The server cannot be reached, or refuses.
        """
        if self._session is None:
            failed = self._failed
            async with self._opening:
                if self._failed > failed and self._failure is not None:
                    raise self._failure  # of the attempt that this one has waited for
                if self._session is None:
                    self._session = await self._open()
        return self._session

    async def _open(self) -> SftpSession:
        try:
            session = await self._connect()
        except RemoteError as error:
            self._failure = error
            if self._was_open and isinstance(error, RemoteAbsentError):  # the server may be starting again
                self._failure = RemoteUnreachableError(error.remote, error.problem, hint=error.hint)
            self._failed += 1
            raise self._failure from None
        self._was_open = True
        return session

    async def ask[T](self, request: Callable[[asyncssh.SFTPClient], Awaitable[T]], digest: str | None = None) -> T:
        """Return the answer to a request; errors are those of `SshErrorMapper.as_remote_errors`."""
        session = await self.session()
        with self.waiting(session, digest):
            return await request(session.sftp)

    @contextlib.contextmanager
    def waiting(self, session: SftpSession, digest: str | None = None) -> Iterator[None]:
        """Within the block, a request waits for its answer.

        Args:
            session: The session that it was sent in; if it turns out to have ended, the next request opens another one.
            digest: Of the object that it concerns.
        """
        session.watch.begin()
        try:
            with self.errors.as_remote_errors(digest):
                yield
        except RemoteUnreachableError:
            self._drop(session)
            if session.watch.expired:
                raise self.errors.timeout() from None
            raise
        finally:
            session.watch.end()

    def _drop(self, session: SftpSession) -> None:
        session.abort()
        if self._session is session:
            self._session = None

    async def close(self) -> None:
        """Close the connection, if it is open."""
        session, self._session = self._session, None
        try:
            if session is not None:
                await session.close()
        finally:
            logging.getLogger("asyncio").removeFilter(self._filter)

    async def _connect(self) -> SftpSession:
        client = _Client()
        known: KnownHosts | None = None
        watch = SilenceWatch(self._location.address, self._timeout)  # silence is reported; the limit is that below
        watch.begin()
        try:
            async with asyncio.timeout(self._timeout) as deadline:
                client.made = lambda: self._allow_signing_in(client, deadline)
                hosts, ciphers = await asyncio.to_thread(self._settings)
                known = hosts
                connection = await asyncssh.connect(
                    **self._target(), client_factory=lambda: client, known_hosts=hosts.keys, encryption_algs=ciphers
                )
                try:
                    sftp = await connection.start_sftp_client()
                except BaseException:
                    connection.abort()
                    raise
        except Exception as error:
            failure: RemoteError | None = None
            if known is not None:
                failure = known.explain(error, self.errors, unknown=client.unknown_key, address=client.address())
            failure = failure or self.errors.of_connecting(error)
            if failure is None:
                raise
            raise failure from None
        finally:
            watch.close()
        return SftpSession(connection, sftp, SilenceWatch(self._location.address, self._timeout, connection.abort))

    def _target(self) -> dict[str, Any]:
        """Return the arguments of asyncssh that the URL gives; the others follow from ``~/.ssh/config``."""
        host, user, port = self._location.host.strip("[]"), self._location.user, self._location.port
        given = {"host": host, "username": user, "port": port}
        return {name: value for name, value in given.items() if value is not None}

    def _settings(self) -> tuple[KnownHosts, Sequence[str]]:
        """Return the known hosts and the ciphers, which depend on ``~/.ssh/config``; this reads files."""
        found = asyncssh.SSHClientConnectionOptions(config=(), **self._target())
        ciphers = [each.decode() for each in found.encryption_algs]
        plain = asyncssh.SSHClientConnectionOptions(config=None, client_keys=None)
        if found.encryption_algs == plain.encryption_algs:  # the user has no preference
            ciphers.sort(key=lambda cipher: cipher not in _FAST)
        return KnownHosts.of(found), ciphers

    def _allow_signing_in(self, client: _Client, deadline: asyncio.Timeout) -> None:
        """Extend a deadline after the host is reached, and once more if only the user is needed."""
        loop = asyncio.get_running_loop()
        deadline.reschedule(loop.time() + self._timeout)

        def extend() -> None:
            if client.is_signing_in():
                with contextlib.suppress(RuntimeError):  # it has ended
                    deadline.reschedule(loop.time() + self._timeout * _SIGNING_IN)

        loop.call_later(self._timeout * 0.9, extend)
