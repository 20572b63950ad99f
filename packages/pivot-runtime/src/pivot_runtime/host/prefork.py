"""A pool of children that are forked in advance, since a fork takes longer than many stages."""

import contextlib
import os
import shutil
import signal
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NamedTuple, NoReturn

from pivot_fingerprint.observation import Observer
from pivot_runtime.definitions.reimport import declared
from pivot_runtime.host.load import ImportedPipeline
from pivot_runtime.processes import wire
from pivot_runtime.tracing.tracer import StageTracer
from pivot_runtime.tracing.usage import TraceOptions
from pivot_runtime.worker import stage_main

_MOST = 1 << 16
_SPARES = 4
_PATIENCE = 0.01

type Job = Mapping[str, Any]
"""Which stage to run, and what to note of it: `address`, `watching` and `assigned`, as `StageTracer` has it."""


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


class PreforkPool:
    """Forks children, each for one job."""

    def __init__(self, imported: ImportedPipeline, spools: str) -> None:
        """Nothing is forked yet; ``spools`` is the directory for observations of the processes that stages start."""
        self._imported = imported
        self._spools = spools
        self._spares: deque[tuple[StartedProcess, int]] = deque()
        self._count = 0

    @property
    def pids(self) -> tuple[int, ...]:
        """The children that wait for a job."""
        return tuple(spare.pid for spare, _ in self._spares)

    def start(self, job: Job, held: Iterable[int]) -> StartedProcess:
        """A child that does a job; ``held`` are descriptors that it must not keep open.

        Raises:
            OSError: The system has not enough of something for one more process.
        """
        while self._spares:
            spare, jobs = self._spares.popleft()
            try:
                os.write(jobs, wire.dumps(job).encode() + b"\n")
            except BrokenPipeError:  # it was killed
                _end(spare, jobs)
            else:
                os.close(jobs)
                return spare
        return self._fork(held, job)

    def prepare(self, held: Collection[int], most: int) -> None:
        """Have children wait for the next jobs, of which there will be ``most``, unless some do so already.

        Several at a time, since after each fork this process must copy all memory that it touches.
        """
        if self._spares:
            return
        began = time.monotonic()
        for _ in range(min(most, _SPARES)):
            if (
                time.monotonic() - began > _PATIENCE
            ):  # it has a lot of memory, and what it does takes longer than a fork
                break
            try:
                self._spares.append(self._spare(held))
            except OSError:  # there may be no more processes, or files: then none is made before it is needed
                break

    def _spare(self, held: Iterable[int]) -> tuple[StartedProcess, int]:
        theirs, jobs = os.pipe()
        try:
            return self._fork((*held, jobs), lambda: _next(theirs)), jobs
        except OSError:
            os.close(jobs)
            raise
        finally:
            os.close(theirs)

    def held(self) -> tuple[int, ...]:
        """The descriptors that no other child must keep open."""
        return tuple(fd for spare, jobs in self._spares for fd in (spare.result, spare.output, jobs))

    def close(self) -> None:
        """End the children that wait."""
        while self._spares:
            _end(*self._spares.popleft())

    def spool(self) -> str:
        """A new name for a directory."""
        self._count += 1
        return os.path.join(self._spools, f"{os.getpid()}-{self._count}")

    def _fork(self, held: Iterable[int], job: Job | Callable[[], Job]) -> StartedProcess:
        result, childs_result, output, childs_output = ends = pipes()
        held = (*held, *self.held(), result, output)
        host, spool = os.getpid(), self.spool()
        # Work before the fork is done in memory that need not be copied.
        watched = Observer(root=self._imported.root, is_user_code=self._imported.is_user_code, spool=spool)
        watched.prepare()
        stage_main.flush()
        try:
            pid = os.fork()
        except OSError:
            for fd in ends:
                os.close(fd)
            raise
        if pid == 0:
            self._become(stage_main.WorkerFds(childs_output, childs_result, held, host), watched, spool, job)
        os.close(childs_result)
        os.close(childs_output)
        with contextlib.suppress(OSError):  # the child does the same; whoever comes first
            os.setpgid(pid, pid)
        return StartedProcess(pid, result, output, spool)

    def _become(
        self, place: stage_main.WorkerFds, watched: Observer, spool: str, job: Job | Callable[[], Job]
    ) -> NoReturn:
        try:
            stage_main.prepare(place)
            imported = self._imported
            imported.random_state.settle()
            watched.__enter__()  # `stage_main.run` exits it
            if callable(job):
                job = job()
            stage, directory = imported.stages[job["address"]]
            files, watching = declared(stage, directory), TraceOptions.from_plain(job["watching"])
            witness = StageTracer(watching, root=imported.root, declared=files, spool=spool, assigned=job["assigned"])
            own = (imported.pristine, imported.replaced)
            stage_main.run(stage, directory, place.result, (watched, witness), own)
        finally:
            os._exit(1)


def pipes() -> tuple[int, int, int, int]:
    """Two pipes: of each the end to read from, then the one to write to."""
    one = os.pipe()
    try:
        return *one, *os.pipe()
    except OSError:
        for fd in one:
            os.close(fd)
        raise


def _end(spare: StartedProcess, jobs: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(spare.pid, signal.SIGKILL)
    os.waitpid(spare.pid, 0)
    for fd in (spare.result, spare.output, jobs):
        os.close(fd)
    shutil.rmtree(spare.spool, ignore_errors=True)


def _next(jobs: int) -> Job:
    """The job that comes in on a descriptor; if none will come, this process ends."""
    told = b""
    while not told.endswith(b"\n"):
        part = os.read(jobs, _MOST)
        if not part:
            os._exit(0)
        told += part
    os.close(jobs)
    job: Job = wire.loads(told.decode())
    return job
