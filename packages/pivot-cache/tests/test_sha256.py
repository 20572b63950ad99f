"""SHA-256 beside the fast digest: computed as bytes are stored, kept by digest, and refused where it is another."""

import hashlib
import pathlib

import attrs
import pytest

from pivot_cache.errors import LockFileError
from pivot_cache.formats import lock_file, pvt
from pivot_cache.objects.ingest import ingest
from pivot_cache.objects.sha256 import is_genuine
from pivot_cache.objects.store import ObjectStore
from pivot_cache.remotes import transfer
from pivot_cache.remotes.download import PART
from pivot_cache.remotes.protocol import RemoteForgedError
from pivot_cache.state.run_cache import RunCache
from pivot_cache.state.stat_cache import StatCache
from pivot_cache.testing.remote_contract import MemoryRemote
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact, Inputs, RunRecord, StageLock
from pivot_core.spec import OutSpec


class Bench:
    """A store that computes SHA-256, and what remembers them."""

    def __init__(self, place: pathlib.Path) -> None:
        self.place = place
        self.store = ObjectStore(place / "cache" / "files", with_sha256=True)

    def ingest(self, path: pathlib.Path) -> Artifact:
        with StatCache(self.place / "stat.sqlite") as files:
            return ingest(path, self.store, files, sha256_file=self.place / "sha256.sqlite")


@pytest.fixture
def bench(tmp_path: pathlib.Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def directory(tmp_path: pathlib.Path) -> pathlib.Path:
    root = tmp_path / "data"
    (root / "empty").mkdir(parents=True)
    for name in ("a", "b"):
        (root / name).write_text(name)
    return root


@pytest.mark.parametrize("size", [0, 1, (1 << 20) + 1])
def test_of_a_file(bench: Bench, tmp_path: pathlib.Path, size: int) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * size)
    expected = hashlib.sha256(file.read_bytes()).hexdigest()

    assert bench.ingest(file).sha256 == expected
    assert bench.ingest(file).sha256 == expected  # also where the file is known and not read
    (tmp_path / "sha256.sqlite").unlink()
    assert bench.ingest(file).sha256 == expected  # and where what was remembered is lost
    assert ObjectStore(tmp_path / "other").put(file).sha256 == ""


def test_known_objects_are_not_read_again(
    bench: Bench, directory: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bench.ingest(directory)
    (directory / "c").write_text("c")

    def never(*_: object) -> str:
        raise AssertionError

    monkeypatch.setattr("pivot_cache.objects.sha256.of_object", never)
    assert bench.ingest(directory).sha256 not in ("", before.sha256)


def test_of_a_directory(bench: Bench, directory: pathlib.Path) -> None:
    """It is another one for everything that makes another directory."""
    seen = [bench.ingest(directory).sha256]
    (directory / "a").write_text("other")
    seen.append(bench.ingest(directory).sha256)
    (directory / "a").chmod(0o755)
    seen.append(bench.ingest(directory).sha256)
    (directory / "a").rename(directory / "c")
    seen.append(bench.ingest(directory).sha256)
    (directory / "empty").rmdir()
    seen.append(bench.ingest(directory).sha256)
    assert len(set(seen)) == len(seen)
    assert all(len(each) == 64 for each in seen)
    artifact = bench.ingest(directory)
    assert is_genuine(bench.store.tree(artifact), artifact.sha256, bench.store)


def test_equality_of_artifacts_ignores_it() -> None:
    one = Artifact("0" * 32, 1)
    other = attrs.evolve(one, sha256="1" * 64)
    assert one == other
    assert hash(one) == hash(other)


@pytest.mark.parametrize("size", [10, 300])
def test_a_forged_file_never_becomes_an_object(bench: Bench, tmp_path: pathlib.Path, size: int) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x" * size)
    artifact = bench.ingest(file)
    remote, options = MemoryRemote(), transfer.TransferSettings(part=100)
    transfer.push([artifact], bench.store, remote)
    mine = ObjectStore(tmp_path / "mine" / "files")

    outcome = transfer.fetch([attrs.evolve(artifact, sha256="0" * 64)], mine, remote, options)
    assert isinstance(outcome.failed[artifact.digest], RemoteForgedError)
    assert not list(mine.digests())
    assert transfer.fetch([artifact], mine, remote, options).transferred == {artifact.digest}
    assert size < PART


def test_a_forged_directory_is_taken_out_again(bench: Bench, directory: pathlib.Path, tmp_path: pathlib.Path) -> None:
    artifact = bench.ingest(directory)
    remote = MemoryRemote()
    transfer.push([artifact], bench.store, remote)
    mine = ObjectStore(tmp_path / "mine" / "files")

    outcome = transfer.fetch([attrs.evolve(artifact, sha256="0" * 64)], mine, remote)
    assert isinstance(outcome.failed[artifact.digest], RemoteForgedError)
    assert not outcome.transferred
    assert not list(mine.digests())
    assert len(transfer.fetch([artifact], mine, remote).transferred) == 3
    assert mine.has_all(artifact)


def test_records_keep_it(tmp_path: pathlib.Path) -> None:
    path = ArtifactPath("out")
    artifact = Artifact("0" * 32, 1, sha256="1" * 64)
    text = lock_file.dumps(StageLock(Inputs(1, outs=(OutSpec(path),)), {path: artifact}))
    assert lock_file.loads(text, "x.lock").outs[path].sha256 == artifact.sha256
    assert pvt.loads(pvt.dumps(artifact), "x.pvt").sha256 == artifact.sha256
    runs = RunCache(tmp_path)
    runs.put(RunRecord("2" * 32, {path: artifact}))
    assert runs.get("2" * 32)[0].outs[path].sha256 == artifact.sha256
    with pytest.raises(LockFileError, match=r"is not a SHA-256.*outs.out.sha256"):
        lock_file.loads(text.replace("1" * 64, "1" * 63), "x.lock")
