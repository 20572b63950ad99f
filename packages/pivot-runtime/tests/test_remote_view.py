"""Results that only a remote has count as here; no more is fetched than what a stage that runs reads."""

import asyncio
import pathlib
import shutil
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import pytest
from workshop import Workshop, parts_of

from pivot_cache.formats import pvt
from pivot_cache.remotes import shared_runs
from pivot_cache.remotes.protocol import RemoteUnreachableError
from pivot_cache.remotes.transfer import TransferCounts
from pivot_cache.testing.remote_contract import Fault, MemoryRemote
from pivot_core.files.paths import ArtifactPath
from pivot_core.loaders import PathOnly, Text
from pivot_core.stages.annotations import Dep, DirectoryOut, Out
from pivot_runtime.cluster.view import ClusterView
from pivot_runtime.evaluating.session import open_session
from pivot_runtime.history import events
from pivot_runtime.sharing import pull_inputs, remote_client, transfer
from pivot_runtime.sharing.remote_client import RemoteClient
from pivot_runtime.sharing.remote_view import Availability, RemoteView


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> MemoryRemote:
    """The default remote of every project."""
    memory = MemoryRemote()

    def remote_of(*_: object) -> tuple[str, MemoryRemote]:
        return "origin", memory

    monkeypatch.setattr(remote_client, "remote_of", remote_of)
    return memory


@pytest.fixture
def chain(shop: Workshop) -> Workshop:
    """Three stages in a row."""
    shop.write("a", "text")
    for name, source, target in [("first", "a", "b"), ("second", "b", "c"), ("third", "c", "d")]:
        shop.copying(name, source, target, lambda text: f"{text}.")
    return shop


def pushed(shop: Workshop, *gone: str) -> None:
    """As in a fresh clone: the remote has everything, the cache nothing, and some paths are not there."""
    assert transfer.push(shop.context).complete
    for file in shop.layout.objects_dir.glob("*/*"):
        file.unlink()
    for name in gone:
        path = shop.root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shop.calls.clear()


def looked[T](shop: Workshop, work: Callable[[RemoteView], T]) -> T:
    with open_session(shop.context, shop.assembly()) as session:
        return work(RemoteView(session, session.graph, ask_all=True))


def test_nothing_is_fetched_for_stages_that_are_up_to_date(chain: Workshop, remote: MemoryRemote) -> None:
    chain.run()
    pushed(chain, "b", "c", "d")
    remote.calls.clear()

    assert parts_of(chain.run(pull=True)) == {"cached": {"first", "second", "third"}}
    assert not (chain.root / "b").exists()
    assert not any(chain.layout.objects_dir.glob("*/*"))
    assert remote.calls == []  # this machine has pushed it: it need not even ask

    shutil.rmtree(chain.layout.database_dir)
    assert parts_of(chain.run(pull=True)) == {"cached": {"first", "second", "third"}}
    assert remote.calls == [("exists", None)]


def test_the_location_of_everything_is_asked_for_again(chain: Workshop, remote: MemoryRemote) -> None:
    chain.run()
    pushed(chain, "d")
    lock = chain.lock("third")
    assert lock is not None
    del remote.objects[lock.outs[ArtifactPath("d")].digest]
    assert looked(chain, RemoteView.sync_state).absent == {"d": Availability.NOWHERE}


def test_after_a_kill_the_remote_is_asked_only_for_runs_that_are_not_recorded(
    chain: Workshop, remote: MemoryRemote
) -> None:
    chain.run()
    pushed(chain)
    remote.calls.clear()
    sent = [lock.inputs.key() for name in ("first", "second") if (lock := chain.lock(name)) is not None]
    with open_session(chain.context, chain.assembly()) as session:
        session.runs.forget(sent[1])
        view = ClusterView(session, session.graph, RemoteClient(session.stores), sent)

        assert remote.calls == [("runs", sent[1])]
        assert not any(view.memory().recorded(sent[1]))
        assert any(view.memory().recorded(sent[0]))
        assert remote.calls == [("runs", sent[1])]


def test_a_running_stage_gets_only_its_inputs(chain: Workshop, remote: MemoryRemote) -> None:
    chain.run()
    pushed(chain, "b", "c", "d")
    chain.versions["third"] = 1

    assert parts_of(chain.run(pull=True)) == {"cached": {"first", "second"}, "ran": {"third"}}
    assert chain.calls == ["third"]
    assert (chain.read("c"), chain.read("d")) == ("text..", "text...")
    assert not (chain.root / "b").exists()
    assert [(each.address, each.remote, each.paths) for each in chain.told(events.InputsFetched)] == [
        ("p.third", "origin", ("c",))
    ]
    assert chain.told(events.Fetching)[0] == events.Fetching("p.third", "origin", 0, 1, 0, 6)


def test_the_progress_of_a_transfer_is_reported_repeatedly() -> None:
    heard: list[events.Event] = []
    times = iter([7.0, 7.4, 7.5, 7.9, 8.1])
    tell = pull_inputs.report_progress("p.a", "origin", heard.append, clock=lambda: next(times))
    for done in range(5):
        tell(TransferCounts(done, 5, 10 * done, 50))
    pull_inputs.report_progress("p.a", "origin", heard.append)(TransferCounts(0, 0, 0, 0))

    assert [each.objects for each in heard if isinstance(each, events.Fetching)] == [0, 2, 4]


def test_newly_written_outs_count_instead_of_those_on_the_remote(chain: Workshop, remote: MemoryRemote) -> None:
    chain.run()
    pushed(chain, "b", "c", "d")
    chain.write("a", "other")

    assert parts_of(chain.run(pull=True)) == {"ran": {"first", "second", "third"}}
    assert chain.read("d") == "other..."
    assert not chain.told(events.InputsFetched)


def test_an_edited_out_is_restored_from_the_remote(chain: Workshop, remote: MemoryRemote) -> None:
    chain.run()
    pushed(chain, "b", "c")
    chain.write("d", "edited")

    assert parts_of(chain.run(pull=True)) == {"cached": {"first", "second"}, "restored": {"third"}}
    assert chain.read("d") == "text..."
    assert chain.calls == []


@pytest.mark.parametrize("name", ["c", "d"])
def test_files_that_somebody_writes_during_a_fetch_stay(
    chain: Workshop, remote: MemoryRemote, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """An input of a stage that runs, and an out that is restored."""
    chain.run()
    pushed(chain, "b", "c", "d")
    chain.versions["third"] = 1 if name == "c" else 0
    chain.write("d", "edited")
    read = remote.read

    def read_slowly(digest: str, *span: int) -> Any:
        chain.write(name, "mine")
        return read(digest, *span)

    monkeypatch.setattr(remote, "read", read_slowly)

    assert parts_of(chain.run(pull=True)) == {"cached": {"first", "second"}, "failed": {"third"}}
    assert chain.told(events.StageFailed)[0].summary.endswith("was changed meanwhile, and was left as it is")
    assert chain.read(name) == "mine"


def test_outs_missing_from_the_remote_are_computed(chain: Workshop, remote: MemoryRemote) -> None:
    chain.run()
    pushed(chain, "b", "c", "d")
    shutil.rmtree(chain.layout.database_dir)
    remote.objects.clear()

    assert parts_of(chain.run(pull=True)) == {"ran": {"first", "second", "third"}}


def test_objects_lost_by_the_remote_fail_a_stage_and_are_computed_next_time(
    chain: Workshop, remote: MemoryRemote
) -> None:
    chain.run()
    pushed(chain, "b", "c", "d")
    remote.objects.clear()  # and this machine believes that all is there
    chain.versions["third"] = 1

    assert parts_of(chain.run(pull=True)) == {"cached": {"first", "second"}, "failed": {"third"}}
    failed = chain.told(events.StageFailed)[0]
    assert "'origin' no longer has it" in failed.summary
    assert parts_of(chain.run(pull=True))["ran"] >= {"second", "third"}
    assert chain.read("d") == "text..."


def test_a_remote_that_does_not_answer_fails_the_stage_with_the_way_out(
    chain: Workshop, remote: MemoryRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = asyncio.sleep

    async def without_waiting(_: float) -> None:
        await at_once(0)

    monkeypatch.setattr(asyncio, "sleep", without_waiting)  # between the retries
    chain.run()
    pushed(chain, "b", "c", "d")
    chain.versions["third"] = 1
    remote.faults.append(Fault("read", RemoteUnreachableError("memory://remote", "no answer"), times=99))

    outcome = chain.run(pull=True)
    assert parts_of(outcome)["failed"] == {"third"}
    assert "no answer" in chain.told(events.StageFailed)[0].summary
    assert "check the network" in str(chain.told(events.StageFailed)[0].hint)


def test_wrong_bytes_fail_the_stage_that_reads_them(chain: Workshop, remote: MemoryRemote) -> None:
    chain.run()
    pushed(chain, "b", "c", "d")
    chain.versions["third"] = 1
    lock = chain.lock("second")
    assert lock is not None
    remote.objects[lock.outs[ArtifactPath("c")].digest] = b"poison"

    assert parts_of(chain.run(pull=True))["failed"] == {"third"}
    assert chain.calls == []
    assert not (chain.root / "c").exists()


def test_directories(shop: Workshop, remote: MemoryRemote) -> None:
    """A file in a directory that is an out, a directory that holds outs of several stages, and tracked data."""
    shop.write("raw/x", "x")
    shop.write("raw/deep/y", "y")

    def split(
        raw: Annotated[pathlib.Path, Dep("raw", PathOnly())],
    ) -> Annotated[pathlib.Path, DirectoryOut("parts", PathOnly())]:
        shop.calls.append("split")
        for name in ("one", "two"):
            shop.write(f"parts/{name}", name)
        return shop.root / "parts"

    def joined(
        parts: Annotated[pathlib.Path, Dep("all", PathOnly())],
    ) -> Annotated[str, Out("sum", Text())]:
        shop.calls.append("join")
        return ",".join(sorted(file.read_text() for file in (shop.root / "all").iterdir()))

    shop.add("split", split)
    shop.copying("left", "parts/one", "all/left", str.upper)
    shop.copying("right", "parts/two", "all/right", str.upper)
    shop.add("join", joined)
    project = shop.context
    with open_session(project, shop.assembly()) as session:
        pvt.write(shop.root / "raw.pvt", session.ingest(ArtifactPath("raw")))
    shop.run()
    assert shop.read("sum") == "ONE,TWO"
    pushed(shop, "raw", "parts", "all", "sum")

    absent: dict[Any, Any] = dict.fromkeys(["raw", "parts", "all/left", "all/right", "sum"], Availability.REMOTE)
    assert looked(shop, RemoteView.sync_state).absent == absent
    assert parts_of(shop.run(pull=True)) == {"cached": {"split", "left", "right", "join"}}
    shop.versions["right"] = 1
    assert parts_of(shop.run(pull=True)) == {"cached": {"split", "left", "join"}, "ran": {"right"}}
    assert {file.name for file in (shop.root / "parts").iterdir()} == {"one", "two"}
    shop.versions["join"] = 1
    assert parts_of(shop.run(pull=True)) == {"cached": {"split", "left", "right"}, "ran": {"join"}}
    assert shop.read("sum") == "ONE,TWO"
    assert not (shop.root / "raw").exists()
    shop.versions["split"] = 1
    assert "split" in parts_of(shop.run(pull=True))["ran"]
    assert shop.read("raw/deep/y") == "y"


def test_results_of_others_are_found_by_their_inputs(chain: Workshop, remote: MemoryRemote) -> None:
    """Somebody has pushed it, and nobody here has a lock file that says so."""
    project = chain.context
    (chain.layout.state_dir / "config.yaml").write_text("remote.run_cache: true\n")
    chain.run()
    assert transfer.push(project).runs == 3
    assert transfer.push(project).runs == 0
    calls = len(remote.calls)
    assert transfer.push(project).runs == 0
    assert len(remote.calls) == calls  # what was shared is known
    shutil.rmtree(chain.layout.cache_dir)
    shutil.rmtree(chain.layout.stages_dir)
    pushed_paths = ("b", "c", "d")
    for path in pushed_paths:
        (chain.root / path).unlink()
    chain.calls.clear()

    assert parts_of(chain.run(pull=True)) == {"restored": {"first", "second", "third"}}
    assert chain.read("d") == "text..."
    chain.versions["second"] = 1
    assert parts_of(chain.run(pull=True))["ran"] == {"second"}
    (chain.layout.state_dir / "config.yaml").write_text("")
    shutil.rmtree(chain.layout.cache_dir)
    shutil.rmtree(chain.layout.stages_dir)
    assert "ran" in parts_of(chain.run(pull=True))


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ('"b":{', '"../b":{'),
        ('"b":{', '"other":{'),
        ('"executable":false', '"executable":false,"tree":true'),
        ('"size":5', '"size":-5'),
        ('"observed":{}', '"observed":{"func:x:f":{"digest":"' + "0" * 32 + '","file":"../../etc/passwd","line":1}}'),
        ('"observed":{}', '"observed":{"func:x:f":{"digest":"' + "0" * 32 + '","file":"a","line":1}}'),
        ('"format":1', '"format":2'),
        ("{", "["),
    ],
)
def test_records_of_strangers_are_not_trusted(chain: Workshop, remote: MemoryRemote, good: str, bad: str) -> None:
    (chain.layout.state_dir / "config.yaml").write_text("remote.run_cache: true\n")
    chain.run("first")
    transfer.push(chain.context)
    for records in remote.run_records.values():
        assert good in records[0].decode()
        records[0] = records[0].replace(good.encode(), bad.encode(), 1)
    shutil.rmtree(chain.layout.cache_dir)
    shutil.rmtree(chain.layout.stages_dir)

    assert parts_of(chain.run("first", pull=True)) == {"ran": {"first"}}


def test_the_location_of_everything(chain: Workshop, remote: MemoryRemote) -> None:
    chain.run()
    assert transfer.push(chain.context, ["first", "second"]).complete
    for stage, path in [("second", "c"), ("third", "d")]:
        chain.object_of(stage, path).unlink()
    (chain.root / "c").unlink()
    (chain.root / "b").unlink()

    found = looked(chain, RemoteView.sync_state)
    assert (found.synced, found.to_push, found.to_fetch, found.missing) == (1, 0, 1, 1)
    assert found.absent == {"b": Availability.CACHE, "c": Availability.REMOTE}


def test_results_of_stages_side_by_side_are_asked_for_together(
    shop: Workshop, remote: MemoryRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shop.layout.state_dir / "config.yaml").write_text("remote.run_cache: true\n")
    shop.write("a", "text")
    for number in range(5):
        shop.copying(f"copy{number}", "a", f"out{number}")
    shop.run()
    transfer.push(shop.context)
    for place in (shop.layout.cache_dir, shop.layout.stages_dir):
        shutil.rmtree(place)
    asked: list[int] = []
    find = shared_runs.find

    def counted(keys: Iterable[str], *rest: Any) -> Any:
        asked.append(len(list(keys)))
        return find(keys, *rest)

    monkeypatch.setattr(shared_runs, "find", counted)
    assert len(parts_of(shop.run(pull=True))["restored"]) == 5
    assert asked == [5]


def test_files_that_match_a_pattern_count_where_they_are(shop: Workshop, remote: MemoryRemote) -> None:
    """Outs that match, and files in a directory that is an out: also if they are temporary, or only on the remote."""
    del remote
    shop.write("a", "text")
    shop.copying("left", "a", "all/left.txt", str.upper)

    def split(text: Annotated[str, Dep("a", Text())]) -> Annotated[dict[str, str], Out("parts/", Text(), temp=True)]:
        shop.calls.append("split")
        return {"one.txt": text, "two.md": text}

    def join(
        files: Annotated[list[dict[str, str]], Dep(["all/*.txt", "parts/*.txt"], Text())],
    ) -> Annotated[str, Out("sum", Text())]:
        shop.calls.append("join")
        return str(files)

    shop.add("split", split)
    shop.add("join", join)
    shop.run()
    assert not (shop.root / "parts").exists()
    found = "[{'all/left.txt': 'TEXT'}, {'parts/one.txt': 'text'}]"
    assert shop.read("sum") == found
    pushed(shop, "all", "sum")

    assert parts_of(shop.run(pull=True)) == {"cached": {"split", "left", "join"}}
    shop.versions["join"] = 1
    assert parts_of(shop.run(pull=True)) == {"cached": {"split", "left"}, "ran": {"join"}}
    assert shop.calls == ["join"]
    assert shop.read("sum") == found
    assert not (shop.root / "parts").exists()


def test_a_pattern_matches_in_tracked_directories_of_the_remote(shop: Workshop, remote: MemoryRemote) -> None:
    del remote
    shop.write("raw/x.csv", "x")
    shop.write("raw/y.md", "y")

    def join(files: Annotated[dict[str, str], Dep("raw/*.csv", Text())]) -> Annotated[str, Out("sum", Text())]:
        shop.calls.append("join")
        return str(files)

    shop.add("join", join)
    with open_session(shop.context, shop.assembly()) as session:
        pvt.write(shop.root / "raw.pvt", session.ingest(ArtifactPath("raw")))
    shop.run()
    pushed(shop, "raw", "sum")

    assert parts_of(shop.run(pull=True)) == {"cached": {"join"}}
    shop.versions["join"] = 1
    assert parts_of(shop.run(pull=True)) == {"ran": {"join"}}
    assert shop.read("sum") == "{'raw/x.csv': 'x'}"
