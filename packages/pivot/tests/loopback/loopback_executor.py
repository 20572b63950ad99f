"""An executor for tests, which runs stages with the workers' code on this machine.

Its address is ``loopback:///DIRECTORY?workers=N&home=HOME&lost=N&damaged=BYTES&also=PATH``. Each worker has objects of
its own, and they take turns. After ``lost`` answers, the cluster is gone; of ``damaged`` answers, only so many bytes
arrive; answers claim that the stage has ``also`` written another path.
"""

import json
import os
import pathlib
import queue
import urllib.parse
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from pivot_runtime.cluster.backend import ClusterEvents, ExecutorSettings
from pivot_runtime.cluster_worker.stage_worker import StageWorker


class Loopback:
    def __init__(self, address: str, settings: ExecutorSettings, events: ClusterEvents) -> None:
        parts = urllib.parse.urlsplit(address)
        options = dict(urllib.parse.parse_qsl(parts.query))
        count = int(options.get("workers", "2"))
        os.environ.update({"HOME": options["home"]} if "home" in options else {})
        self._settings, self._events = settings, events
        self._workers = [StageWorker(pathlib.Path(parts.path), f"loopback {number}") for number in range(count)]
        self._free: queue.SimpleQueue[tuple[int, StageWorker]] = queue.SimpleQueue()
        for each in enumerate(self._workers):
            self._free.put(each)
        self._threads = ThreadPoolExecutor(count)
        self._left = int(options.get("lost", "-1"))
        self._kept = int(options["damaged"]) if "damaged" in options else None
        self._also = options.get("also")
        self._sources: dict[str, bytes] = {}
        events.connected(dashboard="", workers=count, threads=count)

    def add_sources(self, digest: str, archive: bytes) -> None:
        self._sources[digest] = archive

    def submit(
        self, number: int, task: bytes, *, sources: str, name: str, resources: Mapping[str, float], priority: int
    ) -> None:
        del name, resources, priority
        if self._left == 0:
            return
        self._threads.submit(self._run, number, task, sources)

    def _run(self, number: int, task: bytes, sources: str) -> None:
        index, worker = self._free.get()

        def started() -> None:
            self._events.started(number, f"loopback {index}")

        answer = worker.run(
            task, lambda: self._sources[sources], started, lambda lines: self._events.output(number, lines)
        )
        self._free.put((index, worker))
        self._left -= 1
        if self._also is not None and (outs := json.loads(answer)["outs"]):
            answer = json.dumps(
                {**json.loads(answer), "outs": {**outs, self._also: next(iter(outs.values()))}}
            ).encode()
        self._events.answered(number, answer[: self._kept])
        if self._left == 0:
            self._events.lost("the cluster was lost", "repeat the command")

    def stop(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in self._workers:
            worker.stop(self._settings.run, 5.0)

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)
        for worker in self._workers:
            worker.close()


def connect(address: str, settings: ExecutorSettings, events: ClusterEvents) -> Loopback:
    return Loopback(address, settings, events)
