"""The host: the only process that imports user code; fingerprints stages and forks a child per stage run."""

import contextlib
import faulthandler
import gc
import os
import pathlib
import select
import shutil
import signal
import sys
from collections.abc import Mapping
from typing import Any

import attrs

from pivot_cache.layout import Layout
from pivot_core.errors import PivotError
from pivot_core.pipeline import Pipeline
from pivot_core.spec import StageSpec, base_of
from pivot_core.stages.command import KEY
from pivot_core.stages.param_overrides import Override
from pivot_core.stages.stage import Stage
from pivot_fingerprint import SCHEMA, Fingerprinter, Manifest, register_encoder
from pivot_fingerprint.observation import Observed, uncovered
from pivot_runtime.definitions import params, shell_code, source_import
from pivot_runtime.definitions.pipeline_file import read_definitions
from pivot_runtime.definitions.shell_code import ShellInputs
from pivot_runtime.history.logs import RunLog
from pivot_runtime.host import environ_changes, load_failure, stage_process
from pivot_runtime.host.fingerprint import OutlineCache, fingerprint
from pivot_runtime.host.load_recorder import LoadRecorder
from pivot_runtime.host.prefork import ForkedStage, PreforkPool, Randomness, WorkerContext, pipes
from pivot_runtime.host.stage_process import StageProcess
from pivot_runtime.loading.loaded import Loaded, LoadedStage, stage_of, to_plain
from pivot_runtime.processes import current_line, live_threads, parent_death, process_tree, wire
from pivot_runtime.processes.pristine import Pristine, Replaced
from pivot_runtime.tracing import environ
from pivot_runtime.tracing.usage import TraceOptions
from pivot_runtime.worker import spawned as spawning
from pivot_runtime.worker import stage_main

COMMANDS_FD = 3
EVENTS_FD = 4
GUARD_FD = 5

_SILENT = "code that calls os._exit() ends it, code that closes descriptors of others keeps it from saying how it went"


def main(coordinator: int, *, guard: bool) -> None:
    """Serve the process with the pid ``coordinator`` until it closes its end; then take every running stage down.

    ``guard``: this process was given the project's guard, which its end frees.
    """
    # A decorator `@pipeline.register` names the pipeline, which holds all stages; none of them depends on the others.
    register_encoder(Pipeline, lambda pipeline: pipeline.name)
    own = (COMMANDS_FD, EVENTS_FD, *((GUARD_FD,) if guard else ()))
    for fd in own:
        os.set_inheritable(fd, False)
    stage_process.give_up()
    gc.freeze()  # what is ours is neither looked at by the collector nor copied by it in forked children
    faulthandler.enable(file=2)  # for the stages: what a crash leaves in the log
    try:
        Host(coordinator, own).serve()
    except OSError as error:  # what users run into is no bug of ours: no more files, or memory
        sys.stderr.write(f"error: {error.strerror}, in the process that runs your stages\n")


class Host:
    """The state of the serving process."""

    def __init__(self, coordinator: int, own: tuple[int, ...]) -> None:
        self._coordinator = coordinator
        self._own = own
        self._commands = wire.Lines(COMMANDS_FD)
        self._is_user_code = source_import.user_code_predicate()
        environ.places()  # else each stage's process would have to find them
        self._sources: dict[str, str] = {}
        self._root = self._file = ""
        self._overrides: list[str] = []
        self._stages: dict[str, tuple[Stage, str]] = {}
        self._fingerprinter = Fingerprinter()
        self._pristine = Pristine()
        self._replaced = Replaced()
        self._recorder = LoadRecorder(self._is_user_code, ())
        self._manifests: dict[str, Manifest] = {}
        self._assigned: dict[str, str] = {}
        self._children: list[StageProcess] = []
        self._spools: dict[int, str] = {}
        self._others: frozenset[int] = frozenset()
        self._forker: PreforkPool | None = None
        self._fresh = False
        self._threads: tuple[str, ...] = ()
        self._started: set[str] = set()
        self._stopping = False

    def serve(self) -> None:
        """Answer commands and report ended children until the coordinator is gone."""
        try:
            while not self._commands.closed:
                self._wait()
                self._reap()
                if self._stopping and not self._children:
                    self._stopping = False
                    wire.send(EVENTS_FD, {"event": "stopped"})
        except BrokenPipeError:
            pass  # the coordinator is gone
        finally:
            self._kill_all()

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(COMMANDS_FD, select.POLLIN)
        for child in self._children:
            for fd in child.fds():
                poll.register(fd, select.POLLIN)
        patience = min((each for child in self._children if (each := child.patience()) is not None), default=None)
        for fd, _ in poll.poll(None if patience is None else patience * 1000):
            if fd == COMMANDS_FD:
                for message in self._commands.receive():
                    self._obey(message)

    def _obey(self, message: Mapping[str, Any]) -> None:
        match message["op"]:
            case "load":
                asked = current_line.answering(message["root"], self._is_user_code, EVENTS_FD)
                with (
                    parent_death.dying_with(self._coordinator),
                    asked,
                ):  # this end of the pipe is not looked at meanwhile
                    overrides = [Override.parse(text) for text in message["overrides"]]
                    answer = self._load(pathlib.Path(message["root"]), pathlib.Path(message["file"]), overrides)
                wire.send(EVENTS_FD, answer)
            case "run":
                watching = TraceOptions.from_plain(message["watching"])
                self._start(
                    message["id"],
                    message["address"],
                    message["log"],
                    watching,
                    stream=message["stream"],
                    fresh=message["fresh"],
                )
            case "stop":
                self._stopping = True
                for child in self._children:
                    child.interrupt()

    def _load(self, root: pathlib.Path, file: pathlib.Path, overrides: list[Override]) -> dict[str, Any]:
        layout, process = Layout(root), os.getpid()  # a fork of the user's ends where its import ends
        own = (*source_import.own_directories(), str(layout.database_dir), str(layout.cache_dir))
        self._recorder = recorder = LoadRecorder(self._is_user_code, own)
        source_import.import_from_source(self._is_user_code, self._sources, recorder.watch)
        os.chdir(file.parent)
        sys.argv[:] = [str(file)]
        self._root, self._file, self._overrides = str(root), str(file), [each.text for each in overrides]
        self._randomness = Randomness()
        outlines = OutlineCache(layout.outlines_dir)
        self._fingerprinter = Fingerprinter(
            is_user_code=self._is_user_code,
            root=root,
            memo=outlines,
            chance=recorder.chance.numbers,
            listener=recorder,
        )
        try:
            base = base_of(file, root)
            stages = []
            with recorder, self._fingerprinter:
                described = read_definitions(file, root)
                self._pristine.restore_builtins()
                if os.getpid() != process:
                    stage_main.leave()
                pipelines = described.pipelines
                settled = params.ParamResolver(pipelines, file, root=root, overrides=overrides)
                # Words of a command are looked for among the files.
                commands = shell_code.all_shell_inputs(pipelines, base=base, root=str(root))
                self._sources |= {**described.sources, **settled.sources}
                self._assigned = environ_changes.assigned(*recorder.environments(), layout.assigned_file)
                for pipeline in pipelines:
                    for spec in pipeline.specs(base=base, root=str(root)):
                        stage, values = settled.stage(pipeline.stages[spec.name], pipeline.name)
                        command = commands.get(spec.address)
                        if command is not None:
                            stage = attrs.evolve(stage, func=attrs.evolve(stage.func, created=str(command.record)))
                        stages.append(self._stage(spec, stage, values, root, command))
                        self._stages[spec.address] = (stage, str(root / spec.base))
        except PivotError as error:
            self._pristine.restore()
            return {"event": "refused", **load_failure.refused(error, root, self._is_user_code)}
        except BaseException as error:  # noqa: BLE001  # whatever the user's module raises
            replaced = self._pristine.restore()
            if os.getpid() != process:
                stage_main.leave(error)
            return {"event": "broken", **load_failure.broken(error, file, root, self._is_user_code, replaced.names)}
        self._replaced = self._pristine.restore()
        self._randomness.imported()
        trace = recorder.trace(self._sources)
        read = {file: found for file, found in recorder.sources.items() if file not in self._sources}
        if source_import.Changes(self._sources | read).find():
            return {"event": "moved"}
        loaded = Loaded(SCHEMA, tuple(stages), self._sources, trace, tuple(recorder.unrecorded), read)
        return {"event": "loaded", **to_plain(loaded)}

    def _stage(
        self, spec: StageSpec, stage: Stage, values: Mapping[str, Any], root: pathlib.Path, command: ShellInputs | None
    ) -> LoadedStage:
        steady = None
        if command is not None:
            self._sources |= command.sources
            manifest = command.manifest
            spec = attrs.evolve(spec, named=command.named)
        else:
            with self._recorder.unheard():
                manifest, steady = fingerprint(
                    self._fingerprinter,
                    stage,
                    spec.base,
                    root,
                    is_user_code=self._is_user_code,
                    chance=self._recorder.chance,
                )
        self._manifests[spec.address] = manifest
        env: dict[str, str] = {}
        if stage.env:
            env = params.variables(stage, spec.address)
        if command is not None:
            env = environ_changes.named(command.texts[KEY], self._assigned) | env
        loaded = attrs.evolve(stage_of(spec, manifest, values, env), assigned=self._assigned, steady=steady)
        return loaded if command is None else attrs.evolve(loaded, texts=command.texts)

    def _start(  # as the message has it
        self, number: int, address: str, log: str, watching: TraceOptions, *, stream: bool, fresh: bool
    ) -> None:
        if self._forker is None:
            self._forker = self._prepared()
        self._fresh = fresh
        self._started.add(address)
        counting = sorted(self._assigned.keys() - self._stages[address][0].env)
        job = {"address": address, "watching": watching.to_plain(), "assigned": counting}
        try:
            spawned = fresh or self._threaded()
            forked = self._spawn(job, self._forker.spool()) if spawned else self._forker.start(job, self._held())
        except OSError as error:
            told = _failed(f"its process cannot be started: {error.strerror}", "-j 1 needs the fewest at a time")
            told |= {"event": "finished", "id": number, "left": [], "seconds": 0.0, "usage": (0.0, 0)}
            wire.send(EVENTS_FD, told)
            return
        self._spools[number] = forked.spool
        child = StageProcess(number, address, forked.pid, result=forked.result, output=forked.output)
        child.begin(RunLog(log), stream=stream, timeout=self._stages[address][0].timeout, importing=spawned)
        self._children.append(child)
        threads = None if fresh else list(self._threads)
        wire.send(EVENTS_FD, {"event": "started", "id": number, "pid": forked.pid, "threads": threads})

    def _prepared(self) -> PreforkPool:
        parent_death.prepare()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # the user's module may have had other plans
        process_tree.adopt()
        self._others = process_tree.children()  # what the user's module has started is its own affair
        gc.freeze()
        spools = str(Layout(pathlib.Path(self._root)).spools_dir)
        _sweep(spools)
        own = (self._pristine, self._replaced)
        return PreforkPool(WorkerContext(self._root, self._stages, self._is_user_code, self._randomness, spools, own))

    def _threaded(self) -> bool:
        """Whether this process has threads now that a forked one would be without, but might wait for."""
        waiting = self._forker.pids if self._forker is not None else ()  # forked when there were none
        self._threads = () if waiting else live_threads.others(self._recorder.threads, self._root, self._replaced.names)
        return bool(self._threads)

    def _held(self) -> list[int]:
        return [*self._own, *(fd for each in self._children for fd in each.held())]

    def _spawn(self, job: Mapping[str, Any], spool: str) -> ForkedStage:
        result, childs_result, output, childs_output = ends = pipes()
        known = {
            "directory": self._stages[job["address"]][1],
            "file": self._file,
            "overrides": self._overrides,
            "root": self._root,
            "sources": self._sources,
            "spool": spool,
        }
        try:
            pid = spawning.spawn({**job, **known}, output=childs_output, result=childs_result)
        except OSError:
            for fd in ends:
                os.close(fd)
            raise
        os.close(childs_result)
        os.close(childs_output)
        return ForkedStage(pid, result, output, spool)

    def _have_spares(self) -> None:
        """While the coordinator is busy with what a stage has left."""
        if self._forker is not None and not self._fresh and not self._threaded():
            self._forker.prepare(self._held(), len(self._stages.keys() - self._started))

    def _reap(self) -> None:
        # Who ends now first: what it has left is not of those that have left something before.
        for child in sorted(self._children, key=lambda each: each.status is not None):
            self._show(child, child.read())
            child.check_time()
            if not child.ended(self._known(child)):
                continue
            self._show(child, child.close())
            self._children.remove(child)
            self._others |= child.lost
            message = self._ending(child)
            shutil.rmtree(self._spools.pop(child.number), ignore_errors=True)
            told = {"event": "finished", "id": child.number, "left": child.left}
            told |= {"seconds": child.seconds, "usage": child.usage}
            wire.send(EVENTS_FD, {**told, **message})
            self._have_spares()

    def _known(self, child: StageProcess) -> set[int]:
        """The children of this process that are none of what a stage run has left."""
        known = {*self._others, *(each.pid for each in self._children), *(self._forker.pids if self._forker else ())}
        others = [each for each in self._children if each is not child]
        known.update(*(each.strays for each in others))
        unknown = process_tree.children() - known if others else ()
        return known.union(pid for pid in unknown if any(each.claims(pid) for each in others))

    def _show(self, child: StageProcess, lines: list[str]) -> None:
        if lines:
            wire.send(EVENTS_FD, {"event": "output", "id": child.number, "lines": lines})

    def _ending(self, child: StageProcess) -> dict[str, Any]:
        if child.overdue:
            limit = self._stages[child.address][0].timeout
            return _failed(
                f"it ran longer than its timeout of {limit:g} s", "its timeout says how long; its log, where it was"
            )
        if child.message is not None and child.message["ok"]:
            return self._seen(child.address, child.message)
        return child.message or _crash(child.status or 0)

    def _seen(self, address: str, message: dict[str, Any]) -> dict[str, Any]:
        """A stage's good message, with what ran reduced to what its manifest does not have."""
        observed = Observed.from_json(message["ran"])
        entries = uncovered(observed, self._manifests[address], root=self._root)
        return {
            "ok": True,
            "seen": message["seen"],
            "observed": {entry.key: [entry.digest, entry.file, entry.line] for entry in entries if entry.digest},
            "incomplete": [
                *observed.incomplete,
                *(f"{entry.key} ran, but its source cannot be read" for entry in entries if not entry.digest),
            ],
        }

    def _kill_all(self) -> None:
        """At the end of this process: nothing of what a stage run has started goes on."""
        for child in self._children:
            child.signal(signal.SIGKILL)
        for child in self._children:
            if child.status is None:
                os.waitpid(child.pid, 0)
        if self._forker is not None:
            self._forker.close()
            process_tree.end_strays(self._others)


def _sweep(directory: str) -> None:
    """Remove what processes that were killed have left."""
    with contextlib.suppress(OSError):
        for name in os.listdir(directory):
            try:
                os.kill(int(name.partition("-")[0]), 0)
            except (ProcessLookupError, ValueError):
                shutil.rmtree(os.path.join(directory, name), ignore_errors=True)


def _crash(code: int) -> dict[str, Any]:
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return _failed(f"it was killed by {name}", "it may have run out of memory" if -code == signal.SIGKILL else None)
    return _failed(f"its process ended early with exit code {code}", _SILENT)


def _failed(summary: str, hint: str | None = None) -> dict[str, Any]:
    return {"ok": False, "failure": {"summary": summary, "detail": "", "hint": hint}}
