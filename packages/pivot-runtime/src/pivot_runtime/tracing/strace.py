"""Runs strace on this process: files that C libraries open, and programs that are started."""

import codecs
import contextlib
import os
import re
import shutil
import signal
import time
from collections.abc import Iterable, Iterator
from typing import Final

from pivot_runtime.errors import TraceError
from pivot_runtime.processes import parent_death

PROGRAM: Final = "strace"
_PR_SET_PTRACER: Final = 0x59616D61
_ANYBODY: Final = -1
_STEP_S: Final = 0.001


def available() -> bool:
    """Whether it can be started."""
    return shutil.which(PROGRAM) is not None


class Strace:
    """A tracer of this process and of all that it starts, from `start` to `stop`."""

    def __init__(self, file: str) -> None:
        """``file`` takes what it writes."""
        self._file = file
        self._errors = f"{file}.err"
        self._pid = 0

    def start(self) -> None:
        """Begin, and wait until nothing can be missed.

        Raises:
            TraceError: It is not there, or not allowed.
        """
        program = shutil.which(PROGRAM)
        if program is None:
            raise missing_error()
        parent_death.libc().prctl(_PR_SET_PTRACER, _ANYBODY, 0, 0, 0)  # else only an ancestor may trace
        calls = ",".join(f"?{call}" for call in CALLS)
        options = ("-f", "-q", "-y", "-s", "4096", "-e", f"trace={calls}", "-e", "signal=none", "-o", self._file)
        actions = [(os.POSIX_SPAWN_OPEN, 2, self._errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)]
        self._pid = os.posix_spawn(
            program, [program, *options, "-p", str(os.getpid())], os.environ, file_actions=actions, setpgroup=0
        )
        while not _traced():
            if os.waitpid(self._pid, os.WNOHANG)[0]:
                raise TraceError(f"strace cannot watch the stage: {self._said()}", hint="allow ptrace, or do without")
            time.sleep(_STEP_S)

    def stop(self) -> None:
        """End it; the file is then whole."""
        if self._pid:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(self._pid, signal.SIGINT)  # it lets go of what it traces, and ends
                os.waitpid(self._pid, 0)
            self._pid = 0

    def _said(self) -> str:
        with contextlib.suppress(OSError), open(self._errors, encoding="utf-8", errors="replace") as file:
            return file.read().strip().splitlines()[-1].removeprefix("strace: ")
        return "it says nothing"


def missing_error() -> TraceError:
    """The error where there is no strace."""
    return TraceError("strace, which --trace-io needs, is not on the PATH", hint="install it; there is one for Linux")


def _traced() -> bool:
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        return not any(line.startswith("TracerPid:\t0") for line in file)


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


def used_files(lines: Iterable[str], directory: str) -> Iterator[tuple[str, bool]]:
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
