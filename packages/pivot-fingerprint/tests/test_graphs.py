"""Strongly connected components compared with plain reachability, and sets of bits with sets."""

from hypothesis import given
from hypothesis import strategies as st

from pivot_fingerprint.imports.graphs import BitSets, bit_positions, components

graphs = st.lists(st.lists(st.integers(0, 11), max_size=4), min_size=12, max_size=12)


def reachable(graph: list[list[int]], start: int) -> set[int]:
    found, stack = {start}, [start]
    while stack:
        stack += (new := set(graph[stack.pop()]) - found)
        found |= new
    return found


@given(graphs)
def test_components_are_nodes_that_reach_each_other(graph: list[list[int]]) -> None:
    groups = list(components(0, lambda node: graph[node]))

    met = [node for group in groups for node in group]
    assert sorted(met) == sorted(reachable(graph, 0))
    before: set[int] = set()
    for group in groups:
        for node in group:
            ahead = reachable(graph, node)
            assert set(group) == {each for each in ahead if node in reachable(graph, each)}
            assert ahead <= before | set(group)
        before |= set(group)


def test_a_long_chain_needs_no_recursion() -> None:
    groups = list(components(0, lambda node: [node + 1] if node < 20_000 else [0, 19_999]))

    assert len(groups) == 1
    assert len(groups[0]) == 20_001


@given(st.lists(st.text(max_size=2)), st.lists(st.text(max_size=2)))
def test_bit_sets_are_sets(ones: list[str], others: list[str]) -> None:
    bits = BitSets[str]()
    one, other = bits.all(ones), bits.all(others)

    assert set(bits.items(one | other)) == {*ones, *others}
    assert set(bits.items(one & other)) == set(ones) & set(others)
    assert one.bit_count() == len(set(ones)) == len(list(bit_positions(one)))
    assert bits.all(ones) == one
