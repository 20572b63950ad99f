"""Adds and removes lines of a user's ``.gitignore``, and leaves everything else unchanged."""

import os
import pathlib
import re
import stat

from pivot_cache.errors import as_cache_errors
from pivot_cache.files import atomic, safe_read

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
        text = _text(file)
        there = set(map(_bare, text.split("\n")))
        new = tuple(name for name in names if line_for(name) not in there)
        if new:
            ending = "" if not text or text.endswith("\n") else "\n"
            lines = "".join(f"{line_for(name)}\n" for name in new)
            atomic.write_bytes(file, _bytes(f"{text}{ending}{lines}"), durable=durable or bool(text))
        return new


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
    file = directory / FILE
    with as_cache_errors("write", file):
        lines = _text(file).split("\n")
        kept = [line for line in lines if _bare(line) != line_for(name)]
        if len(kept) == len(lines):
            return False
        if kept != [""]:
            atomic.write_bytes(file, _bytes("\n".join(kept)), durable=True)
        else:
            file.unlink()
    return True


def _bare(line: str) -> str:
    """The names without git's syntax: a line feed ends a line, and a carriage return before it is dropped."""
    return line.removesuffix("\r")


def _text(file: pathlib.Path) -> str:
    try:
        return safe_read.read_regular(file).decode(errors="surrogateescape")
    except FileNotFoundError:
        return ""


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")
