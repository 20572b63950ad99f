"""Results of calls from notebooks show themselves shortly as text, and as escaped HTML."""

from pivot_core.files.paths import ArtifactPath
from pivot_runtime.history import events
from pivot_runtime.interactive.repro import Collector
from pivot_runtime.interactive.results import ReproResult, StageResult, StageState, StatusResult
from pivot_runtime.running.run_result import RunResult

HOSTILE = "<script>alert('x')</script>"


def test_a_run_shows_its_counts_and_its_stages() -> None:
    ran = StageResult("train", "p.train", "ran", "No previous run", 83.4)
    failed = StageResult("score", "p.score", "failed", HOSTILE, 1.26)
    done = ReproResult({"train": ran, "score": failed}, 85.0, ok=False)

    assert repr(done) == "<pivot.repro: 1 ran, 1 failed, 1 min 25 s, not complete>"
    assert str(ran) == "train: ran in 1 min 23 s (No previous run)"
    assert (ran.ok, failed.ok) == (True, False)
    shown = done._repr_html_()
    assert "<caption>pivot.repro: 1 ran, 1 failed, 1 min 25 s, not complete</caption>" in shown
    assert HOSTILE not in shown
    assert "&lt;script&gt;" in shown


def test_a_status_shows_which_stages_are_stale() -> None:
    fresh = StageState("train", "p.train", cached=True, verdict="up_to_date")
    stale = StageState("score", "p.score", cached=False, verdict="run", reason=HOSTILE)
    found = StatusResult({"train": fresh, "score": stale})

    assert repr(found) == "<pivot.status: 1 cached, 1 stale>"
    assert not found.cached
    assert HOSTILE not in found._repr_html_()
    assert "&lt;script&gt;" in found._repr_html_()
    assert repr(StatusResult({})) == "<pivot.status: no stages>"


def test_a_blocked_stage_says_why() -> None:
    collector = Collector(lambda _: None)
    collector(events.StageBlocked("p.a", "", missing=(ArtifactPath("in.txt"),)))
    collector(events.StageBlocked("p.b", "", frozen=(ArtifactPath("old.txt"),)))
    done = collector.result(RunResult())

    assert [stage.reason for stage in done.stages.values()] == ["missing: in.txt", "frozen, and missing: old.txt"]
