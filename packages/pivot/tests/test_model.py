"""A cached run equals a run from scratch: random small projects under random edits, against a model without Pivot."""

import pathlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from pivot_core.decide import Verdict
from pivot_engine import events
from pivot_engine.project import Project, init
from pivot_engine.repro import Options, repro
from pivot_engine.status import status

MODULES = ("pipeline", "helpers", "values")
STAGES, HELPERS, CONSTANTS, DATA = 4, 3, 2, 2
MODULUS = 3
"""Small, so that different inputs often have equal results, and what follows need not run."""


@attrs.frozen
class Helper:
    """``x * factor``, plus a constant, after another helper: each part may be left out."""

    factor: int
    constant: int | None
    inner: int | None


@attrs.frozen
class Stage:
    """The sum of its deps, through a helper, plus a constant and a number.

    Attributes:
        data: Data files that it reads.
        upstream: Earlier stages whose outs it reads.
        helper: What its sum goes through.
        constant: What it adds by name.
        number: What it adds literally.
        style: How its code names the helper.
    """

    data: frozenset[int]
    upstream: frozenset[int]
    helper: int | None
    constant: int | None
    number: int
    style: int


@attrs.frozen
class Sources:
    """All that a user can edit; a data file that is None is not there."""

    data: tuple[int | None, ...]
    constants: tuple[int, ...]
    helpers: tuple[Helper, ...]
    stages: tuple[Stage, ...]
    comments: tuple[int, ...] = (0, 0, 0)


# What the sources mean.


def helped(sources: Sources, index: int | None, value: int) -> int:
    if index is None:
        return value
    helper = sources.helpers[index]
    constant = 0 if helper.constant is None else sources.constants[helper.constant]
    return helped(sources, helper.inner, value) * helper.factor + constant


def result(sources: Sources, stage: Stage, deps: Mapping[str, int]) -> int:
    constant = 0 if stage.constant is None else sources.constants[stage.constant]
    return (helped(sources, stage.helper, sum(deps.values())) + constant + stage.number) % MODULUS


def code(sources: Sources, stage: Stage) -> object:
    """Equal if and only if all code that the stage rests on is."""
    helpers = []
    index = stage.helper
    constants = {stage.constant}
    while index is not None:
        helpers.append((index, sources.helpers[index]))
        constants.add(sources.helpers[index].constant)
        index = sources.helpers[index].inner
    return stage, tuple(helpers), frozenset((at, sources.constants[at]) for at in constants if at is not None)


# How the sources are written.


def values_text(sources: Sources) -> Iterator[str]:
    for index, constant in enumerate(sources.constants):
        yield f"K{index} = {constant}"


def helpers_text(sources: Sources) -> Iterator[str]:
    yield "import values"
    yield "from values import K1"
    for index, helper in enumerate(sources.helpers):
        inner = "x" if helper.inner is None else f"h{helper.inner}(x)"
        constant = {None: "", 0: " + values.K0", 1: " + K1"}[helper.constant]
        docstring = f'"""Version {sources.comments[1]}."""'
        yield f"def h{index}(x):\n    {docstring}\n    return {inner} * {helper.factor}{constant}"


def pipeline_text(sources: Sources) -> Iterator[str]:
    yield "from typing import Annotated\n\nimport helpers\nimport pivot\nimport values"
    yield f"from helpers import {', '.join(f'h{index}' for index in range(HELPERS))}"
    yield 'from values import K1\n\npipeline = pivot.Pipeline("p")\nNUMBER = pivot.loaders.JSON()'
    for index, stage in enumerate(sources.stages):
        yield "\n".join(stage_text(index, stage, version=sources.comments[0]))
    for index in range(len(sources.stages)):
        yield f"pipeline.register(s{index})"


def stage_text(index: int, stage: Stage, *, version: int) -> Iterator[str]:
    names = sorted([f"d{at}" for at in stage.data] + [f"o{at}" for at in stage.upstream])
    parameters = ", ".join(f'{name}: Annotated[int, pivot.Dep("{name}.json", NUMBER)]' for name in names)
    yield f'def s{index}({parameters}) -> Annotated[int, pivot.Out("o{index}.json", NUMBER)]:'
    yield f'    """Version {version}."""'
    yield f'    open("runs/s{index}", "a").close()'
    yield f"    x = {' + '.join(names) or '0'}"
    if stage.helper is not None:
        name = f"h{stage.helper}"
        yield {
            0: f"    x = helpers.{name}(x)",
            1: f"    (x,) = [{name}(y) for y in (x,)]",
            2: f"    x = (lambda y: helpers.{name}(y))(x)",
            3: f"    def nested(y):\n        return {name}(y)\n    x = nested(x)",
        }[stage.style]
    constant = {None: "", 0: " + values.K0", 1: " + K1"}[stage.constant]
    yield f"    return (x{constant} + {stage.number}) % {MODULUS}"


# What Pivot should make of them.


@attrs.define
class Expected:
    """What Pivot must know and do, as far as a model of a few lines can tell.

    Attributes:
        outs: What lies at each out.
        locks: The inputs and the result of each stage's last recorded run.
        runs: All results, by inputs.
    """

    outs: dict[int, str] = attrs.field(factory=dict)
    locks: dict[int, tuple[object, str]] = attrs.field(factory=dict)
    runs: dict[object, str] = attrs.field(factory=dict)

    def foresee(self, sources: Sources, *, force: bool) -> dict[int, Verdict]:
        """What looking must tell: like a run, but what a stage would write is not known."""
        after = attrs.evolve(self, outs=dict(self.outs), locks=dict(self.locks))
        return after._walk(sources, act=False, force=force)

    def run(self, sources: Sources, *, force: bool) -> dict[int, Verdict]:
        """What a run must do; afterwards this is how things are."""
        return self._walk(sources, act=True, force=force)

    def _walk(self, sources: Sources, *, act: bool, force: bool) -> dict[int, Verdict]:
        verdicts: dict[int, Verdict] = {}
        for index, stage in enumerate(sources.stages):
            upstream = {verdicts[at] for at in stage.upstream}
            if Verdict.BLOCKED in upstream or any(sources.data[at] is None for at in stage.data):
                verdicts[index] = Verdict.BLOCKED
            elif (Verdict.RUN in upstream or force) and not act:
                verdicts[index] = Verdict.RUN
            else:
                deps = {f"d{at}": sources.data[at] or 0 for at in stage.data}
                deps |= {f"o{at}": int(self.outs[at]) for at in stage.upstream}
                verdicts[index] = self._decide(index, sources, deps, act=act, force=force)
        return verdicts

    def _decide(self, index: int, sources: Sources, deps: Mapping[str, int], *, act: bool, force: bool) -> Verdict:
        stage = sources.stages[index]
        inputs = (index, code(sources, stage), frozenset(deps.items()))
        locked = self.locks.get(index)
        if locked is not None and locked == (inputs, self.outs.get(index)) and not force:
            return Verdict.UP_TO_DATE
        if inputs in self.runs and not force:
            verdict = Verdict.RESTORE
        elif not act:
            return Verdict.RUN
        else:
            self.runs[inputs] = f"{result(sources, stage, deps)}\n"
            verdict = Verdict.RUN
        self.outs[index] = self.runs[inputs]
        self.locks[index] = (inputs, self.outs[index])
        return verdict


# Random projects, and random edits of them.

numbers = st.integers(0, 9)
constants = st.none() | st.integers(0, CONSTANTS - 1)


def helper(index: int) -> st.SearchStrategy[Helper]:
    inner = st.integers(0, index - 1) if index else st.nothing()
    return st.builds(Helper, st.integers(1, 9), constants, st.none() | inner)


def stage(index: int) -> st.SearchStrategy[Stage]:
    return st.builds(
        Stage,
        data=st.frozensets(st.integers(0, DATA - 1), max_size=DATA),
        upstream=st.frozensets(st.integers(0, index - 1), max_size=2) if index else st.just(frozenset()),
        helper=st.none() | st.integers(0, HELPERS - 1),
        constant=constants,
        number=numbers,
        style=st.integers(0, 3),
    )


projects = st.integers(2, STAGES).flatmap(
    lambda count: st.builds(
        Sources,
        data=st.tuples(*[numbers] * DATA),
        constants=st.tuples(*[numbers] * CONSTANTS),
        helpers=st.tuples(*map(helper, range(HELPERS))),
        stages=st.tuples(*map(stage, range(count))),
    )
)

type Edit = tuple[str, int, object]


def edits() -> st.SearchStrategy[Edit]:
    def edit(what: str, count: int, new: Any) -> st.SearchStrategy[Edit]:
        return st.integers(0, count - 1).flatmap(
            lambda index: st.tuples(
                st.just(what), st.just(index), new if isinstance(new, st.SearchStrategy) else new(index)
            )
        )

    return st.one_of(
        edit("data", DATA, st.none() | numbers),
        edit("constants", CONSTANTS, numbers),
        edit("helpers", HELPERS, helper),
        edit("stages", STAGES, stage),
        edit("comments", len(MODULES), numbers),
        edit("out", STAGES, st.sampled_from([None, "0\n", "1\n", "by hand"])),
        edit("revert", 100, st.none()),
        edit("lock", STAGES, st.none()),
        edit("state", 1, st.none()),
    )


class CachedEqualsFresh(RuleBasedStateMachine):
    """Edit, look, run, and run again, many times over in one project."""

    def __init__(self) -> None:
        super().__init__()
        root = pathlib.Path(tempfile.mkdtemp(prefix="pivot-model-")).resolve()
        init(root)
        (root / "runs").mkdir()
        self.root = root
        self.project = Project(root, root)
        self.expected = Expected()
        self.history: list[Sources] = []
        self.sources = Sources((), (), (), ())

    def teardown(self) -> None:
        shutil.rmtree(self.root)

    @initialize(sources=projects)
    def begin(self, sources: Sources) -> None:
        self.sources = sources
        self.check(Options(jobs=2, keep_going=True), again=True)

    @rule(
        changes=st.lists(edits(), min_size=1, max_size=3),
        jobs=st.sampled_from([1, 2]),
        force=st.sampled_from([False, False, False, True]),
        again=st.booleans(),
    )
    def edit(self, changes: list[Edit], jobs: int, *, force: bool, again: bool) -> None:
        for what, index, new in changes:
            self.apply(what, index, new)
        self.check(Options(jobs=jobs, force=force, keep_going=True), again=again)

    @rule(comments=st.tuples(*[st.integers(10, 99)] * len(MODULES)))
    def comment(self, comments: tuple[int, ...]) -> None:
        """Nothing is run after an edit of comments and docstrings only."""
        self.sources = attrs.evolve(self.sources, comments=comments)
        seen = self.visible(code=False)
        self.write()
        told, kept = self.run(Options(jobs=1, keep_going=True))

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
        else:
            items = list(getattr(self.sources, what))
            if index < len(items):
                items[index] = new
                self.sources = attrs.evolve(self.sources, **{what: tuple(items)})

    def write(self) -> None:
        texts = (pipeline_text, helpers_text, values_text)
        for module, text, comment in zip(MODULES, texts, self.sources.comments, strict=True):
            lines = [f"# comment {number}\n" for number in range(comment)]
            content = "".join([*lines, "\n\n\n".join(text(self.sources)), "\n"])
            (self.root / f"{module}.py").write_text(content)
        for index, number in enumerate(self.sources.data):
            file = self.root / f"d{index}.json"
            if number is None:
                file.unlink(missing_ok=True)
            else:
                file.write_text(f"{number}\n")

    def check(self, options: Options, *, again: bool) -> None:
        self.write()
        self.history.append(self.sources)
        seen = self.visible()

        foreseen = {
            stage.evaluation.stage.spec.name: stage.evaluation.decision.verdict
            for stage in status(self.project, closure=True, force=options.force).stages
        }

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

    def run(self, options: Options) -> tuple[dict[str, Verdict], set[str]]:
        """What became of each stage, by name, and the contents that were told to be kept; each stage runs once."""
        heard: list[events.Event] = []
        outcome = repro(self.project, options=options, report=heard.append)
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
        kept = {(self.root / event.kept).read_text() for event in heard if isinstance(event, events.FileKept)}
        return told, kept

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


def named(verdicts: Mapping[int, Verdict]) -> dict[str, Verdict]:
    return {f"s{index}": verdict for index, verdict in verdicts.items()}


TestCachedEqualsFresh = CachedEqualsFresh.TestCase
TestCachedEqualsFresh.settings = settings(
    max_examples=6,
    stateful_step_count=7,
    phases=[
        Phase.explicit,
        Phase.reuse,
        Phase.generate,
    ],  # shrinking a few steps takes minutes: add Phase.shrink by hand
)
