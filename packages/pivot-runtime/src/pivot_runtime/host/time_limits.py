"""Time limits of a running stage: the moments at which it is asked to end, and killed; pure."""

import signal
from typing import NamedTuple, Self

import attrs

from pivot_core.values import Value

GRACE_SECONDS = 5.0
"""The time from the first signal until a stage is killed."""
UNWIND_SECONDS = 2.0
"""The part of it in which an interrupted stage may clean up by itself; then SIGTERM follows SIGINT."""


@attrs.frozen(eq=False, repr=False)
class TimeLimits(Value):
    """Moments of the monotonic clock; None for one that is not set.

    Attributes:
        deadline: The end of its timeout.
        terminate_at: The moment of SIGTERM after an interrupt.
        kill_at: The moment of SIGKILL.
    """

    deadline: float | None = None
    terminate_at: float | None = None
    kill_at: float | None = None

    def with_timeout(self, now: float, seconds: float | None) -> Self:
        """These limits with a timeout that begins now."""
        return self if seconds is None else attrs.evolve(self, deadline=now + seconds)

    def interrupted(self, now: float) -> Self:
        """The limits of a stage that gets SIGINT now."""
        return attrs.evolve(self, terminate_at=now + UNWIND_SECONDS, kill_at=now + GRACE_SECONDS)

    @property
    def next(self) -> float | None:
        """The earliest moment."""
        moments = (self.deadline, self.terminate_at, self.kill_at)
        return min((each for each in moments if each is not None), default=None)

    def due(self, now: float) -> "DueSignals":
        """The signals to send now, and the limits that remain."""
        if self.next is None or now < self.next:
            return DueSignals((), self, timed_out=False)
        timed_out = self.deadline is not None and now >= self.deadline
        terminated = self.terminate_at is not None and now >= self.terminate_at
        kill_at = self.kill_at
        if (timed_out or terminated) and kill_at is None:
            kill_at = now + GRACE_SECONDS
        signals = [signal.SIGTERM] * (timed_out + terminated)
        if kill_at is not None and now >= kill_at:
            signals.append(signal.SIGKILL)
        left = attrs.evolve(
            self,
            deadline=None if timed_out else self.deadline,
            terminate_at=None if terminated else self.terminate_at,
            kill_at=kill_at,
        )
        return DueSignals(tuple(signals), left, timed_out)


class DueSignals(NamedTuple):
    """The outcome of a look at the clock.

    Attributes:
        signals: The signals to send, in this order.
        limits: The limits from now on.
        timed_out: The stage has just exceeded its timeout.
    """

    signals: tuple[signal.Signals, ...]
    limits: TimeLimits
    timed_out: bool
