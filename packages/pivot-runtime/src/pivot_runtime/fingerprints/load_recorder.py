"""The recorder of a load: all that the import of the user's modules depends on, or why that cannot be recorded."""

import contextlib
import os
import site
import sys
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from threading import active_count, get_ident, local
from types import CodeType, ModuleType, TracebackType
from typing import Any, Final, Self

from pivot_core.files.digest import digest_bytes
from pivot_fingerprint.programs import inherited_environment, track_putenv
from pivot_runtime.definitions import source_import
from pivot_runtime.fingerprints.load_findings import LoadFindings
from pivot_runtime.freshness import load_trace
from pivot_runtime.freshness.load_trace import Fact, LoadTrace
from pivot_runtime.freshness.stamps import ABSENT, VARIABLE, VARIABLES, environment_digest, is_settled, stamp
from pivot_runtime.processes import live_threads
from pivot_runtime.tracing import environ
from pivot_runtime.tracing.audit import WRITE_FLAGS
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
"""By audit event, the reason why a load cannot be kept: the same result at the next import cannot be checked."""

_PSEUDO: Final = ("/proc/", "/sys/", "/dev/")
_IN_MEMORY: Final = "/dev/shm/"  # noqa: S108 - nothing is written there
"""The directory of devices that has ordinary files, of projects too."""
_FILES_READ_BY_START: Final = ("pyvenv.cfg",)
_IMPORT_SYSTEM: Final = frozenset({"_frozen_importlib_external", "importlib._bootstrap_external"})

_METADATA: Final = frozenset({"importlib.metadata", "importlib_metadata"})
"""The modules that look for installed distributions in each directory on the module search path."""


class LoadRecorder:
    """A context manager around a load; afterwards, `trace` has the facts that it depended on.

    It also listens to the `Fingerprinter`, with the methods `read`, `searched`, `probed` and `called`.

    Attributes:
        unrecorded: The reasons why the trace is incomplete; empty if it is complete.
        threads: The lines that started threads.
        sources: By absolute path, the digest of each file that was fingerprinted; ``""`` for one that cannot be read.
        random_calls: The calls of user code whose results differ in each process.
    """

    def __init__(self, is_user_code: Callable[[str], bool], own: Sequence[str]) -> None:
        """Record nothing outside the block.

        Args:
            is_user_code: Whether a file has Python code of the user.
            own: Directories of Pivot, which are not recorded.
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
        self._searches = ModuleSearches(self.is_installed, self.paused)
        self.random_calls = RandomCalls(self.unrecorded)
        self._probes = OsProbes(self._probed_by_user)
        self._paused = local()
        self._thread = get_ident()
        self._active = False
        self._hooked = False

    def __enter__(self) -> Self:
        self._active = True
        if not self._hooked:
            self._hooked = True
            track_putenv()
            sys.addaudithook(self._hook)
        sys.meta_path.insert(0, self._searches)
        self._probes.start()
        environ.record(self._variable_read, self._all_variables, self._all_variables)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._active = False
        self.random_calls.stop()
        environ.stop_recording()
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not self._searches]
        self._probes.stop()
        if active_count() > 1:
            self.unrecorded["it leaves threads running"] = None

    def resume(self, unsearched: Collection[str] = ()) -> None:
        """Continue in a forked process, whose directories and variables may be others by now.

        It does not search modules in the ``unsearched`` ones.
        """
        self._environment = dict(os.environ)
        self._searches.look_again(unsearched)

    def recorded(self, fact: Fact) -> None:
        """Add a fact, unless there is one about the same subject."""
        self._facts.setdefault((fact.kind, fact.subject), fact.value)

    def findings(self) -> LoadFindings:
        """Return what was found so far, for the recorder of the process that has forked this one."""
        contents = dict(self._searches.contents)
        own = (dict(self._facts), dict(self.sources), dict(self._opened), set(self._written))
        searched = (set(self._searches.asked), set(self._searches.top), set(self._searches.packages))
        return LoadFindings(*own, tuple(self.unrecorded), *searched, contents)

    def add(self, found: LoadFindings) -> bool:
        """Add the findings of a process that this one has forked; return whether they agree with its own."""
        opened = {path: before for path, (before, _) in self._opened.items()}
        agree = (
            _agree(self._facts, found.facts)
            and _agree(self.sources, found.sources)
            and _agree(opened, {path: before for path, (before, _) in found.opened.items()})
            and _agree(self._searches.contents, found.contents)
        )
        self._facts = {**found.facts, **self._facts}
        self.sources = {**found.sources, **self.sources}
        self._opened = {**found.opened, **self._opened}
        self._written.update(found.written)
        self.unrecorded.update(dict.fromkeys(found.unrecorded))
        self._searches.asked.update(found.asked)
        self._searches.top.update(found.top)
        self._searches.packages.update(found.packages)
        self._searches.contents = {**found.contents, **self._searches.contents}
        return agree

    def watch(self, code: CodeType) -> None:
        """Observe the calls of a user's module while it is imported."""
        if self._active:
            self.random_calls.watch(code)

    def trace(self, sources: Mapping[str, str]) -> LoadTrace:
        """The facts that the load depended on.

        Args:
            sources: The digest of each file of code that was imported, by absolute path.
        """
        facts = [Fact(kind, subject, value) for (kind, subject), value in self._facts.items()]
        facts += [Fact(load_trace.FILE, path, value) for path, value in self._files(sources).items()]
        facts += self._searches.facts()
        facts += [Fact(load_trace.MTIME, path, load_trace.mtime(path)) for path in _start_files()]
        for prefix in ("PYTHON", "LC_", "LANG"):
            facts.append(self._of_environment(VARIABLES, prefix))
        return LoadTrace(
            tuple(dict.fromkeys(facts)),
            tuple(sorted(self._searches.asked)),
            tuple(sorted(self._searches.top)),
            self._salt,
            load_trace.identity(),
        )

    def _files(self, sources: Mapping[str, str]) -> dict[str, str]:
        """By absolute path, the value of the fact about each file of code or data that was read."""
        files = {path: found or ABSENT for path, found in (self.sources | dict(sources)).items()}
        for path, (before, at) in self._opened.items():
            if path not in files and path not in self._written:
                files[path] = load_trace.content(path)
                if stamp(path) != before or not is_settled(before, at):
                    self.unrecorded[f"{path} was being written"] = None
        for path in self._extension_modules():
            files.setdefault(path, load_trace.content(path))
        return files

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._active:
            return
        if event == "open":
            self._opening(args[0], args[1], args[2])
        elif event in ("os.listdir", "os.scandir"):
            if not _is_import_system(2):
                self._path(_kind_of_listing(2), "." if args[0] is None else args[0])
        elif event == "_thread.start_joinable_thread":
            self.threads.note(args[0])
        elif event in _UNSEEN and get_ident() == self._thread and not self._is_paused():
            self.unrecorded[_UNSEEN[event]] = None

    def _opening(self, path: Any, mode: Any, flags: Any) -> None:
        if isinstance(path, int) or _is_import_system(3) or self._is_paused():
            return
        with contextlib.suppress(Exception):  # the call itself raises the error
            full = os.path.abspath(os.fsdecode(path))
            writes = bool(flags & WRITE_FLAGS) if isinstance(flags, int) and flags else _writes(mode)
            if writes:
                self._written.add(full)
            if (not writes or "+" in str(mode)) and self._counts(full) and full not in self._opened:
                with self.paused():
                    self._opened[full] = (stamp(full), time.time_ns())

    def _probed_by_user(self, kind: str, path: Any) -> None:
        if self._active:
            self._path(kind, path)

    def _path(self, kind: str, path: Any) -> None:
        """Record a fact about a path as it is now, unless it is recorded already."""
        if isinstance(path, int) or self._is_paused():
            return
        full = os.path.abspath(os.fsdecode(path))
        if (kind, full) in self._facts or not self._counts(full):
            return
        with self.paused():
            self._facts[kind, full] = load_trace.of_path(kind, full)

    def environments(self) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """The variables before the load and now; this records no read of them.

        `os.putenv` changes only the environment of programs to start: where that differs, both values count.
        """
        held: Mapping[bytes, bytes] = self._variables._data  # noqa: SLF001  # its methods would record a read
        now = {os.fsdecode(name): os.fsdecode(value) for name, value in held.items()}
        programs = inherited_environment()
        put = {name: f"{now.get(name, '')}\n{value}" for name, value in programs.items() if now.get(name) != value}
        return self._environment, now | put

    def read(self, path: str, content: bytes | None) -> None:
        """Record that a file was fingerprinted, with its content; None if it cannot be read."""
        self.sources.setdefault(os.path.abspath(path), "" if content is None else digest_bytes(content))

    def searched(self, name: str, places: Sequence[str]) -> None:
        """Record that a module is looked for, to fingerprint code in it."""
        self._searches.searched(name, places)

    def probed(self, path: str) -> None:
        """Record that a fingerprint depends on the existence of a path."""
        full = os.path.abspath(path)
        self._facts.setdefault((load_trace.TYPE, full), load_trace.of_path(load_trace.TYPE, full))

    def called(self) -> contextlib.AbstractContextManager[None]:
        """Record in the block, in which user code makes the fingerprint of its own value."""
        return self._pause(on=False)

    def paused(self) -> contextlib.AbstractContextManager[None]:
        """Record nothing of this thread in the block, in which Pivot's own code works."""
        return self._pause(on=True)

    @contextlib.contextmanager
    def _pause(self, *, on: bool) -> Iterator[None]:
        before, self._paused.on = self._is_paused(), on
        try:
            yield
        finally:
            self._paused.on = before

    def _is_paused(self) -> bool:
        return getattr(self._paused, "on", False)

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
        pseudo = full.startswith(_PSEUDO) and not full.startswith(_IN_MEMORY)
        return not pseudo and "/__pycache__" not in full and not self.is_installed(full)

    def is_installed(self, full: str) -> bool:
        """Whether a path is in a directory of Python, of installed packages or of Pivot."""
        return full.startswith(self._installed) or "/site-packages/" in full

    def _extension_modules(self) -> Iterator[str]:
        """The files of the user's modules that are not Python source."""
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if isinstance(file, str) and not file.endswith(".py") and self._is_user_code(file):
                yield os.path.abspath(file)


def _agree(one: Mapping[Any, object], other: Mapping[Any, object]) -> bool:
    return all(one.get(key, value) == value for key, value in other.items())


class OsProbes:
    """Replacements of `os.stat`, `os.lstat` and `os.access` that report the paths whose existence code asks for."""

    _KINDS: Final = (("stat", load_trace.PROBE), ("lstat", load_trace.LINK), ("access", load_trace.PROBE))

    def __init__(self, probed: Callable[[str, Any], None]) -> None:
        """Call ``probed`` with the kind of fact and the path, before the function itself."""
        self._probed = probed
        self._originals: dict[str, Any] = {}
        self._replacements: dict[str, Any] = {}
        self._modules: frozenset[str] = frozenset()
        self._bound: list[tuple[dict[str, Any], str, str]] = []
        self._seen: set[int] = set()

    def start(self) -> None:
        """Replace the functions, also where modules had imported a replacement by name before `stop`."""
        self._modules = frozenset(sys.modules)
        for name, kind in self._KINDS:
            self._originals[name] = getattr(os, name)
            self._replacements.setdefault(name, self._replacement(self._originals[name], kind))
            setattr(os, name, self._replacements[name])
        for namespace, name, function in self._bound:
            if namespace.get(name) is self._originals[function]:
                namespace[name] = self._replacements[function]

    def stop(self) -> None:
        """Put the functions back, also in modules that have imported a replacement by name."""
        names = {id(function): name for name, function in self._replacements.items()}
        for namespace, name, function in self._bound:
            if namespace.get(name) is self._replacements[function]:
                namespace[name] = self._originals[function]
        for name, function in self._replacements.items():
            if getattr(os, name) is function:  # else user code has replaced it in turn
                setattr(os, name, self._originals[name])
        for imported, module in list(sys.modules.items()):
            if imported in self._modules or id(module) in self._seen:
                continue
            if isinstance(module, ModuleType):
                self._seen.add(id(module))
                for name, value in list(vars(module).items()):
                    if id(value) in names:
                        setattr(module, name, self._originals[names[id(value)]])
                        self._bound.append((vars(module), name, names[id(value)]))

    def _replacement(self, original: Callable[..., Any], kind: str) -> Callable[..., Any]:
        def probe(path: Any, *arguments: Any, **options: Any) -> Any:
            if not isinstance(path, int) and options.get("dir_fd") is None:
                with contextlib.suppress(Exception):
                    for each in _facts_asked(kind, options):
                        self._probed(each, path)
            return original(path, *arguments, **options)

        return probe


def _is_import_system(depth: int) -> bool:
    """Whether the frame at this depth is of the import system, whose searches `ModuleSearches` records."""
    return sys._getframe(depth).f_globals.get("__name__") in _IMPORT_SYSTEM  # noqa: SLF001


def _kind_of_listing(depth: int) -> str:
    """The kind of the fact that the frame at this depth depends on, which lists a directory."""
    caller = sys._getframe(depth)  # noqa: SLF001
    of_metadata = caller.f_globals.get("__name__") in _METADATA and caller.f_code.co_name == "children"
    return load_trace.DISTRIBUTIONS if of_metadata else load_trace.NAMES


def _facts_asked(kind: str, options: Mapping[str, Any]) -> tuple[str, ...]:
    """The kinds of facts that the caller of a function of `os` depends on."""
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
    places = {*source_import.installed_directories(), *own}
    if sys.prefix != sys.base_prefix:
        places.add(sys.prefix)
    real = {os.path.realpath(place) for place in places}
    return tuple(f"{place}/" for place in sorted(places | real))


def _start_files() -> Iterator[str]:
    """The files that Python reads at its start to find its module search path."""
    for name in _FILES_READ_BY_START:
        yield os.path.join(sys.prefix, name)
    for place in {*site.getsitepackages(), site.getusersitepackages()}:
        with contextlib.suppress(OSError):
            yield from (os.path.join(place, name) for name in os.listdir(place) if name.endswith(".pth"))


_INIT: Final = "__init__"
"""The module that makes a directory a package: it may be added to any directory."""


class ModuleSearches:
    """A record of the searches for modules: a finder of the import system that finds none.

    Attributes:
        asked: The names of the modules that were looked for, without their packages.
        top: Those of them that were looked for in no package. Libraries have so many modules with common names that
            only these may be in a directory that is on `sys.path`: else outs called ``data`` or ``models`` would count.
        packages: The directories in which modules of packages were looked for, or would be.
        contents: By directory, the names in it; its time of change if it is installed, or cannot be listed.
    """

    def __init__(
        self, is_installed: Callable[[str], bool], paused: Callable[[], contextlib.AbstractContextManager[None]]
    ) -> None:
        """Nothing is recorded yet.

        Args:
            is_installed: Whether a directory is an installed one, whose time of change is enough to know.
            paused: A context manager for this object's own use of the file system.
        """
        self.asked: set[str] = {_INIT}
        self.top: set[str] = set()
        self.packages: set[str] = set()
        self._is_installed = is_installed
        self._paused = paused
        self._absolute: dict[str, str] = {}
        self.contents: dict[str, str | frozenset[str]] = {}

    def find_spec(self, fullname: str, path: Sequence[str] | None = None, _: ModuleType | None = None) -> None:
        """Record the search, and leave it to the other finders."""
        with contextlib.suppress(Exception):  # the path of a package may be any object
            self.searched(fullname.rpartition(".")[2], sys.path if path is None else path)

    def searched(self, name: str, places: Sequence[str]) -> None:
        """Record a search for a module, called ``name`` without its package."""
        self.asked.add(name)
        in_package = places is not sys.path
        if not in_package:
            self.top.add(name)
        for place in places:
            path = self._absolute.get(place)
            if path is None:
                path = self._absolute[place] = os.path.abspath(place)
            if in_package:
                self.packages.add(path)
            content = self._content(path)
            if not isinstance(content, str) and f"{name}/" in content:  # a package, or a directory without code
                package = os.path.join(path, name)
                self.packages.add(package)
                self._content(package)

    def look_again(self, unsearched: Collection[str]) -> None:
        """List the directories that are not installed again; forget the ``unsearched`` ones."""
        listed = [path for path, content in self.contents.items() if not isinstance(content, str)]
        for path in listed:
            del self.contents[path]
        for path in listed:
            if path not in unsearched:
                self._content(path)

    def facts(self) -> list[Fact]:
        """The facts that determine where each of these modules is found, if anywhere."""
        self.searched(_INIT, sys.path)
        return [
            Fact(load_trace.MTIME, path, content)
            if isinstance(content, str)
            else Fact(load_trace.MODULES, path, load_trace.modules_of(content, self.asked))
            if path in self.packages
            else Fact(load_trace.TOP_MODULES, path, load_trace.modules_of(content, self.top))
            for path, content in self.contents.items()
        ]

    def _content(self, path: str) -> str | frozenset[str]:
        """The names in a directory; its time of change if it is installed, or cannot be listed."""
        content = self.contents.get(path)
        if content is None:
            with self._paused():
                listed = None if self._is_installed(f"{path}/") else load_trace.listing(path)
                content = self.contents[path] = load_trace.mtime(path) if listed is None else frozenset(listed)
        return content
