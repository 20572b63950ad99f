"""A store that others use too: other users, other clones, other processes; one that may only be read."""

import errno
import os
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import xxhash

from pivot_cache import CacheError, CheckoutMode, CorruptObjectError, Layout, ObjectStore, StatCache, Tree, hash_path
from pivot_cache.errors import owner_hint
from pivot_cache.files import atomic, syscalls
from pivot_cache.objects import checkout
from pivot_cache.objects.ingest import ingest
from pivot_cache.state.run_cache import RunCache
from pivot_core.files.digest import digest_bytes
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact, RunRecord

CONTENT = b"some content\n"
ARTIFACT = Artifact(digest_bytes(CONTENT), len(CONTENT))
WRITING = {"create", "write", "fchmod", "chmod", "utime", "link", "symlink", "rename", "unlink", "mkdir", "rmdir"}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The directory of a store outside of any project."""
    return tmp_path / "shared" / "files"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.mkdir()
    for number in range(3):
        (path / f"{number}").write_bytes(b"%d" % number)
    return path


@pytest.fixture(params=[0o022, 0o077, 0o002])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    mask: int = request.param
    before = os.umask(mask)
    yield mask
    os.umask(before)


def refusing(directory: Path, number: int) -> Callable[..., None]:
    """Refuse every change below a directory."""

    def before(operation: str, *arguments: object) -> None:
        paths = arguments[1:] if operation == "symlink" else arguments
        if operation in WRITING and any(str(path).startswith(str(directory)) for path in paths):
            raise OSError(number, os.strerror(number))

    return before


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_group_may_write_to_a_store_that_it_may_write_to(directory: Path, source: Path, umask: int) -> None:
    directory.mkdir(parents=True)
    directory.chmod(0o2775)
    store = ObjectStore(directory)
    store.put(source / "0")

    shard = store.path_of(digest_bytes(b"0")).parent
    assert mode_of(shard) & 0o2070 == 0o2070
    assert mode_of(shard) & 0o007 == 0o005 & ~umask
    assert mode_of(store.path_of(digest_bytes(b"0"))) == 0o444


def test_a_store_of_one_user_is_as_the_umask_says(directory: Path, source: Path, umask: int) -> None:
    store = ObjectStore(directory)
    store.put(source / "0")

    for path in (directory, store.path_of(digest_bytes(b"0")).parent):
        assert mode_of(path) == 0o777 & ~umask


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("mode", CheckoutMode)
def test_a_store_that_may_only_be_read_gives_all_it_has(
    directory: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, mode: CheckoutMode
) -> None:
    with StatCache(tmp_path / "s") as files:
        artifact = ingest(source, ObjectStore(directory), files)
    if mode is not CheckoutMode.HARDLINK:  # a hard link is a change to the object's file system
        monkeypatch.setattr(syscalls, "before", refusing(directory.parent, number))
    later = ObjectStore(directory, boot_id="next", boot_time_ns=time.time_ns() + 3_600_000_000_000)

    assert later.has_all(artifact)
    later.restore(artifact, tmp_path / "target", mode)
    assert hash_path(tmp_path / "target") == artifact


def test_a_store_that_may_only_be_read_takes_what_it_has(
    directory: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with StatCache(tmp_path / "s", clock=lambda: time.time_ns() + 3_600_000_000_000) as files:
        artifact = ingest(source, ObjectStore(directory), files)
        monkeypatch.setattr(syscalls, "before", refusing(directory.parent, errno.EROFS))

        assert ingest(source, ObjectStore(directory), files) == artifact
        assert ingest(source / "0", ObjectStore(directory), files).digest == digest_bytes(b"0")
        (source / "0").write_bytes(b"new")
        with pytest.raises(CacheError, match="Read-only file system") as caught:
            ingest(source, ObjectStore(directory), files)
    assert caught.value.hint == "its file system is mounted read-only"


def test_a_corrupt_object_of_a_store_that_may_only_be_read_is_not_used(
    directory: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ObjectStore(directory)
    artifact = store.put(source / "0")
    path = store.path_of(artifact.digest)
    path.chmod(0o644)
    path.write_bytes(b"9")
    monkeypatch.setattr(syscalls, "before", refusing(directory.parent, errno.EROFS))

    for mode in (CheckoutMode.COPY, CheckoutMode.SYMLINK):
        with pytest.raises(CorruptObjectError) as caught:
            store.restore(artifact, tmp_path / "target", mode)
        assert caught.value.quarantined is None
    assert not (tmp_path / "target").exists()


def test_the_object_of_another_user_is_verified_once_by_each_process(
    directory: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = ObjectStore(directory).put(source / "0")
    later = ObjectStore(directory, boot_id="next", boot_time_ns=time.time_ns() + 3_600_000_000_000)
    hashed: list[int] = []
    actual = xxhash.xxh3_128

    def counting() -> object:
        hashed.append(1)
        return actual()

    monkeypatch.setattr(xxhash, "xxh3_128", counting)
    monkeypatch.setattr(syscalls, "before", refusing(directory, errno.EPERM))

    assert later.verified(artifact.digest)
    assert later.verified(artifact.digest)
    assert len(hashed) == 1


@pytest.mark.parametrize(
    ("number", "hint"),
    [(errno.EROFS, "its file system is mounted read-only"), (errno.EACCES, "check the permissions of")],
)
def test_a_workspace_that_may_only_be_read_is_named(
    directory: Path, source: Path, monkeypatch: pytest.MonkeyPatch, number: int, hint: str
) -> None:
    layout = Layout(source.with_name("project"))
    store = ObjectStore(directory)
    with StatCache(source.with_name("s")) as files:
        artifact = ingest(source, store, files)
    (layout.root / "there").mkdir(parents=True)
    monkeypatch.setattr(syscalls, "before", refusing(layout.root, number))

    for path in map(ArtifactPath, ("there", "absent", "there/file")):
        wanted = {path: store.tree(artifact).files["0"] if path.endswith("file") else artifact}
        with pytest.raises(CacheError, match=f"cannot restore {layout.artifact(path)}: ") as caught:
            checkout.apply(checkout.compare(wanted, {}), store, layout)
        assert str(caught.value.hint).startswith(hint)


def test_a_downloaded_object_is_like_any_other(directory: Path) -> None:
    store = ObjectStore(directory)
    with store.temporary() as place:
        (place / "part").write_bytes(CONTENT)
        (place / "part").chmod(0o666)
        store.adopt(place / "part", ARTIFACT.digest)
        assert os.listdir(place) == []

        (place / "again").write_bytes(CONTENT)
        before = store.path_of(ARTIFACT.digest).stat()
        store.adopt(place / "again", ARTIFACT.digest)
        assert os.listdir(place) == []

    after = store.path_of(ARTIFACT.digest).stat()
    assert (after.st_ino, after.st_nlink, stat.S_IMODE(after.st_mode)) == (before.st_ino, 1, 0o444)
    assert store.verified(ARTIFACT.digest)
    assert set(store.digests()) == {ARTIFACT.digest}


def test_downloads_are_verified(directory: Path) -> None:
    store = ObjectStore(directory)
    with store.temporary() as place:
        (place / "part").write_bytes(CONTENT[:-1])
        with pytest.raises(CorruptObjectError):
            store.adopt(place / "part", ARTIFACT.digest)
        with pytest.raises(CacheError, match="is not a digest"):
            store.adopt(place / "part", "../x")
        assert (place / "part").read_bytes() == CONTENT[:-1]
    assert list(store.digests()) == []
    assert list(directory.iterdir()) == []


def test_bytes_are_stored_like_files(directory: Path) -> None:
    store = ObjectStore(directory)
    for _ in range(2):
        assert store.put_bytes(CONTENT) == ARTIFACT.digest
    assert store.path_of(ARTIFACT.digest).read_bytes() == CONTENT
    assert mode_of(store.path_of(ARTIFACT.digest)) == 0o444
    path = store.path_of(ARTIFACT.digest)
    path.chmod(0o644)
    path.write_bytes(b"damaged")
    assert store.put_bytes(CONTENT) == ARTIFACT.digest
    assert path.read_bytes() == CONTENT


def test_only_what_is_named_by_a_digest_is_an_object(directory: Path) -> None:
    store = ObjectStore(directory)
    assert list(store.digests()) == []
    store.put_bytes(CONTENT)
    (directory / "ab" / "not a digest").parent.mkdir(exist_ok=True)
    (directory / "ab" / "not a digest").write_bytes(b"")
    (directory / "README").write_bytes(b"")
    (directory / ("a" * 30)).mkdir()

    assert set(store.digests()) == {ARTIFACT.digest}


WORKER = """
    import pathlib, sys
    from pivot_cache import CheckoutMode, ObjectStore, StatCache, hash_path
    from pivot_cache.objects.ingest import ingest
    root, me = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    store = ObjectStore(root / "shared" / "files")
    modes = list(CheckoutMode)
    for step in range(12):
        number = (step * 3 + me) % 4
        own = root / f"clone{me}" / "data"
        with StatCache(root / "statcache.sqlite") as files:
            artifact = ingest(root / f"source{number}", store, files)
            store.restore(artifact, own, modes[step % 3], known=files.tree)
            assert files.artifact(own) == artifact == hash_path(own)
    print("done")
"""


def test_eight_processes_put_and_check_out_directories_at_once(tmp_path: Path) -> None:
    """They share the store, the stat cache, and most of the objects."""
    for number in range(4):
        for name in range(12):
            path = tmp_path / f"source{number}" / f"d{name % 2}" / f"{name}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"%d" % (name * (number % 2 or name % 3)))
    command = [sys.executable, "-c", textwrap.dedent(WORKER), str(tmp_path)]
    processes = [subprocess.Popen([*command, str(number)], stdout=subprocess.PIPE, text=True) for number in range(8)]

    assert [process.communicate()[0] for process in processes] == ["done\n"] * 8
    store = ObjectStore(tmp_path / "shared" / "files")
    assert all(digest_bytes(store.path_of(digest).read_bytes()) == digest for digest in store.digests())
    trees = {number: hash_path(tmp_path / f"source{number}") for number in range(4)}
    assert all(map(store.has_all, trees.values()))
    assert all(isinstance(store.tree(artifact), Tree) for artifact in trees.values())
    assert list(tmp_path.rglob(".pivot-*")) == []


def test_a_directory_that_others_make_at_the_same_time_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two looks at a store, others make its directories, and remove what they take for dead."""

    def before(operation: str, *arguments: object) -> None:
        if operation == "mkdir" and not str(arguments[0]).endswith(".tmp"):
            os.makedirs(str(arguments[0]), exist_ok=True)

    monkeypatch.setattr(syscalls, "before", before)
    store = ObjectStore(tmp_path / "deep" / "shared" / "files")
    assert store.put_bytes(CONTENT) == ARTIFACT.digest
    assert store.verified(ARTIFACT.digest)


def test_a_file_in_the_place_of_a_store_is_named(tmp_path: Path) -> None:
    (tmp_path / "shared").write_bytes(b"")

    with pytest.raises(CacheError, match=f"cannot write to {tmp_path}/shared/files: Not a directory"):
        ObjectStore(tmp_path / "shared" / "files").put_bytes(CONTENT)
    assert list(ObjectStore(tmp_path / "shared").digests()) == []
    assert not ObjectStore(tmp_path / "shared").verified(ARTIFACT.digest)


def test_progress_counts_what_is_there_already(directory: Path, source: Path, tmp_path: Path) -> None:
    store = ObjectStore(directory)
    with StatCache(tmp_path / "s", clock=lambda: time.time_ns() + 3_600_000_000_000) as files:
        for _ in range(2):
            sizes: list[int] = []
            ingest(source, store, files, progress=sizes.append)
            assert sizes == [1, 1, 1]
        sizes = []
        ingest(source / "0", store, files, progress=sizes.append)
        assert sizes == [1]


def test_files_created_in_a_group_directory_belong_to_the_group(tmp_path: Path) -> None:
    shared, own = tmp_path / "shared", tmp_path / "own"
    shared.mkdir()
    own.mkdir()
    shared.chmod(0o2775)
    own.chmod(0o755)
    before = os.umask(0o077)
    try:
        for directory in (shared, own):
            atomic.make_directory(directory / "a" / "b")
            atomic.write_bytes(directory / "a" / "mine", b"")
            RunCache(directory / "a" / "runs").put(RunRecord("0" * 32, {}))
    finally:
        os.umask(before)
    (run, others_run) = (next(path for path in each.rglob("0*") if path.is_file()) for each in (shared, own))
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (shared / "a/b", shared / "a/mine", run)]
    assert modes == [0o2770, 0o600, 0o640]
    assert [stat.S_IMODE(each.stat().st_mode) for each in (own / "a/b", others_run)] == [0o700, 0o600]


def test_an_uncreatable_directory_is_reported(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    for place in (tmp_path / "link", tmp_path / "link" / "x", Path("/proc/nowhere/x")):
        with pytest.raises(OSError, match=r"."):
            atomic.make_directory(place)


def test_files_of_another_user_are_named_with_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / ".pivot" / "cache" / "files"
    inside.mkdir(parents=True)
    assert owner_hint(inside / "x") is None
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    monkeypatch.setattr(os, "access", lambda *_: False)
    told = owner_hint(inside / "not there")
    assert told is not None
    assert told.startswith(f"{inside} belongs to ")
    assert told.endswith(f" {tmp_path / '.pivot'}")
    assert ": sudo chown -R " in told
    (tmp_path / ".pivot").rename(tmp_path / "former")
    (tmp_path / "team").mkdir()
    told = owner_hint(tmp_path / "team" / "cache")
    assert told is not None
    assert told.endswith(
        f"to share it with a group: sudo chgrp -R GROUP {tmp_path}/team; sudo chmod -R g+r {tmp_path}/team; "
        f"sudo find {tmp_path}/team -type d -exec chmod g+ws {{}} +"
    )
