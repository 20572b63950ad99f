"""Waits for changes in directories: by events of the operating system, or by polling where there are none."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

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

        for reported in watchfiles.watch(
            *places,
            watch_filter=None,
            step=max(1, settle_ms),
            debounce=max(_LONGEST_MS, settle_ms),
            rust_timeout=_LOOK_MS,
            yield_on_timeout=True,
            recursive=False,
            ignore_permission_denied=True,
        ):
            if changed():
                if not reported:  # after a timeout: watchfiles has not waited for the end of the edits
                    time.sleep(settle_ms / 1000)
                return
        raise KeyboardInterrupt


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
