"""Values that differ at each import for no reason."""

from typing import Any

import attrs
import pytest

from pivot_core.lock import CodeEntry, UnresolvedCode
from pivot_core.spec import Location, StageSpec
from pivot_runtime.loading import varying_values
from pivot_runtime.loading.loaded import Loaded, LoadedStage, Steady
from pivot_runtime.loading.varying_values import Known, settle
from pivot_runtime.tracing.random_calls import RANDOM, TIME

AT = Location("nodes.py", 3)
KEY = "const:nodes:ROOT"


def load(digest: str, *unrecorded: str, state: str = "", parts: dict[str, str] | None = None, **more: str) -> Loaded:
    code = {KEY: CodeEntry(digest, AT), **{key: CodeEntry(each) for key, each in more.items()}}
    stage = LoadedStage(StageSpec("s", "p", "", AT), code, (UnresolvedCode("eval"),))
    steady = Steady({KEY: state}, {KEY: parts or {"": digest}}) if state else None
    return Loaded(1, (attrs.evolve(stage, steady=steady),), {}, None, unrecorded)


def known_of(loaded: Loaded, day: str | None = None) -> Known:
    _, known = settle(loaded, Known(), holds=lambda: False, inputs_hold=lambda: False)
    return known if day is None else attrs.evolve(known, day=day)


def settled(
    now: Loaded, known: Known, *, holds: bool = True, inputs: bool = True
) -> tuple[str, list[str], dict[str, Any], Known]:
    found, known = settle(now, known, holds=lambda: holds, inputs_hold=lambda: inputs)
    (stage,) = found.stages
    return stage.code[KEY].digest, [edge.reason[:18] for edge in stage.unresolved], dict(known.values), known


@pytest.mark.parametrize("unrecorded", [(), (RANDOM,), (TIME,), (RANDOM, TIME)])
def test_values_that_vary_without_an_edit_count_as_before_and_are_reported(unrecorded: tuple[str, ...]) -> None:
    found = settled(load("2", *unrecorded), known_of(load("1")))

    assert found[:3] == ("1", ["`nodes.ROOT` is an", "eval"], {KEY: []})


def test_values_that_differ_after_an_edit_count() -> None:
    new: tuple[str, list[str], dict[str, Any]] = ("2", ["eval"], {})
    before = known_of(load("1"))

    assert settled(load("2"), before, holds=False)[:3] == new
    assert settled(load("2", "it uses the network"), before)[:3] == new
    assert settled(load("2", more="1"), before)[:3] == new
    assert settled(load("2", TIME), known_of(load("1"), day="1999-12-31"))[:3] == new
    assert settled(load("2"), known_of(load("2")))[:3] == new


def test_after_an_edit_the_rest_of_the_code_decides() -> None:
    before = known_of(load("1", RANDOM, state="a"))

    def edited(state: str, *unrecorded: str, inputs: bool = True) -> str:
        return settled(load("2", *unrecorded, state=state), before, holds=False, inputs=inputs)[0]

    assert edited("a", RANDOM) == "1"
    assert edited("b", RANDOM) == "2"
    assert edited("a", RANDOM, inputs=False) == "2"
    assert edited("a", RANDOM, "it uses the network") == "2"


def test_an_edit_that_is_taken_back_takes_its_value_along() -> None:
    known = known_of(load("1", RANDOM, state="a"))
    digests = []
    for number, state in enumerate(["b", "b", "a", "c", "b", "a"]):
        digest, _, _, known = settled(load(f"new {number}", RANDOM, state=state), known, holds=False)
        digests.append(digest)

    assert digests == ["new 0", "new 0", "1", "new 3", "new 0", "1"]
    for number in range(20):
        _, _, _, known = settled(load("x", RANDOM, state=f"state {number}"), known, holds=False)
    assert len(known.states["p.s"][KEY]) == 8


def test_the_part_of_a_value_that_differs_is_named() -> None:
    first = {"": "1", ".name": "n", ".kids": "k1", ".kids[0]": "j1", ".kids[0].token": "t1"}
    then = {"": "2", ".name": "n", ".kids": "k2", ".kids[0]": "j2", ".kids[0].token": "t2"}
    known = known_of(load("1", RANDOM, state="a", parts=first))
    found, known = settle(load("2", RANDOM, state="a", parts=then), known, holds=lambda: True, inputs_hold=lambda: True)
    assert (
        found.stages[0].unresolved[0].reason.startswith("`nodes.ROOT.kids[0].token` is another value at each import: ")
    )

    known = Known(**attrs.asdict(known))
    found, known = settle(
        load("3", RANDOM, state="a", parts={"": "3", ".name": "m"}),
        known,
        holds=lambda: False,
        inputs_hold=lambda: True,
    )
    told = found.stages[0].unresolved[0].reason
    assert told.startswith("`nodes.ROOT.name`, `nodes.ROOT.kids[0].token` are other values at each import: ")


def test_values_that_no_longer_vary_are_no_longer_reported() -> None:
    _, _, values, known = settled(load("2", RANDOM, state="a"), known_of(load("1", RANDOM, state="a")))
    assert values == {KEY: []}

    assert settled(load("3", RANDOM, state="b"), known, holds=False)[2] == {KEY: []}
    assert settled(load("2", RANDOM, state="b"), known, holds=False)[2] == {}
    assert settled(load("3"), known, holds=False)[2] == {}


def test_known_varying_values_are_reported_after_any_change() -> None:
    values = {KEY: [".token"], "const:other:X": []}
    found, known = settle(load("2"), Known(values=values), holds=lambda: False, inputs_hold=lambda: False)

    assert [edge.location for edge in found.stages[0].unresolved] == [AT, None]
    assert known.values == values
    assert found.stages[0].code[KEY].digest == "2"
    assert varying_values.codes(found.stages) == {"p.s": {KEY: "2"}}
