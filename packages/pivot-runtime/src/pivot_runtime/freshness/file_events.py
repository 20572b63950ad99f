"""Waits for changes in directories: by events of the operating system, or by polling where there are none."""

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Final

_STEP_MS: Final = 20
"""The time between two looks at the events of the system: a run begins later by half of it on average."""

_LOOK_MS: Final = 500
"""Interval of checks without an event: the change may be older than the wait, or made on another machine."""

_LONGEST_MS: Final = 5000
"""The longest wait for the end of a series of edits."""

_REMOTE: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ncpfs", "afs", "ceph", "glusterfs", "lustre"}
)
_MOUNTS: Final = "/proc/self/mounts"


class Waiter:
    """Waits for changes; polls from the first failure of the system's events on."""

    def __init__(self) -> None:
        """Watch nothing yet."""
        self._reason = ""

    def wait(
        self, directories: Iterable[str], changed: Callable[[], bool], settle_ms: int, polling: Callable[[str], None]
    ) -> None:
        """Return once ``changed`` returns true and there were no edits in the directories for ``settle_ms``.

        If the directories must be polled, ``polling`` is called once with the reason.

        Raises:
            KeyboardInterrupt: A signal ended the wait.
        """
        places = sorted({place for place in directories if os.path.isdir(place)})
        if not self._reason:
            self._reason = polling_reason(places)
            try:
                if not self._reason:
                    self._wait_for_events(places, changed, settle_ms)
                    return
            except OSError as error:
                self._reason = f"the system cannot watch so many directories ({error})"
            polling(self._reason)
        while not changed():
            time.sleep(_LOOK_MS / 1000)
        time.sleep(settle_ms / 1000)

    def _wait_for_events(self, places: list[str], changed: Callable[[], bool], settle_ms: int) -> None:
        import watchfiles  # lazy

        step = max(1, min(_STEP_MS, settle_ms))
        edits = EditSeries(settle_ms / 1000, step / 1000)
        if changed():  # before the system reports events
            edits.found(time.monotonic())
        looked = time.monotonic()
        for reported in watchfiles.watch(
            *places,
            watch_filter=None,
            step=step,
            debounce=_LONGEST_MS,
            rust_timeout=min(_LOOK_MS, max(_STEP_MS, settle_ms - step)),
            yield_on_timeout=True,
            recursive=False,
            ignore_permission_denied=True,
        ):
            now = time.monotonic()
            edits.reported(reported, now)
            if edits.are_settled(now) or (not edits and now >= looked + _LOOK_MS / 1000):
                looked = now
                if not changed():
                    edits.clear()
                elif edits:
                    return
                else:
                    edits.found(now)
        raise KeyboardInterrupt


class EditSeries:
    """A series of edits; true once there is one. Times are those of the monotonic clock."""

    def __init__(self, settle_seconds: float, step_seconds: float) -> None:
        """The events of a report are at least ``step_seconds`` old, and end a series ``settle_seconds`` after them."""
        self._settle, self._step = settle_seconds, step_seconds
        self._events: set[object] = set()
        self._first = self._last = self._before = math.nan

    def __bool__(self) -> bool:
        return not math.isnan(self._first)

    def reported(self, events: AbstractSet[object], now: float) -> None:
        """Add a report. A file that is written all the time, such as a log, adds one edit to a series."""
        if events - self._events:
            self._events |= events
            self._last = now - self._step
            if not self:
                self._first = self._last if math.isnan(self._before) else min(self._before, self._last)
        self._before = now

    def found(self, now: float) -> None:
        """Add an edit of which there was no event, and which may be as late as now."""
        self._last = now
        if not self:
            self._first = now

    def are_settled(self, now: float) -> bool:
        """Whether the series has ended; it may not last without end."""
        return now - self._last >= self._settle or now - self._first >= max(_LONGEST_MS / 1000, self._settle)

    def clear(self) -> None:
        """Begin a new series."""
        self._events.clear()
        self._first = self._last = math.nan


def polling_reason(places: Iterable[str]) -> str:
    """Return why the system reports no events for one of these directories; "" if it reports all."""
    kinds = dict(_mounts())
    for place in places:
        real = os.path.realpath(place)
        while real not in kinds and real != "/":
            real = os.path.dirname(real)
        kind = kinds.get(real, "")
        if kind in _REMOTE or kind.startswith("fuse."):
            return f"{place} is on a file system of another machine ({kind})"
    return ""


def _mounts() -> Iterator[tuple[str, str]]:
    try:
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.readlines()
        for line in lines:
            _, place, kind, *_ = line.split()
            yield place.encode("latin-1", "backslashreplace").decode("unicode_escape"), kind
    except (OSError, ValueError):
        return
