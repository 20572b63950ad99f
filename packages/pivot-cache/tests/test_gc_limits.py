"""Limits of a collection: what goes first, and what stays."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from pivot_cache.maintenance.gc_limits import Candidate, Choice, Limits, RecentRun, choose

NOW = 100


def chosen(
    limits: Limits,
    unneeded: Mapping[str, tuple[int, int]],
    of_runs: Mapping[str, tuple[int, int]] | None = None,
    runs: Mapping[str, tuple[int, str]] | None = None,
    *,
    rooted: int = 0,
) -> Choice:
    """Each object is its size and the time of its last use; each run the latter, and a letter for each object."""
    first = {digest: Candidate(*facts) for digest, facts in unneeded.items()}
    second = {digest: Candidate(*facts) for digest, facts in (of_runs or {}).items()}
    size = rooted + sum(each.size for each in (*first.values(), *second.values()))
    recent = {key: RecentRun(used, frozenset(digests)) for key, (used, digests) in (runs or {}).items()}
    return choose(size, first, second, recent, limits, NOW)


def test_only_what_was_not_used_for_long_is_removed() -> None:
    found = chosen(Limits(unused_ns=50), {"a": (1, 50), "b": (1, 51)}, {"c": (9, 0)}, {"run": (0, "c")})
    assert (found.remove, found.runs) == ({"a": 1}, ())


def test_the_least_recently_used_goes_first_and_no_more_than_necessary() -> None:
    objects = {"a": (4, 30), "b": (4, 10), "c": (4, 20)}
    assert chosen(Limits(max_size=5), objects).remove == {"b": 4, "c": 4}
    assert chosen(Limits(max_size=12), objects).remove == {}
    assert chosen(Limits(max_size=0, unused_ns=75), objects).remove == {"b": 4, "c": 4}


def test_results_of_recent_runs_go_after_all_else_and_as_a_whole() -> None:
    runs = {"new": (90, "xyr"), "old": (80, "yz"), "needed": (1, "r")}
    of_runs = {"x": (5, 0), "y": (5, 0), "z": (5, 0)}
    found = chosen(Limits(max_size=10), {"a": (5, 99)}, of_runs, runs)
    assert (found.remove, found.runs) == ({"a": 5, "z": 5}, ("old",)), "the other run still needs y"
    found = chosen(Limits(max_size=9), {"a": (5, 99)}, of_runs, runs, rooted=100)
    assert (found.remove, found.runs) == ({"a": 5, "x": 5, "y": 5, "z": 5}, ("old", "new"))
    assert chosen(Limits(max_size=9, unused_ns=20), {}, of_runs, runs).runs == ("old",)


FACTS = st.tuples(st.integers(0, 5), st.integers(0, NOW))


@given(
    st.dictionaries(st.sampled_from("abc"), FACTS),
    st.dictionaries(st.sampled_from("xyz"), FACTS),
    st.dictionaries(
        st.sampled_from("123"), st.tuples(st.integers(0, NOW), st.sets(st.sampled_from("xyzr")).map("".join))
    ),
    st.integers(0, 20),
)
def test_the_size_is_respected_as_far_as_possible(
    unneeded: dict[str, tuple[int, int]],
    of_runs: dict[str, tuple[int, int]],
    runs: dict[str, tuple[int, str]],
    most: int,
) -> None:
    found = chosen(Limits(max_size=most), unneeded, of_runs, runs)
    sizes = {digest: size for digest, (size, _) in (*unneeded.items(), *of_runs.items())}
    left = sum(sizes.values()) - sum(found.remove.values())
    still = set("".join(digests for key, (_, digests) in runs.items() if key not in found.runs))
    assert still.isdisjoint(found.remove), "what a remaining run needs stays"
    removable = {digest for digest in of_runs if any(digest in digests for _, digests in runs.values())}
    assert left <= most or found.remove.keys() == unneeded.keys() | removable
    assert not any(digest in of_runs for digest in found.remove) or unneeded.keys() <= found.remove.keys()
