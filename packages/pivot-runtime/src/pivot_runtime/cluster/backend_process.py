"""The process that is connected to a cluster: passes stage runs of a command to a plug-in, and its events back."""

import contextlib
import json
import os
import pathlib
import queue
import threading
import time
import traceback
from collections.abc import Mapping
from typing import Any, Final

from pivot_cache.layout import Layout
from pivot_core.errors import PivotError
from pivot_runtime.cluster.backend import ClusterBackend, ExecutorSettings, find
from pivot_runtime.errors import ExecutorError
from pivot_runtime.processes import wire

_PATIENCE_SECONDS: Final = 30.0
_WHILE_CONNECTING_SECONDS: Final = 5.0


def main(coordinator: int, *, guard: bool) -> None:
    """Serve the command until it closes its end of the pipe; then cancel what still runs, and disconnect.

    It reads commands ``connect``, ``sources``, ``submit`` and ``stop``, each with the arguments of the method that
    `ClusterBackend` and `ExecutorSettings` name, and writes the events of `ClusterEvents`; besides ``refused`` if it
    could not connect, and ``stopped``.
    """
    del coordinator, guard
    for fd in (wire.COMMANDS_FD, wire.EVENTS_FD):
        os.set_inheritable(fd, False)  # a cluster on this machine would keep them open
    BackendProcess().serve()


class WireEvents:
    """Sends the events of a cluster to the command; see `ClusterEvents`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lost = False

    def send(self, message: dict[str, Any]) -> None:
        """Send one event whole; after the cluster is lost, only that the command's request to stop was obeyed."""
        with self._lock:
            if not self._lost or message["event"] == "stopped":
                with contextlib.suppress(OSError):  # the command is gone, which the thread that reads sees as well
                    wire.send(wire.EVENTS_FD, message)
                self._lost = self._lost or message["event"] == "lost"

    def connected(self, *, dashboard: str, workers: int, threads: int) -> None:
        """See `ClusterEvents`."""
        self.send({"event": "connected", "dashboard": dashboard, "workers": workers, "threads": threads})

    def started(self, number: int, worker: str) -> None:
        """See `ClusterEvents`."""
        self.send({"event": "started", "id": number, "worker": str(worker)})

    def output(self, number: int, lines: list[str]) -> None:
        """See `ClusterEvents`."""
        self.send({"event": "output", "id": number, "lines": [str(line) for line in lines]})

    def answered(self, number: int, answer: bytes) -> None:
        """See `ClusterEvents`; it goes on as text, since only the command can say what is wrong with it."""
        received: object = answer  # a worker may send anything
        text = received.decode("utf-8", "replace") if isinstance(received, bytes) else ""
        self.send({"event": "answered", "id": number, "answer": text})

    def failed(self, number: int, summary: str, hint: str | None) -> None:
        """See `ClusterEvents`."""
        self.send({"event": "failed", "id": number, "summary": summary, "hint": hint})

    def waiting(self, number: int, reason: str) -> None:
        """See `ClusterEvents`."""
        self.send({"event": "waiting", "id": number, "reason": reason})

    def note(self, message: str) -> None:
        """See `ClusterEvents`."""
        self.send({"event": "note", "message": message})

    def lost(self, summary: str, hint: str | None) -> None:
        """See `ClusterEvents`."""
        self.send({"event": "lost", "message": summary, "hint": hint})

    def refused(self, error: BaseException) -> None:
        """The cluster of the address cannot be used."""
        if isinstance(error, PivotError):
            detail = error.traceback if isinstance(error, ExecutorError) else ""
            message, hint = str(error), error.hint
        else:
            detail = "".join(traceback.format_exception(error))
            message, hint = f"this is a bug in Pivot: {type(error).__name__}: {error}", None
        self.send({"event": "refused", "message": message, "hint": hint, "detail": detail})


class BackendProcess:
    """Carries out the commands, in their order, in the main thread, which code of the user may need.

    Another thread reads them, so that it sees the end of the command even if the connection takes long.
    """

    def __init__(self) -> None:
        self._events = WireEvents()
        self._commands: queue.SimpleQueue[Mapping[str, Any] | None] = queue.SimpleQueue()
        self._backend: ClusterBackend | None = None
        self._stops_read, self._stops_obeyed = 0, 0  # each is changed by one thread

    def serve(self) -> None:
        """Work until the command has ended."""
        threading.Thread(target=self._read, daemon=True).start()
        while (message := self._commands.get()) is not None:
            self._obey(message)
        if self._backend is not None:
            self._backend.stop()
            self._backend.close()

    def _read(self) -> None:
        reader = wire.MessageReader(wire.COMMANDS_FD)
        while not reader.closed:
            for message in reader.receive():
                if message["op"] == "stop":
                    self._stops_read += 1
                    if self._backend is None:  # that may take long, and nothing runs, nor will
                        self._events.send({"event": "stopped"})
                        message["answered"] = True
                self._commands.put(message)
        self._stops_read += 1
        self._commands.put(None)
        patience = _PATIENCE_SECONDS if self._backend is not None else _WHILE_CONNECTING_SECONDS
        time.sleep(patience)  # this thread is a daemon: it never sees the end of this if the process ends before
        os._exit(1)

    def _obey(self, message: Mapping[str, Any]) -> None:
        op = message["op"]
        if op == "stop":
            if self._backend is not None:
                self._backend.stop()
            self._stops_obeyed += 1
            if "answered" not in message:
                self._events.send({"event": "stopped"})
        elif op == "connect":
            self._connect(message)
        elif op == "sources":
            file = pathlib.Path(message["file"])
            archive = file.read_bytes()
            file.unlink()  # now, since the command may be killed
            if self._backend is not None:
                self._backend.add_sources(message["digest"], archive)
        elif self._backend is not None and self._stops_read == self._stops_obeyed:  # else nothing more starts
            self._submit(self._backend, message)

    def _connect(self, message: Mapping[str, Any]) -> None:
        root = pathlib.Path(message["root"])
        log = Layout(root).executor_log
        log_output(log)
        shown = log.relative_to(root).as_posix()
        settings = ExecutorSettings(root, message["run"], message["resources"], message["jobs"], shown)
        try:
            self._backend = find(message["address"])(message["address"], settings, self._events)
        except Exception as error:  # noqa: BLE001  # the command reports it
            self._events.refused(error)

    def _submit(self, backend: ClusterBackend, message: Mapping[str, Any]) -> None:
        task = json.dumps(message["task"], separators=(",", ":")).encode()
        try:
            backend.submit(
                message["number"],
                task,
                sources=message["sources"],
                name=message["name"],
                resources=message["resources"],
                priority=message["priority"],
            )
        except Exception as error:  # noqa: BLE001  # the stage fails, and the command goes on
            traceback.print_exc()
            hint = error.hint if isinstance(error, PivotError) else None
            self._events.failed(message["number"], f"it could not be sent to the cluster: {error}", hint)


def log_output(path: pathlib.Path) -> None:
    """Write what libraries and the user's function print into a file, which begins empty."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError:
        return  # where it went until now
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    os.close(fd)
