"""Records what importing the user's modules rests on; in the host, where nothing else happens meanwhile."""

import contextlib
import os
import site
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import CodeType, ModuleType, TracebackType
from typing import Any, Final, Self

from pivot_engine import grounds
from pivot_engine.environment import VARIABLE, VARIABLES, of_environment
from pivot_engine.grounds import Fact, Grounds
from pivot_engine.marks import ABSENT, mark, settled

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

_CHANCE: Final[Mapping[str, frozenset[str]]] = {
    "it asks for the time": frozenset(
        {"now", "utcnow", "today", "time", "time_ns", "localtime", "gmtime", "ctime", "asctime"}
    ),
    "it asks for a random number": frozenset(
        {
            *("random", "randint", "randrange", "getrandbits", "randbytes", "choice", "choices", "sample", "shuffle"),
            *("uniform", "gauss", "normalvariate", "urandom", "getrandom"),
            *("uuid1", "uuid4", "token_bytes", "token_hex", "token_urlsafe"),
        }
    ),
}
"""What the user's own module code must not call: names, of functions of the modules below or methods of their types."""

_OF_CHANCE: Final = frozenset({"time", "datetime", "random", "_random", "secrets", "uuid", "posix", "pandas", "numpy"})
_UNAUDITED: Final = frozenset(
    {"polars", "pyarrow", "h5py", "duckdb", "netCDF4", "xarray", "rasterio", "fiona", "pysam", "zarr", "tables"}
)
"""Libraries that read files without Python's `open`."""

_PSEUDO: Final = ("/proc/", "/sys/", "/dev/")
_FILES_READ_BY_START: Final = ("pyvenv.cfg",)
_IMPORT_SYSTEM: Final = frozenset({"_frozen_importlib_external", "importlib._bootstrap_external"})
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Recorder:
    """A context manager around each part of a load. Afterwards `grounds` has what it rested on.

    Attributes:
        unrecorded: Why the grounds are not complete; empty if they are.
    """

    def __init__(self, is_user_code: Callable[[str], bool], own: Sequence[str]) -> None:
        """Nothing is recorded outside the blocks.

        Args:
            is_user_code: Whether a file of Python code may be edited by the user.
            own: Directories in which Pivot keeps what it knows: of no interest.
        """
        self.unrecorded: dict[str, None] = {}
        self._is_user_code = is_user_code
        self._installed = _installed(own)
        self._salt = os.urandom(8).hex()
        self._environment = dict(os.environ)
        self._facts: dict[tuple[str, str], str] = {}
        self._opened: dict[str, tuple[str, int]] = {}
        self._written: set[str] = set()
        self._finder = _Finder()
        self._chance = _Chance(self.unrecorded)
        self._real: dict[str, Any] = {}
        self._before: frozenset[str] = frozenset()
        self._quiet = threading.local()
        self._thread = threading.get_ident()
        self._active = False
        self._hooked = False

    def __enter__(self) -> Self:
        self._active = True
        self._before = frozenset(sys.modules)
        if not self._hooked:
            self._hooked = True
            sys.addaudithook(self._hook)
        sys.meta_path.insert(0, self._finder)
        for name, kind in (("stat", grounds.PROBE), ("lstat", grounds.LINK), ("access", grounds.PROBE)):
            self._real[name] = getattr(os, name)
            setattr(os, name, self._probing(self._real[name], kind))
        _note_variables(self._asked_for)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._active = False
        self._chance.stop()
        _note_variables(None)
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self._finder]
        self._restore()
        if any(thread is not threading.current_thread() for thread in threading.enumerate()):
            self.unrecorded["it leaves threads running"] = None

    def watch(self, code: CodeType) -> None:
        """Heed what the code of a user's module calls while it is imported."""
        if self._active:
            self._chance.watch(code)

    def grounds(self, sources: Mapping[str, str]) -> Grounds:
        """What the load rested on.

        Args:
            sources: The digest of each file of code that was imported, by absolute path.
        """
        facts = [Fact(kind, subject, value) for (kind, subject), value in self._facts.items()]
        files = {path: digest or ABSENT for path, digest in sources.items()}
        for path, (marked, at) in self._opened.items():
            if path not in files and path not in self._written:
                files[path] = grounds.content(path)
                if mark(path) != marked or not settled(marked, at):
                    self.unrecorded[f"{path} was being written"] = None
        for path in self._binaries():
            files.setdefault(path, grounds.content(path))
        facts += [Fact(grounds.FILE, path, value) for path, value in files.items()]
        asked = frozenset(self._finder.asked)
        for place in self._finder.places():
            path = os.path.abspath(place)
            if os.path.isdir(path) and not self._is_installed(f"{path}/"):
                facts.append(Fact(grounds.MODULES, path, grounds.modules(path, asked)))
            else:
                facts.append(Fact(grounds.STAMP, path, grounds.stamp(path)))
        facts += [Fact(grounds.STAMP, path, grounds.stamp(path)) for path in _start_files()]
        for prefix in ("PYTHON", "LC_", "LANG"):
            facts.append(self._of_environment(VARIABLES, prefix))
        return Grounds(tuple(dict.fromkeys(facts)), tuple(sorted(asked)), self._salt, grounds.identity())

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._active:
            return
        if event == "open":
            self._opening(args[0], args[1], args[2])
        elif event in ("os.listdir", "os.scandir"):
            if not _by_import(2):
                self._path(grounds.NAMES, "." if args[0] is None else args[0])
        elif event in _UNSEEN and threading.get_ident() == self._thread:
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
                with self._unheard():
                    self._opened[full] = (mark(full), time.time_ns())

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
        with self._unheard():
            self._facts[kind, full] = grounds.of_path(kind, full)

    @contextlib.contextmanager
    def _unheard(self) -> Iterator[None]:
        """What this thread does meanwhile is not of the user's doing."""
        self._quiet.on = True
        try:
            yield
        finally:
            self._quiet.on = False

    def _asked_for(self, name: str | None) -> None:
        """A variable was asked for, or all were."""
        if self._active:
            fact = self._of_environment(VARIABLES if name is None else VARIABLE, name or "")
            self._facts.setdefault((fact.kind, fact.subject), fact.value)

    def _of_environment(self, kind: str, name: str) -> Fact:
        return Fact(kind, name, of_environment(kind, name, self._environment, self._salt))

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
        ours = {id(getattr(os, name)): name for name in self._real}
        for name, real in self._real.items():
            setattr(os, name, real)
        for imported, module in list(sys.modules.items()):
            if imported not in self._before and isinstance(module, ModuleType):
                for name, value in list(vars(module).items()):
                    if id(value) in ours:
                        setattr(module, name, self._real[ours[id(value)]])


class _Finder:
    """Finds no module, but notes which were asked for, and where they were looked for."""

    def __init__(self) -> None:
        self.asked: set[str] = set()
        self._packages: set[str] = set()

    def find_spec(self, fullname: str, path: Sequence[str] | None = None, _: ModuleType | None = None) -> None:
        """None: others find it."""
        self.asked.add(fullname.rpartition(".")[2])
        if path is not None:
            with contextlib.suppress(Exception):  # some packages have a path of their own making
                self._packages.update(path)

    def places(self) -> list[str]:
        """Every directory, or archive, in which a module was looked for."""
        return list(dict.fromkeys([*sys.path, *sorted(self._packages)]))


class _Chance:
    """Notices calls, in the code of the user's modules, of what gives another answer each time."""

    def __init__(self, told: dict[str, None]) -> None:
        self._told = told
        self._tool: int | None = None
        self._watched: list[CodeType] = []

    def watch(self, code: CodeType) -> None:
        monitoring = sys.monitoring
        if self._tool is None:
            self._tool = next((each for each in range(6) if monitoring.get_tool(each) is None), None)
            if self._tool is None:
                self._told["no tool id of sys.monitoring is free"] = None
                return
            monitoring.use_tool_id(self._tool, "pivot load")
            monitoring.register_callback(self._tool, monitoring.events.CALL, self._called)
        for each in _nested(code):
            monitoring.set_local_events(self._tool, each, monitoring.events.CALL)
            self._watched.append(each)

    def stop(self) -> None:
        if self._tool is not None:
            for code in self._watched:
                sys.monitoring.set_local_events(self._tool, code, 0)
            sys.monitoring.register_callback(self._tool, sys.monitoring.events.CALL, None)
            sys.monitoring.free_tool_id(self._tool)
            self._tool = None

    def _called(self, _: CodeType, __: int, function: object, ___: object) -> None:
        with contextlib.suppress(Exception):  # an object may refuse to say what it is
            reason = _unrecordable(function)
            if reason is not None:
                self._told[reason] = None


def _unrecordable(function: Any) -> str | None:
    owner = getattr(function, "__self__", None)
    if owner is None:  # a method in C is called by its descriptor
        owner = getattr(function, "__objclass__", None)
        if owner is not None and owner.__module__ == "datetime":  # what a given date says of itself is no chance
            return None
    module = getattr(function, "__module__", None)
    if not isinstance(module, str):
        module = owner.__name__ if isinstance(owner, ModuleType) else getattr(owner, "__module__", None)
    if not isinstance(module, str):
        module = type(owner).__module__ if owner is not None else ""
    package = module.partition(".")[0]
    if package in _UNAUDITED:
        return f"it calls {package}, which may read files unseen"
    if package not in _OF_CHANCE:
        return None
    name = getattr(function, "__name__", "")
    if name == "strftime" and package == "time":
        return "it asks for the time"
    return next((reason for reason, listed in _CHANCE.items() if name in listed), None)


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


class _Noting(type(os.environ)):  # type: ignore[misc]  # the class has no public name
    """`os.environ`, which tells what is asked of it."""

    def __getitem__(self, key: Any) -> Any:
        noted = self.__dict__.get("_recording")
        if noted is not None and isinstance(key, (str, bytes)):
            noted(os.fsdecode(key))
        return super().__getitem__(key)

    def __iter__(self) -> Iterator[Any]:
        noted = self.__dict__.get("_recording")
        if noted is not None:
            noted(None)
        names: Iterator[Any] = super().__iter__()
        return names

    def __len__(self) -> int:
        noted = self.__dict__.get("_recording")
        if noted is not None:
            noted(None)
        return len(self._data)


def _note_variables(noted: Callable[[str | None], None] | None) -> None:
    for mapping in (os.environ, os.environb):
        environment: Any = mapping
        if noted is None:
            environment.__dict__.pop("_recording", None)
            environment.__class__ = _Noting.__base__
        else:
            environment.__class__ = _Noting
            environment.__dict__["_recording"] = noted


def _by_import(depth: int) -> bool:
    """Whether the import system itself opens or lists: what it finds is noted in other ways."""
    return sys._getframe(depth).f_globals.get("__name__") in _IMPORT_SYSTEM  # noqa: SLF001


def _asked(kind: str, options: Mapping[str, Any]) -> tuple[str, ...]:
    """What the caller of a function of `os` wants to know."""
    caller = sys._getframe(2)  # noqa: SLF001
    module = caller.f_globals.get("__name__")
    if kind == grounds.LINK or options.get("follow_symlinks") is False:
        return (grounds.LINK,) if module == "posixpath" else (grounds.LINK, grounds.PROBE)
    if module == "genericpath" and not caller.f_code.co_name.startswith("get"):
        return (grounds.TYPE,)
    return (grounds.PROBE,)


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
    """What Python reads to find out what its path is."""
    for name in _FILES_READ_BY_START:
        yield os.path.join(sys.prefix, name)
    for place in {*site.getsitepackages(), site.getusersitepackages()}:
        with contextlib.suppress(OSError):
            yield from (os.path.join(place, name) for name in os.listdir(place) if name.endswith(".pth"))
