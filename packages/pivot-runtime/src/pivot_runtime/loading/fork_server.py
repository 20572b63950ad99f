"""The command's end of a fork server, from which hosts are forked quickly, with the libraries that it has imported."""

import contextlib
import json
import math
import os
import pathlib
import select
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from pivot_runtime.errors import HostError
from pivot_runtime.loading import host_client
from pivot_runtime.loading.host_client import NO_REPORT, OnSlowImport, SlowImports, above_target, begin_process, held
from pivot_runtime.processes import wire
from pivot_runtime.processes.startup_state import StartupState

if TYPE_CHECKING:
    from pivot_runtime.warm.client import WarmLine

_SLOW_SECONDS = 1.0
_LEFTOVERS_SECONDS = 5.0
_PID_BYTES = 8


class PreloadError(Exception):
    """A library cannot be imported in advance.

    Attributes:
        name: The module; empty if it is not known.
        reason: Why.
        lasting: It will be so until the library is installed again.
    """

    def __init__(self, name: str, reason: str, *, lasting: bool = True) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason
        self.lasting = lasting


class ForkServer:
    """A process that has imported Pivot and no user code, from which hosts are forked quickly.

    Attributes:
        pid: The process.
        preloaded: It has imported libraries in advance, so that `preload` must not be called.
        outdated: Something that the imports in advance depended on has changed.
        unfit: A pipeline could not use them for another reason than its own imports, such as its directory.
    """

    def __init__(self, line: socket.socket, pid: int, warm: "WarmLine | None" = None) -> None:
        """Use a process that has been started, or one that the ``warm`` process has forked for this command."""
        self.pid = pid
        self.preloaded = warm is not None
        self.outdated = False
        self.unfit = False
        self._warm = warm
        self._line = line
        self._answers = wire.MessageReader(line.fileno())
        self._queue: list[dict[str, Any]] = []
        self._starting = ""
        self._ready = True

    @classmethod
    def begin(cls, *, quiet: bool, guard: int | None = None, startup_state: StartupState | None = None) -> Self:
        """Start the process; the arguments are those of `HostClient.begin`."""
        ours, theirs = socket.socketpair()
        moved = above_target(theirs.detach())
        try:
            pid = begin_process(
                "pivot_runtime.host.forkserver",
                ((moved, wire.COMMANDS_FD), *held(guard)),
                quiet=quiet,
                startup_state=startup_state,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            os.close(moved)
        return cls(ours, pid)

    def preload(self, root: pathlib.Path, file: pathlib.Path, names: Sequence[str]) -> None:
        """Begin to import libraries, as a host of ``file`` does; `host` waits for the end of that."""
        text = json.dumps({"root": str(root), "file": str(file), "names": list(names)}).encode()
        self._ready = False
        with contextlib.suppress(OSError):  # `host` reports that the process has ended
            self._line.sendall(wire.PRELOAD + len(text).to_bytes(wire.SIZE_BYTES) + text)

    def host(
        self,
        *,
        quiet: bool = False,
        slow: SlowImports = NO_REPORT,
        unshared: Callable[[Mapping[str, Any]], None] = lambda _: None,
    ) -> host_client.HostClient:
        """Return a new host; the arguments are those of `HostClient.begin` and `HostClient`.

        Raises:
            PreloadError: The libraries cannot be imported in advance; this object is of no more use.
            HostError: The process has ended.
        """
        waited = self._wait_for_libraries(*slow)

        def fork(theirs_in: int, theirs_out: int) -> int:
            request = wire.QUIET_HOST if quiet else wire.START_HOST
            try:
                socket.send_fds(self._line, [request], [theirs_in, theirs_out])
                data = self._line.recv(_PID_BYTES)
            except OSError:
                data = b""
            if not data:
                raise HostError("the process that starts your pipelines' processes ended unexpectedly")
            return int.from_bytes(data)

        end_leftovers = self._end_leftovers if self._warm is not None else lambda: None
        return host_client.HostClient(fork, child=False, end_leftovers=end_leftovers, waited=waited, unshared=unshared)

    def close(self) -> None:
        """End the process; its hosts live on."""
        if self._warm is not None:
            self._warm.close()
            return
        self._line.close()
        if not self._ready:  # it may be busy for long
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def _end_leftovers(self) -> None:
        """End the processes that killed hosts have left, which are descendants of a fork server that is no child."""
        with contextlib.suppress(OSError):
            self._line.settimeout(_LEFTOVERS_SECONDS)
            self._line.send(wire.END_LEFTOVERS)
            self._line.recv(_PID_BYTES)
            self._line.settimeout(None)

    def _wait_for_libraries(self, slow: OnSlowImport, interval: float) -> dict[str, float]:
        """Wait for the end of their imports; return the seconds that this took for each of them."""
        began = since = time.monotonic()
        until = _SLOW_SECONDS if interval else math.inf
        waited: dict[str, float] = {}
        while not self._ready:
            answer = self._answer(began + until)
            now, library = time.monotonic(), self._starting.partition(".")[0]
            if library:
                waited[library] = waited.get(library, 0.0) + now - since
            since = now
            if not answer:
                slow(now - began, "", waited)
                until = 2 * until if until >= interval else max(interval, until + _SLOW_SECONDS)
            elif "starting" in answer:
                self._starting = answer["starting"]
            elif "left out" in answer:
                raise PreloadError(answer["left out"], answer["reason"], lasting=answer["lasting"])
            else:
                self._ready = True
        return waited

    def _answer(self, until: float) -> dict[str, Any]:
        """The next message; an empty one if none has come until some time of the monotonic clock."""
        poll = select.poll()
        poll.register(self._line.fileno(), select.POLLIN)
        while not self._queue:
            if not wire.poll(poll, None if until == math.inf else max(0.0, until - time.monotonic()) * 1000):
                return {}
            with contextlib.suppress(OSError):
                self._queue += self._answers.receive()
            if self._answers.closed and not self._queue:
                raise PreloadError(self._starting, "its import ends the process")
        return self._queue.pop(0)
