"""The state diagrams of the map have the arrows of the code."""

import pathlib
import re

from pivot_core.decide import Verdict
from pivot_core.errors import PivotError
from pivot_runtime.running.runner import RunResult
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
ARROW = re.compile(r"^([A-Z_]+) +── .* ─+▶ ([A-Z_]+)$", re.MULTILINE)

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
    assert sorted(ARROW.findall(MAP.read_text())) == sorted(arrows)
