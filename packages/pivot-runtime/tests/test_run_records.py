"""Records of a run: objects first, then the run record, the lock last; and never of an out that is not stored."""

import time
from collections.abc import Iterator
from typing import Annotated

import pytest
from workshop import Workshop

from pivot_cache.errors import CacheError
from pivot_core.loaders import Text
from pivot_core.lock import Observation, RunRecord
from pivot_core.stages.annotations import Out
from pivot_runtime.evaluating.evaluate import observe
from pivot_runtime.evaluating.session import Session, open_session
from pivot_runtime.running.outs import Outs
from pivot_runtime.running.run_records import RunRecords


class Recording:
    """A run whose stages a test ends by hand."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.outs = Outs(session)
        self.records = RunRecords(session, session.graph.stages, self.outs, since=time.monotonic())

    def end(self, address: str) -> RunRecord:
        """Write the outs of a stage, and add its run."""
        spec = self.session.graph.stages[address]
        self.outs.stash(spec, None)
        for out in spec.outs:
            (self.session.project.root / out.path).write_text("new")
        observation = self._observe(address)
        record = RunRecord(observation.inputs.key(), self.outs.store(spec))
        self.records.add(address, None, observation, record)
        return record

    def _observe(self, address: str) -> Observation:
        session = self.session
        return observe(session.stages[address], session.graph, session, lock=None, schema=session.schema)


@pytest.fixture
def recording(shop: Workshop) -> Iterator[Recording]:
    def first() -> Annotated[str, Out("a", Text())]:
        return ""

    def second() -> Annotated[str, Out("b", Text())]:
        return ""

    shop.pipeline.register(first)
    shop.pipeline.register(second, always=True)
    with open_session(shop.context, shop.assembly()) as session:
        yield Recording(session)


def test_stages_are_recorded_in_the_order_of_their_ends(shop: Workshop, recording: Recording) -> None:
    second, first = recording.end("p.second"), recording.end("p.first")
    assert shop.locks() == {}

    assert recording.records.write() == ["p.second", "p.first"]
    assert recording.records.write() == []
    assert set(shop.locks()) == {"p.first.lock", "p.second.lock"}
    assert recording.session.runs.get(first.key) == (first,)
    assert recording.session.runs.get(second.key) == (), "a stage that always runs is never restored"
    assert not any(shop.layout.stash_dir.glob("*"))


def test_outs_that_cannot_be_stored_are_put_back_and_not_recorded(shop: Workshop, recording: Recording) -> None:
    old = shop.write("a", "old")
    recording.end("p.first")
    shop.layout.cache_dir.touch()

    recording.records.put_back_unstored()

    assert old.read_text() == "old"
    assert recording.records.write() == []
    assert shop.locks() == {}


def test_the_lock_is_written_last(shop: Workshop, recording: Recording) -> None:
    """Where the run record cannot be written, no lock is."""
    recording.end("p.first")
    shop.layout.runs_dir.parent.mkdir()
    shop.layout.runs_dir.touch()

    with pytest.raises(CacheError, match="runs"):
        recording.records.write()
    assert shop.locks() == {}
