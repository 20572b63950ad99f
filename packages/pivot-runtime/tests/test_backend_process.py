"""The process that is connected to a cluster, with a plug-in in memory: what goes over its pipes."""

import os
import pathlib
import textwrap
from typing import Any

import pytest

from pivot_cache.layout import Layout
from pivot_runtime.cluster import backend
from pivot_runtime.errors import ConfigError
from pivot_runtime.loading.host_client import begin_process
from pivot_runtime.processes import wire

PLUG_IN = """
import pathlib, sys, threading
from pivot_runtime.errors import ExecutorError

def connect(address, settings, events):
    print("a word of a library")
    if address.endswith("nobody"):
        raise ExecutorError("nobody is there", hint="ask somebody", traceback="Traceback: of the user\\n")
    if address.endswith("wrong"):
        raise ZeroDivisionError("an error of ours")
    if address.endswith("slow"):
        threading.Event().wait()
    events.connected(dashboard="http://there", workers=2, threads=len(settings.resources) + settings.jobs)
    return Memory(settings, events)

class Memory:
    def __init__(self, settings, events):
        self.settings, self.events, self.sources = settings, events, {}

    def add_sources(self, digest, archive):
        self.sources[digest] = archive

    def submit(self, number, task, *, sources, name, resources, priority):
        if name == "unsent":
            raise ExecutorError("too large", hint="a remote")
        if name == "silent":
            self.events.waiting(number, f"no worker has {resources}: {self.settings.log}")
            return
        if name == "gone":
            self.events.lost("the scheduler is gone", "start it")
            self.events.started(number, "somebody")
        self.events.started(number, f"{name}@{priority}")
        self.events.output(number, ["a line"])
        self.events.note("by the way")
        self.events.answered(number, b'{"task":' + task + b',\\n"sources":"' + self.sources[sources] + b'"}')

    def stop(self):
        self.events.failed(0, "stopped", None)

    def close(self):
        pathlib.Path(self.settings.root, "closed").touch()
"""


class Process:
    """The process, and the command's end of its pipes."""

    def __init__(self, root: pathlib.Path, address: str) -> None:
        theirs_in, self.commands = os.pipe()
        self.events, theirs_out = os.pipe()
        given = ((theirs_in, wire.COMMANDS_FD), (theirs_out, wire.EVENTS_FD))
        self.pid = begin_process("pivot_runtime.cluster.backend_process", given, quiet=True, startup_state=None)
        os.close(theirs_in)
        os.close(theirs_out)
        self.reader = wire.MessageReader(self.events)
        self.pending: list[dict[str, Any]] = []
        self.send("connect", address=address, root=str(root), run="r1", resources={"gpu": 1}, jobs=3)

    def send(self, op: str, **others: Any) -> None:
        wire.send(self.commands, {"op": op, **others})

    def submit(self, number: int, name: str) -> None:
        common = {"task": {"of": number}, "sources": "d1", "resources": {"gpu": 1}, "priority": 7}
        self.send("submit", number=number, name=name, **common)

    def receive(self) -> dict[str, Any]:
        while not self.pending:
            self.pending += self.reader.receive()
            assert self.pending or not self.reader.closed
        return self.pending.pop(0)

    def end(self) -> int:
        os.close(self.commands)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture(autouse=True)
def _plug_in(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package that provides the executor ``memory``."""
    place = tmp_path_factory.mktemp("site")
    (place / "memory_plug_in.py").write_text(textwrap.dedent(PLUG_IN))
    info = place / "memory_plug_in-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: memory-plug-in\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[pivot.executors]\nmemory = memory_plug_in:connect\n")
    monkeypatch.setenv("PYTHONPATH", str(place))
    monkeypatch.syspath_prepend(str(place))


def test_stage_runs_go_there_and_events_come_back(tmp_path: pathlib.Path) -> None:
    archive = tmp_path / "archive"
    archive.write_text("bytes")
    process = Process(tmp_path, "memory://here")
    process.send("sources", digest="d1", file=str(archive))
    process.submit(1, "unsent")
    process.submit(2, "silent")
    process.submit(3, "a")

    assert [process.receive() for _ in range(7)] == [
        {"event": "connected", "dashboard": "http://there", "workers": 2, "threads": 4},
        {"event": "failed", "id": 1, "summary": "it could not be sent to the cluster: too large", "hint": "a remote"},
        {"event": "waiting", "id": 2, "reason": "no worker has {'gpu': 1}: .pivot/state.db/executor.log"},
        {"event": "started", "id": 3, "worker": "a@7"},
        {"event": "output", "id": 3, "lines": ["a line"]},
        {"event": "note", "message": "by the way"},
        {"event": "answered", "id": 3, "answer": '{"task":{"of":3},\n"sources":"bytes"}'},
    ]
    process.send("stop")
    assert process.receive() == {"event": "failed", "id": 0, "summary": "stopped", "hint": None}
    assert process.receive() == {"event": "stopped"}
    assert process.end() == 0
    assert (tmp_path / "closed").exists()
    assert "a word of a library" in Layout(tmp_path).executor_log.read_text()


def test_a_lost_cluster_sends_nothing_more(tmp_path: pathlib.Path) -> None:
    process = Process(tmp_path, "memory://here")
    process.submit(1, "gone")

    assert process.receive()["event"] == "connected"
    assert process.receive() == {"event": "lost", "message": "the scheduler is gone", "hint": "start it"}
    process.send("stop")
    assert process.receive() == {"event": "stopped"}
    assert process.end() == 0


def test_why_it_could_not_connect_is_said(tmp_path: pathlib.Path) -> None:
    nobody, wrong = Process(tmp_path, "memory://nobody"), Process(tmp_path, "memory://wrong")

    refused = {"message": "nobody is there", "hint": "ask somebody", "detail": "Traceback: of the user\n"}
    assert nobody.receive() == {"event": "refused", **refused}
    message = wrong.receive()
    assert message["message"] == "this is a bug in Pivot: ZeroDivisionError: an error of ours"
    assert "memory_plug_in.py" in message["detail"]
    assert [nobody.end(), wrong.end()] == [0, 0]


def test_a_stop_does_not_wait_for_a_slow_connection(tmp_path: pathlib.Path) -> None:
    process = Process(tmp_path, "memory://slow")
    process.submit(1, "a")
    process.send("stop")

    assert process.receive() == {"event": "stopped"}
    os.kill(process.pid, 9)
    assert process.end() == -9


def test_the_package_for_an_address_is_named() -> None:
    backend.check("memory+any:thing")
    with pytest.raises(ConfigError) as caught:
        backend.find("slurm://x")
    assert caught.value.hint == "an executor is local or dask://HOST:PORT or memory://HOST:PORT"
    with pytest.raises(ConfigError, match="'x:1' is no address of an executor"):
        backend.check("x:1")
