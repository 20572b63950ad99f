"""Colours, for whoever wants them."""

import pytest

from pivot_cli.terminal import console


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert console.coloured("error:", "red", bold=True) == "\x1b[31m\x1b[1merror:\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert console.coloured("error:", "red", bold=True) == "error:"


def test_a_terminal_without_colours_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "dumb")
    assert console.coloured("error:", "red") == "error:"
