"""Work on many files in a few threads: hashing, reading and writing let the others run meanwhile."""

import os
import threading
from collections.abc import Callable, Sequence

_FEW = 32
"""So many small files are done before other threads have started."""


def each[T, R](work: Callable[[T], R], items: Sequence[T], jobs: int | None = None) -> list[R]:
    """What ``work`` gives for every item, in order; the first error stops all threads, and is raised.

    Args:
        work: Called in several threads at once.
        items: What it is called with.
        jobs: The number of threads; by default that of the processors.
    """
    count = min(jobs or os.process_cpu_count() or 1, len(items))
    if count <= 1 or (len(items) < _FEW and jobs is None):
        return [work(item) for item in items]
    results: list[R | None] = [None] * len(items)
    errors: list[BaseException] = []
    numbers = iter(range(len(items)))  # `next` of it is one step under the interpreter's lock
    guard = threading.Lock()

    def run() -> None:
        while not errors:
            with guard:
                number = next(numbers, None)
            if number is None:
                return
            try:
                results[number] = work(items[number])
            except BaseException as error:  # noqa: BLE001 - it is raised in the thread that asked
                errors.append(error)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(count - 1)]
    for thread in threads:
        thread.start()
    try:
        run()
    except BaseException as error:
        errors.append(error)
        raise
    finally:
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]
    return results  # type: ignore[return-value]
