"""Pipelines whose import leaves threads running, so that their stages are spawned instead of forked.

They are stored in one JSON file of derived data; if it is missing or damaged, they are reported again.
"""

import contextlib
import json
from collections.abc import Mapping, Sequence

from pivot_cache.errors import CacheError
from pivot_cache.files.atomic import write_bytes
from pivot_cache.files.safe_read import read_json
from pivot_cache.layout import Layout


class SpawnedPipelines:
    """The pipelines of a project whose stages are spawned, by file relative to the root."""

    def __init__(self, layout: Layout) -> None:
        """Read nothing yet."""
        self._layout = layout
        self._known: dict[str, list[str]] | None = None

    def found(self, file: str, threads: Sequence[str]) -> bool:
        """Store the threads that a pipeline has left running, if any; return whether they are new. Never fails."""
        known = self._known = self.known() if self._known is None else self._known
        if (file in known) == bool(threads):
            return False
        if threads:
            known[file] = list(threads)
        else:
            del known[file]
        with contextlib.suppress(OSError, CacheError):
            write_bytes(self._layout.threads_file, json.dumps(known, sort_keys=True).encode())
        return bool(threads)

    def known(self) -> dict[str, list[str]]:
        """Return the threads that were found last, by file."""
        try:
            data = read_json(self._layout.threads_file)
        except (OSError, ValueError):
            return {}
        return dict(_sound(data)) if isinstance(data, dict) else {}


def _sound(data: Mapping[str, object]) -> Mapping[str, list[str]]:
    return {file: [str(each) for each in found] for file, found in data.items() if isinstance(found, list)}
