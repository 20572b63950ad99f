"""The connection of a command to a Dask cluster: sends stage runs as tasks, and passes on the events of the workers.

Everything happens in the thread of the client's event loop. Stage runs that are submitted at the same time cost one
message to the scheduler; what workers report comes as events of one topic, the answer too if it is small. The topic is
the ID of the client, since the scheduler forgets the events of that some time after the client is gone.
"""

import asyncio
import contextlib
import itertools
import math
import operator
import threading
import time
import warnings
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any, Final

from distributed import Client
from distributed.client import FutureCancelledError
from distributed.security import Security
from distributed.versions import VersionMismatchWarning

from pivot_dask import on_worker
from pivot_dask.address import SchedulerAddress, parse
from pivot_dask.batches import Submission, batches, submission
from pivot_dask.clusters import create
from pivot_dask.dashboard import dashboard_link
from pivot_dask.failures import PACKAGES, different_versions, explained, may_be_unfit, unfit_workers
from pivot_dask.waiting import WAITS_SECONDS, Needs, SubmittedStage, doubtful, lacking
from pivot_runtime.cluster.backend import ClusterEvents, ExecutorSettings
from pivot_runtime.errors import ExecutorError

CONNECT_SECONDS: Final = 8.0
STOP_SECONDS: Final = on_worker.PATIENCE_SECONDS + 2.0
_CLOSE_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.5
_ENDS_SECONDS: Final = 0.1
_TURNS: Final = 10
_ENDS: Final = ("finished", "error", "cancelled")
_ASK_SECONDS: Final = 5.0
_OF_ALL: Final = "all"
"""The topic of Dask with the workers that end."""
_CONNECTION_LOST: Final = "scheduler-connection-lost"
_BATCH_SECONDS: Final = 0.01


def connect(address: str, settings: ExecutorSettings, events: ClusterEvents) -> "DaskBackend":
    """Connect to the cluster of an address, or create it; see `pivot_runtime.cluster.backend.ConnectBackend`.

    Raises:
        ConfigError: The address has another form.
        ExecutorError: No scheduler answers, or the user's function provides no cluster.
    """
    parsed = parse(address)
    if isinstance(parsed, SchedulerAddress):
        if parsed.encrypted and Security().get_connection_args("client")["ssl_context"] is None:
            raise ExecutorError(
                f"{address} needs TLS, for which Dask is not configured here",
                hint="Dask's configuration names the certificates: distributed.comm.tls",
            )
        return DaskBackend(_client(parsed.url, address, settings, events), None, settings, events)
    cluster = create(parsed, settings)
    try:
        return DaskBackend(_client(cluster, address, settings, events), cluster, settings, events)
    except BaseException:
        cluster.close()
        raise


def _client(target: Any, address: str, settings: ExecutorSettings, events: ClusterEvents) -> Any:
    """A connected client; Dask waits forever for a silent server, hence in a thread of its own."""
    made: list[Client] = []
    errors: list[Exception] = []

    def make() -> None:
        try:
            made.append(Client(target, timeout=CONNECT_SECONDS, set_as_default=False, name=f"pivot-{settings.run}"))
        except Exception as error:  # noqa: BLE001  # raised in the other thread
            errors.append(error)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", VersionMismatchWarning)
        thread = threading.Thread(target=make, daemon=True)
        thread.start()
        thread.join(CONNECT_SECONDS + 1.0)
    for warning in caught:
        if issubclass(warning.category, VersionMismatchWarning):
            note = different_versions(str(warning.message))
            if note is not None:
                events.note(note)
    if made:
        return made[0]
    error = errors[0] if errors else TimeoutError(f"it has been silent for {CONNECT_SECONDS:g} s")
    raise _no_scheduler(address, error) from error


def _no_scheduler(address: str, error: Exception) -> ExecutorError:
    if address.startswith(("dask+tls://", "dask+wss://")):
        hint = "is it running, and is it this port? it must use TLS with these certificates"
    elif address.startswith("dask://"):
        hint = (
            "is it running, and is it this port (`dask scheduler` prints it)? one that uses TLS is dask+tls://HOST:PORT"
        )
    else:
        hint = "the cluster that the function returned has no scheduler that can be reached from here"
    reason = str(error).strip().partition("\n")[0]
    summary = f"no Dask scheduler answers at {address}: {reason or type(error).__name__}"
    return ExecutorError(summary, hint=f"{hint}; --executor local runs stages on this machine")


class DaskBackend:
    """A `pivot_runtime.cluster.backend.ClusterBackend` on Dask."""

    def __init__(
        self,
        client: Any,
        cluster: Any,
        settings: ExecutorSettings,
        events: ClusterEvents,
        *,
        stage_worker: str = on_worker.STAGE_WORKER,
    ) -> None:
        """Take over a connected client.

        Args:
            client: The client.
            cluster: The cluster object that `close` ends; None if it was not created for this run.
            settings: The circumstances of the connection.
            events: Receives the events.
            stage_worker: The class that runs stages on workers.
        """
        self._client = client
        self._loop: asyncio.AbstractEventLoop = self._client.loop.asyncio_loop
        self._cluster = cluster
        self._run = settings.run
        self._log = settings.log if cluster is not None else ""
        self._events = events
        self._stage_worker = stage_worker
        self._topic: str = self._client.id
        self._stages: dict[int, SubmittedStage] = {}
        self._queue: list[Submission] = []
        self._queue_lock = threading.Lock()
        self._archives: dict[str, bytes] = {}
        self._needed: dict[str, set[str]] = {}
        self._finished: list[tuple[int, SubmittedStage]] = []
        self._offered: dict[Needs, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._asked = -math.inf
        self._unfit: asyncio.Task[str] | None = None
        self._gone = False
        self._client.subscribe_topic(self._topic, self._on_event)
        self._client.subscribe_topic(_OF_ALL, self._on_event_of_all)
        workers = self._workers().values()
        threads = sum(int(worker["nthreads"]) for worker in workers)
        events.connected(dashboard=dashboard_link(self._client), workers=len(workers), threads=threads)
        self._call(lambda: self._spawn(self._watch()))
        self._call(lambda: self._spawn(self._see_ends()))

    def add_sources(self, digest: str, archive: bytes) -> None:
        """See `ClusterBackend.add_sources`; the archive goes to the workers that ask for it."""
        self._archives[digest] = archive

    def submit(
        self, number: int, task: bytes, *, sources: str, name: str, resources: Mapping[str, float], priority: int
    ) -> None:
        """See `ClusterBackend.submit`."""
        of_run = {"run": self._run, "sources": sources, "topic": self._topic, "stage_worker": self._stage_worker}
        submitted = submission(number, task, name=name, resources=resources, priority=priority, of_run=of_run)
        with self._queue_lock:
            self._queue.append(submitted)
            if len(self._queue) > 1:
                return
        self._call(self._send_soon)

    def stop(self) -> None:
        """See `ClusterBackend.stop`."""
        if self._loop.is_closed():
            return
        with contextlib.suppress(TimeoutError, RuntimeError):  # a loop that has ended runs nothing
            asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(STOP_SECONDS + 1)

    def close(self) -> None:
        """See `ClusterBackend.close`."""
        self._call(self._end_watch)
        with contextlib.suppress(Exception):  # the process ends anyway
            for topic in (self._topic, _OF_ALL):
                self._client.unsubscribe_topic(topic)  # else the scheduler logs that it cannot send the last event
        self._close_client()
        if self._cluster is not None:
            with contextlib.suppress(Exception):
                self._cluster.close(timeout=_CLOSE_SECONDS)

    def _close_client(self) -> None:
        try:
            self._client.close(timeout=_CLOSE_SECONDS)
        except Exception:  # noqa: BLE001  # the process ends anyway
            # An error of the task that reads, such as of a new connection that the scheduler refuses, is that of each
            # attempt to close the client, also of its finalizer.
            self._client._handle_report_task = None  # noqa: SLF001
            with contextlib.suppress(Exception):
                self._client.close(timeout=_CLOSE_SECONDS)

    def _call(self, function: Any, *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(function, *arguments)

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)  # the loop itself keeps no reference
        task.add_done_callback(self._tasks.discard)

    def _send_soon(self) -> None:
        self._loop.call_later(_BATCH_SECONDS, self._send)

    def _send(self) -> None:
        """Send what was submitted in a short time."""
        with self._queue_lock:
            queue, self._queue = self._queue, []
        for batch in () if self._gone else batches(queue):
            futures = self._client.map(
                operator.call,
                [each.call for each in batch],
                key=[each.key for each in batch],
                resources=batch[0].resources or None,
                priority=batch[0].priority,
                retries=0,
                pure=False,
            )
            now = time.monotonic()
            for each, future in zip(batch, futures, strict=True):
                self._stages[each.number] = SubmittedStage(future, each.resources, now)

    def _on_event(self, event: tuple[float, Any]) -> None:
        """An event of a worker has come."""
        message = event[1]
        number = message.get("number") if isinstance(message, dict) else None
        stage = self._stages.get(number) if isinstance(number, int) else None
        if number is None or stage is None:  # of Dask, or of a stage run that has ended
            return
        if stage.future.status == "cancelled":  # then the worker has interrupted it
            self._on_done(number, stage)
        elif "answer" in message:
            self._answered(number, stage, message["answer"])
        elif "started" in message:
            stage.worker, stage.waits = message["worker"], False
            stage.since = self._offered[stage.needs] = time.monotonic()
            self._events.started(number, message["started"])
        elif "output" in message:
            self._events.output(number, list(message["output"]))
        elif "needs" in message:
            if not self._needed:
                self._loop.call_later(0.01, self._send_sources)  # to several workers at once
            self._needed.setdefault(message["needs"], set()).add(message["worker"])

    def _on_event_of_all(self, event: tuple[float, Any]) -> None:
        """An event of the scheduler has come: a worker that ends may have been the last one with its resources."""
        message = event[1]
        if isinstance(message, dict) and message.get("action") == "remove-worker":
            self._offered.clear()
            now = time.monotonic()
            for stage in self._stages.values():
                if stage.worker == message.get("worker"):
                    stage.worker, stage.since = "", now

    def _answered(self, number: int, stage: SubmittedStage, answer: bytes) -> None:
        del self._stages[number]
        stage.future.release()
        self._events.answered(number, answer)

    def _send_sources(self) -> None:
        for digest, workers in self._needed.items():
            if digest in self._archives:
                self._spawn(self._on_workers(workers, on_worker.add_sources, digest, self._archives[digest]))
        self._needed = {}

    async def _on_workers(self, workers: Iterable[str] | None, function: Any, *arguments: Any) -> None:
        """Call a function on some workers, or on all; those that cannot be reached do not matter."""
        chosen = None if workers is None else list(workers)
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            await self._client.run(function, *arguments, workers=chosen, on_error="return")

    async def _see_ends(self) -> None:
        """Notice the tasks whose answers did not come as events; callbacks would take as long as all the rest."""
        for turn in itertools.count():
            await asyncio.sleep(_ENDS_SECONDS)
            if self._gone:
                return
            all_of_them = turn % _TURNS == 0  # most wait, and end before they start only if something is wrong
            for number, stage in list(self._stages.items()):
                if (stage.worker or all_of_them) and stage.future.status in _ENDS:
                    self._on_done(number, stage)

    def _on_done(self, number: int, stage: SubmittedStage) -> None:
        """Dask has finished a task, or given it up."""
        if stage.ended or self._stages.get(number) is not stage:
            return
        stage.ended = True
        match stage.future.status:
            case "finished":
                self._finished.append((number, stage))
                if len(self._finished) == 1:
                    self._spawn(self._fetch())
            case _ if self._client.status == "running":
                self._spawn(self._fetch_one(number, stage))
            case _:
                self._lose()

    async def _fetch(self) -> None:
        """Fetch answers that are too large for events, all that there are at once."""
        await asyncio.sleep(0)
        finished, self._finished = self._finished, []
        waiting = [(number, stage) for number, stage in finished if self._stages.get(number) is stage]
        futures = [stage.future for _, stage in waiting]
        answers = await self._client.gather(futures, errors="skip") if futures else []
        if len(answers) == len(futures):
            for (number, stage), answer in zip(waiting, answers, strict=True):
                if self._stages.get(number) is stage:
                    self._answered(number, stage, answer)
            return
        for number, stage in waiting:  # one of them was lost, and could not be repeated
            await self._fetch_one(number, stage)

    async def _fetch_one(self, number: int, stage: SubmittedStage) -> None:
        """Fetch the answer of a task, or the error for which Dask gave it up."""
        try:
            answer = await stage.future.result()
        except (Exception, FutureCancelledError) as error:  # noqa: BLE001  # whatever it is, the command reports it
            if getattr(error, "reason", "") == _CONNECTION_LOST:  # it has a new one meanwhile, and knows no stage there
                self._lose()
            elif self._stages.get(number) is stage:
                unfit = await self._unfit_workers() if may_be_unfit(error) else ""
                if self._stages.get(number) is stage:
                    self._fail(number, *explained(error, unfit))
        else:
            if self._stages.get(number) is stage:
                self._answered(number, stage, answer)

    async def _unfit_workers(self) -> str:
        """See `failures.unfit_workers`; they are asked once for all stages that fail in a short time."""
        now = time.monotonic()
        if self._unfit is None or now - self._asked > _ASK_SECONDS:
            self._asked = now
            self._unfit = self._loop.create_task(self._look_at_workers())
        return await asyncio.shield(self._unfit)

    async def _look_at_workers(self) -> str:
        with contextlib.suppress(OSError, RuntimeError, ValueError, TimeoutError):
            async with asyncio.timeout(_ASK_SECONDS):
                versions = await self._client.get_versions(packages=PACKAGES)
                workers = (await self._client.scheduler.identity(n_workers=-1))["workers"]
                return unfit_workers(versions, {address: worker["name"] for address, worker in workers.items()})
        return ""

    def _fail(self, number: int, summary: str, hint: str | None) -> None:
        stage = self._stages.pop(number)
        stage.future.release()
        self._events.failed(number, summary, hint)

    def _lose(self) -> None:
        if not self._gone:
            self._gone = True
            self._stages.clear()
            hint = "repeat the command when it runs again: results that reached the cache or the remote are taken up"
            self._events.lost("the connection to the Dask scheduler was lost", hint)

    def _end_watch(self) -> None:
        self._gone = True
        for task in self._tasks:
            task.cancel()

    async def _watch(self) -> None:
        """Notice that the scheduler is gone, and report stage runs that no worker can run."""
        looked = 0.0
        while not self._gone:
            await asyncio.sleep(_LOOK_SECONDS)
            if self._client.status != "running":
                self._lose()
                return
            now = time.monotonic()
            idle = doubtful(self._stages, self._offered, now)
            if idle and now - looked > WAITS_SECONDS:
                looked = now
                workers = await asyncio.to_thread(self._workers)
                self._report_waiting(idle, [dict(worker.get("resources") or {}) for worker in workers.values()])

    def _workers(self) -> dict[str, Any]:
        """The current workers of the cluster, by address; waits."""
        try:
            return dict(self._client.scheduler_info(n_workers=-1)["workers"])
        except (OSError, RuntimeError, TimeoutError):
            return {}

    def _report_waiting(self, stages: Mapping[int, SubmittedStage], offered: list[dict[str, float]]) -> None:
        reasons = {stage.needs: lacking(stage.resources, offered, self._log) for stage in stages.values()}
        self._offered |= {needs: time.monotonic() for needs, reason in reasons.items() if reason is None}
        for number, stage in stages.items():
            reason = reasons[stage.needs]
            if reason is not None and self._stages.get(number) is stage and not stage.worker:
                stage.waits = True
                self._events.waiting(number, reason)

    async def _stop(self) -> None:
        with self._queue_lock:
            self._queue.clear()
        stages, self._stages = list(self._stages.values()), {}
        with contextlib.suppress(OSError, RuntimeError, TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                if stages:
                    await self._client.cancel([stage.future for stage in stages], force=True)
                    await self._on_workers(None, on_worker.stop, self._run, on_worker.PATIENCE_SECONDS)
