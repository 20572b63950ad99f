"""The start file by which the Python programs of a shell stage observe themselves, and their report."""

import contextlib
import json
import os
from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

from pivot_fingerprint.observation import ProgramRun, StartArguments, end_start_file, write_start_file

_VARIABLE: Final = "PYTHONPATH"
_RECORDS: Final = ".unsure"
_LARGEST: Final = 1 << 20
_MAKES: Final = ("make", "gmake")
_MAKEFILES: Final = ("GNUmakefile", "makefile", "Makefile")
_LOOKS: Final = "its command looks at PYTHONPATH: what ran in the Python programs that it starts was not observed"
_SEPARATED: Final = "the path of the project has a colon: what ran in Python programs was not observed"
_UNWRITABLE: Final = "the start file of its Python programs cannot be written: what ran in them was not observed"
_UNOBSERVED: Final = "a Python program was started: what ran in it was not observed"


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

    def __init__(self, root: str, spool: str, run: ProgramRun) -> None:
        """Prepare nothing yet.

        Args:
            root: The absolute path of the project.
            spool: The directory for the observations.
            run: The other facts; its place is that of the stage.
        """
        self._root = root
        self._spool = spool
        self._shared = os.path.dirname(run.place)
        self.place = run.place
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
        end_start_file(self.place)
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
                    with open(os.path.join(self._spool, name), "rb") as file:
                        rows = list(map(json.loads, file.read().splitlines()))
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
        return not any(file == each or file.startswith(f"{each}/") for each in self._run.declared)

    def _write(self, before: str | None, *, plus: bool) -> None:
        os.makedirs(self._spool, exist_ok=True)
        start = StartArguments(self._root, self._spool, self._run)
        write_start_file(self.place, self._shared, start, before, plus=plus)


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
            with open(path, "rb") as file:
                content = file.read()
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
