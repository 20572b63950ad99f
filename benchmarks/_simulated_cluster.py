"""An executor whose workers sleep in place of stages, and answer as real ones would; and a remote that counts requests.

The address of the executor is ``simulated://DIRECTORY?workers=N&seconds=S``; it notes in the directory the processor
time of what the workers would have done elsewhere. The URL of the remote is ``file://DIRECTORY``.
"""

import heapq
import json
import os
import pathlib
import threading
import time
import urllib.parse
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Any, Self

from pivot_cache.files import atomic
from pivot_cache.layout import Layout
from pivot_cache.remotes.protocol import RemoteSettings
from pivot_cache.state.run_cache import RunCache
from pivot_core.files.digest import digest_bytes
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact, RunRecord
from pivot_runtime.cluster.backend import ClusterEvents, ExecutorSettings

WORK = "work.json"
"""The file in which the executor notes the processor time of its workers."""
REQUESTS = "requests"
"""The file in which the remote notes requests."""


def answer_of(task: bytes) -> bytes:
    """The answer of a worker that has run a stage: each out contains its path and the inputs key."""
    plain = json.loads(task)
    outs = {path: f"{path} {plain['key']}\n".encode() for path, *_ in plain["outs"]}
    artifacts = {ArtifactPath(path): Artifact(digest_bytes(data), len(data)) for path, data in outs.items()}
    if plain["route"]["kind"] == "shared":
        cache = pathlib.Path(plain["route"]["cache"])
        layout = Layout(cache.parent, cache)
        for data in outs.values():
            put(layout.objects_dir, data)
        RunCache(layout.runs_dir).put(RunRecord(plain["key"], artifacts, {}))
    return json.dumps(
        {
            "protocol": plain["protocol"],
            "number": plain["number"],
            "worker": "simulated",
            "refused": None,
            "finished": {
                "address": plain["address"],
                "seconds": 0.5,
                "failure": None,
                "observed": {},
                "incomplete": [],
                "seen": {"read": [*plain["deps"]], "wrote": [*outs], "variables": [], "unseen": []},
                "usage": [0.1, 20_000_000],
                "left": [],
            },
            "stopped": False,
            "outs": {path: {"digest": a.digest, "size": a.size, "executable": False} for path, a in artifacts.items()},
            "objects": {},
            "log": "eJwDAAAAAAE=",
        }
    ).encode()


def put(objects: pathlib.Path, data: bytes) -> None:
    """Write an object where a cache has it."""
    digest = digest_bytes(data)
    file = objects / digest[:2] / digest[2:]
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_bytes(os.fspath(file), data)
        file.chmod(0o444)


class Simulated:
    """A `ClusterBackend`: one thread answers for all workers."""

    def __init__(self, address: str, settings: ExecutorSettings, events: ClusterEvents) -> None:
        del settings
        parts = urllib.parse.urlsplit(address)
        options = dict(urllib.parse.parse_qsl(parts.query))
        self._directory = pathlib.Path(parts.path)
        self._events = events
        self._seconds = float(options["seconds"])
        self._free = int(options["workers"])
        self._waiting: deque[tuple[int, bytes]] = deque()
        self._running: list[tuple[float, int, bytes]] = []
        self._work = 0.0
        self._changed = threading.Condition()
        self._closed = False
        threading.Thread(target=self._serve, daemon=True).start()
        events.connected(dashboard="", workers=self._free, threads=self._free)

    def add_sources(self, digest: str, archive: bytes) -> None:
        """See `ClusterBackend`."""

    def submit(self, number: int, task: bytes, **_: Any) -> None:
        """See `ClusterBackend`."""
        with self._changed:
            self._waiting.append((number, task))
            if self._free:
                self._changed.notify()

    def _serve(self) -> None:
        while True:
            with self._changed:
                begun = []
                while self._free and self._waiting:
                    number, task = self._waiting.popleft()
                    self._free -= 1
                    heapq.heappush(self._running, (time.monotonic() + self._seconds, number, task))
                    begun.append(number)
                now = time.monotonic()
                ended = []
                while self._running and self._running[0][0] <= now:
                    ended.append(heapq.heappop(self._running))
                if not (begun or ended):
                    self._changed.wait(self._running[0][0] - now if self._running else None)
                self._free += len(ended)
            for number in begun:
                self._events.started(number, f"worker-{number % 200}")
            for _, number, task in ended:
                before = time.thread_time()
                answer = answer_of(task)
                self._work += time.thread_time() - before
                self._events.answered(number, answer)

    def stop(self) -> None:
        """See `ClusterBackend`."""

    def close(self) -> None:
        """See `ClusterBackend`."""
        (self._directory / WORK).write_text(json.dumps(self._work))


def connect(address: str, settings: ExecutorSettings, events: ClusterEvents) -> Simulated:
    """See `ConnectBackend`."""
    return Simulated(address, settings, events)


class CountingRemote:
    """A remote that notes each request in a file, and says that it has nothing, as far as it is asked."""

    def __init__(self, url: str, settings: RemoteSettings) -> None:
        del settings
        self.name = self.identity = url
        self._file = pathlib.Path(url.partition("://")[2]) / REQUESTS

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def _note(self, what: str) -> None:
        with self._file.open("a") as file:
            file.write(f"{what}\n")

    async def exists(self, digests: Collection[str]) -> Mapping[str, int | None]:
        """See `Remote`."""
        self._note(f"exists {len(digests)}")
        return {}

    async def upload(self, digest: str, source: pathlib.Path, sent: Callable[[int], object]) -> bool:
        """See `Remote`."""
        del digest, source, sent
        self._note("upload")
        return True

    async def keep_run(self, key: str, data: bytes) -> bool:
        """See `RunKeeper`."""
        del key, data
        self._note("keep_run")
        return True

    async def runs(self, key: str, most: int) -> list[bytes]:
        """See `RunKeeper`."""
        del key, most
        self._note("runs")
        return []


def connect_remote(url: str, settings: RemoteSettings) -> CountingRemote:
    """See `pivot_cache.remotes.protocol.Connect`."""
    return CountingRemote(url, settings)
