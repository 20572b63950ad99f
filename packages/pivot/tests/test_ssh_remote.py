"""Sharing through a machine with SSH: the commands that use a remote, and the same directory as a shared drive."""

import asyncio
import pathlib
import shutil
import subprocess
import threading
from collections.abc import Iterator

import asyncssh
import pytest
from harness import Project


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A home directory with a key, and with a server on 127.0.0.1 as the host `storage`."""
    ssh = tmp_path / "home" / ".ssh"
    ssh.mkdir(parents=True, mode=0o700)
    host, user = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    user.write_private_key(str(ssh / "id_ed25519"))
    accepted = tmp_path / "accepted"
    user.write_public_key(str(accepted))
    ready, stop = threading.Event(), threading.Event()

    async def serve() -> None:
        connections: list[asyncssh.SSHServerConnection] = []
        server = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_host_keys=[host],
            authorized_client_keys=str(accepted),
            sftp_factory=True,
            acceptor=connections.append,
        )
        name = f"[127.0.0.1]:{server.get_port()}"
        (ssh / "known_hosts").write_text(f"{name} {host.export_public_key().decode()}")
        (ssh / "config").write_text(f"Host storage\n  HostName 127.0.0.1\n  Port {server.get_port()}\n")
        ready.set()
        await asyncio.to_thread(stop.wait)
        server.close()
        for connection in connections:
            connection.abort()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(30)
    yield ssh.parent
    stop.set()
    thread.join(30)


def test_sharing_through_ssh(home: pathlib.Path, ran: pathlib.Path, empty: Project, tmp_path: pathlib.Path) -> None:
    shutil.copytree(ran, empty.root, dirs_exist_ok=True)
    served = tmp_path / "served"
    env = {"HOME": str(home), "SSH_AUTH_SOCK": ""}

    def pivot(*arguments: str, project: Project = empty, code: int = 0) -> str:
        return project.inside(*arguments, env=env, code=code)

    pivot("remote", "add", "origin", f"ssh://storage{served}")
    absent = pivot("push", code=3)
    assert f"there is no directory {served}" in absent
    assert f"`ssh storage mkdir -p {served}`" in absent
    served.mkdir()
    assert pivot("push") == "Pushed to 'origin': 2 transferred, 0 skipped, 0 failed\n"
    assert pivot("push", "--refresh") == "Pushed to 'origin': 0 transferred, 2 skipped, 0 failed\n"
    assert "2 in sync" in pivot("status", "--remote")

    mate = Project(tmp_path / "mate")
    outs = shutil.ignore_patterns("cache", "state.db", "clean.json", "summary.json")
    shutil.copytree(empty.root, mate.root, ignore=outs)
    told = pivot("pull", project=mate)
    assert told == "Fetched from 'origin': 2 transferred, 0 skipped, 0 failed\nRestored 2 file(s)\n"
    assert mate.read("clean.json") == empty.read("clean.json")

    # The same directory, as a drive.
    pivot("remote", "add", "drive", f"file://{served}")
    assert "0 transferred, 2 skipped" in pivot("push", "--remote", "drive")

    subprocess.run(["git", "init", "-q"], cwd=empty.root, check=True)
    next((empty.root / ".pivot/stages").glob("*.summarize.lock")).unlink()
    gone = pivot("remote", "gc", "-r", "origin", "--grace", "0", "--force", "--yes")
    assert "Deleted 1 object of 'origin'" in gone
    assert len([path for path in (served / "files").rglob("*") if path.is_file()]) == 1

    (home / ".ssh/known_hosts").unlink()
    assert "not among the known hosts" in pivot("push", "--refresh", project=mate, code=3)
