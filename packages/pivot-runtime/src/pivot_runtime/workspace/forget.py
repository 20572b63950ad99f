"""`pivot forget`: removes the records of stages, so that they count as never run; their outs stay."""

from collections.abc import Iterable

import attrs

from pivot_cache.errors import as_cache_errors
from pivot_cache.layout import stage_addresses
from pivot_core.files.paths import ArtifactPath
from pivot_core.graph import Graph
from pivot_core.lock import RunRecord
from pivot_core.spec import Location, StageSpec
from pivot_core.values import Value
from pivot_runtime.artifacts import lock_files, records
from pivot_runtime.artifacts.stores import Stores, open_stores
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import TargetError
from pivot_runtime.history import events
from pivot_runtime.history.events import Reporter, no_report
from pivot_runtime.project import stage_index
from pivot_runtime.project.guard import guarded
from pivot_runtime.project.targets import named
from pivot_runtime.workspace import run_owners


@attrs.frozen(eq=False, repr=False)
class Forgotten(Value):
    """The records that were removed.

    Attributes:
        addresses: The stages, sorted.
        runs: How many records of runs were removed with them.
        unrecorded: The named stages that had no record.
        shared: How many records of runs stay, since other projects that use the cache may need them.
    """

    addresses: tuple[str, ...]
    runs: int
    unrecorded: tuple[str, ...] = ()
    shared: int = 0


def forget(
    context: CommandContext, targets: Iterable[str], *, dry_run: bool = False, report: Reporter = no_report
) -> Forgotten:
    """Remove the lock files of stages, and all records of runs that wrote one of their outs.

    Nothing in the workspace changes, and no object is removed. Records of runs that another project which uses the same
    cache may need stay.

    Args:
        context: The context of the command.
        targets: Names, addresses or patterns of stages, or paths of their outs.
        dry_run: Whether to determine only what would be removed.
        report: Called before waiting for another command.

    Raises:
        TargetError: A target names no stage.
        CacheError: A record cannot be removed.
    """
    if dry_run:
        with open_stores(context) as stores:
            return _forget(context, stores, list(targets), dry_run=True)
    guard = guarded(context.project.layout.guard_file, "pivot forget", events.report_waiting(report))
    with guard, open_stores(context) as stores:
        return _forget(context, stores, list(targets), dry_run=False)


def _forget(context: CommandContext, stores: Stores, targets: list[str], *, dry_run: bool) -> Forgotten:
    layout = context.project.layout
    recorded = frozenset(stage_addresses(layout.stages_dir))
    wanted = _selected(context, targets, recorded)
    outs: set[ArtifactPath] = set()
    keys: set[str] = set()
    for address in sorted(wanted & recorded):
        lock = lock_files.read(context, address)
        if lock is not None:
            outs |= lock.outs.keys()
            keys.add(lock.inputs.key())
    found = _runs_of(stores, outs, keys)
    own = sorted(run_owners.own_keys(stores, found)) if found else []
    if not dry_run:
        for key in own:  # before the lock files, so that a command that is killed here can be repeated
            stores.runs.forget(key)
        for address in sorted(wanted & recorded):
            file = layout.lock_file(address)
            with as_cache_errors("remove", file):
                file.unlink(missing_ok=True)
    forgotten, unrecorded = tuple(sorted(wanted & recorded)), tuple(sorted(wanted - recorded))
    return Forgotten(forgotten, len(own), unrecorded, len(found) - len(own))


def _runs_of(stores: Stores, outs: set[ArtifactPath], keys: set[str]) -> dict[str, tuple[RunRecord, ...]]:
    """The records with these keys, and those of runs that wrote one of these outs, by key."""
    if not outs:
        return {}
    known = {key: stores.runs.get(key) for key, _ in stores.runs.written()}
    return {
        key: records
        for key, records in known.items()
        if key in keys or any(not outs.isdisjoint(record.outs) for record in records)
    }


def _selected(context: CommandContext, targets: Iterable[str], recorded: frozenset[str]) -> frozenset[str]:
    """The addresses of the stages that the targets mean."""
    project = context.project
    graph = Graph.build(bare_stage(address) for address in sorted(recorded | set(stage_index.known(project.root))))
    wanted: set[str] = set()
    for target in targets:
        found = named(target, graph)
        if not found:
            selected = records.read(context).select([target], project)
            tracked = next((record.path for record in selected if record.address is None), None)
            if tracked is not None:
                raise TargetError(f"{tracked} is tracked data, not an out of a stage", hint="see 'pivot untrack'")
            found = frozenset(record.address for record in selected if record.address is not None)
        wanted |= found
    return frozenset(wanted)


def bare_stage(address: str) -> StageSpec:
    """A stage of which only the address is known."""
    pipeline, _, name = address.partition(".")
    return StageSpec(name, pipeline, "", Location(address, 1))
