"""Records what importing the user's modules depends on, in the host."""

import contextlib
import os
import site
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import active_count, get_ident, local
from types import CodeType, ModuleType, TracebackType
from typing import Any, Final, Self

from pivot_core.digest import digest_bytes
from pivot_fingerprint.programs import inherited_environment, track_putenv
from pivot_runtime.freshness import load_trace
from pivot_runtime.freshness.load_trace import Fact, LoadTrace
from pivot_runtime.freshness.stamps import ABSENT, VARIABLE, VARIABLES, environment_digest, is_settled, stamp
from pivot_runtime.processes import live_threads
from pivot_runtime.tracing import environ
from pivot_runtime.tracing.random_calls import RandomCalls

_UNSEEN: Final[Mapping[str, str]] = {
    "subprocess.Popen": "it starts a program",
    "os.system": "it starts a program",
    "os.exec": "it starts a program",
    "os.posix_spawn": "it starts a program",
    "os.spawn": "it starts a program",
    "os.fork": "it starts a process",
    "os.forkpty": "it starts a process",
    "socket.connect": "it uses the network",
    "socket.getaddrinfo": "it uses the network",
    "socket.gethostbyname": "it uses the network",
    "socket.bind": "it uses the network",
    "sqlite3.connect": "it opens a database",
    "dbm.open": "it opens a database",
}
"""By audit event, what cannot be checked without doing it again."""

_PSEUDO: Final = ("/proc/", "/sys/", "/dev/")
_FILES_READ_BY_START: Final = ("pyvenv.cfg",)
_IMPORT_SYSTEM: Final = frozenset({"_frozen_importlib_external", "importlib._bootstrap_external"})
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class LoadRecorder:
    """A context manager around each part of a load. Afterwards `trace` has what it depended on.

    Attributes:
        chance: The calls of the user's code whose results differ in each process.
        unrecorded: Why the trace is not complete; empty if they are.
        sources: By absolute path, the digest of each file that a fingerprint was taken of; ``""`` for none.
        threads: Where threads were started.
    """

    def __init__(self, is_user_code: Callable[[str], bool], own: Sequence[str]) -> None:
        """Nothing is recorded outside the blocks.

        Args:
            is_user_code: Whether a file of Python code may be edited by the user.
            own: Directories in which Pivot keeps what it knows: of no interest.
        """
        self.unrecorded: dict[str, None] = {}
        self.threads = live_threads.ThreadStarts(is_user_code)
        self._is_user_code = is_user_code
        self._installed = _installed(own)
        self._salt = os.urandom(8).hex()
        self._variables: Any = os.environ
        self._environment = dict(os.environ)
        self._facts: dict[tuple[str, str], str] = {}
        self._opened: dict[str, tuple[str, int]] = {}
        self._written: set[str] = set()
        self.sources: dict[str, str] = {}
        self._searches = ModuleSearches(self._is_installed, self.unheard)
        self.chance = RandomCalls(self.unrecorded)
        self._real: dict[str, Any] = {}
        self._ours: dict[str, Any] = {}
        self._before: frozenset[str] = frozenset()
        self._quiet = local()
        self._thread = get_ident()
        self._active = False
        self._hooked = False

    def __enter__(self) -> Self:
        self._active = True
        self._before = frozenset(sys.modules)
        if not self._hooked:
            self._hooked = True
            track_putenv()
            sys.addaudithook(self._hook)
        sys.meta_path.insert(0, self._searches)
        for name, kind in (("stat", load_trace.PROBE), ("lstat", load_trace.LINK), ("access", load_trace.PROBE)):
            self._real[name] = getattr(os, name)
            self._ours[name] = self._probing(self._real[name], kind)
            setattr(os, name, self._ours[name])
        environ.record(self._variable_read, self._all_variables, self._all_variables)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._active = False
        self.chance.stop()
        environ.stop_recording()
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self._searches]
        self._restore()
        if active_count() > 1:
            self.unrecorded["it leaves threads running"] = None

    def watch(self, code: CodeType) -> None:
        """Heed what the code of a user's module calls while it is imported."""
        if self._active:
            self.chance.watch(code)

    def trace(self, sources: Mapping[str, str]) -> LoadTrace:
        """The facts that the load depended on.

        Args:
            sources: The digest of each file of code that was imported, by absolute path.
        """
        facts = [Fact(kind, subject, value) for (kind, subject), value in self._facts.items()]
        files = {path: digest or ABSENT for path, digest in (self.sources | dict(sources)).items()}
        for path, (marked, at) in self._opened.items():
            if path not in files and path not in self._written:
                files[path] = load_trace.content(path)
                if stamp(path) != marked or not is_settled(marked, at):
                    self.unrecorded[f"{path} was being written"] = None
        for path in self._binaries():
            files.setdefault(path, load_trace.content(path))
        facts += [Fact(load_trace.FILE, path, value) for path, value in files.items()]
        facts += self._searches.facts()
        facts += [Fact(load_trace.MTIME, path, load_trace.mtime(path)) for path in _start_files()]
        for prefix in ("PYTHON", "LC_", "LANG"):
            facts.append(self._of_environment(VARIABLES, prefix))
        return LoadTrace(
            tuple(dict.fromkeys(facts)), tuple(sorted(self._searches.asked)), self._salt, load_trace.identity()
        )

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._active:
            return
        if event == "open":
            self._opening(args[0], args[1], args[2])
        elif event in ("os.listdir", "os.scandir"):
            if not _by_import(2):
                self._path(load_trace.NAMES, "." if args[0] is None else args[0])
        elif event == "_thread.start_joinable_thread":
            self.threads.note(args[0])
        elif event in _UNSEEN and get_ident() == self._thread:
            self.unrecorded[_UNSEEN[event]] = None

    def _opening(self, path: Any, mode: Any, flags: Any) -> None:
        if isinstance(path, int) or _by_import(3) or getattr(self._quiet, "on", False):
            return
        with contextlib.suppress(Exception):  # what is wrong with the path, the caller will hear
            full = os.path.abspath(os.fsdecode(path))
            writes = bool(flags & _WRITING) if isinstance(flags, int) and flags else _writes(mode)
            if writes:
                self._written.add(full)
            if (not writes or "+" in str(mode)) and self._counts(full) and full not in self._opened:
                with self.unheard():
                    self._opened[full] = (stamp(full), time.time_ns())

    def _probing(self, real: Callable[..., Any], kind: str) -> Callable[..., Any]:
        def looked_at(path: Any, *arguments: Any, **options: Any) -> Any:
            if self._active and not isinstance(path, int) and options.get("dir_fd") is None:
                with contextlib.suppress(Exception):
                    for each in _asked(kind, options):
                        self._path(each, path)
            return real(path, *arguments, **options)

        return looked_at

    def _path(self, kind: str, path: Any) -> None:
        """Note a fact about a path as it is now, the first time that it is asked for."""
        if isinstance(path, int) or getattr(self._quiet, "on", False):
            return
        full = os.path.abspath(os.fsdecode(path))
        if (kind, full) in self._facts or not self._counts(full):
            return
        with self.unheard():
            self._facts[kind, full] = load_trace.of_path(kind, full)

    def environments(self) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """The variables as they were at first, and as they are now; to ask for that is no dependence on them.

        `os.putenv` sets those of programs to be started only: if it differs, both values count.
        """
        held: Mapping[bytes, bytes] = self._variables._data  # noqa: SLF001 - all else tells that it was asked
        now = {os.fsdecode(name): os.fsdecode(value) for name, value in held.items()}
        programs = inherited_environment()
        put = {name: f"{now.get(name, '')}\n{value}" for name, value in programs.items() if now.get(name) != value}
        return self._environment, now | put

    def read(self, path: str, content: bytes | None) -> None:
        """A fingerprint was taken of a file with this content, or there was none available."""
        self.sources.setdefault(os.path.abspath(path), "" if content is None else digest_bytes(content))

    def sought(self, name: str, places: Sequence[str]) -> None:
        """A module is about to be looked for, to take the fingerprint of what it holds."""
        self._searches.sought(name, places)

    def probed(self, path: str) -> None:
        """A fingerprint is about to depend on whether there is something at a path."""
        full = os.path.abspath(path)
        self._facts.setdefault((load_trace.TYPE, full), load_trace.of_path(load_trace.TYPE, full))

    def called(self) -> contextlib.AbstractContextManager[None]:
        """Around code of the user's that says what a value of its own is: it may look at anything."""
        return self._quieted(on=False)

    def unheard(self) -> contextlib.AbstractContextManager[None]:
        """Actions of this thread meanwhile are not the user's."""
        return self._quieted(on=True)

    @contextlib.contextmanager
    def _quieted(self, *, on: bool) -> Iterator[None]:
        before, self._quiet.on = getattr(self._quiet, "on", False), on
        try:
            yield
        finally:
            self._quiet.on = before

    def _variable_read(self, key: object) -> None:
        if isinstance(key, (str, bytes)):
            self._variable(VARIABLE, os.fsdecode(key))

    def _all_variables(self, _: object = None) -> None:
        self._variable(VARIABLES, "")

    def _variable(self, kind: str, name: str) -> None:
        if self._active:
            fact = self._of_environment(kind, name)
            self._facts.setdefault((fact.kind, fact.subject), fact.value)

    def _of_environment(self, kind: str, name: str) -> Fact:
        return Fact(kind, name, environment_digest(kind, name, self._environment, self._salt))

    def _counts(self, full: str) -> bool:
        return not full.startswith(_PSEUDO) and "/__pycache__" not in full and not self._is_installed(full)

    def _is_installed(self, full: str) -> bool:
        return full.startswith(self._installed) or "/site-packages/" in full

    def _binaries(self) -> Iterator[str]:
        """The files of the user's modules that are not compiled from source."""
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if isinstance(file, str) and not file.endswith(".py") and self._is_user_code(file):
                yield os.path.abspath(file)

    def _restore(self) -> None:
        """Take the functions of `os` back, also from modules that have imported them by name since they were ours."""
        ours = {id(function): name for name, function in self._ours.items()}
        for name, function in self._ours.items():
            if getattr(os, name) is function:  # else it is the user's
                setattr(os, name, self._real[name])
        for imported, module in list(sys.modules.items()):
            if imported not in self._before and isinstance(module, ModuleType):
                for name, value in list(vars(module).items()):
                    if id(value) in ours:
                        setattr(module, name, self._real[ours[id(value)]])


def _by_import(depth: int) -> bool:
    """Whether the import system itself opens or lists: what it finds is noted in other ways."""
    return sys._getframe(depth).f_globals.get("__name__") in _IMPORT_SYSTEM  # noqa: SLF001


def _asked(kind: str, options: Mapping[str, Any]) -> tuple[str, ...]:
    """The name that the caller of a function of `os` asks for."""
    caller = sys._getframe(2)  # noqa: SLF001
    module = caller.f_globals.get("__name__")
    if kind == load_trace.LINK or options.get("follow_symlinks") is False:
        return (load_trace.LINK,) if module == "posixpath" else (load_trace.LINK, load_trace.PROBE)
    if module == "genericpath" and not caller.f_code.co_name.startswith("get"):
        return (load_trace.TYPE,)
    return (load_trace.PROBE,)


def _writes(mode: Any) -> bool:
    return isinstance(mode, str) and any(letter in mode for letter in "wax+")


def _installed(own: Sequence[str]) -> tuple[str, ...]:
    places = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    places |= {*site.getsitepackages(), site.getusersitepackages(), *own}
    if sys.prefix != sys.base_prefix:
        places.add(sys.prefix)
    real = {os.path.realpath(place) for place in places if place}
    return tuple(f"{place}/" for place in sorted({*(place for place in places if place), *real}))


def _start_files() -> Iterator[str]:
    """The files that Python reads to find out its path."""
    for name in _FILES_READ_BY_START:
        yield os.path.join(sys.prefix, name)
    for place in {*site.getsitepackages(), site.getusersitepackages()}:
        with contextlib.suppress(OSError):
            yield from (os.path.join(place, name) for name in os.listdir(place) if name.endswith(".pth"))


_INIT: Final = "__init__"
"""A directory without it may become a package like any other."""


class ModuleSearches:
    """Finds no module, but notes what is asked: as a finder of the import system, and for who looks in another way."""

    def __init__(
        self, is_installed: Callable[[str], bool], unheard: Callable[[], contextlib.AbstractContextManager[None]]
    ) -> None:
        """Nothing is noted yet.

        Args:
            is_installed: Of which directories it is enough to know when their names last changed.
            unheard: Around what is looked at here.
        """
        self.asked: set[str] = {_INIT}
        self._is_installed = is_installed
        self._unheard = unheard
        self._places: dict[str, str] = {}
        self._held: dict[str, str | frozenset[str]] = {}

    def find_spec(self, fullname: str, path: Sequence[str] | None = None, _: ModuleType | None = None) -> None:
        """None: others find it."""
        with contextlib.suppress(Exception):  # some packages have a path of their own making
            self.sought(fullname.rpartition(".")[2], sys.path if path is None else path)

    def sought(self, name: str, places: Sequence[str]) -> None:
        """A module, called ``name`` without its package, is about to be looked for."""
        self.asked.add(name)
        for place in places:
            path = self._places.get(place)
            if path is None:
                path = self._places[place] = os.path.abspath(place)
            held = self._look(path)
            if not isinstance(held, str) and f"{name}/" in held:  # whether it is found first hangs on what is in it
                self._look(os.path.join(path, name))

    def facts(self) -> list[Fact]:
        """The facts that decide where each of these modules is found, or that it is not."""
        self.sought(_INIT, sys.path)
        return [
            Fact(load_trace.MTIME, path, held)
            if isinstance(held, str)
            else Fact(load_trace.MODULES, path, load_trace.modules_of(held, self.asked))
            for path, held in self._held.items()
        ]

    def _look(self, path: str) -> str | frozenset[str]:
        held = self._held.get(path)
        if held is None:
            with self._unheard():
                listed = None if self._is_installed(f"{path}/") else load_trace.listing(path)
                held = self._held[path] = load_trace.mtime(path) if listed is None else frozenset(listed)
        return held
