"""An executor for tests, which runs stages with the workers' code on this machine.

Its address is ``loopback:///DIRECTORY?workers=N&home=HOME``.
"""

import os
import pathlib
import threading
import urllib.parse
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from pivot_runtime.cluster.backend import ClusterEvents, ExecutorSettings
from pivot_runtime.cluster.stage_worker import StageWorker


class Loopback:
    def __init__(self, address: str, settings: ExecutorSettings, events: ClusterEvents) -> None:
        parts = urllib.parse.urlsplit(address)
        options = dict(urllib.parse.parse_qsl(parts.query))
        count = int(options.get("workers", "2"))
        os.environ.update({"HOME": options["home"]} if "home" in options else {})
        self._settings, self._events = settings, events
        self._worker = StageWorker(pathlib.Path(parts.path), "loopback")
        self._threads = ThreadPoolExecutor(count)
        self._sources: dict[str, bytes] = {}
        events.connected(dashboard="", workers=count, threads=count)

    def add_sources(self, digest: str, archive: bytes) -> None:
        self._sources[digest] = archive

    def submit(
        self, number: int, task: bytes, *, sources: str, name: str, resources: Mapping[str, float], priority: int
    ) -> None:
        del name, resources, priority
        self._threads.submit(self._run, number, task, sources)

    def _run(self, number: int, task: bytes, sources: str) -> None:
        def started() -> None:
            self._events.started(number, threading.current_thread().name)

        answer = self._worker.run(
            task, lambda: self._sources[sources], started, lambda lines: self._events.output(number, lines)
        )
        self._events.answered(number, answer)

    def stop(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._worker.stop(self._settings.run, 5.0)

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)
        self._worker.close()


def connect(address: str, settings: ExecutorSettings, events: ClusterEvents) -> Loopback:
    return Loopback(address, settings, events)
