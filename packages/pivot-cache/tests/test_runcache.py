"""The run cache remembers runs, and forgets rather than fails."""

import errno
import json
import os
from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pivot_cache import CacheError, CacheMemory, ObjectStore, RunCache
from pivot_cache.files.signatures import stat_signature
from pivot_core.decide import Memory
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact, CodeEntry, RunRecord
from pivot_core.spec import Location

KEY = "c" * 32
RECORD = RunRecord(KEY, {ArtifactPath("b"): Artifact("a" * 32, 3), ArtifactPath("a"): Artifact("b" * 32, 0, True)})

hexes = st.integers(0, 2**128 - 1).map("{:032x}".format)
records = st.builds(
    RunRecord,
    hexes,
    st.dictionaries(
        st.text("aé /.", min_size=1).map(lambda text: ArtifactPath(f"x{text.replace('/', 'y')}")),
        st.builds(Artifact, hexes, st.integers(0, 2**63 - 1), st.booleans()),
        max_size=4,
    ),
    st.dictionaries(st.sampled_from(["func:m:f", "module:m"]), st.builds(CodeEntry, hexes), max_size=2),
    st.none() | st.integers(0, 2**40),
)
SEEN = RunRecord(KEY, {}, {"func:plugins:run": CodeEntry("d" * 32, Location("plugins.py", 1))})


@pytest.fixture
def runs(tmp_path: Path) -> RunCache:
    return RunCache(tmp_path / "runs")


def file_of(runs: RunCache) -> Path:
    return runs.directory / KEY[:2] / KEY[2:]


@settings(deadline=None)
@given(records)
def test_stored_records_are_found(tmp_path_factory: pytest.TempPathFactory, record: RunRecord) -> None:
    runs = RunCache(tmp_path_factory.getbasetemp() / "runs")
    runs.put(record)

    assert runs.get(record.key)[0] == record


def test_an_unknown_key_has_no_record(runs: RunCache) -> None:
    assert runs.get(KEY) == ()
    assert not runs.directory.exists()


def test_the_same_record_is_not_written_again_and_another_replaces_it(runs: RunCache) -> None:
    runs.put(RECORD)
    before = stat_signature(file_of(runs).stat())
    runs.put(RunRecord(KEY, dict(reversed(list(RECORD.outs.items())))))
    assert stat_signature(file_of(runs).stat()) == before

    runs.put(RunRecord(KEY, {}))
    assert runs.get(KEY) == (RunRecord(KEY, {}),)


def content(**other: object) -> bytes:
    """A file with one empty run, but for what is given."""
    runs: list[object] = [{"outs": {}, "observed": {}}]
    return json.dumps({"format": 1, "algorithm": "xxh3-128", "key": KEY, "runs": runs, **other}).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 99,
        b"\xff",
        b"[" * 100_000,
        b"[]",
        b"{}",
        content(format=2),
        content(algorithm="md5"),
        content(key="0" * 32),
        content(runs=[{"outs": {"../x": {}}, "observed": {}}]),
        content(runs=[{"outs": {"x": {"digest": 1}}, "observed": {}}]),
        content(runs=[{"outs": {}}]),
        b'{"format": 1, "algorithm": "xxh3-128", "key": "%s", "runs": [], "runs": []}' % KEY.encode(),
        b'{"format": 1, "algorithm": "xxh3-128", "key": "%s", "runs": 3}' % KEY.encode(),
    ],
)
def test_a_damaged_or_foreign_record_is_none_and_can_be_put_again(runs: RunCache, data: bytes) -> None:
    runs.put(RECORD)
    file_of(runs).write_bytes(data)

    assert runs.get(KEY) == ()
    runs.put(RECORD)
    assert runs.get(KEY) == (RECORD,)


def test_a_directory_in_the_way_is_no_record_and_can_be_put_again(runs: RunCache) -> None:
    (file_of(runs) / "inner").mkdir(parents=True)

    assert runs.get(KEY) == ()
    runs.put(RECORD)
    assert runs.get(KEY) == (RECORD,)


def test_a_pipe_in_the_way_is_no_record_and_can_be_put_again(runs: RunCache) -> None:
    file_of(runs).parent.mkdir(parents=True)
    os.mkfifo(file_of(runs))

    assert runs.get(KEY) == ()
    runs.put(RECORD)
    assert runs.get(KEY) == (RECORD,)


def test_only_digests_become_paths(runs: RunCache) -> None:
    with pytest.raises(CacheError, match="is not a digest"):
        runs.get("../../x")
    with pytest.raises(CacheError, match="is not a digest"):
        runs.put(RunRecord("../../x", {}))


def test_a_full_disk_is_named(runs: RunCache, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> int:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(CacheError, match="the disk is full"):
        runs.put(RECORD)
    assert runs.get(KEY) == ()


def test_runs_that_observed_different_code_are_remembered_side_by_side(runs: RunCache) -> None:
    """The newest first; the same observation takes the place of the older one; and not without end."""
    runs.put(SEEN)
    runs.put(RECORD)
    assert runs.get(KEY) == (RECORD, SEEN)

    runs.put(SEEN)
    assert runs.get(KEY) == (SEEN, RECORD)
    for number in range(40):
        runs.put(RunRecord(KEY, {}, {"func:m:f": CodeEntry(f"{number:032x}")}))
    assert len(runs.get(KEY)) == 16


def test_the_memory_takes_only_runs_whose_observations_hold(runs: RunCache, tmp_path: Path) -> None:
    runs.put(RECORD)
    runs.put(SEEN)
    store = ObjectStore(tmp_path / "files")

    assert [*CacheMemory(store, lambda: runs).recorded(KEY)] == [RECORD]
    assert [*CacheMemory(store, lambda: runs, holds=lambda _: True).recorded(KEY)] == [SEEN, RECORD]
    assert not [*CacheMemory(store, lambda: runs, holds=lambda _: False).recorded(KEY)]


def test_the_memory_of_a_cache_is_its_runs_and_objects(runs: RunCache, tmp_path: Path) -> None:
    store = ObjectStore(tmp_path / "files")
    memory: Memory = CacheMemory(store, lambda: runs)
    (tmp_path / "source").write_bytes(b"x")
    artifact = store.put(tmp_path / "source")
    runs.put(RECORD)

    assert [*memory.recorded(KEY)] == [RECORD]
    assert not [*memory.recorded("0" * 32)]
    assert memory.has(artifact)
    assert not memory.has(attrs.evolve(artifact, digest="0" * 32))
