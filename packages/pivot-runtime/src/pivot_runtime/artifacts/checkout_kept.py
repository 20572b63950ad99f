"""`pivot checkout --kept`: what was kept before it was replaced, listed and brought back."""

import attrs

from pivot_cache.objects import checkout
from pivot_cache.objects.kept import Kept
from pivot_core.errors import PathError
from pivot_core.paths import ArtifactPath
from pivot_core.values import Value
from pivot_runtime.artifacts import kept
from pivot_runtime.cache.stores import Stores, open_stores
from pivot_runtime.errors import EngineError, TargetError
from pivot_runtime.history import events
from pivot_runtime.history.events import Reporter, no_report
from pivot_runtime.project.guard import guarded
from pivot_runtime.project.project import Project

DIGITS = 8
"""Of a digest, which is how one of several contents of a path is named."""


class OccupiedError(EngineError):
    """Something else is where a kept content belongs."""

    exit_code = 1


@attrs.frozen(eq=False, repr=False)
class KeptRestored(Value):
    """A kept content that is in the workspace again.

    Attributes:
        kept: Which.
        to: Where.
        files: How many files were written.
    """

    kept: Kept
    to: ArtifactPath
    files: int


def listed(project: Project) -> list[Kept]:
    """The saved files of a project that the cache still has, the newest first.

    Raises:
        CacheError: It cannot be read.
    """
    with open_stores(project) as stores:
        return _ours(stores)


def bring_back(
    project: Project, name: str, *, to: str | None = None, force: bool = False, report: Reporter = no_report
) -> KeptRestored:
    """Put what was kept of a path where it lay, or elsewhere.

    Args:
        project: Where.
        name: A path, of which the newest is meant, or the first digits of a digest.
        to: Where it is put instead.
        force: Existing files are replaced; it is kept too, if it is nowhere else.
        report: Told what to wait for.

    Raises:
        TargetError: Nothing of that name was kept.
        OccupiedError: Something else is there.
        CacheError: The cache does not have all of it any more, or it cannot be written.
    """
    command = "pivot checkout --kept"
    with guarded(project.layout.guard_file, command, events.report_waiting(report)), open_stores(project) as stores:
        found = _named(name, project, _ours(stores))
        path = found.path if to is None else _path(to, project)
        checkout.check_place(stores.layout, path)
        there = stores.look(path)
        if there == found.artifact:
            return KeptRestored(found, path, 0)
        _make_way(stores, path, project, force=force, by=command)
        plan = checkout.compare({path: found.artifact}, {path: there})
        files = checkout.apply(plan, stores.store, stores.layout, files=stores.files)
        return KeptRestored(found, path, files)


def _make_way(stores: Stores, path: ArtifactPath, project: Project, *, force: bool, by: str) -> None:
    blocking = checkout.blocking(stores.layout, path)
    around = path if blocking is None else ArtifactPath(blocking.relative_to(stores.layout.root).as_posix())
    there = stores.look(around)
    if there is None:
        return
    if not force:
        raise OccupiedError(
            f"{project.shown(around)} is there, and something else",
            hint="--force replaces it, and keeps it too if it is nowhere else; --to PATH puts the other beside it",
        )
    if not kept.elsewhere(stores, around, there):
        kept.keep(stores, around, f"{by} --force")


def _ours(stores: Stores) -> list[Kept]:
    shared = stores.layout.cache is not None or stores.layout.cache_dir.is_symlink()
    root = str(stores.layout.root)
    return [
        each
        for each in kept.readable(stores.layout)
        if (not shared or each.root == root) and _is_there(stores, each.artifact.digest)
    ]


def _is_there(stores: Stores, digest: str) -> bool:
    return stores.store.path_of(digest).exists() or stores.store.trash.find(digest) is not None


def _named(name: str, project: Project, known: list[Kept]) -> Kept:
    path = _path(name, project) if name else ""
    for each in known:
        if each.path == path:
            return each
    of_digest = [each for each in known if len(name) >= DIGITS and each.artifact.digest.startswith(name)]
    if of_digest:
        return of_digest[0]
    raise TargetError(f"nothing was kept of {name!r}", hint="'pivot checkout --kept' lists what was")


def _path(name: str, project: Project) -> ArtifactPath:
    try:
        return ArtifactPath(project.path(name) or "/")
    except PathError as error:
        raise TargetError(str(error), hint=error.hint) from None
