"""Load of a pipeline file in the host: imports it, fingerprints its stages, and makes the answer for the command."""

import gc
import os
import pathlib
import random
import sys
from collections.abc import Callable, Iterable, Mapping
from time import monotonic
from typing import Any, NamedTuple

import attrs

from pivot_cache.layout import Layout
from pivot_core.discovery import put_on_path
from pivot_core.errors import PivotError
from pivot_core.paths import ArtifactPath
from pivot_core.spec import StageSpec, base_of
from pivot_core.stages.annotations import Dep, Out
from pivot_core.stages.command import KEY
from pivot_core.stages.param_overrides import Override
from pivot_core.stages.stage import Stage
from pivot_core.values import Value
from pivot_fingerprint import SCHEMA, Fingerprinter, Manifest
from pivot_runtime.definitions import params, shell_code, source_import
from pivot_runtime.definitions.code_cache import CodeCache
from pivot_runtime.definitions.pipeline_file import Definitions, read_definitions
from pivot_runtime.definitions.shell_code import ShellInputs
from pivot_runtime.host import environ_changes, load_failure
from pivot_runtime.host.library_process import LoadStart, SharedLibraries
from pivot_runtime.host.outline_cache import OutlineCache
from pivot_runtime.libraries.import_requests import ImportRequests
from pivot_runtime.loading.loaded import ImportTimes, Loaded, LoadedStage, Steady, stage_of, to_plain
from pivot_runtime.processes import live_threads
from pivot_runtime.processes.import_timer import ImportTimer
from pivot_runtime.processes.originals import Originals, Replacements
from pivot_runtime.tracing.random_calls import RandomCalls
from pivot_runtime.worker import stage_main

_NUMPY_UNTOUCHED = 623
"""The position of numpy's global generator before it is used or seeded."""


class RandomState:
    """The generators of the standard library and of numpy, compared with their state before the import."""

    def __init__(self) -> None:
        """Call this before the user's module is imported."""
        self._before = random.getstate()
        self._seeded: Any = None

    def imported(self) -> None:
        """Call this afterwards."""
        state = random.getstate()
        self._seeded = None if state == self._before else state

    def settle(self) -> None:
        """Set the generators in a forked child: a generator that the import seeded goes on, all others are seeded."""
        if self._seeded is not None:
            random.setstate(self._seeded)  # Python itself seeds it again after a fork
        numpy: Any = sys.modules.get("numpy.random")
        if numpy is not None and numpy.get_state()[2] == _NUMPY_UNTOUCHED:
            numpy.seed()


class LiveStage(NamedTuple):
    """A stage that this process can run.

    Attributes:
        stage: The stage, with its parameters.
        directory: The absolute path of its working directory.
    """

    stage: Stage
    directory: str


@attrs.frozen(eq=False, repr=False)
class ImportedPipeline(Value):
    """The live stages of one pipeline file, with all that their runs need from the import.

    Attributes:
        root: The absolute path of the project.
        file: The absolute path of the pipeline file.
        overrides: The texts of the parameter overrides.
        is_user_code: Whether code in a file is the user's.
        stages: The live stages, by address.
        manifests: By address, the fingerprint of the stage's code.
        sources: By absolute path, the digest of each file that the load read.
        assigned: By name, a digest of each environment variable that the import set.
        threads: The places where the user's code started threads.
        random_state: The random generators after the import.
        originals: The functions of Python and Pivot from before the import.
        replacements: The replacements of such functions by the user's module.
    """

    root: str
    file: str
    overrides: tuple[str, ...]
    is_user_code: Callable[[str], bool]
    stages: Mapping[str, LiveStage]
    manifests: Mapping[str, Manifest]
    sources: Mapping[str, str]
    assigned: Mapping[str, str]
    threads: live_threads.ThreadStarts
    random_state: RandomState
    originals: Originals
    replacements: Replacements


def load(
    root: pathlib.Path,
    file: pathlib.Path,
    overrides: Iterable[str],
    is_user_code: Callable[[str], bool],
    timer: ImportTimer,
    shared: SharedLibraries | None = None,
) -> tuple[dict[str, Any], ImportedPipeline | None]:
    """Import a pipeline file and fingerprint its stages, once in this process; ``timer`` measures the import.

    Returns the answer for the command, and the live stages where its ``event`` is ``loaded``. Other events are
    ``refused`` (a definition is wrong), ``broken`` (the user's module raised something), ``moved`` (a source was
    edited during the load) and ``unshared`` (with the ``shared`` libraries, its import might differ from one without).

    Afterwards the garbage collector leaves alone everything that exists, including in forked processes, where it would
    copy the memory that it visits.
    """
    if shared is not None:
        changed = shared.changed()
        unfit = changed or shared.unfit(root, file)
        if unfit is not None:
            return _unshared(unfit, outdated=changed is not None), None
    start = LoadStart(root, is_user_code) if shared is None else shared.start
    collects = gc.isenabled()
    gc.disable()
    try:
        return _Load(root, file, [Override.parse(text) for text in overrides], is_user_code, timer, start).run()
    finally:
        gc.freeze()
        if collects:
            gc.enable()


class _Load:
    """One load, and its state while it runs."""

    def __init__(
        self,
        root: pathlib.Path,
        file: pathlib.Path,
        overrides: list[Override],
        is_user_code: Callable[[str], bool],
        timer: ImportTimer,
        start: LoadStart,
    ) -> None:
        self._root, self._file, self._overrides = root, file, overrides
        self._is_user_code = is_user_code
        self._timer = timer
        self._times: ImportTimes | None = None
        self._layout = Layout(root)
        self._originals, self._recorder = start.originals, start.recorder
        self._requests = ImportRequests(is_user_code, start.libraries)
        if start.libraries is not None:
            self._recorder.random_calls.listener = self._requests.called
        self._random_state = RandomState()
        self._fingerprinter = Fingerprinter(
            is_user_code=is_user_code,
            root=root,
            memo=OutlineCache(self._layout.outlines_dir),
            chance=self._recorder.random_calls.numbers,
            listener=self._recorder,
            kept_as=str(file),
        )
        self._sources: dict[str, str] = {}
        self._assigned: dict[str, str] = {}
        self._stages: dict[str, LiveStage] = {}
        self._manifests: dict[str, Manifest] = {}

    def run(self) -> tuple[dict[str, Any], ImportedPipeline | None]:
        answer, imported = self._run()
        requests = self._requests
        if requests.refused:
            return _unshared(requests.refused, requests.refused_name, requests.refused_file), None
        return answer, imported

    def _run(self) -> tuple[dict[str, Any], ImportedPipeline | None]:
        process = os.getpid()
        cache = CodeCache(self._layout.compiled_dir)
        source_import.import_from_source(self._is_user_code, self._sources, cache, self._recorder.watch)
        os.chdir(self._file.parent)
        sys.argv[:] = [str(self._file)]
        try:
            with self._recorder, self._fingerprinter:
                definitions = self._import()
                self._originals.restore_builtins()
                if os.getpid() != process:
                    stage_main.end_fork()  # a fork of the user's ends where its import ends
                if self._requests.unused:
                    return _unshared("not imported", self._requests.unused[0]), None
                stages = self._fingerprint_stages(definitions)
        except PivotError as error:
            self._originals.restore()
            failure = load_failure.wrong_definition(error, self._root, self._is_user_code)
            if os.getpid() != process:
                stage_main.end_fork(SystemExit(f"error: {failure['message']}"))
            return {"event": "refused", **failure}, None
        except BaseException as error:  # noqa: BLE001  # whatever the user's module raises
            names = self._originals.restore().names
            if os.getpid() != process:
                stage_main.end_fork(error)
            failure = load_failure.failed_import(error, self._file, self._root, self._is_user_code, names)
            return {"event": "broken", **failure}, None
        replacements = self._originals.restore()
        self._random_state.imported()
        loaded = self._loaded(stages)
        if source_import.Changes({**self._sources, **loaded.read}).find():
            return {"event": "moved"}, None
        times = None if self._times is None else self._times.to_plain()
        answer = {"event": "loaded", **to_plain(loaded), "times": times, **self._imports()}
        return answer, self._imported(replacements)

    def _imports(self) -> dict[str, Any]:
        """The libraries that the import asked for and loaded, for imports in advance."""
        return {"asked": self._requests.libraries(), "libraries": self._requests.loaded()}

    def _import(self) -> Definitions:
        put_on_path(self._file, self._root)  # the requests are compared with the state of the process after this
        began = monotonic()
        with self._timer, self._requests:
            definitions = read_definitions(self._file, self._root)
        seconds = monotonic() - began
        with self._recorder.paused():
            self._times = ImportTimes(began, seconds, self._timer.libraries())
        return definitions

    def _fingerprint_stages(self, definitions: Definitions) -> list[LoadedStage]:
        pipelines, base, root = definitions.pipelines, base_of(self._file, self._root), str(self._root)
        resolver = params.ParamResolver(pipelines, self._file, root=self._root, overrides=self._overrides)
        commands = shell_code.all_shell_inputs(pipelines, base=base, root=root)
        self._sources |= {**definitions.sources, **resolver.sources}
        with self._recorder.paused():  # this writes a file beside others, which it lists
            self._assigned = environ_changes.changed_digests(*self._recorder.environments(), self._layout.assigned_file)
        stages = []
        for pipeline in pipelines:
            for spec in pipeline.specs(base=base, root=root):
                stage, values = resolver.stage(pipeline.stages[spec.name], pipeline.name)
                command = commands.get(spec.address)
                if command is None:
                    stages.append(self._function(spec, stage, values))
                else:
                    stage = attrs.evolve(stage, func=attrs.evolve(stage.func, created=str(command.record)))
                    stages.append(self._command(spec, stage, values, command))
                self._stages[spec.address] = LiveStage(stage, str(self._root / spec.base))
        return stages

    def _function(self, spec: StageSpec, stage: Stage, values: Mapping[str, Any]) -> LoadedStage:
        """A stage that is a Python function."""
        with self._recorder.paused():
            manifest, steady = _fingerprint(
                self._fingerprinter,
                stage,
                spec.base,
                self._root,
                is_user_code=self._is_user_code,
                random_calls=self._recorder.random_calls,
            )
        self._manifests[spec.address] = manifest
        loaded = stage_of(spec, manifest, values, _declared_variables(spec, stage))
        return attrs.evolve(loaded, assigned=self._assigned, steady=steady)

    def _command(self, spec: StageSpec, stage: Stage, values: Mapping[str, Any], command: ShellInputs) -> LoadedStage:
        """A stage that is a shell command."""
        self._sources |= command.sources
        self._manifests[spec.address] = command.manifest
        env = environ_changes.named_by(command.texts[KEY], self._assigned) | _declared_variables(spec, stage)
        loaded = stage_of(attrs.evolve(spec, named=command.named), command.manifest, values, env)
        return attrs.evolve(loaded, assigned=self._assigned, texts=command.texts)

    def _loaded(self, stages: Iterable[LoadedStage]) -> Loaded:
        trace = self._recorder.trace(self._sources)
        read = {file: found for file, found in self._recorder.sources.items() if file not in self._sources}
        return Loaded(SCHEMA, tuple(stages), self._sources, trace, tuple(self._recorder.unrecorded), read)

    def _imported(self, replacements: Replacements) -> ImportedPipeline:
        return ImportedPipeline(
            str(self._root),
            str(self._file),
            tuple(each.text for each in self._overrides),
            self._is_user_code,
            self._stages,
            self._manifests,
            self._sources,
            self._assigned,
            self._recorder.threads,
            self._random_state,
            self._originals,
            replacements,
        )


def _unshared(reason: str, name: str = "", file: str = "", *, outdated: bool = False) -> dict[str, Any]:
    return {"event": "unshared", "reason": reason, "name": name, "file": file, "outdated": outdated}


def _declared_variables(spec: StageSpec, stage: Stage) -> dict[str, str]:
    return params.variables(stage, spec.address) if stage.env else {}


def _fingerprint(
    fingerprinter: Fingerprinter,
    stage: Stage,
    base: str,
    root: pathlib.Path,
    *,
    is_user_code: Callable[[str], bool],
    random_calls: RandomCalls,
) -> tuple[Manifest, Steady | None]:
    """The manifest of a stage, and the digests of its values if these may differ at each import.

    Args:
        fingerprinter: The fingerprinter of this process, which has imported the stage.
        stage: The stage.
        base: The directory of its pipeline, relative to the root.
        root: The project's root.
        is_user_code: Whether code in a file is the user's.
        random_calls: The calls of the import whose results differ each time.
    """

    def resolved(declared: Dep | Out) -> str | list[str]:
        paths = [str(ArtifactPath.resolve(path, base=base, root=str(root))) for path in declared.paths]
        return paths[0] if isinstance(declared.path, str) else paths

    # The paths too, since they say which file is loaded for which parameter.
    values: dict[str, object] = {f"loader:{name}": (resolved(dep), dep.loader) for name, dep in stage.deps.items()}
    values |= {f"writer:{key}": (resolved(out), out.loader) for key, out in stage.outs.items()}
    values |= {f"previous:{name}": (resolved(out), out.loader) for name, out in stage.previous.items()}
    values |= params.behaviour(stage, is_user_code)
    manifest = fingerprinter.fingerprint(stage.func, values)
    if not random_calls.may_differ:
        return manifest, None
    return manifest, Steady(*fingerprinter.unstable_values(stage.func, values))
