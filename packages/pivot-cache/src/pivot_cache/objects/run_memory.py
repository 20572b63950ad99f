"""The results of earlier runs in a cache, as `pivot_core.decide` asks for them."""

from collections.abc import Callable

import attrs

from pivot_cache.objects.store import ObjectStore
from pivot_cache.state.run_cache import RunCache
from pivot_core.lock import Artifact, RunRecord
from pivot_core.values import Value


@attrs.frozen(eq=False, repr=False)
class CacheMemory(Value):
    """A `pivot_core.decide.Memory` of one object store and one run cache."""

    store: ObjectStore
    runs: RunCache
    holds: Callable[[RunRecord], bool] = lambda record: not record.observed
    """Whether all code that a run observed is as it was; by default only where it observed none."""

    def recorded(self, key: str) -> RunRecord | None:
        """The newest run with this inputs key that still holds; None if there is none."""
        return next((record for record in self.runs.get(key) if self.holds(record)), None)

    def has(self, artifact: Artifact) -> bool:
        """Whether the object store holds this content, all of it."""
        return self.store.holds(artifact)
