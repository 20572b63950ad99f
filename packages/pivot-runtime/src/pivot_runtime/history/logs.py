"""The output of stages when they ran: found by the name of the stage alone, so that nothing is imported."""

import contextlib
import os
import pathlib
import re
from collections.abc import Iterable

from pivot_cache.files import safe_read
from pivot_cache.layout import Layout
from pivot_runtime.errors import LogError, TargetError

_SUFFIX = ".log"
_TAIL_BYTES = 1 << 14
_MOST_BYTES = 1 << 28
_FRAME = re.compile(r'  File ".*", line \d+ in ')
_OWN = re.compile(r'  File ".*[/\\](pivot_runtime[/\\].*|pivot_core[/\\](.*[/\\])?pipeline\.py)", line \d+ in ')
"""Lines of what a crash leaves, the innermost call first: each call, and where Pivot has called the stage."""


class Frames:
    """Tells the lines of a log, one after the other, from those that say where in Pivot a crashed stage was called."""

    def __init__(self) -> None:
        self._ours = False

    def theirs(self, line: str) -> bool:
        """Whether the next line is worth showing; it is none of ours, nor says from where ours were called."""
        self._ours = _OWN.match(line) is not None or (self._ours and _FRAME.match(line) is not None)
        return not self._ours


def tail(log: pathlib.Path, lines: int) -> str:
    """The last lines of a log, of which very long ones may be cut; nothing if it cannot be read."""
    try:
        with safe_read.opened(log) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(list(filter(Frames().theirs, text.splitlines()))[-lines:])


def meant(layout: Layout, name: str, running: Iterable[str] = ()) -> str:
    """The address of the stage that has this address or unambiguous name; those that are ``running`` are known, too.

    Raises:
        TargetError: Nothing is known of such a stage, or more than one has that name.
    """
    logged = _addresses(layout.logs_dir, _SUFFIX)
    known = {*logged, *_addresses(layout.stages_dir, ".lock"), *running}
    found = {address for address in known if name in (address, address.partition(".")[2])}
    if name in found:
        found = {name}
    if not found:
        names = sorted({part for address in known for part in (address, address.partition(".")[2])})
        import difflib  # noqa: PLC0415  # start-up time: seldom needed

        close = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {close[0]}?" if close else "a stage has a log once it has run"
        raise TargetError(f"no stage called {name!r} has run here", hint=hint)
    if len(found) > 1:
        raise TargetError(f"{name!r} is the name of several stages", hint=f"one of {', '.join(sorted(found))}")
    (address,) = found
    return address


def place(layout: Layout, address: str) -> pathlib.Path:
    """Where the log of the last run of a stage is, or will be once it prints something."""
    return layout.logs_dir / f"{address}{_SUFFIX}"


def find(layout: Layout, address: str, *, back: int = 0) -> pathlib.Path | None:
    """The log of the last run of a stage, or of ``back`` runs before it.

    None if none of its runs on this machine has printed anything.

    Raises:
        LogError: No such earlier run has left a log.
    """
    log = layout.logs_dir / (f"{address}{_SUFFIX}.{back}" if back else f"{address}{_SUFFIX}")
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


def _addresses(directory: pathlib.Path, suffix: str) -> Iterable[str]:
    try:
        return [name.removesuffix(suffix) for name in os.listdir(directory) if name.endswith(suffix)]
    except OSError:
        return []
