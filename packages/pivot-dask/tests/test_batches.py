"""Stage runs that are sent to the scheduler together."""

import pytest

from pivot_dask import batches
from pivot_dask.batches import Submission, submission


def of(number: int, priority: int = 0, **resources: float) -> Submission:
    of_run = {"run": "r", "sources": "s", "topic": "t"}
    return submission(number, b"x" * 40, name="p.a-b", resources=resources, priority=priority, of_run=of_run)


def test_those_with_the_same_resources_and_priority_are_sent_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_MOST_BYTES", 100)
    queue = [of(1), of(2, gpu=1), of(3), of(4, priority=1), of(5, gpu=1), of(6), of(7, gpu=2)]
    found = [[each.number for each in batch] for batch in batches.batches(queue)]
    assert found == [[1, 3], [6], [2, 5], [4], [7]]
    assert len({each.key for each in queue}) == len(queue)
    assert queue[0].key.split("-")[0] == "p.a\N{NON-BREAKING HYPHEN}b"
