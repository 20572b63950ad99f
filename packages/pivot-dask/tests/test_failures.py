"""Why stage runs end without an answer, in words."""

from asyncio import CancelledError
from typing import Any

from distributed.core import Status
from distributed.scheduler import KilledWorker, WorkerState

from pivot_dask.failures import PACKAGES, different_versions, explained, unfit_workers
from pivot_dask.on_worker import StageServiceError

HERE = {"host": {"python": "3.13.0.final.0"}, "packages": dict.fromkeys(PACKAGES, "1.2")}


def worker(python: str = "3.13.9.final.0", **packages: str | None) -> dict[str, Any]:
    named = {name.replace("_", "-"): version for name, version in packages.items()}
    return {"host": {"python": python}, "packages": {**HERE["packages"], **named}}


def test_workers_that_cannot_run_stages_are_named_with_what_differs() -> None:
    workers = {
        "tcp://a:1": worker(),
        "tcp://b:1": worker("3.11.2.final.0", pivot_dask=None, pivot_runtime=None),
        "tcp://c:1": worker(pivot_dask="1.1"),
        **{f"tcp://d:{number}": worker(pivot_runtime=None) for number in range(6)},
    }
    said = unfit_workers({"client": HERE, "workers": workers}, {"tcp://b:1": "old", "tcp://c:1": "tcp://c:1"})
    assert said.split("; ") == [
        "worker old (tcp://b:1) has no pivot-dask and no pivot-runtime, Python 3.11 (here 3.13)",
        "worker tcp://c:1 has pivot-dask 1.1 (here 1.2)",
        "6 workers (tcp://d:0, tcp://d:1, tcp://d:2, tcp://d:3 and 2 more) have no pivot-runtime",
    ]
    assert unfit_workers({"client": HERE, "workers": {"tcp://a:1": worker()}}, {}) == ""


def test_reasons_to_give_a_task_up() -> None:
    last = WorkerState(
        address="tcp://a:1",
        status=Status.running,
        pid=0,
        name="big",
        nthreads=1,
        memory_limit=0,
        local_directory="",
        nanny="",
        server_id="",
    )
    assert "4 workers ended while they ran it, big (tcp://a:1) as the last" in explained(KilledWorker("k", last, 3))[0]
    assert explained(CancelledError()) == ("somebody cancelled it in the cluster", None)

    lacking, unfit = (
        ModuleNotFoundError("No module named 'pivot_dask'", name="pivot_dask"),
        "worker tcp://b:1 has no pivot-dask",
    )
    summary, hint = explained(lacking, unfit)
    assert summary == unfit
    assert "install `pivot[dask]`" in str(hint)
    assert explained(lacking)[0].startswith("a worker cannot import pivot_dask: ")
    assert explained(SyntaxError("type X"), unfit)[0] == f"the task failed in Dask: SyntaxError: type X; {unfit}"
    assert explained(KeyError("k")) == ("the task failed in Dask: KeyError: 'k'", None)
    for error, has_hint in (
        (ImportError("no attrs"), True),
        (SyntaxError("type X"), True),
        (OSError(28, "No space left"), False),
    ):
        summary, hint = explained(StageServiceError.of("big", error))
        assert summary == f"worker big cannot run stages: {type(error).__name__}: {error}"
        assert (hint is not None) == has_hint


def test_different_versions_are_one_line() -> None:
    table = (
        "Mismatched versions found\n\n+---+\n| Package | Client | Scheduler | Workers |\n+---+\n"
        "| dask    | 2026.8.0 | 2026.3.0 | 2026.8.0 |\n| numpy | 2.5 | None | None |\n+---+"
    )
    said = "dask 2026.8.0 here, 2026.3.0 on the scheduler, 2026.8.0 on workers"
    assert different_versions(table) == f"versions differ, which Dask may not support: {said}"
    assert different_versions("\n".join(line for line in table.splitlines() if "dask" not in line)) is None
    table = table.replace("| 2026.8.0 |\n| numpy", "| {'2026.8.0', '2026.1.0', None} |\n| numpy")
    said = "dask 2026.8.0 here, 2026.3.0 on the scheduler, 2026.1.0 or 2026.8.0 on workers"
    assert different_versions(table) == f"versions differ, which Dask may not support: {said}"
    assert different_versions("another\ntext") == "versions differ, which Dask may not support: another text"
