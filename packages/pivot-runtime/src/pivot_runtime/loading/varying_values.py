"""Values that differ at each import although nothing that they depend on has changed: reported, and not counted."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Self

import attrs

from pivot_core.lock import CodeEntry, UnresolvedCode
from pivot_core.values import Value
from pivot_runtime.loading.loaded import Loaded, LoadedStage
from pivot_runtime.tracing.random_calls import RANDOM, TIME

_WAYS_OUT: Final = "make it inside the stage, or give its class a `__pivot_fingerprint__`"
_MOST: Final = 8
"""States of the code that makes one value."""
_SHOWN: Final = 3

type Codes = Mapping[str, Mapping[str, str]]
"""By the address of a stage, by the key of an entry, its digest."""
type States = Mapping[str, Mapping[str, Mapping[str, str]]]


@attrs.frozen(eq=False, repr=False)
class Known(Value):
    """The known loads of one file.

    Attributes:
        codes: The codes that counted at the last one.
        states: By the address of a stage, by the key of each entry that holds a value which may differ by chance: for
            each state of the code that makes it, the digest by which it counted; the last comes last.
        parts: By the key of such an entry, by the path into its value, what the part counted by at the last load.
        values: By the key of each entry that differed for no known reason, the paths to what differs in its value.
        day: On which day the last load was.
    """

    codes: Codes = attrs.field(factory=dict)
    states: States = attrs.field(factory=dict)
    parts: Mapping[str, Mapping[str, str]] = attrs.field(factory=dict)
    values: Mapping[str, Sequence[str]] = attrs.field(factory=dict)
    day: str = ""

    def to_plain(self) -> dict[str, Any]:
        """The same as JSON-able data."""
        return {
            "codes": self.codes,
            "states": self.states,
            "parts": self.parts,
            "values": self.values,
            "day": self.day,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """The inverse of `to_plain`."""
        return cls(
            codes=plain["codes"],
            states=plain["states"],
            parts=plain["parts"],
            values=plain["values"],
            day=plain["day"],
        )


def day() -> str:
    """Which day it is here: what asks for the time may mean that."""
    return time.strftime("%Y-%m-%d")


def settle(
    loaded: Loaded, known: Known, *, holds: Callable[[], bool], inputs_hold: Callable[[], bool]
) -> tuple[Loaded, Known]:
    """A load in which such values count as they did when the code was the same; and what is known now.

    Args:
        loaded: The current result of a load.
        known: The earlier result.
        holds: Whether all that the last load depended on is as it was.
        inputs_hold: The same of all but the sources of code.
    """
    chance = _is_chance(loaded.unrecorded, known.day)
    stages, differ = loaded.stages, {key for stage in loaded.stages for key in _changed(stage, known.codes)}
    same = all(stage.code.keys() == known.codes.get(stage.spec.address, {}).keys() for stage in stages)
    if chance and differ and same and holds():
        stages = tuple(_as_before(stage, known.codes.get(stage.spec.address, {})) for stage in stages)
    elif chance and differ and inputs_hold():
        now = tuple(_as_in_state(stage, known.states.get(stage.spec.address, {})) for stage in stages)
        pairs = list(zip(stages, now, strict=True))
        differ = {key for old, new in pairs for key in new.code if new.code[key] is not old.code[key]}
        stages = now
    else:
        differ = set()
    parts = {key: found for stage in stages if stage.steady is not None for key, found in stage.steady.parts.items()}
    values: dict[str, Sequence[str]] = {}
    for key, paths in known.values.items():
        left = _left(paths, known.parts.get(key), parts.get(key))
        if left is not None:
            values[key] = left
    for key in sorted(differ):
        paths = _differing(known.parts.get(key, {}), parts.get(key, {}))
        values[key] = [*values.get(key, ()), *(path for path in paths if path not in values.get(key, ()))][:_SHOWN]
    kept = Known(codes(stages), _states(stages, known.states), parts, values, day())
    return attrs.evolve(loaded, stages=tuple(_told(stage, values) for stage in stages)), kept


def codes(stages: Sequence[LoadedStage]) -> Codes:
    """The digest of each entry."""
    return {stage.spec.address: {key: entry.digest for key, entry in stage.code.items()} for stage in stages}


def _is_chance(unrecorded: Sequence[str], then: str) -> bool:
    """Whether nothing but chance can have made a difference; a time makes none within a day."""
    return {RANDOM, TIME}.issuperset(unrecorded) and (TIME not in unrecorded or then == day())


def _changed(stage: LoadedStage, before: Codes) -> list[str]:
    known = before.get(stage.spec.address, {})
    return [key for key, entry in stage.code.items() if known.get(key, entry.digest) != entry.digest]


def _as_before(stage: LoadedStage, digests: Mapping[str, str]) -> LoadedStage:
    """The stage with these digests of its entries."""
    code: dict[str, CodeEntry] = {
        key: attrs.evolve(entry, digest=digests[key]) if digests.get(key, entry.digest) != entry.digest else entry
        for key, entry in stage.code.items()
    }
    return attrs.evolve(stage, code=code)


def _as_in_state(stage: LoadedStage, states: Mapping[str, Mapping[str, str]]) -> LoadedStage:
    """The stage with those digests that its values had when the code that makes them was as it is."""
    now = stage.steady.digests if stage.steady is not None else {}
    found = {key: states.get(key, {}).get(state) for key, state in now.items()}
    return _as_before(stage, {key: digest for key, digest in found.items() if digest is not None})


def _states(stages: Sequence[LoadedStage], before: States) -> States:
    return {
        stage.spec.address: {
            key: _with(before.get(stage.spec.address, {}).get(key, {}), state, stage.code[key].digest)
            for key, state in stage.steady.digests.items()
            if key in stage.code
        }
        for stage in stages
        if stage.steady is not None
    }


def _with(states: Mapping[str, str], state: str, digest: str) -> dict[str, str]:
    others = [(known, each) for known, each in states.items() if known != state]
    return dict([*others, (state, digest)][-_MOST:])


def _differing(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The paths to the innermost parts that differ, or that only one has."""
    every = [path for path in {**before, **now} if before.get(path) != now.get(path)]
    inner = {path for path in every for other in every if other != path and other.startswith((f"{path}.", f"{path}["))}
    return [path for path in every if path and path not in inner]


def _left(
    paths: Sequence[str], before: Mapping[str, str] | None, now: Mapping[str, str] | None
) -> Sequence[str] | None:
    """Of the paths to what differed, those that still may; None if the value is as it was."""
    if before is None:
        return paths
    if now is None or before == now:
        return None
    return [path for path in paths if path in now and before.get(path) != now[path]] if paths else paths


def _told(stage: LoadedStage, values: Mapping[str, Sequence[str]]) -> LoadedStage:
    told: list[Any] = []
    for key in sorted(values.keys() & stage.code.keys()):
        name = ".".join(key.split(":")[1:])
        names = [f"`{name}{path}`" for path in values[key]] or [f"`{name}`"]
        verb = "are other values" if len(names) > 1 else "is another value"
        told.append(UnresolvedCode(f"{', '.join(names)} {verb} at each import: {_WAYS_OUT}", stage.code[key].location))
    return attrs.evolve(stage, unresolved=(*told, *stage.unresolved)) if told else stage
