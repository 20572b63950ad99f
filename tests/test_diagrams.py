"""The state diagrams of the map have the arrows of the code."""

import itertools
import pathlib
import re

from pivot_core.decide import Verdict
from pivot_core.errors import PivotError
from pivot_core.plan import Plan, State
from pivot_runtime.running.run_result import RunResult, StageOutcome
from pivot_runtime.running.watch_states import (
    ChangedPaths,
    Debounce,
    FailedLook,
    Look,
    Round,
    StageLook,
    Verdicts,
    WatchEvent,
    WatchPhase,
    WatchState,
    next_state,
)

MAP = pathlib.Path(__file__).parent.parent / "docs/architecture.md"
ARROW = re.compile(r"^([A-Z_]+) +── (.*?) ─+▶ ([A-Z_]+)$", re.MULTILINE)

EDIT = ChangedPaths(("/in",), ("/in",))
EVENTS: dict[WatchPhase, tuple[WatchEvent, ...]] = {
    WatchPhase.RUNNING: (Round(RunResult()), Round(None, PivotError("no such target"))),
    WatchPhase.LOOKING: (Look(Verdicts()), Look(Verdicts((StageLook("p.a", Verdict.RUN),))), FailedLook()),
    WatchPhase.SETTLING: (Debounce(),),
    WatchPhase.WAITING: (EDIT, ChangedPaths(("/out",)), ChangedPaths(("/out",), command_at_work=True)),
    WatchPhase.WAITING_FOR_FIX: (EDIT,),
    WatchPhase.WAITING_FOR_COMMAND: (EDIT, ChangedPaths(), ChangedPaths(("/out",), command_at_work=True)),
    WatchPhase.COMPARING: (Look(Verdicts()), Look(Verdicts((StageLook("p.a", Verdict.RUN),)))),
}


def drawn(title: str) -> dict[tuple[str, str], list[str]]:
    """The arrows of the diagram below a line of the map, with their words."""
    _, _, text = MAP.read_text().partition(f"\n{title}")
    arrows: dict[tuple[str, str], list[str]] = {}
    for start, words, end in ARROW.findall(text.split("```")[1]):
        arrows.setdefault((start, end), []).append(words)
    return arrows


def test_the_map_draws_each_arrow_of_a_stage_in_a_run() -> None:
    """Those of every way through a plan of three stages."""
    upstream = {"a": frozenset[str](), "b": frozenset({"a"}), "c": frozenset[str]()}
    arrows: set[tuple[str, str]] = set()
    for ways in itertools.product(("take", "done", "fail", "stop"), repeat=7):
        plan = Plan(upstream)
        for way in ways:
            before = {name: plan.state(name) for name in upstream}
            running = [name for name, state in before.items() if state is State.RUNNING]
            match way:
                case "take":
                    plan.take()
                case "stop":
                    plan.stop()
                case _ if running:
                    getattr(plan, way)(running[0])
            arrows |= {
                (state.name, plan.state(name).name) for name, state in before.items() if plan.state(name) is not state
            }
    found = drawn("A stage in a run")
    assert found.keys() == arrows
    outcomes = [found["RUNNING", end] for end in ("DONE", "FAILED")]
    words = [set(re.findall("[A-Z]+", text)) for (text,) in outcomes]
    assert words[0] | words[1] == {each.name for each in StageOutcome}
    assert not words[0] & words[1]


def test_the_map_draws_each_arrow_of_watch() -> None:
    arrows: set[tuple[str, str]] = set()
    known, pending = [WatchState()], [WatchState()]
    while pending:
        state = pending.pop()
        for event in EVENTS[state.phase]:
            after = next_state(state, event)
            arrows.add((state.phase.name, after.phase.name))
            after = WatchState(after.phase, after.run, after.look, after.failure)
            if after not in known:
                known.append(after)
                pending.append(after)
    found = drawn("Watch (")
    assert found.keys() == arrows
    assert all(len(words) == 1 for words in found.values())
