"""Progress: only on a terminal, only after a while, and gone at the end."""

import io
import os

import pytest

from pivot_cache import stalls
from pivot_cache.moving import Progress
from pivot_cli.meter import Meter
from pivot_cli.transfers import Gauge


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """Moves on when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_nothing_is_shown_for_what_is_quick() -> None:
    stream, clock = Terminal(), Clock()

    with Meter("checking", stream=stream, clock=clock) as meter:
        clock.now = 0.9
        meter(10, 1, 5)

    assert stream.getvalue() == ""


def test_nothing_is_shown_where_there_is_no_terminal() -> None:
    stream, clock = io.StringIO(), Clock()

    with Meter("checking", stream=stream, clock=clock) as meter:
        clock.now = 60
        meter(10, 1, 5)

    assert stream.getvalue() == ""


def test_one_line_says_how_far_it_is_and_goes_away() -> None:
    stream, clock = Terminal(), Clock()

    with Meter("checking", stream=stream, clock=clock) as meter:
        clock.now = 2
        meter(10, 4, 4000)
        clock.now = 2.05
        meter(10, 1, 1000)
        clock.now = 4
        meter(10, 3, 0)
    first, second, rest = stream.getvalue().removeprefix("\r").split("\r")[:3]

    assert first == "checking ━━━━━━━━──────────── 4 of 10 objects, 2.0 kB/s, 3.0s left"
    assert second == "checking ━━━━━━━━━━━━━━━━──── 8 of 10 objects, 1.2 kB/s, 1.0s left"
    assert rest.strip() == ""
    assert stream.getvalue().endswith("\r")


def test_without_a_total_it_counts() -> None:
    stream, clock = Terminal(), Clock()
    meter = Meter("collecting", stream=stream, clock=clock)
    clock.now = 2

    meter(0, 1, 0)

    assert stream.getvalue() == "\rcollecting 1 object"


def test_a_terminal_that_has_gone_is_no_error() -> None:
    class Gone(Terminal):
        def write(self, _: str, /) -> int:
            raise BrokenPipeError

    clock = Clock()
    meter = Meter("checking", stream=Gone(), clock=clock)
    clock.now = 2

    meter(10, 1, 5)


def test_a_line_is_no_longer_than_the_terminal_is_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((40, 24)))
    monkeypatch.setattr(Terminal, "fileno", lambda _: 2)
    stream, clock = Terminal(), Clock()

    with Gauge("fetching", stream=stream, clock=clock) as gauge:
        clock.now = 2
        gauge(Progress(4, 10, 4000, 10_000))
    shown = stream.getvalue().split("\r")[1]

    assert shown == "fetching ━━━━━━━━──────────── 4 of 10 o"


def test_what_is_waited_for_takes_the_place_of_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    stream, clock = Terminal(), Clock()

    with Gauge("pushing", stream=stream, clock=clock) as gauge:
        clock.now = 2
        gauge(Progress(4, 10, 4000, 10_000))
        stalls.tell("http://127.0.0.1:9000", 10.02)
        assert stream.getvalue().endswith("\r"), "the line is gone"
    stalls.tell("http://127.0.0.1:9000", 20.0)

    assert capsys.readouterr().err == "note: waiting for http://127.0.0.1:9000 (no answer for 10 s)\n"


def test_how_far_a_transfer_is() -> None:
    stream, clock = Terminal(), Clock()

    with Gauge("pushing", stream=stream, clock=clock) as gauge:
        clock.now = 2
        gauge(Progress(4, 10, 4000, 10_000))

    assert stream.getvalue().split("\r")[1] == (
        "pushing ━━━━━━━━──────────── 4 of 10 objects, 4.0 kB of 10 kB, 2.0 kB/s, 3.0s left"
    )
