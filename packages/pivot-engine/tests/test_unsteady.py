"""Values that differ at each import for no reason."""

import pytest

from pivot_core.lock import CodeEntry, Unresolved
from pivot_core.spec import Location, StageSpec
from pivot_engine import unsteady
from pivot_engine._chance import RANDOM, TIME
from pivot_engine.loaded import Loaded, LoadedStage

AT = Location("nodes.py", 3)
KEY = "const:nodes:ROOT"


def load(digest: str, *unrecorded: str, **more: str) -> Loaded:
    code = {KEY: CodeEntry(digest, AT), **{key: CodeEntry(each) for key, each in more.items()}}
    stage = LoadedStage(StageSpec("s", "p", "", AT), code, (Unresolved("eval"),))
    return Loaded(1, (stage,), {}, None, unrecorded)


def settled(
    now: Loaded, before: Loaded, *, holds: bool = True, day: str | None = None
) -> tuple[str, list[str], tuple[str, ...]]:
    found, known = unsteady.settle(
        now, unsteady.codes(before), (), day=unsteady.day() if day is None else day, holds=lambda: holds
    )
    (stage,) = found.stages
    return stage.code[KEY].digest, [edge.reason[:12] for edge in stage.unresolved], known


@pytest.mark.parametrize("unrecorded", [(), (RANDOM,), (TIME,), (RANDOM, TIME)])
def test_what_differs_for_no_reason_counts_as_before_and_is_told(unrecorded: tuple[str, ...]) -> None:
    assert settled(load("2", *unrecorded), load("1")) == ("1", ["`nodes.ROOT`", "eval"], (KEY,))


def test_what_differs_for_a_reason_counts() -> None:
    new = ("2", ["eval"], ())

    assert settled(load("2"), load("1"), holds=False) == new
    assert settled(load("2", "it uses the network"), load("1")) == new
    assert settled(load("2", more="1"), load("1")) == new
    assert settled(load("2", TIME), load("1"), day="1999-12-31") == new
    assert settled(load("2"), load("2")) == new


def test_what_is_known_is_told_whatever_has_changed() -> None:
    found, known = unsteady.settle(load("2"), {}, (KEY, "const:other:X"), day="", holds=lambda: False)

    assert [edge.location for edge in found.stages[0].unresolved] == [AT, None]
    assert known == (KEY, "const:other:X")
    assert found.stages[0].code[KEY].digest == "2"
