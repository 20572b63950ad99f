"""Logs of stage runs: writes them up to a bounded size, finds them by the stage's name, prunes old ones.

Finding a log imports no pipeline.
"""

import contextlib
import os
import pathlib
import re
from collections.abc import Iterable, Iterator
from typing import Final

from pivot_cache.files import safe_read
from pivot_cache.layout import LOCK_SUFFIX, Layout, stage_addresses
from pivot_core.errors import suggest
from pivot_runtime.errors import LogError, TargetError

HEAD: Final = 1 << 20
"""Bytes of the beginning that a shortened log keeps."""
TAIL: Final = 1 << 20
"""Bytes of the end that a shortened log keeps, at least."""
KEPT: Final = 3
"""The number of earlier logs that are kept, as ``<log>.1`` and so on, the newest first."""

_SUFFIX: Final = ".log"
_TAIL_BYTES: Final = 1 << 14
_MOST_BYTES: Final = 1 << 28
_FRAME: Final = re.compile(r'  File ".*", line \d+ in ')
_OWN: Final = re.compile(r'  File ".*[/\\](pivot_runtime[/\\].*|pivot_core[/\\](.*[/\\])?pipeline\.py)", line \d+ in ')
"""Lines of a crash's traceback, the innermost call first: any frame, and a frame of Pivot, which called the stage."""


class RunLog:
    """The log of one stage run: a file of at most ``HEAD + 2 * TAIL`` bytes and a line; write errors are ignored.

    Attributes:
        fd: Its descriptor; None if there is none.
    """

    def __init__(self, file: str) -> None:
        """Create a log; a non-empty log of the previous run is renamed."""
        self._file = file
        self.fd: int | None = None
        self._size = 0
        self._left_out = 0
        self._tail_begins = HEAD
        self._begun = False
        if os.path.exists(file):
            self._begin()

    def _begin(self) -> None:
        self._begun = True
        with contextlib.suppress(OSError):
            _rotate(self._file)
        with contextlib.suppress(OSError):
            self.fd = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)

    def write(self, data: bytes) -> None:
        """Append output; the file is created with the first of it."""
        if not self._begun:
            self._begin()
        if self.fd is None:
            return
        view = memoryview(data)
        try:
            while view:
                written = os.pwrite(self.fd, view, self._size)
                self._size += written
                view = view[written:]
            if self._size > self._tail_begins + 2 * TAIL:
                self._shorten(self.fd)
        except OSError:
            self._left_out += len(view)

    def close(self) -> None:
        """Close the file."""
        fd, self.fd = self.fd, None
        if fd is not None:
            os.close(fd)

    def _shorten(self, fd: int) -> None:
        tail = os.pread(fd, TAIL, self._size - TAIL)
        self._left_out += self._size - self._tail_begins - len(tail)
        omission = f"\n… {self._left_out} bytes are left out here …\n".encode()
        os.pwrite(fd, omission + tail, HEAD)
        self._tail_begins = HEAD + len(omission)
        self._size = self._tail_begins + len(tail)
        os.ftruncate(fd, self._size)


def _rotate(file: str) -> None:
    if os.stat(file).st_size == 0:
        return
    for number in range(KEPT - 1, 0, -1):
        with contextlib.suppress(FileNotFoundError):
            os.replace(f"{file}.{number}", f"{file}.{number + 1}")
    os.replace(file, f"{file}.1")


class TextLines:
    """Decodes output into whole lines; of a line that overwrites itself, it keeps the last version."""

    _LONGEST = 1 << 14

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, data: bytes) -> list[str]:
        """The lines that these bytes complete."""
        *complete, self._pending = (self._pending + data).split(b"\n")
        if len(self._pending) > self._LONGEST:
            complete.append(self._pending)
            self._pending = b""
        return [_decoded(line) for line in complete]

    def rest(self) -> list[str]:
        """The unfinished last line, if there is one."""
        pending, self._pending = self._pending, b""
        return [_decoded(pending)] if pending else []


def _decoded(line: bytes) -> str:
    return line.removesuffix(b"\r").rpartition(b"\r")[2].decode(errors="replace")


class Frames:
    """Filters a log's lines, and drops Pivot's own frames from the traceback of a crash."""

    def __init__(self) -> None:
        self._ours = False

    def is_users(self, line: str) -> bool:
        """Whether the next line belongs neither to a frame of Pivot nor to a frame that called it."""
        self._ours = _OWN.match(line) is not None or (self._ours and _FRAME.match(line) is not None)
        return not self._ours


def tail(log: pathlib.Path, lines: int) -> str:
    """Return the last lines of a log, of which very long ones may be cut; empty if the log cannot be read."""
    return "\n".join(list(filter(Frames().is_users, read_end(log, _TAIL_BYTES).splitlines()))[-lines:])


def read_end(log: pathlib.Path, most: int) -> str:
    """Return the last bytes of a log as text; empty if the log cannot be read."""
    try:
        with safe_read.open_regular(log) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - most))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def user_lines(log: pathlib.Path) -> Iterator[bytes]:
    """Yield the lines of a log without Pivot's own frames; none if there is no log."""
    with contextlib.suppress(FileNotFoundError), safe_read.open_regular(log) as file:
        frames = Frames()
        for line in file:
            if frames.is_users(line.decode(errors="replace")):
                yield line


def resolve_name(layout: Layout, name: str, running: Iterable[str] = ()) -> str:
    """The address of the stage with this address or unambiguous name, among logged, locked and ``running`` stages.

    Raises:
        TargetError: No stage has that name, or more than one.
    """
    logged = _addresses(layout.logs_dir, _SUFFIX)
    known = {*logged, *_addresses(layout.stages_dir, LOCK_SUFFIX), *running}
    found = {address for address in known if name in (address, address.partition(".")[2])}
    if name in found:
        found = {name}
    if not found:
        names = sorted({part for address in known for part in (address, address.partition(".")[2])})
        hint = suggest(name, names) or "a stage has a log once it has printed something"
        raise TargetError(f"no stage called {name!r} has a log here", hint=hint)
    if len(found) > 1:
        raise TargetError(f"{name!r} is the name of several stages", hint=f"one of {', '.join(sorted(found))}")
    (address,) = found
    return address


def path_of(layout: Layout, address: str) -> pathlib.Path:
    """The log file of a stage's last run, which exists once the stage has printed something."""
    return layout.log_file(address)


def find(layout: Layout, address: str, *, back: int = 0) -> pathlib.Path | None:
    """The log of the last run of a stage, or of a run ``back`` runs earlier.

    None if no run on this machine has printed anything.

    Raises:
        LogError: There is no log of such an earlier run.
    """
    log = layout.log_file(address)
    if back:
        log = log.with_name(f"{log.name}.{back}")
    if log.exists():
        return log
    if back:
        raise LogError(f"stage {address!r}: no such earlier run has left a log", hint=f"pivot logs {address}")
    return None


def prune(directory: pathlib.Path, most: int = _MOST_BYTES) -> None:
    """Delete the logs of the earliest runs if all together are larger than ``most`` bytes."""
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        found = []
        for entry in entries:
            if not entry.is_file(follow_symlinks=False):
                continue
            status = entry.stat(follow_symlinks=False)
            found.append((status.st_mtime_ns, status.st_size, entry.path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= most:
                break
            os.unlink(path)
            total -= size


def _addresses(directory: pathlib.Path, suffix: str) -> list[str]:
    try:
        return stage_addresses(directory, suffix)
    except OSError:
        return []
