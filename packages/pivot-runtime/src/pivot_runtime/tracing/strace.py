"""Strace on this process, which records files that native libraries and other programs open."""

import codecs
import contextlib
import os
import re
import signal
import time
from collections.abc import Iterable, Iterator
from typing import Final

from pivot_runtime.errors import TraceError
from pivot_runtime.processes import parent_death

PROGRAM: Final = "strace"
_PR_SET_PTRACER: Final = 0x59616D61
_ANYBODY: Final = -1
_STEP_SECONDS: Final = 0.001


def available() -> bool:
    """Whether the program is on the PATH."""
    return on_path(PROGRAM) is not None


def on_path(program: str) -> str | None:
    """Return the path of a program, as `shutil.which` does, whose import would take long."""
    places = (os.path.join(directory, program) for directory in os.get_exec_path())
    return next((place for place in places if os.path.isfile(place) and os.access(place, os.X_OK)), None)


class Strace:
    """The program strace, tracing this process and its descendants from `start` to `stop`."""

    def __init__(self, file: str) -> None:
        """Let it write to ``file``."""
        self._file = file
        self._errors = f"{file}.err"
        self._pid = 0

    def start(self) -> None:
        """Start strace and wait until it traces this process.

        Raises:
            TraceError: It is not installed, or may not trace.
        """
        program = on_path(PROGRAM)
        if program is None:
            raise missing_error()
        parent_death.libc().prctl(_PR_SET_PTRACER, _ANYBODY, 0, 0, 0)  # else only an ancestor may trace
        calls = ",".join(f"?{call}" for call in CALLS)
        options = ("-f", "-q", "-y", "-s", "4096", "-e", f"trace={calls}", "-e", "signal=none", "-o", self._file)
        actions = [(os.POSIX_SPAWN_OPEN, 2, self._errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)]
        self._pid = os.posix_spawn(
            program, [program, *options, "-p", str(os.getpid())], os.environ, file_actions=actions, setpgroup=0
        )
        while not _is_traced():
            if os.waitpid(self._pid, os.WNOHANG)[0]:
                raise TraceError(
                    f"strace cannot watch the stage: {self._error_line()}", hint="allow ptrace, or omit --trace-io"
                )
            time.sleep(_STEP_SECONDS)

    def stop(self) -> None:
        """Stop tracing and wait until the file is complete."""
        if self._pid:
            with contextlib.suppress(ProcessLookupError, ChildProcessError):
                os.kill(self._pid, signal.SIGINT)  # strace detaches from its processes, and ends
                os.waitpid(self._pid, 0)
            self._pid = 0

    def _error_line(self) -> str:
        with contextlib.suppress(OSError), open(self._errors, encoding="utf-8", errors="replace") as file:
            return file.read().strip().splitlines()[-1].removeprefix("strace: ")
        return "it says nothing"


def missing_error() -> TraceError:
    """The error if strace is not installed."""
    return TraceError("strace, which --trace-io needs, is not on the PATH", hint="install it; it exists only for Linux")


def _is_traced() -> bool:
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        return not any(line.startswith("TracerPid:\t0") for line in file)


CALLS: Final = (
    *("open", "openat", "openat2", "creat", "truncate", "execve"),
    *("rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat"),
)
"""The system calls that name files; strace ignores those that a machine lacks."""

_LINE = re.compile(r"(?P<pid>\d+) +(?P<rest>.*)", re.DOTALL)
_UNFINISHED = " <unfinished ...>"
_RESUMED = re.compile(r"<\.\.\. \w+ resumed>")
_CALL = re.compile(r"(?P<name>\w+)\((?P<args>.*)\)\s+= (?P<result>-?\d+)", re.DOTALL)
_FILE = re.compile(r'(?:(?:AT_FDCWD|\d+)<(?P<base>(?:[^>\\]|\\.)*)>, )?"(?P<path>(?:[^"\\]|\\.)*)"')
_WRITING = re.compile(r"O_(?:WRONLY|RDWR|CREAT|TRUNC|APPEND)\b")
_WITH_TWO_FILES: Final = frozenset({"rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat"})


def used_files(lines: Iterable[str], directory: str) -> Iterator[tuple[str, bool]]:
    """The files that successful calls named, each with whether the call was to write it.

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
            yield from _file_of_call(call["name"], call["args"], directory)


def _file_of_call(call: str, args: str, directory: str) -> Iterator[tuple[str, bool]]:
    """The file that a call uses; of a call with two, the one that it creates."""
    named = list(_FILE.finditer(args))
    if call not in CALLS or not named:
        return
    chosen = named[-1] if call in _WITH_TWO_FILES else named[0]
    base = _unescaped(chosen["base"]) if chosen["base"] is not None else directory
    wrote = call in _WITH_TWO_FILES or call in ("creat", "truncate")
    if call in ("open", "openat", "openat2"):
        flags = args[chosen.end() :]
        if "O_DIRECTORY" in flags or "O_PATH" in flags:
            return
        wrote = _WRITING.search(flags) is not None
    yield os.path.normpath(os.path.join(base, _unescaped(chosen["path"]))), wrote


def _unescaped(escaped: str) -> str:
    raw, _ = codecs.escape_decode(escaped.encode("latin-1", "replace"))
    return os.fsdecode(raw)
