"""The executor in the process of the command, for debuggers, profilers and coverage tools."""

import contextlib
import gc
import os
import pathlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TextIO

import attrs

from pivot_core.lock import CodeEntry, Inputs
from pivot_core.params.overrides import Override
from pivot_core.spec import Location
from pivot_core.stages.command import Command
from pivot_core.stages.stage import Stage
from pivot_fingerprint import Entry
from pivot_fingerprint.observation import Observer, uncovered
from pivot_fingerprint.programs import track_putenv
from pivot_runtime.context import CommandContext
from pivot_runtime.definitions import source_import
from pivot_runtime.definitions.reimport import ReimportedPipeline, declared
from pivot_runtime.executors.base import Debugger, Failure, Finished, Immediate
from pivot_runtime.history.logs import RunLog
from pivot_runtime.loading.assembly import Assembly, LoadedFile
from pivot_runtime.loading.loaded import LoadedStage
from pivot_runtime.programs.start_files import changed
from pivot_runtime.tracing.spool import remove_spool
from pivot_runtime.tracing.tracer import StageTracer
from pivot_runtime.tracing.usage import TraceOptions
from pivot_runtime.worker import stage_main
from pivot_runtime.worker.call import execute
from pivot_runtime.worker.failure import describe_failure, user_traceback


class InProcessExecutor(Immediate):
    """Runs stages here, one after the other, each when it is started; their output is not captured.

    Stages are not isolated from each other or from the command. Their modules are imported here, those of one pipeline
    file at a time.
    """

    def __init__(
        self, context: CommandContext, assembly: Assembly, watching: TraceOptions, debugger: Debugger | None = None
    ) -> None:
        """``debugger`` receives the place in the user's code where a stage failed, after its traceback is printed."""
        super().__init__()
        self._root = context.project.root
        self._overrides = [Override.parse(text) for text in context.overrides]
        self._files = {stage.spec.address: each for each in assembly.files for stage in each.loaded.stages}
        self._stages = assembly.stages
        self._watching = watching
        self._debugger = debugger
        self._is_user_code = source_import.user_code_predicate()
        self._sources: dict[str, str] = {}
        self._imported: pathlib.Path | None = None
        self._live: ReimportedPipeline | None = None
        if context.startup_state is not None:
            gc.set_threshold(*context.startup_state.thresholds)  # the command has others
        source_import.import_from_source(self._is_user_code, self._sources)
        track_putenv()

    def start(self, address: str, log: pathlib.Path, inputs: Inputs | None = None) -> None:
        """See `Executor.start`; returns after the end of the stage."""
        del inputs
        began, own = time.monotonic(), os.getpid()
        RunLog(str(log)).close()
        with _undisturbed():
            try:
                seen = self._run(address, f"{log}.ran")
                if os.getpid() != own:
                    stage_main.end_fork()
            except BaseException as error:  # any exception of a stage is its result
                if os.getpid() != own:
                    stage_main.end_fork(error)
                if isinstance(error, KeyboardInterrupt):
                    raise
                failure = Failure(**describe_failure(error))
                place = user_traceback(error)
                if self._debugger is not None:
                    sys.stderr.write(f"{failure.detail or failure.summary}\n")
                    if place is not None:
                        self._debugger(place)
                self._finished.append(Finished(address, time.monotonic() - began, failure))
            else:
                self._finished.append(seen(time.monotonic() - began))

    def _run(self, address: str, spool: str) -> Callable[[float], Finished]:
        stage = self._bring(address, self._files[address])
        directory = str(self._root / self._stages[address].spec.base)
        os.makedirs(directory, exist_ok=True)
        os.chdir(directory)
        watched = Observer(root=self._root, is_user_code=self._is_user_code, spool=pathlib.Path(spool))
        files = declared(stage, directory)
        assigned = self._stages[address].undeclared
        witness = StageTracer(
            self._watching, root=str(self._root), address=address, declared=files, spool=spool, assigned=assigned
        )
        watched.add_companion(witness.companion)
        watched.set_program_run(witness.program_run)
        if isinstance(stage.func, Command):
            watched.pass_over_programs()
        try:
            with watched, witness:
                execute(stage, witness)
            observed, sources = watched.observed, witness.sources
        finally:
            remove_spool(spool)
        gaps = uncovered(observed, _manifest(self._stages[address]), root=self._root)
        entries = {gap.key: CodeEntry(gap.digest, Location(gap.file, gap.line)) for gap in gaps if gap.digest}
        seen = attrs.evolve(witness.used, changed=changed(str(self._root), sources, {gap.file for gap in gaps}))
        incomplete = (*observed.incomplete, *seen.unseen)
        return lambda seconds: Finished(address, seconds, None, entries, incomplete, seen)

    def _bring(self, address: str, file: LoadedFile) -> Stage:
        if self._live is None or file.file != self._imported:
            self._forget()
            self._imported = file.file
            os.chdir(file.file.parent)
            self._live = ReimportedPipeline(file.file, self._root, overrides=self._overrides, sources=self._sources)
        return self._live.stage(address, file.loaded.sources)

    def _forget(self) -> None:
        """Forget the modules of the previous pipeline, whose names may mean other modules here."""
        for name, module in list(sys.modules.items()):
            source = getattr(module, "__file__", None)
            if source is not None and name != "__main__" and self._is_user_code(source):
                del sys.modules[name]
        self._sources.clear()
        self._live = None


def _manifest(stage: LoadedStage) -> Mapping[str, Entry]:
    found = {}
    for key, entry in stage.code.items():
        place, (start, end) = entry.location, stage.spans.get(key, (None, None))
        file, line = (None, None) if place is None else (place.file, place.line)
        found[key] = Entry(entry.digest, file, line, end, start, stage.via.get(key))
    return found


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Restore everything here that a stage may change; its output is kept apart from the command's result."""
    directory, path, arguments = os.getcwd(), list(sys.path), list(sys.argv)
    environment, mask = dict(os.environ), _umask()
    streams = sys.stdout, sys.stderr
    stage_main.flush_streams()
    answers, errors = os.dup(1), os.dup(2)
    os.dup2(2, 1)
    try:
        yield
    finally:
        stage_main.flush_streams()
        for kept, number in ((answers, 1), (errors, 2)):
            os.dup2(kept, number)
            os.close(kept)
        sys.stdout, sys.stderr = (_open(stream, number) for number, stream in enumerate(streams, 1))
        os.chdir(directory)
        os.umask(mask)
        sys.path[:], sys.argv[:] = path, arguments
        for name in os.environ.keys() - environment.keys():
            del os.environ[name]
        os.environ.update(environment)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _open(stream: TextIO, number: int) -> TextIO:
    """A standard stream, even if a stage has closed it."""
    return open(number, "w", errors="backslashreplace", closefd=False) if stream.closed else stream
