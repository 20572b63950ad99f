"""Access to the disk: all reads and look-ups of a fingerprint go through here, so that a listener can record them."""

import os
import re
import stat
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from importlib.machinery import ModuleSpec, PathFinder
from os import close, read
from os import lstat as get_link_status
from os import open as open_file
from os import stat as get_status  # user code, and recorders of its calls, may replace the functions of the module
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.metadata import Distribution

__pivot_module__ = "pivot_fingerprint"

INIT = "__init__"
_CHUNK = 1 << 24
_COMPILED = (".so", ".pyd")
_TOP = re.compile(r"^[^/,.\n]+", re.MULTILINE)
_HEADER = re.compile(r"^(name|version):[ \t]*(.*)\n(?![ \t])", re.MULTILINE | re.IGNORECASE)
"""A header of one line."""


class Listener(Protocol):
    """Records everything that a fingerprint depends on besides the state of the process.

    A path is absolute, or spelled as in the code that names it.
    """

    def read(self, path: str, content: bytes | None, /) -> object:
        """A file had this content, or None if it could not be read."""
        ...

    def searched(self, name: str, places: Sequence[str], /) -> object:
        """A module of this name, without the name of its package, is about to be searched for in these directories."""
        ...

    def probed(self, path: str, /) -> object:
        """The existence of a path is about to be checked."""
        ...

    def called(self) -> AbstractContextManager[object]:
        """A context around each call of foreign code that describes a value: it may read anything."""
        ...


class Disk:
    """Read access to the disk, reported to the listener if there is one."""

    def __init__(self, listener: Listener | None = None) -> None:
        self._listener = listener
        self._reported: dict[str, bytes | None] = {}
        self._listed: dict[str, frozenset[str]] = {}
        self._compiled: dict[str, dict[str, str]] = {}

    def read(self, path: str, *, keep: bool = False) -> bytes | None:
        """The current content of a file, or None if it cannot be read.

        `keep`: keep it in memory, and return the same object as long as the file does not change.
        """
        content = _read(path, keep=keep)
        if self._listener is not None and (not keep or self._reported.get(path) is not content or content is None):
            self._listener.read(path, content)
            if keep:
                self._reported[path] = content
        return content

    def called(self) -> AbstractContextManager[object]:
        """A context around calls of user code or library code."""
        return nullcontext() if self._listener is None else self._listener.called()

    def exists(self, path: str) -> bool:
        """Whether a path exists."""
        if self._listener is not None:
            self._listener.probed(path)
        return os.path.exists(path)

    def find(self, name: str, places: Sequence[str] | None = None) -> ModuleSpec | None:
        """The spec that the import system would find for a module, on `sys.path` or in the places of its package."""
        if places is None and name in sys.builtin_module_names:
            return ModuleSpec(name, None)
        if self._listener is not None:
            self._listener.searched(name.rpartition(".")[2], sys.path if places is None else places)
        try:
            if places is None:
                return PathFinder.find_spec(name)
            # Without the package: a namespace would look for its package in `sys.modules`, which may lack it.
            found = PathFinder.find_spec(name.rpartition(".")[2], list(places))
        except (ImportError, OSError, ValueError, AttributeError):
            return None
        if found is not None and found.submodule_search_locations is not None:
            found.submodule_search_locations = list(found.submodule_search_locations)
        return found

    def module_file(self, name: str, places: Sequence[str]) -> str | None:
        """The source file of a module or package with this full name below one of some directories."""
        stem = name.replace(".", os.sep)
        names = (os.path.join(stem, f"{INIT}.py"), f"{stem}.py")
        return next(
            (path for base in places for each in names if os.path.isfile(path := os.path.join(base, each))), None
        )

    def searched(self, name: str, place: str) -> None:
        """Report that a module of this name, without the name of its package, is searched for in a directory."""
        if self._listener is not None:
            self._listener.searched(name, [place])

    def names(self, place: str) -> frozenset[str]:
        """The names in a directory, as they were at the first call; none if it cannot be listed."""
        known = self._listed.get(place)
        if known is None:
            try:
                known = frozenset(os.listdir(place))
            except (OSError, ValueError):
                known = frozenset()
            self._listed[place] = known
        return known

    def listed(self, place: str) -> frozenset[str]:
        """The names in a directory, all of which count; none if it cannot be listed."""
        with self.called(), suppress(OSError, ValueError):
            return frozenset(os.listdir(place))
        return frozenset()

    def compiled(self, place: str) -> dict[str, str]:
        """The files of compiled modules in a directory by the names of these, as they were at the first call."""
        known = self._compiled.get(place)
        if known is None:
            names = sorted((each for each in self.names(place) if each.endswith(_COMPILED)), reverse=True)
            known = self._compiled[place] = {each.partition(".")[0]: each for each in names}
        return known

    def modules_in(self, places: Sequence[str]) -> list[str]:
        """The names of the modules and packages in some directories."""
        found = set()
        for place in places:
            with self.called(), suppress(OSError):
                for name in os.listdir(place):
                    if name.endswith(".py") or os.path.isfile(os.path.join(place, name, f"{INIT}.py")):
                        found.add(name.removesuffix(".py"))
        return sorted(found)

    def is_package(self, name: str, places: Sequence[str]) -> bool:
        """Whether one of some directories contains a directory for the package of this full name."""
        return any(os.path.isdir(os.path.join(base, *name.split("."))) for base in places)


def own_version() -> str:
    """The names, sizes and times of this package's source files; they differ where it may compute something else."""
    found: list[tuple[str, int, int]] = []
    for place in sys.modules[__name__.partition(".")[0]].__path__:
        for directory, inside, names in os.walk(place):
            inside[:] = [name for name in inside if name != "__pycache__"]
            states = [(os.path.join(directory, name), os.stat(os.path.join(directory, name))) for name in names]
            found += [(path, state.st_size, state.st_mtime_ns) for path, state in states]
    return repr(sorted(found))


def real_path(path: str) -> str:
    """A path without symbolic links, to be compared or shown."""
    return os.path.realpath(path)


def real_file(file: str, directories: dict[str, str]) -> str:
    """The path of a file without symbolic links; the paths of ``directories`` without links are known, or added."""
    directory, name = os.path.split(file)
    try:
        if stat.S_ISLNK(get_link_status(file).st_mode):
            return real_path(file)
    except (OSError, ValueError):
        pass  # it does not exist
    real = directories.get(directory)
    if real is None:
        real = directories[directory] = real_path(directory)
    return os.path.join(real, name)


def distributions() -> "Mapping[str, list[Distribution]]":
    """The installed distributions with modules of each top-level name."""
    from importlib.metadata import distributions  # lazy

    found: dict[str, list[Distribution]] = {}
    for each in distributions():
        for top in top_level_names(each):
            found.setdefault(top, []).append(each)
    return found


def top_level_names(distribution: "Distribution") -> set[str]:
    """The top-level names that a distribution installs, read without its possibly long list of files."""
    text = distribution.read_text("top_level.txt")
    if text:
        return set(text.split())
    record = distribution.read_text("RECORD")
    if record is None:
        record = "\n".join(map(str, distribution.files or ()))
    return set(_TOP.findall(record))


def name_and_version(distribution: "Distribution") -> tuple[str, str]:
    """The name and version of a distribution, read without parsing its description like an e-mail."""
    head = (distribution.read_text("METADATA") or "").partition("\n\n")[0]
    headers = [(key.lower(), value) for key, value in _HEADER.findall(f"{head}\n")]
    match sorted(headers):
        case [("name", name), ("version", version)]:
            return name, version
    return distribution.metadata["Name"], distribution.version


def distribution(name: str) -> "Distribution | None":
    """The installed distribution of this name."""
    from importlib.metadata import PackageNotFoundError, distribution  # lazy

    try:
        return distribution(name)
    except (PackageNotFoundError, ValueError):
        return None


_FILES: "dict[str, tuple[tuple[int, ...], bytes]]" = {}
"""The content of files by path, with the signature for which it is valid: all fingerprints of a process share it."""


def _read(path: str, *, keep: bool) -> bytes | None:
    try:
        found = get_status(path)
        # As `pivot_cache.files.signatures.stat_signature`, of which this package knows nothing.
        signature = (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
        known = _FILES.get(path)
        if known is not None and known[0] == signature:
            return known[1]
        if not stat.S_ISREG(found.st_mode):  # a pipe may have no end
            return None
        content = _content(path, found.st_size)
    except (OSError, ValueError):
        return None
    if known is not None and known[1] == content:
        content = known[1]
    if keep:
        _FILES[path] = (signature, content)
    return content


def _content(path: str, size: int) -> bytes:
    """The content of a file, which had this size."""
    file = open_file(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        content = read(file, size + 1)
        while more := read(file, _CHUNK):
            content += more
    finally:
        close(file)
    return content
