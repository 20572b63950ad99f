"""The record of stage runs that were sent to a cluster: the command after a killed one takes up their results."""

import contextlib
import os
from collections.abc import Iterable
from typing import Final

from pivot_cache.layout import Layout
from pivot_core.files.digest import is_digest

_MOST: Final = 20_000


def add(layout: Layout, keys: Iterable[str]) -> None:
    """Add inputs keys; if that fails, the results are not found after a kill, and no more."""
    with contextlib.suppress(OSError):
        file = os.open(layout.sent_runs_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            os.write(file, "".join(f"{key}\n" for key in keys).encode())
        finally:
            os.close(file)


def read(layout: Layout) -> list[str]:
    """Return the keys that the last command has left: none if it ended by itself."""
    try:
        lines = layout.sent_runs_file.read_text(errors="replace").splitlines()
    except OSError:
        return []
    return [key for key in dict.fromkeys(lines) if is_digest(key)][-_MOST:]


def clear(layout: Layout) -> None:
    """Forget all: what has ended is recorded."""
    with contextlib.suppress(OSError):
        os.unlink(layout.sent_runs_file)
