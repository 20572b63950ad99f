"""A cached run equals a run from scratch: random small projects under random edits, and under all that may go wrong."""

import contextlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile

import attrs
from harness import PIVOT
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from model import MODULES, Edit, Expected, Sources, code, edits, named, projects, retries, texts

from pivot_cache.files import atomic
from pivot_cache.testing import power_cut
from pivot_core.decide import Verdict
from pivot_core.files.digest import digest_bytes
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import HostError
from pivot_runtime.history import events
from pivot_runtime.inspecting.status import StatusOptions, status
from pivot_runtime.inspecting.verify import verify
from pivot_runtime.project.project import init
from pivot_runtime.running.repro import RunOptions, repro
from pivot_runtime.running.run_result import RunResult

MISCHIEF = """\
import os
import pathlib
import signal

WISHES = pathlib.Path("wishes")


def perhaps(name):
    wish = WISHES / name
    if not wish.exists():
        return
    out = pathlib.Path(f"o{name[1:]}.json")
    kind, _, what = wish.read_text().partition(" ")
    if kind in ("raise", "exit", "once"):
        out.write_text("half")
    if kind == "raise":
        raise ValueError(what)
    if kind == "once":
        wish.unlink()
        raise ValueError(what)
    if kind == "exit":
        os._exit(0)
    if kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "move":
        (WISHES / what).replace(what)  # a stage beside this one must not read half of it
    if kind == "read":
        pathlib.Path(what).read_text()
    if kind == "host":
        os.kill(os.getppid(), signal.SIGKILL)
    if kind == "command":
        os.kill(int((WISHES / "pid").read_text()), signal.SIGKILL)
    if kind in ("host", "command"):
        signal.pause()
"""
FAILING = ("raise", "once", "exit", "kill")
WISHES = (*FAILING, "dep", "code", "read", "forbidden", "host", "command")
"""Possible actions of a stage while it runs: fail, change what it depends on, read what it does not declare, kill."""

CONFIG = "strict_io.ignore: wishes/, runs/\n"
ON_DISK = "/var/tmp"
"""Its files stay on a disk where those of other tests are in memory."""


@attrs.frozen
class Disturbed:
    """The known facts after a run in which a stage did mischief.

    Attributes:
        outcome: None if it was killed.
        heard: The reports.
    """

    outcome: RunResult | None
    heard: list[events.Event]

    def told[E](self, kind: type[E]) -> list[E]:
        return [event for event in self.heard if isinstance(event, kind)]


class CachedEqualsFresh(RuleBasedStateMachine):
    """Edit, look, run, and run again, many times over in one project."""

    def __init__(self) -> None:
        super().__init__()
        root = pathlib.Path(tempfile.mkdtemp(prefix="pivot-model-", dir=ON_DISK)).resolve()
        init(root)
        for name in ("runs", "wishes"):
            (root / name).mkdir()
        for name, text in (("mischief.py", MISCHIEF), ("lookup.txt", "x"), (".pivot/config.yaml", CONFIG)):
            (root / name).write_text(text)
        self.root = root
        self.expected = Expected()
        self.history: list[Sources] = []
        self.sources = Sources((), (), (), ())
        self.lost: set[str] = set()
        self.starts = contextlib.ExitStack()

    def teardown(self) -> None:
        self.starts.close()
        shutil.rmtree(self.root)

    @property
    def context(self) -> CommandContext:
        """The context of a new command."""
        return CommandContext.find(self.root, os.environ)

    @initialize(sources=projects)
    def begin(self, sources: Sources) -> None:
        self.sources = sources
        self.check(RunOptions(jobs=2, keep_going=True), again=True)

    @rule(
        changes=st.lists(edits(), min_size=1, max_size=3),
        jobs=st.sampled_from([1, 2]),
        force=st.sampled_from([False, False, False, True]),
        again=st.booleans(),
    )
    def edit(self, changes: list[Edit], jobs: int, *, force: bool, again: bool) -> None:
        for what, index, new in changes:
            self.apply(what, index, new)
        self.check(RunOptions(jobs=jobs, force=force, keep_going=True), again=again)

    @rule(comments=st.tuples(*[st.integers(10, 99)] * len(MODULES)))
    def comment(self, comments: tuple[int, ...]) -> None:
        """Nothing is run after an edit of comments and docstrings only."""
        self.sources = attrs.evolve(self.sources, comments=comments)
        seen = self.visible(code=False)
        self.write()
        self.expected.objects = self.objects()
        told, kept = self.run(RunOptions(jobs=1, keep_going=True))

        assert told == named(self.expected.run(self.sources, force=False))
        assert kept == set()
        assert {Verdict.RUN, Verdict.RESTORE}.isdisjoint(told.values())
        assert self.visible(code=False) == seen

    def apply(self, what: str, index: int, new: object) -> None:
        if what == "revert":
            self.sources = self.history[index % len(self.history)]
        elif what == "out":
            index %= len(self.sources.stages)
            file = self.root / f"o{index}.json"
            if isinstance(new, str):
                file.write_text(new)
                self.expected.outs[index] = new
            else:
                file.unlink(missing_ok=True)
                self.expected.outs.pop(index, None)
        elif what == "lock":
            (self.root / f".pivot/stages/p.s{index}.lock").unlink(missing_ok=True)
            self.expected.locks.pop(index, None)
        elif what == "state":
            shutil.rmtree(self.root / ".pivot/state.db", ignore_errors=True)
        elif what == "cache":
            shutil.rmtree(self.root / ".pivot/cache", ignore_errors=True)
            self.expected.runs.clear()
            self.lost = {f"s{index}" for index in range(len(self.sources.stages))}
        else:
            items = list(getattr(self.sources, what))
            if index < len(items):
                items[index] = new
                self.sources = attrs.evolve(self.sources, **{what: tuple(items)})

    def write(self) -> None:
        for name, text in texts(self.sources).items():
            (self.root / name).write_text(text)
        for index, number in enumerate(self.sources.data):
            file = self.root / f"d{index}.json"
            if number is None:
                file.unlink(missing_ok=True)
            else:
                file.write_text(f"{number}\n")

    def check(self, options: RunOptions, *, again: bool) -> None:
        self.write()
        self.history.append(self.sources)
        seen = self.visible()
        self.expected.objects = self.objects()

        foreseen = self.foreseen(force=options.force)

        assert foreseen == named(self.expected.foresee(self.sources, force=options.force))
        assert self.visible() == seen

        by_hand = dict(self.expected.outs)
        told, kept = self.run(options)

        assert told == named(self.expected.run(self.sources, force=options.force))
        assert self.outs() == self.expected.outs
        assert kept <= set(by_hand.values())

        if again:
            seen = self.visible()
            told, _ = self.run(attrs.evolve(options, force=False))

            assert told == named(self.expected.run(self.sources, force=False))
            assert {Verdict.RUN, Verdict.RESTORE}.isdisjoint(told.values())
            assert self.visible() == seen

    def run(self, options: RunOptions) -> tuple[dict[str, Verdict], set[str]]:
        """The result of each stage, by name, and the contents that were reported as kept; each stage runs once."""
        heard: list[events.Event] = []
        outcome = repro(self.context, options=options, report=heard.append)
        assert not outcome.torn
        assert not outcome.unstarted
        ran = {file.name for file in (self.root / "runs").iterdir()}
        for name in ran:
            (self.root / "runs" / name).unlink()
        assert {f"p.{name}" for name in ran} == outcome.ran
        told: dict[str, Verdict] = {}
        for verdict, addresses in (
            (Verdict.UP_TO_DATE, outcome.cached),
            (Verdict.RESTORE, outcome.restored),
            (Verdict.RUN, outcome.ran),
            (Verdict.BLOCKED, outcome.failed | outcome.blocked),
        ):
            told |= {address.removeprefix("p."): verdict for address in addresses}
        kept = {(self.root / event.saved_as).read_text() for event in heard if isinstance(event, events.UserFileSaved)}
        self.lost &= {name for name, verdict in told.items() if verdict is Verdict.BLOCKED}
        self.check_locks()
        return told, kept

    @rule(
        changes=st.lists(edits(), max_size=2),
        wish=st.sampled_from(WISHES),
        which=st.integers(0, 3),
        jobs=st.sampled_from([1, 2]),
        keep_going=st.booleans(),
    )
    def disturb(self, changes: list[Edit], wish: str, which: int, jobs: int, *, keep_going: bool) -> None:
        """A stage does mischief while it runs; afterwards nothing is wrong, and the next run makes everything good."""
        for what, index, new in changes:
            self.apply(what, index, new)
        index = which % len(self.sources.stages)
        meddled, text = self.meddle(index, wish)
        self.write()
        before = self.outs()
        locks = self.locks()
        (self.root / f"wishes/s{index}").write_text(text)
        done = self.run_disturbed(wish, RunOptions(jobs=jobs, force=True, keep_going=keep_going))
        (self.root / f"wishes/s{index}").unlink(missing_ok=True)
        for file in (self.root / "runs").iterdir():
            file.unlink()
        started = f"p.s{index}" in {event.address for event in done.told(events.StageStarted)}

        if done.outcome is not None:
            for number in range(len(self.sources.stages)):
                if f"p.s{number}" in done.outcome.failed | done.outcome.blocked | done.outcome.unstarted:
                    assert self.outs().get(number) == before.get(number)
                    assert self.locks().get(number) == locks.get(number)
                if f"p.s{number}" in done.outcome.torn:
                    assert self.locks().get(number) == locks.get(number)
            if started:
                self.check_told(wish, index, meddled, done, done.outcome)
        self.check_locks()
        if started or done.outcome is None:
            self.sources = meddled
        self.write()
        self.recover()

    @rule(
        changes=st.lists(edits(), max_size=2),
        seed=st.integers(0, 1 << 30),
        jobs=st.sampled_from([1, 2]),
        force=st.booleans(),
    )
    def power_cut(self, changes: list[Edit], seed: int, jobs: int, *, force: bool) -> None:
        """The machine stops at some moment of a run: what was not flushed may be lost, and the next run repairs all."""
        for what, index, new in changes:
            self.apply(what, index, new)
        self.write()
        mine = "by hand" in self.outs().values()
        chance = random.Random(seed)
        with power_cut.SyscallRecorder(self.root, wanted=lambda _: True) as recorder:
            repro(self.context, options=RunOptions(jobs=jobs, force=force, keep_going=True))
        power_cut.strike(self.root, chance.choice(recorder.moments), chance)
        place = pathlib.Path(self.starts.enter_context(tempfile.TemporaryDirectory(prefix="pivot-boot-")))
        self.starts.enter_context(power_cut.restarted(f"{seed}", place))
        atomic._swept.clear()
        (self.root / "runs").mkdir(exist_ok=True)
        for file in (self.root / "runs").iterdir():
            file.unlink()

        assert not mine or any(
            file.read_bytes() == b"by hand"
            for file in self.root.rglob("*")
            if file.is_file() and ".py" not in file.name
        )
        self.recover()

    def meddle(self, index: int, wish: str) -> tuple[Sources, str]:
        """The sources as a stage leaves them, and how it learns that."""
        sources, stage = self.sources, self.sources.stages[index]
        there = [at for at in sorted(stage.data) if sources.data[at] is not None]
        if wish == "dep" and there:
            data = list(sources.data)
            data[there[0]] = ((data[there[0]] or 0) + 1) % 10
            (self.root / f"wishes/d{there[0]}.json").write_text(f"{data[there[0]]}\n")
            return attrs.evolve(sources, data=tuple(data)), f"move d{there[0]}.json"
        if wish in ("dep", "code"):
            first, *others = sources.constants
            meddled = attrs.evolve(sources, constants=((first + 1) % 10, *others))
            (self.root / "wishes/values.py").write_text(texts(meddled)["values.py"])
            return meddled, "move values.py"
        return sources, {"read": "read lookup.txt", "forbidden": "read lookup.txt"}.get(wish, f"{wish} wished")

    def run_disturbed(self, wish: str, options: RunOptions) -> Disturbed:
        """Run, in a process of its own if that is to be killed."""
        heard: list[events.Event] = []
        (self.root / ".pivot/config.yaml").write_text(CONFIG + "strict_io.level: error\n" * (wish == "forbidden"))
        try:
            if wish != "command":
                return Disturbed(repro(self.context, options=options, report=heard.append), heard)
            arguments = ["repro", "-f", f"-j{options.jobs}", "-k" if options.keep_going else "--no-keep-going"]
            shell = ["sh", "-c", 'echo $$ > wishes/pid; exec "$@"', "sh", str(PIVOT), *arguments]
            done = subprocess.run(shell, cwd=self.root, capture_output=True, timeout=60, check=False)
            assert done.returncode in (0, 1, -signal.SIGKILL), done
            return Disturbed(None, heard)
        except HostError:
            assert wish == "host"
            return Disturbed(None, heard)
        finally:
            (self.root / ".pivot/config.yaml").write_text(CONFIG)

    def check_told(self, wish: str, index: int, meddled: Sources, done: Disturbed, outcome: RunResult) -> None:
        """The mischief of a stage is reported, and the stage is recorded only if it does not count."""
        address = f"p.s{index}"
        retried = [event.address for event in done.told(events.StageRetried)]
        undeclared = {
            (event.address, found.path): event.fatal
            for event in done.told(events.StageUndeclared)
            for found in event.found
        }
        assert retried == [address] * (retries(index) if wish in FAILING else 0)
        if wish == "forbidden" or (wish in FAILING and not (wish == "once" and retried)):
            assert address in outcome.failed
        elif wish in ("dep", "code") and (
            code(meddled, meddled.stages[index]) != code(self.sources, self.sources.stages[index])
            or any(meddled.data[at] != self.sources.data[at] for at in self.sources.stages[index].data)
        ):
            assert address in outcome.torn
        else:
            assert address in outcome.ran
        if wish in ("read", "forbidden"):
            assert undeclared == {(address, "lookup.txt"): wish == "forbidden"}

    def recover(self) -> None:
        """One undisturbed run makes everything as a run from scratch would; it does what was foreseen."""
        shutil.rmtree(self.root / ".pivot/cache/runs", ignore_errors=True)  # nobody knows what is in it
        foreseen = self.foreseen(force=False)
        told, _ = self.run(RunOptions(jobs=2, keep_going=True))

        for name, verdict in foreseen.items():
            assert verdict is told[name] or (verdict is Verdict.RUN and told[name] is not Verdict.BLOCKED)
            assert verdict is not Verdict.UP_TO_DATE or told[name] is Verdict.UP_TO_DATE
        by_index = {int(name[1:]): verdict for name, verdict in told.items()}
        assert by_index == self.expected.settle(self.sources, by_index)
        assert self.outs() == self.expected.outs
        aside = self.root / ".pivot/state.db/stash"
        assert not aside.exists() or not list(aside.iterdir())
        assert verify(self.context).passed is (Verdict.BLOCKED not in told.values())

    def foreseen(self, *, force: bool) -> dict[str, Verdict]:
        """The expected answer of a look."""
        return {
            stage.evaluation.stage.spec.name: stage.evaluation.decision.verdict
            for stage in status(self.context, options=StatusOptions(with_upstream=True, force=force)).stages
        }

    def check_locks(self) -> None:
        """Each object that a lock names is there, with the bytes that its name says."""
        store = self.root / ".pivot/cache/files"
        for index, lock in self.locks().items():
            for out in json.loads(lock)["outs"].values() if f"s{index}" not in self.lost else ():
                assert digest_bytes((store / out["digest"][:2] / out["digest"][2:]).read_bytes()) == out["digest"]

    def locks(self) -> dict[int, bytes]:
        return {int(file.stem[3:]): file.read_bytes() for file in (self.root / ".pivot/stages").glob("p.s*.lock")}

    def objects(self) -> frozenset[str]:
        """All that is in the store."""
        return frozenset(file.read_text() for file in (self.root / ".pivot/cache/files").glob("??/*"))

    def outs(self) -> dict[int, str]:
        return {
            index: file.read_text()
            for index in range(len(self.sources.stages))
            if (file := self.root / f"o{index}.json").exists()
        }

    def visible(self, *, code: bool = True) -> dict[str, tuple[bytes, int]]:
        """Content and time of everything that a user or git can see."""
        files = [*self.root.glob("*.*" if code else "o*.json"), *(self.root / ".pivot/stages").iterdir()]
        return {str(file): (file.read_bytes(), file.stat().st_mtime_ns) for file in files if file.is_file()}


TestCachedEqualsFresh = CachedEqualsFresh.TestCase
TestCachedEqualsFresh.settings = settings(
    max_examples=int(os.environ.get("TEST_MODEL_EXAMPLES", "5")),  # hundreds find more, in as many seconds
    stateful_step_count=6,
    phases=[
        Phase.explicit,
        Phase.reuse,
        Phase.generate,
    ],  # shrinking a few steps takes minutes: add Phase.shrink by hand
)
