"""Recorder of the code that runs in a process and its children, with one callback for the first run of each code."""

import contextlib
import importlib
import os
import sys
import weakref
from collections.abc import Callable, Mapping
from importlib import import_module
from json import dumps, loads  # the observed code decides what happens to the module
from types import CodeType, FrameType
from typing import Any

from pivot_fingerprint import programs
from pivot_fingerprint.disk import real_path
from pivot_fingerprint.runtime import monitoring_tool, program_hook, start_file
from pivot_fingerprint.runtime.observed import MODULE, Observed, Ran, ran_from_json
from pivot_fingerprint.runtime.start_file import Companion, ProgramRun, StartArguments
from pivot_fingerprint.user_code import Predicate, cached, default_is_user_code

_DISABLE = sys.monitoring.DISABLE
_MAINS = frozenset({"__main__", "__mp_main__"})
_IMPORTER = vars(importlib._bootstrap)  # noqa: SLF001
"""The globals of the code that runs the body of an imported module."""
_SCOPES = ("<generic parameters of ", "__annotate__")  # they evaluate annotations, which do not count
_MANY_CALLS = 1000  # calls of one function during an import, after which it counts as called outside it
_OPTIMIZED = 1  # `inspect.CO_OPTIMIZED`, which all functions have, and no class or module
_LINES = ".lines"  # the records of a child
_UNSURE = ".unsure"  # the same by the default predicate, if the given one cannot be sent to another process
_NO_TOOL = "no tool id of `sys.monitoring` was free: nothing was observed"
_FORKED = "a process was forked, and there is no directory to collect what ran in it"
_SPAWNED = "a process of `multiprocessing` was started in which nothing could be observed"
_GARBLED = "what a child wrote cannot be read"
_STARTED = "a Python program was started: what ran in it was not observed"


class UserFiles:
    """The files with code of the user below a root: observers of several processes can share what is known of them."""

    def __init__(self, root: str, is_user_code: Predicate) -> None:
        self.root = real_path(root)
        self.is_user = cached(is_user_code)
        self._known: dict[str, str | None] = {}

    def find(self, filename: str) -> str | None:
        """The path of a user's file relative to the root; None for any other file."""
        if filename not in self._known:
            file = os.path.abspath(filename)
            user = not filename.startswith("<") and self.is_user(file)
            relative = os.path.relpath(real_path(file), self.root).replace(os.sep, "/") if user else None
            self._known[filename] = relative
        return self._known[filename]


class Recorder:
    """The code that has run since `start`, in memory; in children, line by line in a file of the spool directory."""

    def __init__(
        self,
        root: str,
        is_user_code: Predicate,
        spool: str | None,
        *,
        trusted: bool = True,
        files: UserFiles | None = None,
    ) -> None:
        self.files = files or UserFiles(root, is_user_code)
        self.root = self.files.root
        self.spool = os.path.abspath(spool) if spool is not None else None
        self.companion: Companion | None = None
        self.programs = ProgramRun()
        self.passes_over = False
        self.predicate = is_user_code
        self.trusted = trusted
        self.reasons: set[str] = set()
        self.ran: set[Ran] = set()
        self.file = ""  # in a child: the file of its records
        self._calls_during_import: dict[Ran, int] = {}
        self._disabled: list[weakref.ref[CodeType]] = []
        self._before: frozenset[str] | None = None
        self._tool: int | None = None
        self._around: FrameType | None = None
        self._importing_around = ""

    def prepare(self) -> None:
        """Prepare `start`, in a process that will fork the observed process."""
        self._begin(sys._getframe(1).f_back)  # noqa: SLF001
        monitoring_tool.prepare_tool(self.files.is_user)

    def start(self) -> None:
        """Start the observation."""
        if self._before is None:
            self._begin(sys._getframe(1).f_back)  # noqa: SLF001
        self._tool = monitoring_tool.start(self.started, self.thrown)
        if self._tool is None:
            self.add_reason(_NO_TOOL)
        else:
            _active.append(self)

    def _begin(self, around: FrameType | None) -> None:
        """Note the modules and the import from before the observation, which begins in the frame ``around``."""
        self._before = _module_names()
        _watch_forks()
        self._importing_around = self._importing(around)
        self._around = around

    def stop(self) -> None:
        """Stop the observation, and restore everything."""
        tool, self._tool = self._tool, None
        self._around = None
        self.record_imports()
        if tool is None:
            return
        _active.remove(self)
        program_hook.restore()
        monitoring_tool.stop(tool, self._disabled)
        self._disabled.clear()

    @property
    def active(self) -> bool:
        """Whether the observation is running."""
        return self._tool is not None

    # Callbacks: no error in them may reach the observed code

    def started(self, code: CodeType, _offset: int) -> object:
        """Callback: a function, generator or module starts, or a generator resumes."""
        return self._safely(code, sys._getframe(1))  # noqa: SLF001

    def thrown(self, code: CodeType, _offset: int, _error: BaseException) -> None:
        """Callback: a generator resumes with an exception; this event cannot be disabled."""
        self._safely(code, sys._getframe(1))  # noqa: SLF001

    def _safely(self, code: CodeType, frame: FrameType) -> object:
        try:
            return self.record(code, frame)
        except RecursionError:
            return None  # too near the limit to look at it; the next run may be recorded
        except Exception as error:  # noqa: BLE001
            self.add_reason(f"the observation failed: {type(error).__name__}: {error}")
            return _DISABLE

    def record(self, code: CodeType, frame: FrameType) -> object:
        """Record the code if it is the user's; the result disables its next runs where they are irrelevant."""
        relative = self.files.find(code.co_filename)
        if relative is None:
            launched = _LAUNCHERS.get(code.co_qualname)
            return launched(self, frame) if launched is not None else _DISABLE
        name = code.co_name
        if name != MODULE and (not code.co_flags & _OPTIMIZED or name.startswith(_SCOPES)):
            return _DISABLE  # the body of a class is a part of the code around it
        importing = "" if name == MODULE else self._importing(frame)
        ran = Ran(
            relative, _module(frame.f_globals, code.co_filename), code.co_qualname, code.co_firstlineno, importing
        )
        if importing:
            times = self._calls_during_import[ran] = self._calls_during_import.get(ran, 0) + 1
            if times <= _MANY_CALLS:
                self.add(ran)
                return None
        self.add(ran._replace(importing=""))
        self._disabled.append(weakref.ref(code))
        return _DISABLE

    def _importing(self, frame: FrameType | None) -> str:
        """The innermost module whose import called this; empty if there is none."""
        while frame is not None and frame is not self._around:
            caller = frame.f_back
            # First what is no audit event: reading `f_code` calls the hooks, for each frame of each function that runs.
            if caller is not None and caller.f_globals is _IMPORTER and frame.f_code.co_name == MODULE:
                return str(frame.f_globals.get("__name__", ""))
            frame = caller
        return "" if frame is None else self._importing_around

    def add(self, ran: Ran) -> None:
        """Record a function or module that ran."""
        if ran not in self.ran:
            self.ran.add(ran)
            self._write(list(ran))

    def add_reason(self, reason: str) -> None:
        """Record a reason why more may have run."""
        if reason not in self.reasons:
            self.reasons.add(reason)
            self._write(reason)

    def record_imports(self) -> None:
        """Record the user's modules that were imported since the start, also those of which no code ran here."""
        before = self._before or frozenset()
        now = _module_names()
        for name in () if now is before else sorted(now - before - _MAINS):
            file = getattr(sys.modules[name], "__dict__", {}).get("__file__")
            relative = self.files.find(file) if isinstance(file, str) else None
            if relative is None or relative.endswith(".pyc"):
                continue
            if relative.endswith((".py", ".pyw")):
                self.add(Ran(relative, _module(vars(sys.modules[name]), relative), MODULE, 1))
            else:
                self.add_reason(f"the module `{name}` is compiled code")

    # Children

    def after_fork(self) -> None:
        """Handle a fork, in the parent."""
        if self.spool is None:
            self.add_reason(_FORKED)

    def enter_child(self) -> None:
        """Handle a fork, in the child: new records are written immediately, since it may end at any time."""
        if self.spool is not None:
            self.file = os.path.join(self.spool, f"{os.getpid()}{_LINES if self.trusted else _UNSURE}")

    def _write(self, line: object) -> None:
        if not self.file:
            return
        with contextlib.suppress(OSError):  # a child cannot report it
            # Opened each time, since a daemon closes every descriptor; a single appending write is not interleaved.
            os.makedirs(os.path.dirname(self.file), exist_ok=True)
            fd = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
            try:
                os.write(fd, dumps(line).encode() + b"\n")
            finally:
                os.close(fd)

    def observed(self) -> Observed:
        """All records so far, also those of children."""
        ran, reasons = set(self.ran), set(self.reasons)
        names = self._children()
        if not names:
            return Observed.of(ran, reasons)
        if any(start_file.not_started(names)):
            reasons.add(_STARTED)
        for name in names:
            if not name.endswith((_LINES, _UNSURE)):
                continue
            with open(os.path.join(self.spool or "", name), "rb") as file:
                lines = file.read().splitlines()
            for line in lines:
                parsed = _parse_line(line)
                if isinstance(parsed, str):
                    reasons.add(parsed)
                elif not name.endswith(_UNSURE) or self.files.is_user(
                    os.path.normpath(os.path.join(self.root, parsed.file))
                ):
                    ran.add(parsed)
        return Observed.of(ran, reasons)

    def _children(self) -> list[str]:
        try:
            return os.listdir(self.spool) if self.spool is not None else []
        except FileNotFoundError:  # no child has written anything
            return []

    def _before_multiprocessing_start(self, frame: FrameType) -> None:
        """Handle a new interpreter of `multiprocessing`: the data for it also starts a recorder there."""
        process = frame.f_locals.get("process_obj")
        home = str(frame.f_globals.get("__name__"))
        if "popen_" not in home or home == "multiprocessing.popen_fork":
            return
        config = getattr(process, "_config", None)
        spawn = sys.modules.get("multiprocessing.spawn")
        if (
            self.spool is None
            or type(config) is not dict
            or spawn is None
            or not _is_this_python(os.fsdecode(spawn.get_executable()))
        ):
            self.add_reason(_SPAWNED)
        else:
            config[_CONFIG_KEY] = _ChildStart(
                self.root, self.spool, _pickled(self.predicate), self.companion, self.programs
            )

    def _before_subprocess_start(self, frame: FrameType) -> None:
        """Handle a program that `subprocess` is about to start."""
        if frame.f_globals.get("__name__") != "subprocess":
            return
        program_hook.restore()
        words = programs.command_words(frame.f_locals.get("args"))
        if not programs.starts_python(words):
            return
        given = frame.f_locals.get("env")
        try:
            env: dict[Any, Any] = programs.inherited_environment() if given is None else dict(given)
        except (TypeError, ValueError):
            self.add_reason(_STARTED)
            return
        path = self._path_for(words, env)
        if path is not None:
            name = start_file.variable_name(env)
            frame.f_locals["env"] = env | {name: os.fsencode(path) if isinstance(name, bytes) else path}

    def path_for_program(self, words: list[str], env: object) -> str | None:
        """The `PYTHONPATH` for a program that is being started without `subprocess`; None to leave it unchanged."""
        if self.passes_over or not programs.starts_python(words):
            return None
        if env is None:
            return self._path_for(words, programs.inherited_environment())
        start = self._start
        if not isinstance(env, Mapping) or start is None or not start_file.has_start_file(env, start):
            self.add_reason(_STARTED)
        return None

    @property
    def _start(self) -> StartArguments | None:
        prefix = f"{os.getpid()}-" if self.file else ""
        return None if self.spool is None else StartArguments(self.root, self.spool, self.programs, prefix)

    def _path_for(self, words: list[str], env: Mapping[Any, Any]) -> str | None:
        start = self._start
        path = None if start is None else start_file.add_start_file(words, env, start)
        if path is None:
            self.add_reason(_STARTED)
        return path


_LAUNCHERS: dict[str, Callable[[Recorder, FrameType], None]] = {
    "Popen._launch": Recorder._before_multiprocessing_start,  # noqa: SLF001
    "Popen._execute_child": Recorder._before_subprocess_start,  # noqa: SLF001
}
_CONFIG_KEY = "pivot_fingerprint"
_active: list[Recorder] = []
"""The running observations, for the hooks of this process."""
_hooks: list[bool] = []
"""Not empty once the hooks are set."""
_known_modules: list[tuple[tuple[str, int], frozenset[str]]] = []
"""The latest module and the number of modules, with the names of all modules at that point."""


class _ChildStart:
    """Sent to a new interpreter inside a process object, where unpickling it starts a recorder."""

    def __init__(
        self, root: str, spool: str, predicate: bytes | None, companion: Companion | None, programs: ProgramRun
    ) -> None:
        self._args = (root, spool, predicate, companion and tuple(companion), tuple(programs))

    def __reduce__(self) -> tuple[object, ...]:
        return (start_in_child, self._args)


def start_in_child(
    root: str,
    spool: str,
    predicate: bytes | None,
    companion: tuple[str, str, tuple[object, ...]] | None = None,
    programs: tuple[Any, ...] = (),
) -> bool:
    """Observe a process that was started by another one, until it ends; returns whether that is possible."""
    is_user_code = default_is_user_code
    if predicate:
        import pickle  # lazy

        is_user_code = pickle.loads(predicate)  # noqa: S301
    companion_in_child = None if companion is None else Companion(*companion)
    recorder = Recorder(root, is_user_code, spool, trusted=predicate is not None)
    recorder.companion = companion_in_child
    recorder.programs = ProgramRun(*programs)
    recorder.enter_child()
    recorder.files.find(os.path.join(root, MODULE))  # imports by the predicate must not call the predicate again
    recorder.start()
    _import_from_source(recorder.files.find)
    if companion_in_child is not None:
        getattr(import_module(companion_in_child.module), companion_in_child.function)(*companion_in_child.arguments)
    return recorder.active


def _import_from_source(user_file: Callable[[str], str | None]) -> None:
    """Import user code without `.pyc` files, which may be of a text that was edited within the same second."""
    loader: Any = sys.modules["_frozen_importlib_external"].SourceFileLoader
    path_stats = loader.path_stats

    def no_cache_for_user_code(self: object, path: str) -> object:
        if user_file(path) is not None:
            raise OSError  # so the import system neither reads nor writes a `.pyc`
        return path_stats(self, path)

    loader.path_stats = no_cache_for_user_code


def _is_this_python(executable: str) -> bool:
    """Whether an interpreter is this one, in the same environment, by any name."""
    same = os.path.dirname(executable) == os.path.dirname(sys.executable)
    return executable == sys.executable or (same and os.path.realpath(executable) == os.path.realpath(sys.executable))


def _pickled(predicate: Predicate) -> bytes | None:
    """The pickled predicate for another interpreter; None if it cannot be pickled (the parent then filters)."""
    import pickle  # lazy

    try:
        return pickle.dumps(predicate)
    except Exception:  # noqa: BLE001 - pickling may call any code
        return None


def _parse_line(line: bytes) -> Ran | str:
    """One line of a child: a record, or a reason why more may have run."""
    try:
        parsed = loads(line)
    except ValueError:
        return _GARBLED
    row = ran_from_json(parsed)
    return row if row is not None else str(parsed)


def _module_names() -> frozenset[str]:
    """The names of all modules: the same object until another module is imported.

    Comparing objects is enough then: reading all names would make a forked process copy their memory.
    """
    mark = next(reversed(sys.modules)), len(sys.modules)
    if not _known_modules or _known_modules[0][0] != mark:
        _known_modules[:] = [(mark, frozenset(sys.modules))]
    return _known_modules[0][1]


def _watch_forks() -> None:
    """Set hooks for forks, which cannot be removed: they are set once, and do nothing while no recorder is active."""
    if not _hooks:
        _hooks.append(True)
        os.register_at_fork(after_in_parent=_in_parent, after_in_child=_in_child)
        program_hook.watch(_path_for_program)


def _in_parent() -> None:
    for recorder in _active:
        recorder.after_fork()


def _in_child() -> None:
    for recorder in _active:
        recorder.enter_child()


def _path_for_program(words: list[str], env: object) -> str | None:
    return _active[-1].path_for_program(words, env) if _active else None


def _module(namespace: dict[str, object], filename: str) -> str:
    """The name that manifests use for the module of some globals."""
    name = namespace.get("__name__")
    if isinstance(name, str) and name and name not in _MAINS:
        return name
    spec = getattr(namespace.get("__spec__"), "name", None)
    if isinstance(spec, str) and spec not in _MAINS:
        return spec.removesuffix(".__main__")
    file = namespace.get("__file__")
    return os.path.splitext(os.path.basename(file if isinstance(file, str) else filename))[0]
