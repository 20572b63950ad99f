"""Small projects, how they are written and what they mean: a model of Pivot without Pivot."""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import attrs
from hypothesis import strategies as st

from pivot_core.decide import Verdict

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
        helper: The function that its sum goes through.
        constant: The constant that it adds by name.
        number: The number that it adds literally.
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


# The meaning of the sources.


def helped(sources: Sources, index: int | None, value: int) -> int:
    if index is None:
        return value
    helper = sources.helpers[index]
    constant = 0 if helper.constant is None else sources.constants[helper.constant]
    return helped(sources, helper.inner, value) * helper.factor + constant


def result(sources: Sources, index: int, deps: Mapping[str, int]) -> str:
    """The content of the out; no two stages ever write the same."""
    stage = sources.stages[index]
    constant = 0 if stage.constant is None else sources.constants[stage.constant]
    value = (helped(sources, stage.helper, sum(deps.values())) + constant + stage.number) % MODULUS
    return f"{10 * index + value}\n"


def code(sources: Sources, stage: Stage) -> object:
    """Equal if and only if all code that the stage depends on is."""
    helpers = []
    index = stage.helper
    constants = {stage.constant}
    while index is not None:
        helpers.append((index, sources.helpers[index]))
        constants.add(sources.helpers[index].constant)
        index = sources.helpers[index].inner
    return stage, tuple(helpers), frozenset((at, sources.constants[at]) for at in constants if at is not None)


# How the sources are written.


def texts(sources: Sources) -> dict[str, str]:
    """All modules, by the names of their files."""
    found = {}
    for module, text, comment in zip(
        MODULES, (pipeline_text, helpers_text, values_text), sources.comments, strict=True
    ):
        lines = [f"# comment {number}\n" for number in range(comment)]
        found[f"{module}.py"] = "".join([*lines, "\n\n\n".join(text(sources)), "\n"])
    return found


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
    yield "from typing import Annotated\n\nimport helpers\nimport mischief\nimport pivot\nimport values"
    yield f"from helpers import {', '.join(f'h{index}' for index in range(HELPERS))}"
    yield 'from values import K1\n\npipeline = pivot.Pipeline("p")\nNUMBER = pivot.loaders.JSON()'
    for index, stage in enumerate(sources.stages):
        yield "\n".join(stage_text(index, stage, version=sources.comments[0]))
    for index in range(len(sources.stages)):
        yield f"pipeline.register(s{index}, retries={retries(index)})"


def stage_text(index: int, stage: Stage, *, version: int) -> Iterator[str]:
    names = sorted([f"d{at}" for at in stage.data] + [f"o{at}" for at in stage.upstream])
    parameters = ", ".join(f'{name}: Annotated[int, pivot.Dep("{name}.json", NUMBER)]' for name in names)
    yield f'def s{index}({parameters}) -> Annotated[int, pivot.Out("o{index}.json", NUMBER)]:'
    yield f'    """Version {version}."""'
    yield f'    open("runs/s{index}", "a").close()\n    mischief.perhaps("s{index}")'
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
    yield f"    return (x{constant} + {stage.number}) % {MODULUS} + {10 * index}"


def retries(index: int) -> int:
    """How often a stage is tried again."""
    return index % 2


# The expected reaction of Pivot.


@attrs.define
class Expected:
    """The facts and actions expected of Pivot, as far as a small model covers them.

    Attributes:
        outs: The content of each out.
        locks: The inputs and the result of each stage's last recorded run.
        runs: All results, by inputs.
        objects: The content of the object store.
    """

    outs: dict[int, str] = attrs.field(factory=dict)
    locks: dict[int, tuple[object, str]] = attrs.field(factory=dict)
    runs: dict[object, str] = attrs.field(factory=dict)
    objects: AbstractSet[str] = frozenset()

    def foresee(self, sources: Sources, *, force: bool) -> dict[int, Verdict]:
        """The expected result of a look: like a run, but what a stage would write is not known."""
        after = attrs.evolve(self, outs=dict(self.outs), locks=dict(self.locks))
        return after._walk(sources, act=False, force=force)

    def run(self, sources: Sources, *, force: bool) -> dict[int, Verdict]:
        """The expected result of a run; afterwards this is how things are."""
        return self._walk(sources, act=True, force=force)

    def settle(self, sources: Sources, told: Mapping[int, Verdict]) -> dict[int, Verdict]:
        """After a run by which everything is made good whatever was before: this is how things are."""
        self.runs = {}
        return self._walk(sources, act=True, force=False, told=told)

    def _walk(
        self, sources: Sources, *, act: bool, force: bool, told: Mapping[int, Verdict] | None = None
    ) -> dict[int, Verdict]:
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
                inputs = (index, code(sources, stage), frozenset(deps.items()))
                verdicts[index] = told[index] if told is not None else self._decide(index, inputs, force=force)
                if act or verdicts[index] is Verdict.RESTORE:
                    self._do(verdicts[index], index, inputs, result(sources, index, deps))
        return verdicts

    def _decide(self, index: int, inputs: object, *, force: bool) -> Verdict:
        locked = self.locks.get(index)
        there = self.outs.get(index)
        if locked is not None and locked == (inputs, there) and there in self.objects and not force:
            return Verdict.UP_TO_DATE
        known = [self.runs[inputs]] if inputs in self.runs else []
        known += [locked[1]] if locked is not None and locked[0] == inputs else []
        obtainable = any(out == there or out in self.objects for out in known)
        return Verdict.RESTORE if obtainable and not force else Verdict.RUN

    def _do(self, verdict: Verdict, index: int, inputs: object, made: str) -> None:
        if verdict is Verdict.RUN:
            self.runs[inputs] = made
        self.outs[index] = made
        self.locks[index] = (inputs, made)
        self.objects |= {made}


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
        edit("out", STAGES, lambda index: st.sampled_from([None, f"{10 * index}\n", f"{10 * index + 1}\n", "by hand"])),
        edit("revert", 100, st.none()),
        edit("lock", STAGES, st.none()),
        edit("state", 1, st.none()),
        edit("cache", 1, st.none()),
    )


def named(verdicts: Mapping[int, Verdict]) -> dict[str, Verdict]:
    return {f"s{index}": verdict for index, verdict in verdicts.items()}
