"""`track`, `untrack`, `checkout` and `commit` through the executable."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable

import pytest
from harness import SHOUT, Project


@pytest.fixture
def project(make: Callable[[str], Project]) -> Project:
    """A project that has run."""
    project = make(SHOUT)
    project.write("data/in.txt", "abc")
    project.pivot("repro")
    return project


def git(project: Project, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=project.root, check=True, capture_output=True)


def states(project: Project) -> dict[str, tuple[str, int]]:
    found = json.loads(project.pivot("status", "--json").stdout)["tracked_files"]
    return {each["path"]: (each["status"], each["size"]) for each in found}


# track and untrack


def test_data_under_pivot(project: Project) -> None:
    assert project.pivot("track", "data/in.txt").stdout == "Tracked data/in.txt (3 B): commit data/in.txt.pvt\n"

    assert json.loads(project.read("data/in.txt.pvt"))["size"] == 3
    assert project.read("data/.gitignore") == "/in.txt\n"
    assert states(project) == {"data/in.txt": ("clean", 3)}
    assert project.pivot("track", "data/in.txt").stdout == "Unchanged data/in.txt (3 B)\n"

    project.write("data/in.txt", "abcd")
    assert states(project) == {"data/in.txt": ("modified", 4)}
    text = project.pivot("status").stdout
    assert "Tracked data:\ndata/in.txt  modified  4 B\n" in text
    assert "Tracked data" not in project.pivot("status", "--stages-only").stdout
    assert project.pivot("track", "data/in.txt").stdout == "Updated data/in.txt (4 B): commit data/in.txt.pvt\n"
    assert project.read("data/.gitignore") == "/in.txt\n"

    (project.root / "data/in.txt").unlink()
    assert states(project) == {"data/in.txt": ("missing", 4)}
    assert "Run 'pivot checkout' to restore missing tracked files" in project.pivot("status", "--json").stdout
    assert project.pivot("checkout", "data/in.txt").stdout == "Restored 1 file(s)\n"
    assert project.read("data/in.txt") == "abcd"
    assert states(project) == {"data/in.txt": ("clean", 4)}

    assert project.pivot("untrack", "data/in.txt").stdout == "Untracked data/in.txt\n"
    assert sorted(os.listdir(project.root / "data")) == ["in.txt"]
    assert states(project) == {}


def test_a_directory_from_within(project: Project) -> None:
    for name in ("x/1", "x/2", "y"):
        project.write(f"data/raw/{name}", name)
    project.write("data/.gitignore", "*.tmp")

    assert "Tracked raw (" in project.pivot("track", "raw", cwd="data").stdout
    assert project.read("data/.gitignore") == "*.tmp\n/raw\n"
    (project.root / "data/raw/x/1").unlink()
    assert states(project) == {"data/raw": ("partial", 4)}
    assert project.pivot("checkout", "raw", "--only-missing", cwd="data").stdout == "Restored 1 file(s)\n"
    assert states(project) == {"data/raw": ("clean", 7)}
    project.pivot("untrack", "data/raw")
    assert project.read("data/.gitignore") == "*.tmp\n"


def test_results_as_json(project: Project) -> None:
    upper = project.read("upper.txt")
    (tracked,) = project.json("track", "data/in.txt", "--json")["tracked"]
    assert {key: value for key, value in tracked.items() if key not in ("digest", "dropped")} == {
        "path": "data/in.txt",
        "size": 3,
        "directory": False,
        "new": True,
        "changed": True,
    }

    (project.root / "upper.txt").unlink()
    project.write("last.txt", "mine")
    done = project.json("checkout", "--json", code=1)
    assert (done["complete"], done["files"], done["restored"]) == (False, 1, ["upper.txt"])
    assert done["modified"] == [{"path": "last.txt", "only_here": []}]
    done = project.json("checkout", "--json", "--force", "last.txt")
    assert [each["path"] for each in done["saved"]] == ["last.txt"]
    assert [each["path"] for each in project.json("checkout", "--kept", "--json")["kept"]] == ["last.txt"]
    done = project.json("checkout", "--kept", "--json", "last.txt", "--force")
    assert done == {"restored": [{"path": "last.txt", "files": 1}]}
    project.pivot("checkout", "--force", "last.txt")

    project.replace("pipeline.py", "text.upper()", "str(text).upper()")
    assert project.json("commit", "--json") == {"accepted": ["shout", "last"], "unchanged": []}
    assert project.read("upper.txt") == upper


def test_relinking_what_is_there(project: Project) -> None:
    """Files with the recorded content change their kind, and files of the user stay."""
    project.write("mine.txt", "ABC")
    project.pivot("track", "data/in.txt")
    kinds = {"upper.txt": "ABC", "parts/a/1.txt": "abc", "parts/2.txt": "abcabc", "data/in.txt": "abc"}
    before = project.read("metric.json")
    done = project.pivot("checkout", "--checkout-mode", "symlink")
    assert done.stdout == "Restored 0 file(s)\n"
    assert "hint: --relink also creates 5 unchanged files in this way" in done.stderr
    assert not (project.root / "upper.txt").is_symlink()

    dry = project.pivot("checkout", "--checkout-mode", "symlink", "--relink", "-n").stdout
    assert dry == "Would restore 0 file(s)\nWould relink 5 file(s)\n"
    done = project.pivot("checkout", "--checkout-mode", "symlink", "--relink")
    assert done.stdout == "Restored 0 file(s)\nRelinked 5 file(s)\n"
    assert all((project.root / name).is_symlink() for name in kinds)
    project.pivot("config", "set", "cache.checkout_mode", "hardlink")
    assert project.json("checkout", "--relink", "--json")["relinked"] == 5
    assert all((project.root / name).stat().st_nlink > 1 for name in kinds)
    (project.root / "upper.txt").unlink()
    (project.root / "upper.txt").symlink_to("mine.txt")
    assert project.json("checkout", "--relink", "--checkout-mode", "copy", "--json")["relinked"] == 4
    assert (project.root / "upper.txt").readlink().name == "mine.txt", "a link of the user is left alone"
    (project.root / "upper.txt").unlink()
    project.pivot("checkout")
    assert {name: project.read(name) for name in kinds} == kinds
    assert project.read("metric.json") == before
    assert "up to date" in project.pivot("repro").stdout
    assert "exclude each other" in project.pivot("checkout", "--relink", "--only-missing", code=2).stderr


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["nothing"], "nothing does not exist"),
        (["upper.txt"], "upper.txt cannot be tracked: upper.txt is an out of p.shout"),
        (["parts/2.txt"], "parts/2.txt cannot be tracked: parts is an out of p.shout"),
        (["."], "the whole project cannot be tracked"),
        (["../x"], "outside the project"),
        (["data", "data/in.txt"], "data/in.txt is named twice"),
        (["data/in.txt", "data/in.txt"], "data/in.txt is named twice"),
        ([".pivot/config.yaml"], "belongs to Pivot"),
    ],
)
def test_what_cannot_be_tracked(project: Project, names: list[str], told: str) -> None:
    done = project.pivot("track", *names, code=2)

    assert told in done.stderr
    assert "hint:" in done.stderr
    assert not list(project.root.glob("**/*.pvt"))


def test_files_in_git_are_not_tracked(project: Project) -> None:
    git(project, "init", "-q")
    project.write("data/of today.txt", "")
    git(project, "add", "data")

    done = project.pivot("track", "data/of today.txt", code=2)
    assert "hint: git rm -r --cached 'data/of today.txt' ends that; the file itself stays\n" in done.stderr
    said = project.pivot("track", "data/in.txt", code=2).stderr
    assert "git rm -r --cached data/in.txt ends that" in said
    assert "docs: pivot docs troubleshooting#track\n" in said
    git(project, "rm", "-r", "--cached", "-q", "data")
    project.pivot("track", "data/in.txt")
    listed = subprocess.run(
        ["git", "status", "--porcelain", "-uall", "data"], cwd=project.root, capture_output=True, text=True, check=True
    )
    assert sorted(listed.stdout.splitlines()) == ['?? "data/of today.txt"', "?? data/.gitignore", "?? data/in.txt.pvt"]


def test_names_that_git_would_read_otherwise(project: Project) -> None:
    git(project, "init", "-q")
    for name in ("a*b", "#x", "!y", "sp ace ", "q[1]", "back\\slash"):
        project.write(f"odd/{name}", name)
        project.write(f"odd/other{name}", name)
        project.pivot("track", f"odd/{name}")
        ignored = subprocess.run(
            ["git", "check-ignore", "-z", "--stdin"],
            cwd=project.root,
            input=f"odd/{name}\0odd/other{name}\0",
            capture_output=True,
            text=True,
            check=False,
        )
        assert ignored.stdout == f"odd/{name}\0"


def test_untrack_knows_what_is_tracked(project: Project) -> None:
    assert "upper.txt is an out of p.shout, not tracked data" in project.pivot("untrack", "upper.txt", code=2).stderr
    assert "nothing recorded is named 'data/in.txt'" in project.pivot("untrack", "data/in.txt", code=2).stderr


def test_a_damaged_pvt_file_is_named(project: Project) -> None:
    project.pivot("track", "data/in.txt")
    project.write("data/in.txt.pvt", '{"format": 1, "algorithm": "xxh3-128", "digest": "x"}')

    done = project.pivot("checkout", code=3)
    assert "data/in.txt.pvt" in done.stderr
    assert "git checkout" in done.stderr


# checkout


def test_everything_comes_back_without_the_pipeline(project: Project) -> None:
    project.pivot("track", "data/in.txt")
    before = {each: each.read_bytes() for each in sorted(project.root.glob("*.txt"))}
    for each in before:
        each.unlink()
    (project.root / "data/in.txt").unlink()
    (project.root / "parts/2.txt").unlink()
    (project.root / "pipeline.py").unlink()

    would = project.pivot("checkout", "--dry-run").stdout
    assert would == (
        "would restore  data/in.txt\nwould restore  last.txt\nwould restore  parts\nwould restore  upper.txt\n"
        "Would restore 4 file(s)\n"
    )
    assert not (project.root / "last.txt").exists()
    assert project.pivot("checkout").stdout == "Restored 4 file(s)\n"
    assert {each: each.read_bytes() for each in before} == before
    assert project.pivot("checkout").stdout == "Restored 0 file(s)\n"


def test_content_that_exists_nowhere_else_is_not_overwritten(project: Project) -> None:
    project.write("upper.txt", "mine")
    project.write("parts/2.txt", "mine too")
    (project.root / "last.txt").unlink()

    done = project.pivot("checkout", code=1)
    assert done.stdout == "Restored 1 file(s)\n"
    assert "upper.txt: not restored, since its current content exists nowhere else" in done.stderr
    assert "parts: not restored, since parts/2.txt exists nowhere else" in done.stderr
    assert "--force" in done.stderr
    assert project.read("upper.txt") == "mine"

    done = project.pivot("checkout", "--force")
    assert done.stdout == "Restored 2 file(s)\n"
    assert project.read("upper.txt") == "ABC"
    assert project.read("parts/2.txt") == "abcabc"
    assert "upper.txt was overwritten: what was there is kept in the cache as" in done.stderr
    assert "2 stages, all cached" in project.pivot("status").stdout


def test_outs_of_another_commit_are_not_edits(project: Project) -> None:
    """Content that the cache has is not lost when it is overwritten."""
    locks = {each: each.read_bytes() for each in (project.root / ".pivot/stages").iterdir()}
    project.write("data/in.txt", "xyz")
    project.pivot("repro")
    for each, data in locks.items():
        each.write_bytes(data)

    assert project.pivot("checkout").stdout == "Restored 4 file(s)\n"
    assert (project.read("upper.txt"), project.read("parts/2.txt")) == ("ABC", "abcabc")


@pytest.mark.parametrize(
    ("targets", "count"),
    [
        (["shout"], 3),
        (["p.shout"], 3),
        (["last"], 1),
        (["last.txt"], 1),
        (["./last.txt"], 1),
        (["parts"], 2),
        (["."], 4),
    ],
)
def test_targets_of_a_checkout(project: Project, targets: list[str], count: int) -> None:
    for name in ("upper.txt", "last.txt", "parts/2.txt", "parts/a/1.txt"):
        (project.root / name).unlink()

    assert project.pivot("checkout", *targets).stdout == f"Restored {count} file(s)\n"


def test_only_missing_leaves_what_is_there(project: Project) -> None:
    project.write("upper.txt", "mine")
    project.write("parts/2.txt", "mine too")
    (project.root / "parts/a/1.txt").unlink()

    assert project.pivot("checkout", "--only-missing").stdout == "Restored 1 file(s)\n"
    assert (project.read("upper.txt"), project.read("parts/2.txt"), project.read("parts/a/1.txt")) == (
        "mine",
        "mine too",
        "abc",
    )


def test_an_unknown_target_gets_a_suggestion(project: Project) -> None:
    done = project.pivot("checkout", "uper.txt", code=2)
    assert "error: nothing recorded is named 'uper.txt'" in done.stderr
    assert "did you mean upper.txt?" in done.stderr


def test_content_missing_from_the_cache_is_named_and_the_rest_restored(project: Project) -> None:
    for each in (project.root / ".pivot/cache/files").glob("*/*"):
        if each.read_bytes() == b"ABC":
            each.unlink()
    (project.root / "upper.txt").unlink()
    (project.root / "last.txt").unlink()

    done = project.pivot("checkout", code=1)
    assert done.stdout == "Restored 1 file(s)\n"
    assert "upper.txt: not restored, since the cache does not have it" in done.stderr
    assert "pivot pull" in done.stderr


def test_a_corrupt_object_is_never_checked_out(project: Project) -> None:
    (target,) = [each for each in (project.root / ".pivot/cache/files").glob("*/*") if each.read_bytes() == b"ABC"]
    target.chmod(0o644)
    target.write_bytes(b"bad")
    (project.root / "upper.txt").unlink()

    assert project.pivot("checkout", "upper.txt", code=1).stdout == "Restored 0 file(s)\n"
    assert not (project.root / "upper.txt").exists()


@pytest.mark.parametrize("mode", ["copy", "hardlink", "symlink"])
@pytest.mark.parametrize("how", ["option", "config", "environment"])
def test_modes(project: Project, mode: str, how: str) -> None:
    (project.root / "upper.txt").unlink()
    if how == "config":
        project.write(".pivot/config.yaml", f"cache.checkout_mode: {mode}\n")
    env = {"PIVOT_CACHE_CHECKOUT_MODE": mode} if how == "environment" else None
    project.pivot("checkout", *(["--checkout-mode", mode] if how == "option" else []), env=env)

    file = project.root / "upper.txt"
    assert file.read_text() == "ABC"
    assert file.is_symlink() == (mode == "symlink")
    assert (file.stat().st_nlink > 1) == (mode == "hardlink")
    assert "all cached" in project.pivot("status").stdout


def test_a_cache_elsewhere_is_shared(project: Project, make: Callable[[str], Project]) -> None:
    project.write(".pivot/config.yaml", "cache.dir: ../shared\n")
    project.pivot("repro", "--force")
    assert (project.root.parent / "shared/files").is_dir()
    for name in ("upper.txt", "last.txt"):
        (project.root / name).unlink()
    assert project.pivot("checkout").stdout == "Restored 2 file(s)\n"


# commit


def test_a_change_that_changes_nothing_is_accepted(project: Project) -> None:
    project.replace("pipeline.py", "text.upper()", "text.upper().lower().upper()")
    assert "2 stale" in project.pivot("status").stdout

    assert project.pivot("commit", "shout", "--reason", "only faster").stdout == "Accepted shout\n"
    assert "2 stages, all cached" in project.pivot("status").stdout
    assert json.loads(project.read(".pivot/stages/p.shout.lock"))["accepted"] == "only faster"
    assert project.pivot("commit").stdout == "Nothing to accept: everything is up to date\n"

    project.write("data/in.txt", "new")
    project.pivot("repro")
    assert "accepted" not in json.loads(project.read(".pivot/stages/p.shout.lock"))


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda project: project.write("data/in.txt", "other"), "stage 'shout' cannot be accepted: input data changed"),
        (lambda project: (project.root / "upper.txt").unlink(), "stage 'shout' cannot be accepted: upper.txt does not"),
        (lambda project: (project.root / "data/in.txt").unlink(), "cannot be accepted: data/in.txt does not exist"),
        (
            lambda project: (project.root / ".pivot/stages/p.last.lock").unlink(),
            "'last' cannot be accepted: no previous run",
        ),
    ],
)
def test_what_is_not_accepted(project: Project, edit: Callable[[Project], object], told: str) -> None:
    project.replace("pipeline.py", "text.upper()", "text.upper().lower().upper()")
    edit(project)
    before = {each: each.read_bytes() for each in (project.root / ".pivot/stages").iterdir()}

    assert told in project.pivot("commit", code=2).stderr
    assert {each: each.read_bytes() for each in (project.root / ".pivot/stages").iterdir()} == before


def test_a_stage_is_not_accepted_on_top_of_a_stale_one(project: Project) -> None:
    project.replace("pipeline.py", "text.upper()", "text.upper().lower().upper()")
    project.replace("pipeline.py", "text[-1]", "text[2]")

    assert (
        "'last' cannot be accepted: p.shout, which it depends on, is stale"
        in project.pivot("commit", "last", code=2).stderr
    )
    assert project.pivot("commit").stdout == "Accepted shout\nAccepted last\n"
    assert "all cached" in project.pivot("status").stdout


def test_an_edited_out_below_an_accepted_stage_is_data(project: Project) -> None:
    project.replace("pipeline.py", "text.upper()", "text.upper().lower().upper()")
    project.write("upper.txt", "XYZ")

    assert "'last' cannot be accepted: input data changed: upper.txt" in project.pivot("commit", code=2).stderr
    assert project.pivot("commit", "--force").stdout == "Accepted shout\nAccepted last\n"
    assert "all cached" in project.pivot("status").stdout


def test_one_broken_file_that_stands_for_data_stops_nothing_else(project: Project) -> None:
    for name in ("good", "conflict", "short", "zeros", "looped"):
        project.write(f"data/{name}", name)
    project.pivot("track", *(f"data/{name}" for name in ("good", "conflict", "short", "zeros", "looped")))
    text = project.read("data/conflict.pvt")
    project.write("data/conflict.pvt", f"<<<<<<< HEAD\n{text}=======\n{text}>>>>>>> b\n")
    project.write("data/short.pvt", text[:20])
    project.write("data/zeros.pvt", "\0" * 100)
    (project.root / "data/looped.pvt").unlink()
    (project.root / "data/looped.pvt").symlink_to("looped.pvt")
    (project.root / "data/other.pvt").mkdir()
    project.write("data/raw/oil.pvt", "PVT TABLE 1.0")
    (project.root / "data/good").unlink()

    told = project.inside("status")
    assert "data/good  missing" in told
    assert "left out: it contains merge conflict markers @ data/conflict.pvt" in told
    assert told.count("left out: ") == 4
    assert "note: data/raw/oil.pvt: not a .pvt file of Pivot's, skipped" in told
    assert project.inside("status", "--quiet") == ""
    project.inside("verify")
    assert "Restored 1 file(s)" in project.inside("checkout", "data/good")
    project.inside("checkout", code=3)
    assert "it is empty @ data/zeros.pvt" in project.inside("checkout", "data/zeros", code=3)
    assert "--skip-damaged" in project.inside("cache", "gc", code=3)

    assert "Tracked data/conflict" in project.inside("track", *(f"data/{n}" for n in ("conflict", "short", "zeros")))
    project.inside("untrack", "data/looped")
    assert "warning" not in project.inside("checkout")
    project.inside("cache", "gc")
    project.write("data/raw/oil", "x")
    assert "oil.pvt beside it is not Pivot's" in project.inside("track", "data/raw/oil", code=2)
    assert project.read("data/raw/oil.pvt") == "PVT TABLE 1.0"
    assert "Tracked data/raw (" in project.inside("track", "data/raw")
    project.inside("config", "set", "cache.dir", "store/cache")
    project.write("store/x", "x")
    assert "store cannot be tracked: the cache is " in project.inside("track", "store", code=2)


def test_data_of_another_commit_are_not_edits(project: Project) -> None:
    project.write("data/in.txt", "one")
    project.pivot("track", "data/in.txt")
    before = project.read("data/in.txt.pvt")
    project.write("data/in.txt", "two2")
    project.pivot("track", "data/in.txt")
    project.write("data/in.txt.pvt", before)  # as git would

    told = project.inside("status")
    assert "data/in.txt  other version  4 B" in told
    assert "run 'pivot checkout' to restore" in told
    assert "run 'pivot track'" not in told
    assert states(project) == {"data/in.txt": ("other", 4)}
    project.inside("checkout")
    assert states(project) == {"data/in.txt": ("clean", 3)}
    project.write("data/in.txt", "three")
    assert "run 'pivot track' on modified data" in project.inside("status")


def test_a_partial_directory_is_not_an_edit_and_changes_the_record_only_with_force(project: Project) -> None:
    for name in "abc":
        project.write(f"data/raw/{name}", name)
    project.pivot("track", "data/raw")
    text = project.read("data/raw.pvt")
    (project.root / "data/raw/c").unlink()
    (project.root / "parts/2.txt").unlink()

    told = project.inside("status")
    assert "data/raw  partly here  2 B       1 of 3 files not here: data/raw/c" in told
    assert "run 'pivot checkout' to restore the missing part" in told
    assert "Output missing: parts (1 of 2 files not here: parts/2.txt)" in told
    project.inside("checkout")
    assert states(project)["data/raw"] == ("clean", 3)

    project.write("data/raw/stray", "x")
    project.write("parts/stray", "x")
    told = project.inside("status")
    assert "data/raw  modified  4 B       new data/raw/stray" in told
    assert "Output modified: parts (new parts/stray)" in told
    assert "Output modified: parts (new parts/stray)" in project.inside("verify", code=1)
    assert "data/raw: not restored, since data/raw/stray exists nowhere else" in project.inside("checkout", code=1)
    (project.root / "data/raw/stray").unlink()

    (project.root / "data/raw/a").unlink()
    assert "no longer included: data/raw/a" in project.inside("track", "data/raw")  # the cache has it yet
    project.write("data/raw.pvt", text)
    lost = next(file for file in (project.root / ".pivot/cache/files").glob("*/*") if file.read_bytes() == b"a")
    lost.unlink()
    told = project.inside("track", "data/raw", code=2)
    assert "data/raw would be recorded without 1 of its 3 files" in told
    assert project.read("data/raw.pvt") == text
    assert "no longer included: data/raw/a" in project.inside("track", "--force", "data/raw")


def test_a_project_may_have_tracked_data_only(empty: Project) -> None:
    empty.inside("init")
    assert "no pipeline.py or pivot.yaml anywhere" in empty.inside("status", "--all", code=2)
    empty.write("t", "1")
    empty.inside("track", "t")
    for arguments in (["status"], ["status", "--all"]):
        assert "t  clean" in empty.inside(*arguments)
    empty.inside("status", "--quiet")
    empty.write("t", "2")
    assert "t  modified" in empty.inside("status")
    empty.inside("status", "--quiet", "--all", code=1)
    assert '"status": "modified"' in empty.inside("status", "--json", "--all")
    empty.inside("verify")
    assert '"passed": true' in empty.inside("verify", "--all", "--json", "--static")
    assert "there are none yet" in empty.inside("doctor")
    (empty.root / "t").unlink()
    empty.inside("checkout")
    assert empty.read("t") == "1"
    empty.inside("cache", "gc")
    shutil.rmtree(empty.root / ".pivot/cache")
    assert "missing t" in empty.inside("verify", code=1)


def test_names_mean_the_same_whatever_the_locale(project: Project) -> None:
    project.write("dätä/ö", "x")
    project.pivot("track", "dätä", env={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})
    assert (project.root / "dätä.pvt").exists()
    shutil.rmtree(project.root / "dätä")
    project.pivot("checkout", "dätä", env={"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})
    assert project.read("dätä/ö") == "x"


FETCHED = """\
import pathlib
from typing import Annotated

import pivot
from pivot.loaders import PathOnly, Text

pipeline = pivot.Pipeline("p")


@pipeline.register
def fill() -> Annotated[dict[str, str], pivot.DirectoryOut("d", Text())]:
    return {"a": "a", "b": "b"}


@pipeline.register
def count(
    data: Annotated[pathlib.Path, pivot.Dep("data", PathOnly())],
) -> Annotated[str, pivot.Out("count.txt", Text())]:
    return str(len(list(data.iterdir())))
"""


def test_a_directory_that_was_fetched_in_part_is_not_here_for_all_commands(make: Callable[[str], Project]) -> None:
    """Neither is it modified, nor does a stage read the part as if it were all."""
    project = make(FETCHED)
    for name in "ab":
        project.write(f"data/{name}", name * 3)
    project.pivot("track", "data")
    project.pivot("repro")
    objects = [file for file in (project.root / ".pivot/cache/files").glob("*/*") if file.read_text() in ("b", "bbb")]
    for file in objects:
        file.rename(project.root / file.name)
    (project.root / "d/b").unlink()
    (project.root / "data/b").unlink()

    why = {"fill": "Output missing: d (1 of 2 files not here: d/b)", "count": "Input missing: data"}
    told = project.pivot("status").stdout
    assert all(each in told for each in why.values())
    planned = project.pivot("repro", "-n").stdout
    assert f"would run      fill   {why['fill']}" in planned
    assert f"blocked        count  {why['count']}" in planned
    assert "Missing files: d\n" in project.pivot("verify", code=1).stdout
    done = project.pivot("repro", code=1)
    assert "data is tracked, but not completely here\nhint: 'pivot checkout' restores it" in done.stderr
    assert "was not what a recorded run wrote" not in done.stderr
    assert project.read("d/b") == "b"
    for file in objects:
        (project.root / file.name).replace(file)
    project.pivot("checkout")
    assert project.read("data/b") == "bbb"
    assert "all cached" in project.pivot("status").stdout
