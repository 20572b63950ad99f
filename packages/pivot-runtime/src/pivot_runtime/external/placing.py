"""Puts imported data into the workspace, and records them with their source."""

import os
from collections.abc import Callable

import attrs

from pivot_cache.errors import as_cache_errors
from pivot_cache.files.replace_check import ReplaceCheck
from pivot_cache.formats import pvt
from pivot_cache.formats.data_source import DataSource
from pivot_cache.objects import checkout
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact
from pivot_core.values import Value
from pivot_runtime.artifacts import kept, lock_files, records
from pivot_runtime.artifacts.checkout import is_user_link
from pivot_runtime.artifacts.stores import Stores
from pivot_runtime.artifacts.trackable import importable
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import OccupiedError
from pivot_runtime.git import gitignore


@attrs.frozen(eq=False, repr=False)
class Imported(Value):
    """Data that were imported or updated.

    Attributes:
        path: The path of the data.
        artifact: Their content.
        source: Where they came from.
        changed: Whether the record has changed its content.
        files: The number of files written.
        replaced: The digest of other content that was saved before it was replaced; None without any.
    """

    path: ArtifactPath
    artifact: Artifact
    source: DataSource
    changed: bool = True
    files: int = 0
    replaced: str | None = None


def destination(context: CommandContext, name: str) -> ArtifactPath:
    """The path that a user names for imported data.

    Raises:
        TargetError: No data can be tracked there; the error states why.
    """
    return importable(name, context, records.read(context))


def within(context: CommandContext, to: str, name: Callable[[], str]) -> str:
    """The path of a file that a user wants at a path, or in the directory there: with the ``name`` of the file.

    The directory exists and is no tracked data, or its path ends with a slash.
    """
    place = context.project.cwd / to
    tracked = os.path.lexists(f"{os.fspath(place)}{pvt.SUFFIX}")
    return os.path.join(to, name()) if to.endswith("/") or (place.is_dir() and not tracked) else to


def check(
    context: CommandContext, stores: Stores, path: ArtifactPath, artifact: Artifact | None, *, force: bool
) -> Artifact | None:
    """The content at a path, which data may replace: it is that of the record, of ``artifact``, or there is none.

    Raises:
        OccupiedError: Other content is there, and replacing it is not forced.
        CacheError: Nothing may be written there.
    """
    checkout.check_place(stores.layout, path)
    blocking = checkout.blocking_file(stores.layout, path)
    shown = context.project.from_cwd(path)
    if blocking is not None:
        raise OccupiedError(
            f"{shown} cannot be written: {blocking.relative_to(stores.layout.root)} is a file",
            hint="choose another path",
        )
    there = stores.look(path)
    recorded = next((each.artifact for each in records.read_tracked(context) if each.path == path), None)
    if there is not None and there not in (artifact, recorded) and not force:
        raise OccupiedError(
            f"{shown} already exists with other content",
            hint="--force replaces it, and saves its content if that exists nowhere else; or choose another path",
        )
    if artifact not in (None, there) and not force and is_user_link(stores.layout.artifact(path)):
        raise OccupiedError(
            f"{shown} is a symbolic link", hint="--force puts the data in its place, and leaves alone where it leads"
        )
    return there


def place(  # noqa: PLR0913  # the data, the place and the manner
    context: CommandContext,
    stores: Stores,
    path: ArtifactPath,
    artifact: Artifact,
    source: DataSource,
    *,
    force: bool,
    by: str,
) -> Imported:
    """Write data that are in the cache to a path, and then their record; can be repeated after any failure.

    Raises:
        OccupiedError: Other content is there, and replacing it is not forced.
        CacheError: The path or the record cannot be written.
    """
    replaces = ReplaceCheck()
    replaces.look(stores.layout.artifact(path))
    there = check(context, stores, path, artifact, force=force)
    before = next((each.artifact for each in records.read_tracked(context) if each.path == path), None)
    stores.store.persist(artifact)
    replaced = None
    if there is not None and there != artifact and kept.is_lost(stores, path, there):
        replaced = kept.keep(stores, path, by).digest
    data = stores.layout.artifact(path)
    with as_cache_errors("create", data.parent):
        data.parent.mkdir(parents=True, exist_ok=True)
    gitignore.add(data.parent, data.name)
    plan = checkout.compare({path: artifact}, {path: there})
    mode = stores.settings.checkout_mode
    files = checkout.apply(plan, stores.store, stores.layout, mode, files=stores.files, check=replaces)
    pvt.write(data.with_name(data.name + pvt.SUFFIX), artifact, source)
    kept.record_tracked(stores, path, artifact)
    lock_files.report_ignored(context, [f"{path}{pvt.SUFFIX}"])
    return Imported(path, artifact, source, before != artifact, files, replaced)
