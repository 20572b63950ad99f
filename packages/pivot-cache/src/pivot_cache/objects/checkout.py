"""Restores artifacts: compares the workspace with the wanted artifacts, then applies the difference."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs

from pivot_cache.errors import CacheError, MissingObjectError, as_cache_errors
from pivot_cache.files.atomic import sweep_once
from pivot_cache.files.replace_check import unchecked
from pivot_cache.layout import Layout
from pivot_cache.objects.materialize import Check
from pivot_cache.objects.store import CheckoutMode, ObjectStore
from pivot_cache.state.stat_cache import StatCache
from pivot_core.files.paths import RESERVED_DIRS, ArtifactPath
from pivot_core.lock import Artifact
from pivot_core.values import Value


@attrs.frozen(eq=False, repr=False)
class CheckoutPlan(Value):
    """The steps of a checkout; every wanted path is in exactly one of the three groups.

    Attributes:
        create: Files to write where nothing exists, with their content.
        replace: Files to write over other content, with the new content.
        keep: Files that already have the wanted content.
    """

    create: Mapping[ArtifactPath, Artifact]
    replace: Mapping[ArtifactPath, Artifact]
    keep: frozenset[ArtifactPath]


def compare(wanted: Mapping[ArtifactPath, Artifact], found: Mapping[ArtifactPath, Artifact | None]) -> CheckoutPlan:
    """Plan the steps that bring every wanted artifact into the workspace, and touch nothing else.

    Args:
        wanted: The artifact that should be at each path.
        found: The existing artifacts; a path that is missing or None is free.
    """
    return CheckoutPlan(
        create={path: artifact for path, artifact in wanted.items() if found.get(path) is None},
        replace={path: artifact for path, artifact in wanted.items() if found.get(path) not in (None, artifact)},
        keep=frozenset(path for path, artifact in wanted.items() if found.get(path) == artifact),
    )


def check_place(layout: Layout, path: ArtifactPath) -> None:
    """Check that a path is not in directories whose files git or Pivot execute or trust, even through a symbolic link.

    A stranger's branch may contain both a lock file and a link that leads to ``.git/hooks``.

    Raises:
        CacheError: The path is in such a directory.
    """
    file = layout.artifact(path)
    inside = os.path.relpath(os.path.realpath(file.parent), os.path.realpath(layout.root))
    kept = next((part for part in (*inside.split(os.sep), file.name) if part.casefold() in RESERVED_DIRS), None)
    if kept is not None:
        raise CacheError(
            f"cannot restore {file}: it is in {kept}/, into which nothing is restored",
            hint="find out who recorded it, or created a symbolic link that leads there",
        )


def blocking_file(layout: Layout, path: ArtifactPath) -> Path | None:
    """The file, if any, in the place of a directory that contains a path."""
    around = layout.artifact(path).parent
    while around != layout.root and not os.path.lexists(around):
        around = around.parent
    return None if around == layout.root or around.is_dir() else around


def apply(  # noqa: PLR0913 - where and how, each by itself
    plan: CheckoutPlan,
    store: ObjectStore,
    layout: Layout,
    mode: CheckoutMode = CheckoutMode.COPY,
    *,
    files: StatCache | None = None,
    progress: Callable[[int], None] | None = None,
    follow: Callable[[Path], bool] | None = None,
    check: Check = unchecked,
) -> int:
    """Write the files of a plan, each atomically; can be repeated after any failure.

    Existing content in the place of another artifact is lost, even a file in the place of a directory: the caller must
    have saved it. An existing directory is changed file by file: only different files are written, and superfluous ones
    are removed. A new directory appears as a whole. Leftovers of a killed checkout in the same directories are removed.

    Args:
        plan: The plan of `compare`.
        store: The store of the objects.
        layout: The layout of the project.
        mode: How files are created from objects.
        files: The record of unchanged files; without it, existing directories are hashed.
        progress: Called with the size of each artifact after it is restored.
        follow: Whether to keep the symbolic link at a path and write to its target; by default, no link is followed.
        check: Called directly before something at a path is replaced or removed; its errors prevent that.

    Returns:
        The number of files written.

    Raises:
        MissingObjectError: An object is missing; nothing has been written.
        CorruptObjectError: An object is damaged; files written before stay.
        CacheError: A file cannot or must not be written; files written before stay.
    """
    wanted = {**plan.create, **plan.replace}
    for path, artifact in wanted.items():
        check_place(layout, path)
        if not store.has_all(artifact):
            raise MissingObjectError(artifact.digest)
    for directory in {layout.artifact(path).parent for path in (*wanted, *plan.keep)}:
        sweep_once(directory)
    written = 0
    for path, artifact in sorted(wanted.items()):
        known = None if files is None else files.tree
        target = layout.artifact(path)
        if follow is not None and follow(target):
            target = Path(os.path.realpath(target))
        obstacle = blocking_file(layout, path)
        if obstacle is not None:
            check(obstacle)
            with as_cache_errors("replace", obstacle):
                obstacle.unlink()
        written += store.restore(artifact, target, mode, known=known, over_directory=path in plan.replace, check=check)
        if progress is not None:
            progress(artifact.size)
    return written
