"""The start file by which the Python programs of a shell stage observe themselves, and what they report."""

import contextlib
import json
import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from pivot_cache.layout import Layout

_VARIABLE: Final = "PYTHONPATH"
_START: Final = "sitecustomize.py"
_RUN: Final = "run"
_OBSERVER: Final = "observer.py"
_RECORDS: Final = ".unsure"
_SOURCES: Final = tuple(
    os.path.join(os.path.dirname(__file__), name) for name in ("program_names.py", "program_observer.py")
)
_LARGEST: Final = 1 << 20
_MAKES: Final = ("make", "gmake")
_MAKEFILES: Final = ("GNUmakefile", "makefile", "Makefile")
_LOOKS: Final = "its command looks at PYTHONPATH: what ran in the Python programs that it starts was not observed"
_SEPARATED: Final = "the path of the project has a colon: what ran in Python programs was not observed"
_UNWRITABLE: Final = "the start file of its Python programs cannot be written: what ran in them was not observed"
_UNOBSERVED: Final = "a Python program was started: what ran in it was not observed"

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
        os.environ["PYTHONPATH"] = os.pathsep.join(kept)
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


class BashStart(NamedTuple):
    """The text and the environment of bash by which the Python programs below it observe themselves.

    Attributes:
        text: The command.
        environ: The environment.
    """

    text: str
    environ: Mapping[str, str]


class ProgramTracer:
    """The start file of one stage, in a place that is the same for each of its runs.

    The place is in the environment of all programs of the stage, so what they write must not depend on it.
    """

    def __init__(self, root: str, address: str, spool: str, run: Mapping[str, Any]) -> None:
        """Prepare nothing yet.

        Args:
            root: The absolute path of the project.
            address: The stage's.
            spool: The directory for the observations.
            run: The `declared` files, the `assigned` variables, and whether to observe `files`, as for `StageTracer`.
        """
        self._root = root
        self._spool = spool
        self._shared = os.fspath(Layout(Path(root)).programs_dir)
        self.place = os.path.join(self._shared, address)
        self._run = run
        self._unseen: set[str] = set()
        self._scripts: set[str] = set()
        self._expects = False

    def bash(self, text: str, environ: Mapping[str, str], directory: str) -> BashStart:
        """The text and the environment of bash for a command that runs in a directory."""
        from pivot_core.commands.python_programs import python_programs  # lazy
        from pivot_runtime.programs import python_path  # lazy

        before = environ.get(_VARIABLE)
        found = python_path.observed(text, before, self.place, _looking_at(text, directory))
        calls = [call for call in python_programs(text) if call.interpreter or call.runner or call.name.endswith(".py")]
        seems = bool(calls)
        problem = "" if found is not None else _SEPARATED if python_path.SEPARATOR in self.place else _LOOKS
        if found is not None:
            try:
                self._write(before, plus=found.plus)
            except OSError:
                problem = _UNWRITABLE
        if found is None or problem:
            self._unseen |= {problem} if seems else set()
            return BashStart(text, environ)
        self._expects |= seems
        if found.lost:
            self._unseen.add(_UNOBSERVED)
        for call in calls:
            if call.kind == "script" and call.known and call.directory is not None:
                self._scripts.add(os.path.join(directory, call.directory, call.name))
        return BashStart(found.text, {**environ, _VARIABLE: found.value})

    def close(self) -> tuple[str, ...]:
        """Let programs that outlive the stage observe nothing; returns why programs were not observed, in words."""
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(self.place, _RUN))
        if self._expects:
            files = self._observed_files()
            self._unseen |= {_UNOBSERVED} if files is None else set()
            for script in self._scripts if files is not None else ():
                path = os.path.relpath(os.path.realpath(script), self._root)
                if path not in (files or ()) and self._is_recorded(path):
                    self._unseen.add(f"no run of the Python program {path!r} was observed")
        return tuple(sorted(self._unseen))

    def _observed_files(self) -> set[str] | None:
        """The files with code that ran in programs; None if no program was observed."""
        files: set[str] | None = None
        with contextlib.suppress(OSError, ValueError):
            for name in os.listdir(self._spool):
                if name.endswith(_RECORDS):
                    rows = map(json.loads, _read(os.path.join(self._spool, name)).splitlines())
                    files = (files or set()).union(row[0] for row in rows if isinstance(row, list))
        return files

    def _is_recorded(self, path: str) -> bool:
        """Whether code in a file would be recorded: it is in the project, in no environment, and not declared."""
        file = os.path.join(self._root, path)
        parents = [os.path.join(self._root, *path.split("/")[:end]) for end in range(1, path.count("/") + 1)]
        if not os.path.isfile(file) or path.startswith("..") or "site-packages" in path:
            return False
        if any(os.path.exists(os.path.join(each, "pyvenv.cfg")) for each in parents):
            return False
        return not any(file == each or file.startswith(f"{each}/") for each in self._run["declared"])

    def _write(self, before: str | None, *, plus: bool) -> None:
        os.makedirs(self.place, exist_ok=True)
        os.makedirs(self._spool, exist_ok=True)
        observer = os.path.join(self._shared, _OBSERVER)
        _write_once(observer, b"\n".join(map(_read, _SOURCES)))
        _write_once(os.path.join(self.place, _START), _TEXT.encode())
        run = {
            "root": self._root,
            "spool": self._spool,
            "declared": list(self._run["declared"]),
            "assigned": list(self._run["assigned"]),
            "files": bool(self._run["files"]),
            "observer": observer,
            "before": before,
            "plus": plus,
        }
        _write(os.path.join(self.place, _RUN), ascii(run).encode())


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _write_once(path: str, content: bytes) -> None:
    """Write a file unless it has this content: it is compiled again after each change."""
    try:
        if _read(path) == content:
            return
    except OSError:
        pass
    _write(path, content)


def _write(path: str, content: bytes) -> None:
    """Replace a file as a whole, since programs may read it meanwhile."""
    new = f"{path}.{os.getpid()}"
    with open(new, "wb") as file:
        file.write(content)
    os.replace(new, path)


def _looking_at(text: str, directory: str) -> list[str]:
    """The texts of files that the command names, other than Python sources, and that mention the variable."""
    words = text.replace("=", " ").replace("'", " ").replace('"', " ").split()
    names = [word.strip(";&|()<>") for word in words]
    if any(os.path.basename(name) in _MAKES for name in names):
        names += _MAKEFILES
    return [found for name in names if not name.endswith(".py") and (found := _mention(os.path.join(directory, name)))]


def _mention(path: str) -> str:
    try:
        if os.path.isfile(path) and os.stat(path).st_size < _LARGEST:
            content = _read(path)
            if _VARIABLE.encode() in content and b"python" not in content[:64].partition(b"\n")[0]:
                return content.decode(errors="replace")
    except (OSError, ValueError):
        pass
    return ""


def changed(root: str, noted: Mapping[str, Iterable[Iterable[str]]], files: Collection[str]) -> tuple[str, ...]:
    """The files among these that are no longer as they were when programs read them."""
    return tuple(
        path for path in sorted(files) if any(tuple(state) != _state(root, path) for state in noted.get(path, ()))
    )


def _state(root: str, path: str) -> tuple[str, ...]:
    try:
        status = os.stat(os.path.join(root, path))
    except OSError:
        return ()
    return str(status.st_mtime_ns), str(status.st_size), str(status.st_ino)
