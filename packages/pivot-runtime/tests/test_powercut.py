"""A power cut at any change of a run: nothing of the user's is lost, commands agree, and the next run repairs all."""

import os
import pathlib
import random
from collections.abc import Callable, Iterator
from typing import Annotated

import pytest
from workshop import Workshop

from pivot_cache.files import atomic
from pivot_cache.testing import power_cut
from pivot_core.decide import Verdict
from pivot_core.files.digest import digest_bytes
from pivot_core.stages.annotations import DirectoryOut
from pivot_runtime.artifacts import checkout, track
from pivot_runtime.inspecting.verify import verify_loaded

pytestmark = pytest.mark.exhaustive

CUTS = int(os.environ.get("TEST_POWER_CUTS", "16"))
"""In each test, evenly over all that happens; hundreds find more."""

OUTS = {"middle": "1a", "end": "1ab", "many/one": "1", "many/sub/two": "2"}


@pytest.fixture
def shop(tmp_path: pathlib.Path) -> Workshop:
    root = tmp_path / "project"
    root.mkdir()
    made = Workshop(root)
    made.write("in", "1")
    made.copying("a", "in", "middle", lambda text: f"{text}a")
    made.copying("b", "middle", "end", lambda text: f"{text}b")

    def many() -> Annotated[pathlib.Path, DirectoryOut("many")]:
        for name, text in OUTS.items():
            if name.startswith("many/"):
                made.write(name, text)
        return pathlib.Path("many")

    made.add("c", many)
    return made


def cuts(shop: Workshop, work: Callable[[], object]) -> Iterator[str]:
    """Do something; at some moments of it, the project as a power cut may have left it, on a machine started since."""
    place = shop.root.parent
    with power_cut.SyscallRecorder(shop.root, wanted=lambda operation: operation != "write") as recorder:
        work()
    count = len(recorder.moments)
    for turn in range(CUTS):
        number = turn * (count - 1) // (CUTS - 1)
        moment = recorder.moments[number]
        lost = power_cut.strike(shop.root, moment, random.Random(f"{number} {turn}"))
        atomic._swept.clear()
        with power_cut.restarted(f"{number} {turn}", place):
            yield f"cut before {moment.event} ({number} of {count}, turn {turn}): {lost}"


def check(shop: Workshop, told: str) -> None:
    """All commands agree, and one run makes good what they say."""
    decisions = {address: found.decision for address, found in shop.evaluate().items()}
    verified = {each.address: each.status for each in verify_loaded(shop.context, shop.assembly()).stages}
    for address, decision in decisions.items():
        if decision.verdict is Verdict.UP_TO_DATE:
            assert objects_are_good(shop, address), told
            # Changes that `verify` finds upstream have changed for it, though a run would restore them.
            upstream = shop.assembly().graph.ancestors([address])
            current = all(decisions[each].verdict is Verdict.UP_TO_DATE for each in upstream)
            assert verified[address] == "passed" or not current, told
    outcome = shop.run()
    assert outcome.complete, told
    foreseen = {address for address, decision in decisions.items() if decision.verdict is Verdict.UP_TO_DATE}
    assert foreseen <= outcome.cached, told
    assert {name: shop.read(name) for name in OUTS} == OUTS, told
    assert all(objects_are_good(shop, address) for address in decisions), told
    assert shop.run().idle, told
    assert verify_loaded(shop.context, shop.assembly()).passed, told


def objects_are_good(shop: Workshop, address: str) -> bool:
    """Each object that a lock names is there, with the bytes that its name says."""
    lock = shop.lock(address.partition(".")[2])
    assert lock is not None
    names = [artifact.digest for artifact in lock.outs.values()]
    return all(digest_bytes((shop.layout.objects_dir / each[:2] / each[2:]).read_bytes()) == each for each in names)


def somewhere(root: pathlib.Path, content: bytes) -> bool:
    """Whether any file of a project has this content."""
    return any(file.read_bytes() == content for file in root.rglob("*") if file.is_file())


def test_a_cut_in_the_first_run(shop: Workshop) -> None:
    for told in cuts(shop, shop.run):
        check(shop, told)


def test_a_cut_while_a_file_of_the_users_is_replaced(shop: Workshop) -> None:
    shop.run()
    shop.write("end", "mine")
    shop.versions["a"] = 1

    for told in cuts(shop, lambda: shop.run(force=True)):
        assert somewhere(shop.root, b"mine"), told
        check(shop, told)


def test_a_cut_while_all_is_restored(shop: Workshop) -> None:
    shop.run()
    shop.write("middle", "mine")
    for name in ("end", "many/one"):
        (shop.root / name).unlink()

    for told in cuts(shop, shop.run):
        assert somewhere(shop.root, b"mine"), told
        check(shop, told)


def test_a_cut_while_tracked_data_are_replaced(shop: Workshop) -> None:
    """Data that `track` stores are on the disk before the `.pvt` file names them, and before anything replaces them."""
    project = shop.context
    shop.write("data/one", "first")
    shop.write("data/two", "second")

    def work() -> None:
        track.track(project, ["data"])
        shop.write("data/one", "edited")
        checkout.restore(project, ["data"], options=checkout.CheckoutOptions(force=True))

    for told in cuts(shop, work):
        assert somewhere(shop.root, b"first"), told
        assert somewhere(shop.root, b"second"), told
        if (shop.root / "data.pvt").exists():
            assert checkout.restore(project, ["data"], options=checkout.CheckoutOptions(force=True)).complete, told
            assert shop.read("data/one") == "first"


def test_with_all_flushed_nothing_of_a_run_that_has_ended_is_lost(shop: Workshop) -> None:
    shop.write(".pivot/config.yaml", "cache.fsync: all\n")
    with power_cut.SyscallRecorder(shop.root) as recorder:
        shop.run()
    for turn in range(5):
        power_cut.strike(shop.root, recorder.moments[-1], random.Random(turn))
        with power_cut.restarted(f"{turn}", shop.root.parent):
            assert not shop.run().ran
            assert {name: shop.read(name) for name in OUTS} == OUTS
    assert shop.calls == ["a", "b"]
