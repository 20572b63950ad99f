"""Stage runs of a host: starts each in a process of its own, follows it, and reports its end to the command."""

import contextlib
import gc
import os
import pathlib
import signal
from collections.abc import Iterable, Mapping
from typing import Any

from pivot_cache.layout import Layout
from pivot_fingerprint import Entry
from pivot_fingerprint.observation import LiveCode, Observed, uncovered
from pivot_runtime.definitions.outline_cache import OutlineCache
from pivot_runtime.definitions.reimport import declared
from pivot_runtime.history.logs import RunLog
from pivot_runtime.host.load import ImportedPipeline
from pivot_runtime.host.prefork import Job, PreforkPool, ProcessPipes, StartedProcess, start_process
from pivot_runtime.host.stage_process import ProcessEnd, StageProcess
from pivot_runtime.processes import live_threads, parent_death, process_tree, wire
from pivot_runtime.programs.start_files import changed
from pivot_runtime.tracing.spool import remove_spool
from pivot_runtime.worker import spawned, stage_main

_SILENT = "code that calls os._exit() ends it, code that closes other code's descriptors prevents its report"


class StageRuns:
    """The stage runs of one pipeline that this process has started and that have not ended.

    Attributes:
        processes: Their processes.
    """

    def __init__(self, imported: ImportedPipeline, own: Iterable[int], live_code: LiveCode) -> None:
        """Prepare this process for runs of the stages.

        Args:
            imported: The pipeline.
            own: The descriptors of this process that no stage may hold open.
            live_code: The code of the user that the runs may execute.
        """
        self.processes: list[StageProcess] = []
        self._imported = imported
        self._own = tuple(own)
        self._started: set[str] = set()
        self._answers: dict[int, tuple[Mapping[str, Any], dict[str, Any]]] = {}
        self._spawns = False
        parent_death.prepare()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # the user's module may have changed it
        stage_main.reset_signals()
        process_tree.adopt()
        self._unrelated = process_tree.children()  # processes that the user's module has started go on
        imported.originals.prepare()
        live_code.prepare()
        gc.freeze()
        spools = str(Layout(pathlib.Path(imported.root)).spools_dir)
        _remove_stale(spools)
        self._pool = PreforkPool(imported, spools)

    def start(
        self, number: int, address: str, log: str, watching: Mapping[str, Any], *, stream: bool, spawn: bool
    ) -> None:
        """Start the run of a stage and report that, or report that it failed to start.

        Args:
            number: Its number, from the command.
            address: The stage's.
            log: The file that takes its output.
            watching: The `TraceOptions`, as plain data.
            stream: Report its output line by line besides.
            spawn: Start it in a new interpreter even where a fork would do.
        """
        stage = self._imported.stages[address].stage
        self._started.add(address)
        counting = sorted(self._imported.assigned.keys() - stage.env)
        job = {
            "address": address,
            "watching": watching,
            "declared": declared(stage, self._imported.stages[address].directory),
            "assigned": counting,
        }
        try:
            threads = None if spawn else self._threads()
            importing = self._spawns = spawn or bool(threads)
            started = self._spawn(job) if importing else self._pool.start(job, self._held())
        except OSError as error:
            failure = _failed(f"its process cannot be started: {error.strerror}", "-j 1 needs the fewest at a time")
            _report("finished", number, left=[], seconds=0.0, usage=(0.0, 0), **failure)
            return
        process = StageProcess(
            number, address, started, RunLog(log), stream=stream, timeout=stage.timeout, importing=importing
        )
        self.processes.append(process)
        _report("started", number, pid=process.pid, threads=threads if threads is None else list(threads))

    def reap(self, ready: frozenset[int]) -> None:
        """Report new output, end runs that are overdue, and report the runs that have ended.

        ``ready`` are the descriptors that are readable.
        """
        # A process that ends now comes first: what it leaves running must not count for a run that ended before.
        waiting = [process for process in self.processes if process.needs_attention(ready)]
        for process in sorted(waiting, key=lambda each: each.end is not None):
            _report_output(process, process.read())
            process.check_time()
            self._answer(process)  # now, since the process takes some time to end after its report
            end = process.reap(self._known(process))
            if end is None:
                continue
            _report_output(process, process.close())
            self.processes.remove(process)
            self._unrelated |= process.leftovers.unkillable
            outcome = self._outcome(process, end)
            self._answers.pop(process.number, None)
            if os.path.isdir(process.spool):
                remove_spool(process.spool)
            cost = {"seconds": end.seconds, "usage": end.usage}
            _report("finished", process.number, left=process.leftovers.ended, **cost, **outcome)

    def interrupt(self) -> None:
        """Interrupt all runs, as Ctrl-C does."""
        for process in self.processes:
            process.interrupt()

    def kill(self) -> None:
        """End all runs, with every process that they have started, before this process ends."""
        for process in self.processes:
            process.signal(signal.SIGKILL)
        for process in self.processes:
            if process.end is None:
                os.waitpid(process.pid, 0)
        self._pool.close()
        process_tree.end_leftovers(self._unrelated)

    def _threads(self) -> tuple[str, ...]:
        """The threads of this process that a fork would lose, in words."""
        if self._pool.pids:  # forked while there were none
            return ()
        imported = self._imported
        return live_threads.describe_others(imported.threads, imported.root, imported.replacements.names)

    def _held(self) -> list[int]:
        return [*self._own, *(fd for each in self.processes for fd in each.held())]

    def _spawn(self, job: Job) -> StartedProcess:
        imported, spool = self._imported, self._pool.new_spool()
        pipeline = {
            "directory": imported.stages[job["address"]].directory,
            "file": imported.file,
            "overrides": imported.overrides,
            "root": imported.root,
            "sources": imported.sources,
            "spool": spool,
        }

        def spawn(pipes: ProcessPipes) -> int:
            return spawned.spawn({**job, **pipeline}, output=pipes.output_writer, result=pipes.result_writer)

        return start_process(spawn, spool)

    def prefork(self) -> bool:
        """Fork processes for the first stage, or for later ones while others run.

        Returns whether it forked any, and may be called again.
        """
        stages, idle = len(self._imported.stages) - len(self._started), bool(self._started) and not self.processes
        if idle or self._spawns or not self._pool.lacks(stages) or self._threads():
            return False
        return self._pool.prepare(self._held, stages)

    def _known(self, process: StageProcess) -> set[int]:
        """The children of this process that one run has not left: all others are its leftovers."""
        known = {*self._unrelated, *(each.pid for each in self.processes), *self._pool.pids}
        others = [each for each in self.processes if each is not process]
        known.update(*(each.leftovers.running for each in others))
        unknown = process_tree.children() - known if others else ()
        return known.union(pid for pid in unknown if any(each.leftovers.claims(pid) for each in others))

    def _outcome(self, process: StageProcess, end: ProcessEnd) -> dict[str, Any]:
        if process.overdue:
            limit = self._imported.stages[process.address].stage.timeout
            return _failed(f"it ran longer than its timeout of {limit:g} s", "its log shows where it was")
        return self._answer(process) or _crashed(end.status)

    def _answer(self, process: StageProcess) -> dict[str, Any]:
        """The message for the command about the last report of a process; empty if there is none."""
        report = process.message
        if report is None or not report["ok"]:
            return report or {}
        of, answer = self._answers.get(process.number, (None, {}))
        if of is not report:
            observed = Observed.from_json(report["ran"])
            self._pool.expect({one.file for one in observed.ran})
            manifest = self._imported.fingerprints.entries(process.address)
            answer = _observations(observed, report, manifest, self._imported.root)
            self._answers[process.number] = report, answer
        return answer


def _report(event: str, number: int, **details: Any) -> None:
    wire.send(wire.EVENTS_FD, {"event": event, "id": number, **details})


def _report_output(process: StageProcess, lines: list[str]) -> None:
    if lines:
        _report("output", process.number, lines=lines)


def _remove_stale(spools: str) -> None:
    """Remove the directories of processes that were killed."""
    with contextlib.suppress(OSError):
        for name in os.listdir(spools):
            try:
                os.kill(int(name.partition("-")[0]), 0)
            except (ProcessLookupError, ValueError):
                remove_spool(os.path.join(spools, name))


def _observations(
    observed: Observed, message: Mapping[str, Any], manifest: Mapping[str, Entry], root: str
) -> dict[str, Any]:
    """The message of a run that succeeded; of the code that ran, it keeps what the manifest lacks."""
    memo = OutlineCache(Layout(pathlib.Path(root)).outlines_dir)
    entries = uncovered(observed, manifest, root=root, memo=memo)
    edited = changed(root, message["sources"], {entry.file for entry in entries}) if "sources" in message else ()
    return {
        "ok": True,
        "seen": message["seen"] | {"changed": list(edited)},
        "observed": {entry.key: [entry.digest, entry.file, entry.line] for entry in entries if entry.digest},
        "incomplete": [
            *observed.incomplete,
            *(
                f"{entry.key} ran, but its source cannot be read"
                for entry in entries
                if not entry.digest and not _is_cell(entry.file, manifest)
            ),
        ],
    }


def _is_cell(file: str, manifest: Mapping[str, Entry]) -> bool:
    """Whether code is in a cell of the notebook whose manifest this is."""
    from pivot_runtime.definitions import notebook_code  # lazy: few stages are notebooks

    return any(key.startswith(notebook_code.KEY) for key in manifest) and notebook_code.is_cell(file)


def _crashed(code: int) -> dict[str, Any]:
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return _failed(f"it was killed by {name}", "it may have run out of memory" if -code == signal.SIGKILL else None)
    return _failed(f"its process ended early with exit code {code}", _SILENT)


def _failed(summary: str, hint: str | None = None) -> dict[str, Any]:
    return {"ok": False, "failure": {"summary": summary, "detail": "", "hint": hint}}
