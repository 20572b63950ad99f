"""Events of a sweep, for its reporter."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import attrs

from pivot_core.values import Value

INTERRUPTED: Final = "interrupted"
"""The problem of a combination that the user has interrupted."""


@attrs.frozen(eq=False, repr=False)
class SweepCombination(Value):
    """A combination as users see it.

    Attributes:
        number: Its number, from 1.
        values: The values of the sweep's parameters as plain data, secrets as digests, by the names that were given.
        stages: The addresses of the stages that will run.
        blocked: Why it cannot run; empty if it can.
    """

    number: int
    values: Mapping[str, Any]
    stages: tuple[str, ...] = ()
    blocked: str = ""


@attrs.frozen(eq=False, repr=False)
class SweepStarted(Value):
    """The sweep knows its combinations, and the short name of each stage by address."""

    combinations: Sequence[SweepCombination]
    names: Mapping[str, str]


@attrs.frozen(eq=False, repr=False)
class CombinationStarted(Value):
    """A combination has been given to a process."""

    combination: SweepCombination


@attrs.frozen(eq=False, repr=False)
class CombinationEvent(Value):
    """An event of the run of a combination, as its line of ``--jsonl``."""

    combination: SweepCombination
    line: Mapping[str, Any]


@attrs.frozen(eq=False, repr=False)
class CombinationEnded(Value):
    """A combination has ended.

    Attributes:
        combination: The combination.
        state: ``ran``, ``cached`` or ``failed``.
        id: The ID of its result; "" if there is none.
        metrics: The metrics by path.
        seconds: The time that it took.
        problem: Why it failed, in one line.
        hint: A way to solve that.
    """

    combination: SweepCombination
    state: str
    id: str = ""
    metrics: Mapping[str, Any] = attrs.field(factory=dict)
    seconds: float = 0.0
    problem: str = ""
    hint: str | None = None


@attrs.frozen(eq=False, repr=False)
class SweepInterrupted(Value):
    """The user interrupts the sweep; these combinations are being ended."""

    running: Sequence[SweepCombination]


@attrs.frozen(eq=False, repr=False)
class SweepEnded(Value):
    """The sweep has ended.

    Attributes:
        seconds: The time since the command began.
        complete: Every combination has a result.
    """

    seconds: float
    complete: bool


type SweepEvent = (
    SweepStarted | CombinationStarted | CombinationEvent | CombinationEnded | SweepInterrupted | SweepEnded
)
type SweepReporter = Callable[[SweepEvent], object]
