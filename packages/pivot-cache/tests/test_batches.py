"""Small objects move in batches if the remote offers that; what a batch leaves has the same outcome as without one."""

import asyncio
import os
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pivot_cache.errors import CacheError, CorruptObjectError
from pivot_cache.objects.store import ObjectStore
from pivot_cache.remotes import batches
from pivot_cache.remotes.options import Retry
from pivot_cache.remotes.protocol import RemoteCorruptError, RemoteDeniedError, RemoteForgedError
from pivot_cache.remotes.transfer import TransferCounts, TransferSettings, fetch, push
from pivot_cache.testing.remote_contract import Fault, MemoryRemote, broken_connection
from pivot_core.files.digest import digest_bytes
from pivot_core.lock import Artifact


class BatchingRemote(MemoryRemote):
    """A remote in memory that moves batches.

    Attributes:
        most: The most objects that it handles of one.
    """

    def __init__(self, most: int = 100) -> None:
        super().__init__()
        self.most = most

    async def upload_batch(self, sources: Mapping[str, str]) -> Mapping[str, bool | None]:
        await self._strike("upload_batch")
        outcome: dict[str, bool | None] = {}
        for digest, source in list(sources.items())[: self.most]:
            data = Path(source).read_bytes()  # noqa: ASYNC240 - takes no time
            outcome[digest] = None if digest_bytes(data) != digest else digest not in self.objects
            if outcome[digest]:
                self.objects[digest] = data
        return outcome

    async def read_batch(self, sizes: Mapping[str, int]) -> Mapping[str, bytes | None]:
        await self._strike("read_batch")
        found = {digest: self.objects.get(digest) for digest in list(sizes)[: self.most]}
        return {digest: data if data is None or len(data) == sizes[digest] else None for digest, data in found.items()}

    async def _strike(self, method: str) -> None:
        with self._call(method) as fault:
            await asyncio.sleep(0)
            if fault is not None and fault.error is not None:
                raise fault.error


async def at_once(_: float) -> None:
    await asyncio.sleep(0)


OPTIONS = TransferSettings(retry=Retry(attempts=2, sleep=at_once), jobs=3, part=1000)


@pytest.fixture
def other(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "other" / "files")


def files(store: ObjectStore, number: int) -> list[Artifact]:
    return [Artifact(store.put_bytes(data), len(data)) for data in (b"%d" % each for each in range(number))]


def methods(remote: MemoryRemote) -> list[str]:
    return [method for method, _ in remote.calls if method != "exists"]


def test_batches_move_everything_and_nothing_is_moved_alone(
    store: ObjectStore, other: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "MOST", 64)
    remote, artifacts = BatchingRemote(), files(store, 150)
    counts: list[TransferCounts] = []
    options = TransferSettings(jobs=3, progress=counts.append)

    assert len(push(artifacts, store, remote, options).transferred) == 150
    assert set(methods(remote)) == {"upload_batch"}
    sent = len(methods(remote))
    assert (counts[-1].objects, counts[-1].bytes) == (counts[-1].of_objects, counts[-1].of_bytes) == (150, 340)
    assert len(fetch(artifacts, other, remote, options).transferred) == 150
    assert set(methods(remote)[sent:]) == {"read_batch"}
    assert (counts[-1].objects, counts[-1].bytes) == (counts[-1].of_objects, counts[-1].of_bytes) == (150, 340)
    assert all(map(other.has_all, artifacts))
    assert {path.name for path in other.directory.parent.iterdir()} == {"files"}


def test_a_remote_may_handle_less(store: ObjectStore, other: ObjectStore) -> None:
    remote, artifacts = BatchingRemote(most=7), files(store, 50)

    assert len(push(artifacts, store, remote, OPTIONS).transferred) == 50
    assert len(fetch(artifacts, other, remote, OPTIONS).transferred) == 50


def test_single_and_large_objects_move_alone(store: ObjectStore, other: ObjectStore) -> None:
    remote, large = BatchingRemote(), store.put_bytes(b"x" * (batches.SMALL + 1))
    artifacts = [*files(store, 1), Artifact(large, batches.SMALL + 1)]

    push(artifacts, store, remote, OPTIONS)
    fetch(artifacts, other, remote, OPTIONS)

    assert "upload_batch" not in methods(remote)
    assert "read_batch" not in methods(remote)
    assert all(map(other.has_all, artifacts))


def test_damaged_and_missing_objects_fail_alone(store: ObjectStore, other: ObjectStore) -> None:
    remote, artifacts = BatchingRemote(), files(store, 6)
    damaged = artifacts[0].digest
    path = store.path_of(damaged)
    status = path.stat()
    path.chmod(0o644)
    path.write_bytes(b"?")
    os.utime(path, ns=(status.st_mtime_ns, status.st_mtime_ns))
    path.chmod(0o444)

    outcome = push(artifacts, store, remote, OPTIONS)
    assert isinstance(outcome.failed[damaged], CorruptObjectError)
    assert (store.quarantine_dir / damaged).exists()
    assert len(outcome.transferred) == 5

    wrong, lost, forged = (artifact.digest for artifact in artifacts[1:4])
    remote.objects[wrong] = b"!"
    del remote.objects[lost]
    wanted = [artifact for artifact in artifacts[1:] if artifact.digest != forged]
    outcome = fetch([*wanted, Artifact(forged, 1, sha256="0" * 64)], other, remote, OPTIONS)
    assert isinstance(outcome.failed[wrong], RemoteCorruptError)
    assert isinstance(outcome.failed[forged], RemoteForgedError)
    assert outcome.missing == {lost}
    assert len(outcome.transferred) == 2


@pytest.mark.parametrize("way", ["upload_batch", "read_batch"])
def test_errors_of_batches_are_retried_and_then_stop(store: ObjectStore, other: ObjectStore, way: str) -> None:
    remote, artifacts = BatchingRemote(), files(store, 200)
    if way == "read_batch":
        push(artifacts, store, remote, OPTIONS)

    def move(*faults: Fault) -> set[str]:
        remote.faults = list(faults)
        moved = push if way == "upload_batch" else fetch
        outcome = moved(artifacts, store if way == "upload_batch" else other, remote, OPTIONS)
        assert len(outcome.transferred | outcome.present | outcome.failed.keys()) == 200
        assert not (outcome.transferred | outcome.present) & outcome.failed.keys()
        assert (outcome.stopped is None) == (not outcome.failed)
        return {type(error).__name__ for error in outcome.failed.values()}

    assert move(Fault(way, RemoteDeniedError("x", "no"), skip=1, times=9)) == {"RemoteDeniedError"}
    assert move(Fault(way, broken_connection(), times=9)) == {"RemoteUnreachableError"}
    assert move(Fault(way, broken_connection())) == set()


def test_a_store_that_cannot_be_written_stops(store: ObjectStore, other: ObjectStore) -> None:
    remote, artifacts = BatchingRemote(), files(store, 5)
    push(artifacts, store, remote, OPTIONS)
    first, *_ = (artifact.digest for artifact in artifacts)
    other.directory.mkdir(parents=True)
    (other.directory / first[:2]).touch()

    outcome = fetch(artifacts, other, remote, OPTIONS)

    assert isinstance(outcome.stopped, CacheError)
    assert outcome.failed.keys() | outcome.transferred == {artifact.digest for artifact in artifacts}
    assert not outcome.failed.keys() & outcome.transferred


@given(st.dictionaries(st.text(), st.integers(0, batches.SMALL), max_size=200), st.integers(1, 9), st.integers(1, 70))
@settings(max_examples=20, deadline=None)
def test_each_object_is_handled_once(sizes: dict[str, int], jobs: int, most: int) -> None:
    handled: list[str] = []
    busy = [0, 0]

    async def handle(batch: Mapping[str, int]) -> Collection[str]:
        assert 0 < len(batch) <= batches.MOST
        assert sum(batch.values()) < batches.FULL + batches.SMALL
        busy[:] = busy[0] + 1, max(busy[0] + 1, busy[1])
        await asyncio.sleep(0)
        busy[0] -= 1
        done = list(batch)[:most]
        handled.extend(done)
        return done

    asyncio.run(batches.move(sizes, jobs, handle))

    assert sorted(handled) == sorted(sizes)
    assert busy[1] <= jobs


def test_a_slow_remote_gets_more_batches_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "SLOW_S", -1.0)
    busy = [0, 0]

    async def handle(batch: Mapping[str, int]) -> Collection[str]:
        busy[:] = busy[0] + 1, max(busy[0] + 1, busy[1])
        await asyncio.sleep(0)
        busy[0] -= 1
        return list(batch)[:1]

    asyncio.run(batches.move(dict.fromkeys(map(str, range(100)), 1), 5, handle))
    assert busy[1] == 5


def test_a_distant_remote_gets_all_batches_at_once_after_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "SLOW_S", -1.0)
    monkeypatch.setattr(batches, "DISTANT_S", -1.0)
    began: list[int] = []

    async def move() -> None:
        all_began = asyncio.Event()

        async def handle(batch: Mapping[str, int]) -> Collection[str]:
            began.append(len(batch))
            if len(began) == 1:
                return list(batch)[:10]
            if len(began) == 6:
                all_began.set()
            async with asyncio.timeout(30):
                await all_began.wait()
            return list(batch)

        await batches.move(dict.fromkeys(map(str, range(30)), 1), 5, handle)

    asyncio.run(move())
    assert began == [30, 4, 4, 4, 4, 4]
