"""The worker's end of the way of bytes through a remote, and the bounds of its own cache."""

import asyncio
import os
import pathlib
import select
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Self

import attrs
import pytest
from cluster_projects import ClusterProject, stored
from source_projects import Sources

from pivot_cache.objects.store import CheckoutMode, ObjectStore
from pivot_cache.remotes import shared_runs, transfer
from pivot_cache.remotes.protocol import Body, RemoteDeniedError
from pivot_cache.testing.remote_contract import Fault, MemoryRemote
from pivot_core.files.paths import ArtifactPath
from pivot_runtime.cluster.task import RemoteRoute, StageAnswer
from pivot_runtime.cluster_worker.stage_worker import StageWorker
from pivot_runtime.cluster_worker.worker_transport import PrivateCaches, checkout_modes, hint_on, place

PIPELINE = """
from pivot_core.stages.annotations import DirectoryOut

X = Annotated[str, Dep("in.txt", Text())]
Data = Annotated[pathlib.Path, Dep("data/", PathOnly())]

def good(x: X, data: Data) -> Annotated[pathlib.Path, DirectoryOut("out/", PathOnly())]:
    out = pathlib.Path("out")
    out.mkdir()
    for file in data.iterdir():
        (out / file.name).write_text(x + file.read_text())
    return out

def plain() -> Annotated[str, Out("plain.txt", Text(), cache=False)]:
    return "plain"

for stage in (good, plain):
    pipeline.register(stage)
"""
FILES = {"pipeline.py": PIPELINE, "in.txt": "abc", "data/a": "A", "data/b": "B"}
ROUTE = RemoteRoute("origin", "memory://remote", 4, 10.0)


class SlowRemote(MemoryRemote):
    """A remote whose bodies take longer than a test, when that is wanted."""

    def __init__(self) -> None:
        super().__init__(chunk=1)
        self.slow = False
        self.reading = threading.Event()
        self.refusal: RemoteDeniedError | None = None

    async def __aenter__(self) -> Self:
        if self.refusal is not None:
            raise self.refusal
        return self

    @asynccontextmanager
    async def read(self, digest: str, start: int = 0, stop: int | None = None) -> AsyncIterator[Body]:
        async with super().read(digest, start, stop) as body:
            yield _Endless(self, body.size) if self.slow else body


class _Endless:
    def __init__(self, remote: SlowRemote, size: int) -> None:
        self.remote, self.size = remote, size

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = self.size - 1  # more bytes than the object has would end the download
        while True:
            self.remote.reading.set()
            await asyncio.sleep(0.005)
            yield b"x" * min(left, 1)
            left = max(0, left - 1)


@pytest.fixture
def remote(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> SlowRemote:
    """The remote that a package provides under ``memory://``."""
    made = SlowRemote()
    info = tmp_path / "packages/memory_remote-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: memory-remote\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[pivot.remotes]\nmemory = memory_remote:connect\n")
    module = ModuleType("memory_remote")
    module.__dict__["connect"] = lambda *_: made
    monkeypatch.setitem(sys.modules, "memory_remote", module)
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    return made


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> ClusterProject:
    return ClusterProject(Sources(tmp_path_factory.mktemp("home") / "project", FILES))


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StageWorker]:
    made = StageWorker(tmp_path_factory.mktemp("w") / "worker", "w1")
    yield made
    made.close()


def pushed(home: ClusterProject, remote: MemoryRemote, cache: pathlib.Path) -> ObjectStore:
    """As the command does before it sends a task."""
    store = ObjectStore(cache / "files")
    stored(store, home.root, [ArtifactPath("in.txt"), ArtifactPath("data")])
    deps = home.inputs(home.stage("good")).deps
    assert not transfer.push(deps.values(), store, remote).failed
    return store


def test_bytes_go_through_a_remote_and_the_run_is_recorded_there(
    home: ClusterProject, worker: StageWorker, remote: SlowRemote, tmp_path: pathlib.Path
) -> None:
    store = pushed(home, remote, tmp_path / "cache")
    one = home.task("good", route=ROUTE)

    answer = home.answer(worker, one)

    assert answer.refused is None
    assert answer.objects == {}
    assert not transfer.fetch(answer.outs.values(), store, remote).missing
    store.restore(answer.outs[ArtifactPath("out")], tmp_path / "out")
    assert {file.name: file.read_text() for file in (tmp_path / "out").iterdir()} == {"a": "abcA", "b": "abcB"}
    (record,) = shared_runs.find([one.key], remote, transfer.TransferSettings())[one.key]
    assert record.outs == answer.outs

    remote.calls.clear()
    home.answer(worker, home.task("good", route=ROUTE))
    assert [method for method, _ in remote.calls] == ["exists", "keep_run"]  # inputs are kept, outs are there


def test_what_is_not_cached_is_not_uploaded(home: ClusterProject, worker: StageWorker, remote: SlowRemote) -> None:
    answer = home.run(worker, "plain", route=ROUTE)

    assert list(answer.objects.values()) == [b"plain"]
    assert remote.objects == {}


def test_a_remote_without_the_inputs_or_without_an_answer_is_refused(
    home: ClusterProject, tmp_path: pathlib.Path, remote: SlowRemote
) -> None:
    worker = StageWorker(tmp_path / "worker", "w2")
    lacking = home.run(worker, "good", route=ROUTE)
    pushed(home, remote, tmp_path / "cache")
    remote.faults.append(Fault("read", RemoteDeniedError("memory://remote", "no"), times=99))
    denied = home.run(worker, "good", route=ROUTE)
    unknown = home.run(worker, "good", route=attrs.evolve(ROUTE, url="pigeon://x"))
    remote.faults.clear()
    remote.faults.append(Fault("upload", RemoteDeniedError("memory://remote", "no"), times=99))
    failed = home.run(worker, "good", route=ROUTE)
    remote.faults.clear()
    remote.refusal = RemoteDeniedError("memory://remote", "no")
    closed = home.run(worker, "good", route=ROUTE)
    worker.close()

    assert lacking.refused is not None
    assert (lacking.refused.kind, lacking.refused.hint) == (
        "inputs",
        "repeat the command, which sends or computes them again",
    )
    assert "remote origin lacks 2 objects of the inputs" in lacking.refused.summary
    assert denied.refused is not None
    assert denied.refused.summary == "w2 cannot fetch the inputs from remote origin: memory://remote: no"
    assert "workers need their own; on w2, check the" in (denied.refused.hint or "")
    assert unknown.refused is not None
    assert unknown.refused.kind == "worker"
    assert "pigeon" in unknown.refused.summary
    assert failed.finished is not None
    assert failed.finished.failure is not None
    assert failed.finished.failure.summary.startswith("w2 cannot store its outs on remote origin: memory://remote: no")
    assert "workers need their own; on w2, check the" in (failed.finished.failure.hint or "")
    assert failed.outs == {}
    assert closed.finished is not None
    assert closed.finished.failure is not None
    assert closed.finished.failure.summary == "w2 cannot store its outs: memory://remote: no"
    assert "workers need their own; on w2, check the" in (closed.finished.failure.hint or "")
    assert remote.run_records == {}


def test_a_worker_without_rights_needs_credentials_unless_the_remote_is_a_drive() -> None:
    denied = RemoteDeniedError("drive", "no", hint="check the rights")
    drive = attrs.evolve(ROUTE, url="file:///mnt/team/pivot")

    assert hint_on("w2", denied, drive) == "on w2, check the rights"
    assert "workers need their own; on w2, check the rights" in (hint_on("w2", denied, ROUTE) or "")


def test_a_task_is_stopped_while_it_fetches_its_inputs(
    home: ClusterProject, tmp_path: pathlib.Path, remote: SlowRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = list[int]()
    monkeypatch.setattr(signal, "pidfd_send_signal", lambda pidfd, _: hosts.append(os.dup(pidfd)))  # it ends late
    pushed(home, remote, tmp_path / "cache")
    remote.slow = True
    worker = StageWorker(tmp_path / "worker", "w2")
    one, found = home.task("good", route=ROUTE, run="slow"), list[StageAnswer]()
    thread = threading.Thread(target=lambda: found.append(home.answer(worker, one)))
    thread.start()

    assert remote.reading.wait(60)
    worker.stop("slow", number=one.number)
    thread.join(60)

    assert found == [StageAnswer(one.number, "w2", stopped=True)]
    assert len(hosts) == 1
    assert select.select(hosts, [], [], 0)[0] == hosts, "no other task gets a host that is about to end"
    os.close(hosts[0])
    remote.slow = False
    assert home.run(worker, "good", route=ROUTE, run="slow").finished is not None  # only that task was stopped
    worker.close()


def test_the_own_cache_of_a_worker_is_bounded(tmp_path: pathlib.Path) -> None:
    caches = PrivateCaches(tmp_path, most=10)
    with caches.lease() as one:
        (one / "files").mkdir(parents=True)
        caches.grow(11)
        with caches.lease() as other:
            other.mkdir()
            assert other != one
        assert one.exists()  # its task goes on
        with caches.lease() as again:
            assert again == other

    assert not one.exists()
    assert other.exists()
    with caches.lease() as last:
        assert last == other
    PrivateCaches(tmp_path).grow(1)


@pytest.mark.parametrize("mode", [CheckoutMode.HARDLINK, CheckoutMode.SYMLINK, CheckoutMode.COPY])
def test_inputs_are_links_where_that_is_possible(tmp_path: pathlib.Path, mode: CheckoutMode) -> None:
    store = ObjectStore(tmp_path / "files")
    (tmp_path / "file").write_text("text")
    artifact = store.put(tmp_path / "file")

    place(store, artifact, tmp_path / "placed", [mode, CheckoutMode.COPY] if mode is not CheckoutMode.COPY else [mode])

    linked = (tmp_path / "placed").stat().st_ino == store.path_of(artifact.digest).stat().st_ino
    assert (tmp_path / "placed").read_text() == "text"
    assert linked is (mode is not CheckoutMode.COPY)
    assert checkout_modes()[-1] is CheckoutMode.COPY
