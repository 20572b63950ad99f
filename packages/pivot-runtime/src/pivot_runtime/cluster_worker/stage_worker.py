"""The worker: runs the stages of tasks in private workspaces, and answers with the digests of their outs."""

import contextlib
import os
import pathlib
import signal
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import attrs

from pivot_cache.errors import ArtifactError, CacheError
from pivot_cache.layout import Layout
from pivot_cache.objects.ingest import ingest
from pivot_cache.state.stat_cache import StatCache
from pivot_core.errors import PivotError
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact, RunRecord
from pivot_runtime.cluster import observed_places, task
from pivot_runtime.cluster.task import Refusal, StageAnswer, StageTask, TaskError, TaskOut
from pivot_runtime.cluster_worker import worker_transport
from pivot_runtime.cluster_worker.worker_transport import OutsError, PlacedInputs, PrivateCaches, WorkerTransport
from pivot_runtime.cluster_worker.workspaces import RefusedError, Workspace, WorkspaceKey, Workspaces, own_directory
from pivot_runtime.config.settings import WorkerStart
from pivot_runtime.errors import HostError
from pivot_runtime.evaluating import expectation
from pivot_runtime.executors import written_outs
from pivot_runtime.executors.base import Failure, Finished
from pivot_runtime.executors.host_executor import HostExecutor
from pivot_runtime.loading.host_client import HostClient
from pivot_runtime.loading.loaded import LoadedStage
from pivot_runtime.processes import process_tree

_MOST_STOPPED: Final = 1000
_KILLED_SECONDS: Final = 5.0

type Output = Callable[[list[str]], object]


class _StoppedError(Exception):
    """The run of this task was stopped."""


class _TaskRun:
    """A task that a thread works on; other threads may stop it.

    Attributes:
        run: The run that it belongs to.
        number: Its number in the run.
        ended: Set at its end.
        killed: Whether its host has been killed, which may take a moment to end.
    """

    def __init__(self, run: str, number: int) -> None:
        self.run, self.number = run, number
        self.ended = threading.Event()
        self.killed = False
        self._lock = threading.Lock()
        self._stopping = False
        self._host: HostClient | None = None
        self._pidfd: int | None = None
        self._loading = False

    @property
    def stopping(self) -> bool:
        """Whether it was stopped."""
        return self._stopping

    def check(self) -> None:
        """End the work on it if it was stopped.

        Raises:
            _StoppedError: It was.
        """
        if self._stopping:
            raise _StoppedError

    def watch(self, host: HostClient, *, loading: bool) -> None:
        """The work waits for this host from now on, which `stop` ends if it is ``loading``."""
        with self._lock:
            self._forget()
            self._host, self._loading, self._pidfd = host, loading, process_tree.pidfd_of(host.pid)
            if self._stopping and loading:
                self._kill()

    def start(self, work: Callable[[], None]) -> None:
        """Start the stage, unless the task was stopped."""
        with self._lock:
            self.check()
            work()
            self._loading = False

    def let_go(self) -> None:
        """The work does not wait for a host any more."""
        with self._lock:
            self._forget()

    def stop(self) -> None:
        """Interrupt the stage as Ctrl-C does, or end the import."""
        with self._lock:
            self._stopping = True
            if self._host is not None and self._loading:
                self._kill()
            elif self._host is not None:
                with contextlib.suppress(HostError):
                    self._host.send({"op": "stop"})

    def kill(self) -> None:
        """End the host, and the stage with it."""
        with self._lock:
            self._stopping = True
            self._kill()

    def _kill(self) -> None:
        self.killed = True
        with contextlib.suppress(ProcessLookupError):
            if self._pidfd is not None:
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
            elif self._host is not None:
                os.kill(self._host.pid, signal.SIGKILL)

    def _forget(self) -> None:
        if self._pidfd is not None:
            os.close(self._pidfd)
        self._host = self._pidfd = None


class StageWorker:
    """Runs stages for the commands of other machines; any number of threads may call it."""

    def __init__(self, directory: pathlib.Path, name: str) -> None:
        """Use a directory for workspaces and objects; ``name`` is shown to people.

        Several workers may use the same directory, which belongs to this user alone.

        Raises:
            EngineError: It belongs to another user.
            OSError: It cannot be used.
        """
        self._name = name
        self._resources = contextlib.ExitStack()
        own = self._resources.enter_context(own_directory(directory))
        self._workspaces = Workspaces(own / "workspaces")
        self._caches = PrivateCaches(own / "caches")
        self._lock = threading.Lock()
        self._active: set[_TaskRun] = set()
        self._stopped: OrderedDict[str, None] = OrderedDict()
        self._closed = False

    def run(
        self,
        data: bytes,
        archive: Callable[[], bytes],
        started: Callable[[], object] = lambda: None,
        output: Output = lambda _: None,
    ) -> bytes:
        """Work on a task until it has ended, and return the answer; nothing that a stage does raises an error here.

        Args:
            data: The task as JSON.
            archive: Returns the archive of its sources, if it is needed.
            started: Called when the work begins.
            output: Called with the lines that the stage prints, if the task asks for them.
        """
        try:
            plain = task.parse(data)
        except TaskError as error:
            return task.encode(StageAnswer(0, self._name, Refusal("protocol", f"the task is damaged: {error}")))
        number = plain["number"]
        try:
            wanted = self._parsed(plain)
            with self._begun(wanted.template.run, number) as active:
                answer = self._answer(wanted, archive, active, started, output)
        except RefusedError as error:
            answer = StageAnswer(number, self._name, error.refusal)
        return task.encode(answer)

    def stop(self, run: str, patience: float = 10.0, *, number: int | None = None) -> None:
        """Stop the tasks of a run, those to come included, or only the current one with a number; wait for their ends.

        Stages are interrupted as by Ctrl-C, and ended by force after ``patience`` seconds.
        """
        with self._lock:
            if number is None:
                self._stopped[run] = None
                while len(self._stopped) > _MOST_STOPPED:
                    self._stopped.popitem(last=False)
            active = [each for each in self._active if each.run == run and number in (None, each.number)]
        _stop(active, patience)

    def close(self, patience: float = 10.0) -> None:
        """Stop all tasks, those to come included, end all processes, and remove the directory."""
        with self._lock:
            self._closed = True
            active = list(self._active)
        _stop(active, patience)
        self._workspaces.close()
        self._resources.close()

    def _parsed(self, plain: Mapping[str, Any]) -> StageTask:
        """The task.

        Raises:
            RefusedError: It is of other versions, or damaged.
        """
        here = task.versions()
        there = {name: plain.get(name) for name in here}
        if here != there:
            summary = f"{self._name} has {_in_words(here)}; the command has {_in_words(there)}"
            raise RefusedError("protocol", summary, hint=task.SAME_PIVOT)
        try:
            return StageTask.from_plain(plain)
        except TaskError as error:
            raise RefusedError("protocol", f"the task is damaged: {error}") from None

    @contextlib.contextmanager
    def _begun(self, run: str, number: int) -> Iterator[_TaskRun]:
        active = _TaskRun(run, number)
        with self._lock:
            self._active.add(active)
            stopped = self._closed or run in self._stopped
        if stopped:
            active.stop()
        try:
            yield active
        finally:
            active.let_go()
            with self._lock:
                self._active.discard(active)
            active.ended.set()

    def _answer(
        self,
        wanted: StageTask,
        archive: Callable[[], bytes],
        active: _TaskRun,
        started: Callable[[], object],
        output: Output,
    ) -> StageAnswer:
        try:
            active.check()
            started()
            answer = self._worked(wanted, archive, active, output)
        except _StoppedError:
            answer = None
        except RefusedError:
            if not active.stopping:
                raise
            answer = None
        except Exception as error:  # whatever happens, the command must get an answer
            if not active.stopping:
                raise self._broken(error) from error
            answer = None
        if answer is None or active.stopping:
            return StageAnswer(wanted.number, self._name, stopped=True)
        return answer

    def _broken(self, error: Exception) -> RefusedError:
        """The refusal because of a problem of the worker."""
        if isinstance(error, PivotError):
            return RefusedError("worker", f"{self._name}: {error}", hint=error.hint)
        if isinstance(error, OSError):
            at = f": {error.filename}" if error.filename else ""
            return RefusedError("worker", f"{self._name}: {error.strerror or error}{at}")
        return RefusedError("worker", f"{self._name}: {error!r}", detail="".join(traceback.format_exception(error)))

    def _worked(self, wanted: StageTask, archive: Callable[[], bytes], active: _TaskRun, output: Output) -> StageAnswer:
        key = WorkspaceKey.of(wanted.template)
        workspace = self._workspaces.take(key, archive, lambda host: active.watch(host, loading=True))
        try:
            active.watch(workspace.host, loading=True)
            active.check()
            with StatCache(Layout(workspace.root).statcache_file) as files:
                return self._in_workspace(wanted, workspace, active, files, output)
        except HostError:
            workspace.usable = False
            raise
        finally:
            active.let_go()
            workspace.usable = workspace.usable and not active.killed
            self._workspaces.give_back(workspace)

    def _in_workspace(
        self, wanted: StageTask, workspace: Workspace, active: _TaskRun, files: StatCache, output: Output
    ) -> StageAnswer:
        stage = self._expected(wanted, workspace)
        with worker_transport.open_transport(wanted, self._caches, files, self._name, active.check) as transport:
            artifacts = [*wanted.deps.values(), *wanted.before.values()]
            transport.fetch(artifacts)
            self._caches.grow(sum(artifact.size for artifact in artifacts))
            (workspace.root / stage.spec.base).mkdir(parents=True, exist_ok=True)
            deps = PlacedInputs(workspace, wanted, transport, active.check)
            finished = self._executed(wanted, workspace, active, output)
            log = _read(Layout(workspace.root).log_file(wanted.address))
            outs: dict[ArtifactPath, Artifact] = {}
            objects: dict[str, bytes] = {}
            try:
                if finished.failure is None:
                    self._refuse_edits(workspace)
                    self._refuse_other_variables(wanted, finished, stage)
                    deps.refuse_changes()
                    outs, objects = self._stored(wanted, workspace, files, transport)
                    self._publish(wanted, finished, outs, stage, transport)
                elif wanted.template.keep_failed:
                    with contextlib.suppress(OutsError, CacheError):  # what it has not written is no other failure
                        outs, objects = self._stored(wanted, workspace, files, transport)
            except OutsError as error:
                finished = attrs.evolve(finished, failure=error.failure)
            except ArtifactError as error:
                finished = attrs.evolve(finished, failure=Failure(workspace.shown(str(error)), hint=error.hint))
            except CacheError as error:
                summary = f"{self._name} cannot store its outs: {workspace.shown(str(error))}"
                failure = Failure(summary, hint=worker_transport.hint_on(self._name, error, wanted.template.route))
                finished = attrs.evolve(finished, failure=failure)
        log = workspace.shown(log.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        return StageAnswer(wanted.number, self._name, None, finished, outs=outs, objects=objects, log=log)

    def _expected(self, wanted: StageTask, workspace: Workspace) -> LoadedStage:
        """The stage, which is the same as on the command's machine.

        Raises:
            RefusedError: It is not.
        """
        loaded = workspace.loaded
        stage = next((each for each in loaded.stages if each.spec.address == wanted.address), None)
        if stage is None:
            raise RefusedError("expectation", f"{self._name} finds no stage {wanted.address} in {wanted.template.file}")
        facts = expectation.facts(stage, loaded.schema)
        if expectation.digest(facts) != wanted.expected:
            raise RefusedError("expectation", f"{self._name} has other code, values or libraries", facts=facts)
        return stage

    def _executed(self, wanted: StageTask, workspace: Workspace, active: _TaskRun, output: Output) -> Finished:
        """The end of the stage's run.

        Raises:
            HostError: Its host has ended.
        """
        layout, template = Layout(workspace.root), wanted.template

        def printed(_: str, lines: tuple[str, ...]) -> None:
            with contextlib.suppress(Exception):  # nobody listens any more
                output([workspace.shown(line) for line in lines])

        executor = HostExecutor(
            lambda _: workspace.host,
            template.watching,
            printed if template.stream else None,
            start=WorkerStart.SPAWN if template.fresh else WorkerStart.FORK,
        )
        layout.logs_dir.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        active.start(lambda: executor.start(wanted.address, layout.log_file(wanted.address)))
        try:
            finished = executor.wait()
        except HostError as error:
            workspace.usable = False
            failure = Failure(str(error), hint="its worker may have run out of memory")
            finished = Finished(wanted.address, time.monotonic() - began, failure)
        active.let_go()
        active.check()
        return _relative(finished, workspace)

    def _stored(
        self, wanted: StageTask, workspace: Workspace, files: StatCache, transport: WorkerTransport
    ) -> tuple[dict[ArtifactPath, Artifact], dict[str, bytes]]:
        """The outs of a stage that has succeeded, and the bytes that travel with the answer.

        Raises:
            OutsError: An out is missing, or cannot be stored where the command finds it.
            ArtifactError: An out is not of the declared kind, or cannot be read.
        """
        root = os.fspath(workspace.root)
        missing = written_outs.missing(root, wanted.outs)
        if missing:
            raise OutsError.of(written_outs.failure_of_missing(missing))
        for out in wanted.outs:
            written_outs.check_kind(root, out)

        def store(outs: Sequence[TaskOut]) -> dict[ArtifactPath, Artifact]:
            return {out.path: ingest(workspace.root / out.path, transport.store, files) for out in outs}

        uncached = [out for out in wanted.outs if not out.cache]
        outs = store([out for out in wanted.outs if out.cache])
        rest = {out.path: ingest(workspace.root / out.path, transport.own, files) for out in uncached}
        self._caches.grow(sum(artifact.size for artifact in (*outs.values(), *rest.values())))
        objects = worker_transport.carried(transport.own, rest)
        sent = outs if objects is not None else outs | store(uncached)
        home = {out.path: outs[out.path] for out in wanted.outs if out.home and out.cache}
        carried = {**(objects or {}), **(worker_transport.carried(transport.store, home) or {})}
        return outs | rest, {**carried, **transport.send(sent)}

    def _refuse_edits(self, workspace: Workspace) -> None:
        """Refuse the result of a stage whose code was edited here while it ran.

        Raises:
            OutsError: It was.
        """
        edited = workspace.edited_code()
        if edited:
            raise OutsError(f"{', '.join(edited)} was edited on {self._name} while it ran", "repeat the command")

    def _refuse_other_variables(self, wanted: StageTask, finished: Finished, stage: LoadedStage) -> None:
        """Refuse the result of a stage that read a variable which the import sets to another value here.

        Raises:
            OutsError: It did.
        """
        here, there = stage.assigned, wanted.template.assigned
        other = [
            name for name in finished.seen.variables if name not in stage.env and here.get(name) != there.get(name)
        ]
        if other:
            summary = (
                f"it read {', '.join(other)}, which the import of its pipeline sets to another value on {self._name}"
            )
            raise OutsError(summary, "set it to the same value on all machines, or make it a parameter")

    def _publish(
        self,
        wanted: StageTask,
        finished: Finished,
        outs: Mapping[ArtifactPath, Artifact],
        stage: LoadedStage,
        transport: WorkerTransport,
    ) -> None:
        """Record the run for others, if nothing that it did could prevent the command from recording it."""
        counting = {name for name in finished.seen.variables if name in stage.assigned} - {*wanted.variables}
        undeclared = finished.seen.read or finished.seen.wrote
        if wanted.publish and not counting and not undeclared and all(out.cache for out in wanted.outs):
            with contextlib.suppress(CacheError):  # the command records it as well
                transport.publish(RunRecord(wanted.key, outs, finished.observed))


def _stop(active: Sequence[_TaskRun], patience: float) -> None:
    for each in active:
        each.stop()
    until = time.monotonic() + patience
    for each in active:
        if not each.ended.wait(max(0.0, until - time.monotonic())):
            each.kill()
    until = time.monotonic() + _KILLED_SECONDS
    for each in active:
        each.ended.wait(max(0.0, until - time.monotonic()))


def _in_words(versions: Mapping[str, Any]) -> str:
    found = f"Pivot {versions['pivot']} on Python {versions['python']}"
    return found if versions["protocol"] == task.PROTOCOL else f"{found} (protocol {versions['protocol']})"


def _relative(finished: Finished, workspace: Workspace) -> Finished:
    """The same without absolute paths of the workspace, and without paths relative to it of files outside."""
    shown, failure = workspace.shown, finished.failure
    if failure is not None:
        failure = Failure(shown(failure.summary), shown(failure.detail), failure.hint and shown(failure.hint))
    incomplete, left = tuple(map(shown, finished.incomplete)), tuple(map(shown, finished.left))
    observed = observed_places.absolute(finished.observed, os.fspath(workspace.root))
    return attrs.evolve(finished, failure=failure, observed=observed, incomplete=incomplete, left=left)


def _read(file: pathlib.Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
