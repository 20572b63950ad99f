"""Failures on the way to a server and on it, as the errors of remotes."""

import asyncio
import errno
import os
import socket
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncssh
import attrs
import pytest

from pivot_cache.remotes import stalls
from pivot_cache.remotes.options import Retry
from pivot_cache.remotes.protocol import (
    RemoteAbsentError,
    RemoteDeniedError,
    RemoteError,
    RemoteNotFoundError,
    RemoteTimeoutError,
    RemoteUnreachableError,
)
from pivot_core.files.digest import digest_bytes
from pivot_remote_ssh import SshLocation, SshRemote

DATA = b"some bytes"
DIGEST = digest_bytes(DATA)


def run[T](location: SshLocation, work: Callable[[SshRemote], Awaitable[T]], timeout: float | None = None) -> T:
    async def inside() -> T:
        async with SshRemote(location, timeout=timeout) as remote:
            return await work(remote)

    return asyncio.run(inside())


def failure(location: SshLocation, timeout: float | None = None) -> RemoteError:
    """The error of the question whether an object exists."""
    with pytest.raises(RemoteError) as caught:
        run(location, lambda remote: remote.exists([DIGEST]), timeout)
    assert caught.value.remote == str(location)
    assert caught.value.hint
    return caught.value


async def upload(remote: SshRemote, directory: Path, data: bytes = DATA) -> bool:
    source = directory / "source"
    source.write_bytes(data)
    return await remote.upload(digest_bytes(data), source, lambda _: None)


async def read(remote: SshRemote, digest: str) -> bytes:
    async with remote.read(digest) as body:
        return b"".join([part async for part in body])


def test_an_unknown_host(home: Path, location: SshLocation) -> None:
    (home / ".ssh" / "known_hosts").write_text("this line is damaged\n")

    error = failure(location)

    assert isinstance(error, RemoteDeniedError)
    assert "not among the known hosts" in str(error)
    assert f"`ssh -p {location.port} 127.0.0.1` once" in str(error.hint)


@pytest.mark.parametrize("file", ["none", "/dev/null", "/not/there"])
def test_no_setting_turns_the_check_of_the_host_off(home: Path, location: SshLocation, file: str) -> None:
    (home / ".ssh" / "config").write_text(f"UserKnownHostsFile {file}\nStrictHostKeyChecking no\n")

    assert "not among the known hosts" in str(failure(location))


def test_a_host_with_another_key(home: Path, keys: Path, location: SshLocation) -> None:
    name = f"[127.0.0.1]:{location.port}"
    (home / ".ssh" / "known_hosts").write_text(f"{name} {(keys / 'stranger.pub').read_text()}")

    error = failure(location)

    assert isinstance(error, RemoteDeniedError)
    assert "is not the known one" in str(error)
    assert f"ssh-keygen -R '{name}'" in str(error.hint)


def test_a_host_with_a_revoked_key(home: Path, keys: Path, location: SshLocation) -> None:
    with open(home / ".ssh" / "known_hosts", "a") as file:
        file.write(f"@revoked * {(keys / 'host.pub').read_text()}")

    assert "was revoked" in str(failure(location))


@pytest.mark.parametrize("key", ["stranger", None])
def test_no_key_that_the_server_accepts(home: Path, keys: Path, location: SshLocation, key: str | None) -> None:
    own = home / ".ssh" / "id_ed25519"
    own.unlink()
    if key is not None:
        own.write_bytes((keys / key).read_bytes())

    error = failure(location)

    assert isinstance(error, RemoteDeniedError)
    assert "accepted no key" in str(error)
    assert "ssh-add" in str(error.hint)


def test_a_configuration_that_cannot_be_used(home: Path, location: SshLocation) -> None:
    (home / ".ssh" / "config").write_text("Port secret\n")

    error = failure(location)

    assert isinstance(error, RemoteDeniedError)
    assert "configuration of SSH cannot be used" in str(error)
    assert "secret" not in f"{error} {error.hint}"


def test_the_configuration_says_where_and_as_whom(home: Path, keys: Path, location: SshLocation, faults: Any) -> None:
    (home / ".ssh" / "id_ed25519").rename(home / ".ssh" / "other")
    (home / ".ssh" / "keys").write_text(f"[known]:{location.port} {(keys / 'host.pub').read_text()}")
    (home / ".ssh" / "config").write_text(
        f"Host storage\n  HostName 127.0.0.1\n  Port {location.port}\n  IdentityFile ~/.ssh/other\n"
        "  HostKeyAlias known\n  UserKnownHostsFile ~/.ssh/keys /not/there\n  Ciphers aes128-ctr\n"
    )

    assert run(SshLocation("storage", location.path), lambda remote: remote.exists([DIGEST])) == {}


def test_nothing_listens_at_the_port(home: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        error = failure(SshLocation("127.0.0.1", "/x", port=free.getsockname()[1]))

    assert isinstance(error, RemoteAbsentError)
    assert "refused the connection" in str(error)
    assert "whether an SSH server runs there" in str(error.hint)


def test_a_host_that_does_not_exist(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    pauses: list[float] = []

    def not_found(*arguments: object, **_: object) -> None:
        asked.append(arguments)
        raise socket.gaierror(socket.EAI_NONAME, "no such host")

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(socket, "getaddrinfo", not_found)
    location = SshLocation("nowhere.invalid", "/x")

    assert "the host was not found" in str(failure(location))

    async def work(remote: SshRemote) -> None:
        asked.clear()
        found = await asyncio.gather(*[remote.exists([DIGEST]) for _ in range(5)], return_exceptions=True)
        assert [type(each) for each in found] == [RemoteAbsentError] * 5
        assert len(asked) == 1  # all have waited for the same attempt
        with pytest.raises(RemoteAbsentError):
            await Retry(sleep=sleep, chance=lambda: 1)(lambda: remote.exists([DIGEST]))
        assert pauses == [0.5, 1.0]

    run(location, work)


def test_a_server_that_starts_again_is_waited_for(
    location: SshLocation, thread: Any, faults: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError

    async def work(remote: SshRemote) -> None:
        faults.hooks["lstat"] = lambda *_: thread.lose_connections()
        with pytest.raises(RemoteUnreachableError, match="lost"):
            await remote.exists([DIGEST])
        monkeypatch.setattr(asyncssh, "connect", refuse)
        with pytest.raises(RemoteUnreachableError, match="refused the connection") as caught:
            await remote.exists([DIGEST])
        assert not isinstance(caught.value, RemoteAbsentError)

    run(location, work)


def test_a_server_that_says_nothing(home: Path) -> None:
    reported: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as silent, stalls.listen(lambda address, _: reported.append(address)):
        location = SshLocation("127.0.0.1", "/x", port=silent.getsockname()[1])
        error = failure(location, timeout=0.3)

    assert isinstance(error, RemoteTimeoutError)
    assert reported == [location.address]


def test_a_server_that_does_not_speak_ssh(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer() -> None:
            connection, _ = other.accept()
            with connection:
                connection.sendall(b"SSH-1.5-old\r\n")
                connection.recv(100)

        thread = threading.Thread(target=answer)
        thread.start()
        error = failure(SshLocation("127.0.0.1", "/x", port=other.getsockname()[1]), timeout=10)
        thread.join()

    assert "does not speak SSH 2" in str(error) or "connection was lost" in str(error)


def test_a_directory_that_does_not_exist(location: SshLocation, tmp_path: Path) -> None:
    absent = attrs.evolve(location, path=f"{location.path}/not there")

    async def work(remote: SshRemote) -> None:
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: remote.exists([DIGEST]),
            lambda: remote.exists([digest_bytes(b"%d" % number) for number in range(50)]),
            lambda: upload(remote, tmp_path),
            lambda: anext(remote.digests()),
            lambda: remote.read(DIGEST).__aenter__(),
        ]
        for call in calls:
            with pytest.raises(RemoteNotFoundError) as caught:
                await call()
            assert caught.value.digest is None
            assert "mkdir -p '" in str(caught.value.hint)

    run(absent, work)
    assert not Path(absent.path).exists()


def test_a_server_that_falls_silent_is_given_up_and_reached_again(location: SshLocation, faults: Any) -> None:
    silent = True

    async def lstat(_: bytes) -> None:
        if silent:
            await asyncio.Event().wait()

    faults.hooks["lstat"] = lstat

    async def work(remote: SshRemote) -> None:
        nonlocal silent
        with pytest.raises(RemoteTimeoutError):
            await asyncio.gather(remote.exists([DIGEST]), remote.exists([digest_bytes(b"other")]))
        silent = False
        assert await remote.exists([DIGEST]) == {}

    run(location, work, timeout=0.4)


def test_a_lost_connection_is_opened_again(location: SshLocation, thread: Any, faults: Any, tmp_path: Path) -> None:
    lost: list[bool] = []

    def lose(*_: object) -> None:
        if not lost:
            lost.append(True)
            thread.lose_connections()

    faults.hooks["write"] = lose

    async def work(remote: SshRemote) -> None:
        with pytest.raises(RemoteUnreachableError, match="lost"):
            await upload(remote, tmp_path)
        assert await upload(remote, tmp_path)
        assert await remote.exists([DIGEST]) == {DIGEST: len(DATA)}

    run(location, work)


@pytest.mark.parametrize(
    ("free", "flags", "said"),
    [(0, 0, "no space is left"), (1 << 30, 1, "read-only"), (1 << 30, 0, "does not say why")],
)
def test_a_failure_is_explained_by_the_file_system(
    location: SshLocation, faults: Any, tmp_path: Path, free: int, flags: int, said: str
) -> None:
    def write(*_: object) -> None:
        raise OSError(errno.ENOSPC, "")

    faults.hooks["write"] = write
    faults.hooks["statvfs"] = lambda _: asyncssh.SFTPVFSAttrs(frsize=1, bavail=free, flags=flags)

    with pytest.raises(RemoteError) as caught:
        run(location, lambda remote: upload(remote, tmp_path))

    assert said in str(caught.value)
    assert not isinstance(caught.value, RemoteUnreachableError)  # it is not repeated
    assert not list(Path(location.path).glob("tmp/*"))


def test_a_refusal(location: SshLocation, faults: Any, tmp_path: Path) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "")

    for name in ("lstat", "open"):
        faults.hooks[name] = refuse

    async def work(remote: SshRemote) -> None:
        with pytest.raises(RemoteDeniedError, match="permission denied"):
            await remote.exists([DIGEST])
        with pytest.raises(RemoteDeniedError, match="permission denied"):
            await upload(remote, tmp_path)

    run(location, work)


def test_a_body_that_breaks_off(location: SshLocation, thread: Any, faults: Any, tmp_path: Path) -> None:
    data = os.urandom(3 << 20)
    digest = digest_bytes(data)

    async def work(remote: SshRemote) -> None:
        await upload(remote, tmp_path, data)
        faults.hooks["read"] = lambda _, offset, __: thread.lose_connections() if offset > 1 << 20 else None
        with pytest.raises(RemoteUnreachableError):
            await read(remote, digest)
        faults.hooks.clear()
        assert await read(remote, digest) == data

    run(location, work)
