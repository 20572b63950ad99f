"""`pivot cache verify`: checks all objects, and that the objects of all records in the workspace are present."""

from collections.abc import Callable, Collection

import attrs

from pivot_cache.errors import ArtifactError, CorruptObjectError, MissingObjectError, TreeError
from pivot_cache.formats.tree import Tree
from pivot_cache.maintenance import fsck
from pivot_cache.maintenance.fsck import FsckReport
from pivot_cache.maintenance.gc_plan import mark
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact
from pivot_core.progress import no_progress
from pivot_core.values import Value
from pivot_runtime.artifacts import records
from pivot_runtime.artifacts.records import Record
from pivot_runtime.artifacts.stores import Stores, open_stores
from pivot_runtime.context import CommandContext
from pivot_runtime.history import events
from pivot_runtime.history.events import Reporter, no_report
from pivot_runtime.project.guard import guarded

type Fetch = Callable[[Stores, Collection[Artifact]], object]
"""Brings artifacts into the store from elsewhere, as far as possible."""


@attrs.frozen(eq=False, repr=False)
class CacheCheck(Value):
    """The result of a check, and of the repairs.

    Attributes:
        report: The state of the store.
        affected: The artifacts named in the workspace whose content was missing or damaged in the cache.
        lacking: Those of them that are still missing.
        unneeded: The damaged objects that belong to none of them; nothing restores these.
    """

    report: FsckReport
    affected: tuple[Record, ...]
    lacking: tuple[Record, ...]
    unneeded: frozenset[str] = frozenset()

    @property
    def good(self) -> bool:
        """Whether all objects were intact or are so again, and all needed ones are now present."""
        return not (self.lacking or self.unneeded or self.report.suspect)

    @property
    def mended(self) -> tuple[Record, ...]:
        """The artifacts that are complete in the cache again."""
        return tuple(record for record in self.affected if record not in self.lacking)


def verify(
    context: CommandContext,
    *,
    full: bool = True,
    repair: bool = False,
    fetch: Fetch | None = None,
    report: Reporter = no_report,
    progress: fsck.Progress = no_progress,
) -> CacheCheck:
    """Check the cache; with ``full``, damaged objects are moved to the quarantine.

    Args:
        context: The context of the command.
        full: Whether to read all bytes.
        repair: Whether to restore damaged or missing content: from the workspace, otherwise with ``fetch``.
        fetch: Fetches it from a remote; None without a remote.
        report: Called before waiting for another command.
        progress: Called for every object.

    Raises:
        CacheError: A file that names objects is invalid, or the store cannot be read.
    """
    with open_stores(context) as stores:
        named = [record for record in records.read(context).by_path.values() if record.cache]
        found = fsck.check(stores.store, [record.artifact for record in named], full=full, progress=progress)
        bad = {one.digest for one in found.bad} | found.missing
        lost = [bad & _parts(stores, record) for record in named]
        affected = tuple(record for record, parts in zip(named, lost, strict=True) if parts)
        unneeded = frozenset(one.digest for one in found.bad).difference(*lost)
        lacking = affected
        if repair and affected:
            with guarded(
                context.project.layout.guard_file,
                "pivot cache verify",
                events.report_waiting(report),
            ):
                lacking = _repaired(stores, affected, fetch)
        return CacheCheck(found, affected, lacking, unneeded)


def _parts(stores: Stores, record: Record) -> frozenset[str]:
    """All objects of a record, as far as its listing is present."""
    return frozenset(mark([record.artifact], stores.store, lambda _: None).digests)


def _repaired(stores: Stores, affected: tuple[Record, ...], fetch: Fetch | None) -> tuple[Record, ...]:
    """Restore what can be restored; return the rest."""
    for record in affected:
        _from_workspace(stores, record)
    lacking = _incomplete(stores, affected)
    if lacking and fetch is not None:
        fetch(stores, [record.artifact for record in lacking])
        lacking = _incomplete(stores, lacking)
    return lacking


def _incomplete(stores: Stores, some: tuple[Record, ...]) -> tuple[Record, ...]:
    return tuple(record for record in some if not stores.store.has_all(record.artifact))


def _from_workspace(stores: Stores, record: Record) -> None:
    """Store matching content of the workspace again, file by file if the listing is present."""
    file = stores.layout.artifact(record.path)
    try:
        if stores.look(record.path) == record.artifact:
            (stores.keep if record.tracked else stores.ingest)(file)
            return
        if not record.artifact.tree:
            return
        for name, wanted in _listing(stores, record.artifact).files.items():
            inner = ArtifactPath(f"{record.path}/{name}")
            if not stores.store.verified(wanted.digest, wanted.size) and stores.look(inner) == wanted:
                (stores.keep if record.tracked else stores.ingest)(stores.layout.artifact(inner))
    except ArtifactError:
        return  # unreadable here, but perhaps available elsewhere


def _listing(stores: Stores, artifact: Artifact) -> Tree:
    try:
        return stores.store.tree(artifact)
    except (MissingObjectError, CorruptObjectError, TreeError):
        return Tree({})
