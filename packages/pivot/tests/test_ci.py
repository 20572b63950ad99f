"""The page on CI, line by line, against a server in a thread; and the output for CI services."""

import json
import shutil
import subprocess
from xml.etree import ElementTree as ET

import pytest
from harness import Project
from test_remote import Team, s3, team

__all__ = ["s3", "team"]


def test_reports_for_ci_services(quick: Project) -> None:
    quick.pivot("repro")
    summary = quick.root.parent / "summary.md"
    env = {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_WORKSPACE": str(quick.root.parent)}
    told = quick.pivot("verify", "--format", "github", env=env).stdout
    assert "2 stages, all passed" in told
    assert "::error" not in told
    assert "| preprocess | ✅ passed |" in summary.read_text()

    quick.replace("pipeline.py", "sum(values)", "max(values)")
    told = quick.pivot("verify", "--format", "github", env=env, code=1).stdout
    (error,) = [line for line in told.splitlines() if line.startswith("::")]
    assert error.startswith("::error file=project/pipeline.py,line=")
    assert error.endswith(",title=summarize%3A stale::Code dependency changed: func:summarize")
    assert summary.read_text().count("### pivot verify") == 2  # what other steps have said stays

    done = quick.pivot("verify", "--format", "github", env={"GITHUB_STEP_SUMMARY": str(quick.root)}, code=1)
    assert "warning: the step summary cannot be written" in done.stderr

    suites = ET.fromstring(quick.pivot("verify", "--format", "junit", code=1).stdout)
    assert (suites.get("tests"), suites.get("failures")) == ("2", "1")
    assert quick.pivot("verify", "--format", "json", code=1).stdout == quick.pivot("verify", "--json", code=1).stdout
    done = quick.pivot("verify", "--quiet", code=1)
    assert (done.stdout, done.stderr) == ("", "")
    assert "contradict" in quick.pivot("verify", "--json", "--format", "junit", code=2).stderr


def test_the_page_on_ci(team: Team) -> None:
    """Each command of the page, in its order: developer, pull request, what goes wrong, after the merge."""
    passed = {"status": "passed", "reason": "", "missing_files": []}
    both = {"passed": True, "stages": [{"name": "preprocess", **passed}, {"name": "summarize", **passed}]}
    assert "all passed" in team.pivot("verify")
    assert "2 stages, all passed" in team.pivot("verify", "preprocess", "summarize")
    assert json.loads(team.pivot("verify", "--json")) == both
    team.pivot("push")

    ci = team.clone("ci")
    before = ci.snapshot()
    assert json.loads(team.pivot("verify", "--allow-missing", "--json", project=ci)) == both
    assert ci.snapshot() == before, "outs that are on the remote are not downloaded"
    assert "Missing files: " in team.pivot("verify", project=ci, code=1)
    team.pivot("config", "set", "remotes.origin", f"s3://{team.bucket}/pivot-cache", project=ci)
    team.pivot("pull", project=ci)
    team.pivot("verify", "--allow-missing", project=ci)
    assert team.pivot("status", "--quiet", project=ci) == ""

    full = json.loads(team.pivot("status", "--json", project=ci))
    assert full.keys() == {"stages", "tracked_files", "suggestions"}
    assert {stage["status"] for stage in full["stages"]} == {"cached"}
    assert json.loads(team.pivot("status", "--json", "--stages-only", project=ci))["stages"] == full["stages"]

    asked = json.loads(team.pivot("status", "--json", "--remote", project=ci))
    assert asked.keys() > full.keys(), "counts of the remote"

    ci.replace("pipeline.py", "sum(values)", "max(values)")
    team.pivot("status", "--quiet", project=ci, code=1)
    explained = json.loads(team.pivot("status", "--json", "--explain", project=ci))["stages"][1]
    assert {"will_run", "code_changes", "param_changes", "dep_changes", "upstream_stale"} <= explained.keys()
    assert (explained["status"], explained["will_run"]) == ("stale", True)
    assert "func:summarize" in team.pivot("status", "--explain", project=ci)
    failed = json.loads(team.pivot("verify", "--json", project=ci, code=1))
    assert [stage["name"] for stage in failed["stages"] if stage["status"] == "failed"] == ["summarize"]

    team.pivot("repro", project=ci)
    team.pivot("verify", project=ci)
    shutil.copytree(ci.root / ".pivot/stages", team.first.root / ".pivot/stages", dirs_exist_ok=True)
    shutil.copy(ci.root / "pipeline.py", team.first.root / "pipeline.py")
    told = json.loads(team.pivot("verify", "--allow-missing", "--json", project=team.clone("early"), code=1))
    assert told["stages"][1] == {
        "name": "summarize",
        "status": "failed",
        "reason": "Missing files: summary.json",
        "missing_files": ["summary.json"],
    }
    team.pivot("push", project=ci)
    assert "all passed" in team.pivot("verify", "--allow-missing", project=team.clone("late"))


MATCHING = """

def many() -> Annotated[dict, pivot.Out("many/", pivot.loaders.Text())]:
    return {"a.txt": "a", "b.csv": "b"}


def join(
    many: Annotated[dict, pivot.Dep("many/*.txt", pivot.loaders.Text())],
    raw: Annotated[dict, pivot.Dep("raw/*.txt", pivot.loaders.Text())],
) -> Annotated[str, pivot.Out("joined.txt", pivot.loaders.Text())]:
    return f"{dict(many)} {dict(raw)}"


pipeline.register(many)
pipeline.register(join)
"""


def test_files_in_directories_on_the_remote_match(team: Team) -> None:
    pipeline = team.first.read("pipeline.py")
    team.first.write("pipeline.py", pipeline + MATCHING)
    team.first.write("raw/r.txt", "r")
    team.pivot("track", "raw")
    team.pivot("repro")
    team.pivot("push")
    ci = team.clone("ci")
    shutil.rmtree(ci.root / "raw", ignore_errors=True)
    assert "4 stages, all passed" in team.pivot("verify", "--allow-missing", project=ci)


def test_inputs_that_are_on_the_remote_pass_too(team: Team) -> None:
    team.pivot("track", "data.json")
    team.pivot("push")
    ci = team.clone("ci")
    (ci.root / "data.json").unlink()
    assert "Missing files: " in team.pivot("verify", project=ci, code=1)
    assert "2 stages, all passed" in team.pivot("verify", "--allow-missing", project=ci)
    assert not (ci.root / "data.json").exists()
    team.pivot("remote", "remove", "origin", project=ci)
    assert "no remote" in team.pivot("verify", "--allow-missing", project=ci, code=2)


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
def test_failed_stages_by_jq(quick: Project) -> None:
    told = quick.pivot("verify", "--json", code=1).stdout
    script = '.stages[] | select(.status == "failed") | .name'
    done = subprocess.run(["jq", "-r", script], input=told, capture_output=True, text=True, check=True)
    assert done.stdout == "preprocess\nsummarize\n"


def test_outs_lost_from_the_cache_are_stored_again_by_the_hint_of_verify(quick: Project) -> None:
    for _ in range(2):
        quick.pivot("repro")
    damaged = next(iter((quick.root / ".pivot/cache/files").glob("*/*")))
    damaged.unlink()
    told = quick.pivot("verify", code=1)
    assert "  Missing files: " in told.stdout
    assert "hint: the cache lacks outs that are in the workspace: 'pivot repro' stores them again: " in told.stderr
    quick.pivot("repro")
    quick.pivot("verify")
