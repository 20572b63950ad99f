"""Progress: only on a terminal, only after a while, and gone at the end, also after Ctrl-C."""

import io
import os
import pathlib
import pty
import re
import subprocess
import sys

import pytest

from pivot_cache.files import hashing
from pivot_cache.remotes import stalls
from pivot_cache.remotes.transfer import TransferCounts
from pivot_cli.terminal import console
from pivot_cli.terminal.progress import HashProgress, ObjectProgress, TransferProgress

SEQUENCE = re.compile(r"\x1b\[([0-9;?]*)([a-zA-Z])")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """Moves on by a step each time that it is asked."""

    def __init__(self, step: float = 0.0) -> None:
        self.now = 0.0
        self.step = step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def screen(output: str) -> list[str]:
    """The lines of a terminal after all of the output, without the empty ones below."""
    lines, row, column = [""], 0, 0
    for part in re.split(r"(\x1b\[[0-9;?]*[a-zA-Z]|\r|\n)", output):
        if found := SEQUENCE.fullmatch(part):
            count, what = found.groups()
            if what == "A":
                row = max(0, row - int(count or 1))
            elif what == "K":
                assert count == "2"
                lines[row] = ""
        elif part == "\r":
            column = 0
        elif part == "\n":
            row, column = row + 1, 0
            lines += [""] * (row + 1 - len(lines))
        else:
            lines[row] = lines[row].ljust(column)[:column] + part + lines[row][column + len(part) :]
            column += len(part)
    while lines and not lines[-1].strip():
        lines.pop()
    return [line.rstrip() for line in lines]


def text(line: str) -> str:
    """A line with a bar of one kind of character, which colours divide otherwise."""
    return re.sub("[━╸╺]{20}", "[bar]", line)


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")


def test_nothing_is_shown_for_what_is_quick() -> None:
    stream, clock = Terminal(), Clock()

    with ObjectProgress("checking", stream=stream, clock=clock) as progress:
        clock.now = 0.9
        progress(10, 1, 5)

    assert stream.getvalue() == ""


def test_nothing_is_shown_without_a_terminal() -> None:
    stream, clock = io.StringIO(), Clock()

    with ObjectProgress("checking", stream=stream, clock=clock) as progress:
        clock.now = 60
        progress(10, 1, 5)

    assert stream.getvalue() == ""


def test_nothing_is_shown_on_a_terminal_that_cannot_erase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    stream, clock = Terminal(), Clock()

    with ObjectProgress("checking", stream=stream, clock=clock) as progress:
        clock.now = 60
        progress(10, 1, 5)

    assert stream.getvalue() == ""


def test_one_line_says_how_far_it_is_and_goes_away() -> None:
    stream, clock = Terminal(), Clock()

    with ObjectProgress("checking", stream=stream, clock=clock) as progress:
        clock.now = 2
        progress(10, 4, 4000)
        first = screen(stream.getvalue())
        clock.now = 2.05
        progress(10, 1, 1000)
        assert screen(stream.getvalue()) == first
        clock.now = 4
        progress(10, 3, 0)
        second = screen(stream.getvalue())

    assert list(map(text, first)) == ["checking [bar] 4 of 10 objects, 2.0 kB/s, 3.0s left"]
    assert list(map(text, second)) == ["checking [bar] 8 of 10 objects, 1.2 kB/s, 1.0s left"]
    assert screen(stream.getvalue()) == []
    assert stream.getvalue().rfind("\x1b[?25h") > stream.getvalue().rfind("\x1b[?25l"), "the cursor is back"


def test_without_a_total_it_counts() -> None:
    stream, clock = Terminal(), Clock()
    with ObjectProgress("collecting", stream=stream, clock=clock) as progress:
        clock.now = 2
        progress(0, 1, 0)
        assert screen(stream.getvalue()) == ["collecting 1 object"]


def test_a_closed_terminal_is_no_error() -> None:
    class Gone(Terminal):
        def write(self, _: str, /) -> int:
            raise BrokenPipeError

    clock = Clock()
    with ObjectProgress("checking", stream=Gone(), clock=clock) as progress:
        clock.now = 2
        progress(10, 1, 5)
        clock.now = 3
        progress(10, 1, 5)


@pytest.mark.parametrize("columns", [1, 10, 25, 40, 60])
def test_a_line_fits_the_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    stream, clock = Terminal(), Clock()

    with TransferProgress("fetching", stream=stream, clock=clock) as progress:
        for clock.now in (2, 3):
            progress(TransferCounts(4, 10, 4000, 10_000))
            lines = screen(stream.getvalue())
            assert len(lines) <= 1
            assert all(len(line) <= columns for line in lines)

    assert screen(stream.getvalue()) == []


def test_output_printed_meanwhile_stays_above_the_line() -> None:
    stream, clock = Terminal(), Clock()

    with ObjectProgress("checking", stream=stream, clock=clock) as progress:
        clock.now = 2
        progress(10, 4, 0)
        console.text("restored clean.json")
        console.text("restored [red].json")
        during = screen(stream.getvalue())

    assert list(map(text, during)) == [
        "restored clean.json",
        "restored [red].json",
        "checking [bar] 4 of 10 objects, 3.0s left",
    ]
    assert screen(stream.getvalue()) == during[:2]


def test_one_in_the_place_of_another_leaves_nothing() -> None:
    stream, clock = Terminal(), Clock()

    with ObjectProgress("checking", stream=stream, clock=clock) as outer:
        clock.now = 2
        outer(10, 4, 0)
        with TransferProgress("fetching", stream=stream, clock=clock) as inner:
            clock.now = 4
            inner(TransferCounts(4, 10, 4000, 10_000))
            assert [line.split()[0] for line in screen(stream.getvalue())] == ["fetching"]
        assert screen(stream.getvalue()) == []
        outer(10, 1, 0)
        assert [line.split()[0] for line in screen(stream.getvalue())] == ["checking"]
        console.text("said")

    assert screen(stream.getvalue()) == ["said"]


def test_a_wait_replaces_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    stream, clock = Terminal(), Clock()

    with TransferProgress("pushing", stream=stream, clock=clock) as progress:
        clock.now = 2
        progress(TransferCounts(4, 10, 4000, 10_000))
        stalls.report("http://127.0.0.1:9000", 10.02)
        assert screen(stream.getvalue()) == ["note: waiting for http://127.0.0.1:9000 (no answer for 10 s)"]
    stalls.report("http://127.0.0.1:9000", 20.0)

    assert screen(stream.getvalue()) == ["note: waiting for http://127.0.0.1:9000 (no answer for 10 s)"]
    assert capsys.readouterr().err == ""


def test_a_wait_is_also_reported_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with TransferProgress("pushing", stream=io.StringIO(), clock=Clock()):
        stalls.report("http://127.0.0.1:9000", 10.02)

    assert capsys.readouterr().err == "note: waiting for http://127.0.0.1:9000 (no answer for 10 s)\n"


def test_how_far_a_transfer_is() -> None:
    stream, clock = Terminal(), Clock()

    with TransferProgress("pushing", stream=stream, clock=clock) as progress:
        clock.now = 2
        progress(TransferCounts(4, 10, 4000, 10_000))
        assert list(map(text, screen(stream.getvalue()))) == [
            "pushing [bar] 4 of 10 objects, 4.0 kB of 10 kB, 2.0 kB/s, 3.0s left"
        ]


def read(tmp_path: pathlib.Path, stream: io.StringIO, step: float) -> str:
    file = tmp_path / "large"
    file.write_bytes(bytes(4 << 20))
    with HashProgress(stream=stream, clock=Clock(step)):
        hashing.hash_file(file)
    hashing.hash_file(file)  # afterwards nobody looks
    return stream.getvalue()


def test_how_much_of_a_large_file_is_read(tmp_path: pathlib.Path) -> None:
    shown = read(tmp_path, Terminal(), 1.0)

    assert "reading [bar] 1.0 MB of 4.2 MB" in map(text, re.split("[\r\n]", SEQUENCE.sub("", shown)))
    assert screen(shown) == []


def test_no_reading_is_shown_for_what_is_quick(tmp_path: pathlib.Path) -> None:
    assert read(tmp_path, Terminal(), 0.01) == ""


def test_no_hashing_is_shown_without_a_terminal(tmp_path: pathlib.Path) -> None:
    assert read(tmp_path, io.StringIO(), 1.0) == ""


SCRIPT = """\
import itertools, signal, sys
from pivot_cli.terminal.progress import ObjectProgress
seconds = itertools.count(0, 2)
try:
    with ObjectProgress("checking", clock=lambda: next(seconds)) as progress:
        progress(10, 4, 0)
        signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_an_interrupt_leaves_the_terminal_in_order() -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", SCRIPT], stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = ""
    try:
        while data := os.read(ours, 65536):
            shown += data.decode()
    except OSError:  # how Linux reports the end of a terminal
        pass
    os.close(ours)

    assert process.wait() == 130
    assert "4 of 10 objects" in shown
    assert screen(shown) == []
    assert shown.rfind("\x1b[?25h") > shown.rfind("\x1b[?25l"), "the cursor is back"
