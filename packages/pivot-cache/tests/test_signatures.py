"""A signature changes with the file that it is of, and the clock rule says from when on that must be so."""

import os

from hypothesis import given
from hypothesis import strategies as st

from pivot_cache.files import signatures

SECOND_NS = 1_000_000_000

times = st.integers(0, 4 * 10**18)
fine_steps = st.integers(1, 20_000_000)
coarse_steps = st.sampled_from([SECOND_NS, 2 * SECOND_NS])
statuses = st.tuples(*[st.integers(0, 12)] * 5)


def status(fields: tuple[int, ...]) -> os.stat_result:
    device, inode, size, modified, changed = fields
    return os.stat_result([0, inode, device, 1, 0, 0, size, 0, 0, 0], {"st_mtime_ns": modified, "st_ctime_ns": changed})


@given(first=times, wait=st.integers(0, 10 * SECOND_NS), step=fine_steps | coarse_steps)
def test_an_edit_after_the_time_of_the_rule_has_another_time_stamp(first: int, wait: int, step: int) -> None:
    """Whatever the step of the file system's clock, up to 20 ms, or up to 2 s in whole seconds."""
    stamped = first // step * step
    edited = max(first, signatures.settles_at(stamped)) + wait

    assert edited // step * step != stamped


@given(st.lists(times))
def test_files_are_settled_once_each_of_them_is(changed: list[int]) -> None:
    assert signatures.settles_at(*changed) == max(map(signatures.settles_at, changed), default=0)


@given(statuses, statuses)
def test_two_statuses_have_one_signature_only_if_they_are_equal(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    first, second = (signatures.stat_signature(status(each)) for each in (one, other))

    assert (first == second) == (one == other)
