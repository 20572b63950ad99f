"""One run over a graph: what is skipped, restored and run, and what is left when something goes wrong."""

import itertools
import os
import pathlib
import re
import shutil
import tempfile
from typing import Annotated, TypedDict

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from workshop import Deferred, Workshop, parts_of

from pivot_cache.errors import CacheError
from pivot_cache.files import hashing
from pivot_cache.objects.store import VERIFIED_NS
from pivot_core.decide import Reason, Verdict
from pivot_core.files.digest import digest_bytes
from pivot_core.files.paths import ArtifactPath
from pivot_core.loaders import PathOnly, Text
from pivot_core.lock import Inputs
from pivot_core.stages.annotations import Dep, DirectoryOut, Out
from pivot_runtime.errors import HostError
from pivot_runtime.executors.base import Executor, Finished
from pivot_runtime.history import events
from pivot_runtime.tracing.usage import UsedFiles


class UserError(Exception):
    """The exception of a stage of these tests."""


class TwoOuts(TypedDict):
    left: Annotated[str, Out("left.txt", Text())]
    right: Annotated[str, Out("right.txt", Text())]


@pytest.fixture
def chain(shop: Workshop) -> Workshop:
    """``a`` makes ``middle`` of ``in``, ``b`` makes ``end`` of it, ``c`` makes ``aside`` of ``in``."""
    shop.copying("b", "middle", "end", lambda text: f"{text}b")
    shop.copying("a", "in", "middle", lambda text: f"{text.strip()}a")
    shop.copying("c", "in", "aside")
    shop.write("in", "1")
    return shop


@pytest.fixture
def done(chain: Workshop) -> Workshop:
    """The chain after its first run."""
    assert parts_of(chain.run()) == {"ran": {"a", "b", "c"}}
    chain.calls.clear()
    return chain


def failing(shop: Workshop, name: str, target: str, source: str = "in") -> None:
    """A stage that writes something and then fails."""

    def stage(text: Annotated[str, Dep(source, Text())]) -> Annotated[pathlib.Path, Out(target)]:
        pathlib.Path(target).write_text("half")
        raise UserError(f"no {name}")

    shop.add(name, stage)


# -- what has to be done


def test_first_run(chain: Workshop) -> None:
    outcome = chain.run()

    assert outcome.complete
    assert parts_of(outcome) == {"ran": {"a", "b", "c"}}
    assert chain.calls == ["a", "b", "c"]
    assert (chain.read("middle"), chain.read("end"), chain.read("aside")) == ("1a", "1ab", "1")
    assert chain.locks().keys() == {"p.a.lock", "p.b.lock", "p.c.lock"}


def test_events_of_a_first_run(chain: Workshop) -> None:
    chain.run("b")

    assert [type(event) for event in chain.events] == [
        events.RunStarted,
        events.StageStarted,
        events.StageRan,
        events.StageStarted,
        events.StageRan,
        events.RunEnded,
    ]
    assert chain.events[0] == events.RunStarted({"p.a": "a", "p.b": "b", "p.c": "c"}, ("p.a", "p.b"))
    assert [event.decision.reasons for event in chain.told(events.StageStarted)] == [(Reason.NEVER_RUN,)] * 2


def test_a_stage_that_ran_is_reported_before_the_next_one_reads_much(tmp_path: pathlib.Path) -> None:
    shop = Workshop(tmp_path)
    shop.write("data", "1")
    shop.copying("a", "data", "small")

    def b(
        small: Annotated[str, Dep("small", Text())], much: Annotated[str, Dep("much", Text())]
    ) -> Annotated[str, Out("end", Text())]:
        return small + much[:1]

    shop.add("b", b)
    shop.write("much", "x" * (1 << 20))
    seen: list[list[type]] = []

    def reading(read: int, more: int) -> None:
        if more >= 1 << 20:
            seen.append([type(event) for event in shop.events])

    with hashing.report_progress(reading):
        shop.run()
    assert seen[0] == [events.RunStarted, events.StageStarted, events.StageRan]


def test_second_run_does_nothing(done: Workshop) -> None:
    before = done.locks()

    assert parts_of(done.run()) == {"cached": {"a", "b", "c"}}
    assert (done.calls, done.locks()) == ([], before)
    assert [event.address for event in done.told(events.StageCached)] == ["p.a", "p.b", "p.c"]


def test_only_what_a_target_rests_on_is_done(chain: Workshop) -> None:
    assert parts_of(chain.run("middle")) == {"ran": {"a"}}
    assert parts_of(chain.run("b")) == {"cached": {"a"}, "ran": {"b"}}


def test_another_version_runs_and_the_old_one_is_restored(done: Workshop) -> None:
    before = done.locks()
    done.versions["a"] = 1

    assert parts_of(done.run()) == {"ran": {"a"}, "cached": {"b", "c"}}
    done.versions["a"] = 0
    assert parts_of(done.run()) == {"restored": {"a"}, "cached": {"b", "c"}}
    assert (done.calls, done.locks()) == (["a"], before)


def test_data_of_an_earlier_run_restore_the_whole_chain(done: Workshop) -> None:
    done.write("in", "2")
    done.run()
    done.calls.clear()
    done.write("in", "1")

    assert {address: found.decision.verdict for address, found in done.evaluate().items()} == {
        "p.a": Verdict.RESTORE,
        "p.b": Verdict.RESTORE,
        "p.c": Verdict.RESTORE,
    }
    assert parts_of(done.run()) == {"restored": {"a", "b", "c"}}
    assert (done.calls, done.read("end"), done.read("aside")) == ([], "1ab", "1")


def test_early_cutoff(done: Workshop) -> None:
    done.write("in", "1 ")

    assert parts_of(done.run("b")) == {"ran": {"a"}, "cached": {"b"}}


def test_deleted_and_edited_outs_are_restored(done: Workshop) -> None:
    (done.root / "middle").unlink()
    done.write("end", "mine")

    assert parts_of(done.run()) == {"restored": {"a", "b"}, "cached": {"c"}}
    assert (done.calls, done.read("middle"), done.read("end")) == ([], "1a", "1ab")


def test_lost_lock_is_written_again_without_running(done: Workshop) -> None:
    before = done.locks()
    for file in done.layout.stages_dir.iterdir():
        file.unlink()

    assert parts_of(done.run()) == {"restored": {"a", "b", "c"}}
    assert (done.calls, done.locks()) == ([], before)


def test_force_runs_everything(done: Workshop) -> None:
    before = done.locks()

    assert parts_of(done.run(force=True)) == {"ran": {"a", "b", "c"}}
    assert done.locks() == before


def test_without_a_cache_it_runs_again(done: Workshop) -> None:
    shutil.rmtree(done.layout.cache_dir)
    (done.root / "end").unlink()

    assert parts_of(done.run()) == {"restored": {"a", "c"}, "ran": {"b"}}


def test_outs_in_place_but_lost_from_the_cache_are_stored_again(done: Workshop) -> None:
    """A lock names only objects that are in the store, also after somebody has deleted one; reported once."""
    shutil.rmtree(done.layout.cache_dir)

    assert {address: found.decision.reasons for address, found in done.evaluate().items()} == dict.fromkeys(
        ("p.a", "p.b", "p.c"), (Reason.OUT_LOST,)
    )
    assert parts_of(done.run()) == {"restored": {"a", "b", "c"}}
    assert done.told(events.OutsRecached) == [events.OutsRecached(tuple(map(ArtifactPath, ("middle", "end", "aside"))))]
    parts_of(done.run())
    assert done.told(events.OutsRecached) == []
    for name in ("middle", "end", "aside"):
        (done.root / name).unlink()
    assert parts_of(done.run()) == {"restored": {"a", "b", "c"}}


def test_a_restored_lock_names_no_object_that_is_lost(shop: Workshop) -> None:
    """One out is restored, the other one is in place though its object is gone."""

    def both() -> TwoOuts:
        return TwoOuts(left="l", right="r")

    shop.add("both", both)
    shop.run()
    lost = shop.object_of("both", "right.txt")
    lost.unlink()
    (shop.root / "left.txt").unlink()

    assert parts_of(shop.run()) == {"restored": {"both"}}
    assert lost.read_text() == "r"


def test_a_directory_that_the_cache_has_lost_is_stored_again(shop: Workshop) -> None:
    def stage() -> Annotated[pathlib.Path, DirectoryOut("many")]:
        for name in ("one", "two"):
            shop.write(f"many/{name}", name)
        return pathlib.Path("many")

    shop.add("s", stage)
    shop.run()
    shutil.rmtree(shop.layout.cache_dir)
    shop.run()
    shutil.rmtree(shop.root / "many")

    assert parts_of(shop.run()) == {"restored": {"s"}}
    assert (shop.read("many/one"), shop.read("many/two")) == ("one", "two")


@pytest.mark.parametrize("harm", ["removed", "emptied", "cut", "other", "directory", "link"])
def test_a_damaged_object_counts_as_lost_and_is_stored_again(done: Workshop, harm: str) -> None:
    file = done.object_of("b", "end")
    content = file.read_bytes()
    file.chmod(0o644)
    match harm:
        case "emptied" | "cut" | "other":
            before = file.stat()
            file.write_bytes({"emptied": b"", "cut": content[:1], "other": b"?" * len(content)}[harm])
            if harm != "other":  # of the same size and time: only reading would tell
                os.utime(file, ns=(before.st_mtime_ns, before.st_mtime_ns))
        case _:
            file.unlink()
    if harm == "directory":
        file.mkdir()
    elif harm == "link":
        file.symlink_to("nowhere")

    assert done.evaluate()["p.b"].decision.reasons == (Reason.OUT_LOST,)
    assert parts_of(done.run()) == {"cached": {"a", "c"}, "restored": {"b"}}
    assert (done.calls, file.read_bytes()) == ([], content)
    assert parts_of(done.run()) == {"cached": {"a", "b", "c"}}


@pytest.mark.parametrize("which", ["member", "listing"])
def test_a_directory_of_which_the_cache_has_lost_a_part_is_stored_again(shop: Workshop, which: str) -> None:
    def stage() -> Annotated[pathlib.Path, DirectoryOut("many")]:
        shop.calls.append("s")
        for name in ("one", "two"):
            shop.write(f"many/{name}", name)
        return pathlib.Path("many")

    shop.add("s", stage)
    shop.copying("inner", "many/one", "inner.txt")
    shop.run()
    listing = shop.object_of("s", "many")
    member = shop.layout.objects_dir / "/".join(re.match("(..)(.*)", digest_bytes(b"two")).groups())  # type: ignore[union-attr]
    lost = listing if which == "listing" else member
    lost.chmod(0o644)
    lost.write_bytes(b"")

    assert {address: found.decision.verdict for address, found in shop.evaluate().items()} == {
        "p.s": Verdict.RESTORE,
        "p.inner": Verdict.UP_TO_DATE,
    }
    assert parts_of(shop.run()) == {"restored": {"s"}, "cached": {"inner"}}
    assert parts_of(shop.run()) == {"cached": {"s", "inner"}}
    shutil.rmtree(shop.root / "many")
    assert parts_of(shop.run()) == {"restored": {"s"}, "cached": {"inner"}}
    assert (shop.calls, shop.read("many/two")) == (["s", "inner"], "two")


def test_outs_that_the_cache_cannot_store_again_are_an_error(done: Workshop) -> None:
    """Else a run would say that all is well, and a push that it is not."""
    shutil.rmtree(done.layout.cache_dir)
    done.layout.cache_dir.touch()

    with pytest.raises(CacheError, match="cannot store"):
        done.run()


def test_one_of_two_outs_is_not_enough(shop: Workshop) -> None:
    def both() -> TwoOuts:
        shop.calls.append("both")
        return TwoOuts(left="l", right="r")

    shop.add("both", both)
    shop.run()
    shop.object_of("both", "left.txt").unlink()
    (shop.root / "left.txt").unlink()
    (shop.root / "right.txt").unlink()

    assert parts_of(shop.run()) == {"ran": {"both"}}
    assert (shop.read("left.txt"), shop.read("right.txt")) == ("l", "r")


def test_stage_without_outs_runs_once(shop: Workshop) -> None:
    def stage(text: Annotated[str, Dep("in", Text())]) -> None:
        shop.calls.append(text)

    shop.add("s", stage)
    shop.write("in", "1")
    shop.run()

    assert parts_of(shop.run()) == {"cached": {"s"}}
    assert shop.calls == ["1"]


def test_nothing_to_run(shop: Workshop) -> None:
    assert parts_of(shop.run()) == {}
    assert [type(event) for event in shop.events] == [events.RunStarted, events.RunEnded]


def test_at_most_jobs_stages_run_at_once(shop: Workshop) -> None:
    shop.write("in", "1")
    for number in range(5):
        shop.copying(f"s{number}", "in", f"out{number}")
    shop.copying("last", "out4", "end")
    executors: list[Deferred] = []

    def deferred(inner: Executor) -> Executor:
        executors.append(Deferred(inner))
        return executors[-1]

    assert shop.run(jobs=3, wrap=deferred).complete
    assert executors[0].most == 3
    assert shop.run(jobs=10, force=True, wrap=deferred).complete
    assert executors[1].most == 5


# -- failure


def test_failure_is_reported(chain: Workshop) -> None:
    failing(chain, "bad", "bad.txt")
    outcome = chain.run("bad")

    assert not outcome.complete
    (failed,) = chain.told(events.StageFailed)
    assert (failed.address, failed.summary) == ("p.bad", "UserError: no bad")
    assert failed.detail.startswith("Traceback")
    assert failed.log == ".pivot/state.db/logs/p.bad.log"


def test_failed_stage_leaves_nothing_where_nothing_was(chain: Workshop) -> None:
    failing(chain, "bad", "bad.txt")
    chain.run("bad")

    assert not (chain.root / "bad.txt").exists()
    assert chain.lock("bad") is None


def test_failed_stage_leaves_its_outs_as_they_were(shop: Workshop) -> None:
    broken: list[str] = []

    def stage() -> TwoOuts:
        pathlib.Path("left.txt").write_text("half")
        if broken:
            raise UserError
        return TwoOuts(left="l", right="r")

    shop.add("s", stage)
    shop.run()
    (shop.root / "left.txt").chmod(0o755)
    shop.write("right.txt", "mine")
    before = shop.locks()
    broken.append("yes")

    assert parts_of(shop.run(force=True)) == {"failed": {"s"}}
    assert (shop.read("left.txt"), shop.read("right.txt"), shop.locks()) == ("l", "mine", before)
    assert os.access(shop.root / "left.txt", os.X_OK)


def test_after_a_failure_nothing_more_is_started(chain: Workshop) -> None:
    failing(chain, "bad", "bad.txt")
    chain.copying("after", "bad.txt", "after.txt")
    chain.copying("independent", "in", "independent.txt")
    outcome = chain.run()

    assert parts_of(outcome) == {
        "ran": {"a", "b", "c"},
        "failed": {"bad"},
        "blocked": {"after"},
        "unstarted": {"independent"},
    }
    assert chain.told(events.StageBlocked) == [events.StageBlocked("p.after", "p.bad")]


def test_keep_going_runs_what_does_not_rest_on_the_failure(chain: Workshop) -> None:
    failing(chain, "bad", "bad.txt")
    chain.copying("after", "bad.txt", "after.txt")
    chain.copying("independent", "in", "independent.txt")

    assert parts_of(chain.run(keep_going=True)) == {
        "ran": {"a", "b", "c", "independent"},
        "failed": {"bad"},
        "blocked": {"after"},
    }


def test_missing_input(chain: Workshop) -> None:
    (chain.root / "in").unlink()

    assert parts_of(chain.run(keep_going=True)) == {"blocked": {"a", "b", "c"}}
    first = chain.told(events.StageBlocked)[0]
    assert (first.address, first.failed_upstream, first.missing) == ("p.a", "", ("in",))


def test_stage_that_does_not_write_its_out(shop: Workshop) -> None:
    class Forgetful:
        def save(self, value: str, path: pathlib.Path) -> None:
            pass

    def stage() -> Annotated[str, Out("out.txt", Forgetful())]:
        return "x"

    shop.add("s", stage)

    assert parts_of(shop.run()) == {"failed": {"s"}}
    assert shop.told(events.StageFailed)[0].summary == "it did not write out.txt"


def test_a_retry_mends_no_undeclared_file(shop: Workshop) -> None:
    """A refusal by `strict_io.level: error` is no accident: the stage fails at its first try."""

    class Reading:
        """Says of each stage that it has read a file."""

        def __init__(self, inner: Executor) -> None:
            self._inner = inner
            self.start, self.stop, self.kill = inner.start, inner.stop, inner.kill

        def wait(self) -> Finished:
            return attrs.evolve(self._inner.wait(), seen=UsedFiles(read=("lookup.csv",)))

    def stage(text: Annotated[str, Dep("in", Text())]) -> Annotated[str, Out("out", Text())]:
        shop.calls.append("s")
        return text

    shop.pipeline.register(stage, name="s", retries=2)
    shop.write("in", "1")
    shop.write(".pivot/config.yaml", "strict_io.level: error\n")

    assert parts_of(shop.run(wrap=Reading)) == {"failed": {"s"}}
    assert shop.calls == ["s"]
    assert shop.told(events.StageRetried) == []
    assert [event.summary for event in shop.told(events.StageFailed)] == ["it uses files that it does not declare"]


def test_stage_that_writes_a_directory(shop: Workshop) -> None:
    def stage() -> Annotated[pathlib.Path, Out("out")]:
        pathlib.Path("out").mkdir()
        pathlib.Path("out/x").write_text("x")
        return pathlib.Path("out")

    shop.add("s", stage)

    assert parts_of(shop.run()) == {"failed": {"s"}}
    assert "out" in shop.told(events.StageFailed)[0].summary
    assert not (shop.root / "out").exists()


def test_directory_where_a_file_is_declared(chain: Workshop) -> None:
    """The user's directory stays, and only the stages that meet it are blocked."""
    chain.write("middle/precious", "mine")

    assert parts_of(chain.run(keep_going=True)) == {"blocked": {"a", "b"}, "ran": {"c"}}
    assert chain.read("middle/precious") == "mine"
    assert "middle" in chain.told(events.StageBlocked)[0].taken


def test_directory_where_an_input_is_declared(chain: Workshop) -> None:
    (chain.root / "in").unlink()
    chain.write("in/x", "1")
    chain.copying("other", "other.in", "other.out")
    chain.write("other.in", "1")

    assert parts_of(chain.run(keep_going=True)) == {"failed": {"a", "c"}, "blocked": {"b"}, "ran": {"other"}}


def test_file_where_a_directory_is_needed(chain: Workshop) -> None:
    """The user's file stays, and only the stage that meets it is blocked."""
    chain.copying("deep", "in", "data/deep/out")
    chain.copying("other", "in", "other.out")
    chain.write("data", "mine")
    outcome = chain.run(keep_going=True)

    assert parts_of(outcome) == {"blocked": {"deep"}, "ran": {"a", "b", "c", "other"}}
    assert chain.read("data") == "mine"
    assert "data is a file" in chain.told(events.StageBlocked)[0].taken[ArtifactPath("data/deep/out")]


def test_failure_of_the_executor_puts_everything_back(done: Workshop) -> None:
    class Dying(Deferred):
        def wait(self) -> Finished:
            raise HostError("gone")

    done.write("in", "2")
    done.write("aside", "mine")
    executors: list[Dying] = []

    def dying(inner: Executor) -> Executor:
        executors.append(Dying(inner))
        return executors[-1]

    before = done.locks()
    with pytest.raises(HostError):
        done.run(jobs=2, wrap=dying)

    assert executors[0].stopped == ["p.a", "p.c"]
    assert (done.read("middle"), done.read("aside"), done.locks()) == ("1a", "mine", before)


def test_what_has_ended_is_recorded_although_nobody_reads_of_it(done: Workshop) -> None:
    """The report of its end is held back until the next stage has started."""

    class Interrupted(Deferred):
        def wait(self) -> Finished:
            if not self._started:
                raise KeyboardInterrupt
            return super().wait()

        def start(self, address: str, log: pathlib.Path, inputs: Inputs) -> None:
            super().start(address, log, inputs)
            if address == "p.b":
                raise KeyboardInterrupt

    def report(event: events.Event) -> None:
        if isinstance(event, (events.StageRan, events.StageStarted)) and event.address in ("p.a", "p.b"):
            reported.append(event)
            if len(reported) > 1:
                raise BrokenPipeError

    reported: list[events.Event] = []
    before = done.lock("a")
    done.write("in", "2")
    with pytest.raises(BrokenPipeError):
        done.run(wrap=Interrupted, report=report)

    assert done.lock("a") not in (None, before)
    assert parts_of(done.run())["cached"] >= {"a"}


def test_interruption_restores_everything_and_is_reported(done: Workshop) -> None:
    class Interrupted(Deferred):
        def wait(self) -> Finished:
            raise KeyboardInterrupt

    done.write("in", "2")
    with pytest.raises(KeyboardInterrupt):
        done.run(jobs=2, wrap=Interrupted)

    assert done.told(events.Interrupted) == [events.Interrupted(("p.a", "p.c"))]
    assert (done.read("middle"), done.read("aside")) == ("1a", "1")


def test_an_out_that_is_edited_after_the_decision_is_saved(done: Workshop) -> None:
    """Somebody may edit it while inputs are fetched."""

    saved: list[events.UserFileSaved] = []

    def report(event: events.Event) -> None:
        if isinstance(event, events.StageStarted) and event.address == "p.a":
            done.write("middle", "mine")
        if isinstance(event, events.UserFileSaved):
            saved.append(event)

    done.write("in", "2")
    done.run(report=report)
    (kept,) = saved
    assert (kept.path, done.read(kept.saved_as)) == ("middle", "mine")
    assert done.read("middle") == "2a"


def test_an_interruption_that_nobody_reads_of_stops_everything(done: Workshop) -> None:
    """As `pivot repro 2>&1 | head -1`: each report fails, and the stages must not go on in the background."""
    executors: list[Deferred] = []

    class Interrupted(Deferred):
        def __init__(self, inner: Executor) -> None:
            super().__init__(inner)
            executors.append(self)

        def wait(self) -> Finished:
            raise KeyboardInterrupt

    def report(event: events.Event) -> None:
        if isinstance(event, (events.Interrupted, events.RunStopped)):
            raise BrokenPipeError

    done.write("in", "2")
    with pytest.raises(BrokenPipeError):
        done.run(jobs=2, wrap=Interrupted, report=report)

    assert executors[0].stopped == ["p.a", "p.c"]
    assert (done.read("middle"), done.read("aside")) == ("1a", "1")


def test_a_second_interruption_while_the_first_is_reported_waits_for_no_stage(done: Workshop) -> None:
    called: list[str] = []

    class Interrupted(Deferred):
        def wait(self) -> Finished:
            raise KeyboardInterrupt

        def stop(self) -> None:
            called.append("stop")

        def kill(self) -> None:
            called.append("kill")

    def report(event: events.Event) -> None:
        if isinstance(event, events.Interrupted):
            raise KeyboardInterrupt

    done.write("in", "2")
    with pytest.raises(KeyboardInterrupt):
        done.run(jobs=2, wrap=Interrupted, report=report)

    assert called == ["kill"]
    assert (done.read("middle"), done.read("aside")) == ("1a", "1")


# -- what moves while a stage runs


def test_dep_that_moves_while_its_stage_runs(shop: Workshop) -> None:
    """The outs stay, but nothing is recorded, and what follows does not run on them."""
    moving = ["2"]

    def stage(text: Annotated[str, Dep("in", Text())]) -> Annotated[str, Out("middle", Text())]:
        if moving:
            shop.write("in", moving.pop())
        return text

    shop.add("s", stage)
    shop.copying("after", "middle", "end")
    shop.write("in", "1")

    assert parts_of(shop.run()) == {"torn": {"s"}, "blocked": {"after"}}
    assert shop.told(events.StageInputsChanged)[0].changed == ("in",)
    assert (shop.read("middle"), shop.locks()) == ("1", {})
    assert parts_of(shop.run()) == {"ran": {"s", "after"}}
    assert shop.read("end") == "2"


@pytest.mark.parametrize("inside", [False, True], ids=["a file", "a file in a directory"])
@pytest.mark.parametrize("how", ["written", "replaced"])
def test_dep_that_is_another_one_only_while_its_stage_runs(shop: Workshop, how: str, inside: bool) -> None:
    """As when branches are changed and changed back: nobody knows which of them the stage has read."""
    name = "in/one" if inside else "in"
    edits = ["2", "1"]

    def stage(path: Annotated[pathlib.Path, Dep("in", PathOnly())]) -> Annotated[str, Out("out", Text())]:
        while edits:
            if how == "replaced":
                (shop.root / name).unlink()
            shop.write(name, edits.pop(0))
        return "made"

    shop.add("s", stage)
    shop.write(name, "1")
    os.utime(shop.root / name, ns=(0, 0))

    assert parts_of(shop.run()) == {"torn": {"s"}}
    assert shop.told(events.StageInputsChanged)[0].changed == ("in",)
    assert parts_of(shop.run()) == {"ran": {"s"}}


@pytest.mark.parametrize("inside", [False, True], ids=["a file", "a file in a directory"])
def test_dep_that_the_cache_touches_while_its_stage_runs(shop: Workshop, inside: bool) -> None:
    """A file that is a link to the cache bears the marks of the cache."""
    name = "in/one" if inside else "in"

    def stage(path: Annotated[pathlib.Path, Dep("in", PathOnly())]) -> Annotated[str, Out("out", Text())]:
        os.utime(shop.root / name, ns=(1, 1))
        return "made"

    shop.add("s", stage)
    os.link(shop.write(name, "1"), shop.root / "object")

    assert parts_of(shop.run()) == {"ran": {"s"}}


def test_dep_that_is_deleted_while_its_stage_runs(shop: Workshop) -> None:
    def stage(text: Annotated[str, Dep("in", Text())]) -> Annotated[str, Out("out", Text())]:
        (shop.root / "in").unlink()
        return text

    shop.add("s", stage)
    shop.write("in", "1")

    assert parts_of(shop.run()) == {"torn": {"s"}}


def test_dep_that_becomes_a_directory_while_its_stage_runs(shop: Workshop) -> None:
    """That fails the stage, not the run."""

    def stage(text: Annotated[str, Dep("in", Text())]) -> Annotated[str, Out("out", Text())]:
        (shop.root / "in").unlink()
        (shop.root / "in").mkdir()
        return text

    shop.add("s", stage)
    shop.copying("other", "other.in", "other.out")
    shop.write("in", "1")
    shop.write("other.in", "1")

    outcome = shop.run(keep_going=True)
    assert not outcome.complete
    assert parts_of(outcome)["ran"] == {"other"}
    assert shop.lock("s") is None


# -- what the user wrote


def test_file_in_the_way_is_kept(chain: Workshop) -> None:
    chain.write("middle", "mine")
    chain.run()

    (kept,) = chain.told(events.UserFileSaved)
    assert kept.path == "middle"
    assert chain.read(kept.saved_as) == "mine"
    assert chain.read("middle") == "1a"


def test_edited_out_is_kept_where_it_is_restored(done: Workshop) -> None:
    done.write("middle", "mine")
    done.run()

    (kept,) = done.told(events.UserFileSaved)
    assert (done.read(kept.saved_as), done.read("middle")) == ("mine", "1a")


def test_files_already_in_the_cache_are_not_reported(done: Workshop) -> None:
    done.versions["a"] = 1
    done.run()

    assert done.told(events.UserFileSaved) == []


def test_link_in_the_way_of_an_out_is_replaced_and_its_target_stays(chain: Workshop) -> None:
    chain.write("elsewhere", "mine")
    (chain.root / "middle").symlink_to("elsewhere")
    chain.run()

    assert (chain.read("elsewhere"), chain.read("middle")) == ("mine", "1a")
    assert not (chain.root / "middle").is_symlink()


# -- damage


def test_damaged_object_is_never_checked_out(done: Workshop) -> None:
    """It is noticed while it is restored, and then the decision is another one."""
    done.damage("a", "middle")
    (done.root / "middle").unlink()

    assert parts_of(done.run()) == {"ran": {"a"}, "cached": {"b", "c"}}
    assert (done.calls, done.read("middle")) == (["a"], "1a")
    assert len(list(done.layout.quarantine_dir.iterdir())) == 1


def test_both_objects_damaged(shop: Workshop) -> None:
    def both() -> TwoOuts:
        shop.calls.append("both")
        return TwoOuts(left="l", right="r")

    shop.add("both", both)
    shop.run()
    for path in ("left.txt", "right.txt"):
        shop.damage("both", path)
        (shop.root / path).unlink()

    assert parts_of(shop.run()) == {"ran": {"both"}}
    assert (shop.read("left.txt"), shop.read("right.txt"), shop.calls) == ("l", "r", ["both"] * 2)


def test_damaged_object_of_what_a_failed_run_overwrote(shop: Workshop) -> None:
    """Files that are put back do not come from the store, and are the very same files."""
    broken: list[str] = []

    def stage() -> TwoOuts:
        if broken:
            raise UserError
        return TwoOuts(left="l", right="r")

    shop.add("s", stage)
    shop.run()
    shop.damage("s", "left.txt")
    (shop.root / "left.txt").chmod(0o600)
    before = (shop.root / "left.txt").stat()
    broken.append("yes")

    assert parts_of(shop.run(force=True)) == {"failed": {"s"}}
    assert (shop.read("left.txt"), shop.read("right.txt")) == ("l", "r")
    after = (shop.root / "left.txt").stat()
    assert (after.st_mode, after.st_mtime_ns) == (before.st_mode, before.st_mtime_ns)


def test_a_symlinked_out_survives_a_failed_run(shop: Workshop) -> None:
    broken: list[str] = []

    def stage() -> Annotated[str, Out("s.txt", Text())]:
        if broken:
            raise UserError
        return "new"

    shop.add("s", stage)
    shop.run()
    (shop.root / "s.txt").rename(shop.root / "elsewhere.txt")
    (shop.root / "s.txt").symlink_to("elsewhere.txt")
    broken.append("yes")

    shop.run(force=True)
    assert os.readlink(shop.root / "s.txt") == "elsewhere.txt"
    assert shop.read("elsewhere.txt") == "new"


def test_outs_stashed_by_a_killed_run_come_back(done: Workshop) -> None:
    """Where nothing has taken its place."""
    aside = done.root / ".pivot/state.db/stash/p.a"
    aside.mkdir(parents=True)
    (done.root / "middle").rename(aside / "middle")
    (aside / "aside").write_text("older")

    assert parts_of(done.run()) == {"cached": {"a", "b", "c"}}
    assert not aside.exists()


def test_damaged_object_when_the_run_breaks_off(done: Workshop) -> None:
    """It keeps nothing else from being put back."""

    class Interrupted(Deferred):
        def wait(self) -> Finished:
            raise KeyboardInterrupt

    done.write("in", "2")
    done.damage("a", "middle")
    with pytest.raises(KeyboardInterrupt):
        done.run(jobs=2, wrap=Interrupted)

    assert done.read("aside") == "1"


# -- all of it


@given(st.data())
def test_every_stage_ends_in_one_set(data: st.DataObject) -> None:
    """Whatever fails: with keep_going exactly what depends on a failure is blocked."""
    size = data.draw(st.integers(1, 6))
    reads = {
        number: data.draw(st.sets(st.integers(0, number - 1), max_size=2)) if number else set()
        for number in range(size)
    }
    bad = data.draw(st.sets(st.integers(0, size - 1)))
    keep_going = data.draw(st.booleans())
    jobs = data.draw(st.integers(1, 3))

    blocked: set[int] = set()
    for number in range(size):
        if reads[number] & (bad | blocked):
            blocked.add(number)

    with tempfile.TemporaryDirectory() as directory:
        shop = Workshop(pathlib.Path(directory).resolve())
        for number in range(size):
            add(shop, number, sorted(reads[number]), bad=number in bad)
        outcome = shop.run(jobs=jobs, keep_going=keep_going, wrap=Deferred)
        found = parts_of(outcome)

        assert sorted(itertools.chain(*found.values())) == sorted(f"s{number}" for number in range(size))
        assert outcome.complete == (not bad)
        assert found.keys() <= {"ran", "failed", "blocked", "unstarted"}
        if keep_going or not bad:
            assert found.get("blocked", set()) == {f"s{number}" for number in blocked}
            assert found.get("failed", set()) == {f"s{number}" for number in bad - blocked}
            assert "unstarted" not in found
        assert shop.locks().keys() == {f"p.{name}.lock" for name in found.get("ran", ())}
        again = parts_of(shop.run(jobs=jobs, keep_going=True, wrap=Deferred))
        assert again.get("cached", set()) == found.get("ran", set())


def add(shop: Workshop, number: int, reads: list[int], *, bad: bool) -> None:
    def zero() -> Annotated[str, Out(f"out{number}", Text())]:
        return work("")

    def one(
        x: Annotated[str, Dep(f"out{reads[0] if reads else 0}", Text())],
    ) -> Annotated[str, Out(f"out{number}", Text())]:
        return work(x)

    def two(
        x: Annotated[str, Dep(f"out{reads[0] if reads else 0}", Text())],
        y: Annotated[str, Dep(f"out{reads[-1] if reads else 0}", Text())],
    ) -> Annotated[str, Out(f"out{number}", Text())]:
        return work(x + y)

    def work(text: str) -> str:
        if bad:
            raise UserError
        return f"{text}{number}"

    shop.add(f"s{number}", (zero, one, two)[len(reads)])


@pytest.mark.parametrize(("fsync", "lasting"), [("kept", False), ("all", True)])
def test_outs_are_flushed_on_request(chain: Workshop, fsync: str, lasting: bool) -> None:
    chain.write(".pivot/config.yaml", f"cache.fsync: {fsync}\n")
    chain.run()

    times = [file.stat().st_mtime_ns for file in chain.layout.objects_dir.glob("??/*")]
    assert len(times) == 3
    assert {time == VERIFIED_NS for time in times} == {lasting}


def test_a_file_of_the_users_is_flushed_before_it_is_replaced(done: Workshop) -> None:
    mine = done.write("end", "mine")
    done.run()

    (told,) = done.told(events.UserFileSaved)
    kept = done.root / told.saved_as
    assert (mine.read_text(), kept.read_text()) == ("1ab", "mine")
    assert kept.stat().st_mtime_ns == VERIFIED_NS
