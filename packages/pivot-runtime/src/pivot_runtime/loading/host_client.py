"""Client of a host: starts the process, loads pipelines in it, and ends it."""

import collections
import contextlib
import fcntl
import math
import os
import pathlib
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, Self

import attrs

from pivot_core.errors import DefinitionError, LoaderError
from pivot_core.params.overrides import ParamError
from pivot_core.progress import no_progress
from pivot_runtime.definitions.read_ahead import ReadAhead
from pivot_runtime.errors import HostError, LoadError
from pivot_runtime.loading.loaded import ImportTimes, Loaded, from_plain
from pivot_runtime.processes import process_tree, wire
from pivot_runtime.processes.startup_state import StartupState, can_fork, without_kernel

_ATTEMPTS = 5
_SLOW_SECONDS = 1.0
_WHERE_SECONDS = 0.5
_PATIENCE_SECONDS = 2.0


type OnSlowImport = Callable[[float, str, Mapping[str, float]], None]
"""A callback for an import that takes long: with the seconds so far, the current line of user code and the seconds of
each library, both empty if unknown."""
type SlowImports = tuple[OnSlowImport, float]
"""A callback, called after one second, and the seconds after which it is called again; then after twice as many, and so
on. 0 means never again."""

NO_REPORT: SlowImports = (no_progress, 0.0)


def _ignore(_: Mapping[str, Any]) -> None:
    pass


class HostClient:
    """A running host. It ends, with every stage that it runs, when this object is closed or this process dies.

    Attributes:
        pid: The pid of its process, which leads a process group.
        events: The descriptor that becomes readable when the host has sent something.
        asked: The modules of libraries that the user's code imported during the load, in this order.
        libraries: The libraries that were loaded, by top-level module.
        end_leftovers: Ends the processes that it left when it was killed, where these are no descendants of this
            process.
    """

    def __init__(
        self,
        start: Callable[[int, int], int],
        *,
        child: bool,
        end_leftovers: Callable[[], None] = lambda: None,
        waited: Mapping[str, float] | None = None,
        unshared: Callable[[Mapping[str, Any]], None] = _ignore,
    ) -> None:
        """Start a host.

        Args:
            start: Starts the process, given its ends of the two pipes; returns its pid.
            child: The process is a child of this process.
            end_leftovers: See above.
            waited: The seconds that this process waited for imports of libraries in advance.
            unshared: Called with the answer of a host that cannot use the libraries of its fork server.
        """
        self.end_leftovers = end_leftovers
        theirs_in, self._commands = map(above_target, os.pipe())
        self.events, theirs_out = map(above_target, os.pipe())
        try:
            self.pid = start(theirs_in, theirs_out)
        except BaseException:
            os.close(self._commands)
            os.close(self.events)
            raise
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        self._lines = wire.MessageReader(self.events)
        self._pending: list[dict[str, Any]] = []
        self._open = True
        self._ends_group = False
        self._waited = waited or {}
        self._unshared = unshared
        self.asked: tuple[str, ...] = ()
        self.libraries: tuple[str, ...] = ()
        self._child = child
        self._ahead: ReadAhead | None = None
        self._asked = time.monotonic()
        self._pidfd = None if child else process_tree.pidfd_of(self.pid)

    @classmethod
    def begin(
        cls,
        *,
        quiet: bool,
        guard: int | None = None,
        startup_state: StartupState | None = None,
        environment: Mapping[str, str | None] | None = None,
    ) -> Self:
        """Start a host in its own process; ``quiet`` drops the output of the user's code during the import.

        It holds the project's ``guard`` as well, so that no other command begins before it has ended, even if this
        process is killed. With a ``startup_state``, it is forked where possible; otherwise it is a new interpreter,
        whose ``environment`` differs from that of this process in these variables: None for one that is not set.
        """

        def start(theirs_in: int, theirs_out: int) -> int:
            given = ((theirs_in, wire.COMMANDS_FD), (theirs_out, wire.EVENTS_FD), *held(guard))
            return begin_process(
                "pivot_runtime.host.server", given, quiet=quiet, startup_state=startup_state, environment=environment
            )

        return cls(start, child=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, message: Mapping[str, Any]) -> None:
        """Send the host a command.

        Raises:
            HostError: The host has ended.
        """
        try:
            wire.send(self._commands, dict(message))
        except BrokenPipeError:
            raise self._gone() from None

    def receive(self) -> Iterator[dict[str, Any]]:
        """Wait for messages of the host, and yield them.

        Raises:
            HostError: The host has ended.
        """
        yield from self._lines.receive()
        if self._lines.closed:
            raise self._gone()

    def has_spoken(self) -> bool:
        """Whether the host has sent something that was not received, or has ended."""
        return process_tree.readable_within(self.events, 0.0)

    def load(
        self,
        root: pathlib.Path,
        file: pathlib.Path,
        slow: SlowImports = NO_REPORT,
        overrides: Sequence[str] = (),
    ) -> Loaded | None:
        """Import a pipeline; return None if a new host must try again, since its sources were edited meanwhile.

        It must also try again, without shared libraries, if ``unshared`` was called.

        ``slow`` is called if that takes long. Of ``overrides``, those of parameters of its stages count.

        Raises:
            LoadError: The user's module raised an exception.
            DefinitionError: A definition in it is wrong.
            HostError: The host died.
        """
        self.ask_to_load(root, file, overrides, alone=True)
        return self.loaded(*slow)

    def ask_to_load(
        self, root: pathlib.Path, file: pathlib.Path, overrides: Sequence[str] = (), *, alone: bool = False
    ) -> None:
        """Begin a load; `loaded` returns the answer.

        If no other host works meanwhile, but this one ``alone``, this process shares its work while it waits.

        Raises:
            HostError: The host died.
        """
        self._asked = time.monotonic()
        self._ahead = ReadAhead(root)
        request = {"op": "load", "root": str(root), "file": str(file), "overrides": list(overrides)}
        self.send({**request, "announces": alone and (os.process_cpu_count() or 1) > 1})

    def prepare(self) -> None:
        """Let the host prepare for stage runs, and fork the first, as soon as it has answered `ask_to_load`.

        Raises:
            HostError: The host died.
        """
        self.send({"op": "prepare"})

    def loaded(self, slow: OnSlowImport = no_progress, interval: float = 0.0) -> Loaded | None:
        """Wait for the answer to `ask_to_load`; if the user interrupts that, report the current line of user code."""
        try:
            answer = self._answer(slow, interval)
        except KeyboardInterrupt:
            passed = time.monotonic() - self._asked
            if passed > _SLOW_SECONDS:
                where, libraries = self._progress()
                if where:
                    slow(passed, where, libraries)
            raise
        match answer["event"]:
            case "loaded":
                loaded, times = from_plain(answer), answer["times"]
                self.asked, self.libraries = tuple(answer["asked"]), tuple(answer["libraries"])
                return attrs.evolve(loaded, times=None if times is None else self._times(ImportTimes.from_plain(times)))
            case "moved":
                return None
            case "unshared":
                self._unshared(answer)
                return None
            case "refused":
                error = DefinitionError(answer["message"], hint=answer["hint"])
                error.kind = answer["kind"]
                raise error
            case _:
                raise LoadError(answer["message"], traceback=answer["traceback"], hint=answer["hint"])

    def _times(self, times: ImportTimes) -> ImportTimes:
        """Add the time that this process waited for imports in advance."""
        total = sum(self._waited.values())
        libraries = {**self._waited, **times.libraries}
        return ImportTimes(began=times.began - total, seconds=times.seconds + total, libraries=libraries)

    def _answer(self, slow: OnSlowImport, interval: float) -> dict[str, Any]:
        until = _SLOW_SECONDS if interval else math.inf
        while (answer := self._heard(max(0.0, self._asked + until - time.monotonic()))) is None:
            passed = time.monotonic() - self._asked
            where, libraries = self._progress()
            if (answer := self._heard(0.0)) is not None:  # meanwhile
                break
            slow(passed, where, libraries)
            while until <= passed:
                until = 2 * until if until >= interval else max(interval, until + _SLOW_SECONDS)
        return answer

    def _heard(self, patience: float, *, place: bool = False) -> dict[str, Any] | None:
        """Return the next answer to `ask_to_load` or `_progress`; None if there is none within ``patience`` seconds."""
        waiting, until = select.poll(), time.monotonic() + patience
        waiting.register(self.events, select.POLLIN)
        while True:
            for message in self._pending:
                if (message["event"] == "at") == place:
                    self._pending.remove(message)
                    return message
            left = until - time.monotonic()
            if not waiting.poll(0) and left > 0 and self._ahead is not None and self._ahead.read_next():
                continue
            if left <= 0 or not wire.poll(waiting, None if left == math.inf else left * 1000):
                return None
            for message in self.receive():
                if message["event"] != "importing":
                    self._pending.append(message)
                elif self._ahead is not None:
                    self._ahead.announced(message)

    def _progress(self) -> tuple[str, Mapping[str, float]]:
        """Return the line of user code that the host runs now, and the seconds of each library; empty if unknown."""
        from pivot_runtime.processes.current_line import ASKED  # lazy

        self._pending[:] = [message for message in self._pending if message["event"] != "at"]
        with contextlib.suppress(ProcessLookupError, HostError):
            os.kill(self.pid, ASKED)
            found = self._heard(_WHERE_SECONDS, place=True)
            if found is not None:
                return found["place"], found["libraries"]
        return "", {}

    def read(
        self, address: str, key: str, files: Sequence[pathlib.Path], result: pathlib.Path, *, directory: bool
    ) -> None:
        """Read files with the loader of a stage's out; the list of their values is pickled into the file ``result``.

        Raises:
            LoaderError: The loader fails, or its value cannot be pickled.
            HostError: The host died.
        """
        request = {"address": address, "key": key, "files": list(map(str, files)), "result": str(result)}
        self.send({"op": "read", **request, "directory": directory})
        answers: list[dict[str, Any]] = []
        while not answers:
            self._lines.wait()
            answers = [message for message in self.receive() if message["event"] == "read"]
        failure = answers[0]["failure"]
        if failure is not None:
            error = LoaderError(f"the loader of {address} failed: {failure['summary']}", hint=failure["hint"])
            if failure["detail"]:
                error.add_note(failure["detail"].rstrip())
            raise error

    def param_sets(self, sets: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
        """Return, for each set of overrides, the ``params`` of the loaded stages that it applies to, as plain data.

        Stages whose commands start other Python programs with these are in ``stages``.

        Raises:
            ParamError: A value does not fit its parameter.
            HostError: The host has ended.
        """
        self.send({"op": "params", "sets": [list(each) for each in sets]})
        while True:
            self._lines.wait()
            for answer in self.receive():
                if answer["event"] == "params":
                    found: list[dict[str, Any]] = answer["sets"]
                    return found
                if answer["event"] == "refused":
                    raise ParamError(answer["message"], hint=answer["hint"])

    def begin_to_close(self) -> None:
        """Let the host end, with all that it runs; `close` waits for that, and must be next."""
        if self._commands >= 0:
            commands, self._commands = self._commands, -1
            os.close(commands)

    def close(self) -> None:
        """End the host and all that it runs, and wait until it has ended.

        Exit handlers and threads of the user's modules may take a few seconds; then the host is killed.
        """
        if self._open:  # may be called again
            self._open = False
            self.begin_to_close()
            if self._child:
                os.close(self.events)
                if not process_tree.ends_within(self.pid, _PATIENCE_SECONDS):
                    self._kill()
                os.waitpid(self.pid, 0)
            else:
                if not self._others_child_ends(_PATIENCE_SECONDS):
                    self._kill()
                    self._others_child_ends(_PATIENCE_SECONDS)
                os.close(self.events)
                if self._pidfd is not None:
                    os.close(self._pidfd)

    def _others_child_ends(self, seconds: float) -> bool:
        """Whether a host that is no child of this process ends within so many seconds."""
        if self._pidfd is not None:
            return process_tree.readable_within(self._pidfd, seconds)
        end = time.monotonic() + seconds
        while not self._lines.closed:  # its end of the pipe is closed when it ends
            if not process_tree.readable_within(self.events, max(0.0, end - time.monotonic())):
                return False
            collections.deque(self._lines.receive(), maxlen=0)
        return True

    def kill(self) -> None:
        """End a host that may be busy in the user's code; the processes that it has forked end a moment later."""
        self._kill_group()
        self.close()

    def begin_to_end(self) -> None:
        """Let an idle host end as if it were killed, after all that it has forked; `close` waits, and must be next."""
        self._ends_group = True
        if self._commands >= 0:
            with contextlib.suppress(HostError):
                self.send({"op": "end"})

    def _kill_group(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def _kill(self) -> None:
        if self._ends_group:
            self._kill_group()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)

    def _gone(self) -> HostError:
        return HostError(
            "the process that imports your pipeline ended unexpectedly",
            hint="import the pipeline by hand to see why: python -c 'import pipeline'",
        )


def above_target(fd: int) -> int:
    """Move a descriptor to a number that no process of Pivot is given a descriptor by; return it."""
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, wire.GUARD_FD + 1)
    os.close(fd)
    return moved


def held(guard: int | None) -> tuple[tuple[int, int], ...]:
    """Return the descriptor of the guard, if there is one, with its number in the processes of Pivot."""
    return () if guard is None else ((guard, wire.GUARD_FD),)


def begin_process(
    module: Literal[
        "pivot_runtime.cluster.backend_process",
        "pivot_runtime.host.server",
        "pivot_runtime.host.forkserver",
        "pivot_runtime.sweeps.combination",
    ],
    given: Sequence[tuple[int, int]],
    *,
    quiet: bool,
    startup_state: StartupState | None,
    environment: Mapping[str, str | None] | None = None,
) -> int:
    """Start a process that runs the ``main`` of a module; ``given`` are descriptors and their numbers there.

    The ``environment`` of a new interpreter differs from that of this process in these variables.
    """
    if startup_state is not None and startup_state.early_fork is not None:
        pid = startup_state.early_fork.become(module, given, quiet=quiet)
        if pid is not None:
            return pid
    guard = wire.GUARD_FD in [number for _, number in given]
    if startup_state is None or not can_fork():
        command = f"from {module} import main; main({os.getpid()}, guard={guard})"
        words = [sys.executable, "-P", "-c", command]
        variables = _changed(without_kernel(os.environ), environment or {})
        return os.posix_spawn(words[0], words, variables, file_actions=_file_actions(given, quiet=quiet), setpgroup=0)
    from pivot_runtime.processes import clean_fork  # lazy

    coordinator = os.getpid()

    def serve() -> None:
        clean_fork.serve(module, coordinator, guard=guard, startup_state=startup_state)

    return clean_fork.fork(serve, given, quiet=quiet, startup_state=startup_state)


def _changed(environment: Mapping[str, str], changes: Mapping[str, str | None]) -> Mapping[str, str]:
    kept = {name: value for name, value in environment.items() if name not in changes}
    return kept | {name: value for name, value in changes.items() if value is not None}


def _file_actions(given: Sequence[tuple[int, int]], *, quiet: bool) -> list[tuple[Any, ...]]:
    if quiet:
        output: list[tuple[Any, ...]] = [
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
    else:  # the output of an import is not part of a command's result, so it does not go to stdout
        output = [(os.POSIX_SPAWN_DUP2, 2, 1)]
    return [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        *output,
        *((os.POSIX_SPAWN_DUP2, ours, theirs) for ours, theirs in given),
    ]


def load(
    root: pathlib.Path,
    file: pathlib.Path,
    *,
    quiet: bool = False,
    slow: SlowImports = NO_REPORT,
    overrides: Sequence[str] = (),
) -> tuple[Loaded, HostClient]:
    """Import a pipeline in a new host; return its content, and the host, which can run its stages.

    Raises:
        PivotError: As for `HostClient.load`; the host has ended then.
    """
    return load_in(lambda: HostClient.begin(quiet=quiet), root, file, slow, overrides)


def load_in(
    start: Callable[[], HostClient],
    root: pathlib.Path,
    file: pathlib.Path,
    slow: SlowImports = NO_REPORT,
    overrides: Sequence[str] = (),
) -> tuple[Loaded, HostClient]:
    """Import a pipeline as `load` does, in a host from ``start``; try again in another one if its sources were edited.

    Raises:
        PivotError: As for `HostClient.load`; the host has ended then.
    """
    for _ in range(_ATTEMPTS):
        host = start()
        try:
            loaded = host.load(root, file, slow, overrides)
        except BaseException:
            host.kill()
            raise
        if loaded is not None:
            return loaded, host
        host.close()
    raise HostError(
        f"{file.name} or a module it imports keeps changing",
        hint="wait for the edits to end, and repeat the command",
    )
