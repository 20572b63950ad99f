"""Stage runs on a scheduler and workers that are processes of their own."""

import asyncio
import pathlib
import socket

import pytest
from clusters_for_tests import Connection, Processes, Recorder, alive, connected, processes, wait_until

from pivot_dask import on_worker
from pivot_dask.backend import connect
from pivot_runtime.cluster.backend import ExecutorSettings
from pivot_runtime.errors import ExecutorError


def test_stage_runs_start_print_and_answer(connection: Connection) -> None:
    assert connection.events.all("connected")[0][1][2] == ""  # there is no dashboard
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
    failure = connection.events.wait("failed", 7)[2]
    assert failure in {f"worker {name} cannot run stages: ValueError: a bug of ours" for name in ("plain", "second")}
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


def test_stop_ends_the_wait_for_sources_that_do_not_come(cluster: Processes, tmp_path: pathlib.Path) -> None:
    with connected(cluster.address, "three") as one, connected(cluster.address, "four") as two:
        for number in (1, 2):
            one.submit(number, "sources", sources="never sent")
            one.events.wait("started", number)

        one.backend.stop()

        for number in (1, 2):
            two.submit(number, "print")
            two.events.wait("answered", number)


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


def test_workers_and_the_scheduler_may_die(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pids, old = tmp_path / "pids", tmp_path / "old"
    (old / "pivot_dask-0.0.1.dist-info").mkdir(parents=True)
    (old / "pivot_dask-0.0.1.dist-info/METADATA").write_text(
        "Metadata-Version: 2.1\nName: pivot-dask\nVersion: 0.0.1\n"
    )
    with processes(tmp_path) as own:
        own.start("scheduler")
        own.start("first", "--nthreads", "2", "--resources", "disk=1")
        with connected(own.address, "r") as connection:
            connection.submit(1, "wait", pids=str(pids))
            connection.submit(2, "wait", pids=str(pids), resources={"disk": 1})
            for number in (1, 2):
                connection.events.wait("started", number)
            own.start("second")
            wait_until(lambda: len(connection.backend._workers()) == 2)
            wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 2)

            own.kill("first")
            assert connection.events.wait("started", 1, count=2)[2] == "second"
            wait_until(lambda: len(pids.read_text().split()) == 3)
            own.start("third", "--nthreads", "2", import_first=old)
            wait_until(lambda: len(connection.backend._workers()) == 2)
            connection.backend._client.retire_workers(names=["second"])
            assert connection.events.wait("started", 1, count=3)[2] == "third"
            wait_until(lambda: len(pids.read_text().split()) == 4)
            assert "no worker of the cluster has disk=1" in connection.events.wait("waiting", 2)[2]
            assert connection.events.all("answered") == connection.events.all("failed") == []

            monkeypatch.setattr(on_worker, "__name__", f"{on_worker.__name__}_of_a_later_version")
            connection.submit(3, "print")
            summary, hint = connection.events.wait("failed", 3)[2:]
            monkeypatch.undo()
            (address,) = connection.backend._workers()
            assert summary.startswith(f"worker third ({address}) has pivot-dask 0.0.1 (here ")
            assert "install `pivot[dask]`" in hint

            own.kill("scheduler")
            assert connection.events.wait("lost")[1] == "the connection to the Dask scheduler was lost"
            wait_until(lambda: not any(alive(int(pid)) for pid in pids.read_text().split()))
            connection.submit(4, "print")
            connection.backend.stop()
    assert connection.events.events[-1][0] == "lost"


def test_a_connection_is_closed_also_if_its_reader_has_failed(connection: Connection) -> None:
    client, loop = connection.backend._client, connection.backend._loop
    failed = asyncio.Event()

    async def read() -> None:
        failed.set()
        raise AssertionError("of a new connection that the scheduler has refused")

    async def fail() -> None:
        client._handle_report_task = loop.create_task(read())
        await failed.wait()

    asyncio.run_coroutine_threadsafe(fail(), loop).result()
    connection.backend.close()
    assert client.status == "closed"


def test_an_address_without_a_scheduler_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pivot_dask.backend.CONNECT_SECONDS", 0.3)
    settings = ExecutorSettings(pathlib.Path(), "r")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(ExecutorError, match=f"no Dask scheduler answers at dask://127.0.0.1:{port}") as caught:
            connect(f"dask://127.0.0.1:{port}", settings, Recorder())
    assert "is it this port" in (caught.value.hint or "")
    assert "--executor local runs stages on this machine" in (caught.value.hint or "")
    with pytest.raises(ExecutorError, match="needs TLS, for which Dask is not configured here") as caught:
        connect(f"dask+tls://127.0.0.1:{port}", settings, Recorder())
    assert "distributed.comm.tls" in (caught.value.hint or "")
