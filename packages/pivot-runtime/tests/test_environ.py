"""Recording of `os.environ` reports how code uses it, and changes nothing that code finds."""

import os
from collections.abc import Iterator

import pytest

from pivot_runtime.tracing import environ


@pytest.fixture
def uses(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    monkeypatch.setenv("A_NAME", "value")
    found: list[object] = []
    environ.record(found.append, lambda names: found.append(set(names)), lambda: found.append(len))
    yield found
    environ.stop_recording()


def test_a_read_is_reported_by_its_name(uses: list[object]) -> None:
    assert os.environ["A_NAME"] == os.getenv("A_NAME") == "value"
    assert os.environb[b"A_NAME"] == b"value"
    assert "ABSENT" not in os.environ

    assert uses == ["A_NAME", "A_NAME", b"A_NAME", "ABSENT"]


def test_all_names_are_reported_before_they_are_copied(uses: list[object]) -> None:
    names = set(os.environ.copy())

    assert uses[0] == names
    assert set(uses[1:]) == names


def test_counting_is_reported(uses: list[object]) -> None:
    assert len(os.environ) > 0
    assert uses == [len]


def test_nothing_is_reported_after_the_end(uses: list[object]) -> None:
    before = type(os.environ)
    environ.stop_recording()
    assert os.environ["A_NAME"] == "value"

    assert uses == []
    assert type(os.environ) is not before
    assert issubclass(before, type(os.environ))
