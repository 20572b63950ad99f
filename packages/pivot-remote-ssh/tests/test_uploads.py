"""Files appear on the server as a whole, are never replaced, and large ones resume."""

import asyncio
import errno
import os
import stat
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from pivot_cache.objects.store import ObjectStore
from pivot_cache.remotes.protocol import RemoteError, RemoteUnreachableError
from pivot_cache.remotes.transfer import fetch, push
from pivot_core.files.digest import digest_bytes
from pivot_remote_ssh import SshLocation, SshRemote

DATA = b"some bytes"
DIGEST = digest_bytes(DATA)
LARGE = os.urandom(3 << 20)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    source.write_bytes(DATA)
    return source


@pytest.fixture
def large(tmp_path: Path) -> Path:
    large = tmp_path / "large"
    large.write_bytes(LARGE)
    return large


@pytest.fixture
def private_umask() -> Iterator[None]:
    """Let the server create files for nobody else."""
    before = os.umask(0o077)
    yield
    os.umask(before)


def run[T](location: SshLocation, work: Callable[[SshRemote], Awaitable[T]], state: Path | None = None) -> T:
    async def inside() -> T:
        async with SshRemote(location, state=state, resumed=1 << 20, synced=1 << 20) as remote:
            return await work(remote)

    return asyncio.run(inside())


def upload(location: SshLocation, source: Path, state: Path | None = None) -> tuple[bool, list[int]]:
    """Upload a file: whether it is new, and what needed not be sent again."""
    sent: list[int] = []
    digest = digest_bytes(source.read_bytes())
    return run(location, lambda remote: remote.upload(digest, source, sent.append), state), sent


def rights(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def leftovers(location: SshLocation) -> list[Path]:
    return list(Path(location.path).glob("tmp/*"))


def test_a_name_that_is_taken_meanwhile_keeps_its_bytes(location: SshLocation, source: Path, faults: Any) -> None:
    target = Path(location.object(DIGEST))

    async def work(remote: SshRemote) -> bool:
        assert await remote.exists([DIGEST]) == {}
        target.parent.mkdir(parents=True)
        (target.parent / target.name).write_bytes(b"of another client")
        return await remote.upload(DIGEST, source, lambda _: None)

    assert run(location, work) is False
    assert target.read_bytes() == b"of another client"
    assert leftovers(location) == []


def unsupported(*_: object) -> None:
    raise asyncssh.SFTPOpUnsupported("")


def forbidden(*_: object) -> None:
    raise PermissionError(errno.EPERM, "")


@pytest.mark.parametrize("answer", [unsupported, forbidden])
def test_a_file_system_without_hard_links(
    location: SshLocation, source: Path, faults: Any, answer: Callable[..., None]
) -> None:
    faults.hooks["link"] = answer

    assert upload(location, source) == (True, [len(DATA)])
    Path(location.object(DIGEST)).chmod(0o600)
    Path(location.object(DIGEST)).write_bytes(b"as it was")

    async def work(remote: SshRemote) -> bool:
        # The client believes that the object is missing.
        remote._open.existence._known_missing.add(location.object(DIGEST))
        return await remote.upload(DIGEST, source, lambda _: None)

    assert run(location, work) is False
    assert Path(location.object(DIGEST)).read_bytes() == b"as it was"
    assert leftovers(location) == []


def lose_at_second_sync(thread: Any, faults: Any) -> None:
    """Lose the connections after the first megabyte was forced to the disk."""

    def lose(_: object) -> None:
        if faults.count("fsync") > 1:
            thread.lose_connections()

    faults.hooks["fsync"] = lose


def test_a_large_upload_resumes_in_a_later_process(
    location: SshLocation, large: Path, thread: Any, faults: Any, tmp_path: Path
) -> None:
    lose_at_second_sync(thread, faults)
    with pytest.raises(RemoteUnreachableError):
        upload(location, large, tmp_path / "state")
    (left,) = leftovers(location)
    faults.hooks.clear()
    faults.requests.clear()

    new, sent = upload(location, large, tmp_path / "state")

    assert new
    assert sent[0] >= 1 << 20
    assert sent[-1] == len(LARGE)
    assert faults.count("write") <= (len(LARGE) - sent[0]) // (1 << 15) + 1
    assert Path(location.object(digest_bytes(LARGE))).read_bytes() == LARGE
    assert rights(Path(location.object(digest_bytes(LARGE)))) == 0o444
    assert not left.exists()
    assert list((tmp_path / "state").iterdir()) == []


def test_an_upload_begins_again_if_the_server_lost_its_part(
    location: SshLocation, large: Path, thread: Any, faults: Any, tmp_path: Path
) -> None:
    lose_at_second_sync(thread, faults)
    with pytest.raises(RemoteUnreachableError):
        upload(location, large, tmp_path / "state")
    faults.hooks.clear()
    (left,) = leftovers(location)
    os.truncate(left, 1000)

    new, sent = upload(location, large, tmp_path / "state")

    assert (new, sent[0]) == (True, 0)
    assert Path(location.object(digest_bytes(LARGE))).read_bytes() == LARGE


def test_nothing_resumes_on_a_server_that_cannot_force_bytes_to_its_disk(
    location: SshLocation, large: Path, thread: Any, faults: Any, tmp_path: Path
) -> None:
    faults.hooks["fsync"] = unsupported
    faults.hooks["write"] = lambda _, offset, __: thread.lose_connections() if offset >= 2 << 20 else None
    with pytest.raises(RemoteUnreachableError):
        upload(location, large, tmp_path / "state")
    del faults.hooks["write"]

    assert upload(location, large, tmp_path / "state") == (True, [0, len(LARGE)])
    assert faults.count("fsync") <= 2


def test_a_failed_upload_leaves_nothing(location: SshLocation, source: Path, faults: Any) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "")

    faults.hooks["fsync"] = fail

    with pytest.raises(RemoteError):
        upload(location, source)
    assert leftovers(location) == []
    assert not Path(location.object(DIGEST)).exists()


def test_what_nobody_continues_to_upload_is_removed(location: SshLocation, source: Path) -> None:
    temporary = Path(location.temporary)
    temporary.mkdir()
    old, new, other = (temporary / name for name in ("1.old", "1.new", "other"))
    for file in (old, new, other):
        file.touch()
    for file in (old, other):
        os.utime(file, (time.time() - 3 * 24 * 3600,) * 2)

    upload(location, source)

    assert set(temporary.iterdir()) == {new, other}


def test_files_are_read_only_as_the_umask_says(location: SshLocation, source: Path, private_umask: None) -> None:
    upload(location, source)

    target = Path(location.object(DIGEST))
    assert (rights(target), rights(target.parent)) == (0o400, 0o700)


def test_a_directory_of_a_group_stays_so(
    location: SshLocation, source: Path, large: Path, tmp_path: Path, private_umask: None
) -> None:
    Path(location.path).chmod(0o2770)
    upload(location, source)
    upload(location, large)
    source.write_bytes(b"other")
    upload(location, source)

    files = [path for path in Path(location.objects).rglob("*") if path.is_file()]
    assert {rights(file) for file in files} == {0o440}
    assert len(files) == 3
    assert {rights(path) for path in Path(location.path).rglob("*") if path.is_dir()} == {0o2770}


def test_directories_are_asked_in_few_requests(location: SshLocation, source: Path, faults: Any) -> None:
    digests = [digest_bytes(b"%d" % number) for number in range(2000)]

    async def work(remote: SshRemote) -> None:
        assert await remote.exists(digests) == {}
        assert len(faults.requests) < 10
        await remote.upload(DIGEST, source, lambda _: None)
        (Path(location.object(DIGEST)).parent / os.fsdecode(b"\xff stray")).write_bytes(b"")
        faults.requests.clear()
        assert await remote.exists([*digests, DIGEST]) == {DIGEST: len(DATA)}
        assert len(faults.requests) < 10
        assert [digest async for digest in remote.digests()] == [DIGEST]

    run(location, work)


def test_the_remote_is_a_store(openssh_location: SshLocation, tmp_path: Path) -> None:
    """Pushed objects can be used as a cache, and are fetched again."""
    file = tmp_path / "file"
    file.write_bytes(LARGE * 4)
    store, other = (ObjectStore(tmp_path / name / "files") for name in ("one", "other"))
    artifact = store.put(file)
    remote = SshRemote(openssh_location, state=tmp_path / "state")

    assert push([artifact], store, remote).transferred == {artifact.digest}
    assert ObjectStore(Path(openssh_location.objects)).verified(artifact.digest, artifact.size)
    assert fetch([artifact], other, remote).transferred == {artifact.digest}
    assert other.verified(artifact.digest, artifact.size)
