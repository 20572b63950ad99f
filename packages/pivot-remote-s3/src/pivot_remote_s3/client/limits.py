"""Time and size limits of requests to one server."""

from typing import Final, Self

import attrs

from pivot_core.values import Value

TIMEOUT_S: Final = 30.0
"""The seconds that a request may take in which no byte moves."""

RATE: Final = 4 << 10
"""The lowest rate in bytes per second: what a line of 80 KiB/s leaves to each of twenty requests."""

STALL_S: Final = 10.0
"""The seconds after which a silent server is reported."""

_READ_TIMEOUT: Final = 1.5
_COMPLETION: Final = 10.0
_CREDENTIALS: Final = 10.0


@attrs.frozen(eq=False, repr=False)
class RequestLimits(Value):
    """Limits of the requests to one server: each has a deadline, which every byte that moves extends.

    Attributes:
        timeout: The seconds for a request in which no byte moves.
        rate: The bytes per second that it must move on average after that.
        longest: The most bytes of a response that is not an object; S3 lists at most a thousand keys of 1 KiB in one.
        error: The bytes that are read of an error.
    """

    timeout: float = TIMEOUT_S
    rate: int = RATE
    longest: int = 4 << 20
    error: int = 1 << 16

    @classmethod
    def of(cls, timeout: float | None) -> Self:
        """Return the default limits, with another timeout if there is one."""
        return cls() if timeout is None else cls(timeout)

    def seconds(self, moved: int) -> float:
        """Return how long a request may have taken once this number of bytes has moved."""
        return self.timeout + moved / self.rate

    @property
    def stall_seconds(self) -> float:
        """The seconds after which a silent server is reported."""
        return min(STALL_S, self.timeout / 3)

    @property
    def read_timeout(self) -> float:
        """The seconds of silence after a request was written, part of which may still be in a buffer."""
        return self.timeout * _READ_TIMEOUT

    @property
    def credentials(self) -> float:
        """The seconds for a program that provides credentials: the user may have to type a code for it."""
        return self.timeout * _CREDENTIALS

    @property
    def completion(self) -> float:
        """The seconds for the server to join the parts of an upload; it sends spaces meanwhile."""
        return self.timeout * _COMPLETION
