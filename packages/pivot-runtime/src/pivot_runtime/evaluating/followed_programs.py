"""Locks from before the code of Python programs was followed, as they would be with that code.

Such a lock has a script by its bytes, and nothing of the modules that it imports. As long as the bytes are the same, it
is taken as a lock of the code as it is now, so that an upgrade runs nothing.
"""

from collections.abc import Mapping
from typing import Final

import attrs

from pivot_core.code import PROGRAMS
from pivot_core.lock import CodeEntry, StageLock
from pivot_core.stages.command import KEY
from pivot_runtime.loading.loaded import LoadedStage

_KINDS: Final = frozenset({"func", "class", "const", "effects", "module", "task", PROGRAMS})


def with_followed_programs(lock: StageLock, stage: LoadedStage) -> StageLock:
    """Return the lock with the code that the stage's programs reach now, if it was not followed in its last run."""
    code = lock.inputs.code
    if PROGRAMS not in stage.code or PROGRAMS in code or _digest(code, KEY) != _digest(stage.code, KEY):
        return lock
    kept = {key: entry for key, entry in code.items() if key not in stage.superseded}
    followed = {key: entry for key, entry in stage.code.items() if key.partition(":")[0] in _KINDS}
    for key, (digest, body) in stage.superseded.items():
        before = _digest(code, key)
        if before not in (None, digest):  # the script was edited
            followed[body] = CodeEntry(before, followed[body].location) if body in followed else code[key]
    return attrs.evolve(lock, inputs=attrs.evolve(lock.inputs, code={**kept, **followed}))


def _digest(code: Mapping[str, CodeEntry], key: str) -> str | None:
    return code[key].digest if key in code else None
