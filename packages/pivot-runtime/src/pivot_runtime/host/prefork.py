"""The processes of stage runs, forked from the host: some in advance, since a fork takes longer than many stages."""

import contextlib
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, NoReturn

from pivot_fingerprint.observation import Observer, UserFiles
from pivot_runtime.host.load import ImportedPipeline
from pivot_runtime.processes import wire
from pivot_runtime.processes.immortal import make_immortal
from pivot_runtime.tracing.spool import remove_spool
from pivot_runtime.tracing.tracer import StageTracer
from pivot_runtime.tracing.usage import TraceOptions
from pivot_runtime.worker import stage_main

_CHUNK = 1 << 16
_SPARES = 8
_SOME_STAGES, _MORE_STAGES = 8, 16
"""The stages that have started, and that still may, when it pays to make functions immortal."""
_USED_BY_STAGES = (
    *("pivot_runtime.worker.", "pivot_runtime.tracing.", "pivot_runtime.processes."),
    *("pivot_runtime.host.load", "pivot_runtime.host.prefork", "pivot_runtime.fingerprints.load_recorder"),
    *("pivot_fingerprint.runtime.", "pivot_fingerprint.observation", "pivot_fingerprint.programs"),
    *("pivot_fingerprint.user_code", "pivot_fingerprint.disk", "pivot_core.loaders", "pivot_core.pipeline"),
    *("pivot_core.stages.", "pivot_core.values", "pivot_core.errors", "pivot_core.spec"),
    *("json.", "pathlib.", "collections.", "importlib.", "encodings.", "builtins", "sys", "posix", "atexit"),
    *("_collections_abc", "_frozen_importlib", "_weakrefset", "abc", "codecs", "contextlib", "ctypes", "enum"),
    *("fcntl", "functools", "gc", "genericpath", "io", "logging", "os", "posixpath", "random", "re", "signal", "stat"),
    *("threading", "traceback", "types", "weakref", "operator", "multiprocessing.util", "concurrent.futures.thread"),
)
"""The modules, or all of a package, whose functions each process of a stage calls."""
_FEW = 1
"""The number of waiting processes at which more are forked."""
_AT_ONCE = 2
"""The number of processes that are forked before this process looks for other work."""
_SLOW_SECONDS = 0.005
"""The processor time of a fork, in a process with much memory, from which only one process waits."""

type Job = Mapping[str, Any]
"""The stage to run, `address`, and the `watching`, `declared` and `assigned` of its `StageTracer`."""


class ProcessPipes(NamedTuple):
    """The pipes from the process of a stage to the host.

    Attributes:
        result: The end to read reports from.
        result_writer: The end that the process writes reports to.
        output: The end to read output from.
        output_writer: The end that the process prints to.
    """

    result: int
    result_writer: int
    output: int
    output_writer: int


class StartedProcess(NamedTuple):
    """A process that was started for one stage run.

    Attributes:
        pid: Its pid.
        result: The descriptor with its reports.
        output: The descriptor with its output.
        spool: The directory for observations of the processes that it starts.
    """

    pid: int
    result: int
    output: int
    spool: str


def start_process(start: Callable[[ProcessPipes], int], spool: str) -> StartedProcess:
    """Start the process of a stage by ``start``, which returns its pid.

    Raises:
        OSError: The system lacks something for one more process.
    """
    pipes = _open_pipes()
    try:
        pid = start(pipes)
    except OSError:
        for fd in pipes:
            os.close(fd)
        raise
    os.close(pipes.result_writer)
    os.close(pipes.output_writer)
    return StartedProcess(pid, pipes.result, pipes.output, spool)


def _open_pipes() -> ProcessPipes:
    one = os.pipe()
    try:
        return ProcessPipes(*one, *os.pipe())
    except OSError:
        for fd in one:
            os.close(fd)
        raise


class SpareProcess(NamedTuple):
    """A process that was forked in advance and waits for its job.

    Attributes:
        process: The process.
        jobs: The descriptor to write the job to.
    """

    process: StartedProcess
    jobs: int

    def kill(self) -> None:
        """Let it end; `close` waits for that."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End it."""
        self.kill()
        os.waitpid(self.process.pid, 0)
        for fd in (self.process.result, self.process.output, self.jobs):
            os.close(fd)
        remove_spool(self.process.spool)


class PreforkPool:
    """Forks a process for each stage run, some of them in advance."""

    def __init__(self, imported: ImportedPipeline, spools: str) -> None:
        """Nothing is forked yet; ``spools`` is the directory for observations of the processes that stages start."""
        self._imported = imported
        self._spools = spools
        self._files = UserFiles(imported.root, imported.is_user_code)
        self._spares: deque[SpareProcess] = deque()
        self._streams: stage_main.StandardStreams | None = None
        self._count = 0
        self._started = 0
        self._is_filling = False
        self._is_quick = True
        self._is_immortal = False

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that wait for a job."""
        return tuple(spare.process.pid for spare in self._spares)

    def start(self, job: Job, held: Iterable[int]) -> StartedProcess:
        """Start a job in a process; ``held`` are descriptors that the process must not keep open.

        Raises:
            OSError: The system lacks something for one more process.
        """
        self._started += 1
        while self._spares:
            spare = self._spares.popleft()
            try:
                os.write(spare.jobs, wire.dumps(job).encode() + b"\n")
            except BrokenPipeError:  # it was killed
                spare.close()
            else:
                os.close(spare.jobs)
                return spare.process
        return self._fork(held, job)

    def lacks(self, stages: int) -> bool:
        """Whether it pays to fork processes for later jobs; ``stages`` may still start.

        After a fork, this process copies all memory that it writes to. So it forks until as many wait as pay, then none
        until few are left.
        """
        waiting, most = len(self._spares), self._most(stages)
        self._is_filling = waiting < most and (self._is_filling or waiting <= _FEW)
        return self._is_filling

    def _most(self, stages: int) -> int:
        """The number of processes that may wait."""
        few = self._started - 1 if self._started else 1  # often only one or two stages run
        return min(stages, few, _SPARES if self._is_quick else 1)

    def prepare(self, held: Callable[[], Iterable[int]], stages: int) -> bool:
        """Fork some of the processes that it `lacks`; returns whether it forked any."""
        if not self._is_immortal and self._started >= _SOME_STAGES and stages >= _MORE_STAGES:
            self._is_immortal = True
            originals = self._imported.originals
            make_immortal([*originals.values(_USED_BY_STAGES), *originals.compared])
        try:
            for _ in range(min(_AT_ONCE, self._most(stages) - len(self._spares))):
                began = time.process_time()
                self._spares.append(self._fork_spare(held()))
                self._is_quick = time.process_time() - began < _SLOW_SECONDS
        except OSError:  # there are too many processes or files: `start` tries again
            return False
        return True

    def _fork_spare(self, held: Iterable[int]) -> SpareProcess:
        theirs, jobs = os.pipe()
        try:
            return SpareProcess(self._fork((*held, jobs), theirs), jobs)
        except OSError:
            os.close(jobs)
            raise
        finally:
            os.close(theirs)

    def expect(self, files: Iterable[str]) -> None:
        """Look at files of the user, relative to the root, whose code later stages may execute too."""
        for file in files:
            self._files.find(f"{self._imported.root}/{file}")

    def held(self) -> tuple[int, ...]:
        """The descriptors that no other process must keep open."""
        return tuple(fd for process, jobs in self._spares for fd in (process.result, process.output, jobs))

    def close(self) -> None:
        """End the processes that wait, all at once."""
        for spare in self._spares:
            spare.kill()
        while self._spares:
            self._spares.popleft().close()

    def new_spool(self) -> str:
        """The path of a new spool directory, which is not created."""
        self._count += 1
        return os.path.join(self._spools, f"{os.getpid()}-{self._count}")

    def _fork(self, held: Iterable[int], job: Job | int) -> StartedProcess:
        """Fork a process for a job, or for one that arrives on a descriptor."""
        spool = self.new_spool()

        def fork(pipes: ProcessPipes) -> int:
            inherited = (*held, *self.held(), pipes.result, pipes.output)
            fds = stage_main.WorkerFds(pipes.output_writer, pipes.result_writer, inherited, os.getpid())
            # Before the fork, since memory that the child writes to is copied.
            imported = self._imported
            observer = Observer(root=imported.root, is_user_code=imported.is_user_code, spool=spool, files=self._files)
            observer.prepare()
            if self._streams is None:
                with contextlib.suppress(OSError):  # the user's module may have closed a standard descriptor
                    self._streams = stage_main.StandardStreams.create_for_forks()
            stage_main.flush_streams()
            pid = os.fork()
            if pid == 0:
                self._run(fds, observer, spool, job)
            del observer  # it refers to this frame
            return pid

        process = start_process(fork, spool)
        with contextlib.suppress(OSError):  # the child does the same, whichever comes first
            os.setpgid(process.pid, process.pid)
        return process

    def _run(self, fds: stage_main.WorkerFds, observer: Observer, spool: str, given: Job | int) -> NoReturn:
        """Be the process of a stage."""
        try:
            stage_main.prepare(fds, self._streams)
            imported = self._imported
            imported.random_state.settle()
            observer.__enter__()  # `stage_main.run` exits it
            job = _read_job(given) if isinstance(given, int) else given
            stage, directory = imported.stages[job["address"]]
            files, watching = tuple(job["declared"]), TraceOptions.from_plain(job["watching"])
            tracer = StageTracer(
                watching,
                root=imported.root,
                address=job["address"],
                declared=files,
                spool=spool,
                assigned=job["assigned"],
            )
            observers = stage_main.StageObservers(observer, tracer)
            originals, replacements = imported.originals, imported.replacements
            stage_main.run(stage, directory, fds.result, observers, originals=originals, replacements=replacements)
        finally:
            os._exit(1)


def _read_job(jobs: int) -> Job:
    """The job that arrives on a descriptor; this process ends if none will."""
    line = b""
    while not line.endswith(b"\n"):
        part = os.read(jobs, _CHUNK)
        if not part:
            os._exit(0)
        line += part
    os.close(jobs)
    job: Job = wire.loads(line.decode())
    return job
