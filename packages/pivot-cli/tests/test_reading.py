"""How far the reading of large files has come: on a terminal only, after a while, and gone at the end."""

import io
import pathlib

from pivot_cache import hashing
from pivot_cli.reading import Reading


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """Moves on by a step each time that it is asked."""

    def __init__(self, step: float) -> None:
        self.now = 0.0
        self.step = step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


def shown(tmp_path: pathlib.Path, stream: io.StringIO, step: float) -> str:
    file = tmp_path / "large"
    file.write_bytes(bytes(4 << 20))
    with Reading(stream=stream, clock=Clock(step)):
        hashing.hash_file(file)
    hashing.hash_file(file)  # afterwards nobody looks
    return stream.getvalue()


def test_a_bar_that_is_gone_at_the_end(tmp_path: pathlib.Path) -> None:
    lines = [line.strip() for line in shown(tmp_path, Terminal(), 1.0).split("\r")]

    assert "reading ━━━━━─────────────── 1.0 MB of 4.2 MB" in lines
    assert lines[-2:] == ["", ""]


def test_nothing_for_what_is_quick(tmp_path: pathlib.Path) -> None:
    assert shown(tmp_path, Terminal(), 0.01) == ""


def test_nothing_where_there_is_no_terminal(tmp_path: pathlib.Path) -> None:
    assert shown(tmp_path, io.StringIO(), 1.0) == ""
