"""Existence of many objects in few requests: asked for one by one or listed, whichever takes fewer."""

import asyncio
import contextlib
import itertools
import stat
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Collection
from functools import partial
from typing import Final, cast

import asyncssh
import attrs

from pivot_cache.remotes import event_loop
from pivot_cache.remotes.protocol import ListedObject, RemoteNotFoundError
from pivot_core.values import Value
from pivot_remote_ssh.connection import SshConnection
from pivot_remote_ssh.location import SshLocation, digest_of

type Sizes = dict[str, int | None]
"""Sizes of objects by digest; None if the server does not report one."""

_FEW_OF_A_SHARD: Final = 6
"""A listing takes about this number of requests, even if it is short."""

_PAGE: Final = 100
"""The entries that OpenSSH puts into one response."""

AT_ONCE: Final = 64
"""The requests under way: all go over one connection, so that more of them cost the server nothing."""

_SHARD: Final = 2


@attrs.frozen(eq=False, repr=False)
class SftpExistence(Value):
    """Finds out which objects one remote has.

    Attributes:
        connection: The connection.
        location: Where the objects are.
    """

    connection: SshConnection
    location: SshLocation
    _known_missing: set[str] = attrs.field(init=False, factory=set)
    _slots: asyncio.Semaphore = attrs.field(init=False, factory=partial(asyncio.Semaphore, AT_ONCE))

    async def sizes(self, digests: Collection[str]) -> Sizes:
        """Return the sizes of those objects that exist.

        Raises:
            RemoteError: The server does not answer.
            CacheError: One is not a digest.
        """
        paths = {digest: self.location.object(digest) for digest in digests}
        if not paths:
            return {}
        shards = defaultdict(set)
        for digest in paths:
            shards[digest[:_SHARD]].add(digest)
        if len(shards) > _FEW_OF_A_SHARD:
            there = {name async for name, _ in self._entries(self.location.objects)}
            shards = defaultdict(set, {shard: wanted for shard, wanted in shards.items() if shard in there})
        found: Sizes = {}
        async with event_loop.task_group() as tasks:
            for shard, wanted in shards.items():
                tasks.create_task(self._of_shard(shard, wanted, found))
        if not found:
            await self.require_root()
        self._known_missing.update(paths[digest] for digest in paths.keys() - found.keys())
        return found

    async def listed(self) -> AsyncIterator[ListedObject]:
        """List all objects with their sizes and ages.

        Raises:
            RemoteError: The server does not answer.
        """
        await self.require_root()
        shards = sorted([name async for name, _ in self._entries(self.location.objects) if len(name) == _SHARD])
        for some in itertools.batched(shards, AT_ONCE, strict=False):
            async with event_loop.task_group() as tasks:
                listings = [tasks.create_task(self.entries(f"{self.location.objects}/{shard}")) for shard in some]
            for shard, listing in zip(some, listings, strict=True):
                for name, attributes in listing.result():
                    digest = digest_of(shard, name)
                    if digest is not None and is_file(attributes):
                        modified = attributes.mtime
                        yield ListedObject(digest, attributes.size, None if modified is None else float(modified))

    async def is_taken(self, path: str) -> bool:
        """Return whether a file exists; the first time, the server is not asked about one that `sizes` missed."""
        if path in self._known_missing:
            self._known_missing.discard(path)
            return False
        return await self.attributes(path) is not None

    async def attributes(self, path: str) -> asyncssh.SFTPAttrs | None:
        """Return the attributes of a file; None if it does not exist."""
        try:
            return await self.connection.ask(lambda sftp: sftp.lstat(path))
        except RemoteNotFoundError:
            return None

    async def require_root(self) -> asyncssh.SFTPAttrs:
        """Return the attributes of the remote's directory.

        Raises:
            RemoteNotFoundError: It does not exist.
        """
        return await self.connection.ask(lambda sftp: sftp.stat(self.location.root))

    async def entries(self, directory: str) -> list[tuple[str, asyncssh.SFTPAttrs]]:
        """Return the names in a directory with their attributes; none if it does not exist."""
        return [entry async for entry in self._entries(directory)]

    async def _of_shard(self, shard: str, wanted: set[str], found: Sizes) -> None:
        """Add the sizes of those objects that exist; all begin with the same digits."""
        rest = set(wanted)
        if len(wanted) > _FEW_OF_A_SHARD:
            seen = 0
            async with self._slots, contextlib.aclosing(self._entries(f"{self.location.objects}/{shard}")) as entries:
                async for name, attributes in entries:
                    seen += 1
                    digest = digest_of(shard, name)
                    if digest in rest and is_file(attributes):
                        found[digest] = attributes.size
                        rest.discard(digest)
                    if not rest or seen > _PAGE * len(wanted):  # more pages would be more requests than one by one
                        break
                else:
                    return
        async with event_loop.task_group() as tasks:
            for digest in rest:
                tasks.create_task(self._one(digest, found))

    async def _one(self, digest: str, found: Sizes) -> None:
        async with self._slots:
            attributes = await self.attributes(self.location.object(digest))
        if attributes is not None:
            found[digest] = attributes.size

    async def _entries(self, directory: str) -> AsyncGenerator[tuple[str, asyncssh.SFTPAttrs]]:
        """Yield the names in a directory with their attributes; none if it does not exist."""
        session = await self.connection.session()
        listing = cast("AsyncGenerator[asyncssh.SFTPName]", session.sftp.scandir(directory.encode()))
        async with contextlib.aclosing(listing):
            while True:
                try:
                    with self.connection.waiting(session):
                        entry = await anext(listing, None)
                except RemoteNotFoundError:
                    return
                if entry is None:
                    return
                yield cast("bytes", entry.filename).decode(errors="replace"), entry.attrs


def is_file(attributes: asyncssh.SFTPAttrs) -> bool:
    """Return whether attributes are those of a file, as far as the server says."""
    return attributes.permissions is None or stat.S_ISREG(attributes.permissions)
