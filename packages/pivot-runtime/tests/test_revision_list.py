"""The revisions that people choose from, in real repositories."""

import pathlib
import subprocess

from pivot_runtime.git.revision_list import RevisionList, list_revisions


def git(root: pathlib.Path, *words: str) -> str:
    who = ("-c", "user.name=n", "-c", "user.email=e@x", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(root: pathlib.Path, subject: str, time: int) -> str:
    date = f"{time} +0000"
    subprocess.run(
        ["git", "-c", "user.name=n", "-c", "user.email=e@x", "commit", "-q", "--allow-empty", "-m", subject],
        cwd=root,
        check=True,
        env={"GIT_COMMITTER_DATE": date, "GIT_AUTHOR_DATE": date, "PATH": "/usr/bin:/bin:/usr/local/bin"},
    )
    return git(root, "rev-parse", "HEAD")


def names(found: RevisionList) -> tuple[tuple[str, ...], tuple[str, ...], list[str]]:
    return found.branches, found.tags, [each.subject for each in found.commits]


def test_without_a_repository_or_a_commit_there_are_none(tmp_path: pathlib.Path) -> None:
    assert names(list_revisions(tmp_path, 5)) == ((), (), [])
    git(tmp_path, "init", "-q")
    assert names(list_revisions(tmp_path, 5)) == ((), (), [])


def test_the_newest_come_first_and_texts_are_as_they_are(tmp_path: pathlib.Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    first = commit(tmp_path, "One", 1_700_000_000)
    git(tmp_path, "branch", "old")
    git(tmp_path, "tag", "v1")
    hostile = "<script>alert(1)</script> \x1b[31m | %s"
    second = commit(tmp_path, hostile, 1_700_000_100)
    git(tmp_path, "tag", "v2")
    git(tmp_path, "update-ref", "refs/remotes/origin/main", first)
    git(tmp_path, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")

    found = list_revisions(tmp_path, 5)

    assert set(found.branches) == {"main", "old", "origin/main"}
    assert found.branches[0] == "main"
    assert found.tags == ("v2", "v1")
    assert [(each.commit, each.time, each.subject) for each in found.commits] == [
        (second, 1_700_000_100, hostile),
        (first, 1_700_000_000, "One"),
    ]
    assert all(each.commit.startswith(each.short) for each in found.commits)
    assert len(list_revisions(tmp_path, 1).commits) == 1
