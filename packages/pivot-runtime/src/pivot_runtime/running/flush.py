"""`cache.fsync: all`: what stages leave in the cache goes to the disk, with its records and in groups."""

import pathlib
import time
from collections.abc import Callable, Iterable

from pivot_core.lock import Artifact, RunRecord
from pivot_core.spec import OutSpec
from pivot_runtime.artifacts.stores import Stores
from pivot_runtime.config.settings import Fsync

_PERIOD_S = 1.0
"""So often, at most, a run waits for the disk before its end."""


class Flushing:
    """The records of one run that are not flushed yet."""

    def __init__(self, stores: Stores, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing has been recorded."""
        self._stores = stores
        self._wanted = stores.settings.fsync is Fsync.ALL
        self._clock = clock
        self._since = clock()
        self._artifacts: set[Artifact] = set()
        self._files: set[pathlib.Path] = set()

    def add(self, record: RunRecord, outs: Iterable[OutSpec], lock: pathlib.Path) -> None:
        """This was stored, as far as the cache keeps it, and recorded in a lock file."""
        if self._wanted:
            self._artifacts.update(record.outs[out.path] for out in outs if out.cache)
            self._files |= {lock, self._stores.runs.file(record.key)}

    def perhaps(self) -> None:
        """Flush, if the last time is long ago.

        Raises:
            CacheError: The disk fails.
        """
        if self._files and self._clock() - self._since >= _PERIOD_S:
            self.now()

    def now(self) -> None:
        """Flush: first the objects, and then what names them.

        Raises:
            CacheError: The disk fails, or somebody has removed an object.
        """
        if self._files:
            from pivot_cache.files import durable  # noqa: PLC0415  # start-up time: seldom is it wanted

            self._stores.store.persist(*self._artifacts)
            durable.files([file for file in self._files if file.exists()])
            self._artifacts.clear()
            self._files.clear()
            self._since = self._clock()
