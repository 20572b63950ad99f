"""The output of strace: which files were read and written; pure."""

import codecs
import os
import re
from collections.abc import Iterable, Iterator
from typing import Final

CALLS: Final = (
    *("open", "openat", "openat2", "creat", "truncate", "execve"),
    *("rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat"),
)
"""The system calls that name files; those that a machine does not have are passed over."""

_LINE = re.compile(r"(?P<pid>\d+) +(?P<rest>.*)", re.DOTALL)
_UNFINISHED = " <unfinished ...>"
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>")
_CALL = re.compile(r"(?P<name>\w+)\((?P<args>.*)\)\s+= (?P<result>-?\d+)", re.DOTALL)
_FILE = re.compile(r'(?:(?:AT_FDCWD|\d+)<(?P<base>(?:[^>\\]|\\.)*)>, )?"(?P<path>(?:[^"\\]|\\.)*)"')
_WRITING = re.compile(r"O_(?:WRONLY|RDWR|CREAT|TRUNC|APPEND)\b")
_TWO: Final = frozenset({"rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat"})


def files(lines: Iterable[str], directory: str) -> Iterator[tuple[str, bool]]:
    """Each file that a call which succeeded has named, and whether it was to be written.

    Args:
        lines: The output of ``strace -f -y``.
        directory: The directory to which paths are relative by default.
    """
    begun: dict[str, str] = {}
    for line in lines:
        match = _LINE.match(line)
        if match is None:
            continue
        pid, rest = match["pid"], match["rest"].rstrip("\n")
        if rest.endswith(_UNFINISHED):
            begun[pid] = rest.removesuffix(_UNFINISHED)
            continue
        resumed = _RESUMED.match(rest)
        if resumed is not None:
            rest = begun.pop(pid, "") + rest[resumed.end() :]
        call = _CALL.match(rest)
        if call is not None and not call["result"].startswith("-"):
            yield from _named(call["name"], call["args"], directory)


def _named(call: str, args: str, directory: str) -> Iterator[tuple[str, bool]]:
    named = list(_FILE.finditer(args))
    if call not in CALLS or not named:
        return
    chosen = named[-1] if call in _TWO else named[0]
    base = _text(chosen["base"]) if chosen["base"] is not None else directory
    wrote = call in _TWO or call in ("creat", "truncate")
    if call in ("open", "openat", "openat2"):
        flags = args[chosen.end() :]
        if "O_DIRECTORY" in flags or "O_PATH" in flags:
            return
        wrote = _WRITING.search(flags) is not None
    yield os.path.normpath(os.path.join(base, _text(chosen["path"]))), wrote


def _text(escaped: str) -> str:
    raw, _ = codecs.escape_decode(escaped.encode("latin-1", "replace"))
    return os.fsdecode(raw)
