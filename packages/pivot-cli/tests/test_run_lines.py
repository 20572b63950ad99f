"""The output during a run."""

import pytest

from pivot_cli.reporting.run_lines import RunLines
from pivot_cli.terminal import console
from pivot_core.files.paths import ArtifactPath
from pivot_runtime.history import events

MANY = {"numpy": 0.6, "tiny": 0.01, "pandas": 2.1, "a": 0.3, "sklearn": 3.4, "b": 0.2, "c": 0.1}


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (events.ImportSlow("pipeline.py", 1.0), "importing pipeline.py …"),
        (events.ImportSlow("pipeline.py", 1.0, "pipeline.py:3, in <module>"), "importing pipeline.py …"),
        (events.ImportSlow("a/pipeline.py", 1.01, "", {"pandas": 0.62}), "importing a/pipeline.py (pandas 0.6 s …)"),
        (
            events.ImportSlow("pipeline.py", 60.0, "lib.py:5, in <module>", {"pandas": 2.1, "sklearn": 63.0}),
            "still importing pipeline.py, for 60 s now (pandas 2.1 s, sklearn 1m03s …): lib.py:5, in <module>",
        ),
        (events.ImportSlow("pipeline.py", 2.0), "still importing pipeline.py, for 2 s now"),
        (
            events.PipelineImported("pipeline.py", 0.1, 6.8, MANY),
            "imported pipeline.py in 6.8 s (numpy 0.6 s, pandas 2.1 s, a 0.3 s, sklearn 3.4 s, b 0.2 s …)",
        ),
        (
            events.PipelineImported("pipeline.py", 0.1, 5.9, {"pandas": 2.1, "sklearn": 3.4}),
            "imported pipeline.py in 5.9 s (pandas 2.1 s, sklearn 3.4 s)",
        ),
        (events.PipelineImported("pipeline.py", 0.1, 1.0, {"tiny": 0.01}), "imported pipeline.py in 1.0 s"),
        (events.PipelineImported("pipeline.py", 0.1, 0.99, {"pandas": 0.9}), ""),
    ],
)
def test_an_import_that_takes_long_is_reported_with_its_libraries(
    event: events.Event, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = console.captured()
    RunLines(quiet=True)(event)
    assert capsys.readouterr().err == ""
    RunLines()(event)

    assert capsys.readouterr().err == (f"note: {told}\n" if told else "")
    assert console.captured() == before, "the next command does not import, and may repeat this one's output"


STARTED = events.RunStarted({"shop.train": "train"}, ("shop.train",))


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (
            events.ExecutorConnected("dask://head:8786", "http://head:8787/status", 2, 8),
            "note: stages run at dask://head:8786 (2 workers, 8 threads); dashboard: http://head:8787/status\n",
        ),
        (
            events.ExecutorConnected("dask://head:8786", "", 1, 1),
            "note: stages run at dask://head:8786 (1 worker, 1 thread)\n",
        ),
        (
            events.StageMoved("shop.train", "node8", "node7"),
            "again     train          its worker node7 was lost: it runs again at node8\n",
        ),
        (
            events.StageMoved("shop.train", "", "node7"),
            "again     train          its worker node7 was lost: it runs again at another worker\n",
        ),
        (
            events.InputsFetched("shop.train", "", (ArtifactPath("a.csv"),), 1.0),
            "fetched   train    1.0s  a.csv, from the cache\n",
        ),
        (
            events.OutsElsewhere(3, "origin", "pivot pull"),
            "note: 3 outs are on the remote 'origin', not in the workspace: 'pivot pull' brings them here\n",
        ),
        (
            events.OutsElsewhere(1, "", "pivot checkout"),
            "note: 1 out is in the cache, not in the workspace: 'pivot checkout' brings it here\n",
        ),
    ],
)
def test_a_run_on_a_cluster_says_where_its_stages_and_outs_are(
    event: events.Event, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for quiet in (True, False):
        lines = RunLines(quiet=quiet)
        lines(STARTED)
        lines(event)

        assert capsys.readouterr().err == ("" if quiet else told)


def test_a_stage_that_no_worker_can_run_is_reported_to_everyone(capsys: pytest.CaptureFixture[str]) -> None:
    lines = RunLines(quiet=True)
    lines(STARTED)
    lines(events.StageWaiting("shop.train", "no worker has the resources gpu=1"))

    assert capsys.readouterr().err == "waiting   train          no worker has the resources gpu=1\n"
