"""The command itself: its link, its end, and its errors."""

import contextlib
import http.client
import pathlib
import re
import signal
import socket
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator

import pytest

DEADLINE = 120


def words(*options: str) -> list[str]:
    return [sys.executable, "-P", "-m", "pivot_cli", "ui", "--no-browser", *options]


@contextlib.contextmanager
def started(root: pathlib.Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command, and the link that it prints first."""
    with subprocess.Popen(
        words(*options), cwd=root, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as command:
        try:
            assert command.stdout is not None
            yield command, command.stdout.readline().strip()
        finally:
            if command.poll() is None:
                command.kill()


def status_of(link: str, path: str = "/api/status") -> int:
    parts = urllib.parse.urlsplit(link)
    token = urllib.parse.parse_qs(parts.query)["token"][0]
    connection = http.client.HTTPConnection(parts.netloc, timeout=DEADLINE)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_without_an_error_also_with_open_tabs(root: pathlib.Path, number: signal.Signals) -> None:
    with started(root) as (command, link):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{40,}", link)
        assert status_of(link) == 200
        parts = urllib.parse.urlsplit(link)
        with contextlib.closing(http.client.HTTPConnection(parts.netloc, timeout=DEADLINE)) as tab:
            token = urllib.parse.parse_qs(parts.query)["token"][0]
            tab.request("GET", "/api/events", headers={"Authorization": f"Bearer {token}"})
            with tab.getresponse() as stream:
                assert stream.readline() == b": \n"
                command.send_signal(number)
                out, err = command.communicate(timeout=DEADLINE)

    assert (command.returncode, out) == (0, "")
    assert err.splitlines()[-1] == "note: the page is closed"
    assert "Traceback" not in err


def test_a_killed_server_leaves_its_port(root: pathlib.Path) -> None:
    with started(root) as (command, link):
        port = urllib.parse.urlsplit(link).port or 0
        assert status_of(link) == 200
        command.kill()
        command.wait(DEADLINE)

    with started(root, "--port", str(port)) as (again, other):
        assert status_of(other) == 200
        again.send_signal(signal.SIGINT)
        assert again.wait(DEADLINE) == 0
    assert link != other


def test_a_port_that_is_taken_is_an_error_with_a_way_out(root: pathlib.Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = subprocess.run(words("--port", str(port)), cwd=root, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert f"another program listens on port {port}" in done.stderr
    assert "--port" in done.stderr


def test_outside_a_project_there_is_no_page(tmp_path: pathlib.Path) -> None:
    done = subprocess.run(words(), cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "pivot init" in done.stderr
