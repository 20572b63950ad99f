"""Who gets an answer: only the page of this very server, opened by the link with the token."""

import pathlib
import urllib.parse
from collections.abc import Mapping

import pytest
from served import TOKEN, Answer, ServedProject

from pivot_ui.api.routes import READERS
from pivot_ui.server.actions import ACTIONS
from pivot_ui.server.gate import POLICY
from pivot_ui.server.streams import STREAMS

QUESTIONS = (*READERS, *STREAMS, "events", "nothing")
PATHS = ("/", "/app.js", "/vendor/vega.min.js", "/nothing", *(f"/api/{name}" for name in QUESTIONS))
BEARER = {"Authorization": f"Bearer {TOKEN}"}
JSON = {"Content-Type": "application/json"}


def refused(answer: Answer, *statuses: int) -> bool:
    """Whether an answer says nothing of the project, and has all headers."""
    assert_headers(answer)
    return answer.status in statuses and b"words" not in answer.body


def assert_headers(answer: Answer) -> None:
    headers: Mapping[str, str] = answer.headers
    assert headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] in ("no-store", "no-cache")
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert not any(name.startswith("access-control") for name in headers)
    assert "server" not in headers


def test_nothing_is_answered_without_the_token(served: ServedProject) -> None:
    for path in PATHS:
        assert refused(served.ask(path), 401), path
    for name in ACTIONS:
        assert refused(served.ask(f"/api/{name}", "POST", JSON, b"{}"), 401), name


@pytest.mark.parametrize("token", ["", "x", TOKEN[:-1], f"{TOKEN}x", TOKEN.upper(), "\xe9"])
def test_a_wrong_token_opens_nothing(served: ServedProject, token: str) -> None:
    quoted = urllib.parse.quote(token)
    assert refused(served.ask(f"/?token={quoted}"), 401)
    assert refused(served.ask(f"/?once={quoted}"), 401)
    assert refused(served.ask(f"/?token={quoted}&token={TOKEN}"), 401) or not token
    for path in PATHS:
        assert refused(served.ask(path, headers={"Authorization": f"Bearer {quoted}"}), 401)
        assert refused(served.ask(path, headers={"Cookie": f"pivot_ui_{served.port}={quoted}"}), 401)
    assert refused(served.ask("/api/status", headers={"Cookie": f"pivot_ui_{served.port + 1}={TOKEN}"}), 401)
    assert refused(served.ask("/api/status", headers={"Authorization": f"Basic {TOKEN}"}), 401)
    assert refused(served.ask(f"/api/status?token={TOKEN}"), 401)


def test_the_link_sets_a_cookie_and_leaves_no_token_in_the_address(served: ServedProject) -> None:
    answer = served.ask(f"/?token={TOKEN}")

    assert_headers(answer)
    assert (answer.status, answer.headers["location"]) == (303, "/")
    cookie, *flags = answer.headers["set-cookie"].split("; ")
    assert cookie == f"pivot_ui_{served.port}={TOKEN}"
    assert {flag.lower() for flag in flags} == {"httponly", "samesite=strict", "path=/"}
    page = served.ask("/", headers={"Cookie": f"other=1; {cookie}"})
    assert page.status == 200
    assert_headers(page)
    assert page.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    "host",
    [
        "",
        "example.com",
        "example.com:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "localhost.example.com:{port}",
        "[::1]:{port}",
        "0.0.0.0:{port}",
    ],
)
def test_another_host_is_refused(served: ServedProject, host: str) -> None:
    headers = {**BEARER, "Host": host.format(port=served.port)}

    for path in (*PATHS, f"/?token={TOKEN}"):
        answer = served.ask(path, headers=headers)
        assert answer.status == (421 if host else 400), path
        assert b"words" not in answer.body
        assert not host or f"http://localhost:{served.port}".encode() in answer.body


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "http://example.com",
        "https://127.0.0.1:{port}",
        "http://127.0.0.1:1",
        "http://127.0.0.1:{port}.example.com",
    ],
)
def test_another_origin_is_refused_even_with_the_token(served: ServedProject, origin: str) -> None:
    headers = {**BEARER, "Origin": origin.format(port=served.port)}

    for path in (*PATHS, f"/?token={TOKEN}"):
        assert refused(served.ask(path, headers=headers), 403), path
    for name in ACTIONS:
        assert refused(served.ask(f"/api/{name}", "POST", {**headers, **JSON}, b"{}"), 403)
    assert refused(served.ask("/api/status", "OPTIONS", headers), 403)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_page_in_the_same_browser_reads_nothing(served: ServedProject, site: str) -> None:
    cookie = {"Cookie": f"pivot_ui_{served.port}={TOKEN}", "Sec-Fetch-Site": site}

    for path in PATHS:
        assert refused(served.ask(path, headers=cookie), 403), path
    link = served.ask(f"/?token={TOKEN}", headers={"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"})
    assert link.status == 303


def test_a_link_in_another_page_has_the_browser_ask_once_more_since_it_sends_no_cookie(served: ServedProject) -> None:
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}

    answer = served.ask("/", headers=followed)

    assert_headers(answer)
    assert answer.status == 200
    assert b'content="0; url=/"' in answer.body
    assert refused(served.ask("/", headers={**followed, "Sec-Fetch-Site": "same-origin"}), 401)
    assert refused(served.ask("/api/status", headers=followed), 403)
    assert refused(served.ask("/app.js", headers=followed), 403)


def test_an_action_needs_the_page_itself(root: pathlib.Path) -> None:
    with ServedProject(root, allow_run=True) as served:
        cookie = {"Cookie": f"pivot_ui_{served.port}={TOKEN}"}
        for name in ACTIONS:
            path = f"/api/{name}"
            assert refused(served.ask(path, "POST", {**cookie, **JSON}, b"{}"), 403)
            assert refused(served.ask(path, "POST", {**cookie, "Sec-Fetch-Site": "none", **JSON}, b"{}"), 403)
            for own in ({"Origin": f"http://{served.host}"}, {"Sec-Fetch-Site": "same-origin"}):
                for media in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
                    assert refused(served.ask(path, "POST", {**cookie, **own, "Content-Type": media}, b"{}"), 415)
            assert served.ask(path, "GET", BEARER).status in (404, 405)
        for own in ({"Origin": f"http://{served.host}"}, {"Sec-Fetch-Site": "same-origin"}):
            assert served.ask("/api/stop", "POST", {**cookie, **own, **JSON}, b"{}").status == 200
        assert not (root / "loud.txt").exists()


def test_other_methods_are_refused(served: ServedProject) -> None:
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        for path in ("/", "/app.js", "/api/status", "/api/stop"):
            answer = served.ask(path, method, {**BEARER, **JSON})
            assert refused(answer, 404, 405), (method, path)


def test_a_large_body_is_refused(served: ServedProject) -> None:
    for headers in ({}, {"Content-Length": "99999999999"}, {"Content-Length": "x"}):
        answer = served.ask("/api/open", "POST", {**BEARER, **JSON, **headers}, b"" if headers else b" " * 70_000)
        assert answer.status in (400, 413)


def test_a_large_body_whose_length_is_not_known_is_refused(served: ServedProject) -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    headers = {**BEARER, **JSON, "Transfer-Encoding": "chunked", "Content-Length": ""}

    assert refused(served.ask("/api/open", "POST", headers, chunk + chunk + b"0\r\n\r\n"), 413)


@pytest.mark.parametrize(
    "path",
    [
        "/../served.py",
        "/%2e%2e/api/routes.py",
        "/..%2fserve.py",
        "//etc/passwd",
        "/static/app.js",
        "/vendor/",
        "/vendor",
        "/vendor/../page.py",
        "/vendor/README.md",
        "/serve.py",
        "/static/",
        "/.",
    ],
)
def test_only_the_files_of_the_page_are_served(served: ServedProject, path: str) -> None:
    assert refused(served.ask(path, headers=BEARER), 400, 404)


def test_a_file_is_not_sent_again_if_the_browser_has_it(served: ServedProject) -> None:
    first = served.ask("/vendor/vega.min.js", headers=BEARER)
    again = served.ask("/vendor/vega.min.js", headers={**BEARER, "If-None-Match": first.headers["etag"]})

    assert (first.status, again.status, again.body) == (200, 304, b"")
    assert_headers(first)
    assert_headers(again)


def test_two_servers_do_not_share_their_tokens(root: pathlib.Path) -> None:
    with ServedProject(root) as one, ServedProject(root) as other:
        assert one.port != other.port
        assert refused(one.ask("/api/status", headers={"Cookie": f"pivot_ui_{other.port}={TOKEN}"}), 401)
        assert one.api("project") == other.api("project")
