"""Lock files in a real `git merge`, with the driver that `pivot init --git` sets up."""

import os
import subprocess

from harness import Project

IDENTITY = {
    **{f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
}
LOCK = ".pivot/stages/my_pipeline.{}.lock"


def git(project: Project, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments],
        cwd=project.root,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **IDENTITY},
    )
    assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def committed(project: Project, message: str) -> None:
    project.pivot("repro")
    git(project, "add", "-A")
    git(project, "commit", "-qm", message)


def test_branches_that_ran_differently(quick: Project) -> None:
    assert "is not in a git repository" in quick.pivot("init", "--git", code=2).stderr
    git(quick, "init", "-q", "-b", "main")
    quick.write(".gitattributes", "*.png binary")
    told = quick.pivot("init", "--git").stdout
    assert "Git merges lock files with Pivot\n  .gitattributes\n  git config merge.pivot-lock.name\n" in told
    assert quick.pivot("init", "--git").stdout.endswith("Git merges lock files with Pivot already\n")
    assert quick.read(".gitattributes") == (
        "*.png binary\n/.pivot/stages/*.lock merge=pivot-lock\n*.pvt merge=pivot-lock\n"
    )
    quick.write(".gitignore", "clean.json\nsummary.json\n__pycache__/\n")
    committed(quick, "base")

    git(quick, "checkout", "-qb", "theirs")
    quick.replace("pipeline.py", "if all(row.values())]", "if all(row.values())][:1]")
    committed(quick, "theirs: another preprocess, so another input of summarize")
    git(quick, "checkout", "-q", "main")
    quick.replace("pipeline.py", "sum(values) /", "10 * sum(values) /")
    quick.replace("pipeline.py", '"""Remove', '\n\n    """Remove')
    committed(quick, "ours: another summarize, and preprocess on other lines")

    told = git(quick, "merge", "-m", "merged", "theirs")
    assert f"{LOCK.format('summarize')}: neither side ran with the inputs of the merge" in told
    assert quick.read(LOCK.format("summarize")) == ""
    assert git(quick, "status", "--porcelain") == ""
    quick.pivot("cache", "gc")
    failed = {stage["name"]: stage["reason"] for stage in quick.json("verify", "--json", code=1)["stages"]}
    assert failed["summarize"] == "No previous run"
    repro = quick.pivot("repro")
    told = repro.stdout + repro.stderr
    assert [line.split()[:2] for line in told.splitlines() if line.startswith(("ran", "restored"))] == [
        ["restored", "preprocess"],
        ["ran", "summarize"],
    ]
    assert git(quick, "status", "--porcelain").split() == ["M", LOCK.format("summarize")]
    committed(quick, "run")

    git(quick, "checkout", "-qb", "same")
    quick.replace("data.json", "200", "300")
    quick.write("pipeline.py", f"# A line more.\n{quick.read('pipeline.py')}")
    committed(quick, "the same data")
    git(quick, "checkout", "-q", "main")
    quick.replace("data.json", "200", "300")
    committed(quick, "the same data, and code on other lines")
    git(quick, "merge", "-m", "merged", "same")
    quick.pivot("verify")
    assert quick.states() == {"preprocess": "cached", "summarize": "cached"}


def test_a_conflict_of_data_leaves_a_file_that_can_be_read(empty: Project) -> None:
    git(empty, "init", "-q", "-b", "main")
    empty.pivot("init", "--git")
    empty.write("t", "base")
    empty.write("same", "base")
    empty.write("tables/oil.pvt", "one\n2\n3\n4\nfive\n")
    empty.inside("track", "t", "same")
    for branch, first, last in (("theirs", "one", "FIVE"), ("main", "ONE", "five")):
        if branch == "theirs":
            git(empty, "add", "-A")
            git(empty, "commit", "-qm", "base")
            git(empty, "checkout", "-qb", branch)
        else:
            git(empty, "checkout", "-q", branch)
            empty.inside("checkout")
        empty.write("t", branch)
        empty.write("same", "both")
        empty.write("tables/oil.pvt", f"{first}\n2\n3\n4\n{last}\n")
        empty.inside("track", "t", "same")
        git(empty, "commit", "-qam", branch)

    done = subprocess.run(
        ["git", "merge", "theirs"],
        cwd=empty.root,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **IDENTITY},
    )
    assert done.returncode == 1
    assert "t.pvt: the two sides recorded different data" in done.stdout + done.stderr
    assert git(empty, "diff", "--name-only", "--diff-filter=U") == "t.pvt\n"
    assert empty.read("tables/oil.pvt") == "ONE\n2\n3\n4\nFIVE\n"
    assert "t     clean" in empty.inside("status")
    git(empty, "checkout", "--theirs", "--", "t.pvt")
    empty.inside("checkout")
    assert empty.read("t") == "theirs"
    git(empty, "add", "t.pvt")
    git(empty, "commit", "-qm", "merged")
