"""Waits for changes in directories: by events of the system, or by polling where there are none."""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

_LOOK_MS: Final = 500
"""How often files are checked without a reported change: it may have happened earlier, or on another machine."""

_LONGEST_MS: Final = 5000
"""An end of edits is not waited for any longer."""

_REMOTE: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ncpfs", "afs", "ceph", "glusterfs", "lustre"}
)
_MOUNTS: Final = "/proc/self/mounts"


class Waiter:
    """Waits for changes; where the system has once failed to tell of them, it is not asked again."""

    def __init__(self) -> None:
        """Nothing is watched yet."""
        self._reason = ""

    def wait(
        self, directories: Iterable[str], changed: Callable[[], bool], settle_ms: int, polling: Callable[[str], None]
    ) -> None:
        """Return when ``changed`` says so, after edits in the directories have ended for ``settle_ms``.

        ``polling`` gets once why they are polled, if they are.

        Raises:
            KeyboardInterrupt: A signal asked to end.
        """
        places = sorted({place for place in directories if os.path.isdir(place)})
        if not self._reason:
            self._reason = far_away(places)
            try:
                if not self._reason:
                    self._told(places, changed, settle_ms)
                    return
            except OSError as error:
                self._reason = f"the system cannot watch so many directories ({error})"
            polling(self._reason)
        while not changed():
            time.sleep(_LOOK_MS / 1000)
        time.sleep(settle_ms / 1000)

    def _told(self, places: list[str], changed: Callable[[], bool], settle_ms: int) -> None:
        import watchfiles  # noqa: PLC0415  # start-up time: only who watches needs it

        for told in watchfiles.watch(
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
                if not told:  # nobody has waited yet for the edits to end
                    time.sleep(settle_ms / 1000)
                return
        raise KeyboardInterrupt


def far_away(places: Iterable[str]) -> str:
    """Why the system does not tell of all that happens in these directories; "" if it does."""
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
