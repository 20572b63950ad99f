"""What earlier runs left behind in a cache, as `pivot_core.decide` asks for it."""

from collections.abc import Mapping

import attrs

from pivot_cache.runcache import RunCache
from pivot_cache.store import ObjectStore
from pivot_core.lock import Artifact
from pivot_core.paths import ArtifactPath


@attrs.frozen
class CacheMemory:
    """A `pivot_core.decide.Memory` of one object store and one run cache."""

    store: ObjectStore
    runs: RunCache

    def recorded(self, key: str) -> Mapping[ArtifactPath, Artifact] | None:
        """What the newest run with this inputs key left; None if no run is remembered."""
        record = self.runs.get(key)
        return None if record is None else record.outs

    def has(self, digest: str) -> bool:
        """Whether the object store holds the content with this digest."""
        return self.store.has(digest)
