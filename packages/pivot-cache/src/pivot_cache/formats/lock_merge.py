"""Merges lock files: takes the side whose run has the merged inputs, if any; pure."""

from collections.abc import Hashable, Mapping

from pivot_cache.errors import LockFileError
from pivot_cache.formats import lock_file, pvt
from pivot_cache.formats.pvt import TrackedData
from pivot_core.lock import StageLock

STALE = b""
"""The content of a lock file whose stage must run again; it reads as "never run"."""


def merge(base: bytes, ours: bytes, theirs: bytes) -> bytes:
    """The content of a merged lock file: that of one side, or `STALE`; never a mixture, and without conflict markers.

    Code, parameters and deps are merged outside the lock file, fact by fact. If the result equals the inputs of one
    side, that side ran with the merged inputs. In either case the result records a real run, and every command compares
    it with the current files, so a wrong guess costs only a run.
    """
    if theirs in (base, ours):
        return ours
    if ours == base:
        return theirs
    sides = [_facts(ours), _facts(theirs)]
    merged = _merged(_facts(base) or {}, sides[0], sides[1]) if sides[0] and sides[1] else None
    for text, facts in zip((ours, theirs), sides, strict=True):
        if merged is not None and facts == merged:
            return text
    return STALE


def merge_pvt(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """The content of a merged `.pvt` file; None if both sides recorded different data, so that a person must choose.

    Only the meaning of the files counts, not their spelling. Of two records of the same data with different sources,
    ours is taken.
    """
    was, our, their = (_tracked(side) for side in (base, ours, theirs))
    if theirs in (base, ours) or (their is not None and their in (was, our)):
        return ours
    if ours == base or (our is not None and our == was):
        return theirs
    return ours if our is not None and their is not None and our.artifact == their.artifact else None


def _tracked(data: bytes) -> TrackedData | None:
    try:
        return pvt.parse(data, "")
    except LockFileError:
        return None


def _facts(data: bytes) -> Mapping[Hashable, str] | None:
    """All facts that a run depended on; None if the bytes are not a lock of a run."""
    lock = _lock(data)
    if lock is None:
        return None
    facts: dict[Hashable, str] = {(line.kind, line.key): line.value for line in lock.inputs.lines()}
    return {**facts, "schema": str(lock.inputs.schema)}


def _lock(data: bytes) -> StageLock | None:
    try:
        return lock_file.loads(data.decode(), "") if data.strip(b"\0") else None
    except (LockFileError, UnicodeDecodeError):
        return None


def _merged(
    base: Mapping[Hashable, str], ours: Mapping[Hashable, str], theirs: Mapping[Hashable, str]
) -> Mapping[Hashable, str] | None:
    """The merge of both sides' changes to the base; None if they contradict each other."""
    merged = {}
    for fact in base.keys() | ours.keys() | theirs.keys():
        was, our, their = base.get(fact), ours.get(fact), theirs.get(fact)
        if our not in (was, their) and their != was:
            return None
        value = their if our == was else our
        if value is not None:
            merged[fact] = value
    return merged
