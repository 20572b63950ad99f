"""Logs: never larger than they may be, in order, and found by name."""

import os
import pathlib

import pytest

from pivot_cache.layout import Layout
from pivot_runtime.errors import LogError, TargetError
from pivot_runtime.history import logs
from pivot_runtime.history.logs import RunLog, TextLines


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs of 20 bytes at the beginning, and of 10 at the end."""
    monkeypatch.setattr(logs, "HEAD", 20)
    monkeypatch.setattr(logs, "TAIL", 10)


def logged(file: pathlib.Path, *parts: bytes) -> bytes:
    log = RunLog(str(file))
    for part in parts:
        log.write(part)
    log.close()
    return file.read_bytes()


@pytest.mark.usefixtures("small")
def test_short_output_is_kept_completely(tmp_path: pathlib.Path) -> None:
    assert logged(tmp_path / "log", b"0123456789" * 3, b"abcdefghij") == b"0123456789" * 3 + b"abcdefghij"


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("size", [1, 7, 10, 1000])
def test_of_what_does_not_fit_beginning_and_end_stay(tmp_path: pathlib.Path, size: int) -> None:
    """However it comes; what is left out is counted."""
    printed = b"".join(b"%06d" % number for number in range(1000))
    parts = [printed[start : start + size] for start in range(0, len(printed), size)]
    kept = logged(tmp_path / "log", *parts)
    told, _, tail = kept[20:].partition(b" bytes are left out here \xe2\x80\xa6\n")
    missing = int(told.split()[-1])

    assert kept.startswith(printed[:20])
    assert printed.endswith(tail)
    assert 10 <= len(tail) <= 20
    assert 20 + missing + len(tail) == len(printed)


def test_earlier_logs_are_kept(tmp_path: pathlib.Path) -> None:
    """Three of them, and none that is empty."""
    file = tmp_path / "p.s.log"
    silent = RunLog(str(file))
    silent.close()
    assert not file.exists()
    for text in (b"1", b"2", b"3", b"", b"4", b"5"):
        logged(file, text)

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "p.s.log": b"5",
        "p.s.log.1": b"4",
        "p.s.log.2": b"3",
        "p.s.log.3": b"2",
    }


def test_a_log_that_cannot_be_written_harms_nothing(tmp_path: pathlib.Path) -> None:
    log = RunLog(str(tmp_path / "no" / "log"))
    log.write(b"x")
    log.close()

    full = RunLog("/dev/full")
    full.write(b"x" * 100)
    full.close()


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_lines_are_whole_and_as_they_are_seen_last(size: int) -> None:
    printed = "one\r\ntwo ä\n10%\r50%\r100%\n\nrest".encode()
    lines = TextLines()
    shown = [line for at in range(0, len(printed), size) for line in lines.feed(printed[at : at + size])]

    assert [*shown, *lines.rest()] == ["one", "two ä", "100%", "", "rest"]
    assert lines.rest() == []


def test_a_line_without_end_is_shown_in_pieces() -> None:
    lines = TextLines()

    assert "".join(line for _ in range(100) for line in lines.feed(b"x" * 1000)).startswith("x" * 50_000)


@pytest.fixture
def layout(tmp_path: pathlib.Path) -> Layout:
    layout = Layout(tmp_path)
    layout.logs_dir.mkdir(parents=True)
    layout.stages_dir.mkdir(parents=True)
    for name in ("p.one.log", "p.two.log", "q.two.log", "p.one.log.1"):
        (layout.logs_dir / name).write_text("")
    (layout.stages_dir / "p.restored.lock").write_text("")
    return layout


def test_a_log_is_found_by_the_names_of_its_stage(layout: Layout) -> None:
    assert logs.resolve_name(layout, "one") == logs.resolve_name(layout, "p.one") == "p.one"
    assert logs.resolve_name(layout, "new", ["p.new"]) == "p.new"
    assert logs.find(layout, "p.one") == logs.path_of(layout, "p.one") == layout.logs_dir / "p.one.log"
    assert logs.find(layout, "q.two") == layout.logs_dir / "q.two.log"
    assert logs.find(layout, "p.one", back=1) == layout.logs_dir / "p.one.log.1"


@pytest.mark.parametrize(
    ("name", "kind", "told", "hint"),
    [
        ("two", TargetError, "several stages", "p.two, q.two"),
        ("ome", TargetError, "no stage called 'ome'", "did you mean one?"),
        ("../p.one", TargetError, "no stage called", ""),
    ],
)
def test_unknown_stages_have_no_log(layout: Layout, name: str, kind: type[Exception], told: str, hint: str) -> None:
    with pytest.raises(kind, match=told) as error:
        logs.resolve_name(layout, name)
    assert hint in str(getattr(error.value, "hint", None))


def test_silent_stages_have_no_log(layout: Layout) -> None:
    assert logs.find(layout, "p.restored") is None
    with pytest.raises(LogError, match="no such earlier run"):
        logs.find(layout, "p.restored", back=1)


def test_all_logs_together_have_their_bound(tmp_path: pathlib.Path) -> None:
    """The earliest go first."""
    for age, name in enumerate(("d", "c", "b", "a")):
        (tmp_path / name).write_text("x" * 100)
        os.utime(tmp_path / name, (age, age))
    logs.prune(tmp_path, 250)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
    logs.prune(tmp_path / "nowhere")
