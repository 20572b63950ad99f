"""The host: imports the user's code for a command, and serves the command's requests until that ends."""

import contextlib
import faulthandler
import fcntl
import gc
import os
import select
import signal
import sys
import termios
from collections.abc import Mapping
from typing import Any

from pivot_core.pipeline import Pipeline
from pivot_fingerprint import register_encoder
from pivot_fingerprint.observation import LiveCode
from pivot_runtime.definitions import source_import
from pivot_runtime.host.library_process import SharedLibraries
from pivot_runtime.host.load import ImportedPipeline, LoadRequest, load
from pivot_runtime.host.param_sets import param_sets
from pivot_runtime.host.stage_runs import StageRuns
from pivot_runtime.processes import current_line, parent_death, wire
from pivot_runtime.processes.import_timer import ImportTimer
from pivot_runtime.tracing import environ


def prepare() -> None:
    """Find the directories of this interpreter, which are the same for each pipeline."""
    source_import.user_code_predicate()
    environ.code_directories()


def main(coordinator: int, *, guard: bool, shared: SharedLibraries | None = None) -> None:
    """Serve the command, whose pid is ``coordinator``, until it closes its end; then end every running stage.

    ``guard``: this process was given the project's guard, which is released when all that hold it have ended.
    ``shared``: the libraries that it has from the fork server.
    """
    # A decorator `@pipeline.register` names the pipeline, which holds all stages; none of them depends on the others.
    register_encoder(Pipeline, lambda pipeline: pipeline.name)
    own = (wire.COMMANDS_FD, wire.EVENTS_FD, *((wire.GUARD_FD,) if guard else ()))
    for fd in own:
        os.set_inheritable(fd, False)
    _detach_terminal()
    gc.freeze()  # the collector neither walks Pivot's own objects nor copies them in forked children
    faulthandler.enable(file=2)  # in a stage, a crash leaves its traceback in the log
    try:
        Host(coordinator, own, shared).serve()
    except OSError as error:  # the machine has run out of files or memory, which is no bug of Pivot
        sys.stderr.write(f"error: {error.strerror}, in the process that runs your stages\n")


class Host:
    """The server: answers requests for a load, and then for stage runs."""

    def __init__(self, coordinator: int, own: tuple[int, ...], shared: SharedLibraries | None) -> None:
        self._coordinator = coordinator
        self._own = own
        self._shared = shared
        self._commands = wire.MessageReader(wire.COMMANDS_FD)
        prepare()  # here once, not in each stage's process
        self._is_user_code = source_import.user_code_predicate()
        self._live_code = LiveCode(self._is_user_code)
        self._live_code.begin()
        self._imported: ImportedPipeline | None = None
        self._runs: StageRuns | None = None
        self._stopping = False

    def serve(self) -> None:
        """Answer commands and report ended stages until the command is gone."""
        try:
            while not self._commands.closed:
                ready = self._wait()
                if self._runs is not None:
                    self._runs.reap(ready)
                if self._stopping and (self._runs is None or not self._runs.processes):
                    self._stopping = False
                    wire.send(wire.EVENTS_FD, {"event": "stopped"})
        except BrokenPipeError:
            pass  # the command is gone
        finally:
            if self._runs is not None:
                self._runs.kill()

    def _wait(self) -> frozenset[int]:
        """Wait until a stage's process may need attention, and obey the commands that come in meanwhile.

        Until then, processes for later stages are forked. Returns the descriptors that are readable.
        """
        poll = select.poll()
        poll.register(wire.COMMANDS_FD, select.POLLIN)
        processes = self._runs.processes if self._runs is not None else ()
        for process in processes:
            for fd in process.fds():
                poll.register(fd, select.POLLIN)
        found = poll.poll(0)
        while not found and self._runs is not None and self._runs.prefork():
            found = poll.poll(0)
        if not found:
            patience = min((each for process in processes if (each := process.patience()) is not None), default=None)
            found = poll.poll(None if patience is None else patience * 1000)
        ready = frozenset(fd for fd, _ in found)
        if wire.COMMANDS_FD in ready:
            for message in self._commands.receive():
                self._obey(message)
        return ready

    def _obey(self, message: Mapping[str, Any]) -> None:
        match message["op"]:
            case "load":
                self._load(message)
            case "prepare" if self._imported is not None:
                self._prepared(self._imported)
            case "params" if self._imported is not None:
                wire.send(wire.EVENTS_FD, param_sets(self._imported, message["sets"]))
            case "run" if self._imported is not None:
                self._prepared(self._imported).start(
                    message["id"],
                    message["address"],
                    message["log"],
                    message["watching"],
                    stream=message["stream"],
                    spawn=message["fresh"],
                )
            case "read" if self._imported is not None:
                self._read(message, self._imported)
            case "stop":
                self._stopping = True
                if self._runs is not None:
                    self._runs.interrupt()
            case "end":
                if self._runs is not None:
                    self._runs.kill()  # after this process, nobody would wait for them
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(os.getpid(), signal.SIGKILL)
                os._exit(1)

    def _prepared(self, imported: ImportedPipeline) -> StageRuns:
        if self._runs is None:
            self._runs = StageRuns(imported, self._own, self._live_code)
        return self._runs

    def _read(self, message: Mapping[str, Any], imported: ImportedPipeline) -> None:
        from pivot_runtime.worker import read_value  # lazy: few commands do this

        stage, files = imported.stages[message["address"]].stage, message["files"]
        with parent_death.dying_with(self._coordinator):
            failure = read_value.read_values(
                stage, message["key"], files, message["result"], directory=message["directory"]
            )
        wire.send(wire.EVENTS_FD, {"event": "read", "failure": failure})

    def _load(self, message: Mapping[str, Any]) -> None:
        timer = ImportTimer(self._is_user_code)
        answering = current_line.answering(message["root"], self._is_user_code, wire.EVENTS_FD, timer.libraries)
        # During a load nothing reads the pipe, so its end would go unnoticed.
        with parent_death.dying_with(self._coordinator), answering:
            answer, self._imported = load(LoadRequest.from_plain(message), self._is_user_code, timer, self._shared)
        wire.send(wire.EVENTS_FD, answer)


def _detach_terminal() -> None:
    """Detach this process and its children from the terminal, so that no stage reads from it."""
    with contextlib.suppress(OSError):  # there is none
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            fcntl.ioctl(terminal, termios.TIOCNOTTY)
        finally:
            os.close(terminal)
