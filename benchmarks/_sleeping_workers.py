"""A Dask scheduler, and workers in the same process that sleep in place of stages.

`python _sleeping_workers.py N SECONDS` prints the address of the scheduler, and then for each line of stdin a JSON
object: how many tasks the scheduler knows, and the most memory that the process had.
"""

import json
import pathlib
import resource
import sys
import time
from collections.abc import Callable

import dask
from _simulated_cluster import answer_of
from distributed import LocalCluster

from pivot_runtime.cluster_worker import stage_worker


class SleepingWorker:
    """It sleeps; Dask's workers use it in place of the class that runs stages."""

    seconds = 0.5

    def __init__(self, directory: pathlib.Path, name: str) -> None:
        del directory, name

    def run(self, task: bytes, archive: Callable[[], bytes], started: Callable[[], None], output: object) -> bytes:
        """Sleep."""
        del archive, output
        started()
        time.sleep(self.seconds)
        return answer_of(task)

    def stop(self, run: str, patience: float, *, number: int | None = None) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def main(workers: int, seconds: float) -> None:
    """Serve until stdin ends."""
    SleepingWorker.seconds = seconds
    stage_worker.StageWorker = SleepingWorker  # type: ignore[assignment,misc]
    dask.config.set(
        {
            "distributed.worker.profile.enabled": False,  # each worker would look at the threads of all
            "distributed.admin.system-monitor.interval": "60s",
            "distributed.worker.memory.terminate": False,
            "distributed.worker.memory.pause": False,
        }
    )
    with LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=False,
        dashboard_address=None,
        host="127.0.0.1",
        protocol="tcp",
        memory_limit=0,
        silence_logs="CRITICAL",
    ) as cluster:
        print(cluster.scheduler_address, flush=True)
        for _ in sys.stdin:
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
            print(json.dumps({"tasks": len(cluster.scheduler.tasks), "memory": memory}), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
