"""Creation of files on the server: as a whole or not at all, on its disk, and never in place of another.

The bytes are written to a temporary file, which is linked under its name when they are on the disk.
"""

import asyncio
import contextlib
import os
import secrets
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

import asyncssh

from pivot_cache.errors import CacheError, as_cache_errors
from pivot_cache.remotes.protocol import RemoteDeniedError, RemoteError, RemoteNotFoundError
from pivot_core.files.digest import digest_bytes
from pivot_core.progress import no_progress
from pivot_remote_ssh.connection import SftpFile, SftpSession, SshConnection
from pivot_remote_ssh.errors import SftpFailureError
from pivot_remote_ssh.existence import AT_ONCE, SftpExistence
from pivot_remote_ssh.location import SshLocation
from pivot_remote_ssh.upload_state import STALE_S, SftpUploadState, open_state, remove_abandoned

RESUMED: Final = 8 << 20
"""The size in bytes above which an upload is resumed."""

SYNCED: Final = 16 << 20
"""The bytes after which those written so far are forced to the server's disk, so that they need not be sent again."""

_WRITES: Final = 32
"""The writes under way: up to 8 MiB, which is more than the server accepts before it answers."""

_CLEANUP_S: Final = 2.0

_CREATE: Final = asyncssh.FXF_WRITE | asyncssh.FXF_CREAT | asyncssh.FXF_EXCL
_READABLE: Final = 0o444
_OPEN_AGAIN: Final = 0o644
_GROUP: Final = 0o040
_READ_ONLY: Final = 1
_SHARED: Final = 0o2020
"""The bits of a directory that a group shares: its files belong to the group, whose members may create others."""

type ReadPart = Callable[[int, int], bytes]
"""Returns bytes of a source, from a start and at most a number of them."""


class SftpUploads:
    """Creates files below the directory of one remote."""

    def __init__(
        self,
        existence: SftpExistence,
        identity: str,
        state: Path | None,
        *,
        resumed: int = RESUMED,
        synced: int = SYNCED,
    ) -> None:
        """Use an open remote.

        Args:
            existence: Which files there are, with the connection and the location.
            identity: The identity of the remote.
            state: A directory for the states of large uploads; None for none.
            resumed: The size in bytes above which an upload is resumed.
            synced: The bytes after which those written so far need not be sent again.
        """
        self._existence = existence
        self._connection: SshConnection = existence.connection
        self._location: SshLocation = existence.location
        self._identity = identity
        self._state = state
        self._resumed = resumed
        self._synced = synced
        self._writes = asyncio.Semaphore(_WRITES)
        self._preparing = asyncio.Lock()
        self._prepared = False
        self._rights: int | None = None
        self._lacks_rights: bool | None = None
        self._directories: set[str] = set()
        self._changed: set[str] = set()
        self._can_sync = True

    async def upload(self, digest: str, source: Path, sent: Callable[[int], object]) -> bool:
        """Create an object from a file; False if it exists."""
        target = self._location.object(digest)
        with as_cache_errors("read", source):
            descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(descriptor).st_size

            def read(start: int, most: int) -> bytes:
                with as_cache_errors("read", source):
                    data = os.pread(descriptor, most, start)
                if not data:
                    raise CacheError(f"{source} has become shorter while it was uploaded")
                return data

            if await self._existence.is_taken(target):
                new = False
            elif size <= self._resumed:
                new = await self._create(target, digest, SftpUploadState(size), read, no_progress)
            else:
                with open_state(self._state, self._identity, digest, size) as state:
                    new = await self._create(target, digest, state, read, sent)
        finally:
            os.close(descriptor)
        sent(size)
        return new

    async def keep(self, directory: str, data: bytes) -> bool:
        """Create a file that is named by the digest of its bytes; False if it exists."""
        digest = digest_bytes(data)
        target = f"{directory}/{digest}"
        if await self._existence.attributes(target) is not None:
            return False
        state = SftpUploadState(len(data))
        return await self._create(target, digest, state, lambda start, most: data[start : start + most], no_progress)

    async def close(self) -> None:
        """Force the names of new files to the server's disk, if it is able to."""
        changed, self._changed = sorted(self._changed), set()
        slots = asyncio.Semaphore(AT_ONCE)

        async def sync(directory: str) -> None:
            async with slots:
                if self._can_sync:
                    try:
                        await self._sync_directory(directory)
                    except RemoteError:
                        self._can_sync = False

        await asyncio.gather(*(sync(directory) for directory in changed))

    async def _sync_directory(self, path: str) -> None:
        session = await self._connection.session()
        with self._connection.waiting(session):
            file = await session.open(path, asyncssh.FXF_READ)
            await file.fsync()
            await file.close()

    async def _create(
        self, target: str, digest: str, state: SftpUploadState, read: ReadPart, sent: Callable[[int], object]
    ) -> bool:
        try:
            await self._prepare()
            return await self._write_and_publish(target, digest, state, read, sent)
        except SftpFailureError as error:
            raise await self._explained(error) from None

    async def _write_and_publish(
        self, target: str, digest: str, state: SftpUploadState, read: ReadPart, sent: Callable[[int], object]
    ) -> bool:
        session = await self._connection.session()
        file = await self._continued(session, state) or await self._new(session, digest, state)
        temp = f"{self._location.temporary}/{state.name}"
        try:
            sent(state.done)
            await self._write(session, file, state, read, sent)
            await self._set_rights(session, file, large=state.size > self._resumed)
            await self._sync(session, file)
            with self._connection.waiting(session):
                await file.close()
            return await self._publish(temp, target)
        except BaseException:
            if not (state.kept and state.done):
                await _discard(session, file, temp)
            raise

    async def _continued(self, session: SftpSession, state: SftpUploadState) -> SftpFile | None:
        """Open the temporary file of an earlier attempt; None if there is none with what it should have."""
        if state.name is None:
            return None
        path = f"{self._location.temporary}/{state.name}"
        try:
            attributes = await self._existence.attributes(path)
            if attributes is not None and (attributes.size or 0) >= state.done:
                with self._connection.waiting(session):
                    return await session.open(path, asyncssh.FXF_WRITE)
        except (RemoteDeniedError, RemoteNotFoundError, SftpFailureError):
            pass
        state.reset()
        return None

    async def _new(self, session: SftpSession, digest: str, state: SftpUploadState) -> SftpFile:
        """Create a temporary file."""
        state.advance(f"{digest}.{secrets.token_hex(8)}", 0)
        path = f"{self._location.temporary}/{state.name}"
        mode = _READABLE if state.size <= self._resumed else _OPEN_AGAIN

        async def create() -> SftpFile:
            with self._connection.waiting(session):
                return await session.open(path, _CREATE, mode)

        try:
            return await create()
        except (RemoteNotFoundError, SftpFailureError):
            if self._location.temporary in self._directories:
                raise
        await self._make_directory(self._location.temporary)
        return await create()

    async def _write(
        self,
        session: SftpSession,
        file: SftpFile,
        state: SftpUploadState,
        read: ReadPart,
        sent: Callable[[int], object],
    ) -> None:
        """Write the bytes that are missing, several requests at a time."""
        size, step = state.size, session.write_size

        async def write(start: int) -> int:
            stop = min(start + step, size)
            async with self._writes:
                while start < stop:
                    data = read(start, stop - start)
                    await file.write(data, start)
                    start += len(data)
            return stop

        if size - state.done <= step:
            with self._connection.waiting(session):
                await write(state.done)
            return
        starts = iter(range(state.done, size, step))
        writes: deque[asyncio.Task[int]] = deque()
        try:
            while True:
                while len(writes) < _WRITES and (start := next(starts, None)) is not None:
                    writes.append(asyncio.create_task(write(start)))
                if not writes:
                    break
                with self._connection.waiting(session):
                    reached = await writes[0]
                writes.popleft()
                if self._can_sync and state.done + self._synced <= reached < size and await self._sync(session, file):
                    state.advance(state.name or "", reached)
                    sent(reached)
        finally:
            for task in writes:
                task.cancel()
            await asyncio.gather(*writes, return_exceptions=True)

    async def _sync(self, session: SftpSession, file: SftpFile) -> bool:
        """Force the bytes of a file to the server's disk; return whether the server is able to."""
        if self._can_sync:
            with self._connection.waiting(session):
                try:
                    await file.fsync()
                except asyncssh.SFTPOpUnsupported:
                    self._can_sync = False
        return self._can_sync

    async def _set_rights(self, session: SftpSession, file: SftpFile, *, large: bool) -> None:
        """Make a file readable only: for those who the server's umask says, and for a group that shares the remote."""
        shared = self._rights is not None
        if not large and (not shared or self._lacks_rights is False):
            return
        with self._connection.waiting(session):
            found = (await file.stat()).permissions or 0
            wanted = (found & _READABLE) | (_GROUP if shared else 0)
            if wanted != found & 0o777:
                await file.chmod(wanted)
        if not large:
            self._lacks_rights = bool(wanted & ~found)

    async def _publish(self, temp: str, target: str) -> bool:
        """Give a temporary file its name, and remove the temporary one; False if the name is taken."""
        directory = os.path.dirname(target)
        try:
            new = await self._link(temp, target)
        except (RemoteNotFoundError, SftpFailureError):
            if directory in self._directories:
                raise
            await self._make_directory(directory)
            new = await self._link(temp, target)
        if new:
            self._changed.add(directory)
        return new

    async def _link(self, temp: str, target: str) -> bool:
        session = await self._connection.session()
        try:
            if session.safe_rename:
                await self._connection.ask(lambda sftp: sftp.rename(temp, target))
                return True
            if await self._connection.ask(lambda sftp: _hard_link(sftp, temp, target)):
                await self._remove(temp)
                return True
        except (SftpFailureError, RemoteDeniedError):
            if await self._existence.attributes(target) is not None:
                await self._remove(temp)
                return False
            if session.safe_rename:
                raise
        # No hard links: the standard says that a rename fails if the name is taken, and most servers do so.
        if await self._existence.attributes(target) is None:
            await self._connection.ask(lambda sftp: sftp.rename(temp, target))
            return True
        await self._remove(temp)
        return False

    async def _remove(self, path: str) -> None:
        await self._connection.ask(lambda sftp: sftp.remove(path))

    async def _make_directory(self, path: str) -> None:
        """Create a directory below the remote's, and those above it."""
        if path in self._directories:
            return
        if path == self._location.root:
            raise self._connection.errors.no_directory()
        try:
            await self._connection.ask(lambda sftp: sftp.mkdir(path))
        except RemoteNotFoundError:
            await self._make_directory(os.path.dirname(path))
            await self._make_directory(path)
            return
        except SftpFailureError:
            if await self._existence.attributes(path) is None:
                parent = os.path.dirname(path)
                if await self._existence.attributes(parent) is not None:
                    raise
                await self._make_directory(parent)
                await self._make_directory(path)
                return
        else:
            self._changed.add(os.path.dirname(path))
            rights = self._rights
            if rights is not None:
                await self._connection.ask(lambda sftp: sftp.chmod(path, rights))
        self._directories.add(path)

    async def _prepare(self) -> None:
        """Before the first upload: look at the remote's directory, and remove what nobody continues to upload."""
        async with self._preparing:
            if self._prepared:
                return
            root = await self._existence.require_root()
            rights = (root.permissions or 0) & 0o7777
            self._rights = rights if rights & _SHARED == _SHARED else None
            oldest = time.time() - STALE_S
            remove_abandoned(self._state)
            for name, attributes in await self._existence.entries(self._location.temporary):
                if attributes.mtime is not None and attributes.mtime < oldest and "." in name.strip("."):
                    with contextlib.suppress(RemoteNotFoundError, RemoteDeniedError, SftpFailureError):
                        await self._remove(f"{self._location.temporary}/{name}")
            self._prepared = True

    async def _explained(self, error: SftpFailureError) -> RemoteError:
        """Return an error with its cause, where the state of the file system shows it."""

        async def look(sftp: asyncssh.SFTPClient) -> asyncssh.SFTPVFSAttrs | None:
            try:
                return await sftp.statvfs(self._location.root)
            except asyncssh.SFTPError:
                return None

        session = await self._connection.session()
        found = await self._connection.ask(look)
        if found is None:
            return error
        if found.flags & _READ_ONLY:
            return self._connection.errors.read_only()
        full = found.bavail * (found.frsize or found.bsize) < session.write_size or (found.files and not found.favail)
        return self._connection.errors.full() if full else error


async def _hard_link(sftp: asyncssh.SFTPClient, source: str, target: str) -> bool:
    """Make a hard link; False if the server is not able to."""
    try:
        await sftp.link(source, target)
    except asyncssh.SFTPOpUnsupported:
        return False
    return True


async def _discard(session: SftpSession, file: SftpFile, path: str) -> None:
    """Remove a temporary file, if the connection still works."""
    with contextlib.suppress(asyncssh.Error, OSError, ValueError):
        async with asyncio.timeout(_CLEANUP_S):
            with contextlib.suppress(asyncssh.SFTPError, ValueError):
                await file.close()
            await session.sftp.remove(path)
