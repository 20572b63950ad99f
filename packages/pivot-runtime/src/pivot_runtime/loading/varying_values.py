"""Values that differ at each import although nothing that they depend on has changed: reported, but not counted."""

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
"""The most states of the code of one value that are stored."""
_SHOWN: Final = 3

type Codes = Mapping[str, Mapping[str, str]]
"""The digest of each entry, by the address of a stage and the key of the entry."""
type States = Mapping[str, Mapping[str, Mapping[str, str]]]


@attrs.frozen(eq=False, repr=False)
class Known(Value):
    """The known facts about earlier loads of one file.

    Attributes:
        codes: The codes that counted at the last load.
        states: By the address of a stage and the key of each entry whose value may differ by chance: for each state of
            the code that computes it, the digest by which it counted; the latest comes last.
        parts: By the key of such an entry and the path in its value, the token by which the part counted last.
        values: By the key of each entry that differed for no known reason, the paths of the differences in its value.
        day: The day of the last load.
    """

    codes: Codes = attrs.field(factory=dict)
    states: States = attrs.field(factory=dict)
    parts: Mapping[str, Mapping[str, str]] = attrs.field(factory=dict)
    values: Mapping[str, Sequence[str]] = attrs.field(factory=dict)
    day: str = ""

    def to_plain(self) -> dict[str, Any]:
        """Return the facts as data for JSON."""
        return {
            "codes": self.codes,
            "states": self.states,
            "parts": self.parts,
            "values": self.values,
            "day": self.day,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Return the facts of such data."""
        return cls(
            codes=plain["codes"],
            states=plain["states"],
            parts=plain["parts"],
            values=plain["values"],
            day=plain["day"],
        )


def day() -> str:
    """Return the current day, on which values that depend on the time may depend."""
    return time.strftime("%Y-%m-%d")


def settle(
    loaded: Loaded, known: Known, *, holds: Callable[[], bool], inputs_hold: Callable[[], bool]
) -> tuple[Loaded, Known]:
    """Return a load in which such values count as they did with the same code, and the facts that are known now.

    Args:
        loaded: The load.
        known: The facts about earlier loads.
        holds: Returns whether all facts hold that the last load depended on.
        inputs_hold: Returns the same for all facts but the sources of code.
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
    return attrs.evolve(loaded, stages=tuple(_with_warnings(stage, values) for stage in stages)), kept


def codes(stages: Sequence[LoadedStage]) -> Codes:
    """Return the digest of each entry."""
    return {stage.spec.address: {key: entry.digest for key, entry in stage.code.items()} for stage in stages}


def _is_chance(unrecorded: Sequence[str], then: str) -> bool:
    """Return whether only chance can explain a difference; within one day, the time cannot."""
    return {RANDOM, TIME}.issuperset(unrecorded) and (TIME not in unrecorded or then == day())


def _changed(stage: LoadedStage, before: Codes) -> list[str]:
    known = before.get(stage.spec.address, {})
    return [key for key, entry in stage.code.items() if known.get(key, entry.digest) != entry.digest]


def _as_before(stage: LoadedStage, digests: Mapping[str, str]) -> LoadedStage:
    """Return the stage with these digests of its entries; the same one if it has them."""
    if all(digests.get(key, entry.digest) == entry.digest for key, entry in stage.code.items()):
        return stage
    code: dict[str, CodeEntry] = {
        key: attrs.evolve(entry, digest=digests[key]) if digests.get(key, entry.digest) != entry.digest else entry
        for key, entry in stage.code.items()
    }
    return attrs.evolve(stage, code=code)


def _as_in_state(stage: LoadedStage, states: Mapping[str, Mapping[str, str]]) -> LoadedStage:
    """Return the stage with the digests that its values had with the current state of the code that computes them."""
    if stage.steady is None:
        return stage
    found = {key: states.get(key, {}).get(state) for key, state in stage.steady.digests.items()}
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
    """Return the paths of the innermost parts that differ, or exist in one value only."""
    every = [path for path in {**before, **now} if before.get(path) != now.get(path)]
    inner = {path for path in every for other in every if other != path and other.startswith((f"{path}.", f"{path}["))}
    return [path for path in every if path and path not in inner]


def _left(
    paths: Sequence[str], before: Mapping[str, str] | None, now: Mapping[str, str] | None
) -> Sequence[str] | None:
    """Return the paths of parts that may still differ; None if the value is the same as before."""
    if before is None:
        return paths
    if now is None or before == now:
        return None
    return [path for path in paths if path in now and before.get(path) != now[path]] if paths else paths


def _with_warnings(stage: LoadedStage, values: Mapping[str, Sequence[str]]) -> LoadedStage:
    warnings: list[Any] = []
    for key in sorted(values.keys() & stage.code.keys()):
        name = ".".join(key.split(":")[1:])
        names = [f"`{name}{path}`" for path in values[key]] or [f"`{name}`"]
        verb = "are other values" if len(names) > 1 else "is another value"
        warnings.append(
            UnresolvedCode(f"{', '.join(names)} {verb} at each import: {_WAYS_OUT}", stage.code[key].location)
        )
    return attrs.evolve(stage, unresolved=(*warnings, *stage.unresolved)) if warnings else stage
