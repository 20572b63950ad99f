"""A few threads that hash, read and write many files."""

import os
import threading
from collections.abc import Callable, Sequence

LARGE = 1 << 17
"""The size in bytes from which reading, writing or hashing lets other threads make progress.

With smaller files, threads would only wait for each other at the interpreter's lock.
"""


def map_parallel[T, R](
    work: Callable[[T], R], items: Sequence[T], size: Callable[[T], int], jobs: int | None = None
) -> list[R]:
    """The results of ``work`` for every item, in order; the first error stops all threads, and is raised.

    Args:
        work: Called in several threads at once.
        items: The arguments of the calls.
        size: The size of an item in bytes; only large ones are distributed among threads.
        jobs: The number of threads; by default that of the processors.
    """
    jobs = jobs or os.process_cpu_count() or 1
    large = [number for number, item in enumerate(items) if size(item) >= LARGE] if jobs > 1 else []
    if len(large) < 2:  # noqa: PLR2004 - one needs no company
        return [work(item) for item in items]
    pool = _Pool(lambda number: work(items[number]), large)
    threads = [threading.Thread(target=pool.run, daemon=True) for _ in range(min(jobs, len(large)) - 1)]
    for thread in threads:
        thread.start()
    try:
        for number in sorted(set(range(len(items))).difference(large)):
            if pool.error is not None:
                break
            pool.results[number] = work(items[number])
        pool.run()
    except BaseException as error:
        pool.error = error
        raise
    finally:
        for thread in threads:
            thread.join()
    if pool.error is not None:
        raise pool.error
    return [pool.results[number] for number in range(len(items))]


class _Pool[R]:
    """Work that several threads take from a shared list."""

    def __init__(self, work: Callable[[int], R], numbers: list[int]) -> None:
        self.results: dict[int, R] = {}
        self.error: BaseException | None = None
        self._work = work
        self._waiting = iter(numbers)
        self._guard = threading.Lock()

    def run(self) -> None:
        """Work until no items are left, or a thread has failed."""
        while self.error is None:
            with self._guard:
                number = next(self._waiting, None)
            if number is None:
                return
            try:
                self.results[number] = self._work(number)
            except BaseException as error:  # noqa: BLE001 - it is raised in the thread that asked
                self.error = error
