"""The stream of events: whole lines at once, and no harm where nobody reads."""

import io
import json
import time

from pivot_cli.reporting.jsonl import JsonLines
from pivot_runtime.history import events


class Reader(io.StringIO):
    """A stream that notes what had come at each flush, and that may be gone."""

    def __init__(self, *, gone_after: int = 1000) -> None:
        super().__init__()
        self.flushed: list[str] = []
        self._left = gone_after

    def flush(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise BrokenPipeError
        self.flushed.append(self.getvalue())


def test_each_event_is_a_line_as_soon_as_it_comes() -> None:
    reader = Reader()
    stream = JsonLines("pivot repro", reader)
    stream(events.StageCached("p.a"))
    stream(events.RunEnded(1.0))

    assert [text.count("\n") for text in reader.flushed] == [1, 2, 3]
    first, cached, ended = map(json.loads, reader.flushed[-1].splitlines())
    assert (first["event"], first["format"], first["command"]) == ("began", 1, "pivot repro")
    assert (cached["event"], cached["address"]) == ("stage_cached", "p.a")
    assert first["at"] <= cached["at"] <= ended["at"]


def test_times_count_from_the_start_of_the_command() -> None:
    reader = Reader()
    stream = JsonLines("pivot repro", reader, began=time.monotonic() - 100)
    stream(events.StageCached("p.a"))
    stream(events.RunEnded(123.0))
    first, cached, ended = map(json.loads, reader.getvalue().splitlines())

    assert first["time"] <= time.time() - 100
    assert cached["at"] >= 100
    assert ended["at"] == ended["seconds"] == 123.0


def test_a_reader_that_has_gone_stops_nothing() -> None:
    reader = Reader(gone_after=1)
    stream = JsonLines("pivot repro", reader)
    stream(events.StageCached("p.a"))
    stream(events.StageCached("p.b"))

    assert "p.b" not in reader.getvalue()
