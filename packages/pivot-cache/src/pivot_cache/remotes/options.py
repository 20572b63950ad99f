"""Settings, retries, progress and result of transfers."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import ClassVar, Final

import attrs

from pivot_cache.errors import CacheError
from pivot_cache.remotes.protocol import RemoteThrottledError, RemoteTimeoutError, RemoteUnreachableError
from pivot_cache.state.known_objects import KnownObjects
from pivot_core.progress import no_progress
from pivot_core.values import Value

JOBS: Final = 20


class IncompleteTreeError(CacheError):
    """A listing was not pushed, because not all files in it are on the remote.

    Attributes:
        digest: Of the listing.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, digest: str) -> None:
        super().__init__(f"listing {digest} was not pushed: the remote does not have all files in it")
        self.digest = digest


PASSING = (RemoteThrottledError, RemoteUnreachableError)
"""Errors that may be gone the next time."""


async def _sleep(seconds: float) -> None:
    import asyncio  # noqa: PLC0415 - start-up time

    await asyncio.sleep(seconds)


def _random() -> float:
    import random  # noqa: PLC0415 - start-up time

    return random.random()  # noqa: S311 - only keeps clients from trying again all at once


@attrs.frozen(eq=False, repr=False)
class Retry(Value):
    """How often and when something is tried again.

    Attributes:
        attempts: The most attempts in a row that got nowhere.
        timeouts: The most attempts that took too long, wherever they got.
        step: So much further is somewhere; a server that sends a byte and closes leads nowhere.
        first: The longest first pause, in seconds; it doubles each time.
        longest: The longest pause, in seconds.
        sleep: Waits for that many seconds.
        chance: The part of the longest pause to take, from 0 to 1.
    """

    attempts: int = 6
    timeouts: int = 2
    step: int = 1 << 16
    first: float = 0.5
    longest: float = 20.0
    sleep: Callable[[float], Awaitable[None]] = _sleep
    chance: Callable[[], float] = _random

    async def __call__[T](self, work: Callable[[], Awaitable[T]], progress: Callable[[], int] = lambda: 0) -> T:
        """The result of ``work``, tried again while it is throttled or out of reach, and after no other error.

        Once ``progress`` is a ``step`` higher than when the count began, it begins again; not so that of attempts that
        took too long, since a server that sends a byte now and then would go on forever.
        """
        failures, timeouts, mark = 0, 0, progress()
        while True:
            try:
                return await work()
            except PASSING as error:
                timeouts += isinstance(error, RemoteTimeoutError)
                reached = progress()
                failures, mark = (1, reached) if reached >= mark + self.step else (failures + 1, mark)
                if failures >= self.attempts or timeouts >= self.timeouts:
                    raise
            await self.sleep(self.chance() * min(self.longest, self.first * 2 ** (failures - 1)))


@attrs.frozen(eq=False, repr=False)
class TransferCounts(Value):
    """How far a transfer is; numbers of bytes grow as listings arrive, and shrink where something is sent again.

    Attributes:
        objects: How many are done, in whatever way.
        of_objects: How many there are to move.
        bytes: How many have been moved.
        of_bytes: How many there are to move, as far as is known.
    """

    objects: int = 0
    of_objects: int = 0
    bytes: int = 0
    of_bytes: int = 0


@attrs.frozen(eq=False, repr=False)
class TransferSettings(Value):
    """How to transfer.

    Attributes:
        known: The objects that this machine knows to be on remotes; None asks the remote about everything.
        refresh: Ask the remote about everything, and forget what was known of it.
        dry_run: Find out what would be moved; only listings are fetched.
        jobs: The most objects, and the most requests, at once.
        progress: Called whenever something has moved.
        retry: How to try again; by default as `Retry` does.
        partials: Where large objects lie that have not yet arrived in full, on the file system of the store; by
            default ``partial`` beside the store.
        part: The size above which an object is fetched in parts of this size; by default 8 MiB.
    """

    known: KnownObjects | None = None
    refresh: bool = False
    dry_run: bool = False
    jobs: int = JOBS
    progress: Callable[[TransferCounts], object] = no_progress
    retry: Retry | None = None
    partials: Path | None = None
    part: int | None = None


@attrs.frozen(eq=False, repr=False)
class TransferResult(Value):
    """The outcome of each object, by digest; each is in one of the four.

    Attributes:
        transferred: They were moved; in a dry run, they would be.
        present: They were where they should be already.
        missing: They are not where they should come from.
        failed: They could not be moved, and why.
        stopped: Why nothing more was tried, if so: the remote as a whole refuses, fails or does not answer, or
            the store cannot be read or written. Whatever was not tried has failed with it.
    """

    transferred: frozenset[str] = frozenset()
    present: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()
    failed: Mapping[str, CacheError] = attrs.field(factory=dict)
    stopped: CacheError | None = None
