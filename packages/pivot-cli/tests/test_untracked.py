"""Untracked code, for readers."""

from pivot_cli.views import untracked
from pivot_core.lock import UnresolvedCode
from pivot_core.spec import Location

COMPUTED = "this takes an attribute whose name is computed (`getattr`)"
LOCK = "a value of type _thread.lock has no canonical form"
EDGES = (
    UnresolvedCode(COMPUTED, Location("a.py", 1)),
    UnresolvedCode(COMPUTED, Location("a.py", 2)),
    UnresolvedCode(LOCK),
    UnresolvedCode(COMPUTED, Location("b.py", 3)),
)


def test_each_reason_stands_once_with_its_first_place_and_the_weighty_stand_first() -> None:
    assert list(untracked.explanation_lines(EDGES, verbose=False)) == [
        f"    {LOCK}",
        f"    {COMPUTED}",
        "      File: a.py:1",
        "      2 more like this: --verbose shows all",
    ]
    assert list(untracked.fingerprint_lines(EDGES, verbose=False)) == [
        f"    {LOCK}",
        f"    {COMPUTED}  a.py:1 and 2 more",
    ]


def test_verbose_shows_every_place() -> None:
    places = ["      File: a.py:1", "      File: a.py:2", "      File: b.py:3"]

    assert list(untracked.explanation_lines(EDGES, verbose=True)) == [f"    {LOCK}", f"    {COMPUTED}", *places]
    assert len(list(untracked.fingerprint_lines(EDGES, verbose=True))) == len(EDGES)


def test_many_reasons_are_cut_short_but_with_verbose() -> None:
    edges = [UnresolvedCode(f"the name `x{number}` is not defined") for number in range(25)]

    assert list(untracked.explanation_lines(edges, verbose=False))[-1] == "    5 more reasons: --verbose shows all"
    assert len(list(untracked.explanation_lines(edges, verbose=True))) == len(edges)
