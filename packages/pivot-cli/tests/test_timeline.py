"""Past runs drawn over time, and listed: pure."""

import html.parser
import itertools
import json
from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st

from pivot_cli.pages.timeline import timeline_data, timeline_page
from pivot_cli.views import history, timeline
from pivot_runtime.history.history import STATES, PastPhase, PastRun, PastStage
from pivot_runtime.tracing.usage import ResourceUsage

TRAIN = PastStage(
    "p.train",
    "train",
    "ran",
    began=0.5,
    seconds=2.0,
    reasons=("Code dependency changed", "Input data changed"),
    changes=(("Code dependency changed", "func:model:fit"), ("Input data changed", "in.csv")),
    usage=ResourceUsage(1.9, 120_000_000),
    undeclared=("notes.txt",),
)
FAILED = PastStage("p.plot", "plot", "failed", began=0.25, seconds=0.5, problem="ValueError: <no>", worker="node7")
CACHED = PastStage("p.clean", "clean", "cached", began=0.1)
RUN = PastRun(7, 1_700_000_000.0, "pivot repro", "not done", 3.0, (CACHED, FAILED, TRAIN))

SLOW = PastRun(
    8,
    1_700_000_000.0,
    "pivot repro",
    "done",
    7.5,
    (attrs.evolve(TRAIN, began=5.5, seconds=1.25),),
    phases=(
        PastPhase("waiting", "pivot run", 0.125, 0.125),
        PastPhase("loading", "", 0.25, 5.0),
        PastPhase("importing", "a/pipeline.py", 0.5, 4.5, {"pandas": 1.5, "tiny": 0.002, "sklearn": 2.75}),
        PastPhase("fetching", "train", 5.25, 0.125),
        PastPhase("storing", "train", 6.75, 0.5),
        PastPhase("recording", "", 7.25, 0.125),
    ),
)
"""A run that mostly imports."""

moments = st.floats(0, 100)
stages = st.lists(
    st.builds(
        PastStage,
        st.text("abc", min_size=1, max_size=3),
        st.text(max_size=5),
        st.sampled_from(STATES),
        began=moments,
        seconds=st.none() | moments,
    ),
    max_size=8,
)
texts = st.text(max_size=5)
phases = st.lists(
    st.builds(
        PastPhase,
        st.sampled_from(["waiting", "loading", "importing", "fetching", "storing", "recording"]),
        texts,
        moments,
        moments,
        st.dictionaries(texts, moments, max_size=2),
    ),
    max_size=4,
)
runs = st.builds(
    PastRun, st.integers(1), st.just(0.0), texts, st.just("done"), moments, stages.map(tuple), texts, phases.map(tuple)
)


@given(runs)
def test_bars_of_one_lane_do_not_overlap_and_no_lane_is_wasted(run: PastRun) -> None:
    bars = timeline.layout(run)

    for lane in {bar.lane for bar in bars}:
        mine = [bar for bar in bars if bar.lane == lane]
        assert all(before.end <= after.start for before, after in itertools.pairwise(mine))
        assert len({type(bar.work) for bar in mine}) == 1
    for kind in (PastStage, PastPhase):
        own = [bar for bar in bars if type(bar.work) is kind]
        at_once = max((sum(b.start <= bar.start < b.end for b in own if b is not bar) + 1 for bar in own), default=0)
        assert len({bar.lane for bar in own}) <= at_once
    assert {bar.lane for bar in bars} == set(range(timeline.lane_count(bars)))


@given(runs)
def test_every_phase_and_every_stage_that_worked_has_a_bar_and_no_other(run: PastRun) -> None:
    worked = [stage for stage in run.stages if stage.seconds is not None or stage.state in ("interrupted", "running")]

    assert sorted(id(bar.work) for bar in timeline.layout(run)) == sorted(map(id, [*run.phases, *worked]))


class Shown(html.parser.HTMLParser):
    """The tags and the text of the body of a page, without its values and scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.feed(text[text.index("<body>") : text.index("<script")])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - it is called so
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@given(runs)
def test_the_page_has_a_bar_for_each_of_the_layout(run: PastRun) -> None:
    shown = [(bar.start, bar.end) for bar in timeline.layout(run)]
    values = json.loads(json.dumps(timeline_data(run)))
    bars = [bar for group in values["groups"] for bar in group["bars"]]

    assert Shown(timeline_page(run)).open == ["body"]
    assert sorted((bar["start"], bar["end"]) for bar in bars) == sorted(shown)
    assert all(bar["end"] <= values["seconds"] for bar in bars)


def test_the_page_says_what_happened() -> None:
    text = timeline_page(RUN)

    assert "ValueError: &lt;no&gt;" in text
    shown = Shown(text).text
    for word in ["Run 7: pivot repro", "train", "120 MB", "Code dependency changed: func:fit", "ValueError: <no>"]:
        assert word in shown


def test_the_trace_has_microseconds_and_lanes() -> None:
    trace: dict[str, Any] = json.loads(json.dumps(timeline.chrome_trace(RUN)))
    plot, train = [event for event in trace["traceEvents"] if event["ph"] == "X"]

    assert (train["name"], train["ts"], train["dur"]) == ("train", 500_000, 2_000_000)
    assert train["args"]["memory"] == 120_000_000
    assert (plot["cat"], plot["ts"]) == ("failed", 250_000)
    assert plot["tid"] != train["tid"]  # they overlap


def test_phases_are_bars_of_their_own() -> None:
    bars = [(bar.name, bar.start, bar.end, bar.lane) for bar in timeline.layout(SLOW)]
    assert bars == [
        ("waiting pivot run", 0.125, 0.25, 0),
        ("loading", 0.25, 5.25, 0),
        ("importing a/pipeline.py", 0.5, 5.0, 1),
        ("fetching train", 5.25, 5.375, 0),
        ("storing train", 6.75, 7.25, 0),
        ("recording", 7.25, 7.375, 0),
        ("train", 5.5, 6.75, 2),
    ]
    own, stages = timeline_data(SLOW)["groups"]
    assert [bar["name"] for bar in stages["bars"]] == ["train"]
    assert own["bars"][2] == {
        "name": "importing a/pipeline.py",
        "state": "importing",
        "start": 0.5,
        "end": 5.0,
        "facts": [
            ["state", "importing"],
            ["took", "4.5s"],
            ["began", "0.50s"],
            ["libraries", "pandas 1.5 s, sklearn 2.8 s"],
        ],
    }
    shown = Shown(timeline_page(SLOW)).text
    assert "a/pipeline.pyimporting0.50s4.5spandas 1.5 s, sklearn 2.8 s" in shown
    trace = timeline.chrome_trace(SLOW)["traceEvents"]
    assert trace[3]["args"] == {"libraries": {"pandas": 1.5, "tiny": 0.002, "sklearn": 2.75}}
    assert [event["tid"] for event in trace[1:]] == [1, 1, 2, 1, 1, 1, 3]


def test_a_run_with_phases_as_text() -> None:
    assert history.run_text(SLOW).split("\n", 1)[1] == (
        "done: 1 ran\n"
        "\n"
        "waiting      pivot run       0.12s\n"
        "loading                       5.0s\n"
        "importing    a/pipeline.py    4.5s                       pandas 1.5 s, sklearn 2.8 s\n"
        "ran          train            1.2s    1.9s cpu   120 MB  Code dependency changed: func:fit\n"
        "                            undeclared: notes.txt\n"
        "fetching                     0.12s\n"
        "storing                      0.62s\n"
    )
    line = history.runs_text([SLOW]).splitlines()[1]
    assert line.endswith("  7.5s   5.0s     0.62s    done: 1 ran  pivot repro")


def test_time_in_phases_that_overlap_counts_once() -> None:
    assert SLOW.time_in("loading", "importing") == 5.0
    assert SLOW.time_in("storing", "recording") == 0.625
    assert SLOW.time_in("importing", "storing") == 5.0
    assert RUN.time_in("loading") is None


def test_a_run_as_text() -> None:
    assert history.run_text(RUN).split("\n", 1)[1] == (
        "not done: 1 failed, 1 ran, 1 cached\n"
        "\n"
        "FAILED       plot    0.50s                       ValueError: <no>  (on node7)\n"
        "ran          train    2.0s    1.9s cpu   120 MB  Code dependency changed: func:fit\n"
        "                    undeclared: notes.txt\n"
        "\n"
        "cached: clean\n"
    )


def test_the_list_of_runs() -> None:
    head, line = history.runs_text([RUN]).splitlines()

    assert head.split() == ["RUN", "BEGAN", "TOOK", "LOADING", "STORING", "RESULT", "COMMAND"]
    assert line.endswith("  3.0s                     not done: 1 failed, 1 ran, 1 cached  pivot repro")
    assert history.runs_text([]) == "No run has been recorded.\n"


def test_json_has_the_documented_fields() -> None:
    plain = json.loads(json.dumps(history.run_json(RUN)))

    assert plain["began"] == "2023-11-14T22:13:20+00:00"
    assert plain["counts"] == {"failed": 1, "ran": 1, "cached": 1}
    assert plain["stages"][2] == {
        "name": "train",
        "address": "p.train",
        "combination": None,
        "state": "ran",
        "began": 0.5,
        "seconds": 2.0,
        "reasons": ["Code dependency changed", "Input data changed"],
        "changes": [
            {"reason": "Code dependency changed", "key": "func:model:fit"},
            {"reason": "Input data changed", "key": "in.csv"},
        ],
        "cpu": 1.9,
        "memory": 120_000_000,
        "problem": "",
        "undeclared": ["notes.txt"],
        "worker": None,
    }
    assert history.run_json(SLOW)["phases"][2] == {
        "phase": "importing",
        "of": "a/pipeline.py",
        "began": 0.5,
        "seconds": 4.5,
        "libraries": {"pandas": 1.5, "tiny": 0.002, "sklearn": 2.75},
    }
