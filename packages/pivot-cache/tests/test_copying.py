"""Objects of a remote that copies parts are copied, never read, and verified like any other."""

import asyncio
import os
from pathlib import Path

import pytest

from pivot_cache.formats.tree import Tree
from pivot_cache.objects.store import ObjectStore
from pivot_cache.remotes.options import Retry
from pivot_cache.remotes.protocol import RemoteCorruptError, RemoteNotFoundError, RemoteUnreachableError
from pivot_cache.remotes.transfer import TransferSettings, fetch, push
from pivot_cache.testing.remote_contract import MemoryRemote
from pivot_core.files.digest import digest_bytes
from pivot_core.lock import Artifact


class CopyingRemote(MemoryRemote):
    """A remote in memory that copies parts.

    Attributes:
        copied: The start and the size of each copy.
        failing: The starts of parts that cannot be copied.
    """

    def __init__(self) -> None:
        super().__init__()
        self.copied: list[tuple[int, int]] = []
        self.failing: set[int] = set()

    async def copy_part(self, digest: str, target: int, start: int = 0, stop: int | None = None) -> int:
        await asyncio.sleep(0)
        if digest not in self.objects:
            raise RemoteNotFoundError(self.name, "it is not there", digest=digest)
        if start in self.failing:
            raise RemoteUnreachableError(self.name, "the drive does not answer")
        part = self.objects[digest][start:stop]
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


def test_parts_that_were_copied_stay(other: ObjectStore) -> None:
    remote, data = CopyingRemote(), bytes(range(256)) * 10
    digest = digest_bytes(data)
    remote.objects[digest] = data
    remote.failing = {1000}
    assert isinstance(fetch([Artifact(digest, len(data))], other, remote, OPTIONS).stopped, RemoteUnreachableError)

    remote.failing, remote.copied = set(), []
    assert fetch([Artifact(digest, len(data))], other, remote, OPTIONS).transferred == {digest}
    assert (0, 1000) not in remote.copied


@pytest.mark.parametrize("size", [5, 2500])
@pytest.mark.parametrize("wrong", ["other", "longer", "shorter"])
def test_wrong_bytes_never_enter(other: ObjectStore, size: int, wrong: str) -> None:
    remote, data = CopyingRemote(), b"x" * size
    digest = digest_bytes(data)
    remote.objects[digest] = {"other": b"y" * size, "longer": data + b"x", "shorter": data[:-1]}[wrong]
    outcome = fetch([Artifact(digest, size)], other, remote, OPTIONS)
    assert isinstance(outcome.failed[digest], RemoteCorruptError)
    assert not {*other.digests()}
