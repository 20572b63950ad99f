"""The facts that a load depended on: files, directories and the environment, checked without loading again."""

import os
import stat
import sys
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final, NamedTuple

import xxhash

from pivot_core.files.digest import digest_bytes
from pivot_runtime.freshness.stamps import ABSENT, VARIABLE, VARIABLES, environment_digest, stamp_all

FILE: Final = "file"
"""The content of a file that was read."""
PROBE: Final = "probe"
"""The type of a checked path: for a file, its size, time and mode."""
LINK: Final = "link"
"""Whether a path is a symlink, and its target."""
TYPE: Final = "type"
"""Whether a path is a file, a directory or absent."""
NAMES: Final = "names"
"""The entries of a listed directory, and which of them are directories."""
DISTRIBUTIONS: Final = "distributions"
"""The entries of a directory that describe installed distributions."""
MODULES: Final = "modules"
"""The entries of a directory with user code that an import of one of the requested names could find."""
TOP_MODULES: Final = "top modules"
"""Likewise of a directory in which only modules outside packages were looked for: on `sys.path`, often the project."""
MTIME: Final = "stamp"
"""The modification time of a directory of installed packages, or of a file that configures Python."""


_DISTRIBUTIONS: Final = (".dist-info", ".egg-info", "egg-info")


class Fact(NamedTuple):
    """One observation that a load depended on.

    Attributes:
        kind: One of the constants of this module.
        subject: An absolute path, or the name of a variable.
        value: The observed value; for variables, a salted digest.
    """

    kind: str
    subject: str
    value: str


class LoadTrace(NamedTuple):
    """All facts that a load depended on.

    Attributes:
        facts: The recorded facts.
        requested: The names, without their packages, of the modules that the load tried to import.
        top: Those of them that it tried to import from no package.
        salt: The salt of the digests of variables.
        identity: The machine, user and interpreter.
    """

    facts: tuple[Fact, ...]
    requested: tuple[str, ...]
    top: tuple[str, ...]
    salt: str
    identity: str

    def to_plain(self) -> list[Any]:
        """Return the trace as data for JSON."""
        return [[list(fact) for fact in self.facts], list(self.requested), list(self.top), self.salt, self.identity]

    @classmethod
    def from_plain(cls, plain: Any) -> "LoadTrace":
        """Return the trace of such data."""
        facts, requested, top, salt, identity = plain
        return cls(tuple(Fact(*fact) for fact in facts), tuple(requested), tuple(top), salt, identity)


class TraceCheck(NamedTuple):
    """The result of checking all facts.

    Attributes:
        broken: The first fact that no longer holds; None if all hold.
        stamps: The stamp of each path from before it was inspected.
        unchanged: The settled stamps of the unchanged files.
    """

    broken: Fact | None
    stamps: Mapping[str, str]
    unchanged: Mapping[str, str]


def check(trace: LoadTrace, environment: Mapping[str, str], known: Mapping[str, str]) -> TraceCheck:
    """Check whether all facts still hold; a file whose stamp is in ``known`` is not read."""
    if trace.identity != identity():
        return TraceCheck(Fact("identity", "", trace.identity), {}, {})
    asked = {MODULES: frozenset(trace.requested), TOP_MODULES: frozenset(trace.top)}
    paths = dict.fromkeys(fact.subject for fact in trace.facts if fact.kind not in (VARIABLE, VARIABLES))
    by_content = {fact.subject for fact in trace.facts if fact.kind not in (PROBE, LINK, TYPE)}
    stamps, settled = stamp_all(paths, paths.keys() - by_content, time.time_ns())
    unchanged: dict[str, str] = {}
    for fact in trace.facts:
        path = fact.subject
        if fact.kind in (VARIABLE, VARIABLES):
            holds = environment_digest(fact.kind, path, environment, trace.salt) == fact.value
        elif fact.kind == FILE:
            holds = known.get(path) == stamps[path] or content(path) == fact.value
            if holds and path in settled:
                unchanged[path] = stamps[path]
        else:
            holds = of_path(fact.kind, path, asked.get(fact.kind, ())) == fact.value
        if not holds:
            return TraceCheck(fact, stamps, unchanged)
    return TraceCheck(None, stamps, unchanged)


def identity() -> str:
    """Return the identity of this machine, user and interpreter."""
    machine = os.uname()
    return f"{sys.executable} {sys.prefix} {sys.version} {machine.nodename} {machine.machine} {os.getuid()}"


def of_path(kind: str, path: str, asked: Iterable[str] = ()) -> str:
    """Return the current value of a fact about a path."""
    if kind in (MODULES, TOP_MODULES):
        return modules(path, frozenset(asked))
    return _VALUES[kind](path)


def content(path: str) -> str:
    """Return the digest of a file; `ABSENT` if it is not a readable regular file."""
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return ABSENT
            return digest_bytes(file.read())
    except (OSError, ValueError):
        return ABSENT


def _open_at_once(path: str, flags: int) -> int:
    """Open a file; a named pipe that has taken its place is not waited for."""
    return os.open(path, flags | os.O_NONBLOCK)


def probe(path: str) -> str:
    """Return the value of `PROBE` for a path."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return ABSENT
    if stat.S_ISDIR(found.st_mode):
        return "directory"
    # Only what a program would decide by: no inode, no time of a change of status, so that an equal copy is no change.
    return f"{found.st_size} {found.st_mtime_ns} {found.st_mode}"


def link(path: str) -> str:
    """Return the value of `LINK` for a path."""
    try:
        mode = os.lstat(path).st_mode
        return f"to {os.readlink(path)}" if stat.S_ISLNK(mode) else str(stat.S_IFMT(mode))
    except (OSError, ValueError):
        return ABSENT


def type_of(path: str) -> str:
    """Return the value of `TYPE` for a path."""
    try:
        return str(stat.S_IFMT(os.stat(path).st_mode))
    except (OSError, ValueError):
        return ABSENT


def names(path: str) -> str:
    """Return the value of `NAMES` for a directory."""
    try:
        with os.scandir(path) as entries:
            found = sorted(f"{entry.name}{'/' if entry.is_dir() else ''}" for entry in entries)
    except (OSError, ValueError):
        return ABSENT
    return _digest("\0".join(found))


def distributions(path: str) -> str:
    """Return the value of `DISTRIBUTIONS` for a directory."""
    held = listing(path)
    return ABSENT if held is None else _digest("\0".join(sorted(filter(_is_distribution, held))))


def _is_distribution(name: str) -> bool:
    return name.lower().rstrip("/").endswith(_DISTRIBUTIONS)


def modules(path: str, asked: Collection[str]) -> str:
    """Return the value of `MODULES` or `TOP_MODULES` for a directory."""
    held = listing(path, asked)
    return ABSENT if held is None else modules_of(held, asked)


def modules_of(held: Iterable[str], asked: Collection[str]) -> str:
    """Return the value of `modules` for a directory with these entries, as `listing` returns them."""
    return _digest("\0".join(sorted(name for name in held if name.rstrip("/").partition(".")[0] in asked)))


def listing(path: str, asked: Collection[str] | None = None) -> tuple[str, ...] | None:
    """Return the entries of a directory, or those that may be modules of these names; a package ends with ``/``.

    None if it is not a readable directory.
    """
    try:
        with os.scandir(path) as entries:
            return tuple(
                f"{entry.name}{'/' if '.' not in entry.name and entry.is_dir() else ''}"
                for entry in entries
                if asked is None or entry.name.partition(".")[0] in asked
            )
    except (OSError, ValueError):
        return None


def mtime(path: str) -> str:
    """Return the value of `MTIME` for a path."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return ABSENT
    return f"{found.st_ino} {found.st_mtime_ns}"


def _digest(text: str) -> str:
    return xxhash.xxh3_128_hexdigest(text.encode("utf-8", "surrogateescape"))


_VALUES: Final[Mapping[str, Callable[[str], str]]] = {
    FILE: content,
    PROBE: probe,
    LINK: link,
    TYPE: type_of,
    NAMES: names,
    DISTRIBUTIONS: distributions,
    MTIME: mtime,
}
