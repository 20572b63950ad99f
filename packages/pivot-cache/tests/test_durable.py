"""Which files are flushed, and when: before they are seen, before they lose their place, with all names on the way."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pivot_cache import CacheError, MissingObjectError, ObjectStore, StatCache
from pivot_cache.files import atomic, durable, syscalls
from pivot_cache.objects.ingest import ingest
from pivot_core.files.digest import digest_bytes
from pivot_core.lock import Artifact


@pytest.fixture(autouse=True)
def _nothing_reached() -> Iterator[None]:
    durable._reached.clear()
    yield
    durable._reached.clear()


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every change and flush, as text: ``fsync name`` by what the descriptor's file is called then."""
    seen: list[str] = []

    def before(operation: str, *arguments: object) -> None:
        if operation in {"fsync", "syncfs"}:
            descriptor = arguments[0]
            assert isinstance(descriptor, int)
            status = os.fstat(descriptor)
            seen.append(f"{operation} {status.st_ino}")
        else:
            seen.append(operation)

    monkeypatch.setattr(syscalls, "before", before)
    return seen


def flush_of(path: Path) -> str:
    return f"fsync {path.stat().st_ino}"


def test_a_durable_file_is_on_the_disk_before_it_has_its_name_and_its_name_is_in_the_end(
    tmp_path: Path, done: list[str]
) -> None:
    file = tmp_path / "new" / "place" / "config.yaml"
    atomic.write_bytes(file, b"one", durable=True)

    at = done.index("rename")
    assert done.index(flush_of(file)) < at
    for place in (file.parent, file.parent.parent, tmp_path):
        assert done.index(flush_of(place)) > at


def test_a_file_that_is_not_asked_to_last_costs_no_flush(tmp_path: Path, done: list[str]) -> None:
    atomic.write_bytes(tmp_path / "file", b"one")
    assert not atomic.change_bytes(tmp_path / "file", b"one")
    assert not any(name.startswith(("fsync", "syncfs")) for name in done)


def test_a_durable_content_that_is_there_already_may_have_been_written_a_moment_ago(
    tmp_path: Path, done: list[str]
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"one")
    assert not atomic.change_bytes(file, b"one", durable=True)
    assert {flush_of(file), flush_of(tmp_path)} <= set(done)


def test_the_names_above_are_flushed_once_and_again_for_a_directory_that_is_made_again(
    tmp_path: Path, done: list[str]
) -> None:
    place = tmp_path / "a"
    place.mkdir()
    durable.flush_directory(place)
    done.clear()
    durable.flush_directory(place)
    assert done == [flush_of(place)]

    place.rename(tmp_path / "b")
    place.mkdir()
    done.clear()
    durable.flush_directory(place)
    assert done == [flush_of(place), flush_of(tmp_path)]


def test_a_directory_behind_a_link_is_flushed_itself(tmp_path: Path, done: list[str]) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "link" / "file").write_bytes(b"x")
    durable.flush_files([tmp_path / "link" / "file"])
    assert {flush_of(tmp_path / "real" / "file"), flush_of(tmp_path / "real")} <= set(done)


@pytest.mark.parametrize("together", [True, False])
def test_a_directory_with_all_that_is_in_it(
    tmp_path: Path, done: list[str], monkeypatch: pytest.MonkeyPatch, together: bool
) -> None:
    top = tmp_path / "data"
    for number in range(20):
        (top / f"{number % 3}").mkdir(parents=True, exist_ok=True)
        (top / f"{number % 3}" / f"{number}").write_bytes(b"%d" % number)
    (top / "link").symlink_to("nowhere")
    (top / "empty").mkdir()
    os.mkfifo(top / "pipe")
    if not together:
        monkeypatch.setattr(syscalls, "_syncfs", lambda: None)
    durable.flush_tree(top)

    flushed = {flush_of(path) for path in [*top.rglob("*"), top, tmp_path] if path.is_dir()}
    assert flushed <= set(done)
    files = {flush_of(path) for path in top.rglob("*") if path.is_file()}
    assert files <= set(done) if not together or syscalls._syncfs() is None else not files & set(done)
    assert any(name.startswith("syncfs") for name in done) is (together and syscalls._syncfs() is not None)


def test_a_failed_flush_is_an_error_that_names_the_path(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="cannot flush"):
        durable.flush_files([tmp_path / "absent"])
    durable.flush_files([])


def test_objects_that_are_kept_are_on_the_disk_and_need_no_look_after_a_start(tmp_path: Path, done: list[str]) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "a").write_bytes(b"a")
    (data / "b").write_bytes(b"bb")
    store = ObjectStore(tmp_path / "store")
    with StatCache(tmp_path / "statcache") as files:
        artifact = ingest(data, store, files)
    assert not any(name.startswith("fsync") for name in done)
    store.persist(artifact)
    objects = [store.path_of(digest) for digest in (artifact.digest, *store.tree(artifact).digests())]
    assert len(objects) == 3
    for path in objects:
        assert {flush_of(path), flush_of(path.parent)} <= set(done)

    done.clear()
    store.persist(artifact)
    assert done == []  # they are there already
    (data / "b").write_bytes(b"other")
    with StatCache(tmp_path / "statcache") as files:
        store.persist(edited := ingest(data, store, files))
    new = [store.path_of(digest) for digest in (edited.digest, digest_bytes(b"other"))]
    assert {flush_of(path) for path in new} <= set(done)
    assert not {flush_of(path) for path in objects} & set(done)

    later = ObjectStore(tmp_path / "store", boot_id="next", boot_time_ns=objects[0].stat().st_ctime_ns + 3600 * 10**9)
    done.clear()
    assert later.has_all(artifact)
    assert done == []  # what is verified is marked


def test_an_object_that_is_not_there_cannot_be_kept(tmp_path: Path) -> None:
    with pytest.raises(MissingObjectError):
        ObjectStore(tmp_path / "store").persist(Artifact(digest_bytes(b"x"), 1))


@pytest.mark.parametrize("lasting", [False, True])
def test_pipes_and_the_like_are_replaced_without_waiting(tmp_path: Path, lasting: bool) -> None:
    (tmp_path / "device").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    for name in ("device", "pipe"):
        assert atomic.change_bytes(tmp_path / name, b"new", durable=lasting)
        assert (tmp_path / name).read_bytes() == b"new"
