"""Start files (`sitecustomize.py`) by which Python programs observe themselves when they start."""

import itertools
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from threading import get_ident
from typing import Any, Final, NamedTuple

_IGNORES_START_FILE = re.compile(r"-[A-Za-z]*[EIS][A-Za-z]*")
"""Options with which Python ignores the environment or runs no start file."""
_PREFIX = "boot-"
_START: Final = "sitecustomize.py"
_RUN: Final = "run"
_OBSERVER: Final = "observer.py"
_SOURCES: Final = tuple(
    os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    for name in ("program_names.py", "program_observer.py")
)
PATH = "PYTHONPATH"
"""The variable through which a program finds its start file."""
_numbers = itertools.count()


class Companion(NamedTuple):
    """Another function that starts in each new interpreter of `multiprocessing` that is observed.

    Attributes:
        module: The module.
        function: The function's name.
        arguments: The arguments of the function, plain data.
    """

    module: str
    function: str
    arguments: tuple[object, ...]


class ProgramRun(NamedTuple):
    """The observation of the Python programs that a process starts.

    Attributes:
        declared: The absolute paths of files and directories whose code and use do not count.
        assigned: The environment variables whose use by any code counts.
        files: Whether to record the files below the root that they open.
        place: The directory for their start files, which is the same at each run; ``""`` for the spool directory. The
            observer's text is beside it.
        passed_over: Directories of code whose reads of variables do not count.
    """

    declared: tuple[str, ...] = ()
    assigned: tuple[str, ...] = ()
    files: bool = False
    place: str = ""
    passed_over: tuple[str, ...] = ()


# For any version of Python, also 2: a program that cannot be observed must run as always. Nothing visible to the
# program remains: neither the directory in its path and variable, nor a module. `os.environ` is changed without the
# environment of the process, so that programs that this one starts find the start file too.
_TEXT: Final = """\
def _begin():
    import os, sys
    here = os.path.dirname(os.path.abspath(__file__))
    try:
        with open(os.path.join(here, "run")) as file:
            run = eval(file.read(), {"__builtins__": {}, "None": None, "True": True, "False": False})
    except Exception:
        run = None
    known = run or {"before": None, "plus": False}
    value = os.environ.get("PYTHONPATH", "")
    items = value.split(os.pathsep)
    kept, empty = [], False
    for item in items:
        if item == here and not known["before"] and not known["plus"] and len(items) > 1:
            kept.append("")
            empty = True
        elif item not in (here, here + "/"):
            kept.append(item)
    places = [os.getcwd() if empty and place == here else place for place in sys.path]
    sys.path[:] = [p for n, p in enumerate(places) if p != here and (not empty or p not in places[:n])]
    sys.path_importer_cache.pop(here, None)
    try:
        name, data = os.environ.encodekey("PYTHONPATH"), os.environ._data
        if kept or known["before"] is not None:
            data[name] = os.environ.encodevalue(os.pathsep.join(kept))
        else:
            data.pop(name, None)
    except Exception:
        if kept or known["before"] is not None:
            os.environ["PYTHONPATH"] = os.pathsep.join(kept)
        else:
            os.environ.pop("PYTHONPATH", None)
    own = sys.modules.pop("sitecustomize", None)
    if run is not None and sys.version_info >= (3, 8):
        try:
            loader = sys.modules["_frozen_importlib_external"].SourceFileLoader("pivot_observer", run["observer"])
            names = {"__name__": "pivot_observer"}
            writes_none, sys.dont_write_bytecode = sys.dont_write_bytecode, False
            try:  # it is in a directory of Pivot's, and compiling it takes longer than all the rest
                code = loader.get_code("pivot_observer")
            finally:
                sys.dont_write_bytecode = writes_none
            exec(code, names)
            names["begin"](run, here)
            if run["mark"]:
                os.unlink(run["mark"])
        except Exception:
            pass
    try:
        import sitecustomize
    except ImportError as error:
        if getattr(error, "name", "sitecustomize") != "sitecustomize":
            raise
        if sys.version_info < (3, 6):
            sys.modules["sitecustomize"] = own
        else:  # as if there were none
            raise
_begin()
"""


class StartArguments(NamedTuple):
    """The arguments of the observation in a started program.

    Attributes:
        root: The directory to which files are relative.
        spool: The directory for the records.
        options: The other facts.
        prefix: The beginning of the names of its start files, if other processes use the same place.
    """

    root: str
    spool: str
    options: ProgramRun
    prefix: str = ""


def add_start_file(
    command: list[str], env: Mapping[str, str] | Mapping[bytes, bytes], start: StartArguments
) -> str | None:
    """Write the start file for a program; returns the `PYTHONPATH` for it, or None if it cannot be observed.

    Args:
        command: The words of its command.
        env: The environment that it would get.
        start: The arguments of its observation.
    """
    if any(_IGNORES_START_FILE.fullmatch(word) for word in command):
        return None
    before = python_path(env) if variable_name(env) in env else None
    number = next(_numbers)
    mark = os.path.join(start.spool, f"{_PREFIX}{os.getpid()}-{number}")
    place = os.path.join(_home(start), f"{start.prefix}{number}")
    if os.pathsep in place:
        return None
    try:
        os.makedirs(start.spool, exist_ok=True)
        write_start_file(place, os.path.dirname(_home(start)), start, before, mark=mark)
        os.close(os.open(mark, os.O_WRONLY | os.O_CREAT, 0o666))
    except OSError:
        return None
    return os.pathsep.join([place, before] if before else [place])


def write_start_file(
    place: str,
    shared: str,
    start: StartArguments,
    before: str | None,
    *,
    plus: bool = False,
    mark: str = "",
) -> None:
    """Write a start file, with the facts about the programs that find it.

    Args:
        place: The directory for it.
        shared: A directory for the observer's text, which is compiled there once.
        start: The arguments of the observation.
        before: The `PYTHONPATH` without the start file.
        plus: Whether an unset variable leaves out a separator in the path.
        mark: A file that the program deletes once it observes itself; ``""`` for none.

    Raises:
        OSError: A file cannot be written.
    """
    os.makedirs(place, exist_ok=True)
    observer = os.path.join(shared, _OBSERVER)
    _write_once(observer, b"\n".join(map(_read, _SOURCES)))
    _write_once(os.path.join(place, _START), _TEXT.encode())
    run: dict[str, Any] = {
        "root": start.root,
        "spool": start.spool,
        "declared": list(start.options.declared),
        "assigned": list(start.options.assigned),
        "files": start.options.files,
        "passed_over": [os.path.join(each, "") for each in start.options.passed_over],
        "observer": observer,
        "before": before,
        "plus": plus,
        "mark": mark,
    }
    _write(os.path.join(place, _RUN), ascii(run).encode())


def end_start_file(place: str) -> None:
    """Let programs that start from now on observe nothing."""
    with suppress(OSError):
        os.unlink(os.path.join(place, _RUN))


def remove_start_files(place: str) -> None:
    """Remove the start files of programs in a directory, with the directory."""
    for directory, directories, names in os.walk(place, topdown=False):
        with suppress(OSError):
            for name in names:
                os.unlink(os.path.join(directory, name))
            for name in directories:
                os.rmdir(os.path.join(directory, name))
    with suppress(OSError):
        os.rmdir(place)


def _home(start: StartArguments) -> str:
    return start.options.place or os.path.join(start.spool, "starts")


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, os.fstat(fd).st_size)
    finally:
        os.close(fd)


def _write_once(path: str, content: bytes) -> None:
    """Write a file unless it has this content: it is compiled again after each change."""
    with suppress(OSError):
        if _read(path) == content:
            return
    _write(path, content)


def _write(path: str, content: bytes) -> None:
    """Replace a file as a whole, since programs may read it meanwhile."""
    new = f"{path}.{os.getpid()}-{get_ident()}"
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        os.write(fd, content)
    finally:
        os.close(fd)
    os.replace(new, path)


def variable_name(env: Mapping[str, str] | Mapping[bytes, bytes]) -> str | bytes:
    """The name `PYTHONPATH`, of the same type as the other names in an environment."""
    return PATH.encode() if any(isinstance(name, bytes) for name in env) else PATH


def python_path(env: Mapping[str, str] | Mapping[bytes, bytes]) -> str:
    """The value of `PYTHONPATH` in an environment; empty if there is none."""
    found = dict(env).get(variable_name(env), "")  # type: ignore[arg-type]  # of the same kind
    return os.fsdecode(found or "")


def has_start_file(env: Mapping[str, str] | Mapping[bytes, bytes], start: StartArguments) -> bool:
    """Whether an environment already has a start file, as when `subprocess` uses `posix_spawn`."""
    return python_path(env).startswith(os.path.join(_home(start), ""))


def not_started(names: Iterable[str]) -> Iterator[str]:
    """The names in the spool directory of programs that did not start to observe themselves."""
    yield from (name for name in names if name.startswith(_PREFIX))
