"""The runner: skips, restores or runs each stage of a graph, stores its outs and writes its lock."""

import contextlib
import functools
import pathlib
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING

from pivot_cache.errors import ArtifactError, CacheError, ChangedError, CorruptObjectError, MissingObjectError
from pivot_cache.files.replace_check import ReplaceCheck
from pivot_cache.objects import checkout
from pivot_core.decide import Decision, Verdict, decide
from pivot_core.files.paths import ArtifactPath
from pivot_core.graph import Graph
from pivot_core.lock import Artifact, Observation, RunRecord, StageLock
from pivot_core.plan import Plan, resource_needs
from pivot_runtime.evaluating.evaluate import StageView, edited_params, observe, with_variables
from pivot_runtime.evaluating.matching_files import new_matches
from pivot_runtime.evaluating.session import Session, has_stash
from pivot_runtime.history import events, logs
from pivot_runtime.history.events import PatientReporter, Reporter
from pivot_runtime.processes.cpu_count import default_jobs
from pivot_runtime.running.run_result import CURRENT, RunResult, StageOutcome
from pivot_runtime.running.stage_run import StageFailure, StageRun

if TYPE_CHECKING:
    from pivot_runtime.cluster.cluster_run import ClusterRun
    from pivot_runtime.executors.base import Executor, Finished
    from pivot_runtime.executors.strict_io import StrictIO
    from pivot_runtime.running.edit_detection import CodeEdits, DepEdits
    from pivot_runtime.running.outs import Outs
    from pivot_runtime.running.repro import RunOptions
    from pivot_runtime.running.run_records import RunRecords
    from pivot_runtime.sharing.pull_inputs import InputFetcher
    from pivot_runtime.sharing.remote_view import RemoteView

__all__ = ["RunResult", "Runner", "StageOutcome"]

_OUTPUT_LINES = 20
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Runner:
    """One run over a graph: asks the plan, decides, and acts; alone writes cache and locks."""

    def __init__(  # noqa: PLR0913  # each is a part of the run
        self,
        session: Session,
        graph: Graph,
        executor: "Callable[[], Executor]",
        code: "Callable[[], CodeEdits]",
        *,
        options: "RunOptions",
        report: Reporter,
        view: "RemoteView | None" = None,
        cluster: "ClusterRun | None" = None,
        finish: Callable[[Collection[str]], object] | None = None,
    ) -> None:
        """Prepare a run; nothing starts before `drive`. The first stage that runs calls ``executor`` and ``code``.

        ``cluster`` is the part of the run that is elsewhere, if there is one, and ``view`` the source of facts if some
        outs are elsewhere; ``finish`` is called with the current stages at the end.
        """
        self._session = session
        self._layout = session.stores.layout
        self._graph = graph
        self._make_executor = executor
        self._used_executor: Executor | None = None
        self._make_code_edits = code
        self._options = options
        self._report = report = PatientReporter(report)
        # Where inputs are fetched, or stages run in this process, each event is reported immediately.
        self._may_hold = not (options.in_process or options.pull or view)
        session.stores.files.before_long_read = report.release
        capacities = session.stores.settings.capacities(graph.stages.values())
        # A frozen stage does nothing that upstream stages could matter for, not even if they fail.
        upstream = {
            address: frozenset() if spec.frozen else graph.upstream[address] for address, spec in graph.stages.items()
        }
        if cluster is None:
            needs = resource_needs(graph.stages.values(), capacities)
        else:
            needs, capacities = cluster.needs(graph.stages.values(), capacities)
        priorities = {address: spec.priority for address, spec in graph.stages.items() if spec.priority}
        self._plan = Plan(upstream, needs, capacities, self._last_durations, priorities)
        self._used_records: RunRecords | None = None
        self._began = time.monotonic()
        self._cluster = cluster
        self._finish = finish
        fetches = options.pull or view is not None
        self._inputs = _input_fetcher(session, graph, report, view) if fetches else None
        self._view: StageView = session if self._inputs is None else self._inputs.view
        self._begun: set[str] = set()
        self._running: dict[str, StageRun] = {}
        self._recached: list[ArtifactPath] = []
        self._result = RunResult()

    def drive(self) -> RunResult:
        """Go on until every stage is done, failed or skipped."""
        self._report(events.RunStarted(self._session.graph.short_names(), tuple(self._graph.stages)))
        if has_stash(self._layout):
            self._outs.put_back_leftovers()
        self._session.prefetch(self._graph)
        try:
            self._loop()
        except BaseException as error:
            self._abandon(error)
            raise
        self._flush()
        if self._finish is not None:
            self._finish(self._result.current)
        if self._session.temporary is not None:
            self._outs.remove_temporary(self._result.current)
        if self._used_executor is not None:
            logs.prune(self._layout.logs_dir)
        if self._recached:
            self._report(events.OutsRecached(tuple(self._recached)))
        if not self._options.no_commit:
            self._session.retire()
        records = self._used_records
        if records is not None:
            records.report_tracked()
        self._result.seconds = time.monotonic() - self._session.context.began
        slow = () if records is None else tuple(records.slow)
        self._report(events.RunEnded(self._result.seconds, self._result.complete, slow))
        return self._result

    @property
    def _executor(self) -> "Executor":
        if self._used_executor is None:
            self._layout.logs_dir.mkdir(parents=True, exist_ok=True)
            self._used_executor = self._make_executor()
        return self._used_executor

    def _abandon(self, error: BaseException) -> None:
        """End what is running, at once if the user insists, and put everything back whatever comes."""
        interrupted = isinstance(error, KeyboardInterrupt)
        try:
            try:
                if interrupted:
                    self._report.release()
                    self._report(events.Interrupted(tuple(self._running)))
            except Exception:
                self._stop()
                raise
            self._stop()
        except KeyboardInterrupt:  # a second one, which may also come while the first is reported
            if self._used_executor is not None:
                self._used_executor.kill()
            raise
        finally:
            with uninterrupted(), contextlib.ExitStack() as steps:  # the last one first, each whatever comes of others
                stopped = "interrupted" if interrupted else str(error) or type(error).__name__
                steps.callback(self._report, events.RunStopped(stopped))
                steps.callback(self._report.release)
                steps.callback(self._flush)
                steps.callback(self._record)
                if self._used_records is not None:
                    steps.callback(self._used_records.put_back_unstored)
                for address in self._running:
                    steps.callback(self._put_back, address)

    def _stop(self) -> None:
        if self._used_executor is not None:
            self._used_executor.stop()

    @property
    def _records(self) -> "RunRecords":
        if self._used_records is None:
            from pivot_runtime.running.run_records import RunRecords  # lazy

            self._used_records = RunRecords(self._session, self._graph.stages, self._outs, since=self._began)
        return self._used_records

    def _record(self) -> list[str]:
        """Record what has ended, and return the addresses."""
        return [] if self._used_records is None else self._used_records.write()

    def _flush(self) -> None:
        if self._used_records is not None:
            self._used_records.flush()

    @functools.cached_property
    def _outs(self) -> "Outs":
        from pivot_runtime.running.outs import Outs  # lazy

        return Outs(self._session, self._report)

    def _last_durations(self) -> Mapping[str, float]:
        from pivot_runtime.history.stage_stats import last_durations  # lazy

        return last_durations(self._layout)

    @functools.cached_property
    def _code_edits(self) -> "CodeEdits":
        return self._make_code_edits()

    @functools.cached_property
    def _dep_edits(self) -> "DepEdits":
        from pivot_runtime.running.edit_detection import DepEdits  # lazy

        return DepEdits(self._session.artifact_at, self._layout)

    @functools.cached_property
    def _strict_io(self) -> "StrictIO":
        from pivot_runtime.executors.strict_io import StrictIO  # lazy

        return StrictIO(self._session, self._report)

    @functools.cached_property
    def _jobs(self) -> int:
        """The number of stages that may run at once; most runs start none."""
        if self._options.in_process:
            return 1
        if self._cluster is not None:
            return self._cluster.jobs
        return self._options.jobs or self._session.stores.settings.run_jobs or default_jobs()

    def _loop(self) -> None:
        while not self._plan.finished:
            while not self._running or len(self._running) < self._jobs:
                address = self._plan.take()
                if address is None:
                    break
                self._begin(address)
            self._report.release()
            self._record()
            if self._running:
                self._end(self._executor.wait())
        self._report.release()
        self._record()

    def _begin(self, address: str) -> None:
        try:
            self._act_again(address)
        except (ArtifactError, ChangedError) as error:
            if address in self._running:
                self._put_back(address)
                del self._running[address]
            self._settle(address, StageOutcome.FAILED, events.StageFailed(address, 0.0, str(error), hint=error.hint))

    def _act_again(self, address: str) -> None:
        """Act; each out whose object turns out to be damaged or gone makes the decision another one."""
        for _ in self._session.stages[address].spec.outs:
            with contextlib.suppress(CorruptObjectError, MissingObjectError):
                self._act(address)
                return
        self._act(address)

    def _act(self, address: str) -> None:
        began = time.monotonic()
        lock = self._session.lock(address)
        observation = self._observe(address, lock)
        decision = decide(lock, observation, self._view.memory(), force=self._options.force)
        match decision.verdict:
            case Verdict.UP_TO_DATE:
                if lock is not None and address in self._session.adopted and not self._options.no_commit:
                    self._records.adopt(address, lock, observation)
                self._settle(address, StageOutcome.CACHED, events.StageCached(address))
            case Verdict.FROZEN:
                self._settle(address, StageOutcome.FROZEN, events.StageFrozen(address, decision))
            case Verdict.RESTORE if decision.restore is not None:
                self._restore(address, lock, observation, decision.restore)
                restored = events.StageRestored(address, decision, time.monotonic() - began)
                self._settle(address, StageOutcome.RESTORED, restored)
            case Verdict.RUN:
                if not self._is_sent(address):
                    if self._inputs is not None:
                        self._inputs.run(self._graph.stages[address])
                    self._session.restore_inputs(self._graph.stages[address])
                self._start(address, lock, observation, decision)
            case Verdict.BLOCKED:
                self._settle(address, StageOutcome.BLOCKED, self._session.blocked(address, observation))

    def _observe(self, address: str, lock: StageLock | None) -> Observation:
        return observe(self._session.stages[address], self._graph, self._view, lock=lock, schema=self._session.schema)

    def _start(self, address: str, lock: StageLock | None, observation: Observation, decision: Decision) -> None:
        changed = self._session.source_texts.changed_variables(self._session.stages[address], lock)
        self._report(events.StageStarted(address, decision, sent=self._is_sent(address), changed_variables=changed))
        self._outs.save_user_files(observation.outs, lock)
        retries = 0 if self._options.in_process else self._graph.stages[address].retries
        self._running[address] = StageRun(lock, observation, decision, retries)  # from here on, put its outs back
        self._stash(address)
        self._execute(address)

    def _is_sent(self, address: str) -> bool:
        return self._cluster is not None and self._cluster.takes(address)

    def _stash(self, address: str) -> None:
        sent = self._is_sent(address)
        self._outs.stash(self._graph.stages[address], self._running[address].lock, elsewhere=sent)

    def _put_back(self, address: str, written: Mapping[ArtifactPath, Artifact] | None = None) -> list[ArtifactPath]:
        return self._outs.put_back(self._graph.stages[address], (written or {}) if self._is_sent(address) else None)

    def _execute(self, address: str) -> None:
        inputs = self._running[address].observation.inputs
        if not self._is_sent(address):  # what is sent does not change any more
            self._dep_edits.begin(address, inputs.deps)
        pipeline = self._graph.stages[address].pipeline
        if pipeline not in self._begun:  # it may have to be imported
            self._begun.add(pipeline)
            self._report.release()
        self._executor.start(address, self._log(address), inputs)

    def _end(self, finished: "Finished") -> None:
        address = finished.address
        if finished.left:
            self._report(events.LeftoverProcessesKilled(address, finished.left))
        try:
            changed, outs = self._store_outs(finished)
        except StageFailure as failure:
            self._fail(finished, failure)
            return
        run = self._running.pop(address)
        seconds, usage = finished.seconds, finished.usage
        if changed:
            self._outs.drop_stash(address)
            self._settle(address, StageOutcome.TORN, events.StageInputsChanged(address, seconds, changed, usage))
            return
        observation, variables = with_variables(run.observation, self._session.stages[address], finished.seen.variables)
        ran_at = None if self._graph.stages[address].ttl is None else run.ran_at
        record = RunRecord(observation.inputs.key(), outs, finished.observed, ran_at)
        self._session.written |= {path: out for path, out in outs.items() if out.tree}
        if self._options.no_commit:
            self._outs.leave(address)
            self._session.uncommitted.put(address, record, finished.seen.variables)
        else:
            self._records.add(address, run.lock, observation, record)
        if self._may_hold:
            self._report.hold()
        ran = events.StageRan(
            address,
            run.decision,
            seconds,
            finished.incomplete,
            usage,
            variables,
            run.storing,
            recorded=not self._options.no_commit,
        )
        self._settle(address, StageOutcome.RAN, ran)

    def _store_outs(self, finished: "Finished") -> tuple[tuple[str, ...], dict[ArtifactPath, Artifact]]:
        """Store the outs of a stage run, unless it failed or its inputs changed; returns these inputs, and the outs.

        Raises:
            StageFailure: The run failed, or its outs are not those that it declares.
        """
        address, failure = finished.address, finished.failure
        if failure is not None:
            raise StageFailure(failure.summary, detail=failure.detail, hint=failure.hint)
        spec, deps = self._graph.stages[address], self._running[address].observation.inputs.deps
        missing = () if finished.outs is not None else self._outs.missing(spec)
        if missing:
            from pivot_runtime.executors import written_outs  # lazy

            failure = written_outs.failure_of_missing(missing)
            raise StageFailure(failure.summary, hint=failure.hint)
        problem = self._strict_io.problem(spec, finished.seen)
        if problem:
            hint = "declare them as shown, or name them in strict_io.ignore"
            raise StageFailure(problem, hint=hint, final=True)
        if finished.outs is not None and self._cluster is not None:
            self._cluster.accept(address, finished.outs)
            return (), dict(finished.outs)
        try:
            added = new_matches(spec, self._session.graph, self._session, deps)
            params = edited_params(self._session, spec, self._running[address].observation.inputs.params)
            edited = (*self._code_edits.edited(address), *finished.seen.changed)
            changed = (*self._dep_edits.edited(address, deps), *added, *params, *edited)
            return changed, {} if changed else self._timed_store(address)
        except ArtifactError as error:
            kept = self._outs.keep_other_kinds(spec)
            raise StageFailure(str(error), hint=kept or error.hint, final=bool(kept)) from error

    def _timed_store(self, address: str) -> dict[ArtifactPath, Artifact]:
        began = time.monotonic()
        outs = self._outs.store(self._graph.stages[address], commit=not self._options.no_commit)
        self._running[address].storing = time.monotonic() - began
        return outs

    def _settle(self, address: str, outcome: StageOutcome, event: events.Event) -> None:
        """Note and report the outcome of a stage, and let those that depend on it start, or skip them."""
        self._result.add(address, outcome)
        self._report(event)
        if outcome in CURRENT:
            self._plan.done(address)
        else:
            self._skip_dependents(address)

    def _restore(self, address: str, lock: StageLock | None, observation: Observation, record: RunRecord) -> None:
        self._report.release()
        frozen = self._graph.stages[address].frozen  # then its inputs may differ from those of its last run
        if self._cluster is not None and self._cluster.adopt(address, record):
            if not frozen:
                self._records.write_lock(address, lock, observation, record)
            return
        stores, check = self._session.stores, ReplaceCheck()
        for path in record.outs:
            check.look(checkout.blocking_file(self._layout, path) or self._layout.artifact(path))
        plan = checkout.compare(record.outs, {path: stores.look(path) for path in record.outs})
        if self._inputs is not None:
            self._inputs.restore(address, plan)
        self._outs.save_user_files(plan.replace, lock)
        mode = stores.settings.checkout_mode
        checkout.apply(plan, stores.store, self._layout, mode, files=stores.files, check=check)
        if self._options.no_commit:
            return
        for out in self._graph.stages[address].outs:
            if self._outs.recache(out, record.outs):
                self._recached.append(out.path)
        if not frozen:
            self._records.write_lock(address, lock, observation, record)

    def _fail(self, finished: "Finished", failure: StageFailure) -> None:
        address, summary, hint = finished.address, failure.summary, failure.hint
        run = self._running[address]
        if self._options.ignore_errors and not run.retries and self._has_written_all(address, finished):
            lost = []
            self._outs.leave(address)
        else:
            lost = self._put_back(address, finished.outs)
        if run.retries and not failure.final and not lost and self._start_again(address):
            run.retries -= 1
            self._report(events.StageRetried(address, finished.seconds, summary, run.retries))
            return
        if lost:
            aside = self._layout.stash_dir / address
            hint = f"{', '.join(lost)} could not be put back: the previous content is in {aside}"
        del self._running[address]
        self._result.tried[address] = run.observation.inputs.key()
        log = self._log(address)
        failed = events.StageFailed(
            address,
            finished.seconds,
            summary,
            detail=failure.detail,
            output=logs.tail(log, _OUTPUT_LINES),
            log=str(log.relative_to(self._session.project.root)),
            hint=hint,
            usage=finished.usage,
        )
        self._settle(address, StageOutcome.FAILED, failed)

    def _has_written_all(self, address: str, finished: "Finished") -> bool:
        """Whether all outs of a stage that failed are here; those that it wrote elsewhere are brought here."""
        spec = self._graph.stages[address]
        if self._cluster is not None and self._is_sent(address):
            with contextlib.suppress(CacheError):
                return finished.outs is not None and self._cluster.bring_all(address, finished.outs)
            return False
        return not self._outs.missing(spec)

    def _start_again(self, address: str) -> bool:
        try:
            self._stash(address)
        except ArtifactError:
            self._put_back(address)
            return False
        self._execute(address)
        return True

    def _skip_dependents(self, address: str) -> None:
        if self._options.ignore_errors:
            self._plan.done(address)
            return
        for blocked in self._plan.fail(address):
            self._result.blocked.add(blocked)
            self._report(events.StageBlocked(blocked, address))
        keep_going = self._options.keep_going
        if not (self._session.stores.settings.keep_going if keep_going is None else keep_going):
            self._result.unstarted.update(self._plan.stop())

    def _log(self, address: str) -> pathlib.Path:
        return self._layout.log_file(address)


def _input_fetcher(session: Session, graph: Graph, report: Reporter, view: "RemoteView | None") -> "InputFetcher":
    from pivot_runtime.sharing.pull_inputs import InputFetcher  # lazy

    return InputFetcher(session, graph, report, view)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Ignore requests to end while the block lasts; it must be short. Does nothing outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
