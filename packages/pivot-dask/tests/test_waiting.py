"""Reasons for which stage runs wait."""

from pivot_dask.waiting import SubmittedStage, doubtful, lacking


def test_reasons_to_wait() -> None:
    assert lacking({}, []) == "the cluster has no workers yet"
    assert lacking({}, [], "a.log") == "the cluster has no workers yet (a.log has its output)"
    assert lacking({}, [{}]) is None
    assert lacking({"gpu": 1}, [{}, {"gpu": 2}]) is None
    said = lacking({"gpu": 1, "memory": 8 << 30}, [{"gpu": 1}, {"memory": 9e9}])
    assert said is not None
    assert "has gpu=1 and memory=8589934592: `dask worker --resources" in said


def test_workers_are_asked_about_only_if_none_is_known_that_could_run_a_stage() -> None:
    gpu, running = SubmittedStage(None, {"gpu": 1}, 0.0), SubmittedStage(None, {"gpu": 1}, 0.0, worker="tcp://w:1")
    stages = {1: SubmittedStage(None, {}, 0.0), 2: gpu, 3: running}
    assert doubtful(stages, {}, 1.0) == {}
    assert doubtful(stages, {}, 5.0).keys() == {1, 2}
    assert doubtful(stages, {gpu.needs: 0.0}, 5.0).keys() == {1}
    assert doubtful(stages, {gpu.needs: 0.0}, 100.0).keys() == {1, 2}
