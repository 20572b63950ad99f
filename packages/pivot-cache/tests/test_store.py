"""Objects are published whole, verified before use, and healed."""

import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import attrs
import pytest
import xxhash

from pivot_cache import ArtifactError, CacheError, CorruptObjectError, MissingObjectError, ObjectStore, StatCache
from pivot_cache.errors import TreeError
from pivot_cache.files.signatures import mtime_of_boot
from pivot_cache.formats.tree import Tree
from pivot_cache.objects.store import VERIFIED_NS
from pivot_core.files.digest import digest_bytes
from pivot_core.lock import Artifact

CONTENT = b"some content\n"
DIGEST = digest_bytes(CONTENT)
LONG_AGO = 1
BOOT, NEXT = "this", "next"
"""A start of the machine before every object."""


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "cache" / "files", boot_id=BOOT, boot_time_ns=LONG_AGO)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(CONTENT)
    return path


def names(directory: Path) -> set[str]:
    return {path.relative_to(directory).as_posix() for path in directory.rglob("*") if not path.is_dir()}


def damage(store: ObjectStore, digest: str, content: bytes = b"SOME content\n") -> Path:
    """Write to an object in place, the way an editor that ignores the mode does."""
    path = store.path_of(digest)
    path.chmod(0o644)
    path.write_bytes(content)
    path.chmod(0o444)
    return path


def raising(number: int) -> Callable[..., None]:
    def fail(*args: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def test_put_stores_the_bytes_read_only_under_their_digest(store: ObjectStore, source: Path) -> None:
    artifact = store.put(source)

    path = store.directory / DIGEST[:2] / DIGEST[2:]
    assert artifact == Artifact(DIGEST, len(CONTENT))
    assert path == store.path_of(DIGEST)
    assert path.read_bytes() == CONTENT
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert path.stat().st_nlink == 1
    assert store.verified(DIGEST)
    assert names(store.directory) == {f"{DIGEST[:2]}/{DIGEST[2:]}"}


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_put_and_restore_are_exact_at_every_size(store: ObjectStore, tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    (tmp_path / "source").write_bytes(content)

    artifact = store.put(tmp_path / "source")
    store.restore(artifact, tmp_path / "target")

    assert artifact == Artifact(digest_bytes(content), size)
    assert (tmp_path / "target").read_bytes() == content


def test_put_keeps_the_object_that_is_there(store: ObjectStore, source: Path) -> None:
    store.put(source)
    before = store.path_of(DIGEST).stat()

    store.put(source)

    after = store.path_of(DIGEST).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert len(names(store.directory)) == 1


@pytest.mark.parametrize("content", [b"", b"SOME content\n", b"longer than it should be\n"])
def test_put_heals_an_object_that_was_damaged(store: ObjectStore, source: Path, content: bytes) -> None:
    store.put(source)
    path = damage(store, DIGEST, content)

    store.put(source)

    assert path.read_bytes() == CONTENT
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert len(names(store.directory)) == 1


def test_put_follows_a_symlink_and_sees_the_executable_bit(store: ObjectStore, source: Path, tmp_path: Path) -> None:
    source.chmod(0o755)
    (tmp_path / "link").symlink_to("source")

    assert store.put(tmp_path / "link") == Artifact(DIGEST, len(CONTENT), executable=True)


def test_put_describes_the_stored_bytes_when_the_file_grows_meanwhile(
    store: ObjectStore, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it is read at once at first, as a small file, or in blocks."""

    def growing[T](read: Callable[[int, T], Any]) -> Callable[[int, T], Any]:
        def reading(descriptor: int, into: T) -> Any:
            found = read(descriptor, into)
            if source.stat().st_size < 3 * len(CONTENT):
                with source.open("ab") as file:
                    file.write(CONTENT)
            return found

        return reading

    monkeypatch.setattr(os, "readv", growing(os.readv))
    monkeypatch.setattr(os, "read", growing(os.read))
    monkeypatch.setattr(fcntl, "ioctl", raising(errno.EOPNOTSUPP))
    artifact = store.put(source)

    stored = store.path_of(artifact.digest).read_bytes()
    assert stored == 3 * CONTENT
    assert artifact == Artifact(digest_bytes(stored), len(stored))


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, Path.is_file], ids=["directory", "pipe", "nothing"])
def test_put_refuses_irregular_files(store: ObjectStore, tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "odd")

    with pytest.raises(ArtifactError, match="odd"):
        store.put(tmp_path / "odd")
    assert not store.directory.exists()


def test_bytes_that_the_store_has_are_not_written_again(store: ObjectStore, source: Path) -> None:
    """Not even under a temporary name."""
    first = store.put(source)
    directory = store.path_of(first.digest).parent
    before = (store.directory.stat().st_mtime_ns, directory.stat().st_mtime_ns)

    assert store.put(source) == first
    assert (store.directory.stat().st_mtime_ns, directory.stat().st_mtime_ns) == before


@pytest.mark.parametrize(
    "use",
    [
        lambda store, _: store.write_pending(),
        lambda store, artifact: store.verified(artifact.digest),
        lambda store, artifact: store.path_of(artifact.digest),
        lambda store, artifact: store.has_all(artifact),
        lambda store, artifact: store.persist(artifact),
        lambda store, artifact: store.restore(artifact, store.directory.parent / "restored"),
        lambda store, _: store.put_bytes(CONTENT),
        lambda store, _: list(store.digests()),
    ],
)
def test_an_object_that_may_wait_is_written_when_it_is_used(
    store: ObjectStore, source: Path, use: Callable[[ObjectStore, Artifact], object]
) -> None:
    artifact = store.put(source, later=True)
    assert artifact == Artifact(DIGEST, len(CONTENT))
    assert not store.directory.exists()
    source.write_bytes(b"edited meanwhile")

    use(store, artifact)
    assert list(store.digests()) == [DIGEST]
    assert store.path_of(DIGEST).read_bytes() == CONTENT
    assert [path.name for path in store.directory.iterdir()] == [DIGEST[:2]]


def test_a_listing_that_was_read_before_must_still_be_there_and_intact(store: ObjectStore, source: Path) -> None:
    file = store.put(source)
    trees = [Tree({name: file}) for name in ("a", "b")]
    artifacts = [store.put_tree(tree) for tree in trees]
    assert [store.tree(artifact) for artifact in artifacts] == trees
    first, second = (store.path_of(artifact.digest) for artifact in artifacts)
    first.unlink()
    with pytest.raises(MissingObjectError):
        store.tree(artifacts[0])
    second.chmod(0o644)
    second.write_bytes(second.read_bytes().replace(b"b", b"c"))
    with pytest.raises(CorruptObjectError):
        store.tree(artifacts[1])
    with pytest.raises(TreeError, match="all files together have"):
        store.tree(attrs.evolve(store.put_tree(trees[0]), size=1))


def test_threads_read_more_listings_than_are_kept(
    store: ObjectStore, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pivot_cache.objects.store._MOST_KEPT", 2)
    file = store.put(source)
    trees = [Tree({name: file}) for name in "abcdef"]
    artifacts = [store.put_tree(tree) for tree in trees]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(store.tree, artifacts * 150)) == trees * 150
    finally:
        sys.setswitchinterval(interval)


def test_an_object_that_waits_is_kept_when_it_cannot_be_written(store: ObjectStore, source: Path) -> None:
    store.directory.parent.write_bytes(b"in the way")
    store.put(source, later=True)
    for _ in range(2):
        with pytest.raises(CacheError, match="cannot write to"):
            store.write_pending()

    store.directory.parent.unlink()
    store.write_pending()
    assert store.verified(DIGEST)


def test_only_small_and_few_objects_wait(store: ObjectStore, tmp_path: Path) -> None:
    """Else a stage with many outs would fill the memory."""
    for number in range(300):
        (tmp_path / str(number)).write_bytes(b"%d" % number)
        store.put(tmp_path / str(number), later=True)
    assert len(list(store.directory.glob("??/*"))) == 300 - 256
    assert len(list(store.digests())) == 300
    (tmp_path / "large").write_bytes(bytes(5000))
    store.put(tmp_path / "large", later=True)
    assert len(list(store.directory.glob("??/*"))) == 301


def test_threads_that_use_one_waiting_object_find_it(store: ObjectStore, tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / str(number)).write_bytes(b"%d" % number)
    artifacts = [store.put(tmp_path / str(number), later=True) for number in range(50)]

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(store.has_all, reversed(artifacts)))


def test_put_copies_where_blocks_cannot_be_shared(
    store: ObjectStore, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "ioctl", raising(errno.EXDEV))

    store.put(source)

    assert store.path_of(DIGEST).read_bytes() == CONTENT


def test_put_hashes_what_was_cloned(store: ObjectStore, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for a file system with FICLONE, where the file is edited right after."""

    def clone(target: int, request: int, origin: int) -> int:
        assert request == 0x40049409
        os.pwrite(target, os.pread(origin, 1 << 20, 0), 0)
        source.write_bytes(b"edited")
        return 0

    monkeypatch.setattr(fcntl, "ioctl", clone)
    artifact = store.put(source)

    assert artifact == Artifact(DIGEST, len(CONTENT))
    assert store.path_of(DIGEST).read_bytes() == CONTENT


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK])
def test_put_works_without_hard_links(
    store: ObjectStore, source: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(os, "link", raising(number))

    store.put(source)
    store.put(source)

    assert store.verified(DIGEST)
    assert len(names(store.directory)) == 1


@pytest.mark.parametrize("call", ["write", "link", "fchmod"])
def test_put_that_fails_leaves_nothing(
    store: ObjectStore, source: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    monkeypatch.setattr(fcntl, "ioctl", raising(errno.EOPNOTSUPP))
    monkeypatch.setattr(os, call, raising(errno.ENOSPC))

    with pytest.raises(CacheError, match="the disk is full") as caught:
        store.put(source)
    assert "free some space" in str(caught.value.hint)
    assert caught.value.exit_code == 3
    assert names(store.directory) == set()


def test_put_into_a_store_that_may_not_be_written_says_so(
    store: ObjectStore, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(source)
    other = source.with_name("other")
    other.write_bytes(b"other")
    actual = os.open

    def refusing(path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_CREAT:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return actual(path, flags, mode)

    monkeypatch.setattr(os, "open", refusing)
    with pytest.raises(CacheError, match="Permission denied") as caught:
        store.put(other)
    assert "permissions" in str(caught.value.hint)


@pytest.mark.parametrize(("executable", "mode"), [(False, 0o644), (True, 0o755)])
def test_restore_gives_the_usual_mode(
    store: ObjectStore, source: Path, tmp_path: Path, executable: bool, mode: int
) -> None:
    store.put(source)
    before = os.umask(0o022)
    try:
        store.restore(Artifact(DIGEST, len(CONTENT), executable), tmp_path / "deep" / "er" / "target")
    finally:
        os.umask(before)

    target = tmp_path / "deep" / "er" / "target"
    assert target.read_bytes() == CONTENT
    assert stat.S_IMODE(target.stat().st_mode) == mode
    assert names(target.parent) == {"target"}


def test_a_restored_file_can_be_edited_without_harm_to_the_object(
    store: ObjectStore, source: Path, tmp_path: Path
) -> None:
    artifact = store.put(source)
    store.restore(artifact, tmp_path / "target")

    with (tmp_path / "target").open("ab") as file:
        file.write(b"more")

    assert store.path_of(DIGEST).read_bytes() == CONTENT


def test_restore_replaces_a_symlink_and_never_writes_through_it(
    store: ObjectStore, source: Path, tmp_path: Path
) -> None:
    artifact = store.put(source)
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "target").symlink_to("precious")

    store.restore(artifact, tmp_path / "target")

    assert not (tmp_path / "target").is_symlink()
    assert (tmp_path / "target").read_bytes() == CONTENT
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_restore_leaves_a_directory_alone(store: ObjectStore, source: Path, tmp_path: Path) -> None:
    artifact = store.put(source)
    (tmp_path / "target").mkdir()

    with pytest.raises(CacheError, match="a directory is there"):
        store.restore(artifact, tmp_path / "target")
    assert names(tmp_path) == {"source", f"cache/files/{DIGEST[:2]}/{DIGEST[2:]}"}


def test_restore_below_a_file_says_so(store: ObjectStore, source: Path, tmp_path: Path) -> None:
    artifact = store.put(source)

    with pytest.raises(CacheError, match="source/target"):
        store.restore(artifact, tmp_path / "source" / "target")
    assert source.read_bytes() == CONTENT


def test_restore_of_an_absent_object_keeps_what_is_there(store: ObjectStore, source: Path) -> None:
    with pytest.raises(MissingObjectError) as caught:
        store.restore(Artifact(DIGEST, 1), source)

    assert caught.value.digest == DIGEST
    assert caught.value.exit_code == 1
    assert source.read_bytes() == CONTENT


@pytest.mark.parametrize("content", [b"", b"SOME content\n"])
def test_a_corrupt_object_is_quarantined_and_never_restored(
    store: ObjectStore, source: Path, tmp_path: Path, content: bytes
) -> None:
    artifact = store.put(source)
    damage(store, DIGEST, content)
    target = tmp_path / "target"
    target.write_bytes(b"previous")

    with pytest.raises(CorruptObjectError) as caught:
        store.restore(artifact, target)
    assert target.read_bytes() == b"previous"
    assert caught.value.quarantined == tmp_path / "cache" / "quarantine" / DIGEST
    assert caught.value.quarantined.read_bytes() == content
    assert not store.verified(DIGEST)
    assert names(tmp_path) == {"source", "target", f"cache/quarantine/{DIGEST}"}

    assert store.put(source) == artifact
    store.restore(artifact, target)
    assert target.read_bytes() == CONTENT


def test_a_corrupt_object_that_cannot_be_moved_is_still_not_restored(
    store: ObjectStore, source: Path, tmp_path: Path
) -> None:
    artifact = store.put(source)
    damage(store, DIGEST)
    (tmp_path / "cache" / "quarantine").write_bytes(b"in the way")

    with pytest.raises(CorruptObjectError) as caught:
        store.restore(artifact, tmp_path / "target")
    assert caught.value.quarantined is None
    assert not (tmp_path / "target").exists()


def test_restore_with_a_full_disk_keeps_what_is_there(
    store: ObjectStore, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = store.put(source)
    target = tmp_path / "target"
    target.write_bytes(b"previous")
    monkeypatch.setattr(fcntl, "ioctl", raising(errno.EOPNOTSUPP))
    monkeypatch.setattr(os, "write", raising(errno.ENOSPC))

    with pytest.raises(CacheError, match=f"cannot restore {target}: the disk is full"):
        store.restore(artifact, target)
    assert target.read_bytes() == b"previous"
    assert names(tmp_path) == {"source", "target", f"cache/files/{DIGEST[:2]}/{DIGEST[2:]}"}


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "A" * 32, "0" * 31, "0" * 33, "0" * 31 + "/"])
def test_only_digests_become_paths(store: ObjectStore, digest: str) -> None:
    with pytest.raises(CacheError, match="is not a digest"):
        store.path_of(digest)
    with pytest.raises(CacheError, match="is not a digest"):
        store.verified(digest)
    with pytest.raises(CacheError, match="is not a digest"):
        store.restore(Artifact(digest, 0), Path("target"))


def test_has_notices_a_write_in_place(store: ObjectStore, source: Path) -> None:
    store.put(source)
    damage(store, DIGEST)

    assert not store.verified(DIGEST)


def test_has_believes_an_object_that_was_merely_touched(store: ObjectStore, source: Path) -> None:
    store.put(source)
    store.path_of(DIGEST).touch()

    assert store.verified(DIGEST)
    assert store.path_of(DIGEST).stat().st_mtime_ns == mtime_of_boot(BOOT)


def test_has_refuses_irregular_files(store: ObjectStore, tmp_path: Path) -> None:
    store.path_of(DIGEST).mkdir(parents=True)

    assert not store.verified(DIGEST)


def test_an_object_from_before_the_start_is_verified_once(store: ObjectStore, source: Path) -> None:
    store.put(source)
    later = ObjectStore(store.directory, boot_id=NEXT, boot_time_ns=time.time_ns() + 3_600_000_000_000)

    assert later.verified(DIGEST)
    assert store.path_of(DIGEST).stat().st_mtime_ns == VERIFIED_NS


@pytest.mark.parametrize("content", [b"", b"\0" * len(CONTENT), CONTENT[:5]])
def test_remains_of_an_object_after_a_power_cut_do_not_count(store: ObjectStore, source: Path, content: bytes) -> None:
    store.put(source)
    path = damage(store, DIGEST, content)
    os.utime(path, ns=(mtime_of_boot(BOOT), mtime_of_boot(BOOT)))
    later = ObjectStore(store.directory, boot_id=NEXT, boot_time_ns=time.time_ns())

    assert not later.verified(DIGEST)
    later.put(source)
    assert path.read_bytes() == CONTENT


def test_an_object_that_another_machine_published_is_verified_once_and_keeps_its_mark(
    store: ObjectStore, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two machines that take turns need not read it each time; nor need one that has unpacked it from an archive."""
    store.put(source)
    hashed: list[int] = []
    actual = xxhash.xxh3_128

    def counting() -> object:
        hashed.append(1)
        return actual()

    monkeypatch.setattr(xxhash, "xxh3_128", counting)
    for _ in range(3):
        with StatCache(tmp_path / "files", clock=lambda: time.time_ns() + 3_600_000_000_000) as files:
            other = ObjectStore(store.directory, boot_id=NEXT, boot_time_ns=LONG_AGO, files=files)
            assert other.verified(DIGEST)
            assert store.verified(DIGEST)
    assert len(hashed) == 1
    assert store.path_of(DIGEST).stat().st_mtime_ns == mtime_of_boot(BOOT)


def test_an_object_of_an_earlier_start_is_verified_whatever_the_clock_says(store: ObjectStore, source: Path) -> None:
    """The clock may have been ahead, or the machine started within the second."""
    store.put(source)
    path = damage(store, DIGEST, b"\0" * len(CONTENT))
    os.utime(path, ns=(mtime_of_boot(BOOT), mtime_of_boot(BOOT)))

    assert store.verified(DIGEST)  # nobody but a power cut does that
    assert not ObjectStore(store.directory, boot_id=NEXT, boot_time_ns=LONG_AGO).verified(DIGEST)


def test_an_object_of_an_older_pivot_is_verified_once(store: ObjectStore, source: Path) -> None:
    store.put(source)
    os.utime(store.path_of(DIGEST), ns=(0, 0))

    assert store.verified(DIGEST)
    assert store.path_of(DIGEST).stat().st_mtime_ns == mtime_of_boot(BOOT)


def test_an_object_of_another_size_is_not_there_whatever_its_mark_says(store: ObjectStore, source: Path) -> None:
    store.put(source)
    path = damage(store, DIGEST, b"")
    os.utime(path, ns=(VERIFIED_NS, VERIFIED_NS))

    assert not store.verified(DIGEST, len(CONTENT))
    assert not store.has_all(Artifact(DIGEST, len(CONTENT)))
    store.put(source)
    assert path.read_bytes() == CONTENT


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_object_that_may_not_be_read_is_not_there_and_is_stored_again(store: ObjectStore, source: Path) -> None:
    store.put(source)
    store.path_of(DIGEST).chmod(0)

    assert not store.verified(DIGEST)
    store.put(source)
    assert store.path_of(DIGEST).read_bytes() == CONTENT


@pytest.mark.parametrize("what", ["directory", "pipe", "link", "loop"])
def test_an_irregular_file_in_place_of_a_listing_is_corrupt_or_missing(store: ObjectStore, what: str) -> None:
    listing = Tree({}, ("empty",))
    digest = store.put_bytes(listing.dumps())
    path = store.path_of(digest)
    store.trash.directory.mkdir()
    path.unlink()
    match what:
        case "directory":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case _:
            path.symlink_to("nowhere" if what == "link" else path.name)

    assert not store.has_all(listing.artifact())
    with pytest.raises((CorruptObjectError, MissingObjectError)):
        store.tree(digest)
    assert store.put_bytes(listing.dumps()) == digest
    assert store.tree(digest) == listing


def test_a_directory_in_the_place_of_an_object_is_moved_away(store: ObjectStore, source: Path) -> None:
    path = store.path_of(DIGEST)
    path.mkdir(parents=True)
    (path / "mine").write_bytes(b"mine")
    store.put(source)

    assert path.read_bytes() == CONTENT
    (kept,) = store.quarantine_dir.glob("*/mine")
    assert kept.read_bytes() == b"mine"


def script(text: str, *arguments: str | Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(text), *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("call", ["fchmod", "link"])
def test_a_process_killed_before_publishing_leaves_a_good_store(store: ObjectStore, source: Path, call: str) -> None:
    process = script(
        """
        import os, pathlib, signal, sys
        from pivot_cache import ObjectStore
        setattr(os, sys.argv[3], lambda *args, **options: os.kill(os.getpid(), signal.SIGKILL))
        ObjectStore(pathlib.Path(sys.argv[1])).put(pathlib.Path(sys.argv[2]))
        """,
        store.directory,
        source,
        call,
    )
    process.communicate()

    assert process.returncode == -signal.SIGKILL
    assert not store.verified(DIGEST)
    assert not store.path_of(DIGEST).exists()
    assert store.put(source).digest == DIGEST
    assert store.verified(DIGEST)


def test_eight_processes_put_and_restore_the_same_objects_at_once(store: ObjectStore, tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / f"source{number}").write_bytes(b"%d" % number * 1000)
    text = """
        import pathlib, sys
        from pivot_cache import ObjectStore
        root, me = pathlib.Path(sys.argv[1]), int(sys.argv[2])
        store = ObjectStore(root / "cache" / "files")
        for step in range(30):
            number = (step * 7 + me) % 10
            artifact = store.put(root / f"source{number}")
            store.restore(artifact, root / f"target{number}")
            assert (root / f"target{number}").read_bytes() == b"%d" % number * 1000
        print("done")
        """
    processes = [script(text, tmp_path, str(number)) for number in range(8)]

    assert [process.communicate()[0] for process in processes] == ["done\n"] * 8
    objects = [path for path in store.directory.rglob("*") if path.is_file()]
    assert {digest_bytes(path.read_bytes()) for path in objects} == {path.parent.name + path.name for path in objects}
    assert len(objects) == 10
