"""Settings, progress and result of transfers."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

import attrs

from pivot_cache.errors import CacheError
from pivot_cache.state.known_objects import KnownObjects
from pivot_core.values import Value

if TYPE_CHECKING:
    from pivot_cache.remotes.retry import Retry

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
    progress: Callable[[TransferCounts], object] = lambda _: None
    retry: "Retry | None" = None
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
