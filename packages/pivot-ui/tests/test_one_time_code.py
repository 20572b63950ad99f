"""The link that a browser gets on its command line opens the page once."""

import pytest
from served import TOKEN, ServedProject

from pivot_ui.server.one_time_code import CODE_SECONDS, OneTimeCode


@pytest.fixture
def opened(served: ServedProject) -> str:
    """The path of the link."""
    return f"/?once={served.code.text}"


def test_the_code_opens_the_page_once_and_a_second_use_is_reported(served: ServedProject, opened: str) -> None:
    first = served.ask(opened)
    assert (first.status, first.headers["location"]) == (303, "/")
    assert first.headers["set-cookie"].startswith(f"pivot_ui_{served.port}={TOKEN};")
    assert served.second_uses == 0

    for _ in range(3):
        again = served.ask(opened)
        assert again.status == 401
        assert "set-cookie" not in again.headers
        assert b"only once" in again.body
        assert b"has printed in the terminal" in again.body
    assert served.second_uses == 1


def test_the_same_browser_may_ask_again(served: ServedProject, opened: str) -> None:
    cookie = {"Cookie": served.ask(opened).headers["set-cookie"].partition(";")[0]}

    again = served.ask(opened, headers=cookie)

    assert (again.status, again.headers["location"]) == (303, "/")
    assert served.second_uses == 0


def test_the_code_ends_after_a_minute(served: ServedProject, opened: str) -> None:
    served.now += CODE_SECONDS + 1

    late = served.ask(opened)

    assert late.status == 401
    assert b"expired" in late.body
    assert b"has printed in the terminal" in late.body
    assert served.ask(f"/?token={TOKEN}").status == 303


def test_the_code_is_good_for_nothing_else_and_not_used_up_by_that(served: ServedProject, opened: str) -> None:
    code = served.code.text
    for path in ("/api/status", "/index.html", "/app.js", "/nothing", "//"):
        assert served.ask(f"{path}?once={code}").status == 401, path
    for headers in ({"Authorization": f"Bearer {code}"}, {"Cookie": f"pivot_ui_{served.port}={code}"}):
        assert served.ask("/api/status", headers=headers).status == 401
        assert served.ask("/", headers=headers).status == 401
    assert served.ask(f"/?token={code}").status == 401
    assert served.ask(f"/?once={code}&once={code}").status == 401
    for method in ("HEAD", "POST", "PUT", "OPTIONS"):
        assert served.ask(opened, method).status == 401, method
    assert served.ask(opened, headers={"Host": "example.com"}).status == 421
    assert served.ask(opened, headers={"Origin": "http://example.com"}).status == 403

    assert served.ask(opened).status == 303


@pytest.mark.parametrize("wrong", ["", "x", TOKEN, "%e9"])
def test_another_code_opens_nothing_and_is_not_reported(served: ServedProject, opened: str, wrong: str) -> None:
    for each in (wrong, opened[:-1].removeprefix("/?once="), f"{opened}x".removeprefix("/?once=")):
        assert served.ask(f"/?once={each}").status == 401
    assert served.ask(opened).status == 303
    assert served.ask(f"/?once={wrong}").status == 401
    assert served.second_uses == 0


def test_codes_differ() -> None:
    assert OneTimeCode(lambda: None).text != OneTimeCode(lambda: None).text
