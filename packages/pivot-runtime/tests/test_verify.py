"""Verification of files that are not on disk: paths inside directories, and directories with parts elsewhere."""

import pathlib
import shutil
from typing import Annotated

import pytest
from workshop import Workshop

from pivot_cache.formats import pvt
from pivot_cache.testing.remote_contract import MemoryRemote
from pivot_core.decide import Verdict
from pivot_core.files.paths import ArtifactPath
from pivot_core.loaders import PathOnly, Text
from pivot_core.stages.annotations import Dep, DirectoryOut, Out
from pivot_runtime.evaluating.session import open_session
from pivot_runtime.inspecting import verify
from pivot_runtime.inspecting.rerun import DIFFERS, SKIPPED, Rerun
from pivot_runtime.sharing import remote_client, transfer


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> MemoryRemote:
    """The default remote of every project."""
    memory = MemoryRemote()
    monkeypatch.setattr(remote_client, "remote_of", lambda *_: ("origin", memory))
    return memory


def track(shop: Workshop, name: str) -> None:
    with open_session(shop.context, shop.assembly()) as session:
        pvt.write(shop.root / f"{name}.pvt", session.ingest(ArtifactPath(name)))


def verdicts(shop: Workshop) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Status, and what is missing, by stage, as in a job that may ask the remote."""
    project = shop.context
    found = verify.verify_loaded(project, shop.assembly(), allow_missing=True)
    return {stage.name: (stage.status, stage.missing) for stage in found.stages}


@pytest.fixture
def split(shop: Workshop, remote: MemoryRemote) -> Workshop:
    """Tracked data of which a file is read, a directory as an out, and outs in a directory that is read as a whole."""
    shop.write("raw/deep/x", "x")
    shop.write("raw/y", "y")
    shop.write("all/note", "here")
    track(shop, "raw")

    def parts(
        text: Annotated[str, Dep("raw/deep/x", Text())],
    ) -> Annotated[dict[str, str], DirectoryOut("parts", Text())]:
        return {"one": text, "two": text}

    def joined(_: Annotated[pathlib.Path, Dep("all", PathOnly())]) -> Annotated[str, Out("sum", Text())]:
        return ",".join(sorted(file.read_text() for file in (shop.root / "all").iterdir()))

    shop.add("parts", parts)
    shop.copying("left", "parts/one", "all/left", str.upper)
    shop.add("join", joined)
    shop.run()
    assert transfer.push(shop.context).complete
    shop.write(".pivot/config.yaml", "remotes.origin: s3://bucket/prefix\n")
    return shop


def clone(shop: Workshop) -> None:
    """Leave what git has."""
    for path in ("raw", "parts", "all/left", "sum", ".pivot/state.db", ".pivot/cache"):
        shutil.rmtree(shop.root / path) if (shop.root / path).is_dir() else (shop.root / path).unlink()


GOOD = dict.fromkeys(("parts", "left", "join"), ("passed", ()))


def test_nothing_is_fetched_but_listings_and_all_at_once(split: Workshop, remote: MemoryRemote) -> None:
    clone(split)
    remote.calls.clear()

    assert verdicts(split) == GOOD
    assert sum(kind == "exists" for kind, _ in remote.calls) == 2, "what is listed, and all else"
    assert sum(kind == "read" for kind, _ in remote.calls) == 2, "the listings of raw and parts"
    remote.calls.clear()
    assert verdicts(split) == GOOD
    assert [kind for kind, _ in remote.calls] == ["exists"], "listings are kept; what the remote has is asked again"


def test_deleted_remote_objects_are_missing_despite_previous_knowledge(split: Workshop, remote: MemoryRemote) -> None:
    clone(split)
    assert verdicts(split) == GOOD
    lock = split.lock("join")
    assert lock is not None
    del remote.objects[lock.outs[ArtifactPath("sum")].digest]
    assert verdicts(split) == {**GOOD, "join": ("failed", ("sum",))}


def test_other_data_with_the_same_file_are_other_data_only_where_that_differs(split: Workshop) -> None:
    split.write("raw/y", "other")
    track(split, "raw")
    assert transfer.push(split.context).complete
    clone(split)
    assert verdicts(split) == GOOD


def test_a_file_that_differs_in_a_directory_that_is_not_here(split: Workshop) -> None:
    split.write("raw/deep/x", "other")
    track(split, "raw")
    assert transfer.push(split.context).complete
    clone(split)
    assert {name: status for name, (status, _) in verdicts(split).items()} == dict.fromkeys(GOOD, "failed")


def test_a_file_removed_from_an_absent_directory(split: Workshop) -> None:
    (split.root / "raw/deep/x").unlink()
    track(split, "raw")
    assert transfer.push(split.context).complete
    clone(split)
    assert verdicts(split)["parts"][0] == "failed"


def test_a_listing_that_is_nowhere(split: Workshop, remote: MemoryRemote) -> None:
    listing = pvt.read(split.root / "raw.pvt")
    clone(split)
    del remote.objects[listing.digest]
    assert verdicts(split) == {**GOOD, "parts": ("failed", ("raw",))}


def test_a_part_of_a_directory_that_is_here(split: Workshop) -> None:
    clone(split)
    split.write("all/note", "edited")
    assert verdicts(split)["join"][0] == "failed"
    split.write("all/note", "here")
    assert verdicts(split) == GOOD


def test_a_dep_that_only_a_user_can_bring_back_is_missing_whatever_bytes_the_cache_has(
    shop: Workshop, remote: MemoryRemote
) -> None:
    """As everywhere else: a file of the same bytes in the cache is not this one."""
    del remote
    shop.write("in", "same")
    shop.copying("copy", "in", "out")
    shop.copying("after", "out", "last", str.upper)
    shop.run()
    assert transfer.push(shop.context).complete
    shop.write(".pivot/config.yaml", "remotes.origin: s3://bucket/prefix\n")
    assert verdicts(shop) == {"copy": ("passed", ()), "after": ("passed", ())}

    (shop.root / "in").unlink()

    assert shop.evaluate()["p.copy"].decision.verdict is Verdict.BLOCKED
    assert verdicts(shop)["copy"] == ("failed", ())
    assert not verify.verify_loaded(shop.context, shop.assembly()).passed


def test_reruns_replace_the_results_that_stages_had(split: Workshop) -> None:
    found = verify.verify_loaded(split.context, split.assembly())
    old, new = found.stages[0], found.stages[1]

    reruns = [Rerun(old.address, SKIPPED), Rerun(new.address, DIFFERS, "out in line 1", time=1.0)]
    after = found.with_reruns(reruns)

    assert after.stages[0] == old
    assert after.stages[1].rerun == {"verdict": "differs", "detail": "out in line 1", "time": 1.0}
    assert after.stages[2:] == found.stages[2:]
