"""Restores artifacts: compares the workspace with the wanted artifacts, then applies the difference."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs

from pivot_cache.errors import CacheError, MissingObjectError, reporting
from pivot_cache.files.atomic import sweep_once
from pivot_cache.layout import Layout
from pivot_cache.objects.store import CheckoutMode, ObjectStore
from pivot_cache.state.stat_cache import StatCache
from pivot_core.lock import Artifact
from pivot_core.paths import STATE_DIR, ArtifactPath
from pivot_core.values import Value

_NOT_FOR_ARTIFACTS = frozenset({".git", STATE_DIR})


@attrs.frozen(eq=False, repr=False)
class CheckoutPlan(Value):
    """The steps of a checkout; every wanted path is in exactly one of the three.

    Attributes:
        create: Files to write where nothing is, with their content.
        replace: Files to write where other content is, with the new content.
        keep: Files that are already as wanted.
    """

    create: Mapping[ArtifactPath, Artifact]
    replace: Mapping[ArtifactPath, Artifact]
    keep: frozenset[ArtifactPath]


def compare(wanted: Mapping[ArtifactPath, Artifact], found: Mapping[ArtifactPath, Artifact | None]) -> CheckoutPlan:
    """The steps that bring every wanted artifact into the workspace; nothing else is touched.

    Args:
        wanted: The artifact that should be at each path.
        found: The existing artifacts; a path that is not in it, or is None, is free.
    """
    return CheckoutPlan(
        create={path: artifact for path, artifact in wanted.items() if found.get(path) is None},
        replace={path: artifact for path, artifact in wanted.items() if found.get(path) not in (None, artifact)},
        keep=frozenset(path for path, artifact in wanted.items() if found.get(path) == artifact),
    )


def check_place(layout: Layout, path: ArtifactPath) -> None:
    """Refuse to write where git or Pivot keep what they execute or believe, also by way of a symbolic link.

    A lock file and a link that leads to ``.git/hooks`` may both come with the branch of a stranger.

    Raises:
        CacheError: The path is there.
    """
    file = layout.artifact(path)
    inside = os.path.relpath(os.path.realpath(file.parent), os.path.realpath(layout.root))
    kept = next((part for part in (*inside.split(os.sep), file.name) if part.casefold() in _NOT_FOR_ARTIFACTS), None)
    if kept is not None:
        raise CacheError(
            f"cannot restore {file}: it is in {kept}/, where nothing is restored to",
            hint="find out who has recorded it, or made a symbolic link that leads there",
        )


def blocking(layout: Layout, path: ArtifactPath) -> Path | None:
    """The file, if there is one, that is where a directory around a path belongs."""
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
) -> int:
    """Write what a plan says, each file swapped in whole; can be repeated after any failure.

    Anything in the place of another artifact is lost, even a file in the place of a directory: whoever calls this
    has made sure that it is elsewhere. A directory that is there is changed file by file: only what differs is written,
    what does not belong is removed. One that is not there appears at once. Leftovers of a killed checkout beside the
    artifacts are removed.

    Args:
        plan: The plan of `compare`.
        store: Where the objects are.
        layout: Where the artifacts lie.
        mode: How files are made from objects.
        files: The record of unchanged files; without it, directories that are there are hashed.
        progress: Called with the size of each artifact when it is there.
        follow: Whether the symbolic link at a path stays, and what it leads to is written; by default none does.

    Returns:
        How many files were written.

    Raises:
        MissingObjectError: An object is not there; then nothing has been written.
        CorruptObjectError: An object is damaged; files written before it stay.
        CacheError: A file cannot be written, or must not be; files written before it stay.
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
        in_the_way = blocking(layout, path)
        if in_the_way is not None:
            with reporting("replace", in_the_way):
                in_the_way.unlink()
        written += store.restore(artifact, target, mode, known=known, over_directory=path in plan.replace)
        if progress is not None:
            progress(artifact.size)
    return written
