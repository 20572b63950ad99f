"""A check finds everything that is wrong, and nothing that is not."""

import os
from pathlib import Path

import pytest

from pivot_cache import ArtifactError, Hashed, ObjectStore
from pivot_cache.formats.tree import Tree
from pivot_cache.maintenance import fsck
from pivot_cache.maintenance.fsck import FsckReport, check
from pivot_cache.maintenance.gc import collect
from pivot_cache.maintenance.gc_plan import Cache, Retention
from pivot_cache.state.results import Results
from pivot_cache.state.run_cache import RunCache
from pivot_core.files.digest import digest_bytes
from pivot_core.lock import Artifact

LARGE = 1 << 18


def put(store: ObjectStore, content: bytes) -> Artifact:
    return Artifact(store.put_bytes(content), len(content))


def put_tree(store: ObjectStore, **contents: bytes) -> Artifact:
    tree = Tree({name: put(store, content) for name, content in contents.items()})
    store.put_bytes(tree.dumps())
    return tree.artifact()


def rewrite(store: ObjectStore, artifact: Artifact, content: bytes) -> Path:
    """Other bytes under the same name, with the same mode and mark."""
    path = store.path_of(artifact.digest)
    before = path.stat()
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(0o444)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    return path


def test_an_empty_store_is_good(store: ObjectStore) -> None:
    assert check(store) == FsckReport(0, 0, (), {}, {}, frozenset(), ())


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("jobs", [1, 4])
def test_a_good_store_is_good(store: ObjectStore, full: bool, jobs: int) -> None:
    artifacts = [
        put_tree(store, a=b"A", b=b"B"),
        put(store, b""),
        *(put(store, bytes(LARGE) + b"%d" % n) for n in range(5)),
    ]
    told: list[tuple[int, int, int]] = []

    report = check(store, artifacts, full=full, jobs=jobs, progress=lambda *facts: told.append(facts))

    assert (report.good, report.certain, report.objects) == (True, True, 9)
    assert (
        report.size
        == sum(size for _, _, size in told)
        == sum(path.stat().st_size for path in store.directory.glob("*/*"))
    )
    assert [facts[:2] for facts in told] == [(9, 1)] * 9


@pytest.mark.parametrize("content", [b"", b"CONTENT", b"content and more"])
def test_other_bytes_are_found_and_moved_away(store: ObjectStore, content: bytes) -> None:
    good, artifact = put(store, b"good"), put(store, b"content")
    path = rewrite(store, artifact, content)

    report = check(store, [good, artifact])

    (bad,) = report.bad
    assert (bad.digest, bad.quarantined) == (artifact.digest, store.quarantine_dir / artifact.digest)
    assert (store.quarantine_dir / artifact.digest).read_bytes() == content
    assert not path.exists()
    assert report.missing == {artifact.digest}
    assert not report.good
    assert store.verified(good.digest)


def test_large_objects_are_found_damaged_in_threads(store: ObjectStore) -> None:
    artifacts = [put(store, bytes(LARGE) + b"%d" % number) for number in range(6)]
    for artifact in artifacts[::2]:
        rewrite(store, artifact, bytes(artifact.size))

    report = check(store, jobs=3)

    assert {bad.digest for bad in report.bad} == {artifact.digest for artifact in artifacts[::2]}
    assert report.missing == frozenset()


def test_an_object_that_was_made_writable_is_made_read_only(store: ObjectStore) -> None:
    artifact = put(store, b"content")
    store.path_of(artifact.digest).chmod(0o666)

    assert check(store, full=False).suspect == {artifact.digest: "may be written to"}
    assert check(store).good
    assert store.path_of(artifact.digest).stat().st_mode & 0o777 == 0o444
    assert check(store, full=False).good


def test_fast_looks_at_sizes_marks_and_kinds_and_moves_nothing(store: ObjectStore) -> None:
    short, empty, touched = put(store, b"short"), put(store, b"empty"), put(store, b"touched")
    directory = put_tree(store, a=b"listed")
    rewrite(store, short, b"shor")
    rewrite(store, empty, b"")
    os.utime(store.path_of(touched.digest))
    listed = Artifact(digest_bytes(b"listed"), 6)
    rewrite(store, listed, b"liste")
    odd = store.directory / "ab" / ("0" * 30)
    odd.parent.mkdir(exist_ok=True)
    odd.symlink_to("nowhere")

    report = check(store, [short, directory], full=False)

    assert report.suspect == {
        short.digest: "has 4 bytes instead of 5",
        empty.digest: "is empty",
        touched.digest: "was written to, or touched, in place",
        listed.digest: "has 5 bytes instead of 6",
        "ab" + "0" * 30: "is not a regular file",
    }
    assert report.bad == ()
    assert not report.good
    assert not store.quarantine_dir.exists()


def test_irregular_files_are_moved_away(store: ObjectStore) -> None:
    put(store, b"content")
    odd = store.directory / "ab" / ("0" * 30)
    odd.parent.mkdir(exist_ok=True)
    odd.symlink_to("nowhere")

    (bad,) = check(store).bad

    assert bad.problem == "is not a regular file"
    assert not odd.is_symlink()


def test_missing_objects_are_named(store: ObjectStore) -> None:
    directory, incomplete = put_tree(store, a=b"A"), put_tree(store, b=b"B", c=b"C")
    store.path_of(directory.digest).unlink()
    gone = digest_bytes(b"C")
    store.path_of(gone).unlink()
    never = Artifact("0" * 32, 1)

    report = check(store, [directory, incomplete, never])

    assert report.missing == {directory.digest, gone, never.digest}
    assert check(store, [directory, incomplete, never], full=False).missing == report.missing


def test_a_listing_that_is_none_counts_as_missing(store: ObjectStore) -> None:
    artifact = put(store, b"no listing")

    assert check(store, [Artifact(artifact.digest, 10, tree=True)]).missing == {artifact.digest}


def test_a_damaged_listing_is_bad_and_missing(store: ObjectStore) -> None:
    directory = put_tree(store, a=b"A")
    rewrite(store, directory, b"{}")

    report = check(store, [directory])

    assert [bad.digest for bad in report.bad] == [directory.digest]
    assert report.missing == {directory.digest}


def test_objects_in_the_trash_are_not_missing(store: ObjectStore, tmp_path: Path) -> None:
    artifact = put(store, b"content")
    day = 24 * 3600 * 1_000_000_000
    collect(
        Cache(store, RunCache(tmp_path / "runs"), Results(tmp_path / "results")),
        tuple,
        Retention(20_000 * day, 0, day),
        since_ns=1 << 63,
    )

    assert check(store, [artifact]).missing == frozenset()
    assert store.path_of(artifact.digest).exists()


def test_foreign_files_are_named_and_not_touched(store: ObjectStore) -> None:
    put(store, b"content")
    names = ["README", "ab/notes", "abc/x"]
    for name in names:
        (store.directory / name).parent.mkdir(exist_ok=True)
        (store.directory / name).write_text("mine")

    report = check(store)

    assert report.foreign == tuple(names)
    assert report.good
    assert all((store.directory / name).exists() for name in names)


def test_unreadable_objects_are_neither_good_nor_bad(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = put(store, b"content")

    def failing(path: Path) -> Hashed:
        raise ArtifactError(path, "cannot be read: Input/output error")

    monkeypatch.setattr(fsck, "hash_file", failing)

    report = check(store, [artifact])

    assert report.unreadable.keys() == {artifact.digest}
    assert (report.good, report.certain) == (True, False)
    assert store.path_of(artifact.digest).exists()


def test_a_damaged_object_that_cannot_be_moved_is_reported(store: ObjectStore) -> None:
    artifact = put(store, b"content")
    rewrite(store, artifact, b"CONTENT")
    store.quarantine_dir.parent.mkdir(exist_ok=True)
    store.quarantine_dir.write_text("in the way")

    (bad,) = check(store, [artifact]).bad

    assert bad.quarantined is None
