"""SSH servers on 127.0.0.1, a home directory whose key they accept, and a new directory for each test.

One server is asyncssh's, in a thread. The other is OpenSSH's, a process, where it is installed.
"""

import asyncio
import contextlib
import inspect
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from pivot_remote_ssh import SshLocation


class Faults:
    """Faults of asyncssh's server, and the requests that it gets.

    Attributes:
        hooks: By the name of a method of `asyncssh.SFTPServer`, a function that is called before it.
        requests: The names of the requests' methods, each with the first of its arguments.
    """

    def __init__(self) -> None:
        self.hooks: dict[str, Callable[..., Any]] = {}
        self.requests: list[tuple[str, object]] = []

    def count(self, name: str) -> int:
        """Return the number of requests of a kind."""
        return sum(method == name for method, _ in self.requests)


def _hooked(name: str, faults: Faults) -> Callable[..., Any]:
    async def request(server: asyncssh.SFTPServer, *arguments: object) -> object:
        faults.requests.append((name, arguments[0]))
        if name in faults.hooks:
            answer = faults.hooks[name](*arguments)
            answer = await answer if inspect.isawaitable(answer) else answer
            if answer is not None:
                return answer
        result = getattr(asyncssh.SFTPServer, name)(server, *arguments)
        return await result if inspect.isawaitable(result) else result

    return request


def _sftp_server(faults: Faults) -> type[asyncssh.SFTPServer]:
    names = ("open", "read", "write", "lstat", "stat", "fstat", "fsync", "statvfs", "link", "rename", "mkdir", "remove")
    return type("FaultySftp", (asyncssh.SFTPServer,), {name: _hooked(name, faults) for name in names})


class ServerThread:
    """Asyncssh's server, with its own event loop.

    Attributes:
        port: Its port.
        faults: Its faults, and its requests.
        connections: The connections that it has accepted.
    """

    def __init__(self, keys: Path) -> None:
        self._keys = keys
        self._started = threading.Event()
        self.port = 0
        self.faults = Faults()
        self.connections: list[asyncssh.SSHServerConnection] = []
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        self._started.wait(30)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        server = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[str(self._keys / "host")],
            authorized_client_keys=str(self._keys / "user.pub"),
            sftp_factory=_sftp_server(self.faults),
            acceptor=self.connections.append,
        )
        self.port = server.get_port()
        self._started.set()
        await self._stop.wait()
        server.close()
        for connection in self.connections:
            connection.abort()
        await server.wait_closed()

    def lose_connections(self) -> None:
        """Cut all connections; called by the server itself."""
        while self.connections:
            self.connections.pop().abort()

    def stop(self) -> None:
        """End it."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with the key of the servers, and two of users, of which they accept the first."""
    directory = tmp_path_factory.mktemp("keys")
    for name in ("host", "user", "stranger"):
        key = asyncssh.generate_private_key("ssh-ed25519")
        key.write_private_key(str(directory / name))
        (directory / name).chmod(0o600)
        key.write_public_key(str(directory / f"{name}.pub"))
    return directory


@pytest.fixture(scope="session")
def thread(keys: Path) -> Iterator[ServerThread]:
    running = ServerThread(keys)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def openssh(keys: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Return the port of OpenSSH's server."""
    program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("OpenSSH's server is not installed (sshd)")
    directory = tmp_path_factory.mktemp("sshd")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = directory / "config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {keys / 'host'}\nAuthorizedKeysFile {keys / 'user.pub'}\n"
        "PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nSubsystem sftp internal-sftp\n"
    )
    with contextlib.suppress(OSError):
        Path("/run/sshd").mkdir(exist_ok=True)  # where Debian's server wants it
    log = directory / "log"
    process = subprocess.Popen([program, "-D", "-f", str(config), "-E", str(log)])
    for _ in range(1200):  # a busy machine needs more than a few seconds
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            break
        if process.poll() is not None:
            pytest.skip(f"OpenSSH's server does not start: {log.read_text()[-300:]}")
        time.sleep(0.05)
    yield port
    process.send_signal(signal.SIGTERM)
    process.wait(30)


@pytest.fixture
def home(keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home directory with a key, and without known hosts; it hides that of the developer."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True, mode=0o700)
    shutil.copy(keys / "user", home / ".ssh" / "id_ed25519")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return home


@pytest.fixture
def trust(home: Path, keys: Path) -> Callable[[int], None]:
    """Return a function that adds a server on this port to the known hosts."""

    def add(port: int) -> None:
        key = " ".join((keys / "host.pub").read_text().split()[:2])
        with open(home / ".ssh" / "known_hosts", "a") as file:
            file.write(f"[127.0.0.1]:{port} {key}\n")

    return add


@pytest.fixture
def faults(thread: ServerThread) -> Iterator[Faults]:
    """Return those of asyncssh's server, for one test."""
    thread.faults.requests.clear()
    yield thread.faults
    thread.faults.hooks.clear()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return the directory of a remote."""
    directory = tmp_path / "served"
    directory.mkdir()
    return directory


@pytest.fixture
def location(thread: ServerThread, trust: Callable[[int], None], directory: Path) -> SshLocation:
    """Return a location on asyncssh's server."""
    trust(thread.port)
    return SshLocation("127.0.0.1", str(directory), port=thread.port)


@pytest.fixture
def openssh_location(openssh: int, trust: Callable[[int], None], directory: Path) -> SshLocation:
    """Return a location on OpenSSH's server."""
    trust(openssh)
    return SshLocation("127.0.0.1", str(directory), port=openssh)
