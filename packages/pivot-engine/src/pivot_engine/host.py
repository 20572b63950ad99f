"""The host: the only process that imports the user's code; fingerprints it, and forks a child per stage run."""

import contextlib
import gc
import os
import pathlib
import select
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Mapping
from typing import Any

import attrs

from pivot_cache.layout import Layout
from pivot_core.annotations import Dep, Out
from pivot_core.assigning import Override
from pivot_core.command import Command
from pivot_core.errors import PivotError
from pivot_core.lock import CodeEntry, LibraryUse, Unresolved
from pivot_core.paths import ArtifactPath
from pivot_core.pipeline import Pipeline
from pivot_core.stage import Location, Stage, StageError, StageSpec, base_of
from pivot_engine import _death, _sources, _wire, _worker, settling, shellcode
from pivot_engine.describing import describe
from pivot_engine._recorder import Recorder
from pivot_engine.loaded import Loaded, LoadedStage, to_plain
from pivot_engine.outlines import Outlines
from pivot_engine.witness import Watching, Witness
from pivot_fingerprint import SCHEMA, Fingerprinter, Manifest, register_encoder
from pivot_fingerprint.observation import Observed, Observer, uncovered

COMMANDS_FD = 3
EVENTS_FD = 4
GRACE_SECONDS = 5.0
_POLL_MS = 50
_MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024


def main(coordinator: int) -> None:
    """Serve the process with the pid ``coordinator`` until it closes its end; then take every running stage down."""
    # A decorator `@pipeline.register` names the pipeline, which holds all stages; none of them rests on the others.
    register_encoder(Pipeline, lambda pipeline: pipeline.name)
    for fd in (COMMANDS_FD, EVENTS_FD):
        os.set_inheritable(fd, False)
    gc.freeze()  # what is ours is neither looked at by the collector nor copied by it in forked children
    Host(coordinator).serve()


class _Child:
    """A stage run that has not ended."""

    def __init__(self, number: int, address: str, pid: int, result: int, *, spool: str) -> None:
        self.number = number
        self.address = address
        self.pid = pid
        self.spool = spool
        self.result = result
        self.lines = _wire.Lines(result)
        self.message: dict[str, Any] | None = None
        self.death = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
        os.set_blocking(result, False)

    def fds(self) -> list[int]:
        return [fd for fd in (None if self.lines.closed else self.result, self.death) if fd is not None]

    def read(self) -> None:
        while not self.lines.closed:
            before = self.message
            for message in self.lines.receive():
                self.message = message
            if self.message is before:
                break

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def close(self) -> None:
        os.close(self.result)
        if self.death is not None:
            os.close(self.death)


class Host:
    """The state of the serving process."""

    def __init__(self, coordinator: int) -> None:
        self._coordinator = coordinator
        self._commands = _wire.Lines(COMMANDS_FD)
        self._is_user_code = _sources.user_code_predicate()
        self._sources: dict[str, str] = {}
        self._root = ""
        self._stages: dict[str, tuple[Stage, str]] = {}
        self._fingerprinter = Fingerprinter()
        self._recorder = Recorder(self._is_user_code, ())
        self._manifests: dict[str, Manifest] = {}
        self._children: list[_Child] = []
        self._kill_at: float | None = None

    def serve(self) -> None:
        """Answer commands and report ended children until the coordinator is gone."""
        try:
            while not self._commands.closed:
                self._wait()
                self._reap()
                if self._kill_at is not None and time.monotonic() > self._kill_at:
                    self._signal(signal.SIGKILL)
                if self._kill_at is not None and not self._children:
                    self._kill_at = None
                    _wire.send(EVENTS_FD, {"event": "stopped"})
        except BrokenPipeError:
            pass  # the coordinator is gone
        finally:
            self._signal(signal.SIGKILL)

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(COMMANDS_FD, select.POLLIN)
        patient = self._kill_at is None
        for child in self._children:
            patient = patient and child.death is not None
            for fd in child.fds():
                poll.register(fd, select.POLLIN)
        for fd, _ in poll.poll(None if patient else _POLL_MS):
            if fd == COMMANDS_FD:
                for message in self._commands.receive():
                    self._obey(message)

    def _obey(self, message: Mapping[str, Any]) -> None:
        match message["op"]:
            case "load":
                with _death.dying_with(self._coordinator):  # this end of the pipe is not looked at meanwhile
                    overrides = [Override.parse(text) for text in message["overrides"]]
                    answer = self._load(pathlib.Path(message["root"]), pathlib.Path(message["file"]), overrides)
                _wire.send(EVENTS_FD, answer)
            case "run":
                self._run(message["id"], message["address"], message["log"], Watching.from_plain(message["watching"]))
            case "stop":
                self._signal(signal.SIGTERM)
                self._kill_at = time.monotonic() + GRACE_SECONDS

    def _load(self, root: pathlib.Path, file: pathlib.Path, overrides: list[Override]) -> dict[str, Any]:
        layout = Layout(root)
        own = (*_sources.own_directories(), str(layout.database_dir), str(layout.cache_dir))
        self._recorder = recorder = Recorder(self._is_user_code, own)
        _sources.import_from_source(self._is_user_code, self._sources, recorder.watch)
        os.chdir(file.parent)
        sys.argv[:] = [str(file)]
        self._root = str(root)
        outlines = Outlines(layout.database_dir / "outlines")
        self._fingerprinter = Fingerprinter(is_user_code=self._is_user_code, root=root, memo=outlines)
        try:
            with recorder:
                described = describe(file, root)
                pipelines = described.pipelines
                settled = settling.Settling(pipelines, file, root=root, overrides=overrides)
            base = base_of(file, root)
            stages = []
            self._sources |= {**described.sources, **settled.sources}
            with self._fingerprinter:
                for pipeline in pipelines:
                    for spec in pipeline.specs(base=base, root=str(root)):
                        stage, params = settled.stage(pipeline.stages[spec.name], pipeline.name)
                        stages.append(self._stage(spec, stage, params, root))
                        self._stages[spec.address] = (stage, str(root / spec.base))
        except PivotError as error:
            told = error.below(str(root)) if isinstance(error, StageError) else self._placed(error, root)
            return {"event": "refused", "message": str(told), "hint": error.hint}
        except BaseException as error:  # noqa: BLE001  # whatever the user's module raises
            hidden = self._is_user_code(getattr(sys.modules.get("pivot"), "__file__", None) or "<none>")
            hint = "a module of yours is called 'pivot' and hides the package: rename it" if hidden else None
            return {"event": "broken", "hint": hint, **self._import_failure(error, file, root)}
        grounds = recorder.grounds(self._sources)
        if _sources.Changes(self._sources).find():
            return {"event": "moved"}
        loaded = Loaded(SCHEMA, tuple(stages), self._sources, grounds, tuple(recorder.unrecorded))
        return {"event": "loaded", **to_plain(loaded)}

    def _stage(self, spec: StageSpec, stage: Stage, params: Mapping[str, Any], root: pathlib.Path) -> LoadedStage:
        if isinstance(stage.func, Command):
            with self._recorder:  # which of the words in a command are files
                rested = shellcode.rested(stage, stage.func, base=spec.base, root=str(root))
            self._sources |= rested.sources
            manifest = rested.manifest
            spec = attrs.evolve(spec, named=rested.named)
        else:
            manifest = self._fingerprint(stage, spec.base, root)
        self._manifests[spec.address] = manifest
        return _loaded(spec, manifest, params, settling.variables(stage, spec.address))

    def _placed(self, error: PivotError, root: pathlib.Path) -> str:
        """The error with the line of the user's code that caused it."""
        places = [
            Location(frame.filename, frame.lineno or 0).below(str(root))
            for frame in traceback.extract_tb(error.__traceback__)
            if self._is_user_code(frame.filename)
        ]
        return f"{places[-1]}: {error}" if places else str(error)

    def _import_failure(self, error: BaseException, file: pathlib.Path, root: pathlib.Path) -> dict[str, Any]:
        place = error.__traceback__
        while place is not None and not self._is_user_code(place.tb_frame.f_code.co_filename):
            place = place.tb_next
        if isinstance(error, SyntaxError):
            place = None
        return {
            "message": f"{file.relative_to(root)} cannot be imported: {_worker.one_line(error)}",
            "traceback": "".join(traceback.format_exception(type(error), error, place)),
        }

    def _fingerprint(self, stage: Stage, base: str, root: pathlib.Path) -> Manifest:
        def resolved(declared: Dep | Out) -> str | list[str]:
            paths = [str(ArtifactPath.resolve(path, base=base, root=str(root))) for path in declared.paths]
            return paths[0] if isinstance(declared.path, str) else paths

        # Which file goes to which parameter is as much a part of the stage as how it is loaded.
        values: dict[str, object] = {f"loader:{name}": (resolved(dep), dep.loader) for name, dep in stage.deps.items()}
        values |= {f"writer:{key}": (resolved(out), out.loader) for key, out in stage.outs.items()}
        values |= {f"previous:{name}": (resolved(out), out.loader) for name, out in stage.previous.items()}
        values |= settling.behaviour(stage, self._is_user_code)
        return self._fingerprinter.fingerprint(stage.func, values)

    def _run(self, number: int, address: str, log: str, watching: Watching) -> None:
        stage, directory = self._stages[address]
        _death.prepare()
        result, childs = os.pipe()
        host = os.getpid()
        _worker.flush()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # the user's module may have had other plans
        pid = os.fork()
        if pid == 0:
            inherited = (COMMANDS_FD, EVENTS_FD, result, *(fd for child in self._children for fd in child.fds()))
            spool = f"{log}.ran"
            watched = Observer(root=self._root, is_user_code=self._is_user_code, spool=pathlib.Path(spool))
            declared = tuple(
                os.path.normpath(os.path.join(directory, path))
                for each in (*stage.deps.values(), *stage.outs.values(), *stage.previous.values())
                for path in each.paths
            )
            witness = Witness(watching, root=self._root, declared=declared, spool=spool)
            _worker.become(stage, _worker.Place(directory, log, childs, inherited, host), watched, witness)
        os.close(childs)
        with contextlib.suppress(OSError):  # the child does the same; whoever comes first
            os.setpgid(pid, pid)
        self._children.append(_Child(number, address, pid, result, spool=f"{log}.ran"))
        _wire.send(EVENTS_FD, {"event": "started", "id": number, "pid": pid})

    def _reap(self) -> None:
        for child in list(self._children):
            child.read()
            if os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            child.signal(signal.SIGKILL)  # what the stage left running would go on writing
            _, status, usage = os.wait4(child.pid, 0)
            child.read()
            child.close()
            self._children.remove(child)
            code = os.waitstatus_to_exitcode(status)
            shutil.rmtree(child.spool, ignore_errors=True)
            message = self._seen(child.address, child.message) if child.message else _crash(code)
            cost = [usage.ru_utime + usage.ru_stime, usage.ru_maxrss * _MAXRSS_UNIT]
            _wire.send(EVENTS_FD, {"event": "finished", "id": child.number, "usage": cost, **message})

    def _seen(self, address: str, message: dict[str, Any]) -> dict[str, Any]:
        """A stage's message, with what ran reduced to what its manifest does not have."""
        if not message["ok"]:
            return message
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

    def _signal(self, number: int) -> None:
        for child in self._children:
            child.signal(number)


def _loaded(spec: StageSpec, manifest: Manifest, params: Mapping[str, Any], env: Mapping[str, str]) -> LoadedStage:
    return LoadedStage(
        spec,
        {key: CodeEntry(entry.digest, _location(entry.file, entry.line)) for key, entry in manifest.items()},
        tuple(Unresolved(edge.reason, _location(edge.file, edge.line)) for edge in manifest.unresolved),
        {name: LibraryUse(library.version, library.names) for name, library in manifest.libraries.items()},
        {key: entry.via for key, entry in manifest.items() if entry.via is not None},
        {
            key: (entry.start, entry.end)
            for key, entry in manifest.items()
            if entry.start is not None and entry.end is not None
        },
        params,
        env,
    )


def _location(file: str | None, line: int | None) -> Location | None:
    return None if file is None else Location(file, line or 0)


def _crash(code: int) -> dict[str, Any]:
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        hint = "it may have run out of memory" if -code == signal.SIGKILL else None
        return {"ok": False, "failure": {"summary": f"it was killed by {name}", "detail": "", "hint": hint}}
    return {
        "ok": False,
        "failure": {"summary": f"its process ended early with exit code {code}", "detail": "", "hint": None},
    }
