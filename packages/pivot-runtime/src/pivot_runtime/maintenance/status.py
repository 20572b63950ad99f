"""`pivot cache status`: what the cache holds and for whom, what waits in the trash, and how files can be linked."""

import os
import pathlib
from collections.abc import Iterable, Mapping

import attrs

from pivot_cache.errors import reporting
from pivot_cache.files.link_modes import working
from pivot_cache.maintenance.gc_plan import Object, inventory, mark
from pivot_cache.objects.trash import OBJECTS
from pivot_core.values import Value
from pivot_runtime.artifacts import records
from pivot_runtime.cache import users as registry
from pivot_runtime.cache.stores import opened as opened_stores
from pivot_runtime.project.project import Project


@attrs.frozen(eq=False, repr=False)
class Share(Value):
    """What part of the cache somebody needs.

    Attributes:
        name: A stage's address, or the path of tracked data.
        tracked: It is tracked data.
        here: What of it is here; some may be others' too.
        missing: How many objects it needs that are not here; at least, where a listing is not.
    """

    name: str
    tracked: bool
    here: "Heap"
    missing: int


@attrs.frozen(eq=False, repr=False)
class Heap(Value):
    """Some objects: how many, and their size."""

    objects: int
    size: int


@attrs.frozen(eq=False, repr=False)
class CacheStatus(Value):
    """What a cache holds.

    Attributes:
        directory: Where it is.
        all: Everything.
        shares: What each stage and each tracked path needs.
        rest: What no file in the workspace names; branches or earlier runs may need it.
        runs: How many run records there are.
        trash: What waits to be deleted.
        collections: How many collections it comes from.
        quarantine: What was found damaged.
        modes: Whether each way to link files works here.
        users: The other projects that use it.
    """

    directory: pathlib.Path
    all: Heap
    shares: tuple[Share, ...]
    rest: Heap
    runs: int
    trash: Heap
    collections: int
    quarantine: Heap
    modes: Mapping[str, bool]
    users: tuple[pathlib.Path, ...]


def cache_status(project: Project) -> CacheStatus:
    """Look at everything; nothing is verified.

    Raises:
        CacheError: A record cannot be understood, or a directory cannot be read.
    """
    with opened_stores(project) as stores:
        layout, store = stores.layout, stores.store
        there = inventory(store)
        named: set[str] = set()
        needs: dict[tuple[bool, str], set[str]] = {}
        for record in records.read(project).by_path.values():
            if record.cache:
                parts = mark([record.artifact], store, lambda _: None).digests
                needs.setdefault((record.tracked, record.address or record.path), set()).update(parts)
                named |= parts
        shares = tuple(
            Share(name, tracked, _heap(there, parts & there.keys()), len(parts - there.keys()))
            for (tracked, name), parts in sorted(needs.items())
        )
        batches = store.trash.batches()
        with reporting("read", store.trash.directory):
            trashed = [size for batch in batches for _, size in batch.contents(OBJECTS)]
        with reporting("read", stores.runs.directory):
            runs = sum(1 for _ in stores.runs.written())
        return CacheStatus(
            directory=layout.cache_dir,
            all=_heap(there, there),
            shares=shares,
            rest=_heap(there, there.keys() - named),
            runs=runs,
            trash=Heap(len(trashed), sum(trashed)),
            collections=len(batches),
            quarantine=_quarantined(store.quarantine),
            modes=working(store.directory, layout.database_dir),
            users=tuple(user.root for user in registry.others(layout) if not user.gone),
        )


def _heap(there: Mapping[str, Object], some: Iterable[str]) -> Heap:
    sizes = [there[digest].size for digest in some]
    return Heap(len(sizes), sum(sizes))


def _quarantined(directory: pathlib.Path) -> Heap:
    sizes = []
    with reporting("read", directory):
        try:
            with os.scandir(directory) as entries:
                sizes = [entry.stat(follow_symlinks=False).st_size for entry in entries]
        except FileNotFoundError:
            return Heap(0, 0)
    return Heap(len(sizes), sum(sizes))
