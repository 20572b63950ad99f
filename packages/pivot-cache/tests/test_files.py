"""Paths, whole files and digests: the base of everything else."""

import errno
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import pivot_cache
from pivot_cache import ArtifactError, CacheError, Hashed, Layout, hash_file
from pivot_cache.files import atomic
from pivot_core.files.digest import digest_bytes
from pivot_core.files.paths import ArtifactPath


@pytest.mark.parametrize("root", ["/", "/p", "/p/q"])
def test_paths_as_text_are_those_of_the_path_objects(root: str) -> None:
    layout, path = Layout(Path(root)), ArtifactPath("data/raw.csv")

    assert layout.artifact_path(path) == str(layout.artifact(path))
    assert layout.artifact_paths([path]) == [str(layout.artifact(path))]
    assert layout.lock_path("main.train") == str(layout.stages_dir / "main.train.lock")
    assert layout.log_file("main.train") == layout.logs_dir / "main.train.log"


def test_the_layout_is_exactly_this() -> None:
    layout = Layout(Path("/p"))

    assert layout.state_dir == Path("/p/.pivot")
    assert layout.gitignore_file == Path("/p/.pivot/.gitignore")
    assert layout.ignore_file == Path("/p/.pivotignore")
    assert layout.stages_dir == Path("/p/.pivot/stages")
    assert layout.lock_file("main.train") == Path("/p/.pivot/stages/main.train.lock")
    assert layout.cache_dir == Path("/p/.pivot/cache")
    assert layout.objects_dir == Path("/p/.pivot/cache/files")
    assert layout.runs_dir == Path("/p/.pivot/cache/runs")
    assert layout.quarantine_dir == Path("/p/.pivot/cache/quarantine")
    assert layout.database_dir == Path("/p/.pivot/state.db")
    assert layout.statcache_file == Path("/p/.pivot/state.db/statcache.sqlite")
    assert layout.guard_file == Path("/p/.pivot/state.db/run.guard")
    assert layout.logs_dir == Path("/p/.pivot/state.db/logs")
    assert layout.artifact(ArtifactPath("data/a.csv")) == Path("/p/data/a.csv")


@pytest.mark.parametrize("address", ["", ".", "..", "../x", "a/b", "a\0b"])
def test_an_address_cannot_leave_its_directory(address: str) -> None:
    with pytest.raises(CacheError, match="not the address of a stage"):
        Layout(Path("/p")).lock_file(address)


def test_a_file_is_written_whole_with_its_directories(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / ("n" * 255)
    before = os.umask(0o027)
    try:
        atomic.write_bytes(target, b"one")
    finally:
        os.umask(before)
    atomic.write_bytes(target, b"two")

    assert target.read_bytes() == b"two"
    assert list(target.parent.iterdir()) == [target]
    atomic.write_bytes(target.with_name("c"), b"")
    assert target.with_name("c").read_bytes() == b""


def test_a_written_file_has_the_usual_mode(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        atomic.write_bytes(tmp_path / "a", b"")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_writing_goes_on_where_the_system_wrote_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:2]))

    atomic.write_bytes(tmp_path / "a", b"abcdefg")

    assert (tmp_path / "a").read_bytes() == b"abcdefg"


def test_writing_replaces_a_symlink(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "a").symlink_to("target")

    atomic.write_bytes(tmp_path / "a", b"new")

    assert not (tmp_path / "a").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"old"


@pytest.mark.parametrize("call", ["open", "write", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EIO, errno.EMFILE])
def test_writing_that_fails_keeps_the_old_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")
    with monkeypatch.context() as patch:

        def fail(*args: object) -> None:
            raise OSError(number, os.strerror(number))

        patch.setattr(os, call, fail)
        with pytest.raises(CacheError, match=f"cannot write {target}: ") as caught:
            atomic.write_bytes(target, b"new")

    assert caught.value.hint
    assert caught.value.exit_code == 3
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_process_killed_while_writing_leaves_the_old_bytes(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")
    program = """
import os, pathlib, signal, sys
from pivot_cache.files import atomic
os.replace = os.rename = lambda *args, **options: os.kill(os.getpid(), signal.SIGKILL)
atomic.write_bytes(pathlib.Path(sys.argv[1]), b"new")
"""
    done = subprocess.run([sys.executable, "-c", program, target], check=False)

    assert done.returncode == -signal.SIGKILL
    assert target.read_bytes() == b"old"


@pytest.mark.parametrize("size", [0, 1, (1 << 20) + 1])
def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    (tmp_path / "a").write_bytes(content)

    assert hash_file(tmp_path / "a") == Hashed(digest_bytes(content), size)


def bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def device(path: Path) -> None:
    path.symlink_to("/dev/null")


@pytest.mark.parametrize(
    ("make", "kind"),
    [(Path.mkdir, "a directory"), (os.mkfifo, "a named pipe"), (bind, "a socket"), (device, "a device")],
)
def test_only_regular_files_are_hashed(
    tmp_path: Path, make: Callable[[Path], object], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    make(Path("odd"))

    with pytest.raises(ArtifactError, match=f"odd: is {kind}"):
        hash_file(Path("odd"))


def test_a_file_that_breaks_off_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"x")

    def fail(*args: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "readv", fail)
    with pytest.raises(ArtifactError, match="a: cannot be read") as caught:
        hash_file(tmp_path / "a")
    assert "failing" in str(caught.value.hint)


def test_every_public_name_is_there() -> None:
    for name in pivot_cache.__all__:
        assert getattr(pivot_cache, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        getattr(pivot_cache, "nonsense")  # noqa: B009


def test_importing_the_package_is_cheap() -> None:
    program = """
import sys
import pivot_cache
assert not {"attrs", "sqlite3", "json", "pivot_core"} & set(sys.modules), sorted(sys.modules)
from pivot_cache import ObjectStore, RunCache, StatCache, CacheMemory
from pivot_cache.formats import lock_file
from pivot_cache.objects import checkout
assert not {"sqlite3", "cattrs"} & set(sys.modules), sorted(sys.modules)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
