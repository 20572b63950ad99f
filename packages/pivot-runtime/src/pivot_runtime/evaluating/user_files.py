"""Files of the user in the places of outs: their content is saved before it is replaced."""

from collections.abc import Iterable, Mapping

from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact
from pivot_runtime.artifacts import kept
from pivot_runtime.evaluating.session import Session
from pivot_runtime.history import events
from pivot_runtime.history.events import Reporter


def save_user_files(
    session: Session, paths: Iterable[ArtifactPath], recorded: Mapping[ArtifactPath, Artifact], report: Reporter
) -> None:
    """Store files at the paths of outs that no run has written in the cache, before they are replaced.

    All are looked at now: somebody may have edited them since the decision, as while inputs were fetched. Of a
    directory that only lacks files, all that is there is as recorded.

    Args:
        session: The session of the command.
        paths: The paths.
        recorded: The outs of the last run.
        report: Called with each file that is saved.

    Raises:
        CacheError: A file cannot be stored.
    """
    store, stores = session.store, session.stores
    for path in paths:
        artifact = session.on_disk(path)
        if artifact is None or recorded.get(path) == artifact:
            continue
        if not store.has_all(artifact) or kept.is_kept(stores, artifact):
            saved = session.keep(path)
            kept_at = store.path_of(saved.digest).relative_to(session.project.root, walk_up=True)
            report(events.UserFileSaved(path, str(kept_at)))
