"""Ctrl-C during a transfer: nothing is half-made, and the next call goes on where it was."""

import contextlib
import http.client
import http.server
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from test_remote import Team, s3, team

__all__ = ["s3", "team"]

FILES = 8


class Gate(http.server.ThreadingHTTPServer):
    """A server before the server: from the n-th transfer of an object on nothing comes back."""

    daemon_threads = True

    def __init__(self, behind: str, method: str, last: int) -> None:
        super().__init__(("127.0.0.1", 0), Passing)
        self.behind = behind.removeprefix("http://")
        self.method = method
        self.left = last
        self.reached = threading.Event()
        self.opened = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def passes(self, method: str, path: str) -> bool:
        if method == self.method and "/files/" in path:
            self.left -= 1
            if self.left < 0:
                self.reached.set()
                self.opened.wait()
                return False
        return True


class Passing(http.server.BaseHTTPRequestHandler):
    """Passes requests on."""

    server: Gate
    protocol_version = "HTTP/1.1"  # who uploads may ask whether to go on

    def pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self.server.passes(self.command, self.path):
            self.close_connection = True
            return
        with contextlib.closing(http.client.HTTPConnection(self.server.behind)) as behind:
            behind.request(self.command, self.path, body, dict(self.headers))
            answer = behind.getresponse()
            data = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "content-length"):
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
        self.send_header("Content-Length", length or "0")
        with contextlib.suppress(OSError):  # whoever asked has gone
            self.end_headers()
            self.wfile.write(data)

    do_GET = do_HEAD = do_PUT = do_POST = pass_on  # noqa: N815  # as the library calls them

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def gate(behind: str, method: str, last: int) -> Iterator[Gate]:
    server = Gate(behind, method, last)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.opened.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(("command", "method"), [("push", "PUT"), ("pull", "GET")])
def test_an_interrupted_transfer_goes_on(team: Team, command: str, method: str) -> None:
    for number in range(FILES):
        team.first.write(f"raw/{number}", f"number {number}")
    team.pivot("track", "raw")
    project = team.first
    if command == "pull":
        team.pivot("push")
        project = team.clone("mate")
        for number in range(FILES):
            (project.root / f"raw/{number}").unlink()
        (project.root / "raw").rmdir()

    with gate(team.endpoint, method, last=4) as stopped:
        environment = {**team.env, "AWS_ENDPOINT_URL": stopped.url, "PATH": "/usr/bin:/bin"}
        running = project.start(command, "raw", "--jobs", "1", env=environment)
        assert stopped.reached.wait(60)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert (out, err) == ("", "error: interrupted\n")
    if command == "pull":
        assert not (project.root / "raw").exists()

    done = team.pivot(command, "raw", project=project)
    transferred = int(done.partition(": ")[2].partition(" transferred")[0])
    assert transferred == FILES + 1 - 4, done
    other = team.clone("another")
    team.pivot("pull", "raw", "--force", project=other)
    assert [other.read(f"raw/{number}") for number in range(FILES)] == [f"number {number}" for number in range(FILES)]
