"""Transfers move exactly the objects of artifacts, once and verified; no failure leaves anything incomplete."""

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_cache.errors import CorruptObjectError, TreeError
from pivot_cache.formats.tree import Tree
from pivot_cache.layout import Layout
from pivot_cache.objects.store import ObjectStore
from pivot_cache.remotes.options import Retry
from pivot_cache.remotes.partial_file import STALE_S, open_partial, sweep
from pivot_cache.remotes.protocol import (
    RemoteCorruptError,
    RemoteDeniedError,
    RemoteError,
    RemoteNotFoundError,
    RemoteThrottledError,
    RemoteUnreachableError,
)
from pivot_cache.remotes.transfer import (
    IncompleteTreeError,
    TransferCounts,
    TransferResult,
    TransferSettings,
    absent,
    fetch,
    objects_of,
    push,
)
from pivot_cache.state.known_objects import LIFETIME_S, KnownObjects
from pivot_cache.testing.remote_contract import Fault, MemoryRemote
from pivot_core.files.digest import digest_bytes
from pivot_core.lock import Artifact

URL = "memory://remote"


async def at_once(seconds: float) -> None:
    await asyncio.sleep(0)


RETRY = Retry(attempts=4, sleep=at_once)
OPTIONS = TransferSettings(retry=RETRY, jobs=4, part=1000)


@pytest.fixture
def other(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "other" / "files")


@pytest.fixture
def remote() -> MemoryRemote:
    return MemoryRemote(URL, chunk=100)


@pytest.fixture
def known(tmp_path: Path) -> KnownObjects:
    return KnownObjects(tmp_path / "remotes.sqlite")


def file(store: ObjectStore, data: bytes) -> Artifact:
    return Artifact(store.put_bytes(data), len(data))


def directory(store: ObjectStore, *contents: bytes) -> Artifact:
    tree = Tree({f"file-{number}": file(store, data) for number, data in enumerate(contents)})
    store.put_bytes(tree.dumps())
    return tree.artifact()


def uploads(remote: MemoryRemote) -> list[str | None]:
    return [digest for method, digest in remote.calls if method == "upload"]


def reads(remote: MemoryRemote) -> list[str | None]:
    return [digest for method, digest in remote.calls if method == "read"]


def names(store: ObjectStore) -> set[str]:
    return set(store.digests())


def broken() -> RemoteUnreachableError:
    return RemoteUnreachableError(URL, "the connection broke")


def test_everything_and_nothing_else_is_moved_both_ways(
    store: ObjectStore, other: ObjectStore, remote: MemoryRemote
) -> None:
    artifacts = [file(store, b"one"), directory(store, b"two", b"three", b"one"), file(store, b"")]
    wanted = names(store)
    file(store, b"not referenced")

    pushed = push(artifacts, store, remote, OPTIONS)
    fetched = fetch(artifacts, other, remote, OPTIONS)

    assert pushed == TransferResult(transferred=frozenset(wanted))
    assert fetched == TransferResult(transferred=frozenset(wanted))
    assert remote.objects.keys() == names(other) == wanted
    assert all(map(other.has_all, artifacts))
    assert oct(other.path_of(artifacts[0].digest).stat().st_mode)[-3:] == "444"
    assert {path.name for path in (other.directory.parent).iterdir()} == {"files"}


def test_listings_go_after_their_files_and_come_before(
    store: ObjectStore, other: ObjectStore, remote: MemoryRemote
) -> None:
    tree = directory(store, *(b"%d" % number for number in range(30)))

    push([tree], store, remote, OPTIONS)
    fetch([tree], other, remote, OPTIONS)

    assert uploads(remote)[-1] == reads(remote)[0] == tree.digest


def test_present_objects_are_not_transferred_again(
    store: ObjectStore, other: ObjectStore, remote: MemoryRemote
) -> None:
    artifacts = [file(store, b"one"), file(store, b"two")]
    push(artifacts[:1], store, remote, OPTIONS)

    outcome = push(artifacts, store, remote, OPTIONS)
    assert outcome == TransferResult(
        transferred=frozenset({artifacts[1].digest}), present=frozenset({artifacts[0].digest})
    )
    assert sorted(map(str, uploads(remote))) == sorted(artifact.digest for artifact in artifacts)

    fetch(artifacts[:1], other, remote, OPTIONS)
    assert fetch(artifacts, other, remote, OPTIONS).present == {artifacts[0].digest}
    calls = len(remote.calls)
    assert fetch(artifacts, other, remote, OPTIONS).present == {artifact.digest for artifact in artifacts}
    assert len(remote.calls) == calls


def test_a_second_push_asks_nothing(store: ObjectStore, remote: MemoryRemote, known: KnownObjects) -> None:
    options = TransferSettings(retry=RETRY, known=known)
    artifacts = [file(store, b"one"), directory(store, b"two", b"three")]
    first = push(artifacts, store, remote, options)
    calls = len(remote.calls)

    outcome = push(artifacts, store, remote, options)

    assert len(remote.calls) == calls
    assert outcome.present == first.transferred
    assert absent(artifacts, store, remote, options) == {}
    assert len(remote.calls) == calls


def test_a_refresh_asks_about_everything(store: ObjectStore, remote: MemoryRemote, known: KnownObjects) -> None:
    options = TransferSettings(retry=RETRY, known=known)
    artifacts = [file(store, b"one"), directory(store, b"two", b"three")]
    push(artifacts, store, remote, options)
    remote.objects.clear()

    assert push(artifacts, store, remote, options).transferred == set()
    again = push(artifacts, store, remote, TransferSettings(retry=RETRY, known=known, refresh=True))
    assert again.transferred == names(store)


def test_knowledge_is_healed_by_what_the_remote_says(
    store: ObjectStore, other: ObjectStore, remote: MemoryRemote, known: KnownObjects
) -> None:
    options = TransferSettings(retry=RETRY, known=known)
    artifacts = [file(store, b"one"), directory(store, b"two", b"three")]
    push(artifacts, store, remote, options)
    lost = digest_bytes(b"two")
    del remote.objects[lost]

    assert fetch(artifacts, other, remote, options).missing == {lost}
    assert push(artifacts, store, remote, options).transferred == {lost}


def test_knowledge_expires_although_it_is_used(store: ObjectStore, remote: MemoryRemote, tmp_path: Path) -> None:
    now = 1e6
    known = KnownObjects(tmp_path / "remotes.sqlite", clock=lambda: now)
    options = TransferSettings(retry=RETRY, known=known)
    tree = directory(store, b"two", b"three")
    push([tree], store, remote, options)
    now += LIFETIME_S - 10
    push([tree, file(store, b"new")], store, remote, options)
    now += 20
    calls = len(remote.calls)

    push([tree], store, remote, options)

    assert remote.calls[calls:] == [("exists", None)]


def test_objects_in_neither_place_are_missing(store: ObjectStore, other: ObjectStore, remote: MemoryRemote) -> None:
    here, gone = file(store, b"here"), Artifact(digest_bytes(b"gone"), 4)
    tree = directory(store, b"here", b"lost")
    store.path_of(digest_bytes(b"lost")).unlink()

    would = push([here, gone, tree], store, remote, attrs.evolve(OPTIONS, dry_run=True))
    pushed = push([here, gone, tree], store, remote, OPTIONS)
    assert (would.transferred, would.missing, would.failed.keys()) == (
        pushed.transferred,
        pushed.missing,
        pushed.failed.keys(),
    )
    assert pushed.transferred == {here.digest}
    assert pushed.missing == {gone.digest, digest_bytes(b"lost")}
    assert pushed.failed.keys() == {tree.digest}
    assert isinstance(pushed.failed[tree.digest], IncompleteTreeError)

    fetched = fetch([here, gone, tree], other, remote, OPTIONS)
    assert fetched == TransferResult(
        transferred=frozenset({here.digest}), missing=frozenset({gone.digest, tree.digest})
    )


def test_a_listing_that_is_not_here_may_be_there(store: ObjectStore, other: ObjectStore, remote: MemoryRemote) -> None:
    tree = directory(store, b"one")
    push([tree], store, remote, OPTIONS)

    assert push([tree], other, remote, OPTIONS) == TransferResult(present=frozenset({tree.digest}))


def test_absent_says_what_the_remote_lacks_of_what(store: ObjectStore, remote: MemoryRemote) -> None:
    one, tree, new = file(store, b"one"), directory(store, b"two", b"three"), file(store, b"new")
    push([one, tree], store, remote, OPTIONS)
    lost = digest_bytes(b"two")
    del remote.objects[lost]

    assert absent([one, tree, new], store, remote, OPTIONS) == {tree: {lost}, new: {new.digest}}
    assert [method for method, _ in remote.calls].count("exists") == 2


def test_a_dry_run_moves_nothing(
    store: ObjectStore, other: ObjectStore, remote: MemoryRemote, known: KnownObjects
) -> None:
    options = TransferSettings(retry=RETRY, dry_run=True, known=known)
    artifacts = [file(store, b"one"), directory(store, b"two"), Artifact(digest_bytes(b"gone"), 4)]
    wanted = names(store)

    assert push(artifacts, store, remote, options).transferred == wanted
    assert remote.objects == {}

    push(artifacts, store, remote, OPTIONS)
    outcome = fetch(artifacts, other, remote, options)
    assert outcome.transferred == wanted
    assert outcome.missing == {artifacts[2].digest}
    assert names(other) == {artifacts[1].digest}


@pytest.mark.parametrize("error", [RemoteThrottledError(URL, "busy"), broken()])
@pytest.mark.parametrize("method", ["exists", "upload", "read"])
def test_transient_errors_are_retried(
    store: ObjectStore, other: ObjectStore, remote: MemoryRemote, method: str, error: RemoteError
) -> None:
    artifacts = [file(store, b"%d" % number) for number in range(10)]
    remote.faults.append(Fault(method, error, times=2))

    assert len(push(artifacts, store, remote, OPTIONS).transferred) == 10
    assert len(fetch(artifacts, other, remote, OPTIONS).transferred) == 10


@pytest.mark.parametrize("error", [RemoteDeniedError(URL, "access denied"), RemoteNotFoundError(URL, "no such bucket")])
@pytest.mark.parametrize("method", ["exists", "upload", "read"])
def test_a_remote_that_refuses_is_asked_no_further(
    store: ObjectStore, other: ObjectStore, remote: MemoryRemote, method: str, error: RemoteError
) -> None:
    artifacts = [file(store, b"%d" % number) for number in range(50)]
    if method == "read":
        push(artifacts, store, remote, OPTIONS)
    remote.calls.clear()
    remote.faults.append(Fault(method, error, times=1000))

    outcome = (fetch if method == "read" else push)(artifacts, other if method == "read" else store, remote, OPTIONS)

    assert outcome.stopped is error
    assert outcome.failed == dict.fromkeys([artifact.digest for artifact in artifacts], error)
    assert len(remote.calls) <= 1 + OPTIONS.jobs


def test_a_remote_that_stays_out_of_reach_stops_the_transfer(store: ObjectStore, remote: MemoryRemote) -> None:
    artifacts = [file(store, b"%d" % number) for number in range(50)]
    remote.faults.append(Fault("upload", broken(), skip=10, times=1000))

    outcome = push(artifacts, store, remote, OPTIONS)

    assert isinstance(outcome.stopped, RemoteUnreachableError)
    assert outcome.transferred == remote.objects.keys()
    assert len(outcome.transferred) == 10
    assert len(outcome.failed) == 40
    remote.faults.clear()
    assert len(push(artifacts, store, remote, OPTIONS).transferred) == 40


@pytest.mark.parametrize("size", [1, 500, 1000, 1001, 5432])
def test_a_connection_that_breaks_in_mid_body_is_taken_up_where_it_broke(
    store: ObjectStore, other: ObjectStore, remote: MemoryRemote, size: int
) -> None:
    artifact = file(store, bytes(number % 251 for number in range(size)))
    push([artifact], store, remote, OPTIONS)
    remote.faults.append(Fault("read", broken(), after=size // 3, times=2))
    remote.faults.append(Fault("read", after=0))  # ends without an error

    assert fetch([artifact], other, remote, OPTIONS) == TransferResult(transferred=frozenset({artifact.digest}))
    assert other.has_all(artifact)


def test_a_broken_listing_arrives_too(store: ObjectStore, other: ObjectStore, remote: MemoryRemote) -> None:
    tree = directory(store, *(b"%d" % number for number in range(100)))
    push([tree], store, remote, OPTIONS)
    remote.faults.append(Fault("read", broken(), after=1234, digest=tree.digest, times=2))
    seen: list[TransferCounts] = []

    fetch([tree], other, remote, TransferSettings(retry=RETRY, progress=seen.append))

    assert other.has_all(tree)
    assert (seen[-1].objects, seen[-1].of_objects) == (101, 101)
    assert seen[-1].bytes == seen[-1].of_bytes == len(store.tree(tree).dumps()) + tree.size


@pytest.mark.parametrize("size", [10, 1000, 3456])
@pytest.mark.parametrize("how", ["other bytes", "too short", "too long", "on the way"])
def test_wrong_bytes_never_enter_and_are_not_asked_for_again(
    store: ObjectStore, other: ObjectStore, remote: MemoryRemote, size: int, how: str
) -> None:
    artifact, good = file(store, b"x" * size), file(store, b"good")
    push([artifact, good], store, remote, OPTIONS)
    match how:
        case "other bytes":
            remote.objects[artifact.digest] = b"y" + b"x" * (size - 1)
        case "too short":
            remote.objects[artifact.digest] = b"x" * (size - 1)
        case "too long":
            remote.objects[artifact.digest] = b"x" * (size + 1)
        case _:
            remote.faults.append(Fault("read", digest=artifact.digest, after=5, garble=True))

    outcome = fetch([artifact, good], other, remote, OPTIONS)

    assert isinstance(outcome.failed[artifact.digest], RemoteCorruptError)
    assert outcome.stopped is None
    assert names(other) == outcome.transferred == {good.digest}
    assert len(reads(remote)) <= 1 + max(1, -(-size // 1000))


def test_a_size_that_no_object_has_costs_nothing(store: ObjectStore, other: ObjectStore, remote: MemoryRemote) -> None:
    truth = file(store, b"one")
    lie = Artifact(truth.digest, 1 << 62)
    assert push([lie], store, remote, OPTIONS).missing == {truth.digest}
    push([truth], store, remote, OPTIONS)

    assert isinstance(fetch([lie], other, remote, OPTIONS).failed[lie.digest], RemoteCorruptError)


def test_an_endless_body_is_cut(store: ObjectStore, other: ObjectStore, remote: MemoryRemote) -> None:
    tree = directory(store, b"one")
    push([tree], store, remote, OPTIONS)
    remote.objects[tree.digest] += b" " * 10_000

    assert isinstance(fetch([tree], other, remote, OPTIONS).failed[tree.digest], RemoteCorruptError)
    assert names(other) == set()


def test_a_damaged_object_is_not_pushed(store: ObjectStore, remote: MemoryRemote) -> None:
    bad, good = file(store, b"some content"), file(store, b"good")
    path = store.path_of(bad.digest)
    status = path.stat()
    path.chmod(0o644)
    path.write_bytes(b"SOME content")
    path.chmod(0o444)
    os.utime(path, ns=(status.st_mtime_ns, status.st_mtime_ns))

    outcome = push([bad, good], store, remote, OPTIONS)

    assert isinstance(outcome.failed[bad.digest], CorruptObjectError)
    assert remote.objects.keys() == {good.digest}
    assert names(store) == {good.digest}, "so that it is computed again"


def test_an_invalid_listing_fails_alone(store: ObjectStore, other: ObjectStore, remote: MemoryRemote) -> None:
    text, good = file(store, b"just a file"), file(store, b"good")
    tree = Artifact(text.digest, 5, tree=True)

    assert isinstance(push([tree, good], store, remote, OPTIONS).failed[tree.digest], TreeError)
    push([text], store, remote, OPTIONS)
    outcome = fetch([tree, good], other, remote, OPTIONS)
    assert outcome.transferred == {good.digest}
    assert isinstance(outcome.failed[tree.digest], TreeError)


def test_jobs_bound_what_happens_at_once(store: ObjectStore, other: ObjectStore, remote: MemoryRemote) -> None:
    artifacts = [file(store, b"%d" % number) for number in range(60)]
    artifacts += [file(store, b"%d" % number * 3000) for number in range(3)]

    push(artifacts, store, remote, OPTIONS)
    assert remote.busiest == 4
    remote.busiest = 0
    fetch(artifacts, other, remote, OPTIONS)
    assert remote.busiest == 4


def test_progress_ends_where_it_said(store: ObjectStore, other: ObjectStore, remote: MemoryRemote) -> None:
    artifacts = [file(store, b"x" * size) for size in (0, 5, 999, 2500)]
    remote.faults += [Fault("upload", broken()), Fault("read", broken(), after=300, times=2)]
    seen: list[TransferCounts] = []
    options = TransferSettings(retry=RETRY, jobs=2, part=1000, progress=seen.append)

    push(artifacts, store, remote, options)
    assert seen[-1] == TransferCounts(4, 4, 3504, 3504)
    seen.clear()
    fetch(artifacts, other, remote, options)
    assert seen[-1] == TransferCounts(4, 4, 3504, 3504)


def interrupted_fetch(artifact: Artifact, other: ObjectStore, remote: MemoryRemote, *, after: int) -> None:
    remote.faults = [Fault("read", RemoteDeniedError(URL, "expired"), skip=after, times=1000)]
    fetch([artifact], other, remote, TransferSettings(retry=RETRY, jobs=1, part=1000))
    remote.faults = []
    remote.calls.clear()


def test_parts_that_have_arrived_are_not_fetched_again(
    store: ObjectStore, other: ObjectStore, remote: MemoryRemote
) -> None:
    artifact = file(store, bytes(number % 251 for number in range(9500)))
    push([artifact], store, remote, OPTIONS)
    interrupted_fetch(artifact, other, remote, after=6)
    seen: list[TransferCounts] = []

    outcome = fetch([artifact], other, remote, TransferSettings(retry=RETRY, jobs=4, part=1000, progress=seen.append))

    assert outcome.transferred == {artifact.digest}
    assert len(reads(remote)) == 4
    assert seen[-1] == TransferCounts(1, 1, 9500, 9500)
    assert list((other.directory.parent / "partial").iterdir()) == []


@pytest.mark.parametrize("damage", ["bytes", "journal", "size", "pipe"])
def test_damaged_leftovers_cost_time_only(
    store: ObjectStore, other: ObjectStore, remote: MemoryRemote, damage: str
) -> None:
    artifact = file(store, bytes(number % 251 for number in range(9500)))
    push([artifact], store, remote, OPTIONS)
    interrupted_fetch(artifact, other, remote, after=6)
    path = other.directory.parent / "partial" / artifact.digest
    match damage:
        case "bytes":
            path.write_bytes(bytes(9500))
        case "journal":
            path.with_name(f"{path.name}.parts").write_bytes(b"9500 1000\nx\n77\n\xff\n%s\n1\n2" % (b"9" * 5000))
        case "pipe":
            path.with_name(f"{path.name}.parts").unlink()
            os.mkfifo(path.with_name(f"{path.name}.parts"))
        case _:
            path.write_bytes(b"")

    assert fetch([artifact], other, remote, OPTIONS).transferred == {artifact.digest}
    assert other.has_all(artifact)


def test_two_that_fetch_the_same_do_not_mix(store: ObjectStore, other: ObjectStore, remote: MemoryRemote) -> None:
    artifact = file(store, bytes(number % 251 for number in range(9500)))
    push([artifact], store, remote, OPTIONS)
    partials = other.directory.parent / "partial"

    with open_partial(partials, artifact.digest, artifact.size, 1000) as first:
        assert first is not None
        assert fetch([artifact], other, remote, OPTIONS).transferred == {artifact.digest}
        os.utime(partials / f"{artifact.digest}.parts", (0, 0))
        sweep(partials)
        assert first.path.exists()
    assert list(partials.iterdir()) == []


def test_old_leftovers_are_swept(store: ObjectStore, other: ObjectStore, remote: MemoryRemote) -> None:
    artifact = file(store, bytes(number % 251 for number in range(9500)))
    push([artifact], store, remote, OPTIONS)
    interrupted_fetch(artifact, other, remote, after=6)
    partials = other.directory.parent / "partial"

    sweep(partials)
    assert len(list(partials.iterdir())) == 2
    journal = partials / f"{artifact.digest}.parts"
    os.utime(journal, (journal.stat().st_mtime - STALE_S - 9,) * 2)
    fetch([file(store, b"new")], other, remote, OPTIONS)
    assert list(partials.iterdir()) == []
    sweep(partials / "absent")


def test_interrupted_transfer_remembers_what_was_sent(
    store: ObjectStore, remote: MemoryRemote, known: KnownObjects
) -> None:
    artifacts = [file(store, b"%d" % number) for number in range(20)]

    def interrupt(progress: TransferCounts) -> None:
        if progress.objects == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        push(artifacts, store, remote, TransferSettings(retry=RETRY, jobs=1, known=known, progress=interrupt))

    assert known.among(remote.identity, [artifact.digest for artifact in artifacts]) == remote.objects.keys()
    assert len(remote.objects) == 7
    assert len(push(artifacts, store, remote, TransferSettings(retry=RETRY, known=known)).transferred) == 13


def test_objects_are_where_the_layout_says(store: ObjectStore, other: ObjectStore, remote: MemoryRemote) -> None:
    layout = Layout(Path("/p"))
    assert layout.remotes_file == Path("/p/.pivot/state.db/remotes.sqlite")
    assert layout.uploads_dir == Path("/p/.pivot/state.db/uploads")
    assert layout.partial_dir.parent == layout.objects_dir.parent

    artifact = file(store, b"x" * 9500)
    push([artifact], store, remote, OPTIONS)
    interrupted_fetch(artifact, other, remote, after=6)
    assert (other.directory.parent / layout.partial_dir.name / artifact.digest).exists()


contents = st.binary(max_size=3)
artifacts_of = st.lists(st.one_of(contents, st.lists(contents, max_size=4)), max_size=6)


def make(store: ObjectStore, specs: Iterable[bytes | list[bytes]]) -> list[Artifact]:
    return [directory(store, *spec) if isinstance(spec, list) else file(store, spec) for spec in specs]


@given(artifacts_of, artifacts_of, st.sets(contents, max_size=3), st.booleans())
def test_any_push_and_fetch_move_the_difference(
    tmp_path_factory: pytest.TempPathFactory,
    before: list[bytes | list[bytes]],
    after: list[bytes | list[bytes]],
    lost: set[bytes],
    remember: bool,
) -> None:
    place = tmp_path_factory.mktemp("transfer")
    store, other = ObjectStore(place / "store" / "files"), ObjectStore(place / "other" / "files")
    remote = MemoryRemote()
    options = TransferSettings(retry=RETRY, known=KnownObjects(place / "known.sqlite") if remember else None)
    push(make(store, before), store, remote, options)
    there = set(remote.objects)
    artifacts = make(store, after)
    wanted = objects_of(artifacts, store)
    for data in lost:
        store.path_of(digest_bytes(data)).unlink(missing_ok=True)
    gone = {digest for digest in wanted.sizes if not store.verified(digest)}

    outcome = push(artifacts, store, remote, options)

    kinds = [outcome.transferred, outcome.present, outcome.missing, outcome.failed.keys()]
    assert sum(map(len, kinds)) == len(frozenset().union(*kinds))
    assert outcome.transferred == remote.objects.keys() - there
    assert outcome.present <= there
    assert outcome.missing == gone - there
    blocked = {digest for digest, files in wanted.listings.items() if files is None or files & (gone - there)}
    assert outcome.failed.keys() == blocked - there - gone
    for digest, files in wanted.listings.items():
        assert digest not in outcome.transferred or (files is not None and files <= remote.objects.keys())

    fetched = fetch(artifacts, other, remote, options)
    assert fetched.transferred == names(other)
    assert fetched.missing.isdisjoint(remote.objects)
    assert fetched.failed == {}
    assert fetched.stopped is None


@pytest.mark.parametrize("left", [b"", b"short"])
def test_a_truncated_remote_object_counts_as_missing_and_is_pushed_again(
    store: ObjectStore, remote: MemoryRemote, known: KnownObjects, left: bytes
) -> None:
    artifacts = [file(store, b"long enough"), directory(store, b"two", b"three")]
    push(artifacts, store, remote, TransferSettings(retry=RETRY))
    whole = dict(remote.objects)
    for digest in whole:
        remote.objects[digest] = left[: len(whole[digest]) - 1]

    options = TransferSettings(retry=RETRY, known=known)
    assert set(absent(artifacts, store, remote, options)) == {artifacts[0], artifacts[1]}
    outcome = push(artifacts, store, remote, options)
    assert outcome.transferred == whole.keys()
    assert remote.objects == whole


@pytest.mark.parametrize("damage", [None, b"other"])
def test_a_damaged_remote_object_makes_the_next_push_ask_about_everything(
    store: ObjectStore, other: ObjectStore, remote: MemoryRemote, known: KnownObjects, damage: bytes | None
) -> None:
    artifacts = [file(store, b"large"), file(store, b"gone too")]
    options = TransferSettings(retry=RETRY, known=known)
    push(artifacts, store, remote, options)
    if damage is None:
        del remote.objects[artifacts[0].digest]
    else:
        remote.objects[artifacts[0].digest] = damage
    fetch(artifacts[:1], other, remote, options)
    remote.objects.clear()

    assert push(artifacts, store, remote, options).transferred == {artifact.digest for artifact in artifacts}


def test_the_file_of_a_new_download_is_never_cut_to_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some file systems write such a file to the disk when it is closed, which takes as long as the download."""
    cut: list[int] = []
    truncate = os.ftruncate

    def note(descriptor: int, size: int) -> None:
        cut.append(size)
        truncate(descriptor, size)

    monkeypatch.setattr(os, "ftruncate", note)

    with open_partial(tmp_path, "a" * 32, 25, 10) as found:
        assert found is not None

    assert cut == [25]
