"""Directories in the stat cache and in the store: what counts as their content, and what it costs to know it."""

import contextlib
import errno
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pivot_cache import ArtifactError, ObjectStore, StatCache, Tree, hash_path
from pivot_cache.files import syscalls
from pivot_cache.files.threads import LARGE, map_parallel
from pivot_cache.objects.ingest import ingest
from pivot_cache.state import scan
from pivot_cache.state.derived_db import Rows
from pivot_core.files.digest import digest_bytes
from pivot_core.lock import Artifact

HOUR_NS = 3_600_000_000_000


def in_an_hour() -> int:
    return time.time_ns() + HOUR_NS


@pytest.fixture
def data(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    for number in range(20):
        path = root / f"{number % 3}" / f"file{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % number)
    return root


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One item for each query to the database."""
    calls: list[str] = []
    actual = Rows._read

    def counting(self: Rows, query: str, arguments: tuple[bytes, ...]) -> object:
        calls.append(query)
        return actual(self, query, arguments)

    monkeypatch.setattr(Rows, "_read", counting)
    return calls


def row_of(database: Path, key: bytes) -> tuple[str, str] | None:
    with contextlib.closing(Rows(database, readonly=True)) as rows:
        return rows.get(key)


def of(content: bytes, *, executable: bool = False) -> Artifact:
    return Artifact(digest_bytes(content), len(content), executable)


def test_a_directory_is_the_tree_of_its_files(database: Path, data: Path) -> None:
    (data / "empty" / "inner").mkdir(parents=True)
    (data / "run").write_bytes(b"#!")
    (data / "run").chmod(0o755)
    files = {f"{number % 3}/file{number}": of(b"%d" % number) for number in range(20)}
    expected = Tree({**files, "run": of(b"#!", executable=True)}, ("empty/inner",))

    with StatCache(database) as cache:
        assert cache.tree(data) == expected
        assert cache.artifact(data) == expected.artifact()
    assert hash_path(data) == expected.artifact()
    assert hash_path(data / "run") == of(b"#!", executable=True)


def test_an_unchanged_directory_costs_one_row_and_no_hash(
    database: Path, data: Path, hashed: list[int], asked: list[str]
) -> None:
    with StatCache(database, clock=in_an_hour) as cache:
        before = cache.artifact(data)
    assert len(hashed) == 20
    hashed.clear()
    asked.clear()

    with StatCache(database, clock=in_an_hour) as cache:
        assert cache.artifact(data) == before
    assert len(asked) == 1
    assert hashed == []


def test_one_changed_file_costs_one_hash_and_one_query_more(
    database: Path, data: Path, hashed: list[int], asked: list[str]
) -> None:
    with StatCache(database, clock=in_an_hour) as cache:
        before = cache.artifact(data)
    hashed.clear()
    asked.clear()
    (data / "0" / "file0").write_bytes(b"changed")

    with StatCache(database, clock=in_an_hour) as cache:
        after = cache.artifact(data)
        assert after == hash_path(data) != before
    assert len(hashed) == 1 + 20
    assert len(asked) == 2


def test_a_listing_that_is_known_costs_no_hash(database: Path, data: Path, hashed: list[int]) -> None:
    with StatCache(database, clock=in_an_hour) as cache:
        before = cache.tree(data)
    hashed.clear()

    with StatCache(database, clock=in_an_hour) as cache:
        assert cache.tree(data) == before
    assert hashed == []


def add(data: Path) -> None:
    (data / "0" / "new").write_bytes(b"")


def remove(data: Path) -> None:
    (data / "0" / "file0").unlink()


def rename(data: Path) -> None:
    (data / "0" / "file0").rename(data / "0" / "renamed")


def swap(data: Path) -> None:
    (data / "0" / "file0").rename(data / "kept")
    (data / "0" / "file3").rename(data / "0" / "file0")
    (data / "kept").rename(data / "0" / "file3")


def edit_and_set_back(data: Path) -> None:
    path = data / "0" / "file0"
    status = path.stat()
    path.write_bytes(b"9")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def make_executable(data: Path) -> None:
    (data / "0" / "file0").chmod(0o755)


def make_directory(data: Path) -> None:
    (data / "new").mkdir()


@pytest.mark.parametrize(
    "change", [add, remove, rename, swap, edit_and_set_back, make_executable, make_directory], ids=lambda c: c.__name__
)
def test_every_change_is_seen(database: Path, data: Path, change: Callable[[Path], None]) -> None:
    with StatCache(database, clock=in_an_hour) as cache:
        before = cache.artifact(data)
    change(data)

    for _ in range(2):
        with StatCache(database, clock=in_an_hour) as cache:
            assert cache.artifact(data) == hash_path(data) != before


def test_a_directory_is_remembered_only_when_all_its_files_have_settled(database: Path, data: Path) -> None:
    newest = max(path.stat().st_ctime_ns for path in data.rglob("*"))
    with StatCache(database, clock=lambda: newest) as cache:
        cache.artifact(data)
    assert row_of(database, os.fsencode(data) + b"/") is None

    with StatCache(database, clock=lambda: newest + 20_000_000) as cache:
        cache.artifact(data)
    assert row_of(database, os.fsencode(data) + b"/") is not None


def test_a_file_hashed_soon_after_a_change_is_hashed_again_after_a_restart(
    database: Path, data: Path, hashed: list[int]
) -> None:
    newest = max(path.stat().st_ctime_ns for path in data.rglob("*"))
    for boot, hashes in (("one", 20), ("one", 0), ("two", 20)):
        hashed.clear()
        with StatCache(database, clock=lambda: newest + 30_000_000, boot_id=boot) as cache:
            cache.artifact(data)
        assert len(hashed) == hashes


def test_deleted_files_are_forgotten_but_not_rows_of_other_processes(database: Path, data: Path) -> None:
    with StatCache(database, clock=in_an_hour) as cache:
        cache.artifact(data)
        cache.artifact(data / "0")
    (data / "0" / "file0").unlink()
    with StatCache(database, clock=in_an_hour) as cache:
        cache.artifact(data)

    assert row_of(database, os.fsencode(data / "0" / "file0")) is None
    assert row_of(database, os.fsencode(data / "0") + b"/") is not None
    with contextlib.closing(Rows(database, readonly=True)) as rows:
        assert len(rows.below(os.fsencode(data))) == 19 + 1


def test_neighbours_with_similar_names_are_not_mixed_up(database: Path, data: Path, hashed: list[int]) -> None:
    for name in ("data0", "data-", "data.d", "dat"):
        other = data.with_name(name)
        other.mkdir()
        (other / "file").write_bytes(name.encode())
    with StatCache(database, clock=in_an_hour) as cache:
        for path in sorted(data.parent.glob("dat*")):
            cache.artifact(path)
    (data / "0" / "file0").unlink()
    hashed.clear()

    with StatCache(database, clock=in_an_hour) as cache:
        for path in sorted(data.parent.glob("dat*")):
            cache.artifact(path)
    assert hashed == []


def test_names_are_content_whatever_they_are(database: Path, data: Path) -> None:
    names = {
        ".gitignore",
        ".pivotignore",
        "x.pvt",
        "build",
        "__pycache__",
        ".git",
        "a b",
        "a\nb",
        "-",
        "é",
        "e\u0301",
        "N" * 255,
    }
    for name in names:
        (data / name).write_bytes(name.encode())
    (data / ".gitignore").write_bytes(b"*")

    with StatCache(database) as cache:
        assert names <= cache.tree(data).files.keys()
        assert Tree.loads(cache.tree(data).dumps(), "t") == cache.tree(data)


def test_a_symlink_to_a_file_is_that_file(database: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"one")
    (data / "link").symlink_to(tmp_path / "elsewhere")

    with StatCache(database, clock=in_an_hour) as cache:
        assert cache.tree(data).files["link"] == of(b"one")
        cache.artifact(data)
        (tmp_path / "elsewhere").write_bytes(b"two")
        assert cache.tree(data).files["link"] == of(b"two")
        assert cache.artifact(data) == hash_path(data)


def test_a_symlink_to_a_directory_is_that_directory(database: Path, data: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("data")

    with StatCache(database) as cache:
        assert cache.artifact(tmp_path / "link") == cache.artifact(data)


def dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def to_directory(path: Path) -> None:
    path.symlink_to("0")


def loop(path: Path) -> None:
    path.symlink_to(path.name)


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(path))


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (dangling, "is a symbolic link that leads nowhere"),
        (to_directory, "is a symbolic link to a directory"),
        (loop, "is a symbolic link that leads nowhere"),
        (os.mkfifo, "is a named pipe, not a file"),
        (listening, "is a socket, not a file"),
    ],
)
def test_entries_that_cannot_be_content_are_refused_by_name(
    database: Path,
    store: ObjectStore,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Path], None],
    problem: str,
) -> None:
    monkeypatch.chdir(data)
    make(data / "odd")

    with StatCache(database) as cache:
        for look in (cache.artifact, cache.tree, hash_path, lambda path: ingest(path, store, cache)):
            with pytest.raises(ArtifactError) as caught:
                look(data)
            assert caught.value.path == data / "odd"
            assert caught.value.problem.startswith(problem)
            assert caught.value.hint
    assert not store.directory.exists()


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir], ids=["file", "directory"])
def test_a_name_that_is_not_utf8_is_refused_and_shown(database: Path, data: Path, make: Callable[[Path], None]) -> None:
    make(Path(os.fsdecode(os.fsencode(data) + b"/0/bad\xff")))

    with StatCache(database) as cache, pytest.raises(ArtifactError) as caught:
        cache.artifact(data)
    assert str(caught.value) == f"{data}: the name of b'0/bad\\xff' in it is not valid UTF-8"
    assert caught.value.hint == "rename it"


def test_a_path_that_is_too_long_for_the_system_is_named(database: Path, data: Path) -> None:
    here = os.open(data, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 250, dir_fd=here)
        below = os.open("d" * 250, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)

    with StatCache(database) as cache, pytest.raises(ArtifactError, match="File name too long"):
        cache.artifact(data)


def test_a_directory_that_may_not_be_read_is_named(database: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    actual = os.scandir

    def refusing(path: str) -> object:
        if path.endswith("/1"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return actual(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with StatCache(database) as cache, pytest.raises(ArtifactError) as caught:
        cache.artifact(data)
    assert str(caught.value) == f"{data / '1'}: cannot be read: Permission denied"
    assert "permissions" in str(caught.value.hint)


def test_a_file_that_goes_while_its_directory_is_read_is_named(
    database: Path, store: ObjectStore, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    actual = scan.scan

    def scanning(root: Path) -> scan.Scan:
        found = actual(root)
        (data / "0" / "file0").unlink(missing_ok=True)
        return found

    monkeypatch.setattr("pivot_cache.state.stat_cache.scan", scanning)
    monkeypatch.setattr("pivot_cache.objects.ingest.scan", scanning)
    with StatCache(database) as cache:
        for look in (cache.artifact, lambda path: ingest(path, store, cache)):
            (data / "0" / "file0").write_bytes(b"here")
            with pytest.raises(ArtifactError, match="0/file0: was removed while its directory was read"):
                look(data)


def test_a_missing_path_is_not_a_directory(database: Path, store: ObjectStore, tmp_path: Path) -> None:
    with StatCache(database) as cache:
        assert cache.artifact(tmp_path / "data") is None
        with pytest.raises(ArtifactError, match="there is no such directory"):
            cache.tree(tmp_path / "data")
        with pytest.raises(ArtifactError, match="there is no such file"):
            ingest(tmp_path / "data", store, cache)
    with pytest.raises(ArtifactError, match="there is no such file"):
        hash_path(tmp_path / "data")


def test_ingest_stores_every_file_and_the_listing(database: Path, store: ObjectStore, data: Path) -> None:
    (data / "empty").mkdir()
    sizes: list[int] = []
    with StatCache(database) as cache:
        artifact = ingest(data, store, cache, progress=sizes.append)
        tree = cache.tree(data)

    assert artifact == tree.artifact()
    assert store.tree(artifact) == tree
    assert store.has_all(artifact)
    assert set(store.digests()) == tree.digests() | {artifact.digest}
    assert sorted(sizes) == sorted(file.size for file in tree.files.values())
    assert [path.name for path in store.directory.iterdir() if len(path.name) != 2] == []


def test_stored_files_are_neither_read_nor_copied_again(
    database: Path, store: ObjectStore, data: Path, hashed: list[int]
) -> None:
    with StatCache(database, clock=in_an_hour) as cache:
        before = ingest(data, store, cache)
    assert len(hashed) == 20
    (data / "0" / "file0").write_bytes(b"changed")
    hashed.clear()

    with StatCache(database, clock=in_an_hour) as cache:
        after = ingest(data, store, cache)
        assert len(hashed) == 1
        assert ingest(data / "0" / "file3", store, cache) == of(b"3")
        assert len(hashed) == 1
    assert after == hash_path(data) != before


def test_lost_objects_are_copied_again(database: Path, store: ObjectStore, data: Path) -> None:
    with StatCache(database, clock=in_an_hour) as cache:
        artifact = ingest(data, store, cache)
        for digest in [artifact.digest, *list(store.tree(artifact).digests())[:3]]:
            store.path_of(digest).unlink()
        assert not store.has_all(artifact)

        assert ingest(data, store, cache) == artifact
        assert store.has_all(artifact)


def test_a_directory_that_was_stored_is_known(
    database: Path, store: ObjectStore, data: Path, hashed: list[int]
) -> None:
    with StatCache(database, clock=in_an_hour) as cache:
        artifact = ingest(data, store, cache)
    hashed.clear()

    with StatCache(database, clock=in_an_hour) as cache:
        assert cache.artifact(data) == artifact
    assert hashed == []


def test_an_edit_while_a_directory_is_stored_is_described_or_seen_later(
    database: Path, store: ObjectStore, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    actual = ObjectStore.put

    def editing(self: ObjectStore, source: Path, *, place: Path | None = None) -> Artifact:
        artifact = actual(self, source, place=place)
        (data / "1" / "file1").write_bytes(b"edited")
        return artifact

    monkeypatch.setattr(ObjectStore, "put", editing)
    with StatCache(database, clock=in_an_hour) as cache:
        artifact = ingest(data, store, cache)
    assert store.has_all(artifact)

    with StatCache(database, clock=in_an_hour) as cache:
        assert cache.artifact(data) == hash_path(data)


def test_large_files_are_hashed_in_several_threads(database: Path, store: ObjectStore, data: Path) -> None:
    """They wait for one another: one thread alone would wait forever."""
    for number in range(2):
        (data / f"large{number}").write_bytes(os.urandom(LARGE + number))
    meeting = threading.Barrier(2, timeout=30)

    def meet(size: int) -> None:
        if size >= LARGE:
            meeting.wait()

    with StatCache(database) as cache:
        artifact = ingest(data, store, cache, jobs=2, progress=meet)
    assert artifact == hash_path(data)


def test_an_error_in_a_thread_is_raised_where_it_was_asked_for() -> None:
    done: list[int] = []

    def work(number: int) -> int:
        if number == 3:
            raise ValueError(number)
        done.append(number)
        return number

    with pytest.raises(ValueError, match="3"):
        map_parallel(work, range(1000), lambda _: LARGE, jobs=4)
    assert len(done) < 999
    assert map_parallel(lambda n: n * 2, range(9), lambda n: LARGE * (n % 2), jobs=3) == [n * 2 for n in range(9)]
    with pytest.raises(ValueError, match="3"):
        map_parallel(work, range(9), lambda n: LARGE * (n % 2 == 0), jobs=2)
    assert map_parallel(work, [], lambda _: 1) == []


def test_a_mount_point_gets_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be renamed into the volume of a container from beside it."""
    store = ObjectStore(tmp_path / "store")
    wanted = tmp_path / "wanted"
    (wanted / "in").mkdir(parents=True)
    (wanted / "one").write_bytes(b"one")
    (wanted / "in/two").write_bytes(b"two")
    (wanted / "in/two").chmod(0o755)
    with StatCache(tmp_path / "stat") as files:
        artifact = ingest(wanted, store, files)
    volume = tmp_path / "volume"
    volume.mkdir()
    (volume / "other").write_bytes(b"")
    rename = syscalls.rename

    def across(source: str | Path, target: str | Path) -> None:
        if (volume in Path(target).parents) != (volume in Path(source).parents):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        rename(source, target)

    monkeypatch.setattr(syscalls, "rename", across)
    assert store.restore(artifact, volume) == len(["one", "in/two"])
    assert hash_path(volume) == artifact
    assert sorted(path.name for path in volume.rglob("*")) == ["in", "one", "two"]
