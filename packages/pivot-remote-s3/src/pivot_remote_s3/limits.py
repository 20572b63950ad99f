"""How long a request may take: it has some time to begin with, and more with each byte that moves."""

from typing import Final, Self

import attrs

from pivot_core.values import Value

GRACE_S: Final = 30.0
"""So long a request may take in which nothing moves."""

RATE: Final = 4 << 10
"""So many bytes a second are the least: what a line of 80 KiB/s leaves to each of twenty requests."""

PATIENCE_S: Final = 10.0
"""So long nothing is said of a server that is silent."""

_SILENT: Final = 1.5
_ASSEMBLING: Final = 10.0
_SIGNING_IN: Final = 10.0


@attrs.frozen(eq=False, repr=False)
class Limits(Value):
    """What requests to one server may take.

    Attributes:
        grace: The seconds for a request in which nothing moves.
        rate: The bytes a second that it must move on average, after that time.
        longest: The bytes of an answer that is not an object; S3 has a thousand keys of 1 KiB at most in one.
        error: The bytes that are read of an answer that is an error.
    """

    grace: float = GRACE_S
    rate: int = RATE
    longest: int = 4 << 20
    error: int = 1 << 16

    @classmethod
    def of(cls, grace: float | None) -> Self:
        """The usual limits, with another time to begin with."""
        return cls() if grace is None else cls(grace)

    def seconds(self, moved: int) -> float:
        """How long a request may have taken once so many bytes have moved; grows to a bound for what is finite."""
        return self.grace + moved / self.rate

    @property
    def patience(self) -> float:
        """How long it is not said that a server is silent."""
        return min(PATIENCE_S, self.grace / 3)

    @property
    def silent(self) -> float:
        """How long a server may say nothing after all has been sent; what lies in buffers has to leave first."""
        return self.grace * _SILENT

    @property
    def signing_in(self) -> float:
        """How long a program may take that has credentials; somebody may have to type a code for it."""
        return self.grace * _SIGNING_IN

    @property
    def assembling(self) -> float:
        """How long a server may put an object together; it sends spaces meanwhile."""
        return self.grace * _ASSEMBLING
