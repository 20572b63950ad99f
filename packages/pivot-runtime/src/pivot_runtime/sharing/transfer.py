"""Pushes and fetches the artifacts in lock files and `.pvt` files, without importing user code."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

import attrs

from pivot_cache.errors import CacheError, CorruptObjectError, MissingObjectError
from pivot_cache.formats.tree import Tree
from pivot_cache.objects.store import ObjectStore
from pivot_cache.remotes import transfer
from pivot_cache.remotes.protocol import RemoteError
from pivot_cache.remotes.transfer import TransferCounts, TransferResult
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact, RunRecord
from pivot_core.values import Value
from pivot_runtime.artifacts import lock_files, records
from pivot_runtime.artifacts.records import Opened, Record
from pivot_runtime.artifacts.stores import Stores, open_stores
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import TargetError
from pivot_runtime.sharing.remote_client import RemoteClient, TransferOptions

__all__ = [
    "TransferOptions",
    "TransferReport",
    "fetch",
    "fetch_from_default",
    "present_on_default",
    "push",
]


@attrs.frozen(eq=False, repr=False)
class TransferReport(Value):
    """The outcome of a transfer by artifact.

    Attributes:
        remote: The remote's name.
        outcome: The outcome by object.
        failed: Artifacts with objects that could not be transferred, and the reason.
        missing: Artifacts with objects that the source lacks.
        runs: The number of run records that were shared or fetched.
        planned: For a dry run: the artifacts with objects that would be transferred, and the number of bytes.
        not_asked: For a fetch: the reason why shared results were not looked up, if so.
    """

    remote: str
    outcome: TransferResult
    failed: dict[str, CacheError]
    missing: tuple[str, ...]
    runs: int = 0
    planned: Mapping[str, int] = attrs.field(factory=dict)
    not_asked: RemoteError | None = None

    @property
    def complete(self) -> bool:
        """Whether the destination has everything."""
        return not (self.outcome.failed or self.outcome.missing or self.outcome.stopped)


def push(
    context: CommandContext, targets: Iterable[str] = (), options: TransferOptions | None = None
) -> TransferReport:
    """Upload the objects of the targets that a remote lacks; without targets, of all records.

    Raises:
        ConfigError: No remote is configured, or none of that name, or it is read-only.
        TargetError: A target is unknown.
        CacheError: A record cannot be read.
    """
    options = options or TransferOptions()
    with open_stores(context) as stores:
        selected = _selected(context, stores, targets, lambda _: None)
        if options.all_objects:
            selected = list(_everything(stores.store))
        client = RemoteClient(stores, options)
        stores.settings.check_writable(client.name)
        outcome = client.push(_artifacts(selected))
        report = _report(
            client.name, outcome, selected, stores.store, dry_run=options.dry_run and not options.all_objects
        )
        if not stores.settings.remote_run_cache or options.dry_run or outcome.stopped is not None:
            return report
        shared = client.push_runs(_complete_runs(context, stores, selected, {*report.failed, *report.missing}))
        return attrs.evolve(report, runs=shared)


def _complete_runs(
    context: CommandContext, stores: Stores, selected: Collection[Record], lacking: set[str]
) -> Iterator[RunRecord]:
    """The last run of each stage whose outs are now completely on the remote."""
    pushed = {record.path for record in selected}
    for address in sorted({record.address for record in selected if record.address is not None}):
        lock = lock_files.read(context, address)
        if lock is None or lock.accepted or not lacking.isdisjoint(lock.outs) or not lock.outs.keys() <= pushed:
            continue
        if all(out.cache and not out.incremental for out in lock.inputs.outs):
            inputs = attrs.evolve(lock.inputs, library_versions=stores.settings.relevant_versions(lock.libraries))
            yield RunRecord(inputs.key(), lock.outs, inputs.observed, lock.ran_at)


def fetch(
    context: CommandContext, targets: Iterable[str] = (), options: TransferOptions | None = None
) -> TransferReport:
    """Download the objects of the targets that the cache lacks; without targets, of all records.

    If run records are shared, this includes shared results of stages that must run.

    Raises:
        ConfigError: No remote is configured, or none of that name.
        TargetError: A target is unknown.
        CacheError: A record cannot be read.
    """
    options = options or TransferOptions()
    named = list(targets)
    with open_stores(context) as stores:
        client = RemoteClient(stores, options)
        shared = None
        if stores.settings.remote_run_cache:
            from pivot_runtime.sharing import shared_results  # lazy

            shared = shared_results.find(context, stores, named, remote=options.remote)

        def opened(record: Record) -> Tree | None:
            if record.artifact.sha256:
                return None  # only a complete directory can be distinguished from a forgery
            if not stores.store.verified(record.artifact.digest):
                client.fetch_listings([record.artifact])
            try:
                return stores.store.tree(record.artifact)
            except (MissingObjectError, CorruptObjectError):
                return None

        selected = _selected(context, stores, named, opened)
        if shared is not None:
            selected += shared.outs()
        outcome = client.fetch(_artifacts(selected))
        report = _report(client.name, outcome, selected, stores.store, dry_run=options.dry_run)
        if shared is None:
            return report
        taken = len(shared.runs) if options.dry_run else shared.keep(stores)
        return attrs.evolve(report, runs=taken, not_asked=shared.not_asked)


def present_on_default(stores: Stores, digests: Collection[str]) -> set[str]:
    """Return those objects that the default remote has now; none if there is no default remote.

    Raises:
        RemoteError: The remote does not answer the question.
    """
    client = RemoteClient.default(stores)
    return set() if client is None else client.present(digests)


def fetch_from_default(
    stores: Stores, artifacts: Iterable[Artifact], progress: Callable[[TransferCounts], object]
) -> CacheError | None:
    """Fetch artifacts that the default remote has into the cache; return the error that stopped it, if any."""
    client = RemoteClient.default(stores)
    return None if client is None else client.fetch(artifacts, progress).stopped


def _selected(context: CommandContext, stores: Stores, targets: Iterable[str], opened: Opened) -> list[Record]:
    found, named = records.read(context), list(targets)
    try:
        selected = found.select(named, context.project, opened)
    except TargetError as error:
        remote = next((each for each in named if each in stores.settings.remotes), None)
        if remote is None or f"{remote!r}" not in str(error):
            raise
        raise TargetError(str(error), hint=f"{remote} is a remote: name it with --remote {remote}") from None
    return [record for record in selected if record.cache]


def _everything(store: ObjectStore) -> Iterator[Record]:
    """Each object of a store, as if it were a file of that name."""
    for digest in store.digests():
        size = store.path_of(digest).stat().st_size
        yield Record(ArtifactPath(digest), Artifact(digest, size))


def _artifacts(selected: Iterable[Record]) -> list[Artifact]:
    return [record.artifact for record in selected]


def _report(
    name: str, outcome: TransferResult, selected: Iterable[Record], store: ObjectStore, *, dry_run: bool
) -> TransferReport:
    """The artifacts with failed, missing or planned objects."""
    failed: dict[str, CacheError] = {}
    missing: list[str] = []
    planned: dict[str, int] = {}
    if outcome.failed or outcome.missing or dry_run:
        held_back = {part for part, error in outcome.failed.items() if isinstance(error, transfer.IncompleteTreeError)}
        for record in selected:
            sizes = transfer.objects_of([record.artifact], store).sizes
            parts = {record.artifact.digest, *sizes}
            if dry_run and not parts.isdisjoint(outcome.transferred):
                planned[record.path] = sum(sizes.get(part) or 0 for part in parts & outcome.transferred)
            # If the reason is known, a listing that was held back adds no information.
            wrong = sorted(parts & outcome.failed.keys(), key=lambda part: (part in held_back, part))
            if parts & outcome.missing and held_back.issuperset(wrong):
                missing.append(record.path)
            elif wrong:
                failed[record.path] = outcome.failed[wrong[0]]
    return TransferReport(name, outcome, failed, tuple(missing), planned=planned)
