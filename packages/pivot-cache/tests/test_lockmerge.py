"""Merging lock files: a side or nothing."""

from hypothesis import given
from hypothesis import strategies as st

from pivot_cache.formats import lock_file
from pivot_cache.formats.lock_merge import STALE, merge
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact, CodeEntry, Inputs, StageLock
from pivot_core.spec import Location, OutSpec

OUT = ArtifactPath("out.json")


def lock(code: str = "a", *, rate: float = 1, dep: str = "b", out: str = "c", line: int = 1) -> bytes:
    """A lock file that these make."""
    inputs = Inputs(
        1,
        {"func:p:f": CodeEntry(code * 32, Location("p.py", line))},
        {"rate": rate},
        {ArtifactPath("in.json"): Artifact(dep * 32, 1)},
        (OutSpec(OUT),),
    )
    return lock_file.dumps(StageLock(inputs, {OUT: Artifact(out * 32, 1)})).encode()


def test_a_side_that_changed_nothing_gives_way() -> None:
    old, new = lock("a"), lock("b")
    assert merge(old, old, new) == new
    assert merge(old, new, old) == new
    assert merge(old, new, new) == new
    assert merge(old, STALE, old) == STALE
    assert merge(STALE, STALE, new) == new


def test_the_side_whose_inputs_are_those_of_the_merge() -> None:
    base = lock("a", rate=1)
    assert merge(base, lock("b", rate=2), lock("b", rate=1)) == lock("b", rate=2)
    assert merge(base, lock("b", rate=1), lock("b", rate=2)) == lock("b", rate=2)
    assert merge(base, lock("b", line=9), lock("b", line=1)) == lock("b", line=9), "where code stands is no input"
    assert merge(base, lock("a", out="d"), lock("b", out="e")) == lock("b", out="e")
    assert merge(base, lock("b", out="d"), lock("b", out="e")) == lock("b", out="d"), "both have run the same"
    assert merge(STALE, lock("b", line=1), lock("b", line=2)) == lock("b", line=1)


def test_inputs_that_neither_side_has_run_are_stale() -> None:
    base = lock("a", rate=1)
    assert merge(base, lock("b", rate=1), lock("a", rate=2)) == STALE
    assert merge(base, lock("b"), lock("c")) == STALE
    assert merge(STALE, lock("b"), lock("c")) == STALE
    assert merge(base, STALE, lock("c")) == STALE
    assert merge(base, b"<<<<<<< HEAD\n", lock("c")) == STALE
    assert merge(b"{", lock("b"), b"\xff") == STALE


@given(st.lists(st.tuples(*[st.sampled_from("ab")] * 3, st.integers(1, 2)), min_size=3, max_size=3))
def test_every_merge_result_is_a_matching_side(sides: list[tuple[str, str, str, int]]) -> None:
    texts = [lock(code, dep=dep, out=out, rate=rate) for code, dep, out, rate in sides]
    base, ours, theirs = texts
    done = merge(base, ours, theirs)
    assert done in (ours, theirs, STALE)
    if done != STALE and theirs not in (base, ours) and ours != base:
        given_facts = [(code, dep, rate) for code, dep, _, rate in sides]
        for was, our, their, now in zip(*given_facts, given_facts[1 if done == ours else 2], strict=True):
            assert now == (their if our == was else our)
            assert their in (was, our) or our == was
    other = merge(base, theirs, ours)
    assert (done == STALE) == (other == STALE)


def test_an_unreadable_part_is_never_half_taken() -> None:
    newer = lock("b").replace(b'"format": 1', b'"format": 99')
    assert merge(lock("a"), newer, lock("c")) == STALE
    assert merge(lock("a"), newer, lock("a")) == newer
