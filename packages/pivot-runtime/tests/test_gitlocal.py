"""The files that this clone's git tracks, and how it merges lock files."""

import os
import pathlib
import shlex
import subprocess

import pytest

from pivot_runtime.errors import GitSetupError, GitSilentError
from pivot_runtime.git import repository

STATE = ".pivot/state.db/snapshots"
MERGE = ["/opt/my 100%/python", "-P", "merge"]


def git(root: pathlib.Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def root(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    for name in list(os.environ):
        if name.startswith("GIT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    git(tmp_path, "init", "-q")
    directory = tmp_path / "project"
    (directory / STATE).mkdir(parents=True)
    (directory / STATE / "one").write_text("{}")
    (directory / ".pivot/state.db.md").write_text("a name that begins the same")
    return directory


def test_what_lies_here_only_has_not_come_by_git(root: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(root, "add", ".pivot/state.db.md")
    assert not repository.may_track(root, STATE)
    monkeypatch.setenv("GIT_DIR", "/nowhere")  # as git sets it for its hooks
    assert not repository.may_track(root, STATE)


def test_what_is_tracked_has_come_by_git(root: pathlib.Path) -> None:
    git(root, "add", "-f", f"{STATE}/one")
    assert repository.may_track(root, STATE)


@pytest.mark.parametrize("link", [".pivot", ".pivot/state.db", STATE])
def test_what_lies_behind_a_link_may_have_come_by_git(root: pathlib.Path, link: str) -> None:
    (root / link).rename(root / "moved")
    (root / link).symlink_to(root / "moved")
    git(root, "add", "-A")
    assert repository.may_track(root, STATE)


def test_what_git_cannot_tell_may_have_come_by_it(root: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root.parent / ".git/index").write_bytes(b"damaged")
    assert repository.may_track(root, STATE)
    monkeypatch.setenv("PATH", os.fspath(root))
    assert repository.may_track(root, STATE)


def test_the_driver_is_set_up_once_and_repaired(root: pathlib.Path) -> None:
    assert repository.install(root, MERGE) == [
        ".gitattributes",
        "git config merge.pivot-lock.name",
        "git config merge.pivot-lock.driver",
    ]
    assert repository.install(root, MERGE) == []
    driver = git(root, "config", "--get", "merge.pivot-lock.driver")
    assert driver == "'/opt/my 100%%/python' -P merge %O %A %B %P\n"
    assert repository.install(root, ["elsewhere"]) == ["git config merge.pivot-lock.driver"]
    lock = ".pivot/stages/p.s.lock"
    assert git(root, "check-attr", "merge", lock) == f"{lock}: merge: pivot-lock\n"
    assert "unspecified" in git(root, "check-attr", "merge", "inner/.pivot/stages/p.s.lock")


def test_why_it_cannot_be_set_up(root: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(GitSetupError, match="is not in a git repository") as told:
        repository.install(tmp_path_factory.mktemp("outside"), MERGE)
    assert told.value.exit_code == 2
    (root.parent / ".git/config").write_text("[damaged")
    with pytest.raises(GitSetupError, match="git config failed"):
        repository.install(root, MERGE)
    (root / ".gitattributes").unlink()
    (root / ".gitattributes").mkdir()
    with pytest.raises(GitSetupError, match="cannot write") as told:
        repository.install(root, MERGE)
    assert "merge=pivot-lock" in (told.value.hint or "")


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("/data/", "data/raw/x y.csv.pvt"),
        ("data", "project/data/ä.pvt"),
        ("*.pvt", "a/x.pvt"),
        ("raw/", "data/raw/x.pvt"),
        ("*.lock", ".pivot/stages/p.a.lock"),
        ("/a/b", "a/b/c/x.pvt"),
    ],
)
def test_ignored_files_are_reported_with_a_command_that_works(
    tmp_path: pathlib.Path, root: pathlib.Path, pattern: str, path: str
) -> None:
    del root
    file = tmp_path / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("")
    file.with_suffix("").write_text("data")
    ignore = tmp_path / ".gitignore"
    ignore.write_text(f"# first\n{pattern}\n")
    assert repository.ignored(tmp_path, ["other"]) == []
    [found] = repository.ignored(tmp_path, [path, "other"])
    assert str(found) == f"{path} is ignored by git: .gitignore:2: {pattern}"

    way = repository.way_out(found)
    lines = way.partition(": ")[2].split()
    if "replace that line" in way:
        ignore.write_text("".join(f"{line}\n" for line in lines))
        data = str(pathlib.PurePath(path).with_suffix(""))
        assert repository.ignored(tmp_path, [data])  # the data stay out
    else:
        ignore.write_text("".join(f"{line}\n" for line in (pattern, *lines)))
    assert repository.ignored(tmp_path, [path]) == []

    ignore.write_text(f"{pattern}\n")
    git(tmp_path, *shlex.split(way.split("'git ", 1)[1].split("', or ")[0]))
    assert repository.ignored(tmp_path, [path]) == []


def test_git_that_does_not_answer_is_given_up(root: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It opens each .gitignore, also a pipe that nobody writes to."""
    monkeypatch.setattr(repository, "_PATIENCE_S", 0.1)
    os.mkfifo(root / ".gitignore")
    with pytest.raises(GitSilentError, match="what it ignores"):
        repository.ignored(root, ["data.pvt"])
