"""The files that leave the record of a tracked directory when it is recorded again: it is never dropped unseen."""

from pivot_cache.errors import CacheError
from pivot_cache.formats import tree_diff
from pivot_core.lock import Artifact
from pivot_core.paths import ArtifactPath
from pivot_runtime.artifacts.records import Record
from pivot_runtime.cache.stores import Stores
from pivot_runtime.errors import TargetError
from pivot_runtime.project.project import Project

_MOST = 10


def refuse_unfetched(path: ArtifactPath, before: Record | None, project: Project, stores: Stores) -> None:
    """Refuse to record a directory without files that are not here, and never were: the user did not remove them.

    Raises:
        TargetError: There are such files, or nobody can tell.
    """
    if before is None or not before.artifact.tree or not project.layout.artifact(path).is_dir():
        return
    hint = f"'pivot pull {project.shown(path)}' brings them here; with --force the rest is recorded alone"
    try:
        listed = stores.store.tree(before.artifact)
    except CacheError:
        if stores.look(path) == before.artifact:
            return
        problem = f"the listing that is recorded of {path} is not in the cache, so that nobody can tell what went"
        raise TargetError(problem, hint=hint) from None
    gone = tree_diff.between(listed, stores.files.tree(project.layout.artifact(path))).absent
    files = {name: listed.files[name] for name in gone if name in listed.files}
    lost = [f"{path}/{name}" for name, file in files.items() if not stores.store.has(file.digest)]
    if lost:
        shown = ", ".join(lost[:_MOST]) + (f" and {len(lost) - _MOST} more" if len(lost) > _MOST else "")
        raise TargetError(
            f"{path} would be recorded without {len(lost)} of its {len(listed.files)} files, "
            f"which are neither here nor in the cache: {shown}",
            hint=hint,
        )


def dropped(before: Record | None, artifact: Artifact, stores: Stores) -> tuple[str, ...]:
    """The files that were recorded of a directory before, and are not in it as it is recorded now."""
    if before is None or not (before.artifact.tree and artifact.tree) or before.artifact == artifact:
        return ()
    try:
        return tree_diff.between(stores.store.tree(before.artifact), stores.store.tree(artifact)).absent
    except CacheError:
        return ()
