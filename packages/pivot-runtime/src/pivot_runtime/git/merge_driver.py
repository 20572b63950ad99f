"""Git's merge driver for lock files and `.pvt` files: writes the merge of two sides into ours."""

import enum
import pathlib
from typing import NamedTuple

from pivot_cache.files import atomic
from pivot_cache.formats import lock_merge, pvt


class MergeOutcome(enum.Enum):
    """The outcome of a merge."""

    MERGED = enum.auto()
    """The file has the result."""
    STALE = enum.auto()
    """Neither side ran with the inputs of the merge: the lock file is empty, and its stage runs again."""
    DIFFERENT_DATA = enum.auto()
    """The two sides recorded different data; the file has ours."""
    CONFLICT = enum.auto()
    """The file is another program's, and has markers of conflicts."""


class MergeSides(NamedTuple):
    """The files of a merge, as git names them: ``%O``, ``%A`` and ``%B``."""

    base: pathlib.Path
    ours: pathlib.Path
    theirs: pathlib.Path


def merge(files: MergeSides, path: str) -> MergeOutcome:
    """Merge a lock file, or a `.pvt` file, whose place in the repository is ``path``.

    Raises:
        OSError: A file cannot be read.
        CacheError: The result cannot be written.
    """
    sides = files.base.read_bytes(), files.ours.read_bytes(), files.theirs.read_bytes()
    is_pvt = path.endswith(pvt.SUFFIX)
    if is_pvt and any(side.strip() and pvt.is_foreign(side) for side in sides):
        return MergeOutcome.MERGED if _merge_text(files) else MergeOutcome.CONFLICT
    merged = lock_merge.merge_pvt(*sides) if is_pvt else lock_merge.merge(*sides)
    if merged is None:
        return MergeOutcome.DIFFERENT_DATA
    if merged != sides[1]:
        atomic.write_bytes(files.ours, merged)
    return MergeOutcome.STALE if merged == lock_merge.STALE and not is_pvt else MergeOutcome.MERGED


def _merge_text(files: MergeSides) -> bool:
    """Merge as git does where no driver is named; return whether there is no conflict."""
    from pivot_runtime.git import calls  # lazy

    names = ("-L", "ours", "-L", "base", "-L", "theirs", str(files.ours), str(files.base), str(files.theirs))
    return calls.run(".", "merge-file", *names).returncode == 0
