"""Remotes of ``file://`` URLs: objects under their digests in a directory of a shared drive."""

import contextlib
import os
import shlex
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from pivot_cache.errors import as_cache_errors
from pivot_cache.files import shards
from pivot_cache.remotes.protocol import (
    Body,
    ListedObject,
    RemoteCorruptError,
    RemoteError,
    RemoteNotFoundError,
    RemoteSettings,
    RemoteTimeoutError,
    RemoteUnreachableError,
)
from pivot_core.files.digest import digest_bytes
from pivot_remote_obstore import directory as files
from pivot_remote_obstore.directory_batch import PublishedBatch, read_objects
from pivot_remote_obstore.errors import drive_error
from pivot_remote_obstore.limits import DRIVE_RATE, Deadlines, RequestClock
from pivot_remote_obstore.location import OBJECTS, RemoteUrlError, directory_of, object_key, run_prefix

if TYPE_CHECKING:
    from pivot_remote_obstore.drive_threads import DriveThreads

RECORD: Final = (1 << 20) + 1
"""The most bytes that are read of a run record; a valid one has fewer."""

_CHUNK: Final = 1 << 20
_FLUSH: Final = 1 << 16
"""For the deadline of a batch, each file has as many bytes more: a flush also writes what other programs wrote."""
_MANY_OF_A_SHARD: Final = 8
"""From this number on, the directory of a shard is listed instead of asking for each object."""


class DirectoryRemote:
    """A `pivot_cache.remotes.protocol.Remote` in a directory that others may share.

    Attributes:
        path: The directory, which must exist.
        name: The URL.
        identity: The same.
    """

    def __init__(self, path: Path, *, jobs: int = 20, limits: Deadlines | None = None) -> None:
        """Describe a remote, without looking at the directory.

        Args:
            path: The directory.
            jobs: The most concurrent system calls.
            limits: The limits of each request; by default those for drives.
        """
        self.path = path
        self.name = self.identity = f"file://{path}"
        self._jobs = jobs
        self._limits = limits or Deadlines(rate=DRIVE_RATE)
        self._written: set[str] = set()
        self._visited: dict[str, bool] = {}
        self._opened: tuple[DriveThreads, RequestClock] | None = None

    async def __aenter__(self) -> Self:
        from pivot_remote_obstore.drive_threads import DriveThreads  # lazy

        self._opened = DriveThreads(self._jobs), RequestClock(self._limits, self.name)
        try:
            await self._run("open it", self._require)
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        (threads, clock), written = self._open, self._written
        try:
            if written and kind is None:
                await self._run("flush it", lambda: files.flush_names(self.path, written), len(written) << 20)
        finally:
            self._written = set()
            self._opened = None
            threads.close()
            clock.close()

    async def exists(self, digests: Collection[str]) -> Mapping[str, int | None]:
        """Look for each of these objects, or list their directories."""
        paths = {digest: f"{self.path}/{object_key(digest)}" for digest in digests}

        def look() -> dict[str, int | None]:
            by_shard = defaultdict(list)
            for digest, path in paths.items():
                by_shard[os.path.dirname(path)].append((digest, path))
            found: dict[str, int | None] = {}
            for place, some in by_shard.items():
                names = files.names_in(place) if len(some) >= _MANY_OF_A_SHARD else None
                for digest, path in some:
                    size = files.size_of(path) if names is None or os.path.basename(path) in names else None
                    if size is not None:
                        found[digest] = size
            return found

        return await self._run("look into it", look, len(paths) << 10)

    async def digests(self) -> AsyncIterator[str]:
        """List all objects."""
        async for each in self.listed():
            yield each.digest

    async def listed(self) -> AsyncIterator[ListedObject]:
        """List all objects with their sizes and ages."""
        found = await self._run("list it", lambda: list(shards.files(self.path / OBJECTS)), 1 << 22)
        for digest, status in found:
            yield ListedObject(digest, status.st_size, status.st_mtime)

    async def upload(self, digest: str, source: Path, sent: Callable[[int], object]) -> bool:
        """Copy a file unless its object exists."""
        key = object_key(digest)
        with as_cache_errors("read", source):
            size = source.stat().st_size  # noqa: ASYNC240 - takes no time
        new = await self._publish(key, lambda step: files.publish_file(source, self.path, key, step), size)
        sent(size)
        return new

    async def upload_batch(self, sources: Mapping[str, str]) -> Mapping[str, bool | None]:
        """Copy files unless their objects exist."""
        batch = PublishedBatch(self.path, sources)
        moves = min(batch.size() + len(sources) * _FLUSH, files.STEP)
        try:
            return await self._write(lambda step: batch.publish(step, self._visit), moves, batch.abandon)
        finally:
            self._written.update(batch.places)

    async def upload_verified(self, digest: str, source: str) -> bool | None:
        """Copy a file unless its object exists, and hash it meanwhile."""
        return (await self.upload_batch({digest: source}))[digest]

    async def read_batch(self, sizes: Mapping[str, int]) -> Mapping[str, bytes | None]:
        """Read many small objects."""
        return await self._run("read from it", lambda: read_objects(self.path, sizes), sum(sizes.values()))

    @contextlib.asynccontextmanager
    async def read(self, digest: str, start: int = 0, stop: int | None = None) -> AsyncIterator[Body]:
        """Read some of the bytes of an object."""
        path = self.path / object_key(digest)
        found = await self._run("read from it", lambda: files.open_file(path))
        if found is None:
            raise RemoteNotFoundError(self.name, f"object {digest} is not there", digest=digest)
        descriptor, size = found
        try:
            if start and start >= size:  # the object ends before the range
                raise RemoteCorruptError(self.name, digest)
            yield _FileBody(self._run, descriptor, size, start, size if stop is None else min(stop, size))
        finally:
            os.close(descriptor)

    async def copy_part(
        self,
        digest: str,
        target: int,
        start: int = 0,
        stop: int | None = None,
        seen: Callable[[memoryview], object] | None = None,
    ) -> int:
        """Copy some of the bytes of an object to the same place in an open file."""
        path = self.path / object_key(digest)
        own = os.dup(target)  # a call that comes back late must not write to another file

        def copy() -> int | None:
            try:
                found = files.open_file(path)
                if found is None:
                    return None
                descriptor, size = found
                end = size if stop is None else min(stop, size)
                try:
                    if seen is None:
                        files.copy_range(descriptor, own, start, end)
                    else:
                        files.copy_seen(descriptor, own, start, end, seen)
                finally:
                    os.close(descriptor)
                return size
            finally:
                os.close(own)

        size = await self._run("read from it", copy, (stop or start) - start)
        if size is None:
            raise RemoteNotFoundError(self.name, f"object {digest} is not there", digest=digest)
        return size

    async def keep_run(self, key: str, data: bytes) -> bool:
        """Store a run record."""
        name = f"{run_prefix(key)}/{digest_bytes(data)}"
        return await self._publish(name, lambda _: files.publish_bytes(data, self.path, name), len(data))

    async def runs(self, key: str, most: int) -> list[bytes]:
        """The newest run records of an inputs key."""
        place = self.path / run_prefix(key)
        return await self._run("read from it", lambda: files.newest_contents(place, most, RECORD), most * RECORD)

    async def delete(self, digest: str) -> None:
        """Delete an object."""
        path = self.path / object_key(digest)

        await self._run("delete from it", lambda: files.remove(path))

    async def _publish(self, name: str, publish: Callable[[Callable[[], None]], bool], size: int) -> bool:
        place = os.path.dirname(f"{self.path}/{name}")

        def work(step: Callable[[], None]) -> bool:
            self._visit(place)
            return publish(step)

        new = await self._write(work, min(size, files.STEP))
        if new:
            self._written.add(place)
        return new

    def _visit(self, place: str) -> bool:
        """Create or sweep a directory before the first file is written to it; whether it is a group's."""
        shared = self._visited.get(place)
        if shared is None:
            try:
                shared = files.is_shared(place)
                files.sweep(place)
            except FileNotFoundError:
                files.make_below(str(self.path), place)
                shared = files.is_shared(place)
            self._visited[place] = shared
        return shared

    async def _write[T](
        self, work: Callable[[Callable[[], None]], T], moves: int, abandon: Callable[[], object] | None = None
    ) -> T:
        try:
            return await self._run_steps("write to it", work, moves, abandon)
        except RemoteError as error:
            if not isinstance(error, RemoteUnreachableError):
                await self._run("look into it", self._require)  # a missing directory has a better message
            raise

    async def _run[T](self, action: str, work: Callable[[], T], moves: int = 0) -> T:
        return await self._run_steps(action, lambda _: work(), moves)

    async def _run_steps[T](
        self,
        action: str,
        work: Callable[[Callable[[], None]], T],
        moves: int,
        abandon: Callable[[], object] | None = None,
    ) -> T:
        """The result of ``work``, which calls its argument when it continues with as many more bytes."""
        threads, clock = self._open
        try:
            async with clock.request(moves) as continues:
                return await threads.run(lambda: work(lambda: threads.tell(continues)), abandon)
        except TimeoutError:
            hint = "check that the drive is mounted and its server runs; remote.timeout sets the time limit"
            raise RemoteTimeoutError(self.name, "the drive does not answer, or answers too slowly", hint=hint) from None
        except OSError as error:
            raise drive_error(self.name, action, error) from error

    def _require(self) -> None:
        """Check that the directory exists.

        Raises:
            RemoteError: It does not.
        """
        try:
            os.listdir(self.path)
        except FileNotFoundError:
            raise RemoteNotFoundError(
                self.name,
                f"there is no directory {self.path}",
                hint=f"mount the drive; if the remote is new: mkdir -p {shlex.quote(str(self.path))}",
            ) from None
        except NotADirectoryError:
            raise RemoteError(self.name, f"{self.path} is not a directory", hint="check the remote's URL") from None

    @property
    def _open(self) -> "tuple[DriveThreads, RequestClock]":
        if self._opened is None:
            raise RuntimeError("the remote is used inside `async with`")
        return self._opened


class _FileBody:
    """The bytes of a file.

    Attributes:
        size: The number of bytes of the whole file.
    """

    def __init__(self, run: Callable[..., Awaitable[bytes]], descriptor: int, size: int, start: int, stop: int) -> None:
        self.size = size
        self._run = run
        self._descriptor = descriptor
        self._at = start
        self._stop = stop

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._at < self._stop:
            wanted = min(_CHUNK, self._stop - self._at)
            data = await self._run("read from it", partial(os.pread, self._descriptor, wanted, self._at), wanted)
            if not data:
                return
            self._at += len(data)
            yield data


def connect_directory(url: str, settings: RemoteSettings) -> DirectoryRemote:
    """The remote of a URL: the entry point ``file`` of ``pivot.remotes``.

    Raises:
        RemoteUrlError: The path is relative, or there is an option.
    """
    if settings.options:
        raise RemoteUrlError(f"{min(settings.options)!r} is not an option of file:// remotes")
    return DirectoryRemote(directory_of(url), jobs=settings.jobs, limits=Deadlines.of(settings.timeout, DRIVE_RATE))
