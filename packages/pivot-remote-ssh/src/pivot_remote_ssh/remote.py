"""Remote of an ``ssh://`` URL: objects under their digests in a directory, none of which is ever replaced."""

import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import attrs

from pivot_cache.remotes.protocol import Body, ListedObject, RemoteNotFoundError, RemoteSettings
from pivot_core.values import Value
from pivot_remote_ssh.errors import SshErrorMapper, SshLocationError
from pivot_remote_ssh.location import SshLocation
from pivot_remote_ssh.silence import TIMEOUT_S
from pivot_remote_ssh.ssh_config import config_digest

if TYPE_CHECKING:
    from pivot_remote_ssh.connection import SshConnection
    from pivot_remote_ssh.existence import SftpExistence
    from pivot_remote_ssh.uploads import SftpUploads

_RECORD: Final = (1 << 20) + 1
"""The most bytes that are read of a run record; a valid one has fewer."""


@attrs.frozen(eq=False, repr=False)
class _OpenSshRemote(Value):
    """The parts of a remote that exist while it is open."""

    connection: "SshConnection"
    existence: "SftpExistence"
    uploads: "SftpUploads"


class SshRemote:
    """A `pivot_cache.remotes.protocol.Remote` in a directory of a machine with an SSH server.

    Attributes:
        location: The machine and the directory.
        name: The URL.
        identity: The URL with a digest of ``~/.ssh/config``, which says where the host of the URL is.
    """

    def __init__(
        self,
        location: SshLocation,
        *,
        state: Path | None = None,
        timeout: float | None = None,
        resumed: int | None = None,
        synced: int | None = None,
    ) -> None:
        """Describe a remote, without importing asyncssh or connecting.

        Args:
            location: The machine and the directory.
            state: A directory that lets a later process resume uploads of large objects.
            timeout: The seconds that the server may be silent while there is a request; by default 30.
            resumed: The size in bytes above which an upload is resumed; by default 8 MiB.
            synced: The bytes after which those written so far need not be sent again; by default 16 MiB.
        """
        self.location = location
        self.name = str(location)
        self.identity = f"{location} {config_digest()}"
        self._state = state
        self._timeout = TIMEOUT_S if timeout is None else timeout
        self._sizes = {"resumed": resumed, "synced": synced}
        self._opened: _OpenSshRemote | None = None

    async def __aenter__(self) -> Self:
        from pivot_remote_ssh.connection import SshConnection  # lazy
        from pivot_remote_ssh.existence import SftpExistence  # lazy
        from pivot_remote_ssh.uploads import SftpUploads  # lazy

        connection = SshConnection(self.location, self._timeout, SshErrorMapper(self.name, self.location))
        existence = SftpExistence(connection, self.location)
        sizes = {name: size for name, size in self._sizes.items() if size is not None}
        self._opened = _OpenSshRemote(
            connection, existence, SftpUploads(existence, self.identity, self._state, **sizes)
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        open_, self._opened = self._open, None
        try:
            if error is None:
                await open_.uploads.close()
        finally:
            await open_.connection.close()

    async def exists(self, digests: Collection[str]) -> Mapping[str, int | None]:
        """Return the sizes of those objects that exist."""
        return await self._open.existence.sizes(digests)

    async def digests(self) -> AsyncIterator[str]:
        """List all objects."""
        async for each in self._open.existence.listed():
            yield each.digest

    async def listed(self) -> AsyncIterator[ListedObject]:
        """List all objects with their sizes and ages."""
        async for each in self._open.existence.listed():
            yield each

    async def upload(self, digest: str, source: Path, sent: Callable[[int], object]) -> bool:
        """Upload a file unless its object exists; a large one resumes where an earlier attempt stopped."""
        return await self._open.uploads.upload(digest, source, sent)

    @contextlib.asynccontextmanager
    async def read(self, digest: str, start: int = 0, stop: int | None = None) -> AsyncIterator[Body]:
        """Return the bytes of an object, or of a part of it."""
        from pivot_remote_ssh.object_body import open_body  # lazy

        async with contextlib.AsyncExitStack() as stack:
            try:
                body = await stack.enter_async_context(
                    open_body(self._open.connection, self.location.object(digest), start, stop, digest)
                )
            except RemoteNotFoundError:
                await self._open.existence.require_root()  # which may be what does not exist
                raise
            yield body

    async def keep_run(self, key: str, data: bytes) -> bool:
        """Store a run record."""
        return await self._open.uploads.keep(self.location.runs(key), data)

    async def runs(self, key: str, most: int) -> list[bytes]:
        """Return the newest run records of an inputs key."""
        from pivot_remote_ssh.existence import is_file  # lazy
        from pivot_remote_ssh.object_body import open_body  # lazy

        directory = self.location.runs(key)
        entries = [each for each in await self._open.existence.entries(directory) if is_file(each[1])]
        newest = sorted(entries, key=lambda each: (each[1].mtime or 0, each[0]), reverse=True)
        found = []
        for name, _ in newest[:most]:
            async with open_body(self._open.connection, f"{directory}/{name}", 0, _RECORD, None) as body:
                found.append(b"".join([data async for data in body]))
        return found

    async def delete(self, digest: str) -> None:
        """Delete an object."""
        path = self.location.object(digest)
        with contextlib.suppress(RemoteNotFoundError):
            await self._open.connection.ask(lambda sftp: sftp.remove(path))

    @property
    def _open(self) -> _OpenSshRemote:
        if self._opened is None:
            raise RuntimeError("the remote is used inside `async with`")
        return self._opened


def connect(url: str, settings: RemoteSettings) -> SshRemote:
    """Return the remote of a URL: the entry point ``ssh`` of ``pivot.remotes``.

    Raises:
        SshLocationError: The URL is not the location of an SSH remote, or there are options, of which it has none.
    """
    if settings.options:
        raise SshLocationError("SSH remotes have no options", hint="write Host entries in ~/.ssh/config")
    return SshRemote(SshLocation.parse(url), state=settings.state, timeout=settings.timeout)
