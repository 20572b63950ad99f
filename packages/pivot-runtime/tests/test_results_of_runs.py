"""The result of a run is the one that was written after its end, and before the end of the next run."""

import math

from pivot_cache.state.results import Result
from pivot_runtime.history.history import PastRun
from pivot_runtime.history.recorded_runs import number_of, result_of


def past(time: float, seconds: float) -> PastRun:
    return PastRun(1, time, "pivot repro", "done", seconds, ())


def test_results_of_other_runs_of_the_same_duration_are_not_taken() -> None:
    earlier, own, later = (Result({}, time=time, seconds=2.5) for time in (99.0, 102.6, 110.0))
    run = past(100.0, 2.5004)

    assert result_of(run, 109.9, [earlier, own, later]) is own
    assert result_of(run, 109.9, [earlier, later]) is None
    assert result_of(run, math.inf, [later, own]) is own


def test_a_result_with_another_duration_is_not_taken() -> None:
    assert result_of(past(100.0, 2.5), 110.0, [Result({}, time=102.6, seconds=3.0)]) is None


def test_the_name_of_a_run() -> None:
    assert number_of("run:12") == 12
    assert [number_of(name) for name in (None, "main", "run:", "run:x", "run:1 ", "xrun:1", "run:-1")] == [None] * 7
