"""Objects of a remote that copies parts are copied, never read, and verified like any other."""

import asyncio
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from pivot_cache.errors import CorruptObjectError
from pivot_cache.formats.tree import Tree
from pivot_cache.objects.store import ObjectStore
from pivot_cache.remotes.options import Retry
from pivot_cache.remotes.protocol import (
    RemoteCorruptError,
    RemoteForgedError,
    RemoteNotFoundError,
    RemoteUnreachableError,
)
from pivot_cache.remotes.transfer import TransferSettings, fetch, push
from pivot_cache.testing.remote_contract import MemoryRemote
from pivot_core.files.digest import digest_bytes
from pivot_core.lock import Artifact


class CopyingRemote(MemoryRemote):
    """A remote in memory that copies parts.

    Attributes:
        verified: The uploads that it verifies.
        copied: The start and the size of each copy.
        failing: The starts of parts that cannot be copied.
        breaking: The start of a part whose first copy ends in the middle.
    """

    def __init__(self) -> None:
        super().__init__()
        self.verified: list[str] = []
        self.copied: list[tuple[int, int]] = []
        self.failing: set[int] = set()
        self.breaking = -1

    async def upload_verified(self, digest: str, source: str) -> bool | None:
        self.verified.append(digest)
        if digest_bytes(await asyncio.to_thread(Path(source).read_bytes)) != digest:
            return None
        return await self.upload(digest, Path(source), lambda _: None)

    async def copy_part(
        self,
        digest: str,
        target: int,
        start: int = 0,
        stop: int | None = None,
        seen: Callable[[memoryview], object] | None = None,
    ) -> int:
        await asyncio.sleep(0)
        if digest not in self.objects:
            raise RemoteNotFoundError(self.name, "it is not there", digest=digest)
        if start in self.failing:
            raise RemoteUnreachableError(self.name, "the drive does not answer")
        part = self.objects[digest][start:stop]
        if start == self.breaking and seen is not None:
            self.breaking = -1
            seen(memoryview(part)[:100])
            raise RemoteUnreachableError(self.name, "the drive does not answer")
        if seen is not None:
            seen(memoryview(part))
        self.copied.append((start, os.pwrite(target, part, start)))
        return len(self.objects[digest])


async def at_once(_: float) -> None:
    await asyncio.sleep(0)


OPTIONS = TransferSettings(retry=Retry(attempts=2, sleep=at_once), jobs=2, part=1000)


@pytest.fixture
def other(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "other" / "files")


def test_objects_are_copied(store: ObjectStore, other: ObjectStore) -> None:
    remote = CopyingRemote()
    contents = [b"", b"small", bytes(range(256)) * 10]
    tree = Tree({f"{number}": Artifact(store.put_bytes(data), len(data)) for number, data in enumerate(contents)})
    store.put_bytes(tree.dumps())
    push([tree.artifact()], store, remote)

    assert len(fetch([tree.artifact()], other, remote, OPTIONS).transferred) == 4
    assert {*other.digests()} == {*store.digests()}
    assert {(0, 1000), (1000, 1000), (2000, 560)} <= {*remote.copied}
    assert "read" not in {method for method, _ in remote.calls}
    missing = Artifact(digest_bytes(b"-"), 1)
    assert fetch([missing], other, remote, OPTIONS).missing == {missing.digest}


def test_uploads_are_verified_on_the_way(store: ObjectStore) -> None:
    remote = CopyingRemote()
    good, damaged = (Artifact(store.put_bytes(data), len(data)) for data in (b"good", b"damaged"))
    path = store.path_of(damaged.digest)
    status = path.stat()
    path.chmod(0o644)
    path.write_bytes(b"DAMAGED")
    os.utime(path, ns=(status.st_mtime_ns, status.st_mtime_ns))
    path.chmod(0o444)

    outcome = push([good, damaged], store, remote, OPTIONS)

    assert sorted(remote.verified) == sorted([good.digest, damaged.digest])
    assert outcome.transferred == {good.digest}
    assert isinstance(outcome.failed[damaged.digest], CorruptObjectError)
    assert (store.quarantine_dir / damaged.digest).exists()
    assert push([good], store, remote, OPTIONS).present == {good.digest}


def test_parts_that_were_copied_stay(other: ObjectStore) -> None:
    remote, data = CopyingRemote(), bytes(range(256)) * 10
    digest = digest_bytes(data)
    remote.objects[digest] = data
    remote.failing = {1000}
    assert isinstance(fetch([Artifact(digest, len(data))], other, remote, OPTIONS).stopped, RemoteUnreachableError)

    remote.failing, remote.copied = set(), []
    assert fetch([Artifact(digest, len(data))], other, remote, OPTIONS).transferred == {digest}
    assert (0, 1000) not in remote.copied


def test_a_copy_that_fails_is_hashed_again(other: ObjectStore) -> None:
    remote, data = CopyingRemote(), bytes(range(256)) * 10
    digest = digest_bytes(data)
    remote.objects[digest] = data
    remote.breaking = 1000
    genuine = Artifact(digest, len(data), sha256=hashlib.sha256(data).hexdigest())

    forged = fetch([attrs.evolve(genuine, sha256="0" * 64)], other, remote, OPTIONS)
    assert isinstance(forged.failed[digest], RemoteForgedError)
    assert fetch([genuine], other, remote, OPTIONS).transferred == {digest}


@pytest.mark.parametrize("size", [5, 2500])
@pytest.mark.parametrize("wrong", ["other", "longer", "shorter"])
def test_wrong_bytes_never_enter(other: ObjectStore, size: int, wrong: str) -> None:
    remote, data = CopyingRemote(), b"x" * size
    digest = digest_bytes(data)
    remote.objects[digest] = {"other": b"y" * size, "longer": data + b"x", "shorter": data[:-1]}[wrong]
    outcome = fetch([Artifact(digest, size)], other, remote, OPTIONS)
    assert isinstance(outcome.failed[digest], RemoteCorruptError)
    assert not {*other.digests()}
