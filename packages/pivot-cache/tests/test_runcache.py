"""The run cache remembers runs, and forgets rather than fails."""

import errno
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pivot_cache import CacheError, CacheMemory, ObjectStore, RunCache
from pivot_core.decide import Memory
from pivot_core.lock import Artifact, RunRecord
from pivot_core.paths import ArtifactPath

KEY = "c" * 32
RECORD = RunRecord(KEY, {ArtifactPath("b"): Artifact("a" * 32, 3), ArtifactPath("a"): Artifact("b" * 32, 0, True)})

hexes = st.integers(0, 2**128 - 1).map("{:032x}".format)
records = st.builds(
    RunRecord,
    hexes,
    st.dictionaries(
        st.text("aé /.", min_size=1).map(lambda text: ArtifactPath(f"x{text.replace('/', 'y')}")),
        st.builds(Artifact, hexes, st.integers(0, 2**63), st.booleans()),
        max_size=4,
    ),
)


@pytest.fixture
def runs(tmp_path: Path) -> RunCache:
    return RunCache(tmp_path / "runs")


def file_of(runs: RunCache) -> Path:
    return runs.directory / KEY[:2] / KEY[2:]


@settings(deadline=None)
@given(records)
def test_what_was_put_is_got(tmp_path_factory: pytest.TempPathFactory, record: RunRecord) -> None:
    runs = RunCache(tmp_path_factory.getbasetemp() / "runs")
    runs.put(record)

    assert runs.get(record.key) == record


def test_an_unknown_key_is_no_record(runs: RunCache) -> None:
    assert runs.get(KEY) is None
    assert not runs.directory.exists()


def test_the_same_record_is_not_written_again_and_another_replaces_it(runs: RunCache) -> None:
    runs.put(RECORD)
    before = file_of(runs).stat()
    runs.put(RunRecord(KEY, dict(reversed(list(RECORD.outs.items())))))
    assert file_of(runs).stat() == before

    runs.put(RunRecord(KEY, {}))
    assert runs.get(KEY) == RunRecord(KEY, {})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 99,
        b"\xff",
        b"[" * 100_000,
        b"[]",
        b"{}",
        json.dumps({"format": 2, "algorithm": "xxh3-128", "key": KEY, "outs": {}}).encode(),
        json.dumps({"format": 1, "algorithm": "md5", "key": KEY, "outs": {}}).encode(),
        json.dumps({"format": 1, "algorithm": "xxh3-128", "key": "0" * 32, "outs": {}}).encode(),
        json.dumps({"format": 1, "algorithm": "xxh3-128", "key": KEY, "outs": {"../x": {}}}).encode(),
        json.dumps({"format": 1, "algorithm": "xxh3-128", "key": KEY, "outs": {"x": {"digest": 1}}}).encode(),
        b'{"format": 1, "algorithm": "xxh3-128", "key": "%s", "outs": {}, "outs": {}}' % KEY.encode(),
    ],
)
def test_a_damaged_or_foreign_record_is_none_and_can_be_put_again(runs: RunCache, content: bytes) -> None:
    runs.put(RECORD)
    file_of(runs).write_bytes(content)

    assert runs.get(KEY) is None
    runs.put(RECORD)
    assert runs.get(KEY) == RECORD


def test_a_directory_in_the_way_is_no_record(runs: RunCache) -> None:
    file_of(runs).mkdir(parents=True)

    assert runs.get(KEY) is None
    with pytest.raises(CacheError, match=KEY[2:]):
        runs.put(RECORD)


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
    assert runs.get(KEY) is None


def test_the_memory_of_a_cache_is_its_runs_and_objects(runs: RunCache, tmp_path: Path) -> None:
    store = ObjectStore(tmp_path / "files")
    memory: Memory = CacheMemory(store, runs)
    (tmp_path / "source").write_bytes(b"x")
    artifact = store.put(tmp_path / "source")
    runs.put(RECORD)

    assert memory.recorded(KEY) == RECORD.outs
    assert memory.recorded("0" * 32) is None
    assert memory.has(artifact.digest)
    assert not memory.has("0" * 32)
