"""The functions that Dask calls on its workers: they run stages there, and interrupt them.

`backend` sends only the name of `run_stage`, so that neither code nor pickles of objects travel, and the scheduler does
not need this package. One stage runs in each thread of a worker.
"""

import asyncio
import functools
import pathlib
import pkgutil
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol, Self

from distributed import Reschedule, Worker, WorkerPlugin, get_worker

STAGE_WORKER: Final = "pivot_runtime.cluster_worker.stage_worker:StageWorker"
"""The class whose object runs the stages in a worker: what `StageRunner` describes, from a directory and a name."""

SMALL: Final = 1 << 15
"""The most bytes of an answer that is sent as an event, which costs no request; others are fetched."""

PATIENCE_SECONDS: Final = 8.0
"""The time that stages have to end after an interruption."""

_KEPT_ARCHIVES: Final = 4
_ASK_AGAIN_SECONDS: Final = 10.0
_ASK_TIMES: Final = 12
_PLUGIN: Final = "pivot"


class StageRunner(Protocol):
    """Runs the stages of a worker, in several threads; see `STAGE_WORKER`."""

    def run(
        self,
        task: bytes,
        archive: Callable[[], bytes],
        started: Callable[[], None],
        output: Callable[[list[str]], None],
    ) -> bytes:
        """Run a stage, and return the answer."""
        ...

    def stop(self, run: str, patience: float, *, number: int | None = None) -> None:
        """Interrupt the stages of a run, or one of them, and wait for their ends, forced after ``patience`` seconds."""
        ...

    def close(self) -> None:
        """End everything."""
        ...


class StageServiceError(Exception):
    """A worker cannot run stages.

    Attributes:
        summary: Which worker, and why.
        unfit: It has perhaps not all that Pivot imports, or another Python.
    """

    def __init__(self, summary: str, unfit: bool) -> None:  # noqa: FBT001  # pickled by position
        super().__init__(summary, unfit)
        self.summary = summary
        self.unfit = unfit

    @classmethod
    def of(cls, worker: str, error: Exception) -> Self:
        """The error of a worker with this name."""
        return cls(
            f"worker {worker} cannot run stages: {type(error).__name__}: {error}",
            isinstance(error, ImportError | SyntaxError),
        )


class StageService:
    """The part of a Dask worker that runs stages.

    Attributes:
        runner: Runs the stages.
        name: The name of the worker for people.
        closing: The worker ends, and its stages with it.
    """

    def __init__(self, worker: Any, stage_worker: str) -> None:
        self.name = worker_name(worker)
        self.closing = False
        make = pkgutil.resolve_name(stage_worker)
        self.runner: StageRunner = make(pathlib.Path(worker.local_directory) / "pivot", self.name)
        self._lock = threading.Condition()
        self._archives: dict[str, bytes] = {}
        self._keys: dict[str, tuple[str, int]] = {}
        self._given_up: set[str] = set()

    def archive(self, digest: str, key: str, ask: Callable[[], None]) -> bytes:
        """Wait for an archive of sources for a task of Dask; ``ask`` asks the command for it.

        Raises:
            TimeoutError: It did not come, or nobody waits for the task any more.
        """
        with self._lock:
            for _ in range(_ASK_TIMES):
                if digest in self._archives:
                    return self._archives[digest]
                if key not in self._given_up:
                    ask()
                    self._lock.wait_for(lambda: digest in self._archives or key in self._given_up, _ASK_AGAIN_SECONDS)
        raise TimeoutError("the command did not send the sources of the project")

    def add(self, digest: str, archive: bytes) -> None:
        """Keep an archive; one that came long ago is dropped, and asked for again if it is needed."""
        with self._lock:
            self._archives[digest] = archive
            while len(self._archives) > _KEPT_ARCHIVES:
                del self._archives[next(iter(self._archives))]
            self._lock.notify_all()

    def begin(self, key: str, run: str, number: int) -> None:
        """A task of Dask begins to run a stage."""
        self._keys[key] = run, number

    def end(self, key: str) -> None:
        """It ends."""
        self._keys.pop(key, None)
        self._given_up.discard(key)

    def cancelled(self, key: str) -> None:
        """Dask has no more use for a task: its command is gone, or has cancelled it. Does not wait."""
        if key in self._keys:
            run, number = self._keys[key]
            self._give_up([key])
            stop = functools.partial(self.runner.stop, run, PATIENCE_SECONDS, number=number)
            threading.Thread(target=stop, daemon=True).start()

    def stop(self, run: str, patience: float) -> None:
        """Interrupt the stages of a run, and wait until none runs."""
        self._give_up([key for key, (of, _) in list(self._keys.items()) if of == run])
        self.runner.stop(run, patience)

    def _give_up(self, keys: Iterable[str]) -> None:
        """Let tasks not wait for their sources any more."""
        with self._lock:
            self._given_up.update(keys)
            self._lock.notify_all()


class CancellationPlugin(WorkerPlugin):
    """Interrupts the stages whose tasks the scheduler has cancelled, and ends everything with the worker."""

    def __init__(self, service: StageService, name: tuple[str, str]) -> None:
        self._service = service
        self._name = name

    def transition(self, key: Any, start: str, finish: str, **_: Any) -> None:
        """A task of the worker has changed its state."""
        if start == "executing" and finish in ("released", "cancelled"):
            self._service.cancelled(str(key))

    async def teardown(self, worker: Worker) -> None:  # noqa: ARG002  # Dask names it
        """The worker ends."""
        self._service.closing = True  # before its stages are interrupted
        _services.pop(self._name, None)
        await asyncio.to_thread(self._service.runner.close)


_services: dict[tuple[str, str], StageService] = {}
"""The parts of workers in this process, by address and class: tasks of Dask have no other place for what they share."""

_creating: Final = threading.Lock()


def run_stage(
    task: bytes, *, run: str, number: int, sources: str, topic: str, stage_worker: str = STAGE_WORKER
) -> bytes:
    """Run a stage in this thread of a worker, and return the answer.

    Args:
        task: The task as JSON.
        run: The ID of its run.
        number: Its number.
        sources: The digest of its sources.
        topic: The topic of Dask to which events are sent.
        stage_worker: The class that runs it.

    Raises:
        Reschedule: The worker ends; the stage must be run by another one.
        StageServiceError: The worker cannot run stages.
    """
    worker = get_worker()
    try:
        service = _service(worker, stage_worker)
    except Exception as error:
        raise StageServiceError.of(worker_name(worker), error) from error
    key = str(worker.get_current_task())

    def send(**event: Any) -> None:
        worker.log_event(topic, {"number": number, **event})

    service.begin(key, run, number)
    try:
        answer = service.runner.run(
            task,
            lambda: service.archive(sources, key, lambda: send(needs=sources)),
            lambda: send(started=service.name),
            lambda lines: send(output=lines),
        )
    except Exception as error:
        raise StageServiceError.of(service.name, error) from error
    finally:
        service.end(key)
    if service.closing:  # the answer would say that the stage was stopped
        raise Reschedule
    if len(answer) <= SMALL:
        send(answer=answer)
    return answer


def add_sources(digest: str, archive: bytes, dask_worker: Any) -> None:
    """Give a worker an archive for which it asked."""
    for service in _services_of(dask_worker):
        service.add(digest, archive)


async def stop(run: str, patience: float, dask_worker: Any) -> None:
    """Interrupt the stages of a run on a worker, and wait until none runs."""
    for service in _services_of(dask_worker):
        await asyncio.to_thread(service.stop, run, patience)


def worker_name(worker: Any) -> str:
    """The name that its user gave a worker, or its machine and port."""
    name = worker.name
    if isinstance(name, str) and name and name != worker.address:
        return name
    return f"{socket.gethostname()}:{worker.address.rpartition(':')[2]}"


def _services_of(worker: Any) -> list[StageService]:
    return [service for (address, _), service in list(_services.items()) if address == worker.address]


def _service(worker: Any, stage_worker: str) -> StageService:
    name = worker.address, stage_worker
    with _creating:
        if name not in _services:
            service = StageService(worker, stage_worker)
            _services[name] = service
            plugin = CancellationPlugin(service, name)
            worker.loop.add_callback(worker.plugin_add, plugin=plugin, name=f"{_PLUGIN}-{stage_worker}")
        return _services[name]
