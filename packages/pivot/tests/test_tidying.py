"""`forget`, `clean`, `mv`, `check-ignore` and `list --untracked` through the executable."""

import contextlib
import errno
import os
import pathlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from unittest import mock

import pytest
from harness import PIVOT, SHOUT, Project, environment

from pivot_cache.files import syscalls
from pivot_core.files.paths import ArtifactPath
from pivot_runtime.context import CommandContext
from pivot_runtime.running.repro import repro
from pivot_runtime.workspace import clean


def made(make: Callable[[str], Project]) -> Project:
    """A project that has run."""
    project = make(SHOUT)
    project.write("data/in.txt", "abc")
    project.pivot("repro")
    return project


def test_forget(make: Callable[[str], Project]) -> None:
    """A forgotten stage runs again, also where the cache has its results; its outs stay, and no other record goes."""
    project = made(make)
    upper = (project.root / "upper.txt").stat().st_mtime_ns
    dry = project.json("forget", "-n", "--json", "upper.txt")
    assert dry == {"dry_run": True, "forgotten": ["p.shout"], "runs": 1, "shared_runs": 0, "unrecorded": []}
    assert "up to date" in project.pivot("repro").stdout

    assert project.pivot("forget", "shout").stdout == "Forgot p.shout\nForgot 1 run of it\n"
    assert (project.root / "upper.txt").stat().st_mtime_ns == upper
    assert project.json("status", "--json")["stages"][0]["reason"] == "No previous run"
    done = project.pivot("repro")
    assert "ran       shout" in done.stderr
    assert "upper.txt" not in done.stderr, "the cache still has the outs of the forgotten run"
    assert "1 ran, 1 cached" in done.stdout

    project.pivot("forget", "shout", "last")
    assert project.pivot("forget", "last").stderr == "note: nothing is recorded of p.last\n"
    assert "'pivot untrack'" not in project.pivot("forget", "nobody", code=2).stderr
    project.pivot("track", "data/in.txt")
    assert "data/in.txt is tracked data" in project.pivot("forget", "data/in.txt", code=2).stderr


def test_forget_leaves_the_runs_of_other_projects(make: Callable[[str], Project]) -> None:
    """Two projects share a cache: a run that only one of them has made is forgotten, and no other."""
    mine = make(SHOUT)
    mine.write("data/in.txt", "abc")
    mine.write(".pivot/config.yaml", "cache.dir: ../shared\n")
    theirs = Project(mine.root.parent / "theirs")
    shutil.copytree(mine.root, theirs.root)
    for text in ("their own", "both"):
        theirs.write("data/in.txt", text)
        theirs.pivot("repro")
    for text in ("both", "my owner"):
        mine.write("data/in.txt", text)
        mine.pivot("repro")
    assert mine.json("forget", "-n", "last", "--json")["shared_runs"] == 2
    done = mine.pivot("forget", "last")
    assert done.stdout == "Forgot p.last\nForgot 1 run of it\n"
    assert "note: 2 runs of it stay recorded, since other projects use the cache" in done.stderr
    assert "ran       last" in mine.pivot("repro").stderr
    for text in ("their own", "both"):
        theirs.write("data/in.txt", text)
        assert "ran       last" not in theirs.pivot("repro").stderr
    (theirs.root / ".pivot").rename(theirs.root / "hidden")
    mine.pivot("forget", "last")
    assert mine.json("forget", "-n", "last", "--json")["runs"] == 0
    shutil.rmtree(theirs.root)
    mine.pivot("repro")
    assert mine.pivot("forget", "last").stdout == "Forgot p.last\nForgot 3 runs of it\n"


def test_ignored_and_untracked_files(make: Callable[[str], Project]) -> None:
    project = made(make)
    for name in ("notes.txt", "data/stray.csv", "a.tmp", "build/x", "in git.md", "helper.py", "locally.log"):
        project.write(name, "x")
    project.write(".pivotignore", "# comment\n\n*.tmp\nbuild/\n!build/x\n!keep.tmp\n")
    subprocess.run(["git", "init", "-q"], cwd=project.root, check=True)
    project.write(".gitignore", "*.log\n")
    subprocess.run(["git", "add", "in git.md", "pipeline.py"], cwd=project.root, check=True)
    project.write("tracked.bin", "x")
    project.pivot("track", "tracked.bin")

    listed = project.json("list", "--untracked", "--json")["untracked"]
    assert {each["path"]: each["in_git"] for each in listed} == {
        "data/stray.csv": False,
        "helper.py": False,
        "in git.md": True,
        "notes.txt": False,
    }
    assert "in git.md  (in git)\nnotes.txt\n" in project.pivot("list", "--untracked").stdout
    assert "without TARGETS" in project.pivot("list", "--untracked", "shout", code=2).stderr

    shown = project.pivot("check-ignore", "a.tmp", "build", "build/x", "notes.txt", "keep.tmp").stdout
    assert shown == ".pivotignore:3:*.tmp  a.tmp\n.pivotignore:4:build/  build\n.pivotignore:4:build/  build/x\n"
    assert project.pivot("check-ignore", "-q", "../a.tmp", cwd="data").stdout == ""
    assert project.pivot("check-ignore", "--non-matching", "keep.tmp", code=1).stdout == "::  keep.tmp\n"
    assert project.pivot("check-ignore", "locally.log", code=1).stdout == ""
    assert project.pivot("check-ignore", "--git", "locally.log").stdout == ".gitignore:1:*.log  locally.log\n"
    (kept,) = project.json("check-ignore", "--json", "keep.tmp", code=1)["paths"]
    assert (kept["ignored"], kept["line"], kept["pattern"]) == (False, 6, "!keep.tmp")
    assert "is not a path in the project" in project.pivot("check-ignore", "..", code=2).stderr


def test_files_that_git_or_pivot_works_from_are_not_tracked(make: Callable[[str], Project]) -> None:
    project = make("")
    project.write("pivot.yaml", "stages: {}\n")
    names = (
        "pivot.yaml",
        "params.yaml",
        ".gitignore",
        ".pivotignore",
        ".gitattributes",
        ".lfsconfig",
        "sub/pivot.yaml",
    )
    for name in names:
        file = project.write(name, "")
        done = project.pivot("track", name, code=2)
        assert (
            f"{name} is a file that {'git' if '.git' in name or 'lfs' in name else 'Pivot'} works from" in done.stderr
        )
        assert "hint: " in done.stderr
        assert file.exists()
    for name in (".pivot/config.yaml", ".pivot/stages/p.x.lock", ".git/config"):
        project.write(name, "")
        assert "hint: " in project.pivot("track", name, code=2).stderr
    assert not list(project.root.rglob("*.pvt"))


def test_clean(make: Callable[[str], Project]) -> None:
    """Only what a run wrote and the cache has is removed, and only after a yes."""
    project = made(make)
    project.write("last.txt", "mine")
    before = project.snapshot()
    done = project.pivot("clean", "--dry-run")
    assert done.stdout == "would remove  parts  9 B\nwould remove  upper.txt  3 B\nWould remove 2 outs (12 B)\n"
    assert "note: last.txt stays: it is not as the last run wrote it\n" in done.stderr
    assert "note: metric.json stays: it is for git, and the cache does not have it\n" in done.stderr
    asked = project.pivot("clean", code=2).stderr
    assert "would remove  parts  9 B\n" in asked
    assert "stdin is not a terminal: --yes agrees in advance" in asked
    assert project.snapshot() == before

    assert project.pivot("clean", "--yes").stdout == "Removed 2 outs (12 B)\n"
    assert not (project.root / "upper.txt").exists()
    assert not (project.root / "parts").exists()
    assert project.read("last.txt") == "mine"
    assert project.pivot("clean", "shout", "-y").stdout == "Nothing to remove\n"
    assert "restored  shout" in project.pivot("repro").stderr

    project.write("last.txt", "mine")
    project.write("parts/new.txt", "mine")
    done = project.json("clean", "--yes", "--force", "--json")
    assert {each["path"] for each in done["removed"]} == {"last.txt", "metric.json", "parts", "upper.txt"}
    assert {each["path"] for each in done["saved"]} == {"last.txt", "metric.json", "parts"}
    project.pivot("checkout", "--kept", "last.txt")
    assert project.read("last.txt") == "mine"
    project.pivot("track", "data/in.txt")
    assert "data/in.txt is tracked data" in project.pivot("clean", "data", code=2).stderr
    assert "hint: " in project.pivot("clean", "nobody", code=2).stderr


def test_clean_asks(make: Callable[[str], Project]) -> None:
    project = made(make)
    for answer, code, there in (("n", 1, True), ("y", 0, False)):
        ours, theirs = os.openpty()
        os.write(ours, f"{answer}\n".encode())
        process = subprocess.run(
            [PIVOT, "clean", "last"],
            cwd=project.root,
            stdin=theirs,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env=environment(),
        )
        os.close(ours)
        os.close(theirs)
        told = process.stderr
        assert "would remove  last.txt  1 B\nRemove 1 out (1 B)? [y/N]" in told
        assert (process.returncode, (project.root / "last.txt").exists()) == (code, there)


def test_clean_looks_again_before_it_removes(make: Callable[[str], Project]) -> None:
    """A user may edit while other outs are removed."""
    project = made(make)

    class Agreed(frozenset[ArtifactPath]):
        def __contains__(self, path: object) -> bool:
            if path == "parts":
                project.write("parts/2.txt", "mine")
                project.write("upper.txt", "mine")
            return super().__contains__(path)

    context = CommandContext.find(project.root, {})
    done = clean.clean(context, only=Agreed(clean.plan(context).remove))
    assert sorted(done.kept) == ["metric.json", "parts", "upper.txt"]
    assert (project.read("parts/2.txt"), project.read("upper.txt")) == ("mine", "mine")
    assert not (project.root / "last.txt").exists()


@contextlib.contextmanager
def edited_before(operation: str, edit: Callable[[], object]) -> Iterator[None]:
    """Edit once, when a command has read, decided and begun to write."""
    todo = [edit]

    def before(name: str, *_: object) -> None:
        if name == operation and todo:
            todo.pop()()

    with mock.patch.object(syscalls, "before", before):
        yield
    assert not todo


def test_edits_while_a_command_writes_survive(make: Callable[[str], Project]) -> None:
    """Between the look at a file and its end, a user may save it."""
    project = made(make)
    (parts, last) = (project.root / "parts", project.root / "last.txt")

    def tried(operation: str, name: str, *command: str, code: int = 1) -> str:
        with edited_before(operation, lambda: project.write(name, "mine")):
            said = project.inside(*command, code=code)
        assert project.read(name) == "mine"
        return said

    last.write_text("old")
    parts.joinpath("2.txt").write_text("old")
    said = tried("create", "last.txt", "checkout", "--force", "last.txt")
    assert "last.txt was changed meanwhile, and was left as it is\n" in said
    assert "hint: repeat the command" in said
    assert "was overwritten" not in said
    tried("create", "parts/2.txt", "checkout", "--force", "parts")
    tried("create", "parts/a/new.txt", "checkout", "--force", "parts")
    project.pivot("checkout", "--force")
    last.unlink()
    tried("create", "last.txt", "checkout", "last.txt")
    tried("create", "got.txt", "get", "upper.txt", "-o", "got.txt")
    project.pivot("checkout", "--force")
    tried("link", "last.txt", "checkout", "--relink", "--checkout-mode", "hardlink", "last.txt")
    tried("link", "parts/a/1.txt", "checkout", "--relink", "--checkout-mode", "hardlink", "parts")
    project.pivot("checkout", "--force", "--relink", "--checkout-mode", "hardlink")
    for mode in ("copy", "hardlink", "symlink", "copy"):
        assert "changed" not in project.inside("checkout", "--relink", "--checkout-mode", mode)

    said = tried("unlink", "parts/a/1.txt", "clean", "--yes", "parts", code=0)
    assert f"note: parts stays: {parts}/a/1.txt was changed meanwhile, and was left as it is\n" in said
    assert os.listdir(parts) == ["a"]

    tried("create", "got/2.txt", "get", "parts", "-o", "got")
    kept = project.pivot("checkout", "--force", "parts")
    assert "checkout --kept" in kept.stderr
    tried("create", "parts/2.txt", "checkout", "--force", "--kept", "parts")


def test_edits_while_a_run_restores_survive(make: Callable[[str], Project]) -> None:
    """Restoring a large directory, or fetching it, takes long; the stage fails, and its directory stays."""
    project = made(make)
    shutil.rmtree(project.root / "parts")
    project.write("last.txt", "old")
    context = CommandContext.find(project.root, {})
    with edited_before("create", lambda: project.write("parts/mine.txt", "mine")):
        assert repro(context, ["shout"]).failed == {"p.shout"}
    assert project.read("parts/mine.txt") == "mine"
    (project.root / "parts/mine.txt").unlink()
    project.pivot("checkout", "parts")
    (project.root / "parts/2.txt").unlink()
    assert "kept" not in project.pivot("repro", "shout").stderr, "files that are only missing need not be saved"
    with edited_before("create", lambda: project.write("last.txt", "mine")):
        assert repro(context, ["last"]).failed == {"p.last"}
    assert project.read("last.txt") == "mine"
    assert project.pivot("repro").returncode == 0
    project.pivot("checkout", "--kept", "--force", "last.txt")
    assert project.read("last.txt") == "mine"


def test_what_clean_does_not_follow(make: Callable[[str], Project]) -> None:
    """A link of the user may lead to files of the user's."""
    project = made(make)
    elsewhere = project.root.parent / "elsewhere"
    (project.root / "parts").rename(elsewhere)
    (project.root / "parts").symlink_to(elsewhere)
    done = project.pivot("clean", "--yes")
    assert "note: parts stays: it is a symbolic link that no run has created" in done.stderr
    assert (elsewhere / "2.txt").read_text() == "abcabc"


def test_mv(make: Callable[[str], Project]) -> None:
    project = made(make)
    project.pivot("track", "data/in.txt")
    done = project.pivot("mv", "data/in.txt", "raw/input.txt")
    told = "Moved data/in.txt to raw/input.txt: commit raw/input.txt.pvt, and that data/in.txt.pvt is gone\n"
    assert done.stdout == told
    assert "hint: edit the path in p.shout, which read data/in.txt" in done.stderr
    assert not list((project.root / "data").iterdir())
    assert (project.read("raw/input.txt"), project.read("raw/.gitignore")) == ("abc", "/input.txt\n")
    assert [each["path"] for each in project.json("status", "--json")["tracked_files"]] == ["raw/input.txt"]

    project.write("raw/input.txt", "edited")
    (project.root / "deep").mkdir()
    project.pivot("mv", "input.txt", "../deep", cwd="raw")
    assert project.read("deep/input.txt") == "edited", "what is not recorded is moved as it is"

    project.write("taken.txt", "x")
    before = project.snapshot()
    for old, new, told in (
        ("deep/input.txt", "taken.txt", "taken.txt already exists"),
        ("deep/input.txt", "upper.txt", "upper.txt is an out of p.shout"),
        ("deep/input.txt", "deep/input.txt", "cannot be moved into itself"),
        ("deep/input.txt", "pipeline.py", "a file that Pivot works from"),
        ("deep/input.txt", "../out.txt", "outside the project"),
        ("upper.txt", "x.txt", "upper.txt is an out of p.shout"),
        ("taken.txt", "x.txt", "taken.txt is not tracked"),
    ):
        assert told in project.pivot("mv", old, new, code=2).stderr
    assert project.snapshot() == before


def test_mv_to_another_file_system(make: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy is on the disk before anything goes; an edit meanwhile, or a full disk, ends the move."""
    project, rename = made(make), syscalls.rename
    volume = project.root / "volume"

    def across(source: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
        if (volume in pathlib.Path(source).parents) != (volume in pathlib.Path(target).parents):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        rename(pathlib.Path(source), pathlib.Path(target))

    monkeypatch.setattr(syscalls, "rename", across)
    (project.root / "set/in").mkdir(parents=True)
    project.write("set/in/1.csv", "1")
    (project.root / "set/link.csv").symlink_to("in/1.csv")
    project.pivot("track", "set")

    todo: list[Callable[[], object]] = [lambda: project.write("set/in/1.csv", "mine")]

    def before(name: str, *_: object) -> None:
        if name == "fsync" and (volume / ".set.moving").exists() and todo:
            todo.pop()()

    with mock.patch.object(syscalls, "before", before):
        assert "set/in/1.csv was changed meanwhile" in project.inside("mv", "set", "volume/set", code=1)
        todo.append(fill_disk)
        assert "the disk is full" in project.inside("mv", "set", "volume/set", code=3)
    assert os.listdir(volume) == []
    project.write("volume/.gitignore", "/set\n")
    with mock.patch.object(syscalls, "before", before):
        todo.append(fill_disk)
        project.inside("mv", "set", "volume/set", code=3)
    assert project.read("volume/.gitignore") == "/set\n"
    assert project.read("set/in/1.csv") == "mine"

    done: list[str] = []
    monkeypatch.setattr(syscalls, "before", lambda name, *of: done.append(f"{name} {of[0]}"))
    project.inside("mv", "set", "volume/set")
    first = done.index(f"unlink {project.root}/set/in/1.csv")
    renamed = done.index(f"rename {volume}/.set.moving")
    assert sum(each.startswith("fsync") for each in done[:renamed]) >= len(["1.csv", "in", "set", "volume"])
    assert any(each.startswith("fsync") for each in done[renamed:first])
    assert (project.read("volume/set/in/1.csv"), os.readlink(volume / "set/link.csv")) == ("mine", "in/1.csv")
    assert not (project.root / "set").exists()
    project.inside("mv", "volume/set", ".")
    assert project.read("set/link.csv") == "mine"


def fill_disk() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_an_untrack_that_fails_can_be_repeated(make: Callable[[str], Project]) -> None:
    project = make(SHOUT)
    project.write("a.bin", "a")
    project.write(".gitignore", "*.log\n")
    project.pivot("track", "a.bin")
    with edited_before("rename", fill_disk):
        assert "the disk is full" in project.inside("untrack", "a.bin", code=3)
    assert project.inside("untrack", "a.bin") == "Untracked a.bin\n"
    assert (project.read(".gitignore"), (project.root / "a.bin.pvt").exists()) == ("*.log\n", False)


def test_a_killed_mv_can_be_repeated(make: Callable[[str], Project]) -> None:
    """Before and after the data were renamed, and before the old record was removed."""
    project = made(make)
    project.write("deep/input.txt", "abc")
    project.pivot("track", "deep/input.txt")
    record = project.read("deep/input.txt.pvt")
    for at in ("deep", "new"):
        project.write("deep/input.txt.pvt", record)
        project.write("new/input.txt.pvt", record)
        if at == "new":
            shutil.move(project.root / "deep/input.txt", project.root / "new/input.txt")
        project.pivot("mv", "deep/input.txt", "new/input.txt")
        assert sorted(os.listdir(project.root / "new")) == [".gitignore", "input.txt", "input.txt.pvt"]
        assert not list((project.root / "deep").iterdir())
        assert project.read("new/input.txt") == "abc"
        project.pivot("mv", "new/input.txt", "deep/input.txt")

    project.write("set/1.csv", "1")
    project.pivot("track", "set")
    project.write("moved.pvt", project.read("set.pvt"))
    (project.root / "set").rename(project.root / "moved")
    project.pivot("mv", "set", "moved")
    assert not (project.root / "set.pvt").exists()
    assert project.read("moved/1.csv") == "1"


def test_copies_and_patterns_are_tracked(make: Callable[[str], Project]) -> None:
    project = made(make)
    outside = project.root.parent / "outside"
    shutil.copytree(project.root / "parts", outside)
    done = project.pivot("track", "--out", "big/", str(outside))
    assert done.stdout == "Tracked big/outside (9 B): commit big/outside.pvt\n"
    assert project.read("big/outside/a/1.txt") == "abc"
    assert project.read("big/.gitignore") == "/outside\n"
    (outside / "2.txt").write_text("new")
    assert "Updated big/outside" in project.pivot("track", "--out", "big/outside", str(outside)).stdout
    project.write("big/outside/2.txt", "mine")
    refused = project.pivot("track", "--out", "big/outside", str(outside), code=1).stderr
    assert "big/outside already exists with content that is nowhere else" in refused
    project.pivot("track", "--force", "--out", "big/outside", str(outside))
    (project.root / "big/outside/2.txt").rename(project.root / "big/outside/sorted.txt")
    refused = project.pivot("track", "--out", "big/outside", str(outside), code=1).stderr
    assert "big/outside already exists with content that is nowhere else" in refused, "names are content"
    project.pivot("track", "--force", "--out", "big/outside", str(outside))
    project.pivot("checkout", "--kept", "--force", "big/outside")
    assert project.read("big/outside/sorted.txt") == "new"
    project.pivot("checkout", "--force", "big/outside")
    volume = project.root.parent / "volume"
    (project.root / "big/outside").rename(volume)
    (project.root / "big/outside").symlink_to(volume)
    (outside / "2.txt").write_text("newest")
    refused = project.pivot("track", "--out", "big/outside", str(outside), code=1).stderr
    assert "big/outside is a symbolic link\nhint: --force puts the copy in its place" in refused
    assert (volume / "2.txt").read_text() == "new"
    project.pivot("track", "--force", "--out", "big/outside", str(outside))
    assert (project.read("big/outside/2.txt"), (volume / "2.txt").read_text()) == ("newest", "new")
    assert "contains the place of its copy" in project.pivot("track", "--out", "x", str(project.root), code=2).stderr
    assert "upper.txt is an out" in project.pivot("track", "--out", "upper.txt", str(outside / "2.txt"), code=2).stderr
    assert "does not exist" in project.pivot("track", "--out", "x", "nothing", code=2).stderr

    for name in ("set/1.csv", "set/2.csv", "set/sub/3.csv", "set/pivot.yaml.csv"):
        project.write(name, name)
    project.pivot("track", "set/1.csv")
    tracked = project.json("track", "--glob", "*.csv", "1.*", "--json", cwd="set")["tracked"]
    assert [each["path"] for each in tracked] == ["set/1.csv", "set/2.csv", "set/pivot.yaml.csv"]
    assert "Tracked set/sub/3.csv" in project.pivot("track", "--glob", "set/**/*.csv").stdout
    assert "no data match '*.zip'" in project.pivot("track", "--glob", "*.zip", code=2).stderr
    assert "--out goes with one path" in project.pivot("track", "--glob", "--out", "x", "y", code=2).stderr
