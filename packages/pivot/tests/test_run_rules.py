"""Stages that always run, that never run, and whose results expire, through the executable."""

import json
import os
import pathlib
import shutil
import time

import pytest
from harness import Project

from pivot_runtime.freshness import noop_cache
from pivot_runtime.freshness.stamps import ReadSet

PIPELINE = """\
pipeline: p
stages:
  fetch:
    cmd: cat "$SOURCE" > ${outs.raw}
    outs: {raw: raw.txt}
  clean:
    cmd: tr a-z A-Z < ${deps.raw} > ${outs.clean}
    deps: {raw: raw.txt}
    outs: {clean: clean.txt}
"""


@pytest.fixture
def project(
    empty: Project, initialized: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> Project:
    """Two stages; what the first one reads is outside the project and not declared."""
    source = tmp_path / "source.txt"
    source.write_text("one")
    monkeypatch.setenv("SOURCE", str(source))
    shutil.copytree(initialized, empty.root, dirs_exist_ok=True)
    empty.write("pivot.yaml", PIPELINE)
    return empty


def fetch_has(project: Project, line: str) -> None:
    """Declare more of the first stage."""
    project.replace("pivot.yaml", "    outs: {raw: raw.txt}\n", f"    outs: {{raw: raw.txt}}\n    {line}\n")


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_a_stage_that_always_runs(project: Project) -> None:
    fetch_has(project, "always: true")
    project.pivot("repro")
    for _ in range(2):  # no answer is kept
        again = project.pivot("repro")
        assert "cached    clean" in again.stderr
        assert "Always runs" in again.stderr
        assert again.stdout.startswith("Done: 1 ran, 1 cached")

    assert lines(project.pivot("status").stdout) == [
        "fetch always Always runs",
        "clean cached unless fetch writes something else",
        "",
        "2 stages, none stale",
    ]
    assert lines(project.pivot("repro", "--dry-run").stdout) == [
        "would run fetch Always runs",
        "cached clean unless fetch writes something else",
    ]
    project.pivot("status", "--quiet")
    first, second = json.loads(project.pivot("status", "--json", "--explain").stdout)["stages"]
    assert (first["status"], first["runs"], first["reason"], first["action"]) == (
        "cached",
        "always",
        "Always runs",
        "run",
    )
    assert (second["status"], second["upstream_always"]) == ("cached", ["fetch"])
    assert lines(project.pivot("verify").stdout)[:2] == ["passed fetch Always runs", "passed clean"]
    assert project.pivot("list", "fetch").stdout.endswith("  writes  raw.txt\n  runs    always\n")

    pathlib.Path(os.environ["SOURCE"]).write_text("two")
    changed = project.pivot("repro")
    assert "Input data changed: raw.txt" in changed.stderr
    assert project.read("clean.txt") == "TWO"


def test_a_result_expires(project: Project) -> None:
    fetch_has(project, "ttl: 1d")
    project.pivot("repro")
    lock = json.loads(project.read(".pivot/stages/p.fetch.lock"))
    assert 0 <= time.time() - lock["ran_at"] < 100
    assert "  runs    again after 24h00m\n" in project.pivot("list").stdout
    assert "ran_at" not in json.loads(project.read(".pivot/stages/p.clean.lock"))
    assert project.pivot("repro").stdout.startswith("Everything is up to date")

    project.replace("pivot.yaml", "ttl: 1d", "ttl: 0.001s")
    stale = project.pivot("status").stdout
    assert "stale   Result expired: made 2" in stale
    explained = project.pivot("status", "--explain", "fetch").stdout
    assert "Status: WILL RUN\n  Reason: Result expired\n" in explained
    failed = project.pivot("verify", code=1)
    assert "FAILED  fetch  Result expired" in failed.stdout

    pathlib.Path(os.environ["SOURCE"]).write_text("two")
    assert project.pivot("repro").stdout.startswith("Done: 2 ran")
    assert project.read("clean.txt") == "TWO"


def test_a_result_of_unknown_age_has_expired(project: Project) -> None:
    project.pivot("repro")
    fetch_has(project, "ttl: 1d")

    assert "Result expired: its age is not recorded" in project.pivot("status").stdout


@pytest.mark.parametrize(("seconds", "found"), [(1000, True), (0, False)])
def test_a_kept_answer_ends_with_the_first_result_that_expires(project: Project, seconds: int, found: bool) -> None:
    project.pivot("list")
    read_set = ReadSet()
    read_set.expire(time.time() + 5000)
    read_set.expire(time.time() + seconds)
    before = pathlib.Path.cwd()
    os.chdir(project.root)
    try:
        answer = noop_cache.CachedOutput("out", "err", 0)
        noop_cache.keep(["status"], os.environ, answer, read_set=read_set, traces=())
        assert (noop_cache.find(["status"], os.environ, time.monotonic_ns()) is not None) == found
    finally:
        os.chdir(before)


def test_a_frozen_stage(project: Project) -> None:
    project.pivot("repro")
    fetch_has(project, "frozen: true")
    project.replace("pivot.yaml", 'cat "$SOURCE"', 'cat "$SOURCE" "$SOURCE"')
    because = "Stage is frozen (Code dependency changed: command)"

    assert lines(project.pivot("status").stdout) == [
        f"fetch frozen {because}",
        "clean cached",
        "",
        "2 stages, none stale",
    ]
    assert lines(project.pivot("repro", "--dry-run").stdout)[0] == f"frozen fetch {because}"
    assert lines(project.pivot("verify").stdout)[0] == f"passed fetch {because}"
    (stage,) = json.loads(project.pivot("status", "--json", "--explain", "fetch").stdout)["stages"]
    assert (stage["status"], stage["runs"], stage["action"], stage["will_run"]) == ("cached", "never", "frozen", False)

    forced = project.pivot("repro", "--force")
    assert because in forced.stderr
    assert forced.stdout.startswith("Done: 1 ran, 1 frozen")
    assert project.read("raw.txt") == "one"

    (project.root / "raw.txt").unlink()
    restored = project.pivot("repro")
    assert restored.stdout.startswith("Done: 1 restored, 1 cached")
    assert project.read("raw.txt") == "one"
    assert because in project.pivot("status").stdout, "its lock is that of its last run"

    (project.root / "raw.txt").write_text("mine")
    project.pivot("repro")
    assert project.read("clean.txt") == "MINE"

    (project.root / "raw.txt").unlink()
    shutil.rmtree(project.root / ".pivot/cache")
    gone = project.pivot("repro", code=1)
    assert "error: stage 'fetch' is frozen, and raw.txt is neither here nor in the cache" in gone.stderr
    assert "or 'frozen' removed from its definition, lets the stage run" in gone.stderr


def test_freeze_and_unfreeze(project: Project) -> None:
    project.pivot("repro")
    assert project.pivot("repro").stdout.startswith("Everything is up to date")  # and the answer is kept
    assert project.pivot("freeze", "fetch").stdout == "Froze fetch\n"
    assert project.read(".pivot/frozen").splitlines()[1:] == ["p.fetch"]
    assert project.pivot("freeze", "fetch", "clean").stdout == "Froze clean\nfetch is already frozen\n"
    assert project.pivot("repro").stdout.startswith("Done: 2 frozen"), "no kept answer and no snapshot hides it"
    assert lines(project.pivot("status", "--json", "--stages-only").stdout).count('"runs": "never",') == 2

    wrong = project.pivot("freeze", "fetsh", code=2)
    assert "hint: did you mean fetch or p.fetch?" in wrong.stderr

    project.replace("pivot.yaml", "  fetch:\n", "  former:\n")
    doctor = project.pivot("doctor").stdout
    assert "the list of frozen stages names 'p.fetch', which is no stage\n" in doctor
    assert "pivot unfreeze p.fetch" in doctor
    thawed = json.loads(project.pivot("unfreeze", "p.fetch", "former", "clean", "--json").stdout)
    assert thawed == {"changed": ["p.fetch", "clean"], "unchanged": ["former"]}
    assert not (project.root / ".pivot/frozen").exists()

    project.replace("pivot.yaml", "  former:\n", "  former:\n    frozen: true\n")
    refused = project.pivot("unfreeze", "former", code=2)
    assert "is frozen by its definition (pivot.yaml:3)" in refused.stderr


def test_both_sides_of_a_merge_are_frozen(project: Project) -> None:
    project.write(".pivot/frozen", "<<<<<<< ours\np.fetch\n=======\np.clean\n>>>>>>> theirs\n")

    assert "Stage is frozen (No previous run)" not in project.pivot("status").stdout  # their outs are not there
    assert project.pivot("repro", code=1).stderr.count("is frozen, and") == 1
    assert "note: no run is recorded of fetch: provide the outs" in project.pivot("freeze", "fetch").stderr
    project.pivot("unfreeze", "fetch", "clean")
    project.pivot("repro")
