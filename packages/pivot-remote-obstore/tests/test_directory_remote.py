"""Objects on a shared drive appear whole or not at all, replace nothing, and can be read by the directory's group."""

import asyncio
import errno
import os
import random
import stat
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from pivot_cache.files import durable, syscalls
from pivot_cache.remotes import stalls
from pivot_cache.remotes.protocol import (
    RemoteDeniedError,
    RemoteError,
    RemoteNotFoundError,
    RemoteTimeoutError,
    RemoteUnreachableError,
)
from pivot_cache.testing import power_cut
from pivot_core.files.digest import digest_bytes
from pivot_remote_obstore import DirectoryRemote, directory, directory_batch
from pivot_remote_obstore.limits import Deadlines

DATA = bytes(range(256)) * 5000
DIGEST = digest_bytes(DATA)


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    path = tmp_path / "drive"
    path.mkdir(0o755)
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(DATA)
    return path


@pytest.fixture
def umask() -> Iterator[Callable[[int], int]]:
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


type Upload = Callable[[DirectoryRemote, Path], bool]


def upload_alone(remote: DirectoryRemote, source: Path) -> bool:
    async def work() -> bool:
        async with remote:
            return await remote.upload(DIGEST, source, lambda _: None)

    return asyncio.run(work())


def upload_batch(remote: DirectoryRemote, *sources: Path) -> Mapping[str, bool | None]:
    async def work() -> Mapping[str, bool | None]:
        async with remote:
            return await remote.upload_batch({digest_bytes(source.read_bytes()): str(source) for source in sources})

    return asyncio.run(work())


@pytest.fixture(params=["alone", "in a batch"])
def upload(request: pytest.FixtureRequest) -> Upload:
    if request.param == "alone":
        return upload_alone
    return lambda remote, source: upload_batch(remote, source)[DIGEST] is True


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """More files than are flushed one by one, which are one batch however busy the machine is."""
    monkeypatch.setattr(directory_batch, "LONGEST_S", 60.0)
    (tmp_path / "small").mkdir()
    paths = [tmp_path / "small" / f"{number}" for number in range(12)]
    for number, path in enumerate(paths):
        path.write_bytes(b"%d" % number * 500)
    return paths


def end_threads() -> None:
    """Wait for threads that were left to themselves, so that they call nothing during the next test."""
    for thread in threading.enumerate():
        if thread.name == "pivot drive":
            thread.join()


def names(drive: Path) -> set[str]:
    return {path.relative_to(drive).as_posix() for path in drive.rglob("*") if path.is_file()}


OBJECT = f"files/{DIGEST[:2]}/{DIGEST[2:]}"


def test_nothing_but_the_whole_object_is_ever_seen(
    upload: Upload, drive: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def before(operation: str, *_: object) -> None:
        seen.append(operation)
        found = drive / OBJECT
        assert not found.exists() or found.read_bytes() == DATA

    monkeypatch.setattr(syscalls, "before", before)
    assert upload(DirectoryRemote(drive), source)

    assert names(drive) == {OBJECT}
    assert seen.index("fsync") < seen.index("link") < len(seen) - 1 - seen[::-1].index("fsync"), "and then its name"


@pytest.mark.parametrize("failing", ["mkdir", "create", "write", "fsync", "link", "chmod", "fchmod"])
def test_a_failure_leaves_nothing(
    upload: Upload,
    drive: Path,
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
    umask: Callable[[int], int],
    failing: str,
) -> None:
    if failing.endswith("chmod"):
        drive.chmod(0o2775)
        umask(0o077)

    def before(operation: str, *_: object) -> None:
        if operation == failing or (operation == "clone" and failing == "write"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def no_copy(*_: object) -> int:
        raise OSError(errno.ENOSYS, "not here")

    monkeypatch.setattr(os, "copy_file_range", no_copy)
    monkeypatch.setattr(syscalls, "before", before)
    with pytest.raises(RemoteError, match="No space left on device") as caught:
        upload(DirectoryRemote(drive), source)

    assert "free some space" in (caught.value.hint or "")
    assert names(drive) == set()


@pytest.mark.parametrize(
    ("number", "kind", "hint"),
    [
        (errno.EACCES, RemoteDeniedError, "rights of your user and group"),
        (errno.EROFS, RemoteDeniedError, "mounted read-only"),
        (errno.ESTALE, RemoteUnreachableError, "mounted and its server runs"),
        (errno.EINVAL, RemoteError, "remove the cause"),
    ],
)
def test_errors_of_the_drive_have_hints(
    drive: Path,
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    kind: type[RemoteError],
    hint: str,
) -> None:
    def before(operation: str, *_: object) -> None:
        if operation == "create":
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(syscalls, "before", before)
    with pytest.raises(kind) as caught:
        upload_batch(DirectoryRemote(drive), source)
    assert hint in (caught.value.hint or "")


def test_a_drive_that_is_not_mounted_is_no_empty_remote(upload: Upload, tmp_path: Path, source: Path) -> None:
    with pytest.raises(RemoteNotFoundError, match="there is no directory") as caught:
        upload(DirectoryRemote(tmp_path / "drive"), source)
    assert "mkdir -p" in (caught.value.hint or "")
    assert not (tmp_path / "drive").exists()

    (tmp_path / "drive").write_text("")
    with pytest.raises(RemoteError, match="is not a directory"):
        upload(DirectoryRemote(tmp_path / "drive"), source)


def test_a_drive_that_is_unmounted_meanwhile_is_not_created(drive: Path, source: Path) -> None:
    async def work() -> None:
        async with DirectoryRemote(drive) as remote:
            os.rmdir(drive)
            with pytest.raises(RemoteNotFoundError, match="there is no directory"):
                await remote.upload(DIGEST, source, lambda _: None)

    asyncio.run(work())
    assert not drive.exists()


def test_whoever_is_first_wins(upload: Upload, drive: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def before(operation: str, *_: object) -> None:
        if operation == "link":
            (drive / OBJECT).write_bytes(b"of somebody else")

    monkeypatch.setattr(syscalls, "before", before)
    assert upload(DirectoryRemote(drive), source) is False
    assert (drive / OBJECT).read_bytes() == b"of somebody else"
    assert names(drive) == {OBJECT}


def test_a_link_whose_answer_was_lost_counts(
    upload: Upload, drive: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client of a network file system repeats the request, and reports that the name exists."""

    def link(name: Path, target: Path) -> None:
        os.link(name, target)
        raise FileExistsError(errno.EEXIST, "exists")

    monkeypatch.setattr(syscalls, "link", link)
    assert upload(DirectoryRemote(drive), source) is True
    assert names(drive) == {OBJECT}


def test_file_systems_without_links(upload: Upload, drive: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: Path) -> None:
        raise PermissionError(errno.EPERM, "no links here")

    monkeypatch.setattr(syscalls, "link", link)
    assert upload(DirectoryRemote(drive), source) is True
    assert (drive / OBJECT).read_bytes() == DATA
    assert upload(DirectoryRemote(drive), source) is False
    assert names(drive) == {OBJECT}


def test_a_groups_directory_stays_the_groups(
    upload: Upload, drive: Path, source: Path, umask: Callable[[int], int]
) -> None:
    drive.chmod(0o2775)
    umask(0o077)

    upload(DirectoryRemote(drive), source)

    found = {place: stat.S_IMODE(place.stat().st_mode) for place in (drive / OBJECT, *(drive / OBJECT).parents[:2])}
    assert list(found.values()) == [0o440, 0o2770, 0o2770]


def test_elsewhere_the_umask_decides(upload: Upload, drive: Path, source: Path, umask: Callable[[int], int]) -> None:
    umask(0o027)

    upload(DirectoryRemote(drive), source)

    assert stat.S_IMODE((drive / OBJECT).stat().st_mode) == 0o440
    assert stat.S_IMODE((drive / OBJECT).parent.stat().st_mode) == 0o750


def test_old_leftovers_are_removed(upload: Upload, drive: Path, source: Path) -> None:
    place = (drive / OBJECT).parent
    place.mkdir(parents=True)
    for name in (".pivot-old.tmp", ".pivot-young.tmp", "other"):
        (place / name).touch()
    os.utime(place / ".pivot-old.tmp", (0, 0))
    os.utime(place / "other", (0, 0))

    upload(DirectoryRemote(drive), source)

    assert {path.name for path in place.iterdir()} == {".pivot-young.tmp", "other", DIGEST[2:]}


def test_only_regular_files_are_objects(drive: Path, tmp_path: Path) -> None:
    place = (drive / OBJECT).parent
    place.mkdir(parents=True)
    (place / DIGEST[2:]).symlink_to(tmp_path)
    os.mkfifo(place / f"{DIGEST[2:-1]}z")
    pipe = digest_bytes(b"pipe")
    (drive / f"files/{pipe[:2]}").mkdir(exist_ok=True)
    os.mkfifo(drive / f"files/{pipe[:2]}/{pipe[2:]}")

    async def work() -> None:
        async with DirectoryRemote(drive) as remote:
            assert await remote.exists([DIGEST, pipe]) == {}
            assert [each async for each in remote.digests()] == []
            for digest in (DIGEST, pipe):
                with pytest.raises(RemoteNotFoundError):
                    async with remote.read(digest):
                        pass

    asyncio.run(work())


def test_a_large_file_has_a_deadline_for_each_step(
    upload: Upload, drive: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "STEP", 100_000)
    answering = threading.Event()
    flushed: list[str] = []

    def before(operation: str, *_: object) -> None:
        if operation == "fsync":
            flushed.append(operation)
            if len(flushed) == 3:
                answering.wait()

    monkeypatch.setattr(syscalls, "before", before)
    remote = DirectoryRemote(drive, limits=Deadlines(timeout=0.2, rate=1_000_000))  # 0.3 s, and not 1.5 s
    try:
        with pytest.raises(RemoteTimeoutError, match="does not answer"):
            upload(remote, source)
    finally:
        answering.set()
        end_threads()
    assert not (drive / OBJECT).exists() or (drive / OBJECT).read_bytes() == DATA


def test_a_silent_drive_is_reported_and_given_up(drive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answering = threading.Event()
    reported: list[str] = []

    def open_file(_: Path) -> None:
        answering.wait()

    monkeypatch.setattr(directory, "open_file", open_file)
    remote = DirectoryRemote(drive, limits=Deadlines(timeout=0.2))

    async def work() -> None:
        async with remote, remote.read(DIGEST):
            pass

    with (
        stalls.listen(lambda address, _: reported.append(address)),
        pytest.raises(RemoteTimeoutError, match="does not answer"),
    ):
        asyncio.run(work())
    answering.set()
    assert reported == [remote.name]


@pytest.mark.parametrize("shares", [False, True])
def test_large_objects_are_copied_and_seen_in_order(
    drive: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shares: bool
) -> None:
    """Whether or not the file system shares blocks between files."""

    def clone_range(source: int, target: int, start: int, stop: int) -> None:
        if not shares:
            raise OSError(errno.EOPNOTSUPP, "not here")
        os.pwrite(target, os.pread(source, stop - start, start), start)

    monkeypatch.setattr(syscalls, "clone_range", clone_range)
    monkeypatch.setattr(directory, "STEP", 1 << 18)
    remote, seen = DirectoryRemote(drive), bytearray()
    assert upload_batch(remote, source) == {DIGEST: True}
    assert (drive / OBJECT).read_bytes() == DATA
    monkeypatch.setattr(syscalls, "create", None)  # what exists is not written again
    assert upload_batch(remote, source) == {DIGEST: False}

    async def copy(target: int) -> None:
        async with remote:
            for start, stop in ((0, 1 << 18), (1 << 18, 2 * len(DATA))):
                assert await remote.copy_part(DIGEST, target, start, stop, seen.extend) == len(DATA)

    with (tmp_path / "copy").open("w+b") as file:
        asyncio.run(copy(file.fileno()))
        assert file.read() == DATA
    assert seen == DATA


def test_a_large_file_that_is_damaged_is_not_published(drive: Path, source: Path) -> None:
    async def work() -> Mapping[str, bool | None]:
        async with DirectoryRemote(drive) as remote:
            return await remote.upload_batch({digest_bytes(b"other"): str(source), DIGEST: str(source.parent)})

    assert asyncio.run(work()) == {digest_bytes(b"other"): None, DIGEST: None}
    assert names(drive) == set()


def test_a_batch_is_flushed_together_before_its_names_appear(
    drive: Path, small: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(syscalls, "before", lambda operation, *_: seen.append(operation))

    assert set(upload_batch(DirectoryRemote(drive), *small).values()) == {True}

    assert seen.count("syncfs") == 2, "the bytes, and the names"
    assert seen.index("syncfs") == seen.index("link") - 1
    assert "fsync" not in seen


def test_a_file_system_without_a_common_flush(drive: Path, small: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[bytes] = []
    monkeypatch.setattr(syscalls, "syncfs", lambda _: False)
    monkeypatch.setattr(syscalls, "fsync", lambda descriptor: flushed.append(os.pread(descriptor, 1000, 0)))
    monkeypatch.setattr(durable, "flush_directory", lambda _: None)

    assert set(upload_batch(DirectoryRemote(drive), *small).values()) == {True}
    assert flushed == [path.read_bytes() for path in small]


def test_a_power_cut_leaves_whole_objects_of_a_batch(drive: Path, small: list[Path]) -> None:
    for path in small[:3]:
        upload_batch(DirectoryRemote(drive), path)
    with power_cut.SyscallRecorder(drive, wanted=lambda operation: operation in ("syncfs", "link")) as recorder:
        upload_batch(DirectoryRemote(drive), *small)

    wanted, losses = {digest_bytes(path.read_bytes()) for path in small}, 0
    for number, moment in enumerate(recorder.moments):
        losses += len(power_cut.strike(drive, moment, random.Random(number)))
        found = {path.parent.name + path.name: path for path in drive.glob("files/*/*") if path.name[0] != "."}
        assert {digest: digest_bytes(path.read_bytes()) for digest, path in found.items()} == {
            digest: digest for digest in found
        }
        assert len(found) >= 3
    assert found.keys() == wanted
    assert losses


@pytest.mark.parametrize("failing", ["create", "write", "link"])
def test_what_was_written_before_an_error_is_published(
    drive: Path, small: list[Path], monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    left = [5]

    def before(operation: str, *_: object) -> None:
        left[0] -= operation == failing
        if operation == failing and left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(syscalls, "before", before)
    outcome = upload_batch(DirectoryRemote(drive), *small)
    assert list(outcome.values()) == [True] * 5
    assert len(names(drive)) == 5

    with pytest.raises(RemoteError, match="No space left on device"):
        upload_batch(DirectoryRemote(drive), *small[5:])
    assert len(names(drive)) == 5


def test_a_slow_drive_gets_small_batches(drive: Path, small: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory_batch, "LONGEST_S", -1.0)
    remote = DirectoryRemote(drive)

    assert list(upload_batch(remote, *small).values()) == [True]

    async def read() -> Mapping[str, bytes | None]:
        async with remote:
            return await remote.read_batch({digest_bytes(path.read_bytes()): path.stat().st_size for path in small})

    assert list(asyncio.run(read()).values()) == [small[0].read_bytes()]


@pytest.mark.parametrize("end", ["interrupted", "too slow"])
def test_a_batch_that_nobody_waits_for_publishes_nothing(
    drive: Path, small: list[Path], monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    reached, goes_on = threading.Event(), threading.Event()

    def before(operation: str, *_: object) -> None:
        if operation == "syncfs":
            reached.set()
            goes_on.wait()

    monkeypatch.setattr(syscalls, "before", before)
    sources = {digest_bytes(path.read_bytes()): str(path) for path in small}
    timeout = 0.5 if end == "too slow" else 30.0

    async def work() -> None:
        async with DirectoryRemote(drive, limits=Deadlines(timeout=timeout, rate=1 << 30)) as remote:
            batch = asyncio.create_task(remote.upload_batch(sources))
            await asyncio.to_thread(reached.wait)
            if end == "interrupted":
                batch.cancel()
                await asyncio.sleep(0)
                goes_on.set()
            await batch

    with pytest.raises(RemoteTimeoutError if end == "too slow" else asyncio.CancelledError):
        asyncio.run(work())
    goes_on.set()
    end_threads()
    assert names(drive) == set()
