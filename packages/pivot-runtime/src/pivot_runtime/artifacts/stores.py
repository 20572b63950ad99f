"""The open stores of a project: objects, run cache and stat cache, with the configuration."""

import functools
import pathlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs

from pivot_cache.layout import Layout
from pivot_cache.objects.store import ObjectStore
from pivot_cache.state.stat_cache import StatCache
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact
from pivot_core.values import Value
from pivot_runtime.config.settings import Settings
from pivot_runtime.context import CommandContext

if TYPE_CHECKING:
    from pivot_cache.state.run_cache import RunCache
    from pivot_cache.state.scan import Scan
    from pivot_runtime.artifacts.object_links import ObjectLinks


@attrs.frozen(eq=False, repr=False)
class Stores(Value):
    """The open stores of a project.

    Attributes:
        layout: Their paths.
        settings: The settings.
        files: The stat cache: digests of files that have not changed since they were hashed.
        store: The object store: content by digest.
        sha256_file: The record of the SHA-256 of objects, if it is configured.
    """

    layout: Layout
    settings: Settings
    files: StatCache
    store: ObjectStore
    sha256_file: pathlib.Path | None = None

    @functools.cached_property
    def runs(self) -> "RunCache":
        """Return the run cache: results by inputs key."""
        from pivot_cache.state.run_cache import RunCache  # lazy

        return RunCache(self.layout.runs_dir)

    def look(self, path: ArtifactPath) -> Artifact | None:
        """Return the current artifact at ``path``, or None."""
        return self.files.artifact(self.layout.artifact_path(path))

    def ingest(self, file: pathlib.Path | str, *, later: bool = False, found: "Scan | None" = None) -> Artifact:
        """Store a file or a directory, and its digest in the stat cache.

        With ``later``, the bytes of a small file may wait for `ObjectStore.write_pending`. A caller that has just
        scanned the directory gives what it ``found``.

        Raises:
            ArtifactError: There is nothing readable.
        """
        from pivot_cache.objects.ingest import ingest  # lazy

        return ingest(file, self.store, self.files, sha256_file=self.sha256_file, later=later, found=found)

    def keep(self, file: pathlib.Path | str, found: "Scan | None" = None) -> Artifact:
        """Store a file or a directory that exists nowhere else: flush its bytes to the disk before returning.

        Raises:
            ArtifactError: There is nothing readable.
        """
        artifact = self.ingest(file, found=found)
        self.store.persist(artifact)
        return artifact


@contextmanager
def open_stores(context: CommandContext) -> Iterator[Stores]:
    """Open the stores of a project; the stat cache is saved at the end of the block.

    Raises:
        ConfigError: The configuration is invalid.
    """
    settings, layout = context.settings, context.cache_layout
    if layout.cache is not None and context.borrowed_cache is None:
        from pivot_runtime.config import cache_dir  # lazy
        from pivot_runtime.project import cache_users  # lazy

        cache_dir.prepare(layout, settings.executor_shared)
        cache_users.register(layout)
    with StatCache(layout.statcache_file) as files:
        store = ObjectStore(layout.objects_dir, with_sha256=settings.sha256, files=files)
        store.before_losing(_parting(layout))
        yield Stores(layout, settings, files, store, layout.sha256_file if settings.sha256 else None)


def _parting(layout: Layout) -> Callable[[str], object]:
    @functools.cache
    def links() -> "ObjectLinks":
        from pivot_runtime.artifacts.object_links import ObjectLinks  # lazy

        return ObjectLinks(layout)

    return lambda path: links().part(path)
