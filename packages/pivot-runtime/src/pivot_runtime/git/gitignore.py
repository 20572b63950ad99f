"""Adds and removes lines of a user's ``.gitignore``, and leaves everything else unchanged."""

import os
import pathlib
import re
import stat

from pivot_cache.errors import CacheError, as_cache_errors
from pivot_cache.files import atomic, safe_read
from pivot_runtime.errors import GitSilentError
from pivot_runtime.git import repository

FILE = ".gitignore"

_SPECIAL = re.compile(r"([\\*?\[\]])")


def line_for(name: str) -> str:
    """The line that ignores only this name, or this path, in the file's directory."""
    escaped = _SPECIAL.sub(r"\\\1", name)
    if escaped.endswith(" "):  # which git would read as the end of the line
        escaped = f"{escaped[:-1]}\\ "
    return f"/{escaped}"


def add(directory: pathlib.Path, *names: str, durable: bool = True) -> tuple[str, ...]:
    """Ignore names in their directory; returns those that no equal line has ignored before.

    Without ``durable``, a power cut may lose a file that did not exist before.

    Raises:
        CacheError: The file cannot be read or written.
    """
    file = directory / FILE
    with as_cache_errors("write", file):
        text, new = _text(file), check_add(directory, *names)
        if new:
            ending = "" if not text or text.endswith("\n") else "\n"
            lines = "".join(f"{line_for(name)}\n" for name in new)
            data = _bytes(f"{text}{ending}{lines}")
            atomic.write_bytes(file, data, durable=durable or bool(text), keep_mode=True)
        return new


def check_add(directory: pathlib.Path, *names: str) -> tuple[str, ...]:
    """The names for which `add` would write a line.

    Raises:
        CacheError: The file is not for Pivot to write, and git does not ignore the names anyway.
    """
    file = directory / FILE
    with as_cache_errors("read", file):
        there = set(map(_bare, _text(file).split("\n")))
    new = [name for name in names if line_for(name) not in there]
    problem = locked(directory) if new else ""
    if problem:
        paths = {f"{name}/" if (directory / name).is_dir() else name: name for name in new}
        try:
            new = [paths[path] for path in repository.unignored(directory, list(paths))]
        except GitSilentError as error:
            raise CacheError(str(error), hint=error.hint) from None
        if new:
            lines = " and ".join(map(line_for, new))
            what = f"{problem}, which git does not follow" if file.is_symlink() else problem
            raise CacheError(f"{file} {what}", hint=f"make git ignore {lines} there, and repeat the command")
    return tuple(new)


def locked(directory: pathlib.Path) -> str:
    """Why the file is not for Pivot to write; empty if it may be written.

    A symbolic link would be replaced, and git does not follow it; nor does a file without permission to write mean
    that another file may take its place.
    """
    try:
        found = os.lstat(directory / FILE)
    except OSError:
        return ""
    if not stat.S_ISREG(found.st_mode):
        return "is a symbolic link" if stat.S_ISLNK(found.st_mode) else "is not a file"
    return "" if found.st_mode & stat.S_IWUSR else "is read-only"


def remove(directory: pathlib.Path, name: str) -> bool:
    """Undo `add`; False if there is no such line. An empty file is removed.

    Raises:
        CacheError: The file cannot be read or written.
    """
    if not check_remove(directory, name):
        return False
    file = directory / FILE
    with as_cache_errors("write", file):
        kept = [line for line in _text(file).split("\n") if _bare(line) != line_for(name)]
        if kept != [""]:
            atomic.write_bytes(file, _bytes("\n".join(kept)), durable=True, keep_mode=True)
        else:
            file.unlink()
    return True


def check_remove(directory: pathlib.Path, name: str) -> bool:
    """Whether there is a line for `remove`.

    Raises:
        CacheError: There is one, but the file is not for Pivot to write.
    """
    file, line = directory / FILE, line_for(name)
    with as_cache_errors("read", file):
        found = line in map(_bare, _text(file).split("\n"))
    problem = locked(directory) if found else ""
    if problem:
        raise CacheError(f"{file} {problem}", hint=f"remove its line {line}, and repeat the command")
    return found


def _bare(line: str) -> str:
    """The names without git's syntax: a line feed ends a line, and a carriage return before it is dropped."""
    return line.removesuffix("\r")


def _text(file: pathlib.Path) -> str:
    if file.is_symlink():
        return ""  # git does not follow it
    try:
        return safe_read.read_regular(file).decode(errors="surrogateescape")
    except FileNotFoundError:
        return ""


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
