"""`pivot cache`: what is kept for branches, stashes, worktrees and clones, what is found damaged, what is dropped."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Callable

import pytest
from harness import Project

PIPELINE = """\
import pathlib
from typing import Annotated

import pivot

pipeline = pivot.Pipeline("p")


def copy(
    text: Annotated[str, pivot.Dep("in.txt", pivot.loaders.Text())],
) -> Annotated[pathlib.Path, pivot.Out("out.txt", pivot.loaders.PathOnly())]:
    path = pathlib.Path("out.txt")
    path.write_text(text.upper())
    return path


def spread(
    text: Annotated[str, pivot.Dep("in.txt", pivot.loaders.Text())],
) -> Annotated[pathlib.Path, pivot.DirectoryOut("parts", pivot.loaders.PathOnly())]:
    path = pathlib.Path("parts")
    path.mkdir()
    for number, word in enumerate(text.split()):
        (path / f"{number}.txt").write_text(word)
    return path


pipeline.register(copy)
pipeline.register(spread)
"""

ALL = ("--keep-since", "0")


def git(project: Project, *arguments: str, cwd: pathlib.Path | None = None) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "init.defaultBranch=main", *arguments],
        cwd=cwd or project.root,
        check=True,
        capture_output=True,
        text=True,
        env={key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
    )
    return done.stdout


def run(project: Project, text: str) -> set[str]:
    """Run all stages over this text; gives the objects that they need."""
    project.write("in.txt", text)
    project.pivot("repro")
    return needed(text)


def needed(text: str) -> set[str]:
    """The contents that a run over this text leaves, by which objects are known here."""
    return {text.upper(), *text.split()}


def kept(project: Project, cache: str = ".pivot/cache") -> set[str]:
    """The contents in the store, but for listings."""
    files = (project.root / cache / "files").glob("*/*")
    return {text for file in files if not (text := file.read_text()).startswith("{")}


def commit(project: Project) -> None:
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "state")


@pytest.fixture
def project(make: Callable[[str], Project]) -> Project:
    project = make(PIPELINE)
    project.write(".gitignore", "/out.txt\n/parts\n")
    return project


@pytest.fixture
def repository(project: Project) -> Project:
    git(project, "init", "-q")
    return project


def test_gc_keeps_what_the_workspace_needs_and_undo_brings_back_the_rest(project: Project) -> None:
    old = run(project, "one two")
    new = run(project, "three four")

    planned = project.pivot("cache", "gc", "--dry-run", *ALL)
    assert kept(project) == old | new
    done = project.pivot("cache", "gc", *ALL)

    assert kept(project) == new
    assert planned.stdout.splitlines()[0].replace("Would move", "Moved") == done.stdout.splitlines()[0]
    assert done.stdout.startswith("Moved 4 objects (")
    assert "hint: 'pivot cache gc --undo' brings it back\n" in done.stderr
    assert project.pivot("cache", "gc", "--undo").stdout.startswith("Brought back 4 objects (")
    assert kept(project) == old | new
    assert project.pivot("cache", "gc", "--undo", code=1).stdout == "Nothing to undo: the trash is empty\n"


def test_gc_keeps_what_recent_runs_left(project: Project) -> None:
    old = run(project, "one two")
    new = run(project, "three four")

    project.pivot("cache", "gc")
    assert kept(project) == old | new

    project.write(".pivot/config.yaml", "cache.keep_runs_days: 0\n")
    project.pivot("cache", "gc")
    assert kept(project) == new


def test_gc_down_to_a_size_begins_with_what_was_not_used_for_long(project: Project) -> None:
    """It forgets recent runs only if that is necessary, and never removes what the workspace needs."""
    first, second, last = (run(project, text) for text in ("one", "two", "three"))
    assert "Moved 0 objects" in project.pivot("cache", "gc", *ALL, "--older-than", "1d").stdout
    whole = project.json("cache", "status", "--json")["size"]
    dry = project.json("cache", "gc", "--max-size", str(whole - 1), "--dry-run", "--json")
    assert (dry["runs"], dry["spared"]["objects"]) == (1, 0), "nothing is unneeded, so a run has to go; all are known"
    done = project.pivot("cache", "gc", *ALL, "--max-size", f"{(whole - 1) / 1000} kB")
    assert done.stdout.startswith("Moved 1 object ")
    assert "that nothing needs" in done.stdout
    assert kept(project) >= second

    done = project.pivot("cache", "gc", "--max-size", "0")
    assert kept(project) == last
    assert "note: the cache keeps" in done.stderr
    project.pivot("cache", "gc", "--undo")
    assert kept(project) > last
    assert not kept(project) >= first | second | last, "the second collection is undone, and not the first"
    assert "is not a size" in project.pivot("cache", "gc", "--max-size", "much", code=2).stderr


def test_gc_down_to_a_size_keeps_the_numbers_of_recent_results(make: Callable[[str], Project]) -> None:
    project = make(
        "from typing import Annotated\nimport pivot\n\n"
        "class Params(pivot.StageParams):\n    rate: int = 1\n\n"
        "pipeline = pivot.Pipeline('p')\n\n"
        "@pipeline.register\n"
        "def train(params: Params) -> Annotated[str, pivot.Out('model.txt', pivot.loaders.Text())]:\n"
        "    return str(params.rate) * 1000\n"
    )
    for rate in ("1", "2", "3"):
        project.pivot("repro", "-p", f"train.rate={rate}")
    listed = [each["params"] for each in project.json("results", "--json")["results"]]

    done = project.pivot("cache", "gc", "--max-size", "2 kB")
    assert done.stdout.startswith("Moved 1 object (1.0 kB) to the trash"), done.stdout
    assert "Kept only the parameters and metrics of 1 result to save space" in done.stdout
    assert "Moved 0 objects" in project.pivot("cache", "gc").stdout, "what has been moved is not needed again"
    project.pivot("cache", "gc", "--max-size", "0", "--grace", "0")

    assert len(kept(project)) == 1
    found = project.json("results", "--json")["results"]
    assert [each["params"] for each in found] == listed
    gone = next(each["id"] for each in found if each["params"] == {"train.rate": 1})
    assert "model.txt" in project.pivot("apply", gone, code=1).stderr


def test_collected_objects_are_found_again_while_they_are_in_the_trash(project: Project) -> None:
    run(project, "one two")
    run(project, "three four")
    lock = project.read(".pivot/stages/p.copy.lock")
    project.pivot("cache", "gc", *ALL)
    shutil.rmtree(project.root / "parts")
    (project.root / "out.txt").unlink()

    project.pivot("cache", "gc", "--undo")
    project.write("in.txt", "one two")

    assert "restored" in project.pivot("repro").stderr
    assert project.read(".pivot/stages/p.copy.lock") != lock
    assert project.read("out.txt") == "ONE TWO"


def test_the_trash_is_emptied_after_its_grace_period(project: Project) -> None:
    run(project, "one two")
    run(project, "three four")
    project.pivot("cache", "gc", *ALL)

    assert project.json("cache", "gc", "--json", *ALL)["deleted"]["objects"] == 0
    assert project.json("cache", "status", "--json")["trash"]["objects"] == 4
    run(project, "five")
    project.write(".pivot/state.db/sweeps/1/1/in.txt", "a copy in which a sweep may be running a stage")
    assert f"a command may be using it in {project.root}" in project.pivot("cache", "gc", "--grace", "0", *ALL).stderr
    shutil.rmtree(project.root / ".pivot/state.db/sweeps")
    assert project.json("cache", "status", "--json")["trash"]["objects"] == 4
    run(project, "six")
    planned = project.pivot("cache", "gc", "--dry-run", "--grace", "0", *ALL).stdout
    assert "Would delete this collection and 1 earlier collection from the trash" in planned
    done = project.pivot("cache", "gc", "--grace", "0", *ALL)
    assert "Moved 3 objects" in done.stdout
    assert "Deleted 7 objects" in done.stdout
    assert "--undo" not in done.stderr, "nothing is left to bring back"
    assert project.json("cache", "status", "--json")["trash"]["objects"] == 0


def test_gc_keeps_what_branches_tags_stashes_worktrees_and_the_index_need(
    repository: Project, tmp_path: pathlib.Path
) -> None:
    project = repository
    branch = run(project, "branch b1")
    commit(project)
    git(project, "branch", "feature")

    tag = run(project, "tag t1")
    commit(project)
    git(project, "tag", "-a", "-m", "annotated", "v1")

    older_stash = run(project, "stash s1")
    git(project, "stash", "-q")
    newer_stash = run(project, "stash s2")
    git(project, "stash", "-q")

    elsewhere = tmp_path / "elsewhere"
    git(project, "worktree", "add", "-q", "--detach", str(elsewhere))
    other = Project(elsewhere)
    detached = run(other, "detached d1")
    commit(other)
    in_worktree = run(other, "worktree w1")
    share(project, other)

    staged = run(project, "index i1")
    git(project, "add", "-A")
    forgotten = run(project, "forgotten f1")
    now = run(project, "now n1")

    done = project.json("cache", "gc", "--json", *ALL)

    everything = branch | tag | older_stash | newer_stash | detached | in_worktree | staged | now
    assert kept(project) == everything
    assert len(done["removed"]) == 4
    assert not forgotten & kept(project)


def share(project: Project, other: Project) -> None:
    """Put what another worktree's cache has into the project's, as if they had shared one."""
    for file in (other.root / ".pivot/cache/files").glob("*/*"):
        target = project.root / ".pivot/cache/files" / file.parent.name / file.name
        if not target.exists():
            target.parent.mkdir(exist_ok=True)
            shutil.copy2(file, target)


def test_gc_no_longer_keeps_what_a_deleted_branch_needed(repository: Project) -> None:
    project = repository
    run(project, "branch b1")
    commit(project)
    git(project, "branch", "feature")
    now = run(project, "now n1")
    git(project, "add", "-A")
    git(project, "commit", "-q", "--amend", "-m", "other")
    project.pivot("cache", "gc", *ALL)
    assert kept(project) == needed("branch b1") | now

    git(project, "branch", "-D", "feature")
    (project.root / ".git/ORIG_HEAD").unlink(missing_ok=True)
    project.pivot("cache", "gc", *ALL)

    assert kept(project) == now


def test_gc_works_in_a_subdirectory_of_a_repository(make: Callable[[str], Project], tmp_path: pathlib.Path) -> None:
    project = make(PIPELINE)
    project.write(".gitignore", "/out.txt\n/parts\n")
    git(project, "init", "-q", cwd=tmp_path)
    branch = run(project, "branch b1")
    commit(project)
    now = run(project, "now n1")
    run(project, "gone g1")
    run(project, "now n1")

    project.pivot("cache", "gc", *ALL)

    assert kept(project) == branch | now


def test_gc_keeps_tracked_data_of_every_branch(repository: Project) -> None:
    project = repository
    project.write("data.csv", "first")
    project.pivot("track", "data.csv")
    commit(project)
    project.write("data.csv", "forgotten")
    project.pivot("track", "data.csv")
    project.write("data.csv", "second")
    project.pivot("track", "data.csv")

    project.pivot("cache", "gc", *ALL)

    assert kept(project) == {"first", "second"}


def test_a_damaged_lock_in_a_branch_stops_gc_and_is_named(repository: Project) -> None:
    project = repository
    old = run(project, "old o1")
    lock = project.read(".pivot/stages/p.copy.lock")
    project.write(".pivot/stages/p.copy.lock", lock.replace('"format": 1', '"format": "one"'))
    commit(project)
    git(project, "branch", "broken")
    project.write(".pivot/stages/p.copy.lock", lock)
    now = run(project, "now n1")
    commit(project)

    done = project.pivot("cache", "gc", *ALL, code=3)

    assert done.stderr.startswith("error: ")
    assert "@ refs/heads/broken:.pivot/stages/p.copy.lock: format" in done.stderr
    assert "--skip-damaged" in done.stderr
    assert kept(project) == old | now
    done = project.pivot("cache", "gc", "--skip-damaged", *ALL)
    assert "note: left out: " in done.stderr
    assert kept(project) == now | (old - {"OLD O1"})


def test_a_damaged_lock_in_the_workspace_stops_gc_and_is_named(project: Project) -> None:
    run(project, "now n1")
    project.write(".pivot/stages/p.copy.lock", "{")

    assert ".pivot/stages/p.copy.lock" in project.pivot("cache", "gc", *ALL, code=3).stderr
    assert kept(project) == needed("now n1")


def test_a_failure_of_git_stops_gc(repository: Project) -> None:
    project = repository
    run(project, "old o1")
    commit(project)
    run(project, "now n1")
    before = kept(project)

    (project.root / ".git/refs/heads/broken").write_text("not an id\n")
    assert "git for-each-ref failed" in project.pivot("cache", "gc", *ALL, code=3).stderr
    (project.root / ".git/refs/heads/broken").unlink()

    (project.root / ".git/HEAD").rename(project.root / ".git/HEAD.away")
    assert "error: git " in project.pivot("cache", "gc", *ALL, code=3).stderr
    (project.root / ".git/HEAD.away").rename(project.root / ".git/HEAD")

    without = {"PATH": str(pathlib.Path(sys.executable).parent)}
    assert "hint: install git" in project.pivot("cache", "gc", *ALL, code=3, env=without).stderr
    assert kept(project) == before


def test_gc_is_not_led_astray_by_the_environment_of_a_git_hook(repository: Project, tmp_path: pathlib.Path) -> None:
    project = repository
    old = run(project, "old o1")
    commit(project)
    git(project, "branch", "feature")
    now = run(project, "now n1")
    git(project, "init", "-q", str(tmp_path / "other"))

    project.pivot("cache", "gc", *ALL, env={"GIT_DIR": str(tmp_path / "other/.git"), "GIT_INDEX_FILE": "nowhere"})

    assert kept(project) == old | now


@pytest.fixture
def clones(project: Project, tmp_path: pathlib.Path) -> tuple[Project, Project]:
    """Two projects with one cache."""
    other = Project(tmp_path / "clone")
    shutil.copytree(project.root, other.root)
    for clone in (project, other):
        clone.write(".pivot/config.yaml", "cache.dir: ../shared\n")
    return project, other


def test_a_shared_cache_is_not_collected_unless_told_how(clones: tuple[Project, Project]) -> None:
    first, second = clones
    mine, theirs = run(first, "mine m1"), run(second, "theirs t1")
    gone = run(first, "gone g1")
    run(first, "mine m1")

    done = first.pivot("cache", "gc", *ALL, code=2)

    assert f"other projects use this cache: {second.root}" in done.stderr
    assert "--all-projects" in done.stderr
    assert "--only-this-project" in done.stderr
    assert kept(first, "../shared") == mine | theirs | gone
    first.pivot("cache", "gc", "--all-projects", *ALL)
    assert kept(first, "../shared") == mine | theirs
    spared = first.pivot("cache", "gc", "--only-this-project", "--grace", "0", *ALL).stderr
    assert kept(first, "../shared") == mine
    assert f"a command may be using it in {second.root}" in spared
    assert first.json("cache", "status", "--json")["trash"]["objects"] == 4, "three files and their listing"
    assert first.json("cache", "status", "--json")["projects"] == [str(second.root)]


def test_a_clone_that_is_gone_no_longer_counts(clones: tuple[Project, Project]) -> None:
    first, second = clones
    mine = run(first, "mine m1")
    run(second, "theirs t1")
    shutil.rmtree(second.root)

    done = first.pivot("cache", "gc", *ALL)

    assert f"note: {second.root} used this cache, but no longer exists\n" in done.stderr
    assert kept(first, "../shared") == mine


def test_a_clone_on_another_machine_does_not_count_as_deleted(clones: tuple[Project, Project]) -> None:
    first, second = clones
    run(first, "mine m1")
    shutil.rmtree(second.root)
    far = {"host": "far-away", "root": str(second.root)}
    file = first.write("../shared/projects/0123456789abcdef", json.dumps(far))

    done = first.pivot("cache", "gc", "--all-projects", *ALL, code=2)

    assert "far-away" in done.stderr
    assert f"{first.root.parent}/shared/projects/{file.name}" in done.stderr.replace(f"{first.root.name}/../", "")


def test_the_owner_of_a_cache_counts_where_others_use_it(project: Project, tmp_path: pathlib.Path) -> None:
    other = Project(tmp_path / "clone")
    shutil.copytree(project.root, other.root)
    other.write(".pivot/config.yaml", f"cache.dir: {project.root}/.pivot/cache\n")
    mine, theirs = run(project, "mine m1"), run(other, "theirs t1")

    for one in (project, other):
        assert "other projects use this cache" in one.pivot("cache", "gc", *ALL, code=2).stderr
        one.pivot("cache", "gc", "--all-projects", *ALL)
    assert kept(project) == mine | theirs


def object_of(project: Project, content: str) -> pathlib.Path:
    (found,) = (file for file in (project.root / ".pivot/cache/files").glob("*/*") if file.read_text() == content)
    return found


def damage(file: pathlib.Path) -> None:
    """Other bytes, as a failing disk leaves them: nothing but the bytes tells."""
    before = file.stat()
    file.chmod(0o644)
    file.write_bytes(bytes(byte ^ 1 for byte in file.read_bytes()))
    file.chmod(0o444)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_verify_says_that_all_is_good(project: Project) -> None:
    run(project, "one two")

    for arguments in ((), ("--full",), ("--fast",)):
        done = project.pivot("cache", "verify", *arguments)
        assert done.stdout.startswith("Checked 4 objects (")
        assert done.stdout.endswith("): all good\n")
        assert done.stderr == ""


def test_verify_quarantines_what_is_damaged_and_names_whom_it_concerns(project: Project) -> None:
    run(project, "one two")
    bad = object_of(project, "ONE TWO")
    digest = f"{bad.parent.name}{bad.name}"
    damage(bad)

    assert project.pivot("cache", "verify", "--fast").stdout.endswith("all good\n")
    done = project.pivot("cache", "verify", code=1)

    assert "1 bad, 1 missing" in done.stdout
    assert f"error: object {digest} has other bytes than its name says: moved to " in done.stderr
    assert "error: out.txt (stage p.copy): not completely in the cache\n" in done.stderr
    assert "hint: 'pivot cache verify --repair'" in done.stderr
    assert (project.root / ".pivot/cache/quarantine" / digest).exists()
    assert project.json("cache", "status", "--json")["quarantine"]["objects"] == 1


def test_damage_that_nothing_here_needs_is_an_answer_of_no_once(project: Project) -> None:
    run(project, "one two")
    bad = object_of(project, "ONE TWO")
    run(project, "three four")
    damage(bad)

    found = project.json("cache", "verify", "--json", code=1)

    assert (found["good"], found["affected"]) == (False, [])
    assert project.json("cache", "verify", "--json")["good"] is True


def test_verify_repairs_from_the_workspace(project: Project) -> None:
    run(project, "one two")
    damage(object_of(project, "ONE TWO"))
    object_of(project, "two").unlink()

    done = project.pivot("cache", "verify", "--repair")

    assert "Repaired out.txt, parts\n" in done.stdout
    project.pivot("cache", "verify")


def test_verify_lists_the_stages_to_run_where_nothing_has_the_content(project: Project) -> None:
    run(project, "one two")
    damage(object_of(project, "ONE TWO"))
    object_of(project, "two").unlink()
    (project.root / "out.txt").unlink()
    (project.root / "parts/1.txt").unlink()

    found = project.json("cache", "verify", "--repair", "--json", code=1)
    done = project.pivot("cache", "verify", "--repair", code=1)

    assert found["run_again"] == ["p.copy", "p.spread"]
    assert [one["path"] for one in found["affected"]] == ["out.txt", "parts"]
    assert "'pivot repro p.copy p.spread' computes it again" in done.stderr
    project.pivot("repro", "p.copy", "p.spread")
    project.pivot("cache", "verify")


def test_verify_fast_suspects_what_was_written_to(project: Project) -> None:
    run(project, "one two")
    object_of(project, "ONE TWO").chmod(0o644)

    done = project.pivot("cache", "verify", "--fast", code=1)

    assert "may be written to" in done.stderr
    assert "hint: 'pivot cache verify --full'" in done.stderr
    project.pivot("cache", "verify")
    assert object_of(project, "ONE TWO").stat().st_mode & 0o777 == 0o444
    project.pivot("cache", "verify", "--fast")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_verify_cannot_tell_of_what_it_cannot_read(project: Project) -> None:
    run(project, "one two")
    object_of(project, "ONE TWO").chmod(0)

    assert "could not be checked" in project.pivot("cache", "verify", code=3).stderr


def test_drop_says_where_else_the_content_is(project: Project) -> None:
    run(project, "one two")

    done = project.pivot("cache", "drop", "out.txt", "spread")

    assert done.stdout.splitlines() == [
        "out.txt: 1 object (7 B), also in the workspace",
        "parts: 3 objects (160 B), also in the workspace",
        "Dropped 4 objects (167 B)",
    ]
    assert kept(project) == set()
    assert project.states() == {"copy": "stale", "spread": "stale"}
    project.pivot("cache", "gc", "--undo")
    assert kept(project) == needed("one two")
    assert project.states() == {"copy": "cached", "spread": "cached"}


def test_drop_refuses_what_is_nowhere_else(project: Project) -> None:
    run(project, "one two")
    (project.root / "out.txt").unlink()

    done = project.pivot("cache", "drop", "copy", "spread", code=1)

    assert "out.txt: 1 object (7 B), nowhere else\n" in done.stdout
    assert "error: out.txt exists nowhere else\n" in done.stderr
    assert "--force" in done.stderr
    assert kept(project) == needed("one two")
    assert "Dropped 1 object" in project.pivot("cache", "drop", "--force", "copy").stdout
    assert "ONE TWO" not in kept(project)


def test_drop_does_not_count_links_into_the_cache(project: Project) -> None:
    run(project, "one two")
    (project.root / "out.txt").unlink()
    project.pivot("checkout", "--checkout-mode", "symlink", "out.txt")

    assert "nowhere else" in project.pivot("cache", "drop", "out.txt", code=1).stdout
    assert project.read("out.txt") == "ONE TWO"


def test_drop_keeps_what_others_consist_of_too(project: Project) -> None:
    run(project, "same")
    project.write("data.txt", "same")
    project.pivot("track", "data.txt")

    done = project.pivot("cache", "drop", "data.txt")

    assert "1 object kept: other outs or tracked data also need them\n" in done.stdout
    assert kept(project) == {"same", "SAME"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["cache", "stats"], "Did you mean status?"),
        (["cache", "gc", "--keep-since", "soon"], "30d"),
        (["cache", "gc", "--undo", "--dry-run"], "exclude each other"),
        (["cache", "gc", "--all-projects", "--only-this-project"], "exclude each other"),
        (["cache", "drop"], "TARGET"),
        (["cache", "drop", "nothing"], "nothing"),
    ],
)
def test_wrong_usage_of_the_cache_commands(project: Project, arguments: list[str], told: str) -> None:
    done = project.pivot(*arguments, code=2)

    assert done.stderr.startswith("error: ")
    assert told in done.stderr


def test_status_says_what_the_cache_holds_and_for_whom(project: Project) -> None:
    run(project, "one two")
    project.write("data.csv", "data")
    project.pivot("track", "data.csv")
    before = project.snapshot()

    shown = project.pivot("cache", "status").stdout
    found = project.json("cache", "status", "--json")

    assert shown.splitlines()[0].startswith(".pivot/cache: 5 objects (")
    assert ["data.csv", "1", "object", "4", "B"] in [line.split() for line in shown.splitlines()]
    assert [(share["name"], share["objects"], share["missing"]) for share in found["shares"]] == [
        ("p.copy", 1, 0),
        ("p.spread", 3, 0),
        ("data.csv", 1, 0),
    ]
    assert found["objects"] == 5
    assert found["runs"] == 2
    assert found["links"].keys() == {"reflink", "hardlink", "symlink"}
    assert project.snapshot() == before


def test_the_cache_commands_need_no_pipeline(project: Project) -> None:
    run(project, "one two")
    (project.root / "pipeline.py").write_text("raise SystemExit('imported')\n")

    for arguments in (["status"], ["verify"], ["gc"], ["gc", "--dry-run"], ["drop", "-n", "copy"]):
        project.pivot("cache", *arguments)
