"""How directories differ from their listings."""

from hypothesis import given
from hypothesis import strategies as st

from pivot_cache.formats.tree import Tree, TreeDifference, compare
from pivot_core.lock import Artifact

files = st.dictionaries(
    st.sampled_from(["a", "b", "d/a", "d/b", "e/f/g"]),
    st.builds(Artifact, st.sampled_from(["0" * 32, "1" * 32]), st.just(1), executable=st.booleans()),
)


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    found = draw(files)
    free = [name for name in ("h", "i/j") if draw(st.booleans())]
    return Tree(found, tuple(free))


@given(trees(), trees())
def test_nothing_differs_if_and_only_if_they_are_equal(listed: Tree, found: Tree) -> None:
    differs = compare(listed, found)
    assert (differs == TreeDifference(listed=len(listed.files))) == (listed == found)


@given(trees(), trees())
def test_the_other_way_round_what_was_added_is_absent(listed: Tree, found: Tree) -> None:
    there, back = compare(listed, found), compare(found, listed)
    assert (there.changed, there.added, there.absent) == (back.changed, back.absent, back.added)


@given(trees(), trees())
def test_the_difference_turns_one_tree_into_the_other(listed: Tree, found: Tree) -> None:
    differs = compare(listed, found)
    now = {name: file for name, file in listed.files.items() if name not in differs.absent}
    now |= {name: found.files[name] for name in (*differs.changed, *differs.added) if not name.endswith("/")}
    assert now == found.files


def test_a_part_is_partial_and_an_edit_is_not() -> None:
    one, other = Artifact("0" * 32, 1), Artifact("1" * 32, 1)
    whole = Tree({"a": one, "b": other}, ("c",))
    assert compare(whole, Tree({"a": one})) == TreeDifference((), (), ("b", "c/"), 2)
    assert compare(whole, Tree({"a": one})).partial
    assert not compare(whole, Tree({"a": other})).partial
    assert not compare(whole, Tree({"a": one, "x": one}, ("c",))).partial
    assert not compare(whole, whole).partial
