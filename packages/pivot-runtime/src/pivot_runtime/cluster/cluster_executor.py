"""The executor that sends stages to workers through the backend process, and takes their answers."""

import contextlib
import os
import pathlib
import shlex
import tempfile
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import attrs

from pivot_cache.errors import CacheError
from pivot_core.errors import PivotError, list_names
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact, CodeEntry, Inputs
from pivot_core.spec import StageSpec
from pivot_runtime.cluster import backend, observed_places, sent_runs, sources
from pivot_runtime.cluster.backend_client import BackendClient
from pivot_runtime.cluster.cluster_run import ClusterRun, is_home
from pivot_runtime.cluster.task import (
    Refusal,
    StageAnswer,
    TaskError,
    TaskTemplate,
    environment_of,
    is_published,
    parse,
)
from pivot_runtime.config.settings import Settings
from pivot_runtime.context import Notice
from pivot_runtime.errors import ExecutorError, SourceChangedError
from pivot_runtime.evaluating import expectation
from pivot_runtime.evaluating.session import Session
from pivot_runtime.executors import absent_files
from pivot_runtime.executors.base import Failure, Finished
from pivot_runtime.freshness.load_trace import content
from pivot_runtime.history import events
from pivot_runtime.history.events import Reporter
from pivot_runtime.history.logs import RunLog
from pivot_runtime.tracing.usage import TraceOptions

if TYPE_CHECKING:
    from pivot_runtime.loading.assembly import Assembly, LoadedFile

_STOP_S: Final = 20.0
"""The time that all stage runs get to stop on their workers."""
_LOOKED_AT: Final = 4096
"""The bytes at the end of what a command printed that may say which file it lacked."""
_SHOWN: Final = 5
"""The most differences of a stage that a message names."""


class _Sent(NamedTuple):
    """A stage that was started: its log, its inputs and other deps, and the workers that it was given to so far."""

    address: str
    log: pathlib.Path
    inputs: Inputs
    uncounted: Mapping[ArtifactPath, Artifact]
    workers: list[str]


class ClusterExecutor:
    """Sends the stages of one run to a cluster; everything begins with the first of them."""

    def __init__(
        self,
        run: ClusterRun,
        session: Session,
        assembly: "Assembly",
        *,
        watching: TraceOptions,
        on_output: Callable[[str, tuple[str, ...]], None] | None,
        report: Reporter,
    ) -> None:
        """Create the executor of a run.

        Args:
            run: The part of the run that is on the cluster.
            session: The session of the command.
            assembly: Its pipelines.
            watching: The observations to make of stages.
            on_output: Called with each stage's lines as they are printed.
            report: Called with what happens on the cluster.
        """
        self._run, self._session, self._assembly = run, session, assembly
        self._watching, self._on_output, self._report = watching, on_output, report
        self._client: BackendClient | None = None
        self._connected = False
        self._lost: ExecutorError | None = None
        self._queue: list[_Sent] = []
        self._sent: dict[int, _Sent] = {}
        self._finished: deque[Finished] = deque()
        self._count = 0
        self._homes = {stage.spec.address: each for each in assembly.files for stage in each.loaded.stages}
        self._templates: dict[pathlib.Path, TaskTemplate] = {}
        self._expected: dict[str, str] = {}
        self._archive: str | None = None
        self._packed: frozenset[str] = frozenset()

    @property
    def idle(self) -> bool:
        """See `RemoteExecutor.idle`."""
        return not (self._queue or self._sent or self._finished)

    def start(self, address: str, log: pathlib.Path, inputs: Inputs) -> None:
        """See `Executor.start`; stages that are started together are sent together."""
        _write_log(log, b"")  # from now on, the output of an earlier run is that of an earlier run
        uncounted = self._run.uncounted(self._session.graph.stages[address])
        self._queue.append(_Sent(address, log, inputs, uncounted, []))

    def fileno(self) -> int:
        """See `RemoteExecutor.fileno`."""
        client = self._backend()
        if self._queue and self._lost is None:
            self._send(client)
        return client.events

    def received(self) -> Finished | None:
        """See `RemoteExecutor.received`."""
        if not self._finished:
            self._take(0.0)
        return self._finished.popleft() if self._finished else None

    def wait(self) -> Finished:
        """See `Executor.wait`.

        Raises:
            ExecutorError: The cluster cannot be reached, or has gone away.
            CacheError: The remote as a whole refuses or fails.
        """
        self.fileno()
        while not self._finished:
            self._take(None)
        return self._finished.popleft()

    def stop(self) -> None:
        """See `Executor.stop`."""
        self._queue.clear()
        self._finished.clear()
        if self._client is not None:
            try:
                if self._sent and self._connected:
                    self._client.stopped(_STOP_S)
            finally:
                self._sent.clear()
                self.close()

    def kill(self) -> None:
        """See `Executor.kill`."""
        if self._client is not None:
            self._client.kill()
        self.close()

    def close(self) -> None:
        """End the backend process; what it has started on the cluster has ended."""
        if self._client is not None:
            self._client.close()
        if self._archive is not None:
            with contextlib.suppress(OSError):
                os.unlink(self._archive)
            self._archive = None

    def _backend(self) -> BackendClient:
        """Start the process, and connect it to the cluster, if that has not been done."""
        if self._client is None:
            backend.check(self._run.address)
            self._client = BackendClient()
            self._connect(self._client)
        return self._client

    def _connect(self, client: BackendClient) -> None:
        specs = [spec for address, spec in self._assembly.graph.stages.items() if self._is_sent(address)]
        most: dict[str, int] = {}
        for spec in specs:
            for name, amount in spec.resources.items():
                most[name] = max(amount, most.get(name, 0))
        root = os.fspath(self._session.project.root)
        client.send(
            {"op": "connect", "address": self._run.address, "root": root, "run": self._run.run}
            | {"resources": most, "jobs": self._run.jobs}
        )
        while not self._connected:
            self._take(None)

    def _is_sent(self, address: str) -> bool:
        return address in self._session.graph.stages and self._session.graph.stages[address].executor != "local"

    def _send(self, client: BackendClient) -> None:
        """Send the stages of the queue: first the bytes that they read, for all together."""
        queue, self._queue = self._queue, []
        deps: dict[ArtifactPath, Artifact] = {}
        for each in queue:
            deps |= self._read(each)
        unsent = self._run.transport.send(self._session, self._run.view, deps)
        keys = [each.inputs.key() for each in queue if is_published(self._session.graph.stages[each.address])]
        sent_runs.add(self._session.stores.layout, keys)
        for each in queue:
            read = self._read(each)
            problem = next((unsent[dep.digest] for dep in read.values() if dep.digest in unsent), None)
            if problem is not None:
                self._fail(each, f"a dep cannot be sent to the cluster: {problem}", "repeat the command")
                continue
            try:
                self._submit(client, each, read)
            except ExecutorError:  # there is nobody to send it to
                raise
            except PivotError as error:
                self._fail(each, str(error), error.hint)

    def _fail(self, each: _Sent, summary: str, hint: str | None) -> None:
        self._finished.append(Finished(each.address, 0.0, Failure(summary, hint=hint)))

    def _read(self, each: _Sent) -> Mapping[ArtifactPath, Artifact]:
        """The artifacts that a stage reads: its deps, and the last content of incremental outs."""
        return {**each.inputs.deps, **each.uncounted, **self._before(each.address)}

    def _before(self, address: str) -> dict[ArtifactPath, Artifact]:
        spec = self._session.graph.stages[address]
        if not any(out.incremental for out in spec.outs):
            return {}
        lock = self._session.lock(address)
        outs = {} if lock is None else lock.outs
        return {out.path: outs[out.path] for out in spec.outs if out.incremental and out.path in outs}

    def _submit(self, client: BackendClient, each: _Sent, read: Mapping[ArtifactPath, Artifact]) -> None:
        spec = self._session.graph.stages[each.address]
        template = self._template(client, self._homes[each.address])
        self._count += 1
        task = template.task(
            self._count,
            spec,
            each.inputs,
            expected=self._expectation(each.address),
            uncounted=each.uncounted,
            before=self._before(each.address),
            objects=self._run.transport.objects(self._session, read),
        )
        self._sent[self._count] = each
        client.send(
            {
                "op": "submit",
                "number": self._count,
                "task": task.to_plain(),
                "sources": template.sources,
                "name": each.address,
                "resources": dict(spec.resources),
                "priority": spec.priority,
            }
        )

    def _expectation(self, address: str) -> str:
        if address not in self._expected:
            facts = expectation.facts(self._session.stages[address], self._session.schema)
            self._expected[address] = expectation.digest(facts)
        return self._expected[address]

    def _template(self, client: BackendClient, home: "LoadedFile") -> TaskTemplate:
        """The common part of the tasks of one pipeline file; the first call sends the sources of all of them."""
        if home.file not in self._templates:
            context, settings = self._session.context, self._session.stores.settings
            self._templates[home.file] = TaskTemplate(
                run=self._run.run,
                file=str(home.file.relative_to(context.project.root)),
                sources=self._sources(client),
                route=self._run.transport.route,
                overrides=context.overrides,
                environment=environment_of(home.loaded, context.environment),
                watching=self._watching,
                fresh=settings.worker_start.value == "spawn",
                stream=self._on_output is not None,
                keep_failed=self._run.keep_failed,
                assigned=home.loaded.stages[0].assigned,
            )
        return self._templates[home.file]

    def _sources(self, client: BackendClient) -> str:
        if self._templates:
            return next(iter(self._templates.values())).sources
        session = self._session
        files = sources.collect(
            session.project.root,
            [each.loaded for each in self._assembly.files],
            include=included_patterns(session.stores.settings),
            observed=self._run.view.observed,
        )
        archive = sources.pack(files)
        self._packed = frozenset(files)
        packed = {os.fspath(file) for file in files.values()}  # without what stages write, which counts in the next run
        read = ((file, known) for each in self._assembly.files for file, known in each.loaded.read.items())
        loads = [each.loaded.sources for each in self._assembly.files]
        loads.append({file: known for file, known in read if file in packed})
        edited = {file for known in loads for file, digest in known.items() if digest and content(file) != digest}
        if edited:
            root = session.project.root
            raise SourceChangedError(sorted(os.path.relpath(file, root) for file in edited))
        descriptor, self._archive = tempfile.mkstemp(prefix="sources-")
        with open(descriptor, "wb") as file:
            file.write(archive.data)
        client.send({"op": "sources", "digest": archive.digest, "file": self._archive})
        return archive.digest

    def _take(self, seconds: float | None) -> None:
        """Take messages; what came before the end of the cluster counts, and is reported first."""
        if self._client is None:
            return
        if self._lost is None:
            for message in self._client.receive(seconds):
                self._note(message)
        if self._lost is not None and not self._finished:
            raise self._lost

    def _note(self, message: Mapping[str, Any]) -> None:
        if "id" not in message:
            self._note_of_cluster(message)
        elif (sent := self._sent.get(message["id"])) is not None:  # otherwise it comes late, or twice
            self._note_of_stage(message, sent)

    def _note_of_cluster(self, message: Mapping[str, Any]) -> None:
        match message["event"]:
            case "connected":
                self._connected = True
                self._report(
                    events.ExecutorConnected(
                        self._run.address, message["dashboard"], message["workers"], message["threads"]
                    )
                )
            case "note":
                self._session.context.notices.add(Notice(message["message"]))
            case "refused" | "lost":
                detail = message.get("detail", "")
                self._lost = ExecutorError(message["message"], hint=message["hint"], traceback=detail)

    def _note_of_stage(self, message: Mapping[str, Any], sent: _Sent) -> None:
        match message["event"]:
            case "started":
                worker = message["worker"]
                again = bool(sent.workers)
                self._report(
                    events.StageMoved(sent.address, worker, sent.workers[-1])
                    if again
                    else events.StagePlaced(sent.address, worker)
                )
                sent.workers.append(worker)
            case "waiting":
                self._report(events.StageWaiting(sent.address, message["reason"]))
            case "output" if self._on_output is not None:
                self._on_output(sent.address, tuple(message["lines"]))
            case "failed":
                del self._sent[message["id"]]
                failure = Failure(message["summary"], hint=message["hint"])
                self._finished.append(Finished(sent.address, 0.0, failure))
            case "answered":
                del self._sent[message["id"]]
                self._finished.append(self._end(sent, message["id"], message["answer"]))

    def _end(self, sent: _Sent, number: int, text: str) -> Finished:
        try:
            answer = StageAnswer.from_plain(parse(text), number)
        except TaskError as error:
            where = sent.workers[-1] if sent.workers else "its worker"
            summary = f"the answer of {where} is damaged: {error}"
            return Finished(sent.address, 0.0, Failure(summary, hint="run it again, or restart the worker"))
        _write_log(sent.log, answer.log)
        if answer.refused is not None:
            if answer.refused.kind == "inputs":
                self._run.view.forget(self._read(sent).values())
            return Finished(sent.address, 0.0, self._failure(sent.address, answer.worker, answer.refused))
        if answer.finished is None:
            return Finished(sent.address, 0.0, Failure(f"it was stopped on {answer.worker}", hint="run it again"))
        failure = answer.finished.failure
        if failure is not None:
            hint = failure.hint or self._hint_of_absent(sent.address, failure, answer.log)
            with contextlib.suppress(CacheError):  # then its outs are missing
                self._store(answer)
            failure = attrs.evolve(failure, hint=hint)
            outs = _declared(self._session.graph.stages[sent.address], answer.outs)
            return attrs.evolve(answer.finished, address=sent.address, failure=failure, outs=outs)
        observed, different = observed_places.found_here(
            answer.finished.observed,
            os.fspath(self._session.project.root),
            [each.loaded.sources for each in self._assembly.files],
            self._session.observed_code.current,
        )
        finished = attrs.evolve(answer.finished, address=sent.address, observed=observed)
        if different:
            return attrs.evolve(finished, failure=_other_code(answer.worker, different, observed))
        return self._with_outs(sent.address, finished, answer)

    def _store(self, answer: StageAnswer) -> None:
        for data in answer.objects.values():
            self._session.store.put_bytes(data)

    def _with_outs(self, address: str, finished: Finished, answer: StageAnswer) -> Finished:
        """The end of a stage that succeeded, with its outs: some of them at their paths here, as far as needed."""
        spec = self._session.graph.stages[address]
        missing = [out.path for out in spec.outs if out.path not in answer.outs]
        if missing:
            return attrs.evolve(finished, failure=Failure(f"{answer.worker} sent no {', '.join(missing)}"))
        outs = _declared(spec, answer.outs)
        other = [out.path for out in spec.outs if out.path not in outs]
        if other:
            failure = Failure(f"{answer.worker} sent a file for a directory, or the reverse: {', '.join(other)}")
            return attrs.evolve(finished, failure=failure)
        needed = {path: out for path, out in outs.items() if not self._run.transport.outs_stay or is_home(spec, path)}
        try:
            self._store(answer)
            self._run.bring(address, needed)
        except CacheError as error:
            failure = Failure(f"its outs cannot be brought here: {error}", hint=error.hint)
            return attrs.evolve(finished, failure=failure)
        return attrs.evolve(finished, outs=outs)

    def _hint_of_absent(self, address: str, failure: Failure, log: bytes) -> str | None:
        spec = self._session.graph.stages[address]
        output = "" if failure.detail else log[-_LOOKED_AT:].decode("utf-8", "replace")
        scripts = (*spec.named, *spec.deps)
        return absent_files.hint(failure, self._session.project.root, spec.base, output=output, scripts=scripts)

    def _failure(self, address: str, worker: str, refused: Refusal) -> Failure:
        hint = refused.hint
        if refused.facts is None:
            if hint is None and refused.kind in ("expectation", "load"):
                hint = self._hint_of_unsent()
            return Failure(refused.summary, detail=refused.detail, hint=hint)
        ours = expectation.facts(self._session.stages[address], self._session.schema)
        found = expectation.differences(ours, refused.facts)
        more = f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        if hint is None and not any(each.startswith("library ") for each in found):
            hint = self._hint_of_unsent()
        return Failure(
            f"{worker} would run something else: {'; '.join(found[:_SHOWN])}{more}",
            detail=refused.detail,
            hint=hint or "install the same versions on the workers; worker.include names further files to send",
        )

    def _hint_of_unsent(self) -> str | None:
        """A hint if the imports look at files that workers lack."""
        session = self._session
        loads = [each.loaded for each in self._assembly.files]
        found = sources.looked_at(session.project.root, loads, self._packed)
        if not found:
            return None
        patterns = ", ".join([*included_patterns(session.stores.settings), *found])
        return (
            f"the import of the pipelines looks at {list_names(found)}, which workers do not have: "
            f"pivot config set worker.include {shlex.quote(patterns)}"
        )


def _declared(spec: StageSpec, outs: Mapping[ArtifactPath, Artifact]) -> dict[ArtifactPath, Artifact]:
    """Those that a stage declares, and of the declared kind; a worker may name any path."""
    return {out.path: outs[out.path] for out in spec.outs if out.path in outs and outs[out.path].tree is out.directory}


def _other_code(worker: str, keys: Sequence[str], observed: Mapping[str, CodeEntry]) -> Failure:
    files = [location.file for key in keys if (location := observed[key].location) is not None]
    code = ", ".join(f"{expectation.shown_key(key)} in {file}" for key, file in zip(keys, files, strict=True))
    return Failure(
        f"on {worker} it used code that this machine does not have, or has otherwise: {code}",
        hint="install the same code on all machines, or move it into the project",
    )


def included_patterns(settings: Settings) -> list[str]:
    """The patterns of `worker.include`."""
    return [part for each in (settings.worker_include or "").split(",") if (part := each.strip())]


def _write_log(file: pathlib.Path, output: bytes) -> None:
    log = RunLog(os.fspath(file))
    if output:
        log.write(output)
    log.close()
