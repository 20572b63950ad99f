"""Private copies of outs as a git revision recorded them; nothing is checked out."""

import os
import pathlib
import sys
from collections.abc import Iterable, Sequence

from pivot_cache.errors import CorruptObjectError, MissingObjectError
from pivot_core.files.paths import ArtifactPath
from pivot_runtime.artifacts.stores import Stores
from pivot_runtime.comparing.revisions import Revisions
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import OutUnavailableError, StaleWarning
from pivot_runtime.interactive import private_files
from pivot_runtime.interactive.call import warn


def files_at(
    context: CommandContext, stores: Stores, rev: str, paths: Iterable[ArtifactPath], *, pull: bool
) -> Sequence[pathlib.Path]:
    """Return private copies of the content that the revision recorded for each path, verified by its digest.

    A `StaleWarning` says if git has other bytes of an out than the run wrote.

    Raises:
        RevisionError: There is no such commit.
        OutUnavailableError: The revision recorded no content for a path, or it is not available.
        PivotError: The project is not in a git repository, or git failed.
    """
    with Revisions.opened(context) as revisions:
        revision = revisions.read(rev)

        def copy(path: ArtifactPath) -> pathlib.Path:
            name = context.project.from_cwd(path)
            record = revisions.find(revision, path)
            if record is None:
                raise OutUnavailableError(f"no run at {rev} recorded {name}", hint=f"look for it: git log -- {name}")
            if not record.cache:
                content = revisions.content(revision, record, sys.maxsize)
                if content.edited:
                    warn(f"{name} at {rev} was edited after the run that wrote it", StaleWarning)
                return private_files.private_file(content.data, os.path.basename(path))
            if pull:
                revisions.pull([record])
            try:
                return private_files.private_copy(stores.store, record.artifact, os.path.basename(path))
            except (MissingObjectError, CorruptObjectError):
                hint = None if pull else "fetch it from the remote: pull=True"
                where = "the cache nor on the remote" if pull else "the cache"
                problem = f"the content of {name} at {rev} is {'neither' if pull else 'not'} in {where}"
                raise OutUnavailableError(problem, hint=hint) from None

        return [copy(path) for path in paths]
