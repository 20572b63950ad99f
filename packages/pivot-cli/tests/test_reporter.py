"""Whether and how a run is reported."""

import io
import sys

import pytest

from pivot_cli.reporting.run import Verbosity, draws_live_view
from pivot_cli.reporting.run_lines import RunLines
from pivot_cli.reporting.watch import BufferedReporter
from pivot_core.decide import Decision, Reason, Verdict
from pivot_core.files.paths import ArtifactPath
from pivot_runtime.history import events
from pivot_runtime.tracing.undeclared import Undeclared
from pivot_runtime.tracing.usage import ResourceUsage

FORCED = Decision(Verdict.RUN, (Reason.FORCED,))


class Terminal(io.StringIO):
    """A stream that is one."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("telling", "out", "err", "term", "drawn"),
    [
        (Verbosity(), Terminal, Terminal, "xterm", True),
        (Verbosity(), io.StringIO, Terminal, "xterm", True),
        (Verbosity(), Terminal, io.StringIO, "xterm", False),
        (Verbosity(), Terminal, Terminal, "dumb", False),
        (Verbosity(), Terminal, Terminal, "", False),
        (Verbosity(quiet=True), Terminal, Terminal, "xterm", False),
        (Verbosity(jsonl=True), Terminal, Terminal, "xterm", False),
        (Verbosity(jsonl=True), io.StringIO, Terminal, "xterm", True),
    ],
)
def test_it_is_drawn_on_a_terminal_that_nothing_else_goes_to(
    monkeypatch: pytest.MonkeyPatch,
    telling: Verbosity,
    out: type[io.StringIO],
    err: type[io.StringIO],
    term: str,
    drawn: bool,
) -> None:
    monkeypatch.setattr(sys, "stdout", out())
    monkeypatch.setattr(sys, "stderr", err())
    monkeypatch.setenv("TERM", term)

    assert draws_live_view(telling) is drawn


FOUND = (
    Undeclared(ArtifactPath("x"), wrote=False, line="LINE"),
    Undeclared(ArtifactPath("y"), wrote=True, line="", owner="p.b"),
)
RUN: list[events.Event] = [
    events.RunStarted({"p.a": "a", "p.b": "b"}, ("p.a", "p.b")),
    events.StageCached("p.b"),
    events.StageStarted("p.a", FORCED),
    events.StageUndeclared("p.a", FOUND, fatal=False),
    events.StageRan("p.a", FORCED, 2.0, usage=ResourceUsage(1.5, 3_000_000)),
    events.RunEnded(2.0),
]
WARNING = "warning: stage 'a' uses files that it does not declare:\n  reads x\n    add: LINE\n"
WARNING += "  writes y, which 'b' writes\n    write to another path: only one stage may write a file\n"


def told(capsys: pytest.CaptureFixture[str], lines: RunLines) -> str:
    for event in RUN:
        lines(event)
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def test_quietly_only_what_goes_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, RunLines(quiet=True)) == WARNING


def test_with_what_it_cost(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, RunLines(explain=True, costs=True)) == (
        f"cached    b\na: Forced\n{WARNING}ran       a    2.0s  Forced  (1.5s of processor time, 3.0 MB of memory)\n"
    )


def test_as_ever(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, RunLines()) == f"cached    b\n{WARNING}ran       a    2.0s  Forced\n"


def test_each_path_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    path = ArtifactPath("x\n::error::\x1b[31m")
    run: list[events.Event] = [
        events.RunStarted({"p.a": "a"}, ("p.a",)),
        events.StageUndeclared("p.a", (Undeclared(path, wrote=False, line=f"LINE {path}"),), fatal=False),
        events.InputsFetched("p.a", "origin", (path,), 1.0),
        events.StageInputsChanged("p.a", 1.0, (f"dep:{path}",)),
    ]
    lines = RunLines()
    for event in run:
        lines(event)
    BufferedReporter(lines, (path,))(events.StageStarted("p.a", FORCED))

    shown = capsys.readouterr().err
    assert [line for line in shown.split("\n") if not line.isprintable() or line.startswith("::")] == []
