"""Settings, retries, progress and result of transfers."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import ClassVar, Final

import attrs

from pivot_cache.errors import CacheError
from pivot_cache.remotes.protocol import (
    RemoteAbsentError,
    RemoteThrottledError,
    RemoteTimeoutError,
    RemoteUnreachableError,
)
from pivot_cache.state.known_objects import KnownObjects
from pivot_core.progress import no_progress
from pivot_core.values import Value

JOBS: Final = 20


class IncompleteTreeError(CacheError):
    """A listing was not pushed because some of its files are not on the remote.

    Attributes:
        digest: The digest of the listing.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, digest: str) -> None:
        super().__init__(f"listing {digest} was not pushed: the remote does not have all files in it")
        self.digest = digest


PASSING = (RemoteThrottledError, RemoteUnreachableError)
"""Errors that may not occur again."""


async def _sleep(seconds: float) -> None:
    import asyncio  # lazy

    await asyncio.sleep(seconds)


def _random() -> float:
    import random  # lazy

    return random.random()  # noqa: S311 - only keeps clients from trying again all at once


@attrs.frozen(eq=False, repr=False)
class Retry(Value):
    """A retry policy.

    Attributes:
        attempts: The maximum number of consecutive attempts without progress.
        timeouts: The maximum number of attempts that time out, even with progress.
        absences: The maximum number of attempts while no server was reached; with the default pauses, this takes less
            than two seconds.
        step: The progress that counts as such; a server that sends one byte and closes makes none.
        first: The maximum first pause in seconds; it doubles each time.
        longest: The maximum pause in seconds.
        sleep: Waits for that many seconds.
        chance: Returns the fraction of the maximum pause to wait, from 0 to 1.
    """

    attempts: int = 6
    timeouts: int = 2
    absences: int = 3
    step: int = 1 << 16
    first: float = 0.5
    longest: float = 20.0
    sleep: Callable[[float], Awaitable[None]] = _sleep
    chance: Callable[[], float] = _random

    async def __call__[T](self, work: Callable[[], Awaitable[T]], progress: Callable[[], int] = lambda: 0) -> T:
        """The result of ``work``, retried while the remote throttles or is unreachable, but not after other errors.

        Each increase of ``progress`` by ``step`` resets the count of attempts, except that of timeouts, since a server
        that sends an occasional byte would continue forever.
        """
        failures, timeouts, absences, mark = 0, 0, 0, progress()
        while True:
            try:
                return await work()
            except PASSING as error:
                timeouts += isinstance(error, RemoteTimeoutError)
                absences += isinstance(error, RemoteAbsentError)
                reached = progress()
                failures, mark = (1, reached) if reached >= mark + self.step else (failures + 1, mark)
                if failures >= self.attempts or timeouts >= self.timeouts or absences >= self.absences:
                    raise
            await self.sleep(self.chance() * min(self.longest, self.first * 2 ** (failures - 1)))


@attrs.frozen(eq=False, repr=False)
class TransferCounts(Value):
    """The progress of a transfer; numbers of bytes grow as listings arrive, and shrink when something is sent again.

    Attributes:
        objects: The number of objects that are done, with any outcome.
        of_objects: The number of objects to transfer.
        bytes: The number of bytes transferred.
        of_bytes: The number of bytes to transfer, as far as known.
    """

    objects: int = 0
    of_objects: int = 0
    bytes: int = 0
    of_bytes: int = 0


@attrs.frozen(eq=False, repr=False)
class TransferSettings(Value):
    """How to transfer.

    Attributes:
        known: The objects known to be on remotes; None asks the remote about everything.
        refresh: Whether to ask the remote about everything, and forget previous knowledge of it.
        dry_run: Whether to determine only what would be transferred; only listings are fetched.
        jobs: The maximum number of simultaneous objects, and of simultaneous requests.
        progress: Called after each progress.
        retry: The retry policy; by default that of `Retry()`.
        partials: The directory for partly downloaded large objects, on the store's file system; by default ``partial``
            beside the store.
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
    """The outcome of each object, by digest; each is in one of the four groups.

    Attributes:
        transferred: Objects that were transferred; in a dry run, that would be.
        present: Objects that the destination already had.
        missing: Objects that the source does not have.
        failed: Objects that could not be transferred, with the error.
        stopped: The reason why the transfer stopped early, if it did: the remote as a whole refuses, fails or does not
            answer, or the store cannot be read or written. Objects that were not attempted have failed with it.
    """

    transferred: frozenset[str] = frozenset()
    present: frozenset[str] = frozenset()
    missing: frozenset[str] = frozenset()
    failed: Mapping[str, CacheError] = attrs.field(factory=dict)
    stopped: CacheError | None = None
