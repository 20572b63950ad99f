"""The executor that runs each stage in its own process, which the host of its pipeline starts."""

import contextlib
import math
import os
import pathlib
import select
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from pivot_core.lock import CodeEntry, Inputs
from pivot_core.spec import Location
from pivot_runtime.config.settings import WorkerStart
from pivot_runtime.errors import HostError
from pivot_runtime.executors.base import Failure, Finished
from pivot_runtime.executors.quiet_stages import Silence
from pivot_runtime.loading.host_client import HostClient
from pivot_runtime.processes import process_tree, wire
from pivot_runtime.tracing.usage import ResourceUsage, TraceOptions, UsedFiles

_MOMENT_SECONDS = 0.02


class HostExecutor:
    """Runs each stage as a child of the warm host of its pipeline, by default as a fork."""

    def __init__(  # noqa: PLR0913  # each is a wish of the run
        self,
        host_of: Callable[[str], HostClient],
        watching: TraceOptions | None = None,
        on_output: Callable[[str, tuple[str, ...]], None] | None = None,
        spawned: Callable[[str, tuple[str, ...]], None] = lambda *_: None,
        silent: tuple[float, Callable[[str, float, float], None]] = (0.0, lambda *_: None),
        *,
        when_idle: Callable[[], object] | None = None,
        start: WorkerStart = WorkerStart.FORK,
        owns_children: bool = False,
    ) -> None:
        """Create the executor.

        Args:
            host_of: Returns the host of each stage, by address.
            watching: The observations to make of stages.
            on_output: Called with each stage's lines as they are printed.
            spawned: Called with each stage that could not be forked, and the threads that prevented it.
            silent: The seconds of silence after which a running stage is reported, and the callback for that; 0 means
                never.
            when_idle: Called once, when nothing happens for a moment while stages run.
            start: How the process of a stage starts.
            owns_children: Whether this process has no other children, so that the stages' processes can be ended if a
                host is killed.
        """
        self._host_of = host_of
        self._watching = (watching or TraceOptions()).to_plain()
        self._on_output = on_output
        self._spawned = spawned
        self._silence, self._silent = Silence(silent[0]), silent[1]
        self._when_idle = when_idle
        self._logs: dict[int, pathlib.Path] = {}
        self._fresh = start is WorkerStart.SPAWN
        self._owns_children = owns_children
        self._own: frozenset[int] = frozenset()
        self._hosts: list[HostClient] = []
        self._poll: select.poll | None = None
        self._other: int | None = None
        self._started: dict[int, str] = {}
        self._pids: dict[int, int] = {}
        self._finished: deque[Finished] = deque()
        self._count = 0
        self._stopping: list[HostClient] = []

    @property
    def idle(self) -> bool:
        """Whether nothing has been started whose end was not reported."""
        return not (self._started or self._finished)

    def start(self, address: str, log: pathlib.Path, inputs: Inputs | None = None) -> None:
        """See `Executor.start`."""
        del inputs
        self._count += 1
        self._started[self._count] = address
        self._logs[self._count] = log
        self._silence.begin(self._count, time.monotonic())
        host = self._host_of(address)
        if host not in self._hosts:
            self._hosts.append(host)
            self._poll = None
            if self._owns_children:
                process_tree.adopt()
                self._own |= process_tree.children()
        host.send(
            {
                "op": "run",
                "id": self._count,
                "address": address,
                "log": str(log),
                "watching": self._watching,
                "stream": self._on_output is not None,
                "fresh": self._fresh,
            }
        )

    def wait(self) -> Finished:
        """See `Executor.wait`.

        Raises:
            HostError: The host died; its stages have been killed.
        """
        while (finished := self.wait_or(None)) is None:
            pass
        return finished

    def wait_or(self, other: int | None) -> Finished | None:
        """Block until a started stage ends, or a descriptor of something else becomes readable.

        Raises:
            HostError: The host died; its stages have been killed.
        """
        while not self._finished:
            if self._receive(other):
                return None
        return self._finished.popleft()

    def stop(self) -> None:
        """See `Executor.stop`."""
        if not self._started:
            return
        self._stopping = []
        for host in self._hosts:
            with contextlib.suppress(HostError):  # then the host has ended, and its children with it
                host.send({"op": "stop"})
                self._stopping.append(host)
        while self._stopping:  # not "while ends are missing", since a signal may have made us lose a message
            with contextlib.suppress(HostError):
                self._receive(None)
        for number in self._started:
            self._silence.end(number)
        self._started.clear()
        self._finished.clear()

    def kill(self) -> None:
        """See `Executor.kill`."""
        for host in self._hosts:
            host.close()

    def _receive(self, other: int | None) -> bool:
        """Receive messages of hosts; returns whether ``other`` is readable."""
        ready = self._readable(other)
        for host in [host for host in self._hosts if host.events in ready]:
            try:
                for message in host.receive():
                    self._note(message, host)
            except HostError:
                self._hosts.remove(host)
                self._poll = None
                if host in self._stopping:
                    self._stopping.remove(host)
                for pid in self._pids.values():
                    _kill_group(pid)
                if self._owns_children:
                    process_tree.await_end(host.pid)
                    process_tree.end_leftovers(self._own)
                    host.end_leftovers()
                raise HostError(
                    "the process that runs your stages ended unexpectedly, and they with it",
                    hint="repeat the command; if the system ends it for lack of memory, -j 1 needs the least",
                ) from None
        return other in ready

    def _readable(self, other: int | None) -> set[int]:
        """Wait until a host sends a message, or ``other`` is readable; returns the readable descriptors."""
        if self._poll is None or other != self._other:
            self._poll, self._other = select.poll(), other
            for fd in (*(host.events for host in self._hosts), *(() if other is None else (other,))):
                self._poll.register(fd, select.POLLIN)
        while True:
            patience = self._silence.patience(time.monotonic()) if self._when_idle is None else _MOMENT_SECONDS
            found = wire.poll(self._poll, None if patience is None else math.ceil(patience * 1000))
            if found:
                return {fd for fd, _ in found}
            if self._when_idle is not None:
                self._when_idle()
                self._when_idle = None
            for number, seconds, silent in self._silence.due(time.monotonic(), self._quiet):
                self._silent(self._started[number], seconds, silent)

    def _quiet(self, number: int) -> float | None:
        """The seconds since the last addition to the log of a stage."""
        try:
            return time.time() - os.stat(self._logs[number]).st_mtime
        except OSError:
            return None

    def _note(self, message: Mapping[str, Any], host: HostClient) -> None:
        if message["event"] == "stopped":
            if host in self._stopping:
                self._stopping.remove(host)
            return
        number = message["id"]
        if message["event"] == "started":
            self._pids[number] = message["pid"]
            if message["threads"] is not None:
                self._spawned(self._started[number], tuple(message["threads"]))
            return
        if message["event"] == "output":
            if self._on_output is not None:
                self._on_output(self._started[number], tuple(message["lines"]))
            return
        self._pids.pop(number, None)
        self._silence.end(number)
        self._logs.pop(number)
        address, seconds = self._started.pop(number), message["seconds"]
        usage, left = ResourceUsage(*message["usage"]), tuple(message["left"])
        if message["ok"]:
            observed = {
                key: CodeEntry(digest, Location(file, line))
                for key, (digest, file, line) in message["observed"].items()
            }
            seen = UsedFiles.from_plain(message["seen"])
            incomplete = (*message["incomplete"], *seen.unseen)
            finished = Finished(address, seconds, None, observed, incomplete, seen, usage, left)
        else:
            finished = Finished(address, seconds, Failure(**message["failure"]), usage=usage, left=left)
        self._finished.append(finished)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
