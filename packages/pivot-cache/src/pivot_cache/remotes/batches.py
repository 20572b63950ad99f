"""Moves small objects in batches: one at a time, since several compete for the interpreter, but more if it is slow."""

import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final

from pivot_cache.remotes import event_loop

SMALL: Final = 1 << 20
"""The largest object of a batch in bytes."""

MOST: Final = 256
"""The most objects of a batch."""

FEWEST: Final = 16
"""The number of objects that are not shared between batches."""

FEWEST_OF_DISTANT: Final = 4
"""The same on a distant remote."""

FULL: Final = 8 << 20
"""The number of bytes from which a batch takes no further object."""

SLOW_S: Final = 0.1
"""A batch that takes longer waits for the remote, which then gets another one at the same time."""

DISTANT_S: Final = 0.004
"""If such a batch takes longer for each object, it waits for many answers, and the remote gets all batches at once."""


def small(sizes: Mapping[str, int | None]) -> dict[str, int]:
    """The objects that move in batches; none if there is only one."""
    found = {digest: size for digest, size in sizes.items() if size is not None and size <= SMALL}
    return found if len(found) > 1 else {}


async def move(
    sizes: Mapping[str, int], jobs: int, handle: Callable[[Mapping[str, int]], Awaitable[Collection[str]]]
) -> None:
    """Move objects in batches.

    Args:
        sizes: The size of each object.
        jobs: The most batches at once.
        handle: Moves the objects of a batch and returns those that it has handled. The others become part of another
            batch, unless it has handled none: then all batches end.
    """
    waiting = deque(sizes.items())
    workers, fewest = 0, FEWEST

    async with event_loop.task_group() as tasks:

        def start() -> None:
            nonlocal workers
            if waiting and workers < jobs:
                workers += 1
                tasks.create_task(work())

        async def work() -> None:
            nonlocal workers, fewest
            while batch := _take(waiting, min(MOST, max(fewest, -(-len(waiting) // workers)))):
                began = time.monotonic()
                handled = await handle(batch)
                if not handled:
                    waiting.clear()
                    break
                waiting.extendleft((digest, size) for digest, size in batch.items() if digest not in handled)
                took = time.monotonic() - began
                if took > SLOW_S:
                    is_distant = took > DISTANT_S * len(handled)
                    fewest = FEWEST_OF_DISTANT if is_distant else fewest
                    for _ in range(jobs if is_distant else 1):
                        start()
            workers -= 1

        start()


def _take(waiting: deque[tuple[str, int]], most: int) -> dict[str, int]:
    batch: dict[str, int] = {}
    total = 0
    while waiting and len(batch) < most and total < FULL:
        digest, size = waiting.popleft()
        batch[digest] = size
        total += size
    return batch
