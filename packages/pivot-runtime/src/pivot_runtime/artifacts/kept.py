"""Saved user content: kept for the grace period after it was replaced.

`pivot checkout --kept` lists and restores it.
"""

import os
import time
from collections.abc import Callable, Collection, Mapping

import attrs

from pivot_cache.errors import CacheError, CorruptObjectError, LockFileError, MissingObjectError, TreeError
from pivot_cache.files.replace_check import ReplaceCheck
from pivot_cache.layout import Layout
from pivot_cache.objects import checkout
from pivot_cache.objects.kept import KeptContent, KeptFiles
from pivot_core.errors import PathError
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact
from pivot_core.values import Value
from pivot_runtime.artifacts.stores import Stores, open_stores
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import OccupiedError, TargetError
from pivot_runtime.freshness.stamps import ABSENT, is_settled, stamp
from pivot_runtime.history import events
from pivot_runtime.history.events import Reporter, no_report
from pivot_runtime.project.guard import guarded
from pivot_runtime.project.project import Project

DIGITS = 8
"""The number of digits of a digest that identify one of several contents of a path."""


@attrs.frozen(eq=False, repr=False)
class KeptRestored(Value):
    """Saved content that was restored.

    Attributes:
        kept: The saved content.
        to: Its new path.
        files: The number of files written.
    """

    kept: KeptContent
    to: ArtifactPath
    files: int


def keep(stores: Stores, path: ArtifactPath, by: str) -> Artifact:
    """Save content that nothing else names to the disk, before it is replaced.

    Raises:
        ArtifactError: The content cannot be read.
        CacheError: The cache cannot be written.
    """
    found = stores.look(path)
    alone = found is None or not is_elsewhere(stores, path, found)
    files = _only_here(stores, path, found) if found is not None and found.tree else ()
    artifact = stores.keep(stores.layout.artifact(path))
    _write_down(stores, path, artifact, by, alone=alone, files=frozenset(files))
    return artifact


def record_untracked(stores: Stores, path: ArtifactPath, artifact: Artifact) -> None:
    """Record data that are no longer tracked: the cache still has them, but nothing names them.

    Raises:
        CacheError: The cache cannot be written.
    """
    if not stores.store.exists(artifact.digest):
        return
    _write_down(stores, path, artifact, "pivot untrack", alone=True, files=frozenset(_members(stores, artifact)))


def record_tracked(stores: Stores, path: ArtifactPath, artifact: Artifact) -> None:
    """Record data that are tracked again, so that saved content of them is named again.

    Raises:
        CacheError: The cache cannot be written.
    """
    _forget(stores, path, artifact)
    record_named(stores, artifact)


def record_named(stores: Stores, artifact: Artifact) -> None:
    """Record that a run or another record now names the same content as a saved one.

    Raises:
        CacheError: The cache cannot be written.
    """
    UnnamedContent(stores).record_named(artifact)


class UnnamedContent:
    """The saved content of a cache that nothing else names, read again only after the directory has changed."""

    def __init__(self, stores: Stores) -> None:
        """Read nothing yet."""
        self._stores = stores
        self._directory = os.fspath(stores.layout.kept_dir)
        self._stamp = ABSENT
        self._records: list[KeptContent] = []

    def record_named(self, artifact: Artifact) -> None:
        """As `record_named`, for one of many artifacts.

        Raises:
            CacheError: The cache cannot be written.
        """
        began = time.time_ns()
        found = stamp(self._directory)
        if found == ABSENT:
            return
        if found != self._stamp:
            self._records = [each for each in readable(self._stores.layout) if each.alone or each.files]
            self._stamp = found if is_settled(found, began) else ABSENT
        if not self._records:
            return
        digests = {artifact.digest} | _members(self._stores, artifact)
        for each in self._records:
            alone = each.alone and each.artifact.digest not in digests
            files = each.files - digests if alone else frozenset[str]()
            if (alone, files) != (each.alone, each.files):
                KeptFiles(self._stores.layout.kept_dir).add(attrs.evolve(each, alone=alone, files=files))
                self._stamp = ABSENT


def _write_down(
    stores: Stores, path: ArtifactPath, artifact: Artifact, by: str, *, alone: bool, files: frozenset[str]
) -> None:
    now = time.time_ns()
    record = KeptContent(str(stores.layout.root), path, artifact, now, by, alone, files)
    KeptFiles(stores.layout.kept_dir).add(record)
    _forget(stores, path, artifact, before_ns=now)


def _forget(stores: Stores, path: ArtifactPath, artifact: Artifact, before_ns: int | None = None) -> None:
    of = (str(stores.layout.root), path, artifact.digest)
    for each in readable(stores.layout):
        if (each.root, each.path, each.artifact.digest) == of and (before_ns is None or each.at_ns < before_ns):
            KeptFiles(stores.layout.kept_dir).forget(each)


def is_elsewhere(stores: Stores, path: ArtifactPath, found: Artifact) -> bool:
    """Whether a run wrote, or a file names, the content at a path: the cache has all of it, not only as saved."""
    return not is_kept(stores, found) and not _only_here(stores, path, found)


def only_here(stores: Stores, path: ArtifactPath, found: Artifact, coming: Collection[str] = ()) -> tuple[str, ...]:
    """The content at a path that would be lost, since the cache has it at most as saved content.

    For a directory, the files in it, or "" if only a saved record names it as a whole; for a file, "".

    Args:
        stores: The stores to search.
        path: The path.
        found: The existing objects.
        coming: Digests of content that the cache will have.
    """
    if is_kept(stores, found):
        return ("",)
    if not found.tree:
        return ("",) if _only_here(stores, path, found) else ()
    lost = _only_here(stores, path, found) - set(coming)
    return tuple(name for name, file in _listed(stores, path).items() if file.digest in lost)


def _only_here(stores: Stores, path: ArtifactPath, found: Artifact) -> set[str]:
    """The digests of such bytes."""
    alone = _alone(stores)
    files = _listed(stores, path).values() if found.tree else (found,)
    return {
        each.digest
        for each in files
        if (each.size and each.digest in alone) or not stores.store.verified(each.digest, each.size)
    }


def _members(stores: Stores, artifact: Artifact) -> set[str]:
    if not artifact.tree:
        return set()
    try:
        return stores.store.tree(artifact).digests()
    except (MissingObjectError, CorruptObjectError, TreeError):
        return set()


def _alone(stores: Stores) -> set[str]:
    kept = readable(stores.layout)
    files = {each.artifact.digest for each in kept if each.alone and not each.artifact.tree}
    return files.union(*(each.files for each in kept))


def _listed(stores: Stores, path: ArtifactPath) -> Mapping[str, Artifact]:
    return stores.files.tree(stores.layout.artifact(path)).files


def is_arranged(stores: Stores, found: Artifact) -> bool:
    """Whether nothing else names a directory as a whole: the names of its files may be the user's work."""
    if not (found.tree and found.size):
        return False
    return not stores.store.exists(found.digest) or any(
        each.artifact.digest == found.digest for each in readable(stores.layout)
    )


def is_lost(stores: Stores, path: ArtifactPath, found: Artifact) -> bool:
    """Whether replacing the content at a path loses bytes that are nowhere else, or the names that files have there."""
    return not is_elsewhere(stores, path, found) or is_arranged(stores, found)


def is_kept(stores: Stores, artifact: Artifact) -> bool:
    """Whether the cache has the content as a whole only because it was saved."""
    return bool(artifact.size) and any(
        each.alone and each.artifact.digest == artifact.digest for each in readable(stores.layout)
    )


def readable(layout: Layout) -> list[KeptContent]:
    """All saved content in a cache, the newest first; unreadable records are skipped."""
    return [each for each in KeptFiles(layout.kept_dir).read() if isinstance(each, KeptContent)]


def pinned(layout: Layout, trash_ns: int, doubt: Callable[[CacheError], object]) -> set[Artifact]:
    """The artifacts saved within the grace period, which must stay; ``doubt`` receives errors of records."""
    since = time.time_ns() - trash_ns
    found = set()
    for each in KeptFiles(layout.kept_dir).read():
        if isinstance(each, LockFileError):
            doubt(each)
        elif each.at_ns > since:
            found.add(each.artifact)
    return found


def tidy(stores: Stores, trash_ns: int) -> None:
    """Remove records that are older than the grace period, and whose content is neither in the cache nor in the trash.

    Raises:
        CacheError: A record cannot be removed.
    """
    since = time.time_ns() - trash_ns
    for each in readable(stores.layout):
        digest = each.artifact.digest
        gone = not stores.store.path_of(digest).exists() and stores.store.trash.find(digest) is None
        if gone and each.at_ns <= since:
            KeptFiles(stores.layout.kept_dir).forget(each)


def list_kept(context: CommandContext) -> list[KeptContent]:
    """The saved content of a project that the cache still has, the newest first.

    Raises:
        CacheError: A record cannot be read.
    """
    with open_stores(context) as stores:
        return _ours(stores)


def restore_kept(
    context: CommandContext, name: str, *, to: str | None = None, force: bool = False, report: Reporter = no_report
) -> KeptRestored:
    """Restore saved content of a path, to that path or elsewhere.

    Args:
        context: The context of the command.
        name: A path, for its newest saved content, or the first digits of a digest.
        to: The path to restore to, if different.
        force: Whether to replace existing files; their content is saved, too, if it exists nowhere else.
        report: Called before waiting for another command.

    Raises:
        TargetError: No saved content has that name.
        OccupiedError: Another file exists there.
        CacheError: The cache no longer has all of the content, or the path cannot be written.
    """
    project = context.project
    command = "pivot checkout --kept"
    with guarded(project.layout.guard_file, command, events.report_waiting(report)), open_stores(context) as stores:
        found = _named(name, project, _ours(stores))
        path = found.path if to is None else _path(to, project)
        checkout.check_place(stores.layout, path)
        check = ReplaceCheck()
        check.look(stores.layout.artifact(path))
        there = stores.look(path)
        if there == found.artifact:
            return KeptRestored(found, path, 0)
        _make_way(stores, path, project, check, force=force, by=command)
        plan = checkout.compare({path: found.artifact}, {path: there})
        files = checkout.apply(plan, stores.store, stores.layout, files=stores.files, check=check)
        return KeptRestored(found, path, files)


def _make_way(
    stores: Stores, path: ArtifactPath, project: Project, check: ReplaceCheck, *, force: bool, by: str
) -> None:
    blocking = checkout.blocking_file(stores.layout, path)
    around = path if blocking is None else ArtifactPath(blocking.relative_to(stores.layout.root).as_posix())
    if blocking is not None:
        check.look(blocking)
    there = stores.look(around)
    if there is None:
        return
    if not force:
        raise OccupiedError(
            f"{project.from_cwd(around)} already exists with other content",
            hint="--force replaces it, and saves its content if that exists nowhere else; --to PATH restores elsewhere",
        )
    if is_lost(stores, around, there):
        keep(stores, around, f"{by} --force")


def _ours(stores: Stores) -> list[KeptContent]:
    shared = stores.layout.cache is not None or stores.layout.cache_dir.is_symlink()
    root = str(stores.layout.root)
    return [
        each
        for each in readable(stores.layout)
        if (not shared or each.root == root) and _is_there(stores, each.artifact.digest)
    ]


def _is_there(stores: Stores, digest: str) -> bool:
    return stores.store.path_of(digest).exists() or stores.store.trash.find(digest) is not None


def _named(name: str, project: Project, known: list[KeptContent]) -> KeptContent:
    path = _path(name, project) if name else ""
    for each in known:
        if each.path == path:
            return each
    of_digest = [each for each in known if len(name) >= DIGITS and each.artifact.digest.startswith(name)]
    if of_digest:
        return of_digest[0]
    raise TargetError(f"no saved content of {name!r}", hint="'pivot checkout --kept' lists the saved files")


def _path(name: str, project: Project) -> ArtifactPath:
    try:
        return ArtifactPath(project.path(name) or "/")
    except PathError as error:
        raise TargetError(str(error), hint=error.hint) from None
