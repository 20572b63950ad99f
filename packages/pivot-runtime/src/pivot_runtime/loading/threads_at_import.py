"""Pipelines that leave threads running when they are imported, so that their stages are not forked.

One JSON file of derived data; where it is missing or damaged, its content is reported again, and that is all.
"""

import contextlib
import json
from collections.abc import Mapping, Sequence

from pivot_cache.errors import CacheError
from pivot_cache.files.atomic import write_bytes
from pivot_cache.files.safe_read import read_json
from pivot_cache.layout import Layout


class Spawning:
    """The spawned pipelines of a project, by file, relative to the root."""

    def __init__(self, layout: Layout) -> None:
        """Nothing is read before it is needed."""
        self._layout = layout
        self._known: dict[str, list[str]] | None = None

    def found(self, file: str, threads: Sequence[str]) -> bool:
        """Note with what threads a stage of a pipeline was to be started, if any; whether that is news. Never fails."""
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
        """By file, the threads that were found last."""
        try:
            data = read_json(self._layout.threads_file)
        except (OSError, ValueError):
            return {}
        return dict(_sound(data)) if isinstance(data, dict) else {}


def _sound(data: Mapping[str, object]) -> Mapping[str, list[str]]:
    return {file: [str(each) for each in found] for file, found in data.items() if isinstance(found, list)}
