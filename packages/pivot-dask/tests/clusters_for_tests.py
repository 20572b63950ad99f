"""Schedulers, workers and connections for tests."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import attrs

from pivot_dask.backend import DaskBackend, _client
from pivot_runtime.cluster.backend import ExecutorSettings

HERE = pathlib.Path(__file__).parent


@attrs.define(eq=False)
class Processes:
    """A scheduler with workers."""

    directory: pathlib.Path
    processes: dict[str, subprocess.Popen[bytes]] = attrs.field(factory=dict)

    @property
    def address(self) -> str:
        found: list[str] = []

        def read() -> bool:
            with contextlib.suppress(OSError, ValueError):  # it is not there yet, or not yet whole
                found.append(json.loads((self.directory / "scheduler.json").read_text())["address"])
            return bool(found)

        wait_until(read)
        return found[0].replace("tcp://", "dask://")

    def start(self, name: str, *words: str, import_first: pathlib.Path = HERE) -> None:
        """Start a scheduler, or a worker with further words of its command line, and a directory before others."""
        place = self.directory / name
        place.mkdir()
        file = ("--scheduler-file", str(self.directory / "scheduler.json"))
        if name == "scheduler":
            words = (
                "-m",
                "distributed.cli.dask_scheduler",
                "--host",
                "127.0.0.1",
                "--port",
                "0",
                "--no-dashboard",
                *file,
            )
        else:
            own = ("--host", "127.0.0.1", "--no-dashboard", "--no-nanny", "--nthreads", "1", "--local-directory", ".")
            words = ("-m", "distributed.cli.dask_worker", "--name", name, *own, *file, *words)
        environment = {**os.environ, "PYTHONPATH": f"{import_first}{os.pathsep}{HERE}"}
        with (place / "log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, *words], cwd=place, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        process = self.processes.pop(name)
        process.send_signal(number)
        process.wait()


@attrs.define(eq=False)
class Recorder:
    """The events of a cluster, in their order."""

    events: list[tuple[Any, ...]] = attrs.field(factory=list)

    def connected(self, *, dashboard: str, workers: int, threads: int) -> None:
        self.events.append(("connected", (workers, threads, dashboard)))

    def started(self, number: int, worker: str) -> None:
        self.events.append(("started", number, worker))

    def output(self, number: int, lines: list[str]) -> None:
        self.events.append(("output", number, lines))

    def answered(self, number: int, answer: bytes) -> None:
        self.events.append(("answered", number, json.loads(answer)))

    def failed(self, number: int, summary: str, hint: str | None) -> None:
        self.events.append(("failed", number, summary, hint))

    def waiting(self, number: int, reason: str) -> None:
        self.events.append(("waiting", number, reason))

    def note(self, message: str) -> None:
        self.events.append(("note", message))

    def lost(self, summary: str, hint: str | None) -> None:
        self.events.append(("lost", summary, hint))

    def all(self, kind: str, number: int | None = None) -> list[tuple[Any, ...]]:
        return [event for event in list(self.events) if event[0] == kind and (number is None or event[1] == number)]

    def wait(self, kind: str, number: int | None = None, count: int = 1) -> tuple[Any, ...]:
        wait_until(lambda: len(self.all(kind, number)) >= count, lambda: str(self.events))
        return self.all(kind, number)[count - 1]


@attrs.define(eq=False)
class Connection:
    """A connection whose workers do what each task says."""

    backend: DaskBackend
    events: Recorder
    run: str

    def submit(self, number: int, do: str, *, resources: dict[str, float] | None = None, **others: Any) -> None:
        task = json.dumps({"number": number, "do": do, "run": self.run, **others}).encode()
        sources = others.get("sources", "d1")
        self.backend.submit(number, task, sources=sources, name=f"p.{do}", resources=resources or {}, priority=0)


def wait_until(true: Callable[[], bool], said: Callable[[], str] = str, seconds: float = 120.0) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, said()
        time.sleep(0.005)


def alive(pid: int) -> bool:
    """Whether a process runs, and is not only waited for."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


@contextlib.contextmanager
def processes(directory: pathlib.Path) -> Iterator[Processes]:
    made = Processes(directory)
    try:
        yield made
    finally:
        for name in reversed(list(made.processes)):
            made.kill(name)


@contextlib.contextmanager
def connected(address: str, run: str, **options: Any) -> Iterator[Connection]:
    settings, events = ExecutorSettings(pathlib.Path(), run), Recorder()
    url = address.replace("dask://", "tcp://")
    with mock.patch("pivot_dask.backend.CONNECT_SECONDS", 60.0):  # for a busy machine
        client = _client(url, address, settings, events)
    backend = DaskBackend(client, None, settings, events, stage_worker="stand_in:StandIn", **options)
    try:
        yield Connection(backend, events, run)
    finally:
        backend.stop()
        backend.close()
