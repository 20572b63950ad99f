"""Servers that send nothing, too little, too much or something else: each command ends soon, with a hint."""

import io
import pathlib
import random
import re
import shutil
import ssl
import sys
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from harness import Project, s3_environment
from unruly import OK, Script, Unruly, answer, listing

from pivot_cli import app
from pivot_cli.terminal import progress

SEQUENCES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
SOON = "0.3"
SIZE = 129  # of clean.json
FOUND = OK + b'ETag: "x"\r\n'
LENGTH = b"Content-Length: %d\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
CHUNK = b"10000\r\n" + b"x" * (1 << 16) + b"\r\n"


class Clones(NamedTuple):
    """One clone that has everything, and one that has nothing but what git brings."""

    full: Project
    bare: Project


@pytest.fixture(scope="module")
def clones(ran: pathlib.Path, tmp_path_factory: pytest.TempPathFactory, models_are_read_once: None) -> Clones:
    place = tmp_path_factory.mktemp("clones")
    full, bare = Project(place / "full"), Project(place / "bare")
    shutil.copytree(ran, full.root)
    for number in range(9):
        full.write(f"raw/{number}", f"{number}")
    full.inside("track", "raw")
    full.write(".pivot/config.yaml", "remotes.origin: s3://bucket/x\n")
    left_out = shutil.ignore_patterns("cache", "state.db", "clean.json", "summary.json", "raw")
    shutil.copytree(full.root, bare.root, ignore=left_out)
    return Clones(full, bare)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "random", lambda: 0.0)  # how long to wait before something is tried again


def environment(server: Unruly, timeout: str) -> dict[str, str]:
    return {"PIVOT_REMOTE_TIMEOUT": timeout, **s3_environment(server.url)}


def told(project: Project, server: Unruly, *arguments: str, code: int = 3, timeout: str = "60") -> str:
    said = project.inside(*arguments, env=environment(server, timeout), code=code)
    assert "hunter2" not in said
    assert said.count("error: ") == 1
    assert said.count("hint: ") == 1
    return said


@pytest.mark.parametrize(
    "arguments",
    [
        ("pull", "clean.json"),
        ("fetch", "raw/1"),
        ("push", "--refresh"),
        ("status", "--remote"),
        ("verify", "--allow-missing"),
        ("cache", "drop", "raw"),
    ],
    ids=" ".join,
)
def test_a_silent_server_ends_each_command_and_is_named_while_it_is_waited_for(
    clones: Clones, arguments: tuple[str, ...]
) -> None:
    project = clones.bare if arguments[0] in ("pull", "fetch", "verify") else clones.full
    with Unruly(Unruly.silent) as server:
        said = told(project, server, *arguments, timeout=SOON)
    assert "error: s3://bucket/x: the server does not answer, or answers too slowly\n" in said
    assert said.count(f"note: waiting for {server.url} (no answer for ") == 1
    assert "remote.timeout sets the time limit" in said


def test_the_hint_solves_the_problem(clones: Clones, tmp_path: pathlib.Path) -> None:
    """Through the executable: once the server answers, repeating the command is all that was missing."""
    shutil.copytree(clones.bare.root, tmp_path / "mate")
    mate = Project(tmp_path / "mate")
    answering: list[bool] = []

    def script(server: Unruly, line: str) -> Iterator[bytes]:
        name = line.split()[1].removeprefix("/bucket/x/")
        data = (clones.full.root / ".pivot/cache" / name).read_bytes()
        return answer(data, "200 OK", 'ETag: "x"') if answering else server.silent(line)

    with Unruly(script) as server:
        failed = mate.pivot("pull", env=environment(server, SOON), code=3)
        assert "hint: repeat the command later: what was transferred is kept" in failed.stderr
        assert failed.stderr.count("note: waiting for ") == 1
        answering.append(True)
        assert "Restored 11 file(s)" in mate.pivot("pull", env=environment(server, "")).stdout


def test_a_repair_says_that_the_remote_could_not_be_asked(clones: Clones) -> None:
    with Unruly(lambda *_: answer(b"", "302 Found", "Location: http://127.0.0.2:1/")) as server:
        said = clones.bare.inside("cache", "verify", "--repair", env=environment(server, "60"), code=1)
    assert (
        "warning: some artifacts could not be requested: s3://bucket/x: the server points to another address (302)\n"
        in said
    )
    assert "clean.json (stage my_pipeline.preprocess): not completely in the cache" in said


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_erased_before_the_error(clones: Clones, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_PATIENCE_S", 0.0)
    monkeypatch.setattr(progress, "_STEP_S", 0.0)
    with Unruly(Unruly.silent) as server, monkeypatch.context() as context:
        for name, value in {**environment(server, SOON), "NO_COLOR": "1", "TERM": "xterm"}.items():
            context.setenv(name, value)
        context.chdir(clones.bare.root)
        context.setattr(sys, "stderr", terminal := Terminal())
        assert app.run(["pull", "clean.json"]) == 3
    shown = SEQUENCES.sub("", terminal.getvalue())
    for said in ("note: waiting for", "error: s3://"):
        before, found, _ = shown.partition(said)
        assert found
        before = before.rpartition("\n")[2]
        assert not before.rpartition("\r")[2].strip(), before
    assert "fetching " in shown


class Case(NamedTuple):
    """The answer of a server to a pull, and the error that the user sees."""

    script: Script
    said: str
    hint: str
    code: int = 3
    target: str = "clean.json"
    most: int = 6


CASES = {
    "drips": Case(
        lambda server, _: server.forever(FOUND + LENGTH % SIZE, drip=b"x"),
        "or answers too slowly",
        "remote.timeout",
        most=2,
    ),
    "drips in its headers": Case(
        lambda server, _: server.forever(OK + b"X: ", drip=b"x"), "or answers too slowly", "remote.timeout", most=2
    ),
    "says only that it goes on": Case(
        lambda server, _: server.forever(drip=b"HTTP/1.1 100 Continue\r\n\r\n"),
        "or answers too slowly",
        "remote.timeout",
        most=2,
    ),
    "a byte, and closes": Case(
        lambda *_: iter([FOUND + LENGTH % SIZE + b"x"]), "the connection failed", "check the network"
    ),
    "closes": Case(lambda *_: iter([]), "the connection failed", "http or https?", most=12),
    "another host": Case(
        lambda *_: answer(b"", "302 Found", "Location: http://127.0.0.2:1/"),
        "to another address (302)",
        "proxy",
        most=1,
    ),
    "another host in S3's words": Case(
        lambda *_: answer(b"<Error><Code>TemporaryRedirect</Code><Endpoint>127.0.0.2</Endpoint></Error>", "307 Go"),
        "to another address (307)",
        "AWS_ENDPOINT_URL",
        most=2,
    ),
    "no length": Case(lambda *_: iter([FOUND + b"\r\nx"]), "how long an object is", "proxy", most=1),
    "too short": Case(lambda *_: answer(b"x" * 5), "is corrupt", "push --refresh", code=1, most=1),
    "too long": Case(lambda *_: answer(b"x" * 500), "is corrupt", "push --refresh", code=1, most=1),
    "other bytes": Case(lambda *_: answer(b"x" * SIZE), "is corrupt", "push --refresh", code=1, most=1),
    "less than it says": Case(
        lambda *_: iter([FOUND + LENGTH % SIZE + b"x" * 99]), "the connection failed", "check the network"
    ),
    "more than it says": Case(
        lambda *_: iter([FOUND + LENGTH % SIZE + b"x" * 500]), "does not speak HTTP", "AWS_ENDPOINT_URL"
    ),
    "endless": Case(
        lambda server, _: server.forever(FOUND + LENGTH % 10**15, drip=CHUNK, pause=0),
        "is corrupt",
        "push --refresh",
        code=1,
        target="raw",
        most=1,
    ),
    "endless headers": Case(
        lambda server, _: server.forever(OK, drip=b"X: y\r\n" * 1000, pause=0), "does not speak HTTP", "and its port"
    ),
    "an endless refusal": Case(
        lambda server, _: server.forever(b"HTTP/1.1 403 No\r\n" + CHUNKED, drip=CHUNK, pause=0),
        "access denied (403)",
        "aws sts",
        most=1,
    ),
    "no HTTP": Case(lambda *_: iter([b"SSH-2.0-OpenSSH_9.6\r\n"]), "does not speak HTTP", "and its port"),
    "no date": Case(
        lambda *_: answer(b"x" * SIZE, "200 OK", "Last-Modified: never"), "does not speak S3", "port", most=1
    ),
    "no range": Case(
        lambda *_: answer(b"x" * SIZE, "200 OK", f"Content-Range: bytes 0-1/{'9' * 5000}"),
        "is corrupt",
        "push --refresh",
        code=1,
        most=1,
    ),
    "no status of S3": Case(lambda *_: answer(b"", "400 Bad Request"), "refused (400)", "http or https?", most=1),
    "not modified": Case(lambda *_: answer(b"", "304 Not Modified"), "refused (304)", "http or https?", most=1),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_pulls_from_a_server_that(clones: Clones, case: Case) -> None:
    with Unruly(case.script) as server:
        timeout = SOON if "too slowly" in case.said else "60"
        said = told(clones.bare, server, "pull", case.target, code=case.code, timeout=timeout)
    error, hint = (line for line in said.splitlines() if line.startswith(("error: ", "hint: ")))
    assert case.said in error
    assert case.hint in hint
    assert 1 <= len(server.requests) <= case.most
    assert not (clones.bare.root / case.target).exists()
    assert list((clones.bare.root / ".pivot/cache/files").glob("*/*")) == []


def listed(body: Script) -> Script:
    """Nothing is there; a request for a list gets another answer."""

    def script(server: Unruly, line: str) -> Iterator[bytes]:
        return body(server, line) if "list-type" in line else answer(b"", "404 Not Found")

    return script


BOMB = '<!DOCTYPE l [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><ListBucketResult><Name>&b;</Name></ListBucketResult>'

LISTINGS = {
    "is endless": (
        lambda server, _: server.forever(OK + CHUNKED, drip=CHUNK, pause=0),
        "larger than any of S3",
        "AWS_ENDPOINT_URL",
    ),
    "is no XML": (lambda *_: answer(b"<<<"), "the server failed", "repeat the command"),
    "is a page": (lambda *_: answer(b"<!DOCTYPE html><html></html>"), "does not speak S3", "sign in"),
    "declares what it repeats": (lambda *_: answer(BOMB.encode()), "does not speak S3", "AWS_ENDPOINT_URL"),
    "has no number": (
        lambda *_: listing("<Contents><Key>x/files/ab/cd</Key><Size>huge</Size></Contents>"),
        "does not speak S3",
        "AWS_ENDPOINT_URL",
    ),
    "breaks off": (
        lambda *_: answer(b"<ListBucketResult><Name>bucket</Name><IsTruncated>true</IsTruncated></ListBucketResult>"),
        "the server's listing breaks off",
        "AWS_ENDPOINT_URL",
    ),
}


@pytest.mark.parametrize(("body", "said", "hint"), LISTINGS.values(), ids=LISTINGS)
def test_pushes_to_a_server_whose_listing(clones: Clones, body: Script, said: str, hint: str) -> None:
    with Unruly(listed(body)) as server:
        found = told(clones.full, server, "push", "--refresh")
    assert said in found
    assert hint in found


def test_a_server_that_stores_nothing_is_not_a_cache_that_lacks_it(clones: Clones) -> None:
    with Unruly(listed(lambda *_: listing())) as server:
        assert "the request was refused (404)" in told(clones.full, server, "push", "--refresh")


def test_tls_where_plain_is_expected_and_the_reverse(clones: Clones) -> None:
    with Unruly(Unruly.silent, tls=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)) as server:
        assert "http or https?" in told(clones.bare, server, "pull", "clean.json")
    with Unruly(lambda *_: answer(b"", "400 Bad Request")) as server:
        server.url = server.url.replace("http://", "https://")
        said = told(clones.bare, server, "pull", "clean.json")
        assert "no secure connection can be made" in said
        assert "whether it speaks https at all" in said
