"""Records what runs in this process and in the processes that it makes: one callback for the first run of each code."""

import contextlib
import os
import sys
import weakref
from collections.abc import Callable, Mapping
from importlib import import_module
from json import dumps, loads  # the observed code decides what happens to the module
from types import CodeType, FrameType
from typing import Any

from pivot_fingerprint import programs
from pivot_fingerprint.disk import real
from pivot_fingerprint.runtime import monitoring_tool, program_hook, start_file
from pivot_fingerprint.runtime.observed import MODULE, Observed, Ran, ran_from_json
from pivot_fingerprint.runtime.start_file import Companion, StartArguments
from pivot_fingerprint.user_code import Predicate, cached, default_is_user_code

_DISABLE = sys.monitoring.DISABLE
_MAINS = frozenset({"__main__", "__mp_main__"})
_IMPORTER = "<frozen importlib._bootstrap>"
_SCOPES = ("<generic parameters of ", "__annotate__")  # they evaluate annotations, which do not count
_PATIENCE = 1000  # calls of one function during one import, before it counts as having run
_OPTIMIZED = 1  # `inspect.CO_OPTIMIZED`: what all functions are, and no class or module
_LINES = ".lines"  # what a child has seen
_UNSURE = ".unsure"  # the same by another predicate, since the one given cannot leave its process
_NO_TOOL = "no tool id of `sys.monitoring` was free: nothing was observed"
_FORKED = "a process was forked, and there is no directory to collect what ran in it"
_SPAWNED = "a process of `multiprocessing` was started in which nothing could be observed"
_GARBLED = "what a child wrote cannot be read"
_STARTED = "a Python program was started: what ran in it was not observed"


class Recorder:
    """The code that has run since `start`, in memory; in children, line by line in a file of the spool directory."""

    def __init__(self, root: str, is_user_code: Predicate, spool: str | None, *, trusted: bool = True) -> None:
        self.root = real(root)
        self.spool = os.path.abspath(spool) if spool is not None else None
        self.also: Companion | None = None
        self.predicate = is_user_code
        self.trusted = trusted
        self.reasons: set[str] = set()
        self.ran: set[Ran] = set()
        self.file = ""  # in a child: where it writes
        self._is_user = cached(is_user_code)
        self._shown: dict[str, str | None] = {}
        self._patience: dict[Ran, int] = {}
        self._met: list[weakref.ref[CodeType]] = []
        self._before: frozenset[str] | None = None
        self._tool: int | None = None

    def prepare(self) -> None:
        """Do what can be done before `start`, in a process that will have forked the one that starts."""
        self._before = _modules()
        monitoring_tool.stand_by(self._is_user)

    def start(self) -> None:
        """Observe from now on."""
        if self._before is None:
            self._before = _modules()
        _watch_forks()
        self._tool = monitoring_tool.begin(self.started, self.thrown)
        if self._tool is None:
            self.reason(_NO_TOOL)
        else:
            _active.append(self)

    def stop(self) -> None:
        """Observe no more, and leave everything as it was found."""
        tool, self._tool = self._tool, None
        self.imported()
        if tool is None:
            return
        _active.remove(self)
        program_hook.restore()
        monitoring_tool.end(tool, self._met)
        self._met.clear()

    @property
    def active(self) -> bool:
        """Whether it observes."""
        return self._tool is not None

    # Callbacks: whatever goes wrong in them must not reach the code that is observed

    def started(self, code: CodeType, _offset: int) -> object:
        """A function, generator or module starts, or a generator goes on."""
        return self._safely(code, sys._getframe(1))  # noqa: SLF001

    def thrown(self, code: CodeType, _offset: int, _error: BaseException) -> None:
        """A generator goes on by an exception; this event cannot be disabled."""
        self._safely(code, sys._getframe(1))  # noqa: SLF001

    def _safely(self, code: CodeType, frame: FrameType) -> object:
        try:
            return self.hit(code, frame)
        except RecursionError:
            return None  # so near the limit that there is no room to look at it; there may be next time
        except Exception as error:  # noqa: BLE001
            self.reason(f"the observation failed: {type(error).__name__}: {error}")
            return _DISABLE

    def hit(self, code: CodeType, frame: FrameType) -> object:
        """Record the code if it is the user's; says whether its next run is of interest."""
        shown = self.shown(code.co_filename)
        if shown is None:
            launched = _LAUNCHERS.get(code.co_qualname)
            return launched(self, frame) if launched is not None else _DISABLE
        name = code.co_name
        if name != MODULE and (not code.co_flags & _OPTIMIZED or name.startswith(_SCOPES)):
            return _DISABLE  # the body of a class is a part of the code around it
        importing = "" if name == MODULE else _importing(frame)
        ran = Ran(shown, _module(frame.f_globals, code.co_filename), code.co_qualname, code.co_firstlineno, importing)
        if importing:
            times = self._patience[ran] = self._patience.get(ran, 0) + 1
            if times <= _PATIENCE:
                self.add(ran)
                return None
        self.add(ran._replace(importing=""))
        self._met.append(weakref.ref(code))
        return _DISABLE

    def shown(self, filename: str) -> str | None:
        """A user's file relative to the root; None for any other."""
        if filename not in self._shown:
            file = os.path.abspath(filename)
            user = not filename.startswith("<") and self._is_user(file)
            shown = os.path.relpath(real(file), self.root).replace(os.sep, "/") if user else None
            self._shown[filename] = shown
        return self._shown[filename]

    def add(self, ran: Ran) -> None:
        """Note one thing that ran."""
        if ran not in self.ran:
            self.ran.add(ran)
            self._write(list(ran))

    def reason(self, reason: str) -> None:
        """Note why there may be more."""
        if reason not in self.reasons:
            self.reasons.add(reason)
            self._write(reason)

    def imported(self) -> None:
        """Note the user's modules that have come since the start; those of Python have been seen to run."""
        before = self._before or frozenset()
        now = _modules()
        for name in () if now is before else sorted(now - before - _MAINS):
            file = getattr(sys.modules[name], "__dict__", {}).get("__file__")
            shown = self.shown(file) if isinstance(file, str) else None
            if shown is None or shown.endswith(".pyc"):
                continue
            if shown.endswith((".py", ".pyw")):
                self.add(Ran(shown, _module(vars(sys.modules[name]), shown), MODULE, 1))
            else:
                self.reason(f"the module `{name}` is compiled code")

    # Children

    def forked(self) -> None:
        """In the parent, after a fork."""
        if self.spool is None:
            self.reason(_FORKED)

    def enter_child(self) -> None:
        """In a child: what its parent has seen is known; all else is written at once, since no end is certain."""
        if self.spool is not None:
            self.file = os.path.join(self.spool, f"{os.getpid()}{_LINES if self.trusted else _UNSURE}")

    def _write(self, line: object) -> None:
        if not self.file:
            return
        with contextlib.suppress(OSError):  # from here there is nobody to report it to
            # Opened each time: a daemon closes every descriptor. One write that appends is not mixed with others.
            os.makedirs(os.path.dirname(self.file), exist_ok=True)
            fd = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
            try:
                os.write(fd, dumps(line).encode() + b"\n")
            finally:
                os.close(fd)

    def observed(self) -> Observed:
        """The observations so far, also of children."""
        ran, reasons = set(self.ran), set(self.reasons)
        names = self._children()
        if any(start_file.unbegun(self.spool or "", names)):
            reasons.add(_STARTED)
        for name in names:
            if not name.endswith((_LINES, _UNSURE)):
                continue
            with open(os.path.join(self.spool or "", name), "rb") as file:
                lines = file.read().splitlines()
            for line in lines:
                told = _told(line)
                if isinstance(told, str):
                    reasons.add(told)
                elif not name.endswith(_UNSURE) or self._is_user(os.path.normpath(os.path.join(self.root, told.file))):
                    ran.add(told)
        return Observed.of(ran, reasons)

    def _children(self) -> list[str]:
        try:
            return os.listdir(self.spool) if self.spool is not None else []
        except FileNotFoundError:  # there were none, or none saw anything
            return []

    def _launched(self, frame: FrameType) -> None:
        """`multiprocessing` is about to start a fresh interpreter: what it sends there starts a recorder as well."""
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
            self.reason(_SPAWNED)
        else:
            config[_CONFIG_KEY] = _Starter(self.root, self.spool, _portable(self.predicate), self.also)

    def _executed(self, frame: FrameType) -> None:
        """`subprocess` is about to start a program."""
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
            self.reason(_STARTED)
            return
        path = self._path_for(words, env)
        if path is not None:
            name = start_file.key(env)
            frame.f_locals["env"] = env | {name: os.fsencode(path) if isinstance(name, bytes) else path}

    def starting(self, words: list[str], env: object) -> str | None:
        """A program is about to be started in another way; what `PYTHONPATH` is to be for it."""
        if not programs.starts_python(words):
            return None
        if env is None:
            return self._path_for(words, programs.inherited_environment())
        if not isinstance(env, Mapping) or self.spool is None or not start_file.is_arranged(env, self.spool):
            self.reason(_STARTED)
        return None

    def _path_for(self, words: list[str], env: Mapping[Any, Any]) -> str | None:
        start = None if self.spool is None else StartArguments(self.root, self.spool, self.also)
        path = None if start is None else start_file.arrange(words, env, start)
        if path is None:
            self.reason(_STARTED)
        return path


_LAUNCHERS: dict[str, Callable[[Recorder, FrameType], None]] = {
    "Popen._launch": Recorder._launched,  # noqa: SLF001
    "Popen._execute_child": Recorder._executed,  # noqa: SLF001
}
_CONFIG_KEY = "pivot_fingerprint"
_active: list[Recorder] = []
_hooks: list[bool] = []
_names: list[tuple[tuple[str, int], frozenset[str]]] = []
"""The module that came last, how many there are, and all."""


class _Starter:
    """Sent to a fresh interpreter inside a process object, it comes to life there as a running recorder."""

    def __init__(self, root: str, spool: str, predicate: bytes | None, also: Companion | None) -> None:
        self._args = (root, spool, predicate, also and tuple(also))

    def __reduce__(self) -> tuple[object, ...]:
        return (start_in_child, self._args)


def start_in_child(
    root: str, spool: str, predicate: bytes | None, also: tuple[str, str, tuple[object, ...], str] | None = None
) -> bool:
    """Observe in a process that another one has started, until it ends; whether that can be."""
    is_user_code = default_is_user_code
    if predicate:
        import pickle  # noqa: PLC0415  # start-up time: only where `multiprocessing` starts interpreters

        is_user_code = pickle.loads(predicate)  # noqa: S301
    begun = None if also is None else Companion(*also)
    recorder = Recorder(root, is_user_code, spool, trusted=predicate is not None)
    recorder.also = begun
    recorder.enter_child()
    recorder.shown(os.path.join(root, MODULE))  # what that imports is not to be judged by itself
    recorder.start()
    _import_from_source(recorder.shown)
    if begun is not None:
        getattr(import_module(begun.module), begun.function)(*begun.arguments)
    return recorder.active


def _import_from_source(shown: Callable[[str], str | None]) -> None:
    """The running code must be the hashed code: a `.pyc` may be of a text that was edited within the same second."""
    loader: Any = sys.modules["_frozen_importlib_external"].SourceFileLoader
    path_stats = loader.path_stats

    def no_cache_for_user_code(self: object, path: str) -> object:
        if shown(path) is not None:
            raise OSError  # what the import system takes for "do not look for a `.pyc`, and write none"
        return path_stats(self, path)

    loader.path_stats = no_cache_for_user_code


def _is_this_python(executable: str) -> bool:
    """Whether an interpreter is this one, in the same environment, by whatever name."""
    same = os.path.dirname(executable) == os.path.dirname(sys.executable)
    return executable == sys.executable or (same and os.path.realpath(executable) == os.path.realpath(sys.executable))


def _portable(predicate: Predicate) -> bytes | None:
    """The predicate for another interpreter; None if it cannot go there (the parent judges once more)."""
    import pickle  # noqa: PLC0415  # start-up time

    try:
        return pickle.dumps(predicate)
    except Exception:  # noqa: BLE001 - pickling calls whatever it likes
        return None


def _told(line: bytes) -> Ran | str:
    """One line of a child: what ran, or why there may be more."""
    try:
        told = loads(line)
    except ValueError:
        return _GARBLED
    row = ran_from_json(told)
    return row if row is not None else str(told)


def _modules() -> frozenset[str]:
    """The names of all modules: the same object for as long as none has come, which tells without a look at any.

    A process that was forked would have to copy the memory of all of them for that.
    """
    mark = next(reversed(sys.modules)), len(sys.modules)
    if not _names or _names[0][0] != mark:
        _names[:] = [(mark, frozenset(sys.modules))]
    return _names[0][1]


def _watch_forks() -> None:
    """Hooks for forks cannot be taken back: they are set once, and do nothing while no recorder is active."""
    if not _hooks:
        _hooks.append(True)
        os.register_at_fork(after_in_parent=_in_parent, after_in_child=_in_child)
        program_hook.watch(_asked)


def _in_parent() -> None:
    for recorder in _active:
        recorder.forked()


def _in_child() -> None:
    for recorder in _active:
        recorder.enter_child()


def _asked(words: list[str], env: object) -> str | None:
    return _active[-1].starting(words, env) if _active else None


def _importing(frame: FrameType | None) -> str:
    """The innermost module whose import has called this; empty if none has."""
    while frame is not None:
        caller = frame.f_back
        if frame.f_code.co_name == MODULE and caller is not None and caller.f_code.co_filename == _IMPORTER:
            return str(frame.f_globals.get("__name__", ""))
        frame = caller
    return ""


def _module(namespace: dict[str, object], filename: str) -> str:
    """The module that some globals belong to, as manifests name it."""
    name = namespace.get("__name__")
    if isinstance(name, str) and name and name not in _MAINS:
        return name
    spec = getattr(namespace.get("__spec__"), "name", None)
    if isinstance(spec, str) and spec not in _MAINS:
        return spec.removesuffix(".__main__")
    file = namespace.get("__file__")
    return os.path.splitext(os.path.basename(file if isinstance(file, str) else filename))[0]
