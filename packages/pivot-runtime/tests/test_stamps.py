"""Stamps follow the one clock rule."""

import pathlib

from hypothesis import given
from hypothesis import strategies as st

from pivot_cache.files.signatures import settles_at
from pivot_runtime.freshness.stamps import ABSENT, are_settled, dir_stamp, is_settled, stamp, stamp_all

times = st.integers(0, 4 * 10**18)
near = st.sampled_from([-1, 0, 1, 19_999_999, 20_000_000, 1_999_999_999, 2_000_000_000])


@given(changed=times | times.map(lambda each: each // 10**9 * 10**9), later=near)
def test_a_stamp_is_settled_as_the_signature_of_its_file_is(changed: int, later: int) -> None:
    assert is_settled(f"{changed} 1 2 3 4 5", changed + later) == (settles_at(changed) <= changed + later)


@given(st.lists(times), times)
def test_stamps_are_settled_if_each_is(changed: list[int], now: int) -> None:
    stamps = [ABSENT, *(f"{each} 1 2 3 4 5" for each in changed)]

    assert are_settled(stamps, now) == all(is_settled(each, now) for each in stamps)


def test_only_settled_paths_are_named(tmp_path: pathlib.Path) -> None:
    """An absent path, and the mere identity of a directory, are settled at any time."""
    file, directory, nothing = (str(tmp_path / name) for name in ("file", "directory", "nothing"))
    pathlib.Path(file).touch()
    pathlib.Path(directory).mkdir()
    changed = pathlib.Path(file).stat().st_ctime_ns
    stamps = {file: stamp(file), directory: dir_stamp(directory), nothing: ABSENT}

    assert stamp_all(stamps, {directory}, changed) == (stamps, {directory, nothing})
    assert stamp_all(stamps, {directory}, settles_at(changed)) == (stamps, set(stamps))
