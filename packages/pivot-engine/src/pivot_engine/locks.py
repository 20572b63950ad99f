"""Lock files as commands read them: one that is damaged is told, and counts as none."""

from pivot_cache import lockfiles
from pivot_cache.errors import LockFileError, NewerFormatError
from pivot_core.lock import StageLock
from pivot_engine.doubts import Doubt
from pivot_engine.project import Project


def read(project: Project, address: str) -> StageLock | None:
    """What the last run of a stage rested on and left; None if there was none, or nobody can tell any more.

    Raises:
        NewerFormatError: Only a newer Pivot can tell.
    """
    file = project.layout.lock_file(address)
    project.notes.look(file)
    try:
        return lockfiles.read(file, str(file))
    except NewerFormatError:
        raise
    except LockFileError as error:
        text = f"{project.shown(str(file.relative_to(project.root)))} is damaged, so its stage counts as never run"
        where = f" ({error.field})" if error.field else ""
        project.doubts.add(Doubt(f"{text}: {error.problem}{where}", error.hint, grave=False))
        return None
