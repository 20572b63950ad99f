"""The observer inside a Python program that a shell stage started; a start file executes it before the program.

It runs in every Python from 3.8 on, also where Pivot is not installed, so its syntax is that of 3.8, and it imports
only what every interpreter has imported by then. No error of its own reaches the program.
"""

import os
import sys

TYPE_CHECKING = False  # without an import of `typing`
if TYPE_CHECKING:
    from typing import Any

    from pivot_fingerprint.runtime.program_names import (
        BOOT,
        command_words,
        frame_at,
        has_place,
        ignores_start_file,
        importing_module,
        json_text,
        kernel_places,
        module_name,
        namespace_of,
        nested_codes,
        passed_variables,
        reader_name,
        starts_python,
        stem,
        system_places,
        with_place,
    )

_open, _write, _close, _getpid, _stat = os.open, os.write, os.close, os.getpid, os.stat
_realpath, _abspath, _exists, _islink, _fsdecode = (
    *(os.path.realpath, os.path.abspath, os.path.exists),
    *(os.path.islink, os.fsdecode),
)
_environment: "Any" = os.environ
_getframe = sys._getframe
_Code = type(_realpath.__code__)
_EXTERNAL = sys.modules["_frozen_importlib_external"].__dict__
_MODULE = "<module>"
_WHOLE = "*"
_SOURCE = "<source>"
_MANY_CALLS = 1000
_CALLEES = 0  # the line of a function whose callees could not be observed
_OPTIMIZED = 1
_INSTALLED = ("site-packages", "dist-packages")
_SOURCES = (".py", ".pyw")
_SCOPES = ("<generic parameters of ", "__annotate__")
_CODE_FILES = (".py", ".pyc", ".pyi", ".so")
_OWN = (".pivot", ".git")
_PASSED_OVER = ("__pycache__", "site-packages", "dist-packages", ".git")
_METADATA = (".dist-info", ".egg-info")
_READERS = (
    *("_frozen_importlib_external", "importlib._bootstrap_external", "linecache", "pkgutil", "runpy", "tokenize"),
    *("zipimport", "inspect", "_pytest.assertion.rewrite", "_pyrepl.main"),
)
_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_TOOLS = (5, 4, 3)
_STARTED = "a Python program was started: what ran in it was not observed"
_MAPPING = ("<frozen _collections_abc>", "_collections_abc.py", "<frozen os>")
_FRAMES = (3, 12)
_LIVE_LOCALS = (3, 13)


class ProgramObserver:
    """Writes the acts of one program line by line to files of the stage's spool directory, by process."""

    def __init__(self, run: "dict[str, Any]", place: str) -> None:
        self._root = str(run["root"])
        self._prefix = self._root.rstrip("/") + "/"
        self._spool = str(run["spool"])
        self._place = place
        self._declared = frozenset(run["declared"])
        self._assigned = frozenset(run["assigned"])
        self._passed_over = (*run["passed_over"], *kernel_places())
        self._library = os.path.dirname(_realpath(os.__file__)) + "/"
        self._environment = sys.prefix + "/"
        self._ran: set[tuple[object, ...]] = set()
        self._calls: dict[tuple[object, ...], int] = {}
        self._noted: set[tuple[str, str]] = set()
        self._found: dict[str, str | None] = {}
        self._real_directories: dict[str, str] = {}
        self._environments: dict[str, bool] = {}
        self._read_as_data: set[str] = set()
        self._wanted: dict[str, list[str]] = {}
        self._opened_before: set[tuple[Any, bool]] = set()
        self._remaining: list[Any] = []
        self._events: dict[str, Any] = {
            "exec": self._executed,
            "function.__new__": self._executed,
            "object.__setattr__": self._attribute_set,
            "import": self._imported,
            "subprocess.Popen": self._popen,
            "os.system": self._system,
            "os.exec": self._spawned,
            "os.posix_spawn": self._spawned,
        }
        if run["files"]:
            self._events.update(
                {
                    "open": self._opened,
                    "os.chdir": self._moved,
                    "os.rename": self._renamed,
                    "os.link": self._renamed,
                    "os.symlink": self._renamed,
                    "os.truncate": self._truncated,
                    "sqlite3.connect": self._connected,
                }
            )
        self._tool: int | None = None
        self._python_path = self._current_python_path()

    def begin(self) -> None:
        """Observe until the program ends."""
        self._line(".unsure", None)
        self._begin_functions()
        if self._tool is None:
            self._events["pickle.find_class"] = self._unpickled
        self._begin_variables()
        self._compile_users_code()
        sys.addaudithook(self._hook())

    # Records

    def _line(self, suffix: str, text: "str | None") -> None:
        """Append a line for this process; the file is opened each time, since a daemon closes all descriptors."""
        try:
            file = self._spool + "/" + str(_getpid()) + suffix
            fd = _open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
            try:
                if text is not None:
                    _write(fd, (text + "\n").encode())
            finally:
                _close(fd)
        except OSError:
            pass

    def _add(self, relative: str, module: str, name: str, line: int, importing: str = "") -> None:
        ran = (relative, module, name, line, importing)
        if ran not in self._ran:
            self._ran.add(ran)
            words = [json_text(relative), json_text(module), json_text(name), str(line), json_text(importing)]
            self._line(".unsure", "[" + ", ".join(words) + "]")

    def _reason(self, text: str) -> None:
        if ("", text) not in self._noted:
            self._noted.add(("", text))
            self._line(".unsure", json_text(text))

    def _note(self, kind: str, text: str) -> None:
        if (kind, text) not in self._noted:
            self._noted.add((kind, text))
            self._line(".io", "[" + json_text(kind) + ", " + json_text(text) + "]")

    # Code

    def _find(self, filename: str, program: bool = False, imported: bool = False) -> "str | None":
        """The path of a file with the user's code relative to the root; None for any other file.

        Outside the root, only modules count that are imported: an editable install, not code that a library generates.
        """
        if filename not in self._found:
            self._found[filename] = self._look(filename, program, imported)
        return self._found[filename]

    def _look(self, filename: str, program: bool, imported: bool) -> "str | None":
        if not filename or filename[0] == "<" or not (program or filename.endswith(_SOURCES)):
            return None
        file = self._real(filename)
        inside = file.startswith(self._prefix)
        parts = file.split("/")
        if any(part in parts for part in _INSTALLED) or file.startswith(self._library) or not _exists(file):
            return None
        if inside:
            if self._is_declared(file) or self._is_declared(_abspath(filename)) or self._in_environment(file):
                return None
            return file[len(self._prefix) :]
        if program or not imported or any(file.startswith(each) for each in system_places()):
            return None
        return os.path.relpath(file, self._root)

    def _real(self, filename: str) -> str:
        """The real path of a file, of whose directory it is kept."""
        directory, _, name = _abspath(filename).rpartition("/")
        if directory not in self._real_directories:
            self._real_directories[directory] = _realpath(directory or "/")
        file = self._real_directories[directory].rstrip("/") + "/" + name
        return _realpath(file) if _islink(file) else file

    def _is_declared(self, file: str) -> bool:
        while len(file) > len(self._prefix):
            if file in self._declared:
                return True
            file = file.rpartition("/")[0]
        return False

    def _in_environment(self, file: str) -> bool:
        """Whether a file of the project is in a virtual environment there."""
        directory = file.rpartition("/")[0]
        if len(directory) < len(self._prefix):
            return False
        known = self._environments.get(directory)
        if known is None:
            known = _exists(directory + "/pyvenv.cfg") or self._in_environment(directory)
            self._environments[directory] = known
        return known

    def _begin_functions(self) -> None:
        if sys.version_info < _FRAMES:
            return  # without functions, all of each module counts
        monitoring = sys.monitoring
        for tool in _TOOLS:
            if monitoring.get_tool(tool) is None:
                monitoring.use_tool_id(tool, "pivot")
                monitoring.register_callback(tool, monitoring.events.PY_START, self._started)
                self._tool = tool
                return
        # All ids are taken, so each module counts as a whole, as in an older version.

    def _started(self, code: "Any", _offset: int) -> object:
        """Callback: a function or module of the user begins."""
        try:
            return self._record(code, _getframe(1))
        except RecursionError:
            return None  # too near the limit to look at it; the next call may be recorded
        except Exception:  # noqa: BLE001
            return sys.monitoring.DISABLE

    def _record(self, code: "Any", frame: "Any") -> object:
        disable = sys.monitoring.DISABLE
        name = code.co_name
        relative = self._find(code.co_filename)
        if relative is None or (name != _MODULE and (not code.co_flags & _OPTIMIZED or name.startswith(_SCOPES))):
            return disable
        module = module_name(frame.f_globals, code.co_filename)
        importing = "" if name == _MODULE else importing_module(frame)
        place = (relative, module, code.co_qualname, code.co_firstlineno)
        if importing:
            times = self._calls[place] = self._calls.get(place, 0) + 1
            if times <= _MANY_CALLS:
                self._add(*place, importing)
                return None
        self._add(*place)
        return disable

    def _executed(self, code: "Any" = None, *_rest: object) -> None:
        """A code object is executed, or becomes a function."""
        if type(code) is not _Code:
            return
        frame = frame_at(3)
        filename = code.co_filename
        if filename[:1] == "<":
            if self._read_as_data and frame is not None and self._find(frame.f_code.co_filename) is not None:
                for each in sorted(self._read_as_data):
                    self._add(each, stem(each), _SOURCE, 1)
            return
        program = frame is None or frame.f_globals.get("__name__") == "runpy"
        relative = self._find(filename, program, frame is not None and frame.f_globals is BOOT)
        if relative is None:
            return
        if self._tool is not None:
            for one in nested_codes(code):
                sys.monitoring.set_local_events(self._tool, one, sys.monitoring.events.PY_START)
        elif code.co_name == _MODULE:
            module = module_name(namespace_of(frame, filename), filename)
            self._add(relative, module, _WHOLE, 1)
            for name in self._wanted.pop(module, ()):
                self._add(relative, module, name, _CALLEES)

    def _unpickled(self, module: str, name: str) -> None:
        """A pickle names a function or class, which may run unobserved; its module is imported afterwards."""
        namespace = getattr(sys.modules.get(module), "__dict__", {})
        file = namespace.get("__file__")
        if file is None:
            self._wanted.setdefault(module, []).append(name)
            return
        relative = self._find(file, imported=True)
        if relative is not None:
            self._add(relative, module_name(namespace, file), name, _CALLEES)

    def _attribute_set(self, _of: "Any" = None, name: object = None, value: "Any" = None, *_rest: object) -> None:
        if name == "__code__":
            self._executed(value)

    def _imported(self, module: object = None, filename: object = None, *_rest: object) -> None:
        """A compiled module is loaded; sources have no file in this event."""
        if isinstance(filename, str) and filename.startswith(self._prefix):
            file = _realpath(filename)
            parts = file.split("/")
            if not any(part in parts for part in _INSTALLED) and not self._in_environment(file):
                self._reason("the module `" + str(module) + "` is compiled code")

    def _compile_users_code(self) -> None:
        """Compile the user's sources at each import: a `.pyc` may be of a text that was edited in the same second.

        Also note which version of the file is read.
        """
        loader = _EXTERNAL["SourceFileLoader"]
        original = loader.path_stats

        def path_stats(self: "Any", path: str) -> object:
            try:
                users = found(path)
            except Exception:  # noqa: BLE001
                users = False
            if users:
                raise OSError  # so the import system neither reads nor writes a `.pyc`
            return original(self, path)

        def found(path: str) -> bool:
            relative = self._find(path, imported=True)
            if relative is not None:
                self._version(relative, path)
            return relative is not None

        loader.path_stats = path_stats

    def _version(self, relative: str, path: str) -> None:
        """Note the state of a file of code just before it is read."""
        try:
            status = _stat(path)
        except OSError:
            return
        self._note("s", "\0".join([relative, str(status.st_mtime_ns), str(status.st_size), str(status.st_ino)]))

    # Files

    def _hook(self) -> "Any":
        """The audit hook, which most events leave at once."""
        find = self._events.get

        def hook(event: str, args: "tuple[Any, ...]") -> None:
            handle = find(event)
            if handle is not None:
                try:
                    handle(*args)
                except Exception:  # noqa: BLE001, S110 - the program's own call would fail with it
                    pass

        return hook

    def _opened(self, path: "Any", _mode: object, flags: "Any") -> None:
        if isinstance(path, int) or path is None:
            return
        wrote = bool(flags & _WRITE_FLAGS)
        text = path if type(path) is str else _fsdecode(path)
        if (text, wrote) in self._opened_before:
            return
        frame = frame_at(3)
        if frame is None:  # the interpreter itself opens the file of the program
            relative = self._find(text, True)
            if relative is not None:
                self._version(relative, text)
            return
        if reader_name(frame) in _READERS and text.endswith(_CODE_FILES):
            return
        self._opened_before.add((text, wrote))
        self._used(text, wrote)
        if not wrote and text.endswith(_SOURCES) and self._find(frame.f_code.co_filename) is not None:
            relative = self._find(text)
            if relative is not None:
                self._version(relative, text)
                self._read_as_data.add(relative)

    def _moved(self, *_rest: object) -> None:
        """The working directory changes, to which paths are relative."""
        self._opened_before.clear()

    def _renamed(self, _source: object, target: "Any", *_rest: object) -> None:
        self._used(_fsdecode(target), True)

    def _truncated(self, path: "Any", *_rest: object) -> None:
        if not isinstance(path, int):
            self._used(_fsdecode(path), True)

    def _connected(self, path: "Any", *_rest: object) -> None:
        text = _fsdecode(path)
        self._used(text, not _exists(text))

    def _used(self, path: str, wrote: bool) -> None:
        file = _abspath(path)
        if not file.startswith(self._prefix) or file.startswith(self._environment):
            return
        relative = file[len(self._prefix) :]
        parts = relative.split("/")
        if parts[0] in _OWN or any(part in parts for part in _PASSED_OVER) or self._is_declared(file):
            return
        if any(part.endswith(_METADATA) for part in parts):
            return
        if wrote:
            self._note("w", relative)
        elif ("w", relative) not in self._noted:
            self._note("r", relative)

    # Programs

    def _popen(self, _executable: object, args: "Any", _cwd: object, env: "Any") -> None:
        words = command_words(args)
        self._passed(words, env)
        if not starts_python(words):
            return
        if ignores_start_file(words):
            self._reason(_STARTED)
        elif env is not None or self._current_python_path() != self._python_path:
            if sys.version_info >= _LIVE_LOCALS:
                frame = frame_at(3)
                if frame is not None and frame.f_code.co_name == "_execute_child":
                    given = _environment._data if env is None else env
                    frame.f_locals["env"] = with_place(dict(given), self._place)
                    return
            self._unless_observed(env)

    def _system(self, command: "Any") -> None:
        self._passed(command_words(command), None)
        if starts_python([_fsdecode(command)]) and self._current_python_path() != self._python_path:
            self._reason(_STARTED)

    def _spawned(self, path: "Any", args: "Any", env: "Any") -> None:
        words = command_words(args)
        if not isinstance(path, int) and not _exists(path):
            return  # one of the places in PATH that lack the program
        self._passed(words, env)
        if starts_python([*command_words(path), *words[1:]]):
            if ignores_start_file(words):
                self._reason(_STARTED)
            elif env is not None or self._current_python_path() != self._python_path:
                self._unless_observed(env)

    def _passed(self, words: "list[str]", env: "Any") -> None:
        for kind, text in passed_variables(self._assigned, words, env):
            self._note(kind, text)

    def _unless_observed(self, env: "Any") -> None:
        if not has_place(env, self._place):
            self._reason(_STARTED)

    def _current_python_path(self) -> object:
        return _environment._data.get(b"PYTHONPATH")

    # Variables

    def _begin_variables(self) -> None:
        plain = type(os.environ)
        observer = self

        def __getitem__(self: "Any", key: "Any") -> object:
            observer.read(key)
            return plain.__getitem__(self, key)

        def __iter__(self: "Any") -> object:
            names = list(plain.__iter__(self))
            observer._remaining = names[::-1]
            return iter(names)

        own = {"__getitem__": __getitem__, "__iter__": __iter__, "__module__": plain.__module__}
        recording = type(plain.__name__, (plain,), own)
        recording.__qualname__ = plain.__qualname__
        for environment in (os.environ, os.environb):
            environment.__class__ = recording

    def read(self, key: "Any") -> None:
        """Note that a variable is read; called by the mapping itself."""
        try:
            name = _fsdecode(key) if isinstance(key, bytes) else key
            if not isinstance(name, str):
                return
            copied = bool(self._remaining) and type(self._remaining[-1]) is type(key) and self._remaining[-1] == key
            if copied:
                self._remaining.pop()
            else:
                self._remaining = []
            if ("v", name) in self._noted or (copied and name not in self._assigned):
                return
            if self._counts(frame_at(3), name in self._assigned):
                self._note("v", name)
        except Exception:  # noqa: BLE001, S110
            pass

    def _counts(self, frame: "Any", assigned: bool) -> bool:
        """Whether the code that reads, below `os` and the methods of mappings, is not of the standard library."""
        while frame is not None:
            file = frame.f_code.co_filename
            if file != os.__file__ and not file.endswith(_MAPPING):
                if assigned:
                    return not file.endswith(("/subprocess.py", "/loky/backend/fork_exec.py"))
                library = os.path.dirname(os.__file__) + "/"
                if file.startswith(self._passed_over):
                    return False
                standard = file.startswith((library, "<frozen ")) and not any("/" + each in file for each in _INSTALLED)
                return not standard
            frame = frame.f_back
        return False


def begin(run: "dict[str, Any]", place: str) -> None:
    """Observe this program from now on, for the stage run that ``run`` describes."""
    ProgramObserver(run, place).begin()
