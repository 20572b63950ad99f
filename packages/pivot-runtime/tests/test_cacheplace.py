"""Where a cache is that `cache.dir` names."""

import os
import pathlib
import shutil

import pytest

from pivot_cache.layout import Layout
from pivot_runtime.config import cache_dir
from pivot_runtime.errors import ConfigError
from pivot_runtime.project import cache_mount, cache_users

HOME = {"HOME": "/home/me", "DATA": "/data"}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("~/cache", "/home/me/cache"),
        ("~", "/home/me"),
        ("$HOME/cache", "/home/me/cache"),
        ("${DATA}/a/$DATA", "/data/a//data"),
        ("a/b~", "a/b~"),
        ("~root/c", f"{os.path.expanduser('~root')}/c"),
    ],
)
def test_words_that_are_replaced(text: str, path: str) -> None:
    assert cache_dir.expand(text, HOME) == pathlib.Path(path)


@pytest.mark.parametrize("text", ["$NOTHING/x", "${NOTHING}", "a$", "${}", "${a b}", "~nobody-of-that-name/x"])
def test_unknown_variables_are_refused_and_never_literal_directories(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        cache_dir.expand(text, HOME)
    assert caught.value.hint


def test_impossible_directories_are_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    (tmp_path / "loop").symlink_to("loop")
    places = [tmp_path / "file", tmp_path / "file/below", tmp_path / "nowhere", tmp_path / "loop", tmp_path / "loop/x"]
    for place in [
        *places,
        *(pathlib.Path(name) for name in ("/proc/nowhere", "/proc/no/where") if os.path.isdir("/proc")),
    ]:
        with pytest.raises(ConfigError, match=r"cache\.dir: "):
            cache_dir.prepare(Layout(tmp_path, place))
    assert not (tmp_path / "gone").exists()


def test_a_cache_in_the_project_is_kept_out_of_git_and_the_user_s_own_lines_stay(tmp_path: pathlib.Path) -> None:
    place = tmp_path / "data"
    place.mkdir()
    (place / ".gitignore").write_text("*.csv\n")
    for _ in range(2):
        cache_dir.prepare(Layout(tmp_path, place))
    lines = (place / ".gitignore").read_text().splitlines()
    assert lines[0] == "*.csv"
    assert lines.count("/files") == 1
    elsewhere = tmp_path / "elsewhere"
    cache_dir.prepare(Layout(tmp_path / "project", elsewhere))
    assert not list(elsewhere.iterdir())


def test_nothing_is_created_in_the_place_of_a_shared_directory(tmp_path: pathlib.Path) -> None:
    layout, shared = Layout(tmp_path / "project", tmp_path / "team/a b/cache"), str(tmp_path / "team/a b")

    with pytest.raises(ConfigError, match=r"executor\.shared: there is no directory") as caught:
        cache_dir.prepare(layout, shared)
    assert (caught.value.hint or "").endswith(f"mkdir -p '{shared}'")
    assert not (tmp_path / "team").exists()
    os.makedirs(shared)
    cache_dir.prepare(layout, shared)
    assert layout.cache_dir.is_dir()


def test_nothing_is_created_where_a_file_system_is_not_mounted(tmp_path: pathlib.Path) -> None:
    layout = Layout(tmp_path / "project", tmp_path / "mnt/cache")
    layout.cache_dir.mkdir(parents=True)
    cache_dir.prepare(layout)
    point = cache_mount.mount_point(tmp_path)
    assert os.path.ismount(point)
    assert layout.cache_mount_file.read_text() == f"{layout.cache_dir}\0{point}\n"
    layout.cache_dir.rmdir()
    cache_dir.prepare(layout)  # it was removed: the file system is there

    inside = Layout(tmp_path / "project", tmp_path / "project/data")
    cache_dir.prepare(inside)
    assert layout.cache_mount_file.read_text().startswith(f"{layout.cache_dir}\0")

    layout.cache_mount_file.write_text(f"{layout.cache_dir}\0{tmp_path / 'mnt'}\n")
    for _ in range(2):  # it may be the mount point itself
        with pytest.raises(ConfigError, match=r"cache\.dir: .*/mnt, where none is mounted now") as caught:
            cache_dir.prepare(layout)
        if layout.cache_dir.exists():
            layout.cache_dir.rmdir()
    assert (caught.value.hint or "").endswith(f"mkdir -p {layout.objects_dir}")
    assert not layout.cache_dir.exists()
    layout.objects_dir.mkdir(parents=True)
    cache_dir.prepare(layout)
    shutil.rmtree(layout.cache_dir)
    other = Layout(layout.root, tmp_path / "mnt/other")
    cache_dir.prepare(other)
    cache_users.register(other)
    assert layout.cache_mount_file.read_text().startswith(f"{other.cache_dir}\0")
