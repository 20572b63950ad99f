"""The knowledge about remotes counts for a while, is corrected by their answers, and may be lost at any time."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_cache.state.known_objects import LIFETIME_S, KnownObjects

A, B, C = ("a" * 32, "b" * 32, "c" * 32)
HERE, THERE = "s3://here", "s3://there"


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def known(tmp_path: Path, clock: Clock) -> KnownObjects:
    return KnownObjects(tmp_path / "state.db" / "remotes.sqlite", clock=clock)


def test_nothing_is_known_and_nothing_is_made(known: KnownObjects, tmp_path: Path) -> None:
    assert known.among(HERE, {A}) == set()
    known.forget(HERE)
    known.add(HERE, [])
    assert list(tmp_path.iterdir()) == []


def test_each_remote_is_known_by_itself(known: KnownObjects) -> None:
    known.add(HERE, {A, B})
    known.add(THERE, {C})

    assert known.among(HERE, {A, B, C}) == {A, B}
    assert known.among(THERE, {A, B, C}) == {C}
    assert known.among(HERE, set()) == set()


def test_complete_listings_are_distinguished(known: KnownObjects) -> None:
    known.add(HERE, {A, B})
    known.add(HERE, {B}, whole=True)
    known.add(HERE, {B})

    assert known.among(HERE, {A, B}, whole=True) == {B}


def test_knowledge_expires_and_none_comes_from_the_future(known: KnownObjects, clock: Clock) -> None:
    known.add(HERE, {A})
    clock.now += LIFETIME_S
    assert known.among(HERE, {A}) == {A}

    clock.now += 1
    assert known.among(HERE, {A}) == set()

    clock.now -= 3 * LIFETIME_S
    assert known.among(HERE, {A}) == set()


def test_old_entries_are_removed(known: KnownObjects, clock: Clock, tmp_path: Path) -> None:
    known.add(HERE, {A})
    clock.now += LIFETIME_S + 1
    known.add(HERE, {B})

    with sqlite3.connect(tmp_path / "state.db" / "remotes.sqlite") as database:
        assert database.execute("SELECT digest FROM known").fetchall() == [(B,)]
    database.close()


def test_forgotten_objects_make_no_listing_complete(known: KnownObjects) -> None:
    known.add(HERE, {A, B})
    known.add(HERE, {C}, whole=True)
    known.forget(HERE, set())
    assert known.among(HERE, {C}, whole=True) == {C}

    known.forget(HERE, {A})
    assert known.among(HERE, {A, B, C}) == {B, C}
    assert known.among(HERE, {C}, whole=True) == set()


def test_all_of_one_remote_is_forgotten(known: KnownObjects) -> None:
    known.add(HERE, {A})
    known.add(THERE, {A})
    known.forget(HERE)

    assert known.among(HERE, {A}) == set()
    assert known.among(THERE, {A}) == {A}


def test_many_digests(known: KnownObjects) -> None:
    digests = {f"{number:032x}" for number in range(3000)}
    known.add(HERE, digests)

    assert known.among(HERE, {*digests, A}) == digests


def test_a_damaged_file_is_replaced(known: KnownObjects, tmp_path: Path) -> None:
    known.add(HERE, {A})
    (tmp_path / "state.db" / "remotes.sqlite").write_bytes(b"not a database at all, but long enough" * 100)

    assert known.among(HERE, {A}) == set()
    known.add(HERE, {B})
    assert known.among(HERE, {A, B}) == {B}


def test_a_newer_file_is_left_alone(known: KnownObjects, tmp_path: Path) -> None:
    file = tmp_path / "state.db" / "remotes.sqlite"
    known.add(HERE, {A})
    with sqlite3.connect(file) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    before = file.read_bytes()

    known.add(HERE, {B})
    assert known.among(HERE, {A, B}) == set()
    assert file.read_bytes() == before


def test_a_place_that_cannot_be_written_means_that_nothing_is_known(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "file").touch()
    known = KnownObjects(tmp_path / "file" / "remotes.sqlite", clock=clock)
    known.add(HERE, {A})

    assert known.among(HERE, {A}) == set()


@given(
    st.lists(st.tuples(st.sampled_from(["add", "whole", "forget"]), st.sets(st.sampled_from([A, B, C]), min_size=1)))
)
def test_knowledge_is_what_was_added_and_not_forgotten(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, set[str]]]
) -> None:
    known = KnownObjects(tmp_path_factory.mktemp("known") / "remotes.sqlite", clock=Clock())
    there: set[str] = set()
    whole: set[str] = set()
    for step, digests in steps:
        if step == "forget":
            known.forget(HERE, digests)
            there, whole = there - digests, set()
        else:
            known.add(HERE, digests, whole=step == "whole")
            there |= digests
            whole |= digests if step == "whole" else set()

    assert known.among(HERE, {A, B, C}) == there
    assert known.among(HERE, {A, B, C}, whole=True) == whole
