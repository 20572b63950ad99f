"""`pivot cache status`: the content and users of the cache, the trash, and the kinds of links that work."""

import os
import pathlib
from collections.abc import Iterable, Mapping

import attrs

from pivot_cache.errors import as_cache_errors
from pivot_cache.files.link_modes import probe
from pivot_cache.maintenance.gc_plan import Object, inventory, mark
from pivot_core.values import Value
from pivot_runtime.artifacts import records
from pivot_runtime.artifacts.stores import open_stores
from pivot_runtime.context import CommandContext
from pivot_runtime.project import cache_users


@attrs.frozen(eq=False, repr=False)
class CacheUsage(Value):
    """The objects in the cache that a stage or tracked data need.

    Attributes:
        name: A stage's address, or the path of tracked data.
        tracked: Whether it is tracked data.
        here: Its objects in the cache, some of which others may also need.
        missing: The number of missing objects; a lower bound if a listing is missing.
    """

    name: str
    tracked: bool
    here: "ObjectCount"
    missing: int


@attrs.frozen(eq=False, repr=False)
class ObjectCount(Value):
    """The number and size of some objects."""

    objects: int
    size: int


@attrs.frozen(eq=False, repr=False)
class CacheStatus(Value):
    """The content of a cache.

    Attributes:
        directory: Its directory.
        all: All objects.
        shares: The objects of each stage and each tracked path.
        rest: The objects that no file in the workspace names; branches or earlier runs may need them.
        runs: The number of run records.
        trash: The objects in the trash.
        collections: The number of collections in the trash.
        quarantine: The objects that were found damaged.
        modes: Whether each kind of link works.
        users: The other projects that use the cache.
    """

    directory: pathlib.Path
    all: ObjectCount
    shares: tuple[CacheUsage, ...]
    rest: ObjectCount
    runs: int
    trash: ObjectCount
    collections: int
    quarantine: ObjectCount
    modes: Mapping[str, bool]
    users: tuple[pathlib.Path, ...]


def cache_status(context: CommandContext) -> CacheStatus:
    """Determine the status; nothing is verified.

    Raises:
        CacheError: A record is invalid, or a directory cannot be read.
    """
    with open_stores(context) as stores:
        layout, store = stores.layout, stores.store
        there = inventory(store)
        named: set[str] = set()
        needs: dict[tuple[bool, str], set[str]] = {}
        for record in records.read(context).by_path.values():
            if record.cache:
                parts = mark([record.artifact], store, lambda _: None).digests
                needs.setdefault((record.tracked, record.address or record.path), set()).update(parts)
                named |= parts
        shares = tuple(
            CacheUsage(name, tracked, _count_objects(there, parts & there.keys()), len(parts - there.keys()))
            for (tracked, name), parts in sorted(needs.items())
        )
        batches = store.trash.batches()
        with as_cache_errors("read", store.trash.directory):
            trashed = [size for batch in batches for _, size in batch.objects()]
        with as_cache_errors("read", stores.runs.directory):
            runs = sum(1 for _ in stores.runs.written())
        return CacheStatus(
            directory=layout.cache_dir,
            all=_count_objects(there, there),
            shares=shares,
            rest=_count_objects(there, there.keys() - named),
            runs=runs,
            trash=ObjectCount(len(trashed), sum(trashed)),
            collections=len(batches),
            quarantine=_quarantined(store.quarantine_dir),
            modes=probe(store.directory, layout.database_dir),
            users=tuple(user.root for user in cache_users.others(layout) if not user.gone),
        )


def _count_objects(there: Mapping[str, Object], some: Iterable[str]) -> ObjectCount:
    sizes = [there[digest].size for digest in some]
    return ObjectCount(len(sizes), sum(sizes))


def _quarantined(directory: pathlib.Path) -> ObjectCount:
    sizes = []
    with as_cache_errors("read", directory):
        try:
            with os.scandir(directory) as entries:
                sizes = [entry.stat(follow_symlinks=False).st_size for entry in entries]
        except FileNotFoundError:
            return ObjectCount(0, 0)
    return ObjectCount(len(sizes), sum(sizes))
