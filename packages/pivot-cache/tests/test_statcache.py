"""The stat cache never tells an old digest for new bytes, and never fails for its own sake."""

import contextlib
import errno
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pivot_cache import ArtifactError, ObjectStore, StatCache
from pivot_cache.files import signatures
from pivot_core.files.digest import digest_bytes
from pivot_core.lock import Artifact

HOUR_NS = 3_600_000_000_000


def in_an_hour() -> int:
    return time.time_ns() + HOUR_NS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    path.write_bytes(b"one")
    return path


def of(content: bytes, *, executable: bool = False) -> Artifact:
    return Artifact(digest_bytes(content), len(content), executable)


def test_a_settled_file_is_hashed_once(database: Path, path: Path, hashed: list[int]) -> None:
    for _ in range(2):
        with StatCache(database, clock=in_an_hour) as cache:
            assert cache.artifact(path) == of(b"one")
            assert cache.artifact(path) == of(b"one")

    assert len(hashed) == 1


def test_a_long_read_is_announced(database: Path, path: Path) -> None:
    long: list[str] = []
    with StatCache(database, clock=in_an_hour) as cache:
        cache.before_long_read = lambda: long.append("read")
        cache.artifact(path)
        assert not long
        path.write_bytes(bytes(1 << 20))
        cache.artifact(path)
        assert len(long) == 1
        cache.artifact(path)
        assert len(long) == 1, "its digest is known"
        cache.artifact(path.parent)
        assert len(long) == 2


def test_an_edit_is_seen(database: Path, path: Path) -> None:
    with StatCache(database, clock=in_an_hour) as cache:
        assert cache.artifact(path) == of(b"one")
        path.write_bytes(b"three")
        assert cache.artifact(path) == of(b"three")
    with StatCache(database, clock=in_an_hour) as cache:
        assert cache.artifact(path) == of(b"three")


def test_an_edit_of_the_same_size_with_the_time_set_back_is_seen(database: Path, path: Path) -> None:
    before = path.stat()
    with StatCache(database) as cache:
        assert cache.artifact(path) == of(b"one")
        path.write_bytes(b"two")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert path.stat().st_mtime_ns == before.st_mtime_ns
        assert cache.artifact(path) == of(b"two")


def test_an_edit_by_replacing_is_seen(database: Path, path: Path) -> None:
    before = path.stat()
    with StatCache(database) as cache:
        assert cache.artifact(path) == of(b"one")
        path.with_name("new").write_bytes(b"two")
        os.utime(path.with_name("new"), ns=(before.st_atime_ns, before.st_mtime_ns))
        path.with_name("new").replace(path)
        assert cache.artifact(path) == of(b"two")


@pytest.mark.parametrize(("age_ns", "times"), [(0, 2), (19_999_999, 2), (20_000_000, 1), (-HOUR_NS, 2)])
def test_a_file_is_remembered_only_a_step_after_its_last_change(
    database: Path, path: Path, hashed: list[int], age_ns: int, times: int
) -> None:
    changed = path.stat().st_ctime_ns
    if changed % 1_000_000_000 == 0:
        pytest.skip("the file system keeps whole seconds")
    with StatCache(database, clock=lambda: changed + age_ns) as cache:
        cache.artifact(path)
        cache.artifact(path)

    assert len(hashed) == times


@pytest.mark.parametrize(("age_ns", "settled"), [(1_999_999_999, False), (2_000_000_000, True)])
def test_whole_seconds_need_a_longer_wait(age_ns: int, settled: bool) -> None:
    assert (signatures.settles_at(5_000_000_000) <= 5_000_000_000 + age_ns) == settled


def test_a_file_that_changes_while_it_is_hashed_is_not_remembered(
    database: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readv = os.readv
    edits = iter([b"two"])

    def editing(descriptor: int, buffers: list[memoryview]) -> int:
        count = readv(descriptor, buffers)
        for edit in edits:
            path.write_bytes(edit)
        return count

    monkeypatch.setattr(os, "readv", editing)
    with StatCache(database, clock=in_an_hour) as cache:
        cache.artifact(path)
        assert cache.artifact(path) == of(b"two")


def test_a_file_hashed_soon_after_a_change_is_hashed_again_after_a_restart(
    database: Path, path: Path, hashed: list[int]
) -> None:
    changed = path.stat().st_ctime_ns

    def one_second_later() -> int:
        return changed + 1_000_000_000

    for boot in ("first", "first", "second"):
        with StatCache(database, clock=one_second_later, boot_id=boot) as cache:
            assert cache.artifact(path) == of(b"one")
    assert len(hashed) == 2

    for boot in ("second", "third", "fourth"):
        with StatCache(database, clock=in_an_hour, boot_id=boot) as cache:
            assert cache.artifact(path) == of(b"one")
    assert len(hashed) == 3


def test_the_executable_bit_is_that_of_now(database: Path, path: Path) -> None:
    with StatCache(database, clock=in_an_hour) as cache:
        assert cache.artifact(path) == of(b"one")
        path.chmod(0o755)
        assert cache.artifact(path) == of(b"one", executable=True)
        assert cache.artifact(path) == of(b"one", executable=True)


def test_nothing_and_a_symlink_to_nothing_are_nothing(database: Path, path: Path) -> None:
    path.with_name("dangling").symlink_to("nowhere")
    with StatCache(database) as cache:
        assert cache.artifact(path.with_name("nothing")) is None
        assert cache.artifact(path / "below") is None
        assert cache.artifact(path.with_name("dangling")) is None


def test_a_symlink_means_the_content_it_leads_to(database: Path, path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to("data")
    with StatCache(database, clock=in_an_hour) as cache:
        assert cache.artifact(link) == of(b"one")
        path.with_name("other").write_bytes(b"two")
        link.unlink()
        link.symlink_to("other")
        assert cache.artifact(link) == of(b"two")


def loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (os.mkfifo, "is a named pipe, not a file"),
        (loop, "cannot be read: Too many levels of symbolic links"),
    ],
)
def test_irregular_files_are_refused_by_name(
    database: Path, tmp_path: Path, make: Callable[[Path], object], problem: str
) -> None:
    make(tmp_path / "odd")

    with StatCache(database) as cache, pytest.raises(ArtifactError) as caught:
        cache.artifact(tmp_path / "odd")
    assert str(caught.value) == f"{tmp_path / 'odd'}: {problem}"
    assert caught.value.hint


def test_a_file_that_may_not_be_read_is_refused_by_name(
    database: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refusing(*args: object) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "open", refusing)
    with StatCache(database) as cache, pytest.raises(ArtifactError, match="data: cannot be read: Permission denied"):
        cache.artifact(path)


def test_long_and_odd_names_are_fine(database: Path, tmp_path: Path, hashed: list[int]) -> None:
    deep = tmp_path.joinpath(*["d" * 200] * 10)
    deep.mkdir(parents=True)
    odd = [deep / ("f" * 255), Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\n?#%"))]
    for file in odd:
        file.write_bytes(b"one")

    for _ in range(2):
        with StatCache(database, clock=in_an_hour) as cache:
            assert [cache.artifact(file) for file in odd] == [of(b"one")] * 2
    assert len(hashed) == 2


def test_looking_leaves_no_trace(database: Path, path: Path) -> None:
    with StatCache(database, clock=in_an_hour, readonly=True) as cache:
        assert cache.artifact(path) == of(b"one")
    with StatCache(database, clock=in_an_hour) as cache:
        assert cache.artifact(path.with_name("nothing")) is None

    assert not database.parent.exists()


def test_a_readonly_stat_cache_reads_but_never_writes(database: Path, path: Path, hashed: list[int]) -> None:
    with StatCache(database, clock=in_an_hour) as cache:
        cache.artifact(path)
    before = database.read_bytes()
    path.with_name("other").write_bytes(b"two")

    with StatCache(database, clock=in_an_hour, readonly=True) as cache:
        assert cache.artifact(path) == of(b"one")
        assert cache.artifact(path.with_name("other")) == of(b"two")
    assert len(hashed) == 2
    assert database.read_bytes() == before
    assert os.listdir(database.parent) == [database.name]


def garbage(file: Path) -> None:
    file.write_bytes(b"garbage" * 1000)


def truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:5000])


def other_tables(file: Path) -> None:
    connection = sqlite3.connect(file)
    connection.executescript("DROP TABLE files; CREATE TABLE other (x)")
    connection.close()


def empty(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize("damage", [garbage, truncated, other_tables, empty])
def test_a_damaged_database_is_rebuilt(
    database: Path, path: Path, hashed: list[int], damage: Callable[[Path], None]
) -> None:
    with StatCache(database, clock=in_an_hour) as cache:
        cache.artifact(path)
    damage(database)

    with StatCache(database, clock=in_an_hour, readonly=True) as cache:
        assert cache.artifact(path) == of(b"one")
    with StatCache(database, clock=in_an_hour) as cache:
        assert cache.artifact(path) == of(b"one")
    hashed.clear()
    with StatCache(database, clock=in_an_hour) as cache:
        assert cache.artifact(path) == of(b"one")
    assert hashed == []


def test_a_row_that_was_changed_is_not_believed(database: Path, path: Path) -> None:
    with StatCache(database, clock=in_an_hour) as cache:
        cache.artifact(path)
    connection = sqlite3.connect(database)
    with connection:
        connection.execute("UPDATE files SET digest = ?", ("0" * 32,))
    with StatCache(database, clock=in_an_hour, readonly=True) as cache:
        assert cache.artifact(path) == of(b"one")
    with connection:
        connection.execute("UPDATE files SET digest = 7, signature = NULL")
    connection.close()
    with StatCache(database, clock=in_an_hour) as cache:
        assert cache.artifact(path) == of(b"one")


def test_a_newer_database_is_left_alone(database: Path, path: Path) -> None:
    database.parent.mkdir()
    connection = sqlite3.connect(database)
    connection.executescript("CREATE TABLE newer (x); PRAGMA user_version = 99")
    connection.close()
    before = database.read_bytes()

    with StatCache(database, clock=in_an_hour) as cache:
        assert cache.artifact(path) == of(b"one")
        assert cache.artifact(path) == of(b"one")
    assert database.read_bytes() == before


def test_a_locked_database_is_bypassed(database: Path, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with StatCache(database, clock=in_an_hour) as cache:
        cache.artifact(path)
    monkeypatch.setattr("pivot_cache.state.derived_db._BUSY_SECONDS", 0.0)
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        with StatCache(database, clock=in_an_hour) as cache:
            assert cache.artifact(path) == of(b"one")
    finally:
        connection.close()


def test_a_directory_in_the_place_of_the_database_is_bypassed(database: Path, path: Path) -> None:
    database.mkdir(parents=True)

    with StatCache(database, clock=in_an_hour) as cache:
        assert cache.artifact(path) == of(b"one")
    database.rmdir()
    database.parent.rmdir()
    database.parent.write_bytes(b"in the way")
    with StatCache(database, clock=in_an_hour) as cache:
        assert cache.artifact(path) == of(b"one")


def test_threads_share_one(database: Path, tmp_path: Path) -> None:
    files = [tmp_path / f"file{number}" for number in range(20)]
    for number, file in enumerate(files):
        file.write_bytes(b"%d" % number)
    found: list[list[Artifact | None]] = []
    with StatCache(database, clock=in_an_hour) as cache:
        threads = [
            threading.Thread(target=lambda: found.append([cache.artifact(file) for file in files])) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert found == [[of(b"%d" % number) for number in range(20)]] * 4


def test_processes_share_one_file(database: Path, tmp_path: Path, hashed: list[int]) -> None:
    for number in range(40):
        (tmp_path / f"file{number}").write_bytes(b"%d" % number)
    program = """
import pathlib, sys, time
from pivot_cache import StatCache
root, me = pathlib.Path(sys.argv[1]), int(sys.argv[2])
for step in range(10):
    with StatCache(root / "state.db" / "statcache.sqlite", clock=lambda: time.time_ns() + 10**12) as cache:
        assert cache.artifact(root / f"file{me * 10 + step}").size == len(str(me * 10 + step))
"""
    processes = [subprocess.Popen([sys.executable, "-c", program, tmp_path, str(number)]) for number in range(4)]
    assert [process.wait() for process in processes] == [0] * 4

    with StatCache(database, clock=in_an_hour) as cache:
        for number in range(40):
            assert cache.artifact(tmp_path / f"file{number}") == of(b"%d" % number)
    assert hashed == []


def test_a_large_new_file_is_read_once_when_it_is_stored(
    database: Path, tmp_path: Path, hashed: list[int], store: ObjectStore
) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(1 << 20))
    with StatCache(database) as cache:
        stored = cache.storing(path, store.put)
    with StatCache(database) as cache:
        assert cache.artifact(path) == stored

    assert len(hashed) == 1


def test_a_file_that_changes_while_it_is_stored_is_not_remembered(
    database: Path, path: Path, store: ObjectStore
) -> None:
    def put_and_edit(file: str) -> Artifact:
        artifact = store.put(file)
        path.write_bytes(b"two")
        return artifact

    with StatCache(database, clock=in_an_hour) as cache:
        assert cache.storing(path, put_and_edit) == of(b"one")
        assert cache.artifact(path) == of(b"two")


def test_what_is_prefetched_needs_no_further_query(database: Path, tmp_path: Path, hashed: list[int]) -> None:
    """Not even where another process locks the database meanwhile; files without a row are among them."""
    paths = [tmp_path / f"file{number}" for number in range(1200)]
    for number, path in enumerate(paths):
        path.write_bytes(b"%d" % number)
    with StatCache(database, clock=in_an_hour) as cache:
        expected = [cache.artifact(path) for path in paths[:-1]]
    hashed.clear()

    with StatCache(database, clock=in_an_hour) as cache:
        cache.prefetch([*map(str, paths), str(tmp_path / "nothing")])
        with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            assert [cache.artifact(path) for path in paths[:-1]] == expected
            assert cache.known(paths[-1]) is None
        assert hashed == []


def test_rows_that_were_prefetched_are_replaced_by_new_ones(database: Path, path: Path) -> None:
    with StatCache(database, clock=in_an_hour) as cache:
        cache.prefetch([str(path)])
        assert cache.artifact(path) == of(b"one")
        cache.flush()
        assert cache.known(path) == of(b"one")
        path.write_bytes(b"three")
        assert cache.artifact(path) == of(b"three")
        cache.flush()
        assert cache.known(path) == of(b"three")


def test_known_files_are_never_hashed(database: Path, path: Path, hashed: list[int]) -> None:
    with StatCache(database, clock=in_an_hour) as cache:
        assert cache.known(path) is None
        assert cache.known(path.with_name("nothing")) is None
        cache.artifact(path)
        hashed.clear()
        assert cache.known(path) == of(b"one")
        path.write_bytes(b"other")
        assert cache.known(path) is None
    assert hashed == []
