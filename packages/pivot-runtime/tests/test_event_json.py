"""The lines of events are a format: what classes and attributes are called in here does not change them."""

import json
import pathlib

from pivot_core.decide import Decision, FactChange, Reason, Verdict
from pivot_core.errors import PivotError
from pivot_core.files.paths import ArtifactPath
from pivot_runtime.errors import BrokenPipeline
from pivot_runtime.history import event_json, events
from pivot_runtime.tracing.undeclared import Undeclared
from pivot_runtime.tracing.usage import ResourceUsage

# One line per event, which the page on events is held against as well.
LINES = pathlib.Path(__file__).parent / "events.jsonl"

A, B = ArtifactPath("data/a.csv"), ArtifactPath("data/b.csv")
DECISION = Decision(Verdict.RUN, (Reason.CODE,), (FactChange(Reason.CODE, "train.py:train", old="one", new="two"),))
USAGE = ResourceUsage(1.23456789, 4096)
UNDECLARED = Undeclared(A, wrote=False, line="a: ...", owner="shop.a", count=2)
EVENTS: list[events.Event] = [
    events.WaitingForGuard(7, "pivot repro", 1.23456789),
    events.ImportSlow("pipeline.py", 2.0, "pipeline.py:3, in <module>", {"pandas": 1.23456789}),
    events.PipelineImported("pipeline.py", 0.123456789, 3.0, {"pandas": 2.0, "sklearn": 0.987654321}),
    events.PipelinesLoaded(0.123456789, 3.5),
    events.PipelinesBroken((BrokenPipeline("a/pipeline.py", PivotError("no"), (A,)),)),
    events.AskingRemote(),
    events.RunStarted({"shop.train": "train"}, ("shop.train",)),
    events.Fetching("shop.train", "origin", 1, 2, 10, 20),
    events.InputsFetched("shop.train", "origin", (A, B), 1.23456789),
    events.ExecutorConnected("dask://head:8786", "http://head:8787/status", 2, 8),
    events.StageStarted("shop.train", DECISION),
    events.StageStarted("shop.train", DECISION, sent=True),
    events.StagePlaced("shop.train", "node7"),
    events.StageWaiting("shop.train", "no worker has the resources gpu=1"),
    events.StageMoved("shop.train", "node8", "node7"),
    events.StagesSpawned("pipeline.py", ("a thread of torch",)),
    events.StageCached("shop.train"),
    events.StageFrozen("shop.train", DECISION),
    events.StageRestored("shop.train", DECISION, 1.23456789),
    events.StageRan("shop.train", DECISION, 1.23456789, ("a module has no source",), USAGE, ("HOME",), 0.123456789),
    events.StageUndeclared(
        "shop.train", (Undeclared(A, wrote=False, line="a: ...", owner="shop.a", count=2),), fatal=True
    ),
    events.StageOutput("shop.train", ("one", "two")),
    events.StageSilent("shop.train", 61.23456789, 60.0),
    events.StageRetried("shop.train", 1.23456789, "ValueError: no", 2),
    events.LeftoverProcessesKilled("shop.train", ("sleep 60",)),
    events.StageInputsChanged("shop.train", 1.23456789, ("train.py",), USAGE),
    events.StageFailed("shop.train", 1.5, "ValueError: no", "Traceback", "printed", "logs/train", "a way out", USAGE),
    events.StageBlocked("shop.train", "shop.a", (A,), {B: "a directory"}, (A,), {A: "no right to read it"}),
    events.StageBlocked("shop.train", "", frozen=(A,)),
    events.UserFileSaved(A, "ab/cdef"),
    events.OutsRecached((A, B)),
    events.OutsElsewhere(3, "origin", "pivot pull"),
    events.Interrupted(("shop.train",)),
    events.RunEnded(1.23456789, complete=False, recording=((0.5, 0.123456789),)),
    events.RunStopped("interrupted"),
]


def test_each_line_is_as_it_is_documented_with_its_names_and_their_order() -> None:
    lines = [event_json.first_line("pivot repro", time=1.23456789, pid=7)]
    lines += [event_json.to_json(event, 1.23456789) for event in EVENTS]
    lines.append(event_json.stage_planned("shop.train", DECISION, ("shop.a",), at=1.23456789))
    lines.append(event_json.plan_ended(seconds=1.23456789, complete=False))

    assert [json.dumps(line) for line in lines] == LINES.read_text().splitlines()


def test_each_event_is_pinned() -> None:
    assert {type(event) for event in EVENTS} == set(events.Event.__value__.__args__)


def test_unknown_values_are_null() -> None:
    unknown: list[events.Event] = [
        events.WaitingForGuard(7, "pivot repro"),
        events.StageRan("shop.train", DECISION, 1.0),
        events.StageFailed("shop.train", 1.0, "no"),
    ]
    found = [{key for key, value in event_json.to_json(event, 0).items() if value is None} for event in unknown]

    assert found == [{"age"}, {"cpu", "memory"}, {"log", "hint", "cpu", "memory"}]
