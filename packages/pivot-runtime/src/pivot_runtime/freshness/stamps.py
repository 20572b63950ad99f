"""Stamps of files, directories and the environment: short texts that change when their subject changes.

A command that finds nothing to do imports this module and little else, so this module imports almost nothing.
"""

import os
import stat
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence
    from typing import Literal

    type IncompleteReason = Literal[
        "a pipeline cannot be loaded",
        "an import depends on something that no stamp shows",
        "a path cannot be read",
        "the cache matters, not only the workspace",
        "the next run puts back outs of a killed one",
        "a file in a directory has just changed",
        "a remote does not answer",
    ]
    """The reasons why the stamps of a read set do not cover everything that a command depends on."""

ABSENT = "-"
DIRECTORY = "directory"
VARIABLE = "variable"
"""One environment variable."""
VARIABLES = "variables"
"""All variables with a prefix; with an empty prefix, all except those that every shell and prompt changes."""

_RESTLESS = frozenset({"_", "OLDPWD", "PWD", "SHLVL"})


def stamp(path: str) -> str:
    """Return the stamp of a path, following symlinks; `ABSENT` if nothing is there or it cannot be inspected."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return ABSENT
    # As `pivot_cache.files.signatures.stat_signature`, whose import an answered no-op does not pay for; with the mode.
    return f"{found.st_ctime_ns} {found.st_mtime_ns} {found.st_size} {found.st_ino} {found.st_dev} {found.st_mode}"


def is_settled(stamped: str, now: int) -> bool:
    """Return whether any change after ``now``, in ns since the epoch, must give the path another stamp."""
    return are_settled((stamped,), now)


def are_settled(stamps: "Iterable[str]", now: int) -> bool:
    """Return whether `is_settled` holds for all stamps."""
    from pivot_cache.files.signatures import settles_at  # lazy

    changed = [int(each.partition(" ")[0]) for each in stamps if each != ABSENT and not each.startswith(DIRECTORY)]
    return settles_at(*changed) <= now


def dir_stamp(path: str) -> str:
    """Return the stamp of a path; of a directory, that of its identity, whatever it contains."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return ABSENT
    if stat.S_ISDIR(found.st_mode):
        return f"{DIRECTORY} {found.st_ino} {found.st_dev} {found.st_mode}"
    return stamp(path)


def restamp(path: str, like: str) -> str:
    """Return the current stamp of a path, of the same kind as ``like``."""
    return dir_stamp(path) if like.startswith(DIRECTORY) else stamp(path)


def are_unchanged(pairs: "Sequence[str]") -> bool:
    """Return whether each path still has its stamp; the texts are path, stamp, path, stamp and so on."""
    return all(restamp(pairs[at], pairs[at + 1]) == pairs[at + 1] for at in range(0, len(pairs), 2))


def stamp_all(paths: "Iterable[str]", identity_only: "Container[str]", now: int) -> tuple[dict[str, str], set[str]]:
    """Return the stamps of paths, and the paths whose stamps are settled at ``now``.

    Args:
        paths: The paths.
        identity_only: The paths for which a `dir_stamp` is enough.
        now: A time before the first inspection, in ns since the epoch.
    """
    stamps = {path: dir_stamp(path) if path in identity_only else stamp(path) for path in paths}
    if are_settled(stamps.values(), now):  # as nearly always
        return stamps, set(stamps)
    return stamps, {path for path, each in stamps.items() if is_settled(each, now)}


def environment_digest(kind: str, name: str, environment: "Mapping[str, str]", salt: str) -> str:
    """Return the state of a `VARIABLE` or of `VARIABLES` as a salted digest, which does not reveal the value."""
    if kind == VARIABLE:
        value = environment.get(name)
        return ABSENT if value is None else _salted_digest(value, salt)
    chosen = sorted(
        f"{each}={value}"
        for each, value in environment.items()
        if each.startswith(name) and (name or each not in _RESTLESS)
    )
    return _salted_digest("\0".join(chosen), salt)


def _salted_digest(text: str, salt: str) -> str:
    import xxhash  # lazy

    return xxhash.xxh3_128_hexdigest(f"{salt}\0{text}".encode("utf-8", "surrogateescape"))


class ReadSet:
    """The paths that one command read or inspected.

    Attributes:
        stamps: By absolute path, the stamp from before the inspection; a `dir_stamp` for a directory whose entries do
            not matter.
        trees: By path, the signature of each directory of which all files matter.
        untracked: The file of git's index, and paths of the project that git does not track; empty if that does not
            matter. Of the index, nothing else matters.
        variables: The names of the environment variables that the command used, except those that loads used.
        began: The start of the command, in ns since the epoch.
        valid_until: The time, in seconds since the epoch, from which the clock may change the result; None for never.
        incomplete: The first reason why the stamps do not cover everything that the command depends on; empty if they
            do.
    """

    def __init__(self) -> None:
        """Start empty, now."""
        self.stamps: dict[str, str] = {}
        self.trees: dict[str, str] = {}
        self.untracked: tuple[str, ...] = ()
        self.variables: set[str] = set()
        self.began = time.time_ns()
        self.valid_until: float | None = None
        self.incomplete = ""

    def look(self, path: str | os.PathLike[str]) -> None:
        """Add a path before its content is read."""
        name = os.fspath(path)
        if name not in self.stamps:
            self.stamps[name] = stamp(name)

    def add(self, stamps: "Mapping[str, str]") -> None:
        """Add paths with their stamps from before they were inspected."""
        for name, stamped in stamps.items():
            if self.stamps.get(name, DIRECTORY).startswith(DIRECTORY):
                self.stamps[name] = stamped

    def tree(self, path: str | os.PathLike[str], signature: str, settles_at: int) -> None:
        """Add a directory of which all files were read: their signature, and the time at which it is final, in ns."""
        name = os.fspath(path)
        self.stamps[name] = dir_stamp(name)
        self.trees.setdefault(name, signature)
        if settles_at > self.began:
            self.mark_incomplete("a file in a directory has just changed")

    def expire(self, at: float) -> None:
        """Add a time at which the command may come to another result."""
        self.valid_until = at if self.valid_until is None else min(self.valid_until, at)

    def mark_incomplete(self, reason: "IncompleteReason") -> None:
        """Record that the command depends on something that no stamp covers."""
        self.incomplete = self.incomplete or reason

    def probe(self, *paths: str | os.PathLike[str]) -> None:
        """Add paths before the command checks whether files or directories are there."""
        for path in paths:
            name = os.fspath(path)
            if name not in self.stamps:
                self.stamps[name] = dir_stamp(name)
