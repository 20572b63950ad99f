"""Values that are another one at each import, though nothing that they rest on has changed: told, and not counted."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import attrs

from pivot_core.lock import CodeEntry, Unresolved
from pivot_engine._chance import RANDOM, TIME
from pivot_engine.loaded import Loaded, LoadedStage

_WAYS_OUT: Final = "make it inside the stage, or give its class a `__pivot_fingerprint__`"


def day() -> str:
    """Which day it is here: what asks for the time may mean that."""
    return time.strftime("%Y-%m-%d")


def codes(loaded: Loaded) -> dict[str, dict[str, str]]:
    """The digest of each entry, by the address of its stage and its key."""
    return {stage.spec.address: {key: entry.digest for key, entry in stage.code.items()} for stage in loaded.stages}


def settle(
    loaded: Loaded,
    before: Mapping[str, Mapping[str, str]],
    known: Sequence[str],
    *,
    day: str,
    holds: Callable[[], bool],
) -> tuple[Loaded, tuple[str, ...]]:
    """A load in which such values count as at the last one; and the keys of all that are known.

    Args:
        loaded: What a load gave now.
        before: What `codes` said of the last one.
        known: Keys that were seen to differ for no reason.
        day: On which day the last load was.
        holds: Whether all that the last load rested on is as it was.
    """
    now = codes(loaded)
    differ = {
        key
        for address, code in now.items()
        for key, digest in code.items()
        if before.get(address, {}).get(key, digest) != digest
    }
    same = differ and all(code.keys() == before.get(address, {}).keys() for address, code in now.items())
    if not (same and _is_chance(loaded.unrecorded, day) and holds()):
        differ = set()
    every = {*known, *differ}
    if not every:
        return loaded, ()
    stages = tuple(_settled(stage, before.get(stage.spec.address, {}), differ, every) for stage in loaded.stages)
    return attrs.evolve(loaded, stages=stages), tuple(sorted(every))


def _is_chance(unrecorded: Sequence[str], then: str) -> bool:
    """Whether nothing but chance can have made a difference; a time makes none within a day."""
    return {RANDOM, TIME}.issuperset(unrecorded) and (TIME not in unrecorded or then == day())


def _settled(stage: LoadedStage, before: Mapping[str, str], differ: set[str], every: set[str]) -> LoadedStage:
    code: dict[str, CodeEntry] = dict(stage.code)
    told: list[Any] = []
    for key in sorted(every & code.keys()):
        if key in differ:
            code[key] = attrs.evolve(code[key], digest=before[key])
        name = ".".join(key.split(":")[1:])
        told.append(Unresolved(f"`{name}` is another value at each import: {_WAYS_OUT}", code[key].location))
    return attrs.evolve(stage, code=code, unresolved=(*told, *stage.unresolved))
