"""`ReplaceCheck` notices edits, and nothing else."""

import os
import pathlib
from collections.abc import Callable

import pytest

from pivot_cache.errors import ChangedError
from pivot_cache.files.replace_check import ReplaceCheck


def test_edits_are_noticed(tmp_path: pathlib.Path) -> None:
    file, directory = tmp_path / "file", tmp_path / "dir"
    link, dangling = tmp_path / "link", tmp_path / "dangling"

    def other_file(at: pathlib.Path) -> None:
        (tmp_path / "new").write_text("1")
        os.utime(tmp_path / "new", (5, 5))
        (tmp_path / "new").rename(at)

    def directory_instead() -> None:
        file.unlink()
        file.mkdir()
        (file / "x").touch()

    def other_link(at: pathlib.Path) -> None:
        at.unlink()
        at.symlink_to("file")

    edits: list[tuple[pathlib.Path, Callable[[], object]]] = [
        (file, lambda: file.write_text("longer")),
        (file, lambda: other_file(file)),
        (file, lambda: file.chmod(0o600)),
        (file, directory_instead),
        (tmp_path / "none", (tmp_path / "none").touch),
        (directory, lambda: (directory / "sub/1").write_text("longer")),
        (directory, (directory / "sub/2").touch),
        (link, lambda: other_link(link)),
        (dangling, lambda: other_link(dangling)),
    ]
    for at, edit in edits:
        for each in (file, link, dangling):
            if each.is_dir() and not each.is_symlink():
                (each / "x").unlink()
                each.rmdir()
            each.unlink(missing_ok=True)
        other_file(file)
        (directory / "sub").mkdir(parents=True, exist_ok=True)
        (directory / "sub/1").write_text("1")
        link.symlink_to("dir")
        dangling.symlink_to("nowhere")
        check = ReplaceCheck()
        check.look(at)
        check(at)
        edit()
        with pytest.raises(ChangedError, match="was changed meanwhile"):
            check(at)


def test_what_is_no_edit(tmp_path: pathlib.Path) -> None:
    """Other links to a file, marks of objects, and removed files."""
    file, twin = tmp_path / "dir/file", tmp_path / "twin"
    file.parent.mkdir()
    file.write_text("1")
    twin.hardlink_to(file)
    os.utime(file, ns=(0, 0))
    (tmp_path / "link").symlink_to("dir")
    check = ReplaceCheck()
    check.look(file.parent)
    check.look(tmp_path / "link")
    os.utime(file, ns=(1_000_000_000, 1_000_000_000))
    twin.unlink()
    check(file)
    check(file.parent)
    check((tmp_path / "link").resolve())
    file.unlink()
    check(file)
    check(file.parent)
    check(file / "below")
