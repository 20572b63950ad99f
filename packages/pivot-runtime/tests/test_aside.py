"""Previous outs that wait while their stage runs."""

import errno
import os
import pathlib
import shutil

import pytest

from pivot_cache.errors import ArtifactError
from pivot_cache.layout import Layout
from pivot_core.files.paths import ArtifactPath
from pivot_runtime.artifacts.stash import OutStash

OUT = ArtifactPath("d")


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    (tmp_path / "d/in").mkdir(parents=True)
    (tmp_path / "d/in/old").write_text("old")
    return tmp_path


def mounted(directory: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The directory can be neither moved nor removed, as if it were the volume of a container."""
    rename, rmdir = os.rename, os.rmdir

    def moving(source: str, target: str) -> None:
        if directory in (pathlib.Path(source), pathlib.Path(target)):
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        rename(source, target)

    def removing(path: str, **options: int) -> None:
        if not options.get("dir_fd") and pathlib.Path(path) == directory:
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        rmdir(path, **options)

    monkeypatch.setattr(os, "rename", moving)
    monkeypatch.setattr(os, "rmdir", removing)


@pytest.mark.parametrize("volume", [False, True])
def test_stashed_outs_come_back(root: pathlib.Path, volume: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the directory is a mount point, which itself stays."""
    if volume:
        mounted(root / "d", monkeypatch)
    aside = OutStash(Layout(root))
    aside.take("p.s", [OUT])
    assert (root / "d").exists() is volume
    assert aside.left(OUT) is not None
    (root / "d/new").mkdir(parents=True)
    assert aside.give_back("p.s", [OUT]) == []
    assert [path.name for path in sorted((root / "d").rglob("*"))] == ["in", "old"]

    aside.take("p.s", [OUT])
    shutil.copytree(Layout(root).stash_dir / "p.s/d", root / "d", dirs_exist_ok=True)
    aside.drop("p.s")
    assert (root / "d/in/old").read_text() == "old"


def test_nothing_is_prepared_for_a_run_that_writes_elsewhere(root: pathlib.Path) -> None:
    layout, absent = Layout(root), ArtifactPath("new/out")
    aside = OutStash(layout)
    aside.take("p.s", [absent], elsewhere=True)
    assert not (root / "new").exists()
    assert not layout.unfinished_dir.exists()

    aside.take("p.s", [absent, OUT], elsewhere=True)
    assert not (root / "d").exists()
    assert aside.give_back("p.s", [absent, OUT]) == []
    assert (root / "d/in/old").read_text() == "old"
    assert not (root / "new").exists()


def test_paths_that_could_not_be_freed_stay(root: pathlib.Path) -> None:
    """No run has begun, so whatever is there is no leftover of one."""
    layout, first, last = Layout(root), ArtifactPath("a.txt"), ArtifactPath("z.txt")
    (root / first).write_text("first")
    (root / last).write_text("last")
    (layout.stash_dir / "p.s").mkdir(parents=True)
    (layout.stash_dir / "p.s/d").write_text("")
    (layout.stash_dir / "p.s/z.txt").write_text("the beginning of a copy")
    aside = OutStash(layout)
    with pytest.raises(ArtifactError, match="d: cannot be written"):
        aside.take("p.s", [first, OUT, last])
    assert not (root / first).exists()

    (layout.stash_dir / "p.s/d").unlink()
    assert aside.give_back("p.s", [first, OUT, last]) == []
    assert [(root / each).read_text() for each in (first, "d/in/old", last)] == ["first", "old", "last"]
    assert OutStash(layout).give_back("p.s", [first]) == []
    assert (root / first).exists()
