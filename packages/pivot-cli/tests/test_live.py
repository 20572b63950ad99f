"""The content of the live view: pure, from events and a clock."""

import io
import re
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pivot_cli.reporting.live import Row, RunProgress, last_words
from pivot_cli.reporting.live_rich import Display, layout
from pivot_cli.terminal import console
from pivot_cli.terminal.progress import HashCounter
from pivot_core.decide import Decision, Verdict
from pivot_runtime.history import events

RUN = Decision(Verdict.RUN)
STARTED = events.RunStarted({"p.a": "a", "p.b": "b", "p.c": "c"}, ("p.a", "p.b", "p.c"))


def following(*given: tuple[float, events.Event], estimates: dict[str, float] | None = None) -> RunProgress:
    running = RunProgress(lambda: estimates or {})
    for now, event in given:
        running.take(event, now)
    return running


def test_stages_at_work_and_what_they_said_last() -> None:
    running = following((0, STARTED), (1, events.StageStarted("p.a", RUN)), (3, events.StageStarted("p.b", RUN)))

    assert running.rows(63, {"p.a": "one\ntwo\n", "p.b": ""}.__getitem__) == [
        Row("a", "1m02s", "two", None),
        Row("b", "1m00s", "", None),
    ]
    assert running.footer(9) == "0 of 3 stages done"


def test_there_is_nothing_to_say_before_the_stages_are_known() -> None:
    assert following((0, events.PipelineImported("pipeline.py", 0.0, 1.0))).footer(9) == ""


def test_an_import_that_takes_long_is_shown_until_it_ends() -> None:
    running = following((5, events.ImportSlow("pipeline.py", 1.0)))

    assert running.footer(9.2) == "importing pipeline.py, 5.2s"
    running.take(events.PipelineImported("pipeline.py", 1.0, 6.0), 10)
    assert running.footer(11) == ""


def test_how_far_it_is_with_what_a_stage_needs() -> None:
    running = following((0, events.AskingRemote()))
    assert running.footer(9) == "asking the remote what it has"

    running = following((0, STARTED), (1, events.Fetching("p.a", "origin", 0, 4, 0, 0)))
    assert running.transfer() == f"fetching  a  {'─' * 20} 0 of 4 objects"
    running.take(events.Fetching("p.a", "origin", 1, 4, 10_000_000, 40_000_000), 3)
    assert running.transfer() == (
        f"fetching  a  {'━' * 5}{'─' * 15} 1 of 4 objects, 10 MB of 40 MB, 5.0 MB/s, 6.0s left"
    )
    running.take(events.InputsFetched("p.a", "origin", (), 4.0), 5)
    assert running.transfer() == ""
    assert running.footer(9) == "0 of 3 stages done"


def test_stages_that_have_ended_are_counted_not_shown() -> None:
    running = following(
        (0, STARTED),
        (0, events.StageCached("p.b")),
        (1, events.StageStarted("p.a", RUN)),
        (2, events.StageStarted("p.c", RUN)),
        (3, events.StageRan("p.a", RUN, 2.0)),
    )

    assert [row.name for row in running.rows(4, lambda _: "")] == ["c"]
    assert running.footer(9) == "2 of 3 stages done"


def test_stages_that_were_sent_are_counted_until_workers_run_them() -> None:
    sent = [(1.0, events.StageStarted(address, RUN, sent=True)) for address in ("p.a", "p.b")]
    running = following((0, STARTED), *sent, (2, events.StageWaiting("p.a", "no worker has the resources gpu=1")))

    assert running.rows(4, lambda _: "") == []
    assert running.footer(9) == "0 of 3 stages done, 2 queued on the cluster"
    running.take(events.StagePlaced("p.a", "one"), 5)
    assert running.rows(8, lambda _: "") == [Row("a", "3.0s", "", None)]
    assert running.footer(9) == "0 of 3 stages done, 1 queued on the cluster"
    running.take(events.StageMoved("p.a", "two", "one"), 10)
    assert running.rows(12, lambda _: "") == [Row("a", "2.0s", "", None)]
    running.take(events.StageFailed("p.b", 1.0, "no"), 13)
    assert running.footer(14) == "1 of 3 stages done"


def test_an_estimate_is_shown_and_never_more_than_whole() -> None:
    running = following((0, STARTED), (0, events.StageStarted("p.a", RUN)), estimates={"p.a": 10.0})

    assert running.rows(4, lambda _: "")[0][1:] == ("4.0s of about 10.0s", "", 0.4)
    assert running.rows(40, lambda _: "")[0].done == 1.0


@pytest.mark.parametrize(
    ("printed", "last"),
    [
        ("", ""),
        ("a\n", "a"),
        ("a\n\n  \n", "a"),
        ("10%\r20%\r30%", "30%"),
        ("\x1b[31mred\x1b[0m \x1b[2K\x1b]0;title\x07done\n", "red done"),
        ("a\tb\x00\x07", "a b"),
    ],
)
def test_last_words(printed: str, last: str) -> None:
    assert last_words(printed) == last


@given(st.text())
def test_last_words_cannot_move_the_cursor(printed: str) -> None:
    assert not {character for character in last_words(printed) if ord(character) < 32 or 127 <= ord(character) < 160}


def test_the_area_fits_and_is_calm() -> None:
    terminal = Console(file=io.StringIO(), width=60, force_terminal=True, color_system=None)
    rows = [Row(f"stage{number}", "1.0s", "x" * 100, 0.5 if number else None) for number in range(9)]
    with terminal.capture() as capture:
        terminal.print(layout(rows, "3 of 12 stages done", (1 << 30, 1 << 31), most=4))
    lines = capture.get().splitlines()

    assert len(lines) == 7
    assert max(map(len, lines)) <= 60
    assert "and 5 more" in lines[4]
    assert lines[5].startswith("reading  ")
    assert lines[5].rstrip().endswith("1.1 GB of 2.1 GB")


def test_messages_printed_meanwhile_stay() -> None:
    stream = io.StringIO()
    with Display(stream) as display, console.redirected(display.say):
        console.note("kept")
    assert "note: kept" in stream.getvalue()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_message_and_the_area_never_share_a_line(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Whichever of two threads is first."""
    monkeypatch.setenv("TERM", "xterm")
    interval = sys.getswitchinterval()
    request.addfinalizer(lambda: sys.setswitchinterval(interval))
    sys.setswitchinterval(1e-6)
    for _ in range(60):
        stream = Terminal()
        with Display(stream) as display:
            both = threading.Barrier(2)

            def draw(display: Display = display, both: threading.Barrier = both) -> None:
                both.wait()
                display.show([], "1 of 5 stages done", (0, 0))

            drawing = threading.Thread(target=draw)
            drawing.start()
            both.wait()
            display.say("ran  a")
            drawing.join()

        assert not re.search(r"done(\x1b\[0m)?ran", stream.getvalue())


def test_reading_is_counted_until_all_is_read() -> None:
    hashing = HashCounter()
    hashing(0, 10)
    hashing(0, 20)
    hashing(10, 0)
    assert hashing.now() == (10, 30)

    def read() -> None:
        for _ in range(5):
            hashing(1, 0)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert hashing.now() == (0, 0)
