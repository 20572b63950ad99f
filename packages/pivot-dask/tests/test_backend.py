"""Stage runs on a scheduler and workers that are processes of their own."""

import pathlib
import socket

import pytest
from clusters_for_tests import Connection, Processes, Recorder, alive, connected, processes, wait_until

from pivot_dask.backend import SubmittedStage, connect, different_versions, doubtful, lacking
from pivot_runtime.cluster.backend import ExecutorSettings
from pivot_runtime.errors import ExecutorError


def test_stage_runs_start_print_and_answer(connection: Connection) -> None:
    connection.backend.add_sources("d1", b"archive")
    connection.submit(1, "print")
    for number in (2, 3, 4):
        connection.submit(number, "sources")
    connection.submit(5, "much", size=1 << 20)
    connection.submit(6, "much", size=1 << 20)
    connection.submit(7, "raise")

    assert connection.events.wait("answered", 1)[2]["number"] == 1
    assert [event[2] for event in connection.events.all("output", 1)] == [["one", "two"], ["three"]]
    kinds = [event[0] for event in connection.events.events if event[1] == 1]
    assert kinds == ["started", "output", "output", "answered"]
    for number in (2, 3, 4):
        assert connection.events.wait("answered", number)[2]["sources"] == "archive"
    for number in (5, 6):
        assert len(connection.events.wait("answered", number)[2]["log"]) == 1 << 20
    assert connection.events.wait("failed", 7)[2] == "the task failed in Dask: ValueError: a bug of ours"
    assert {event[2] for event in connection.events.all("started")} == {"plain", "second"}
    assert connection.backend._stages == {}
    for again in ({"started": "late"}, {"answer": b"{}"}, {"output": ["late"]}):  # of a worker that was cut off
        connection.backend._call(connection.backend._on_event, (0.0, {"number": 1, **again}))
    connection.submit(8, "print")
    connection.events.wait("answered", 8)
    assert [event[0] for event in connection.events.events if event[1] == 1] == kinds


def test_a_stage_runs_where_its_resources_are(connection: Connection) -> None:
    for number in range(3):
        connection.submit(number, "print", resources={"gpu": 1, "memory": 4e9})
    connection.submit(9, "print", resources={"gpu": 2})

    for number in range(3):
        assert connection.events.wait("answered", number)[2]["worker"] == "second"
    reason = 'no worker of the cluster has gpu=2: `dask worker --resources "gpu=2"` offers it'
    assert connection.events.wait("waiting", 9)[2] == reason


def test_reasons_to_wait() -> None:
    assert lacking({}, []) == "the cluster has no workers yet"
    assert lacking({}, [{}]) is None
    assert lacking({"gpu": 1}, [{}, {"gpu": 2}]) is None
    said = lacking({"gpu": 1, "memory": 8 << 30}, [{"gpu": 1}, {"memory": 9e9}])
    assert said is not None
    assert "has gpu=1 and memory=8589934592: `dask worker --resources" in said


def test_workers_are_asked_about_only_if_none_is_known_that_could_run_a_stage() -> None:
    gpu, running = SubmittedStage(None, {"gpu": 1}, 0.0), SubmittedStage(None, {"gpu": 1}, 0.0, started=True)
    stages = {1: SubmittedStage(None, {}, 0.0), 2: gpu, 3: running}
    assert doubtful(stages, {}, 1.0) == {}
    assert doubtful(stages, {}, 5.0).keys() == {1, 2}
    assert doubtful(stages, {gpu.needs: 0.0}, 5.0).keys() == {1}
    assert doubtful(stages, {gpu.needs: 0.0}, 100.0).keys() == {1, 2}


def test_stop_ends_what_runs_and_what_waits(connection: Connection, tmp_path: pathlib.Path) -> None:
    pids = tmp_path / "pids"
    for number in range(4):
        connection.submit(number, "wait", pids=str(pids))
    wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 2)

    connection.backend.stop()

    assert not any(alive(int(pid)) for pid in pids.read_text().split())
    connection.submit(9, "print")
    connection.events.wait("answered", 9)
    assert len(pids.read_text().split()) == 2
    assert connection.events.all("answered", 0) == []


def test_the_end_of_a_connection_ends_its_stage_runs(cluster: Processes, tmp_path: pathlib.Path) -> None:
    """As if the process with the connection was killed, which only the scheduler sees."""
    pids = tmp_path / "pids"
    with connected(cluster.address, "one") as one, connected(cluster.address, "two") as two:
        one.submit(1, "wait", pids=str(pids))
        wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 1)
        two.submit(1, "print")
        two.events.wait("answered", 1)
        one.backend._client.scheduler_comm.comm.abort()

        assert "connection" in one.events.wait("lost")[1]
        (pid,) = pids.read_text().split()
        wait_until(lambda: not alive(int(pid)))


def test_workers_and_the_scheduler_may_die(tmp_path: pathlib.Path) -> None:
    pids = tmp_path / "pids"
    with processes(tmp_path) as own:
        own.start("scheduler")
        own.start("first")
        with connected(own.address, "r") as connection:
            connection.submit(1, "wait", pids=str(pids))
            connection.events.wait("started", 1)
            own.start("second")
            wait_until(lambda: len(connection.backend._workers()) == 2)
            own.kill("first")
            assert connection.events.wait("started", 1, count=2)[2] == "second"
            wait_until(lambda: len(pids.read_text().split()) == 2)
            own.start("third")
            wait_until(lambda: len(connection.backend._workers()) == 2)
            connection.backend._client.retire_workers(names=["second"])
            assert connection.events.wait("started", 1, count=3)[2] == "third"
            wait_until(lambda: len(pids.read_text().split()) == 3)
            assert connection.events.all("answered") == connection.events.all("failed") == []

            own.kill("scheduler")
            assert connection.events.wait("lost")[1] == "the connection to the Dask scheduler was lost"
            wait_until(lambda: not any(alive(int(pid)) for pid in pids.read_text().split()))
            connection.submit(2, "print")
            connection.backend.stop()
    assert connection.events.events[-1][0] == "lost"


def test_an_address_without_a_scheduler_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pivot_dask.backend.CONNECT_SECONDS", 0.3)
    settings = ExecutorSettings(pathlib.Path(), "r")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(ExecutorError, match=f"no Dask scheduler answers at dask://127.0.0.1:{port}") as caught:
            connect(f"dask://127.0.0.1:{port}", settings, Recorder())
    assert "is it this port" in (caught.value.hint or "")
    with pytest.raises(ExecutorError, match="needs TLS, for which Dask is not configured here") as caught:
        connect(f"dask+tls://127.0.0.1:{port}", settings, Recorder())
    assert "distributed.comm.tls" in (caught.value.hint or "")


def test_different_versions_are_one_line() -> None:
    table = (
        "Mismatched versions found\n\n+---+\n| Package | Client | Scheduler | Workers |\n+---+\n"
        "| dask    | 2026.8.0 | 2026.3.0 | 2026.8.0 |\n| numpy | 2.5 | None | None |\n+---+"
    )
    said = "dask 2026.8.0 here, 2026.3.0 on the scheduler, 2026.8.0 on workers"
    assert different_versions(table) == f"versions differ, which Dask may not support: {said}"
    assert different_versions("\n".join(line for line in table.splitlines() if "dask" not in line)) is None
    assert different_versions("another\ntext") == "versions differ, which Dask may not support: another text"
