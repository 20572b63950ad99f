"""`pivot clean`: removes the outs of recorded runs from the workspace, and keeps everything that would be lost."""

import contextlib
import os
import pathlib
from collections.abc import Collection, Iterable, Mapping

import attrs

from pivot_cache.errors import CacheError, ChangedError, as_cache_errors
from pivot_cache.files import syscalls
from pivot_cache.files.replace_check import ReplaceCheck
from pivot_cache.state.scan import leads_to_object
from pivot_core.files.paths import ArtifactPath
from pivot_core.graph import Graph
from pivot_core.lock import Artifact
from pivot_core.values import Value
from pivot_runtime.artifacts import kept, records
from pivot_runtime.artifacts.records import Record
from pivot_runtime.artifacts.stores import Stores, open_stores
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import TargetError
from pivot_runtime.history import events
from pivot_runtime.history.events import Reporter, no_report
from pivot_runtime.project import stage_index
from pivot_runtime.project.guard import guarded
from pivot_runtime.project.targets import named
from pivot_runtime.workspace.forget import bare_stage


@attrs.frozen(eq=False, repr=False)
class CleanPlan(Value):
    """The outs to remove, or that were removed.

    Attributes:
        remove: Their sizes in bytes, by path.
        kept: The outs that stay, with the reason.
        saved: Those of ``remove`` whose content is saved in the cache before, with its digest once it is.
    """

    remove: Mapping[ArtifactPath, int]
    kept: Mapping[ArtifactPath, str]
    saved: Mapping[ArtifactPath, str]


def plan(context: CommandContext, targets: Iterable[str] = (), *, force: bool = False) -> CleanPlan:
    """Find the outs of the targets that can be removed; without targets, of all recorded stages.

    No pipeline is loaded. With ``force``, outs that are nowhere else are also removed, after they are saved.

    Raises:
        TargetError: A target is unknown, or is tracked data.
    """
    with open_stores(context) as stores:
        return _plan(context, stores, list(targets), force=force)


def clean(
    context: CommandContext,
    targets: Iterable[str] = (),
    *,
    force: bool = False,
    only: Collection[ArtifactPath],
    report: Reporter = no_report,
) -> CleanPlan:
    """Remove those outs of a `plan` that the user has agreed to, and that can still be removed.

    Args:
        context: The context of the command.
        targets: As in `plan`.
        force: As in `plan`.
        only: The paths that may be removed.
        report: Called before waiting for another command.

    Raises:
        TargetError: A target is unknown, or is tracked data.
        CacheError: An out cannot be saved or removed; those removed before stay removed.
    """
    guard = guarded(context.project.layout.guard_file, "pivot clean", events.report_waiting(report))
    with guard, open_stores(context) as stores:
        remove: dict[ArtifactPath, int] = {}
        stays: dict[ArtifactPath, str] = {}
        saved: dict[ArtifactPath, str] = {}
        for record in _selected(context, list(targets)):
            path, agreed, check = record.path, record.path in only, ReplaceCheck()
            found = _look(stores, record, force=force, check=check if agreed else None)
            if isinstance(found, str):
                stays[path] = found
            elif found is not None and agreed:
                names = found.files
                if found.lost:
                    artifact = kept.keep(stores, path, "pivot clean --force")
                    saved[path] = artifact.digest
                    names = stores.store.tree(artifact).files if artifact.tree else None
                changed = _remove(stores, path, names, check)
                if changed is None:
                    remove[path] = found.size
                else:
                    stays[path] = changed
        return CleanPlan(remove, stays, saved)


def _plan(context: CommandContext, stores: Stores, targets: list[str], *, force: bool) -> CleanPlan:
    found = {record.path: _look(stores, record, force=force) for record in _selected(context, targets)}
    outs = {path: each for path, each in found.items() if isinstance(each, _Out)}
    return CleanPlan(
        {path: each.size for path, each in outs.items()},
        {path: each for path, each in found.items() if isinstance(each, str)},
        {path: "" for path, each in outs.items() if each.lost},
    )


@attrs.frozen(eq=False, repr=False)
class _Out(Value):
    """An out that can be removed.

    Attributes:
        size: Its size in bytes.
        files: The files in a directory; None for a file.
        lost: Whether something would be lost with it.
    """

    size: int
    files: Iterable[str] | None
    lost: bool


def _look(stores: Stores, record: Record, *, force: bool, check: ReplaceCheck | None = None) -> _Out | str | None:
    """The out as it is now, or the reason why it stays; None if it is not there. First, ``check`` looks."""
    path, file = record.path, stores.layout.artifact(record.path)
    if not os.path.lexists(file):
        return None
    reason = _foreign(stores, path)
    if reason:
        return reason
    try:
        if check is not None:
            check.look(file)
        tree = stores.files.tree(file) if file.is_dir() else None
        found = stores.look(path) if tree is None else tree.artifact()
    except CacheError as error:
        return str(error)
    if found is None:
        return "it cannot be read"
    reason = _only_here(stores, record, found)
    if reason and not force:
        return reason
    return _Out(found.size, None if tree is None else tree.files, bool(reason))


def _selected(context: CommandContext, targets: list[str]) -> list[Record]:
    """The recorded outs of the targets; a stage that is known but has no record selects nothing."""
    known = records.read(context)
    if not targets:
        return [record for record in known.by_path.values() if not record.tracked]
    recorded = set(known.addresses)
    unrecorded = [address for address in stage_index.known(context.project.root) if address not in recorded]
    graph = Graph.build(map(bare_stage, unrecorded))
    found: dict[ArtifactPath, Record] = {}
    for target in targets:
        try:
            selected = known.select([target], context.project)
        except TargetError:
            if not named(target, graph):
                raise
            continue
        for record in selected:
            if record.tracked:
                raise TargetError(
                    f"{record.path} is tracked data, not an out of a stage", hint="name stages, or outs of stages"
                )
            found[record.path] = record
    return [record for _, record in sorted(found.items())]


def _foreign(stores: Stores, path: ArtifactPath) -> str:
    """Why a path may belong to something else than the out; empty if it does not."""
    file, root = stores.layout.artifact(path), stores.layout.root
    if file.is_symlink() and not leads_to_object(os.fspath(file)):
        return "it is a symbolic link that no run has created"
    around = os.path.relpath(os.path.realpath(file.parent), os.path.realpath(root))
    if around.split(os.sep)[0] == os.pardir:
        return "it is behind a symbolic link that leads out of the project"
    return ""


def _only_here(stores: Stores, record: Record, found: Artifact) -> str:
    """Why content would be lost with an out; empty if a run wrote it, and the cache has all of it."""
    try:
        if kept.is_elsewhere(stores, record.path, found) and not kept.is_arranged(stores, found):
            return ""
    except CacheError as error:
        return str(error)
    if found != record.artifact:
        return "it is not as the last run wrote it"
    return "the cache does not have it" if record.cache else "it is for git, and the cache does not have it"


def _remove(stores: Stores, path: ArtifactPath, names: Iterable[str] | None, check: ReplaceCheck) -> str | None:
    """Remove a file, or these files in a directory; what somebody adds or edits meanwhile stays.

    Returns:
        The reason why something stays; None if nothing does.
    """
    file, changed = stores.layout.artifact(path), None
    with as_cache_errors("remove", file):
        whole = names is None or file.is_symlink()
        for each in [file] if whole else [file / name for name in names or ()]:
            try:
                check(each)
                with contextlib.suppress(FileNotFoundError):
                    syscalls.unlink(each)
            except ChangedError as error:
                changed = str(error)
        if whole:
            return changed
        for directory, _, _ in os.walk(file, topdown=False):
            with contextlib.suppress(OSError):  # something was added to it
                pathlib.Path(directory).rmdir()
    return changed
