"""The directories in which the interpreter of a program searches for modules of the project, without starting it."""

import ast
import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol

from pivot_core.commands.python_programs import ProgramCall

_VARIABLE: Final = re.compile(r"\$\{(?P<name>\w+)(?::?[-+=][^}]*)?\}|\$(?P<plain>\w+)|\$\(pwd\)|`pwd`")
_MAPPING: Final = re.compile(r"^MAPPING[^=\n]*=\s*(\{.*\})", re.MULTILINE)
_LARGEST: Final = 1 << 20
_PROJECT_FILES: Final = ("pyproject.toml", "setup.py", "setup.cfg")


def python_path(call: ProgramCall, directory: str, environment: Mapping[str, str]) -> list[str]:
    """The directories of `PYTHONPATH`, as the text of the command or the environment sets it."""
    if not call.environment:
        return []
    inherited = environment.get("PYTHONPATH", "")
    given = inherited if call.python_path is None else call.python_path

    def value(match: re.Match[str]) -> str:
        name = match["name"] or match["plain"] or "PWD"
        return directory if name == "PWD" else environment.get(name, "")

    found = _VARIABLE.sub(value, given) if call.python_path is not None else given
    return [os.path.normpath(os.path.join(directory, os.path.expanduser(each))) for each in found.split(":") if each]


class PathRecorder(Protocol):
    """Records what the search for modules depends on."""

    def searched(self, name: str, places: Sequence[str], /) -> object:
        """A module is about to be searched for."""
        ...

    def probed(self, path: str, /) -> object:
        """The existence of a path is about to be checked."""
        ...


class Interpreters:
    """Finds the directories of editable installs, once for each interpreter.

    Args:
        root: The project's root.
        environment: The variables of the programs.
        probes: Records the paths that matter.
    """

    def __init__(self, root: str, environment: Mapping[str, str], probes: "PathRecorder") -> None:
        self._root = root
        self._environment = environment
        self._probes = probes
        self._known: dict[str, tuple[str, ...]] = {}

    def late_path(self, call: ProgramCall, directory: str) -> tuple[str, ...]:
        """The directories of the project's packages that are installed where a program runs, or would be.

        If they are not installed there yet, or it is unknown where it runs, these are the project and its ``src``.
        """
        prefix = self._prefix(call, directory)
        if prefix is not None and prefix not in self._known:
            self._known[prefix] = tuple(dict.fromkeys(self._editable(prefix)))
        installed = self._known[prefix] if prefix is not None else ()
        return (*installed, *self._own(directory))

    def _own(self, directory: str) -> Iterator[str]:
        for place in self.above(directory):
            files = [os.path.join(place, name) for name in _PROJECT_FILES]
            for file in files:
                self._probes.probed(file)
            if any(map(os.path.isfile, files)):
                yield os.path.join(place, "src")
                yield place

    def above(self, directory: str) -> Iterator[str]:
        """A directory, and those around it in the project."""
        while directory == self._root or directory.startswith(os.path.join(self._root, "")):
            yield directory
            directory = os.path.dirname(directory)

    def _prefix(self, call: ProgramCall, directory: str) -> str | None:
        """The directory of the environment in which a program runs."""
        if "/" in call.interpreter:
            return _prefix_of(os.path.join(directory, call.interpreter))
        if call.runner:
            for place in self.above(directory):
                if os.path.isfile(os.path.join(place, ".venv", "pyvenv.cfg")):
                    return os.path.join(place, ".venv")
        active = self._environment.get("VIRTUAL_ENV") or self._environment.get("CONDA_PREFIX")
        if call.runner and active:
            return active
        name = call.interpreter or (call.name if call.kind == "command" else "python3")
        for place in self._environment.get("PATH", "").split(os.pathsep):
            if place and os.access(os.path.join(place, name), os.X_OK):
                return _prefix_of(os.path.join(place, name))
        return None

    def _editable(self, prefix: str) -> Iterator[str]:
        """The directories that files in the directories of installed packages name."""
        for site in _sites(prefix):
            self._probes.searched("pth", [site])
            for name in _names(site):
                if name.endswith(".pth"):
                    lines = _text(os.path.join(site, name)).splitlines()
                    yield from (
                        os.path.normpath(os.path.join(site, line.strip()))
                        for line in lines
                        if line.strip() and not line.startswith(("#", "import ", "import\t"))
                    )
                elif name.startswith("__editable___") and name.endswith("_finder.py"):
                    yield from _mapped(_text(os.path.join(site, name)))


def _prefix_of(interpreter: str) -> str | None:
    """The directory of the environment of an interpreter, or of another program in it."""
    prefix = os.path.dirname(os.path.dirname(os.path.normpath(interpreter)))
    return prefix if _sites(prefix) else os.path.dirname(os.path.dirname(os.path.realpath(interpreter)))


def _sites(prefix: str) -> list[str]:
    """The directories of installed packages in an environment."""
    library = os.path.join(prefix, "lib")
    versions = [name for name in _names(library) if name.startswith("python3")]
    places = [os.path.join(library, name, site) for name in versions for site in ("site-packages", "dist-packages")]
    return [place for place in places if os.path.isdir(place)]


def _mapped(text: str) -> Iterator[str]:
    """The directories of the packages to which a finder of setuptools leads."""
    for match in _MAPPING.finditer(text):
        with contextlib.suppress(ValueError, SyntaxError):
            found = ast.literal_eval(match[1])
            yield from (os.path.dirname(path) for path in found.values() if isinstance(path, str))


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _text(file: str) -> str:
    try:
        with open(file, encoding="utf-8", errors="replace") as content:
            return content.read(_LARGEST)
    except OSError:
        return ""
