"""Which browser is started, and which never."""

import os
import pathlib

import pytest

from pivot_ui.browser import browser_variables, no_browser_reason, open_link

DISPLAY = {"DISPLAY": ":0"}
SSH = {"SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22"}


def program(path: pathlib.Path, *lines: str) -> str:
    path.write_text("\n".join(("#!/bin/sh", *lines, "")))
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("environment", "platform", "user", "reason"),
    [
        (DISPLAY, "linux", 1000, None),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", 1000, None),
        ({}, "darwin", 501, None),
        ({"CI": "false", **DISPLAY}, "linux", 1000, None),
        ({"CI": "true", "BROWSER": "firefox", **DISPLAY}, "linux", 1000, "in CI"),
        ({}, "linux", 1000, "without a display"),
        ({"DISPLAY": ""}, "linux", 1000, "without a display"),
        ({"TERM": "xterm"}, "linux", 1000, "without a display"),
        (SSH, "linux", 1000, "over SSH"),
        ({**SSH, **DISPLAY}, "linux", 1000, None),
        (SSH, "darwin", 501, "over SSH"),
        (DISPLAY, "linux", 0, "for root, since browsers refuse that"),
        ({**SSH, "BROWSER": "/opt/helper.sh"}, "linux", 0, None),
        ({"BROWSER": "w3m", **DISPLAY}, "linux", 1000, "in a terminal"),
        ({"BROWSER": "/usr/bin/lynx -accept_all_cookies %s:links"}, "linux", 1000, "in a terminal"),
        ({"BROWSER": "w3m:firefox"}, "linux", 1000, None),
    ],
)
def test_a_browser_is_started_only_where_it_has_a_window(
    environment: dict[str, str], platform: str, user: int, reason: str | None
) -> None:
    assert no_browser_reason(environment, platform=platform, user=user) == reason


def test_the_browser_of_windows_is_started_from_its_linux(tmp_path: pathlib.Path) -> None:
    environment = {"WSL_DISTRO_NAME": "Debian", "PATH": str(tmp_path)}
    assert no_browser_reason(environment, platform="linux", user=1000) == "without a display"

    program(tmp_path / "wslview")

    assert no_browser_reason(environment, platform="linux", user=1000) is None
    assert browser_variables(environment)["BROWSER"] == "wslview"


def test_the_browser_gets_neither_the_terminal_nor_a_browser_for_terminals(tmp_path: pathlib.Path) -> None:
    got = tmp_path / "got"
    browser = program(tmp_path / "browser", f'echo "$1" > {got}', "echo noise; cat")
    environment = {**os.environ, "BROWSER": f"w3m:{browser}", "TERM": "xterm"}

    assert browser_variables(environment)["BROWSER"] == browser
    assert "TERM" not in browser_variables(environment)
    assert open_link("http://127.0.0.1:1/?once=x", environment)
    assert got.read_text().splitlines()[0] == "http://127.0.0.1:1/?once=x"


def test_nothing_but_a_browser_for_terminals_is_no_browser(tmp_path: pathlib.Path) -> None:
    got = tmp_path / "got"
    for name in ("www-browser", "links", "elinks", "lynx", "w3m"):
        program(tmp_path / name, f"echo {name} >> {got}")

    assert not open_link("http://127.0.0.1:1/", {"PATH": str(tmp_path), "TERM": "xterm"})
    assert not got.exists()


def test_a_browser_that_fails_is_none(tmp_path: pathlib.Path) -> None:
    environment = {"PATH": str(tmp_path), "BROWSER": program(tmp_path / "browser", "exit 1")}

    assert not open_link("http://127.0.0.1:1/", environment)
