"""Adds and removes lines of a user's ``.gitignore``, and leaves everything else unchanged."""

import pathlib
import re

from pivot_cache.errors import as_cache_errors
from pivot_cache.files import atomic, safe_read

FILE = ".gitignore"

_SPECIAL = re.compile(r"([\\*?\[\]])")


def line_for(name: str) -> str:
    """The line that ignores only this name in the file's directory."""
    escaped = _SPECIAL.sub(r"\\\1", name)
    if escaped.endswith(" "):  # which git would read as the end of the line
        escaped = f"{escaped[:-1]}\\ "
    return f"/{escaped}"


def add(directory: pathlib.Path, name: str) -> bool:
    """Ignore a name in its directory; False if the same line already ignores it.

    Raises:
        CacheError: The file cannot be read or written.
    """
    file = directory / FILE
    with as_cache_errors("write", file):
        text = _text(file)
        if line_for(name) in map(_bare, text.split("\n")):
            return False
        ending = "" if not text or text.endswith("\n") else "\n"
        atomic.write_bytes(file, _bytes(f"{text}{ending}{line_for(name)}\n"), durable=True)
    return True


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
