"""Load of a pipeline file in the host: imports it, fingerprints its stages, and makes the answer for the command."""

import gc
import os
import pathlib
import random
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from types import CodeType
from typing import TYPE_CHECKING, Any, NamedTuple

import attrs

from pivot_cache.layout import Layout
from pivot_core.discovery import put_on_path
from pivot_core.errors import PivotError
from pivot_core.params.overrides import Override
from pivot_core.pipeline import Pipeline
from pivot_core.spec import base_of
from pivot_core.stages.command import Command
from pivot_core.stages.notebook import Notebook
from pivot_core.stages.stage import Stage
from pivot_core.values import Value
from pivot_fingerprint import SCHEMA
from pivot_runtime.definitions import params, shell_code, source_import
from pivot_runtime.definitions.code_cache import CodeCache
from pivot_runtime.definitions.outline_cache import OutlineCache
from pivot_runtime.definitions.pipeline_file import Definitions, read_definitions
from pivot_runtime.fingerprints import environ_changes, parallel
from pivot_runtime.fingerprints.encoded_stages import EncodedStages
from pivot_runtime.fingerprints.fork_hooks import ForkHooks
from pivot_runtime.fingerprints.imported_files import ImportedFiles
from pivot_runtime.fingerprints.stage_fingerprints import DeclaredStage, StageFingerprints
from pivot_runtime.host import load_failure
from pivot_runtime.host.library_process import LoadStart, SharedLibraries
from pivot_runtime.libraries.import_requests import ImportRequests
from pivot_runtime.loading.loaded import ImportTimes, Loaded, to_plain
from pivot_runtime.processes import live_threads, wire
from pivot_runtime.processes.import_timer import ImportTimer
from pivot_runtime.processes.originals import Originals, Replacements
from pivot_runtime.worker import stage_main

if TYPE_CHECKING:
    from pivot_runtime.definitions.notebook_code import NotebookCode

_USED_BY_FORKS = frozenset(
    {"_thread", "threading", "os", "posix", "posixpath", "time", "signal", "sys", "io", "json.decoder", "json.encoder"}
)
"""The modules whose functions Pivot uses to fork processes and to hear from them."""
_REPLACED_BY_RECORDER = frozenset({"os.stat", "os.lstat", "os.access"})
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
        fingerprints: The fingerprints of the stages' code.
        sources: By absolute path, the digest of each file that the load read.
        assigned: By name, a digest of each environment variable that the import set.
        threads: The places where the user's code started threads.
        params: The resolver of the stages' parameters.
        random_state: The random generators after the import.
        originals: The functions of Python and Pivot from before the import.
        replacements: The replacements of such functions by the user's module.
    """

    root: str
    file: str
    overrides: tuple[str, ...]
    is_user_code: Callable[[str], bool]
    stages: Mapping[str, LiveStage]
    fingerprints: EncodedStages
    sources: Mapping[str, str]
    assigned: Mapping[str, str]
    threads: live_threads.ThreadStarts
    params: params.ParamResolver
    random_state: RandomState
    originals: Originals
    replacements: Replacements


class LoadRequest(NamedTuple):
    """The request to load a pipeline.

    Attributes:
        root: The project's root.
        file: The pipeline file.
        overrides: The texts of the parameter overrides.
        announces: Announce the user's modules to the command.
    """

    root: pathlib.Path
    file: pathlib.Path
    overrides: tuple[str, ...]
    announces: bool

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "LoadRequest":
        """The request in a message."""
        root, file = pathlib.Path(plain["root"]), pathlib.Path(plain["file"])
        return cls(root, file, tuple(plain["overrides"]), plain["announces"])


def load(
    request: LoadRequest,
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
        unfit = changed or shared.unfit(request.root, request.file)
        if unfit is not None:
            return _unshared(unfit, outdated=changed is not None), None
    start = LoadStart(request.root, is_user_code) if shared is None else shared.start
    collects = gc.isenabled()
    gc.disable()
    try:
        return _Load(request, is_user_code, timer, start).run()
    finally:
        gc.freeze()
        if collects:
            gc.enable()


class _Load:
    """One load, and its state while it runs."""

    def __init__(
        self,
        request: LoadRequest,
        is_user_code: Callable[[str], bool],
        timer: ImportTimer,
        start: LoadStart,
    ) -> None:
        self._root, self._file = request.root, request.file
        self._overrides = [Override.parse(text) for text in request.overrides]
        self._is_user_code = is_user_code
        self._timer = timer
        self._layout = Layout(self._root)
        self._compiled = CodeCache(self._layout.compiled_dir)
        self._fork_hooks = ForkHooks(self._is_user_code)
        self._imported_files = ImportedFiles(wire.EVENTS_FD if request.announces else None)
        self._times: ImportTimes | None = None
        self._originals, self._recorder = start.originals, start.recorder
        self._requests = ImportRequests(is_user_code, start.libraries)
        if start.libraries is not None:
            self._recorder.random_calls.listener = self._requests.called
        self._random_state = RandomState()
        self._sources: dict[str, str] = {}
        self._assigned: dict[str, str] = {}
        self._misses = 0
        self._stages: dict[str, LiveStage] = {}

    def run(self) -> tuple[dict[str, Any], ImportedPipeline | None]:
        answer, imported = self._run()
        requests = self._requests
        if requests.refused:
            return _unshared(requests.refused, requests.refused_name, requests.refused_file), None
        return answer, imported

    def _run(self) -> tuple[dict[str, Any], ImportedPipeline | None]:
        process = os.getpid()
        source_import.import_from_source(self._is_user_code, self._sources, self._compiled, self._importing)
        os.chdir(self._file.parent)
        sys.argv[:] = [str(self._file)]
        try:
            with self._recorder:
                definitions = self._import()
                self._imported_files.end()
                self._originals.restore_builtins()
                if os.getpid() != process:
                    stage_main.end_fork()  # a fork of the user's ends where its import ends
                if self._requests.unused:
                    return _unshared("not imported", self._requests.unused[0]), None
                stages = self._fingerprinted(self._declare(definitions))
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
        loaded = self._loaded()
        if source_import.Changes({**self._sources, **loaded.read}).find():
            return {"event": "moved"}, None
        times = None if self._times is None else self._times.to_plain()
        own = {**to_plain(loaded), "stages": wire.EncodedJSON(stages.array), "assigned": self._assigned}
        return {"event": "loaded", **own, "times": times, **self._imports()}, self._imported(replacements, stages)

    def _importing(self, code: CodeType) -> None:
        """Note the code of a module that is about to run for the first time."""
        self._recorder.watch(code)
        files = self._imported_files
        files.add(code.co_filename, is_new=self._compiled.misses > self._misses)
        self._misses = self._compiled.misses

    def _imports(self) -> dict[str, Any]:
        """The libraries that the import asked for and loaded, for imports in advance."""
        return {"asked": self._requests.libraries(), "libraries": self._requests.loaded()}

    def _import(self) -> Definitions:
        put_on_path(self._file, self._root)  # the requests are compared with the state of the process after this
        began = monotonic()
        with self._timer, self._requests, self._fork_hooks:
            definitions = read_definitions(self._file, self._root, overrides=self._overrides)
        seconds = monotonic() - began
        with self._recorder.paused():
            self._times = ImportTimes(began, seconds, self._timer.libraries())
        return definitions

    def _declare(self, definitions: Definitions) -> list[DeclaredStage]:
        """The stages with their parameters; notes them as live stages."""
        pipelines, base, root = definitions.pipelines, base_of(self._file, self._root), str(self._root)
        resolver = params.ParamResolver(pipelines, self._file, root=self._root, overrides=self._overrides)
        self._resolver = resolver
        resolved = {
            (name, pipeline.name): resolver.stage(stage, pipeline.name)
            for pipeline in pipelines
            for name, stage in pipeline.stages.items()
        }
        commands = self._shell_inputs(pipelines, base, lambda name, pipeline: resolved[name, pipeline][1])
        if commands:
            import pivot_runtime.programs.python_path  # noqa: F401  # lazy: before the processes of stages are forked
        self._sources |= {**definitions.sources, **resolver.sources}
        with self._recorder.paused():  # this writes a file beside others, which it lists
            self._assigned = environ_changes.changed_digests(*self._recorder.environments(), self._layout.assigned_file)
        stages = []
        for pipeline in pipelines:
            for spec in pipeline.specs(base=base, root=root):
                stage, values = resolved[spec.name, pipeline.name]
                command = commands.get(spec.address)
                if command is not None:
                    stage = attrs.evolve(stage, func=attrs.evolve(stage.func, created=str(command.record)))
                    self._sources |= command.sources
                notebook = self._notebook(stage, spec.base)
                if notebook is not None:
                    self._sources[os.path.join(root, notebook.path)] = notebook.digest
                stages.append(DeclaredStage(spec, stage, values, command, notebook))
                self._stages[spec.address] = LiveStage(stage, str(self._root / spec.base))
        return stages

    def _shell_inputs(
        self, pipelines: Sequence[Pipeline], base: str, values: Callable[[str, str], Mapping[str, Any]]
    ) -> Mapping[str, shell_code.ShellInputs]:
        """The inputs of shell stages, by address."""
        if not any(isinstance(each.func, Command) for pipeline in pipelines for each in pipeline.stages.values()):
            return {}
        with self._recorder.paused():
            from pivot_runtime.programs.program_code import ProgramFinder  # lazy: many pipelines have no such stage

        root = str(self._root)
        memo = OutlineCache(self._layout.outlines_dir)
        programs = ProgramFinder(root, os.environ, memo, self._recorder)
        return shell_code.all_shell_inputs(pipelines, base=base, root=root, programs=programs, values=values)

    def _notebook(self, stage: Stage, base: str) -> "NotebookCode | None":
        """The code of the notebook of a stage that runs in ``base``; None if it has none."""
        if not isinstance(stage.func, Notebook):
            return None
        with self._recorder.paused():
            from pivot_runtime.definitions import notebook_code  # lazy: few stages are notebooks

        return notebook_code.of_stage(stage, base=base, root=str(self._root))

    def _fingerprinted(self, stages: Sequence[DeclaredStage]) -> EncodedStages:
        """The stages with their fingerprints."""
        recorder = self._recorder
        made = StageFingerprints(self._root, self._file, recorder, self._is_user_code, self._assigned)
        files = self._imported_files.files if self._imported_files.are_new else ()
        if parallel.is_worthwhile(stages, self._imported_files) and self._can_fork():
            found = parallel.encoded(stages, files, made, recorder, self._has_imported_no_more())
            if found is not None:
                return found
        return made.encoded(stages)

    def _has_imported_no_more(self) -> Callable[[], bool]:
        """Whether user code has imported nothing since this call, in this process or one that it forks."""
        known, count = frozenset(sys.modules), len(self._sources)

        def unchanged() -> bool:
            files = (getattr(sys.modules[name], "__file__", None) for name in sys.modules.keys() - known)
            new = any(isinstance(file, str) and self._is_user_code(file) for file in files)
            return not new and len(self._sources) == count and not self._requests.refused

        return unchanged

    def _can_fork(self) -> bool:
        """Whether a forked process would be like this one, and the user's code would not notice its end."""
        if signal.getsignal(signal.SIGCHLD) is not signal.SIG_DFL or self._fork_hooks.registered:
            return False
        if self._originals.changed(_USED_BY_FORKS.__contains__, _REPLACED_BY_RECORDER) is not None:
            return False
        with self._recorder.paused():
            return not live_threads.describe_others(self._recorder.threads, str(self._root))

    def _loaded(self) -> Loaded:
        """The load without its stages."""
        trace = self._recorder.trace(self._sources)
        read = {file: found for file, found in self._recorder.sources.items() if file not in self._sources}
        return Loaded(SCHEMA, (), self._sources, trace, tuple(self._recorder.unrecorded), read)

    def _imported(self, replacements: Replacements, stages: EncodedStages) -> ImportedPipeline:
        return ImportedPipeline(
            str(self._root),
            str(self._file),
            tuple(each.text for each in self._overrides),
            self._is_user_code,
            self._stages,
            stages,
            self._sources,
            self._assigned,
            self._recorder.threads,
            self._resolver,
            self._random_state,
            self._originals,
            replacements,
        )


def _unshared(reason: str, name: str = "", file: str = "", *, outdated: bool = False) -> dict[str, Any]:
    return {"event": "unshared", "reason": reason, "name": name, "file": file, "outdated": outdated}
