"""The command itself: its link, its end, and its errors."""

import contextlib
import http.client
import os
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
    return [sys.executable, "-P", "-m", "pivot_cli", "ui", *options]


@contextlib.contextmanager
def started(root: pathlib.Path, *options: str, **variables: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command, and the link that it prints first."""
    absent = ("BROWSER", "CI", "DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION", "SSH_TTY", "WSL_DISTRO_NAME")
    with subprocess.Popen(
        words(*options),
        cwd=root,
        env={name: value for name, value in os.environ.items() if name not in absent} | variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as command:
        try:
            assert command.stdout is not None
            yield command, command.stdout.readline().strip()
        finally:
            if command.poll() is None:
                command.kill()


def status_of_page(link: str) -> int:
    """The status of the first answer to a browser that opens a link."""
    parts = urllib.parse.urlsplit(link)
    with contextlib.closing(http.client.HTTPConnection(parts.netloc, timeout=DEADLINE)) as connection:
        connection.request("GET", f"/?{parts.query}")
        return connection.getresponse().status


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
    with started(root, "--no-browser") as (command, link):
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


def test_a_signal_right_after_the_link_is_no_error(root: pathlib.Path) -> None:
    for _ in range(5):
        with started(root, "--no-browser") as (command, _link):
            command.send_signal(signal.SIGINT)
            _out, err = command.communicate(timeout=DEADLINE)

        assert command.returncode == 0
        assert "Traceback" not in err


def test_a_killed_server_leaves_its_port(root: pathlib.Path) -> None:
    with started(root, "--no-browser") as (command, link):
        port = urllib.parse.urlsplit(link).port or 0
        assert status_of(link) == 200
        command.kill()
        command.wait(DEADLINE)

    with started(root, "--no-browser", "--port", str(port)) as (again, other):
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


def test_a_project_may_have_several_pages_but_not_on_one_port(root: pathlib.Path) -> None:
    with started(root, "--no-browser") as (one, link), started(root, "--no-browser") as (other, another):
        assert status_of(link) == status_of(another) == 200
        port = urllib.parse.urlsplit(link).port
        done = subprocess.run(words("--port", str(port)), cwd=root, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert "an earlier 'pivot ui' there goes on at its own link" in done.stderr
        assert status_of(link) == 200
        for each in (one, other):
            each.send_signal(signal.SIGINT)
            assert each.wait(DEADLINE) == 0


def test_outside_a_project_there_is_no_page(tmp_path: pathlib.Path) -> None:
    done = subprocess.run(words(), cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "pivot init" in done.stderr


def test_the_link_of_the_browser_works_once_and_disturbs_nothing(root: pathlib.Path, tmp_path: pathlib.Path) -> None:
    got, end = tmp_path / "got.fifo", tmp_path / "end.fifo"
    os.mkfifo(got)
    os.mkfifo(end)
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho noise; echo noise >&2; echo "$1" > {got}; cat < {end}\n')
    browser.chmod(0o755)

    with started(root, BROWSER=str(browser)) as (command, printed):
        link = got.read_text().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?once=[\w-]{40,}", link)
        assert printed.partition("?")[2] not in link
        assert (status_of_page(link), status_of_page(link), status_of_page(printed)) == (303, 401, 303)
        command.send_signal(signal.SIGINT)
        out, err = command.communicate(timeout=DEADLINE)
        end.write_text("")  # only now, the browser ends

    assert (command.returncode, out) == (0, "")
    assert "noise" not in err
    assert "used twice" in err


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({}, "no browser is started without a display: open the link yourself"),
        ({"CI": "true", "BROWSER": "false"}, "no browser is started in CI"),
        ({"BROWSER": "w3m"}, "no browser is started in a terminal"),
        ({"SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22"}, "ssh -L {port}:localhost:{port} HOST"),
        ({"BROWSER": "false"}, "no browser was found: open the link yourself"),
    ],
)
@pytest.mark.skipif(sys.platform == "darwin", reason="a Mac has a display")
def test_without_a_browser_it_says_what_to_do(root: pathlib.Path, variables: dict[str, str], text: str) -> None:
    with started(root, **variables) as (command, link):
        wanted = text.format(port=urllib.parse.urlsplit(link).port)
        assert command.stderr is not None
        heard: list[str] = []
        while wanted not in "".join(heard):
            line = command.stderr.readline()
            assert line, heard
            heard.append(line)
        command.send_signal(signal.SIGINT)
        assert command.wait(DEADLINE) == 0
