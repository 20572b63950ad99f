"""Sharing through a shared drive, a bucket of Google Cloud Storage, and a web server, as the page on remotes has it."""

import contextlib
import functools
import http.server
import importlib
import pathlib
import shutil
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from harness import Project

SERVER = pathlib.Path(__file__).parents[2] / "pivot-remote-obstore/tests"


@pytest.fixture
def first(ran: pathlib.Path, empty: Project) -> Project:
    """The quick start, run."""
    shutil.copytree(ran, empty.root, dirs_exist_ok=True)
    return empty


def process(project: Project) -> Project:
    """The same with a process for each command: the client's threads outlast a command, and tests fork."""
    return Project(project.root, executable=True)


def clone(first: Project, name: str) -> Project:
    """The files that git would give another developer: everything but what is ignored."""
    root = first.root.parent / name
    shutil.copytree(first.root, root, ignore=shutil.ignore_patterns("cache", "state.db", "clean.json", "summary.json"))
    return Project(root)


@pytest.fixture
def gcs() -> Iterator[Any]:
    """A server of Google Cloud Storage, from the tests of the package that talks to it."""
    if not SERVER.is_dir():
        pytest.skip("the server is among the tests of another package")
    sys.path.append(str(SERVER))
    with contextlib.closing(importlib.import_module("gcs_server").GcsServer()) as server:
        server.buckets["bucket"] = {}
        yield server
    sys.path.remove(str(SERVER))


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def served(directory: pathlib.Path) -> Iterator[str]:
    """The URL of a web server for a directory."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(directory)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_shared_drive_that_a_web_server_serves(first: Project) -> None:
    drive = first.root.parent / "drive"
    first.inside("remote", "add", "team", f"file://{drive}")
    said = first.inside("push", code=3)
    assert (
        f"error: file://{drive}: there is no directory {drive}\nhint: mount the drive; if the remote is new: " in said
    )
    drive.mkdir()
    first.inside("config", "set", "remote.run_cache", "true")
    assert first.pivot("push").stdout == (
        "Pushed to 'team': 2 transferred, 0 skipped, 0 failed\nShared 2 run records\n"
    )
    assert first.inside("push", "--refresh") == "Pushed to 'team': 0 transferred, 2 skipped, 0 failed\n"
    assert {path.parts[len(drive.parts)] for path in drive.rglob("*") if path.is_file()} == {"files", "runs"}

    mate = clone(first, "mate")
    assert mate.pivot("pull").stdout == (
        "Fetched from 'team': 2 transferred, 0 skipped, 0 failed\nRestored 2 file(s)\n"
    )
    assert "'team': 2 in sync" in mate.pivot("status", "--remote").stdout
    mate.inside("remote", "remove", "team")
    with served(drive) as url:
        mate.inside("remote", "add", "web", url)
        shutil.rmtree(mate.root / ".pivot/cache")
        assert "Fetched from 'web': 2 transferred" in process(mate).pivot("fetch").stdout
        mate.write("more.txt", "more")
        mate.inside("track", "more.txt")
        assert "a remote on a web server is only read" in process(mate).pivot("push", code=3).stderr

    first.replace("data.json", "2", "3")
    first.pivot("repro")
    first.inside("push")
    deleted = first.pivot("remote", "gc", "--yes", "--force", "--grace", "0s").stdout
    assert deleted == "Deleted 2 objects of 'team'\n"


def test_a_bucket_of_google(first: Project, gcs: Any) -> None:
    env = {"GOOGLE_BASE_URL": gcs.url, "GOOGLE_BEARER_TOKEN": "hunter2"}
    first.inside("remote", "add", "team", "gs://bucket/cache")
    assert process(first).pivot("push", env=env).stdout == "Pushed to 'team': 2 transferred, 0 skipped, 0 failed\n"
    assert {key.partition("/")[0] for key in gcs.buckets["bucket"]} == {"cache"}

    mate = process(clone(first, "mate"))
    assert "Restored 2 file(s)" in mate.pivot("pull", env=env).stdout
    gcs.put(gcs.buckets["bucket"], "raw/x.csv", b"a,b\n")
    assert mate.pivot("import-url", "gs://bucket/raw/x.csv", env=env).stdout == (
        "Imported x.csv (4 B) from gs://bucket/raw/x.csv\n"
    )
    gcs.answer = lambda _: (403, b"hunter2")
    told = mate.pivot("push", "--refresh", env=env, code=3).stderr
    assert "error: gs://bucket/cache: access denied (403)\nhint: sign in with `gcloud" in told
    assert "hunter2" not in told
