"""The warm process: waits for commands, and forks a fork server for each of them."""

import contextlib
import gc
import importlib
import os
import select
import signal
import sys
import time
from pathlib import Path
from typing import Any, Final

from pivot_cache.layout import Layout
from pivot_runtime.definitions import source_import
from pivot_runtime.libraries.known_imports import KnownImports
from pivot_runtime.processes import clean_fork, live_threads, parent_death
from pivot_runtime.warm import memory, starting
from pivot_runtime.warm.conditions import conditions
from pivot_runtime.warm.endpoint import EndpointError, WarmSocket, is_own_peer
from pivot_runtime.warm.installation import Installation
from pivot_runtime.warm.record import WarmRecord
from pivot_runtime.warm.service import Service, Warm
from pivot_runtime.warm.starting import WarmLibraries

IDLE_SECONDS: Final = 600.0
"""The time after which it ends if no command uses it."""
_LOOK_SECONDS: Final = 2.0
_PREDECESSOR_SECONDS: Final = 5.0
_PREPARATION_SECONDS: Final = 600
_FIRST_FD: Final = 3
_FDS: Final = 1 << 20
_THREADS: Final = "a library keeps threads running"


def main(root: str, file: str, names: tuple[str, ...]) -> None:
    """Become the warm process of a project: detach from the command, prepare, and serve until there is a reason to end.

    The arguments are the project and the values of a `starting.WarmLibraries`.
    Nothing that the command has opened is kept, least of all its output, for whose end its caller waits.
    """
    began = time.time_ns()
    os.closerange(_FIRST_FD, _FDS)
    if os.fork() != 0:  # the leader of a session could get a terminal
        os._exit(0)
    layout = Layout(Path(root))
    try:
        record = WarmRecord(layout, _PREDECESSOR_SECONDS)
    except OSError:
        return  # another one is faster
    signal.alarm(_PREPARATION_SECONDS)  # an import that never ends
    record.write({"state": "starting"})
    clean_fork.replace_streams()
    environment = dict(os.environ)
    try:
        server = _prepared(layout, Installation(began), WarmLibraries(file, names))
    except LibraryLeftOutError as error:
        KnownImports(layout).leave_out(error.name, error.reason)
        rest = tuple(name for name in names if not f"{name}.".startswith(f"{error.name}."))
        words = [*sys.orig_argv[:-1], starting.code(root, WarmLibraries(file, rest))]
        os.execve(sys.executable, words, environment)  # noqa: S606  # this very program, with fewer libraries
    except (CannotServeError, EndpointError) as error:
        record.write({"state": "failed", "reason": str(error)})
        os._exit(1)
    signal.alarm(0)
    os.chdir("/")  # so that it keeps no directory of the user in use
    record.write({"state": "waiting"})
    reason = server.serve()
    record.write({"state": "ended", "reason": reason})
    os._exit(0)  # the functions that libraries registered for the end are for that of hosts


class CannotServeError(Exception):
    """This process cannot fork hosts; the text says why."""


class LibraryLeftOutError(Exception):
    """A library cannot be imported in advance, and this process has tried.

    Attributes:
        name: The module.
        reason: Why.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


def _prepared(layout: Layout, installation: Installation, libraries: WarmLibraries) -> "Server":
    """Import what hosts need, and return the server.

    Raises:
        LibraryLeftOutError: This process must not be used any more.
        CannotServeError: This process cannot fork hosts.
        EndpointError: There can be no socket.
    """
    if conditions(sys.path) is None:
        raise CannotServeError("the control group of this process cannot be seen")
    path, environment = tuple(sys.path), dict(os.environ)
    importlib.import_module("pivot_runtime.host.forkserver")
    parent_death.prepare()
    source_import.user_code_predicate()  # cached for all hosts
    shared = _imported(layout, libraries) if libraries.names else None
    warm = Warm(path, environment, installation, libraries.file, libraries.names, shared)
    if live_threads.count() > 1:
        raise CannotServeError(_THREADS)
    gc.collect()
    gc.freeze()  # the collectors of the hosts neither walk nor copy shared objects
    return Server(WarmSocket(layout), installation, warm)


def _imported(layout: Layout, libraries: WarmLibraries) -> Any:
    """Import libraries in advance, and return them.

    Raises:
        LibraryLeftOutError: This is not possible with one of them.
    """
    shared = importlib.import_module("pivot_runtime.host.library_process").SharedLibraries(
        layout.root, Path(libraries.file), source_import.user_code_predicate()
    )
    left_out = shared.preload(libraries.names, lambda _: None)
    if left_out is not None:
        raise LibraryLeftOutError(left_out.name, left_out.reason)
    return shared


class Server:
    """Accepts commands, and looks now and then whether it should end."""

    def __init__(
        self, listener: WarmSocket, installation: Installation, warm: Warm, idle_seconds: float = IDLE_SECONDS
    ) -> None:
        self._idle_seconds = idle_seconds
        self._listener = listener
        self._installation = installation
        self._warm = warm
        self._serving: set[int] = set()
        self._idle_since = time.monotonic()

    def serve(self) -> str:
        """Serve until there is a reason to end, and return that."""
        self._listener.socket.setblocking(False)
        try:
            return self._installation.changed() or self._serve()
        finally:
            self._listener.close()

    def _serve(self) -> str:
        poll = select.poll()
        poll.register(self._listener.socket.fileno(), select.POLLIN)
        while True:
            ready = poll.poll(min(_LOOK_SECONDS, self._idle_seconds) * 1000)
            self._reap()
            if live_threads.count() > 1:  # a process with threads is never forked
                return _THREADS
            if ready:
                with contextlib.suppress(OSError):  # the other side is gone, or there are too many files or processes
                    self._accept()
            reason = self._reason_to_end()
            if reason is not None:
                return reason

    def _accept(self) -> None:
        line, _ = self._listener.socket.accept()
        with line:
            if not is_own_peer(line):
                return
            idle = 0.0 if self._serving else time.monotonic() - self._idle_since
            pid = os.fork()
            if pid == 0:
                Service(self._warm, len(self._serving), idle).run(line, self._listener.socket)
            self._serving.add(pid)

    def _reap(self) -> None:
        for pid in list(self._serving):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._serving.discard(pid)
                if os.waitstatus_to_exitcode(status) == 0:  # it has served a command
                    self._idle_since = time.monotonic()

    def _reason_to_end(self) -> str | None:
        if not self._listener.is_in_place():
            return "the project is gone"
        if self._serving:
            return None
        if time.monotonic() - self._idle_since > self._idle_seconds:
            return "no command came for ten minutes"
        if memory.is_scarce():
            return "memory is scarce"
        return self._installation.changed()
