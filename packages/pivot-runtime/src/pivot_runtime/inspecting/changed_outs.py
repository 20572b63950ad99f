"""The files that differ in outs that are directories, since the last run of their stage."""

import contextlib

from pivot_cache.errors import ArtifactError
from pivot_cache.formats.tree_diff import Difference
from pivot_core.decide import Reason
from pivot_core.paths import ArtifactPath
from pivot_runtime.artifacts.stores import Stores
from pivot_runtime.artifacts.tracked import differing
from pivot_runtime.evaluating.evaluate import Evaluation

_OF_OUTS = frozenset({Reason.OUT_MISSING, Reason.OUT_MODIFIED})


def out_differences(stores: Stores, evaluation: Evaluation) -> dict[str, Difference]:
    """Of the outs of a stage that are directories and not as its last run left them, which files differ."""
    found = {}
    lock, decision = evaluation.lock, evaluation.decision
    for change in decision.changes if lock is not None else ():
        path = ArtifactPath(change.key)
        recorded = lock.outs.get(path) if lock is not None else None
        if recorded is None or change.reason not in _OF_OUTS or not recorded.tree:
            continue
        with contextlib.suppress(ArtifactError):  # unreadable data have been reported
            now = stores.look(path)
            differs = differing(stores, path, recorded) if now is not None and now.tree else None
            if differs is not None:
                found[change.key] = differs
    return found
