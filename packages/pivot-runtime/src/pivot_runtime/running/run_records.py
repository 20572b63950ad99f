"""Records of one run: which stages have ended with which outs, in the run cache and in lock files."""

import contextlib
import functools
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

import attrs

from pivot_cache.errors import CacheError
from pivot_cache.formats import lock_file
from pivot_core.lock import Artifact, Observation, RunRecord, StageLock
from pivot_core.spec import OutSpec, StageSpec
from pivot_runtime.artifacts.outs_in_git import IgnoredOuts
from pivot_runtime.artifacts.stores import Stores
from pivot_runtime.config.settings import Fsync
from pivot_runtime.evaluating.session import Session
from pivot_runtime.running.outs import Outs

_LONG_S: Final = 0.01
_FLUSH_PERIOD_S: Final = 1.0
"""So often, at most, a run waits for the disk before its end."""


class RunRecords:
    """Records the stages of a run that have ended, in order: objects first, then the run record, the lock last.

    Attributes:
        slow: The times at which recording took long, in seconds since the command began, with their durations.
    """

    def __init__(self, session: Session, specs: Mapping[str, StageSpec], outs: Outs, *, since: float) -> None:
        """Record nothing yet; the run has not waited for the disk ``since`` then."""
        self._session = session
        self._layout = session.stores.layout
        self._specs = specs
        self._outs = outs
        self._ended: list[tuple[str, StageLock | None, Observation, RunRecord]] = []
        self._flusher = RecordFlusher(session.stores, since=since)
        self._ignored_outs = IgnoredOuts(session.context, session.graph.stages)
        self.slow: list[tuple[float, float]] = []

    @functools.cached_property
    def _has_uncommitted(self) -> bool:
        return self._layout.uncommitted_dir.is_dir()

    def add(self, address: str, before: StageLock | None, observation: Observation, record: RunRecord) -> None:
        """Add a stage that has ended, to be recorded by `write`; ``before`` is its last lock."""
        self._ended.append((address, before, observation, record))

    def write(self) -> list[str]:
        """Record the stages that were added, and return their addresses.

        The stages that depend on them may have started already, but cannot have been recorded before.

        Raises:
            CacheError: Something cannot be written.
        """
        written = []
        with self._timed():
            if self._ended:
                self._session.store.write_pending()
            while self._ended:
                address, before, observation, record = self._ended.pop(0)
                self._outs.drop_stash(address)
                spec = self._specs[address]
                if not (spec.always or any(out.incremental for out in spec.outs)):
                    self._session.runs.put(record)
                self.write_lock(address, before, observation, record)
                written.append(address)
            self._flusher.flush_if_due()
        return written

    def put_back_unstored(self) -> None:
        """Store the outs of the stages that were added; if that is impossible, these count as never run."""
        try:
            self._session.store.write_pending()
        except CacheError:
            for address, *_ in self._ended:
                self._outs.put_back(self._specs[address])
            self._ended.clear()

    def write_lock(self, address: str, before: StageLock | None, observation: Observation, record: RunRecord) -> None:
        """Write the lock of a stage whose outs are stored.

        Raises:
            CacheError: It cannot be written.
        """
        spec, stage = self._specs[address], self._session.stages[address]
        self._ignored_outs.before_recording(spec, before)
        inputs = attrs.evolve(observation.inputs, observed=record.observed)
        ran_at = None if spec.ttl is None else record.ran_at
        lock = StageLock(inputs, record.outs, stage.libraries, ran_at=ran_at, uncounted_params=stage.uncounted_params)
        lock_file.write(file := self._layout.lock_path(address), lock)
        self._flusher.add(record, inputs.outs, file)
        if self._has_uncommitted:
            self._session.uncommitted.forget(address)
        self._session.source_texts.remember(stage, record.observed)

    def adopt(self, address: str, lock: StageLock, observation: Observation) -> None:
        """Write the lock of a stage that is up to date, with code that it lacked: that of its programs.

        Raises:
            CacheError: It cannot be written.
        """
        spec = self._specs[address]
        record = RunRecord(observation.inputs.key(), lock.outs, lock.inputs.observed, lock.ran_at)
        if not (spec.always or any(out.incremental for out in spec.outs)):
            self._session.runs.put(record)
        lock_file.write(self._layout.lock_path(address), attrs.evolve(lock, inputs=observation.inputs))
        self._session.source_texts.remember(self._session.stages[address])

    def flush(self) -> None:
        """Flush all records to the disk.

        Raises:
            CacheError: The disk fails, or somebody has removed an object.
        """
        with self._timed():
            self._flusher.flush()

    def report_tracked(self) -> None:
        """Report the recorded outs that git tracks."""
        self._ignored_outs.report_tracked()

    @contextlib.contextmanager
    def _timed(self) -> Iterator[None]:
        began = time.monotonic()
        yield
        seconds = time.monotonic() - began
        if seconds >= _LONG_S:
            self.slow.append((began - self._session.context.began, seconds))


class RecordFlusher:
    """Flushes the records of one run to the disk, with the objects that they name: once a second, and at its end."""

    def __init__(self, stores: Stores, *, since: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Nothing has been recorded; the run has not waited for the disk ``since`` then."""
        self._stores = stores
        self._wanted = stores.settings.fsync is Fsync.ALL
        self._clock = clock
        self._since = since
        self._artifacts: set[Artifact] = set()
        self._files: set[str] = set()

    def add(self, record: RunRecord, outs: Iterable[OutSpec], lock: str) -> None:
        """A record was written, and a lock file that names it; outs that are elsewhere need no flush here."""
        if self._wanted:
            cached = (record.outs[out.path] for out in outs if out.cache)
            self._artifacts.update(artifact for artifact in cached if self._stores.store.has_all(artifact))
            self._files |= {lock, os.fspath(self._stores.runs.file(record.key))}

    def flush_if_due(self) -> None:
        """Flush, if the last time is long ago.

        Raises:
            CacheError: The disk fails.
        """
        if self._files and self._clock() - self._since >= _FLUSH_PERIOD_S:
            self.flush()

    def flush(self) -> None:
        """Flush the objects, and then the files that name them.

        Raises:
            CacheError: The disk fails, or somebody has removed an object.
        """
        if self._files:
            from pivot_cache.files import durable  # lazy

            self._stores.store.persist(*self._artifacts)
            durable.flush_files([file for file in self._files if os.path.exists(file)])
            self._artifacts.clear()
            self._files.clear()
            self._since = self._clock()
