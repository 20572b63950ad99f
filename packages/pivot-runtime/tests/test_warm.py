"""The parts of the warm process: messages from anyone, its record, its socket, and what must be equal."""

import os
import pathlib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from pivot_cache.layout import Layout
from pivot_runtime.warm import conditions, endpoint, memory, messages, record
from pivot_runtime.warm.endpoint import EndpointError, WarmSocket
from pivot_runtime.warm.installation import Installation


@pytest.fixture
def layout(tmp_path: pathlib.Path) -> Layout:
    found = Layout(tmp_path)
    found.database_dir.mkdir(parents=True)
    return found


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, two = socket.socketpair()
    with one, two:
        yield one, two


def test_a_message_and_its_descriptors(ends: tuple[socket.socket, socket.socket]) -> None:
    message = {"op": "serve", "environment": {"A": "\udce4 ä", "B": "x" * 1_000_000}}
    with open(os.devnull, "rb") as file:
        sending = threading.Thread(target=messages.send, args=(ends[0], message, [file.fileno(), 2]))
        sending.start()
        found, fds = messages.receive(ends[1], 10, 3)
        sending.join()

    assert found == message
    assert os.fstat(fds[0]).st_rdev == os.stat(os.devnull).st_rdev
    assert not any(map(os.get_inheritable, fds))
    for fd in fds:
        os.close(fd)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        b"pivot 0\n\0\0\0\2{}",
        b"pivot 1\n\xff\xff\xff\xff{}",
        b"pivot 1\n\0\0\0\x09{}",
        b"pivot 1\n\0\0\0\2}{",
        b"pivot 1\n\0\0\0\2\xff\xff",
        b"pivot 1\n" + (200_000).to_bytes(4) + b"[" * 200_000,
    ],
)
def test_garbage(ends: tuple[socket.socket, socket.socket], sent: bytes) -> None:
    ends[0].setblocking(False)
    ends[0].sendmsg([sent[:100_000]])
    with pytest.raises(messages.MessageError):
        messages.receive(ends[1], 0.05)


def test_no_message_but_json(ends: tuple[socket.socket, socket.socket]) -> None:
    ends[0].sendall(b"pivot 1\n\0\0\0\2[]")
    assert messages.receive(ends[1], 1) == ({}, [])


def test_a_record_is_locked_as_long_as_its_process_lives(layout: Layout) -> None:
    assert record.read(layout) == (None, False)
    held = record.WarmRecord(layout, 0)
    held.write({"state": "waiting", "reason": "a long text"})
    held.write({"state": "ended"})
    assert record.read(layout) == ({"pid": os.getpid(), "state": "ended"}, True)
    with pytest.raises(BlockingIOError):
        record.WarmRecord(layout, 0)
    held.close()
    assert record.read(layout) == ({"pid": os.getpid(), "state": "ended"}, False)
    assert layout.warm_record_file.stat().st_mode & 0o777 == 0o600

    layout.warm_record_file.write_text("[1]")
    assert record.read(layout) == (None, False)
    layout.warm_record_file.chmod(0o620)  # whose pid is it?
    with pytest.raises(PermissionError):
        record.WarmRecord(layout, 0)
    layout.warm_record_file.unlink()
    os.mkfifo(layout.warm_record_file, 0o600)
    with pytest.raises(PermissionError):
        record.WarmRecord(layout, 0)


def test_the_socket(layout: Layout) -> None:
    assert endpoint.connect(layout, 1) is None
    listening = WarmSocket(layout)
    line = endpoint.connect(layout, 1)
    assert line is not None
    with line, listening.socket.accept()[0] as other:
        assert endpoint.is_own_peer(line)
        assert endpoint.is_own_peer(other)
    assert layout.warm_socket_file.stat().st_mode & 0o777 == 0o600
    assert listening.is_in_place()
    second = WarmSocket(layout)
    assert not listening.is_in_place()
    listening.close()
    assert second.is_in_place(), "only one's own is removed"
    second.socket.close()
    assert endpoint.connect(layout, 1) is None, "nobody listens any more"
    second.close()
    assert not layout.warm_socket_file.exists()
    layout.warm_socket_file.write_text("x")
    with pytest.raises(EndpointError, match="something else"):
        endpoint.connect(layout, 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can have a socket of another user")
def test_a_socket_of_another_user(layout: Layout) -> None:
    listening = WarmSocket(layout)
    os.chown(layout.warm_socket_file, 12345, 12345)
    with pytest.raises(EndpointError, match="something else"):
        endpoint.connect(layout, 1)
    listening.socket.close()


def test_conditions_of_another_process_are_equal_or_named() -> None:
    code = "import sys; from pivot_runtime.warm.conditions import conditions; print(conditions(sys.path))"

    def found(prefix: str = "", *options: str) -> str:
        words = [sys.executable, *options, "-P", "-c", code]
        script = f'{prefix} exec "$@"'
        return subprocess.run(["sh", "-c", script, "sh", *words], check=True, capture_output=True, text=True).stdout

    assert found() == found()
    for prefix, options, name in (
        ("umask 77;", (), "umask"),
        ("ulimit -n 99;", (), "resource limits"),
        ("trap '' HUP;", (), "signals"),
        ("", ("-X", "dev"), "interpreter options"),
        ("PYTHONPATH=/elsewhere", (), "module search path"),
    ):
        one, two = (eval(each) for each in (found(), found(prefix, *options)))  # our own text
        assert conditions.difference(one, two) == name


def test_variables_of_the_session_may_differ() -> None:
    one = {"HOME": "/h", "PWD": "/a", "SHLVL": "1", "ONE": "1"}
    assert conditions.different_variables(one, {"HOME": "/h", "OLDPWD": "/b", "COLUMNS": "8", "ONE": "1"}) == []
    assert conditions.different_variables(one, {"HOME": "/x", "TWO": "2"}) == ["HOME", "ONE", "TWO"]


WAITING = """
import os, pathlib, sys
from pivot_cache.layout import Layout
from pivot_runtime.warm.endpoint import WarmSocket
from pivot_runtime.warm.installation import Installation
from pivot_runtime.warm.server import Server
from pivot_runtime.warm.service import Warm

installation = Installation(1 << 62)
warm = Warm(tuple(sys.path), dict(os.environ), installation, "", (), None)
print(Server(WarmSocket(Layout(pathlib.Path(sys.argv[1]))), installation, warm, 0.01).serve())
"""


def test_it_ends_if_no_command_comes(layout: Layout) -> None:
    words = [sys.executable, "-c", WAITING, str(layout.root)]
    done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=60)

    assert done.stdout == "no command came for ten minutes\n"
    assert not layout.warm_socket_file.exists()


@pytest.mark.parametrize(
    ("meminfo", "pressure", "scarce"),
    [
        ("MemTotal: 1000 kB\nMemAvailable: 500 kB\n", "some avg10=90.0\nfull avg10=0.50 avg60=99.0 total=1\n", False),
        ("MemTotal: 1000 kB\nMemAvailable: 50 kB\n", "", True),
        ("MemTotal: 1000 kB\nMemAvailable: 500 kB\n", "some avg10=90.0\nfull avg10=10.50 avg60=0.0 total=1\n", True),
        ("", "", False),
        ("MemTotal:\nMemAvailable: x kB\n\n", "full avg10=x\n\n", False),
    ],
)
def test_memory(tmp_path: pathlib.Path, meminfo: str, pressure: str, scarce: bool) -> None:
    (tmp_path / "meminfo").write_text(meminfo)
    if pressure:
        (tmp_path / "pressure").write_text(pressure)
    assert memory.is_scarce(str(tmp_path / "meminfo"), str(tmp_path / "pressure")) is scarce


def test_an_installation_that_changes(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "site-packages"
    installed.mkdir()
    monkeypatch.syspath_prepend(installed)
    os.utime(installed, (1, 1))
    found = Installation(1 << 62)
    assert found.changed() is None
    (installed / "new.py").write_text("")
    assert found.changed() == f"{installed} has changed"
    assert Installation(2).changed() == "an installed file is newer than this process"
