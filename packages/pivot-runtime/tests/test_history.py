"""The record of a run, and how it is read, also when it was cut off anywhere."""

import json
import pathlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from workshop import Workshop

from pivot_core.decide import Decision, Verdict
from pivot_core.errors import PivotError
from pivot_core.files.paths import ArtifactPath
from pivot_runtime.errors import HistoryError
from pivot_runtime.history import event_json, events, history, journal, stage_stats
from pivot_runtime.history.events import Event
from pivot_runtime.history.history import PastPhase, PastRun
from pivot_runtime.history.journal import Journal
from pivot_runtime.project.project import Project
from pivot_runtime.tracing.usage import ResourceUsage


def told(root: pathlib.Path, *given: Event) -> None:
    """Record events as one run."""
    record = Journal(Workshop(root).layout, "pivot repro", events.no_report)
    for event in given:
        record(event)


def started(*addresses: str) -> events.RunStarted:
    return events.RunStarted({address: address.partition(".")[2] for address in addresses}, addresses)


def project(root: pathlib.Path) -> Project:
    return Project(root, root)


@pytest.fixture
def shop(tmp_path: pathlib.Path) -> Workshop:
    shop = Workshop(tmp_path)
    shop.write("in.txt", "1")
    shop.copying("one", "in.txt", "one.txt")
    shop.copying("two", "one.txt", "two.txt")
    return shop


def recorded_run(shop: Workshop, **options: Any) -> None:
    record = Journal(shop.layout, "pivot repro", events.no_report)
    shop.run(**options)
    for event in shop.events:
        record(event)


def test_a_run_is_shown_as_it_was(shop: Workshop) -> None:
    recorded_run(shop)
    shop.write("in.txt", "2")
    shop.versions["two"] = 1
    recorded_run(shop)

    newest, oldest = history.runs(project(shop.root))
    assert (oldest.number, newest.number, newest.state) == (1, 2, "done")
    assert newest.counts() == {"ran": 2}
    one, two = newest.stages
    assert (one.name, one.state, one.reasons, one.changes) == (
        "one",
        "ran",
        ("Input data changed",),
        (("Input data changed", "in.txt"),),
    )
    assert [reason for reason, _ in two.changes] == ["Code dependency changed", "Input data changed"]
    assert one.seconds is not None
    assert one.began >= 0
    assert history.run(project(shop.root)) == newest
    assert history.run(project(shop.root), 1) == oldest


def test_a_run_that_found_nothing_to_do_is_not_kept(shop: Workshop) -> None:
    recorded_run(shop)
    recorded_run(shop)

    assert [run.number for run in history.runs(project(shop.root))] == [1]


def test_problems_of_a_run(tmp_path: pathlib.Path) -> None:
    told(
        tmp_path,
        started("p.a", "p.b"),
        events.StageFailed("p.a", 1.5, "ValueError: x", usage=ResourceUsage(0.5, 1 << 20)),
        events.StageBlocked("p.b", "p.a"),
        events.StageBlocked("p.c", "", missing=(ArtifactPath("in.txt"),)),
        events.StageBlocked("p.d", "", taken={ArtifactPath("out"): "a directory"}),
        events.StageBlocked("p.e", "", frozen=(ArtifactPath("old.txt"),)),
        events.RunEnded(2.0, complete=False),
    )
    run = history.run(project(tmp_path))

    assert (run.state, run.counts()) == ("not done", {"failed": 1, "blocked": 4})
    failed, *blocked = run.stages
    assert (failed.problem, failed.seconds, failed.usage) == ("ValueError: x", 1.5, ResourceUsage(0.5, 1 << 20))
    assert [stage.problem for stage in blocked] == [
        "depends on a",
        "missing in.txt",
        "output path is taken: out",
        "frozen, and missing old.txt",
    ]


@pytest.mark.parametrize(
    ("reason", "state", "problem"),
    [("interrupted", "interrupted", ""), ("the disk is full", "stopped", "the disk is full")],
)
def test_a_run_that_was_stopped(shop: Workshop, reason: str, state: str, problem: str) -> None:
    shop.run()
    start = [event for event in shop.events if isinstance(event, events.StageStarted)][:1]
    told(shop.root, started("p.one"), *start, events.RunStopped(reason))
    run = history.run(project(shop.root))

    assert (run.state, run.problem) == (state, problem)
    assert [(stage.name, stage.state) for stage in run.stages] == [("one", "interrupted")]


def test_only_the_last_runs_are_kept(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "KEPT", 3)
    for _ in range(5):
        told(tmp_path, started(), events.StageBlocked("p.a", ""), events.RunEnded(0.0))

    assert [run.number for run in history.runs(project(tmp_path))] == [5, 4, 3]


def test_a_run_whose_process_is_there_is_running_and_else_it_died(tmp_path: pathlib.Path) -> None:
    layout = Workshop(tmp_path).layout
    record = Journal(layout, "pivot repro", events.no_report)
    record(events.StageBlocked("p.a", ""))
    assert history.run(project(tmp_path)).state == "running"

    del record  # its descriptor stays open, as that of a process does; a copy of the file has no writer
    place = layout.history_dir
    (place / "2.jsonl").write_bytes((place / "1.jsonl").read_bytes())
    assert history.run(project(tmp_path), 2).state == "died"


def test_a_reader_is_not_a_writer(tmp_path: pathlib.Path) -> None:
    told(tmp_path, events.StageBlocked("p.a", ""))
    first = history.run(project(tmp_path))

    assert history.run(project(tmp_path)).state == first.state


@pytest.mark.parametrize("number", [None, 7])
def test_a_run_that_is_not_there(tmp_path: pathlib.Path, number: int | None) -> None:
    Workshop(tmp_path)
    with pytest.raises(HistoryError):
        history.run(project(tmp_path), number)


def test_nothing_is_wrong_where_nothing_can_be_kept(shop: Workshop) -> None:
    shop.layout.database_dir.mkdir(parents=True, exist_ok=True)
    shop.layout.history_dir.write_text("in the way")
    recorded_run(shop)

    assert list(history.runs(project(shop.root))) == []


def test_statistics_of_each_stage(tmp_path: pathlib.Path, shop: Workshop) -> None:
    recorded_run(shop)
    known = stage_stats.project_stats(shop.layout)
    assert known.recall()["p.one"][stage_stats.VARIABLES] == []

    known.remember({"p.one": {stage_stats.VARIABLES: ["HOME"]}})
    assert known.recall()["p.one"][stage_stats.VARIABLES] == ["HOME"]
    (shop.layout.database_dir / "stage_stats.sqlite").write_bytes(b"damaged" * 1000)
    assert known.recall() == {}


LINES: list[dict[str, Any]] = [
    {"event": "began", "at": 0, "format": event_json.FORMAT, "time": 1.0, "command": "pivot repro", "pid": 1, "run": 1},
    {"event": "run_started", "at": 0.0, "names": {"p.a": "a"}, "addresses": ["p.a"]},
    {"event": "stage_started", "at": 0.1, "address": "p.a", "reasons": ["Forced"], "changes": []},
    {"event": "stage_undeclared", "at": 0.2, "address": "p.a", "found": [{"path": "x"}], "fatal": False},
    {"event": "a_later_invention", "at": 0.2},
    {"event": "stage_ran", "at": 0.3, "address": "p.a", "seconds": 0.2, "cpu": 0.1, "memory": 5},
    {"event": "run_ended", "at": 0.4, "complete": True, "seconds": 0.4},
]


PHASES: list[dict[str, Any]] = [
    {"event": "waiting_for_guard", "at": 0.125, "pid": 1, "command": "pivot run", "age": None},
    {"event": "pipeline_imported", "at": 2.0, "file": "a.py", "began": 0.5, "seconds": 1.0, "libraries": {"np": 0.5}},
    {"event": "pipelines_loaded", "at": 2.0, "began": 0.25, "seconds": 1.75},
    {"event": "run_started", "at": 2.0, "names": {"p.a": "a", "p.b": "b"}, "addresses": ["p.a", "p.b"]},
    {"event": "stage_started", "at": 2.0, "address": "p.a", "reasons": ["Forced"], "changes": []},
    {"event": "inputs_fetched", "at": 2.25, "address": "p.b", "remote": "r", "paths": ["x"], "seconds": 0.125},
    {"event": "stage_started", "at": 2.25, "address": "p.b", "reasons": ["Forced"], "changes": []},
    {"event": "pipeline_imported", "at": 4.0, "file": "b.py", "began": 2.5, "seconds": 1.25, "libraries": {}},
    {"event": "stage_ran", "at": 5.0, "address": "p.a", "seconds": 2.5, "storing": 0.5},
    {"event": "stage_ran", "at": 6.0, "address": "p.b", "seconds": 2.0, "storing": 0.0},
    {"event": "run_ended", "at": 7.0, "complete": True, "seconds": 7.0, "recording": [{"began": 6.0, "seconds": 0.5}]},
]


def test_phases_are_replayed_by_their_start_and_a_stage_begins_after_the_import_it_waits_for() -> None:
    run = replayed([LINES[0], *PHASES])

    assert run is not None
    assert run.seconds == 7.0
    assert run.phases == (
        PastPhase("waiting", "pivot run", 0.125, 0.125),
        PastPhase("loading", "", 0.25, 1.75),
        PastPhase("importing", "a.py", 0.5, 1.0, {"np": 0.5}),
        PastPhase("fetching", "b", 2.125, 0.125),
        PastPhase("importing", "b.py", 2.5, 1.25),
        PastPhase("storing", "a", 4.5, 0.5),
        PastPhase("recording", "", 6.0, 0.5),
    )
    assert [(stage.name, stage.began) for stage in run.stages] == [("a", 2.0), ("b", 4.0)]
    killed = replayed([LINES[0], *PHASES[:8]])
    assert killed is not None
    assert [(stage.state, stage.began) for stage in killed.stages] == [("interrupted", 2.0), ("interrupted", 4.0)]


def replayed(lines: list[dict[str, Any]]) -> PastRun | None:
    return history.replay(1, lines, alive=False)


def test_lines_of_events_that_are_not_known_are_passed_over() -> None:
    run = replayed(LINES)

    assert run is not None
    assert run.state == "done"
    assert run.stages[0].undeclared == ("x",)


@given(st.integers(1, len(LINES)), st.sets(st.integers(1, len(LINES) - 1)))
def test_a_run_that_was_cut_off_anywhere_and_has_lost_any_line_can_be_read(end: int, lost: set[int]) -> None:
    run = replayed([line for index, line in enumerate(LINES[:end]) if index not in lost])

    assert run is not None
    assert {stage.state for stage in run.stages} <= {"ran", "interrupted"}
    assert (run.state == "done") == (end == len(LINES) and len(LINES) - 1 not in lost)


junk = st.recursive(st.none() | st.integers() | st.text(max_size=3), lambda inner: st.lists(inner, max_size=2))


@given(st.lists(st.dictionaries(st.sampled_from(["event", "at", "address", "reasons", "names"]), junk, max_size=4)))
def test_damaged_lines_are_skipped(lines: list[dict[str, Any]]) -> None:
    replayed([LINES[0], *lines])


BEGAN = {"event": "began", "at": 0.0, "format": 1, "time": 1.0, "command": "pivot repro"}


@pytest.mark.parametrize(
    "line",
    [
        *({**BEGAN, "time": time} for time in (1e300, float("nan"), -1, "x", 10**400)),
        {"event": "began", "at": 0.0, "format": 1},
        {"event": "stage_started", "address": "p.a", "at": float("inf"), "reasons": []},
        {"event": "stage_ran", "address": "p.a", "at": 1.0, "seconds": float("nan")},
        {"event": "stage_ran", "address": "p.a", "at": 1.0, "seconds": 1.0, "storing": -1},
        {"event": "pipelines_loaded", "at": 1.0, "began": 0.0, "seconds": "x"},
        {"event": "pipeline_imported", "at": 1.0, "file": "a.py", "began": 0.0, "seconds": 1.0, "libraries": {"a": -1}},
    ],
)
def test_numbers_that_mean_nothing_are_damage(line: dict[str, Any]) -> None:
    assert history.replay(1, [BEGAN], alive=False) is not None
    assert history.replay(1, [BEGAN, line], alive=False) is None


def test_a_format_of_another_version_is_not_misread() -> None:
    assert replayed([{**LINES[0], "format": event_json.FORMAT + 1}]) is None


def test_a_line_of_each_event_is_json_and_says_all(shop: Workshop) -> None:
    shop.run()
    lines = [json.loads(json.dumps(event_json.to_json(event, 1.23456789))) for event in shop.events]

    stage = ["stage_started", "stage_ran"]
    assert [line["event"] for line in lines] == ["run_started", *stage, *stage, "run_ended"]
    assert {line["at"] for line in lines} == {1.234568}
    ran = lines[2]
    assert ran["reasons"] == ["No previous run"]
    assert ran["cpu"] is None


def test_an_error_is_described() -> None:
    from pivot_runtime.errors import BrokenPipeline  # lazy

    line = event_json.to_json(events.PipelinesBroken((BrokenPipeline("a/pipeline.py", PivotError("no"), ()),)), 0)
    assert line["broken"] == [{"file": "a/pipeline.py", "error": "no", "may_write": []}]


def test_a_patient_reporter_keeps_the_order() -> None:
    told: list[events.Event] = []
    report = events.PatientReporter(told.append)
    given = [events.StageCached(f"p.{number}") for number in range(5)]
    report(given[0])
    report.hold()
    report(given[1])
    report.hold()
    report(given[2])
    assert told == given[:1]
    report.release()
    assert told == given[:3]
    report.release()
    report(given[3])
    assert told == given[:4]


def test_a_patient_reporter_tells_each_event_once_even_if_that_fails() -> None:
    told: list[events.Event] = []

    def fail_once(event: events.Event) -> None:
        told.append(event)
        if len(told) == 1:
            raise BrokenPipeError

    report = events.PatientReporter(fail_once)
    given = [events.StageCached(f"p.{number}") for number in range(3)]
    report.hold()
    for event in given:
        report(event)
    with pytest.raises(BrokenPipeError):
        report.release()
    report.release()
    assert told == given


def test_the_worker_of_a_stage_is_known_and_when_it_began_there(tmp_path: pathlib.Path) -> None:
    run = Decision(Verdict.RUN)
    lines = [
        event_json.first_line("pivot repro", time=1.0, pid=7),
        *(
            event_json.to_json(event, at)
            for at, event in (
                (1.0, started("p.a", "p.b")),
                (2.0, events.StageStarted("p.a", run, sent=True)),
                (2.0, events.StageStarted("p.b", run, sent=True)),
                (3.0, events.StagePlaced("p.a", "one")),
                (4.0, events.StageMoved("p.a", "two", "one")),
                (9.0, events.StageRan("p.a", run, 5.0)),
            )
        ),
    ]
    found = history.replay(1, lines, alive=True)

    assert found is not None
    assert [(stage.name, stage.began, stage.worker) for stage in found.stages] == [("a", 4.0, "two"), ("b", 2.0, "")]
