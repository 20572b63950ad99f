"""Tests that every remote must pass, and an in-memory remote that fails on demand."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import attrs

from pivot_cache.errors import CacheError
from pivot_cache.remotes.options import Retry
from pivot_cache.remotes.protocol import (
    Body,
    ListedObject,
    ObjectLister,
    PartCopier,
    Remote,
    RemoteError,
    RemoteNotFoundError,
    RemoteUnreachableError,
    RunKeeper,
)
from pivot_core.files.digest import digest_bytes, is_digest
from pivot_core.values import Value


@attrs.define
class Fault:
    """A simulated failure of a call.

    Attributes:
        method: The name of the method of `Remote`.
        error: The error that it raises; for ``read``, after ``after`` bytes.
        after: For ``read``: the number of bytes before the error, or before a silent end without an error.
        garble: For ``read``: whether the last of these bytes is wrong.
        digest: Only calls for this object count.
        skip: The number of calls that succeed first.
        times: The number of calls that fail.
    """

    method: str
    error: RemoteError | None = None
    after: int | None = None
    garble: bool = False
    digest: str | None = None
    skip: int = 0
    times: int = 1

    def strikes(self, method: str, digest: str | None) -> bool:
        """Whether this call fails; called once for each call."""
        if method != self.method or self.digest not in (None, digest) or not self.times:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True


class MemoryRemote:
    """A remote in memory.

    Attributes:
        name: Its URL.
        identity: The same as the name.
        objects: By digest.
        uploaded: When each was uploaded, by digest; 0 if not named.
        run_records: By inputs key, the newest first.
        faults: The failures to simulate; the first that applies is used.
        calls: The method and the digest of each call, in order; an ``exists`` counts once.
        busiest: The maximum number of simultaneous calls.
    """

    def __init__(self, name: str = "memory://remote", chunk: int = 4096) -> None:
        """Create an empty remote.

        Args:
            name: Its URL.
            chunk: The number of bytes of a body that arrive at once.
        """
        self.name = self.identity = name
        self.objects: dict[str, bytes] = {}
        self.uploaded: dict[str, float] = {}
        self.run_records: dict[str, list[bytes]] = {}
        self.faults: list[Fault] = []
        self.calls: list[tuple[str, str | None]] = []
        self.busiest = 0
        self._busy = 0
        self._chunk = chunk

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    async def exists(self, digests: Collection[str]) -> Mapping[str, int | None]:
        """The existing ones of the objects, with their sizes."""
        with self._call("exists") as fault:
            await _raise(fault)
            for digest in digests:
                _check(digest)
            return {digest: len(self.objects[digest]) for digest in self.objects.keys() & set(digests)}

    async def digests(self) -> AsyncIterator[str]:
        """All objects."""
        with self._call("digests") as fault:
            await _raise(fault)
        for digest in list(self.objects):
            yield digest

    async def listed(self) -> AsyncIterator[ListedObject]:
        """All objects, each as old as the test says."""
        with self._call("listed") as fault:
            await _raise(fault)
        for digest, data in list(self.objects.items()):
            yield ListedObject(digest, len(data), self.uploaded.get(digest, 0.0))

    async def upload(self, digest: str, source: Path, sent: Callable[[int], object]) -> bool:
        """Store the bytes of a file."""
        with self._call("upload", digest) as fault:
            await _raise(fault)
            if digest in self.objects:
                return False
            self.objects[digest] = source.read_bytes()
            sent(len(self.objects[digest]))
            return True

    @contextlib.asynccontextmanager
    async def read(self, digest: str, start: int = 0, stop: int | None = None) -> AsyncIterator[Body]:
        """Some of the bytes of an object."""
        with self._call("read", digest) as fault:
            if fault is None or fault.after is None:
                await _raise(fault)
            if digest not in self.objects:
                raise RemoteNotFoundError(self.name, f"object {digest} is not there", digest=digest)
            whole = self.objects[digest]
            yield _Chunks(len(whole), whole[start:stop], self._chunk, fault)

    async def keep_run(self, key: str, data: bytes) -> bool:
        """Keep a run record."""
        with self._call("keep_run", key) as fault:
            await _raise(fault)
            kept = self.run_records.setdefault(key, [])
            new = data not in kept
            if new:
                kept.insert(0, data)
            return new

    async def runs(self, key: str, most: int) -> list[bytes]:
        """The run records of a key."""
        with self._call("runs", key) as fault:
            await _raise(fault)
            return self.run_records.get(key, [])[:most]

    async def delete(self, digest: str) -> None:
        """Forget an object."""
        with self._call("delete", digest) as fault:
            await _raise(fault)
            self.objects.pop(digest, None)

    @contextlib.contextmanager
    def _call(self, method: str, digest: str | None = None) -> Iterator[Fault | None]:
        if digest is not None:
            _check(digest)
        self.calls.append((method, digest))
        self._busy += 1
        self.busiest = max(self.busiest, self._busy)
        try:
            yield next((fault for fault in self.faults if fault.strikes(method, digest)), None)
        finally:
            self._busy -= 1


@attrs.frozen(eq=False, repr=False)
class _Chunks(Value):
    """A body that is there already."""

    size: int
    data: bytes
    chunk: int
    fault: Fault | None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        data = self.data
        if self.fault is not None and self.fault.after is not None:
            data = data[: self.fault.after]
            if self.fault.garble:
                data = data[:-1] + bytes([data[-1] ^ 1]) + self.data[len(data) :]
        for start in range(0, len(data), self.chunk):
            await _turn()
            yield data[start : start + self.chunk]
        if self.fault is not None:
            await _raise(self.fault)


def _check(digest: str) -> None:
    if not is_digest(digest):
        raise CacheError(f"{digest!r} is not a digest")


async def _raise(fault: Fault | None) -> None:
    await _turn()
    if fault is not None and fault.error is not None:
        raise fault.error


async def _turn() -> None:
    """Let the other tasks go on."""
    import asyncio  # lazy

    await asyncio.sleep(0)


class ReadingContract:
    """The part of `RemoteContract` about reading, for remotes that refuse all changes.

    The class that inherits it also overrides `place`.
    """

    part = 100_000

    def run[T](self, make: Callable[[], Remote], work: Callable[[Remote], Awaitable[T]]) -> T:
        """The result of ``work`` for an open remote."""
        import asyncio  # lazy

        async def inside() -> T:
            async with make() as remote:
                return await work(remote)

        return asyncio.run(inside())

    async def place(self, remote: Remote, data: bytes, directory: Path, /) -> None:
        """Make bytes an object of a remote; ``directory`` is for temporary files."""
        raise NotImplementedError

    def test_whole_objects_can_be_read(self, make: Callable[[], Remote], tmp_path: Path) -> None:
        contents = [b"", b"x", bytes(range(256)) * 700, bytes(range(251)) * (self.part * 5 // 2 // 251)]

        async def work(remote: Remote) -> None:
            assert await remote.exists([digest_bytes(data) for data in contents]) == {}
            assert await remote.exists([]) == {}
            for data in contents:
                await self.place(remote, data, tmp_path)
            sizes = {digest_bytes(data): len(data) for data in contents}
            assert await remote.exists({*sizes, _ABSENT}) == sizes
            for data in contents:
                assert await _read(remote, digest_bytes(data)) == (data, len(data))
                assert await _read(remote, digest_bytes(data), 0, 10) == (data[:10], len(data))

        self.run(make, work)

    def test_many_objects_are_found(self, make: Callable[[], Remote], tmp_path: Path) -> None:
        contents = [b"%d" % number for number in range(120)]
        wanted = {digest_bytes(data) for data in contents}
        absent = {digest_bytes(b"-%d" % number) for number in range(120)}

        async def work(remote: Remote) -> None:
            for data in contents:
                await self.place(remote, data, tmp_path)
            assert await remote.exists(wanted | absent) == {digest_bytes(data): len(data) for data in contents}
            assert await remote.exists(absent) == {}

        self.run(make, work)

    def test_parts_can_be_read(self, make: Callable[[], Remote], tmp_path: Path) -> None:
        data = bytes(range(200))
        digest = digest_bytes(data)

        async def work(remote: Remote) -> None:
            await self.place(remote, data, tmp_path)
            for start, stop in ((0, 1), (0, 200), (7, 60), (199, 200), (150, None), (0, None), (100, 1000)):
                assert await _read(remote, digest, start, stop) == (data[start:stop], len(data))

        self.run(make, work)

    def test_what_is_not_there_cannot_be_read(self, make: Callable[[], Remote]) -> None:
        async def work(remote: Remote) -> None:
            for start, stop in ((0, None), (0, 10), (5, 10)):
                try:
                    await _read(remote, _ABSENT, start, stop)
                except RemoteNotFoundError as error:
                    assert error.digest == _ABSENT
                    assert error.remote == remote.name
                    assert error.hint
                else:
                    raise AssertionError("an object that is not there was read")

        self.run(make, work)


class RemoteContract(ReadingContract):
    """The contract of every remote: a class for pytest, to be inherited by a class of tests.

    That class overrides `make` by a fixture, which gives a function that makes a `Remote`: each time another client
    of the same objects, of which there are none when a test begins. A remote that keeps state between uploads says
    `part`, a size that it moves in parts.
    """

    async def place(self, remote: Remote, data: bytes, directory: Path, /) -> None:
        """Upload bytes."""
        await _upload(remote, data, directory)

    def test_a_remote_begins_empty(self, make: Callable[[], Remote]) -> None:
        async def work(remote: Remote) -> None:
            assert await remote.exists([_ABSENT, digest_bytes(b"")]) == {}
            assert await remote.exists([]) == {}
            assert [digest async for digest in remote.digests()] == []

        self.run(make, work)

    def test_what_is_uploaded_is_there_for_every_client(self, make: Callable[[], Remote], tmp_path: Path) -> None:
        contents = [b"", b"x", b"two words", bytes(range(256)) * 700]

        async def upload(remote: Remote) -> None:
            for data in contents:
                assert await _upload(remote, data, tmp_path) == (True, len(data))

        async def look(remote: Remote) -> None:
            wanted = {digest_bytes(data) for data in contents}
            assert await remote.exists({*wanted, _ABSENT}) == {digest_bytes(data): len(data) for data in contents}
            assert {digest async for digest in remote.digests()} == wanted
            for data in contents:
                assert await _read(remote, digest_bytes(data)) == (data, len(data))

        self.run(make, upload)
        self.run(make, look)

    def test_nothing_that_is_there_is_replaced(self, make: Callable[[], Remote], tmp_path: Path) -> None:
        for data in (b"first", b"1" * self.part):
            digest = digest_bytes(data)
            other = tmp_path / "other"
            other.write_bytes(data[:-1] + b"?")

            async def work(remote: Remote, data: bytes = data, digest: str = digest, other: Path = other) -> None:
                await _upload(remote, data, tmp_path)
                assert await remote.upload(digest, other, lambda _: None) is False
                assert await _read(remote, digest) == (data, len(data))

            self.run(make, work)

    def test_a_large_object_arrives_whole(self, make: Callable[[], Remote], tmp_path: Path) -> None:
        data = bytes(range(251)) * (self.part * 5 // 2 // 251)

        async def work(remote: Remote) -> None:
            assert await _upload(remote, data, tmp_path) == (True, len(data))
            assert await _read(remote, digest_bytes(data)) == (data, len(data))

        self.run(make, work)

    def test_what_is_deleted_is_gone(self, make: Callable[[], Remote], tmp_path: Path) -> None:
        digest = digest_bytes(b"data")

        async def work(remote: Remote) -> None:
            await _upload(remote, b"data", tmp_path)
            await remote.delete(digest)
            await remote.delete(digest)
            assert await remote.exists([digest]) == {}
            assert await _upload(remote, b"data", tmp_path) == (True, 4)

        self.run(make, work)

    def test_objects_are_listed_with_their_ages(self, make: Callable[[], Remote], tmp_path: Path) -> None:
        data = b"some bytes"

        async def work(remote: Remote) -> None:
            assert isinstance(remote, ObjectLister)
            await _upload(remote, data, tmp_path)
            (found,) = [each async for each in remote.listed()]
            assert (found.digest, found.size) == (digest_bytes(data), len(data))
            assert found.modified is not None

        if isinstance(make(), ObjectLister):
            self.run(make, work)

    def test_parts_can_be_copied(self, make: Callable[[], Remote], tmp_path: Path) -> None:
        data = bytes(range(256)) * (self.part // 100)
        digest, part = digest_bytes(data), len(data) // 2

        async def work(remote: Remote) -> None:
            assert isinstance(remote, PartCopier)
            await _upload(remote, data, tmp_path)
            with (tmp_path / "copy").open("w+b") as target:
                assert await remote.copy_part(digest, target.fileno(), part) == len(data)
                assert await remote.copy_part(digest, target.fileno(), 0, part) == len(data)
                assert target.read() == data
                assert await remote.copy_part(digest, target.fileno(), 0, 2 * len(data)) == len(data)
                try:
                    await remote.copy_part(_ABSENT, target.fileno())
                except RemoteNotFoundError as error:
                    assert error.digest == _ABSENT
                else:
                    raise AssertionError("an object that is not there was copied")

        if isinstance(make(), PartCopier):
            self.run(make, work)

    def test_run_records_are_kept_under_their_keys(self, make: Callable[[], Remote]) -> None:
        one, other = digest_bytes(b"one"), digest_bytes(b"other")

        async def work(remote: Remote) -> None:
            assert isinstance(remote, RunKeeper)
            assert await remote.runs(one, 9) == []
            assert [await remote.keep_run(one, data) for data in (b"a", b"b", b"a")] == [True, True, False]
            assert await remote.keep_run(other, b"a")
            assert sorted(await remote.runs(one, 9)) == [b"a", b"b"]
            assert await remote.runs(other, 9) == [b"a"]
            assert len(await remote.runs(one, 1)) == 1
            assert [each async for each in remote.digests()] == []

        self.run(make, work)

    def test_tasks_share_a_client(self, make: Callable[[], Remote], tmp_path: Path) -> None:
        import asyncio  # lazy

        contents = [b"%d" % number for number in range(30)]

        async def work(remote: Remote) -> None:
            await asyncio.gather(*(_upload(remote, data, tmp_path) for data in contents))
            read = await asyncio.gather(*(_read(remote, digest_bytes(data)) for data in contents))
            assert read == [(data, len(data)) for data in contents]

        self.run(make, work)

    def test_only_digests_become_names(self, make: Callable[[], Remote], tmp_path: Path) -> None:
        async def work(remote: Remote) -> None:
            for name in ("", "../" + "a" * 29, "A" * 32, "/" * 32):
                calls: list[Callable[[], Awaitable[object]]] = [
                    partial(remote.exists, [name]),
                    partial(_upload, remote, b"", tmp_path, name),
                    partial(_read, remote, name),
                    partial(remote.delete, name),
                ]
                for call in calls:
                    try:
                        await call()
                    except CacheError as error:
                        assert "is not a digest" in str(error)
                    else:
                        raise AssertionError(f"{name!r} was taken for a digest")

        self.run(make, work)

    def test_a_client_has_a_name_and_can_be_used_again(self, make: Callable[[], Remote], tmp_path: Path) -> None:
        remote = make()
        assert remote.name == make().name
        assert remote.identity == make().identity
        assert self.run(lambda: remote, lambda remote: _upload(remote, b"data", tmp_path)) == (True, 4)
        assert self.run(lambda: remote, lambda remote: _upload(remote, b"data", tmp_path))[0] is False


_ABSENT = digest_bytes(b"never uploaded")


async def _upload(remote: Remote, data: bytes, directory: Path, digest: str | None = None) -> tuple[bool, int]:
    """Upload bytes: whether they are new, and how many need not be sent again."""
    digest = digest_bytes(data) if digest is None else digest
    source = directory / f"source-{digest_bytes(data)}"
    source.write_bytes(data)
    sent: list[int] = []
    new = await Retry()(lambda: remote.upload(digest, source, sent.append))  # as all callers do
    assert sent == sorted(sent)
    return new, max(sent, default=0)


async def _read(remote: Remote, digest: str, start: int = 0, stop: int | None = None) -> tuple[bytes, int]:
    """Some bytes of an object, and its size."""

    async def once() -> tuple[bytes, int]:
        async with remote.read(digest, start, stop) as body:
            return b"".join([data async for data in body]), body.size

    return await Retry()(once)


def broken_connection(remote: str = "memory://remote") -> RemoteUnreachableError:
    """The error of a remote whose connection broke."""
    return RemoteUnreachableError(remote, "the connection broke")
