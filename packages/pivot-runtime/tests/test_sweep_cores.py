"""The pure cores of sweeps: values, combinations, turns, and the choice of rows."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from pivot_cache.state.results import RecordedStage, Result
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact
from pivot_core.params.overrides import ParamError
from pivot_runtime.errors import TargetError
from pivot_runtime.sweeps import combinations
from pivot_runtime.sweeps.results import find, metrics_by_name, short_ids, whole
from pivot_runtime.sweeps.stage_turns import FAILED, GO, RESTORE, StageTurns, TurnRequest


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0.1,0.2", ["0.1", "0.2"]),
        ("1, 2 ", ["1", "2"]),
        ("[1,2]", ["[1,2]"]),
        ("[1,2],[3]", ["[1,2]", "[3]"]),
        ('{"a": [1, 2], "b": 3},{}', ['{"a": [1, 2], "b": 3}', "{}"]),
        ('"a, b",c', ["a, b", "c"]),
        ("'a,b'", ["a,b"]),
        ("it's,fine", ["it's", "fine"]),
        ('["x,y]",2],3', ['["x,y]",2]', "3"]),
        ("[1,2", ["[1,2"]),
        ('"open,1', ['"open,1']),
        ("", [""]),
        (",x", ["", "x"]),
    ],
)
def test_values_are_separated_by_commas(text: str, values: list[str]) -> None:
    assert list(combinations.split(text)) == values


@given(st.lists(st.lists(st.integers(), min_size=1, max_size=4, unique=True), min_size=1, max_size=3))
def test_each_combination_has_each_parameter_once(values: list[list[int]]) -> None:
    options = [f"train.p{at}={','.join(map(str, each))}" for at, each in enumerate(values)]
    axes = combinations.axes(options)
    assert [list(axis.values) for axis in axes] == [[str(value) for value in each] for each in values]
    found = list(combinations.combinations(axes))
    assert len(found) == len(set(found))
    for at, each in enumerate(values):
        assert {combination[at] for combination in found} == {f"train.p{at}={value}" for value in each}


def test_options_of_one_parameter_are_one_axis() -> None:
    (axis,) = combinations.axes(["train.rate=1,2", "train.rate=2,3"])
    assert axis.values == ("1", "2", "3")
    many = ",".join(map(str, range(101)))
    with pytest.raises(ParamError, match="10,201 combinations"):
        combinations.axes([f"train.a={many}", f"train.b={many}"])


def test_equal_stages_run_once() -> None:
    turns = StageTurns({})
    turns.ask(TurnRequest(1, "k"))
    turns.ask(TurnRequest(2, "k"))
    turns.ask(TurnRequest(3, ""))
    turns.ask(TurnRequest(4, ""))
    assert list(turns.answers()) == [(1, GO), (3, GO), (4, GO)]
    turns.end(1, done=True)
    assert list(turns.answers()) == [(2, RESTORE)]
    turns.end(2, done=True)  # it has no turn
    turns.ask(TurnRequest(5, "other"))
    turns.ask(TurnRequest(6, "other"))
    assert list(turns.answers()) == [(5, GO)]
    turns.gone(5)
    assert list(turns.answers()) == [(6, GO)]
    turns.end(6, done=False)
    turns.ask(TurnRequest(7, "other"))
    turns.ask(TurnRequest(8, "torn"))
    assert list(turns.answers()) == [(7, FAILED), (8, GO)]
    turns.end(8, done=None)
    turns.ask(TurnRequest(9, "torn"))
    turns.gone(9)
    assert list(turns.answers()) == []


def test_all_combinations_share_resources() -> None:
    turns = StageTurns({"gpu": 2})
    for number in (1, 2, 3):
        turns.ask(TurnRequest(number, str(number), {"gpu": 1, "mutex one": 1 if number < 3 else 0}))
    assert list(turns.answers()) == [(1, GO), (3, GO)]
    turns.end(3, done=True)
    assert list(turns.answers()) == []
    turns.end(1, done=True)
    assert list(turns.answers()) == [(2, GO)]


def result(**keys: str) -> Result:
    digest = "0" * 32
    out = {ArtifactPath("out"): Artifact(digest, 1)}
    stages = {f"p.{name}": RecordedStage(digest, key * 32, digest, outs=out) for name, key in keys.items()}
    return Result(stages)


def test_a_result_that_is_a_part_of_another_is_left_out() -> None:
    part, more, all_of_it, other = result(a="1"), result(a="1", b="2"), result(a="1", b="2", c="3"), result(a="4")
    found = {each.id: each for each in (part, more, all_of_it, other)}
    assert list(whole(found)) == [all_of_it.id, other.id]
    assert list(whole({part.id: part})) == [part.id]


def test_ids_are_found_by_their_first_digits() -> None:
    one, two = "a" * 8 + "1" * 24, "a" * 8 + "2" * 24
    found = {one: result(a="1"), two: result(a="2")}
    assert short_ids(found) == {one: "a" * 8 + "1", two: "a" * 8 + "2"}
    assert find(found, "AAAAAAAA1") == one
    for digits, problem in (("a" * 8, "several results"), ("ffff", "no result"), ("a", "too short")):
        with pytest.raises(TargetError, match=problem):
            find({one: found[one]} if digits == "a" else found, digits)


def test_metrics_of_several_files_have_names_of_their_own() -> None:
    metrics = {"a.json": {"x": 1, "y": {"z": 2}}, "b.json": {"x": 3}, "c.json": 4}
    assert metrics_by_name(metrics) == {"a.json:x": 1, "y.z": 2, "b.json:x": 3, "c.json": 4}
