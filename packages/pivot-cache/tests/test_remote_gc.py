"""Garbage collection of a remote: what is needed or young stays, and no listing is left without its files."""

import asyncio
from pathlib import Path

import pytest

from pivot_cache import ObjectStore
from pivot_cache.errors import CacheError
from pivot_cache.formats.tree import Tree
from pivot_cache.remotes import gc
from pivot_cache.remotes.options import Retry, TransferSettings
from pivot_cache.remotes.protocol import RemoteDeniedError, RemoteError
from pivot_cache.state.known_objects import KnownObjects
from pivot_cache.testing.remote_contract import Fault, MemoryRemote, broken_connection
from pivot_core.files.digest import digest_bytes
from pivot_core.lock import Artifact

NOW = 1000.0


async def at_once(_: float) -> None:
    await asyncio.sleep(0)


SETTINGS = TransferSettings(retry=Retry(sleep=at_once))


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "files")


def put(remote: MemoryRemote, data: bytes, at: float = 0.0) -> str:
    digest = digest_bytes(data)
    remote.objects[digest], remote.uploaded[digest] = data, at
    return digest


def put_tree(remote: MemoryRemote, *contents: bytes, at: float = 0.0) -> tuple[str, list[str]]:
    """The listing is as old as said; its files are old."""
    files = [put(remote, data) for data in contents]
    tree = Tree({digest: Artifact(digest, len(data)) for digest, data in zip(files, contents, strict=True)})
    return put(remote, tree.dumps(), at), files


def planned(remote: MemoryRemote, store: ObjectStore, *needed: str) -> gc.RemotePlan:
    return gc.plan(set(needed), remote, store, SETTINGS, before_s=NOW)


def test_what_is_needed_or_young_stays(store: ObjectStore) -> None:
    remote = MemoryRemote()
    needed, old, young = put(remote, b"needed"), put(remote, b"old"), put(remote, b"young", NOW)
    found = planned(remote, store, needed, "f" * 32)
    assert (found.delete, found.size, found.needed, found.young) == ({old: 3}, 3, 1, 1)

    done = gc.delete(found, remote, SETTINGS)
    assert (done.deleted, done.failed) == ({old}, {})
    assert remote.objects.keys() == {needed, young}
    assert gc.delete(found.only(()), remote, SETTINGS).deleted == set()


@pytest.mark.parametrize("here", [True, False])
def test_files_of_young_directories_stay(store: ObjectStore, *, here: bool) -> None:
    """A directory that was just pushed may consist of files that were there for long."""
    remote = MemoryRemote()
    listing, files = put_tree(remote, b"a", b"b", at=NOW)
    other = put(remote, b"c")
    put(remote, b'{"algorithm":"xxh3-128","empty":[ a file of the user', NOW)
    if here:
        store.put_bytes(remote.objects[listing])
    assert planned(remote, store).delete == {other: 1}
    assert planned(remote, store, listing).delete.keys() == {other, *files}, "the caller names what a listing needs"


def test_listings_go_first_and_alone_if_one_cannot_be_deleted(store: ObjectStore, tmp_path: Path) -> None:
    remote = MemoryRemote()
    listing, files = put_tree(remote, b"a", b"b")
    found = planned(remote, store)
    assert found.listings == {listing}
    remote.faults.append(Fault("delete", RemoteDeniedError("memory://remote", "no"), digest=listing))
    done = gc.delete(found, remote, SETTINGS)
    assert (done.deleted, set(done.failed)) == (set(), {listing})

    known = KnownObjects(tmp_path / "known")
    known.add(remote.identity, [listing, *files])
    settings = TransferSettings(retry=Retry(sleep=at_once), known=known)
    remote.calls.clear()
    remote.faults.append(Fault("delete", broken_connection(), times=2))
    gc.delete(found, remote, settings)
    assert {digest for method, digest in remote.calls[:3] if method == "delete"} == {listing}
    assert not remote.objects
    assert not known.among(remote.identity, [listing, *files])


def test_a_damaged_listing_stops_the_plan(store: ObjectStore) -> None:
    remote = MemoryRemote()
    listing, _ = put_tree(remote, b"a", at=NOW)
    remote.objects[listing] += b" "
    with pytest.raises(RemoteError, match="is corrupt"):
        planned(remote, store)


def test_a_remote_without_ages_cannot_be_collected(store: ObjectStore) -> None:
    class Plain(MemoryRemote):
        listed = None  # type: ignore[assignment]

    with pytest.raises(CacheError, match="cannot list its objects with their ages"):
        planned(Plain(), store)
