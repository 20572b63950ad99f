"""Habits from other commands: help, versions, colours, quiet, completion, and options in the wrong place."""

import json
import subprocess

import pytest
from harness import Project


def test_help_as_a_command(empty: Project) -> None:
    assert "\n  repro " in empty.pivot("help").stdout
    assert empty.pivot("help", "cache", "gc").stdout == empty.pivot("cache", "gc", "--help").stdout
    narrow = {"COLUMNS": "60"}
    assert empty.pivot("help", "status", env=narrow).stdout == empty.pivot("status", "--help", env=narrow).stdout

    assert "hint: pivot --help" in empty.pivot("help", "stats", code=2).stderr
    assert "Did you mean status?" in empty.pivot("help", "stats", code=2).stderr
    assert "'pivot status' has no commands" in empty.pivot("help", "status", "x", code=2).stderr


@pytest.mark.parametrize(
    ("given", "moved"),
    [
        (["repro", "-C", "a b", "-n"], "pivot -C 'a b' repro -n"),
        (["status", "--directory=x", "train"], "pivot --directory=x status train"),
        (["cache", "gc", "-Cx"], "pivot -Cx cache gc"),
        (["status", "-V"], "pivot -V status"),
    ],
)
def test_options_of_the_group_after_the_command(empty: Project, given: list[str], moved: str) -> None:
    assert f"comes before the command: {moved}\n" in empty.pivot(*given, code=2).stderr


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["exp", "show"], "Did you mean repro --compare, results or apply?"),
        (["gc"], "Did you mean cache gc?"),
        (["explain"], "Did you mean status --explain?"),
        (["metric"], "Did you mean metrics?"),
        (["cache", "add"], ""),
    ],
)
def test_commands_of_similar_tools(empty: Project, given: list[str], meant: str) -> None:
    said = empty.inside(*given, code=2).splitlines()[0]
    assert said == f"error: No such command {given[-1] if not meant else given[0]!r}. {meant}".rstrip()


def test_colours_on_request(quick: Project) -> None:
    assert "\x1b[32mran" in quick.pivot("repro", env={"FORCE_COLOR": "1", "TERM": "dumb"}).stderr
    assert "\x1b[" in quick.pivot("repro", env={"FORCE_COLOR": "1"}).stderr
    assert "\x1b[" in quick.pivot("repro", env={"FORCE_COLOR": "1"}).stderr, "as it was kept"
    assert "\x1b[" not in quick.pivot("repro", env={"FORCE_COLOR": "1", "NO_COLOR": "1"}).stderr


def test_a_quiet_init(empty: Project) -> None:
    done = empty.pivot("init", "-q")
    assert (done.stdout, done.stderr) == ("", "")
    (empty.root / "inner").mkdir()
    done = empty.pivot("init", "--quiet", cwd="inner")
    assert done.stdout == ""
    assert "warning: " in done.stderr


def test_init_says_what_git_is_good_for(empty: Project) -> None:
    note = "note: there is no git repository here; after 'git init', Pivot also keeps new outs out of git\n"
    assert empty.pivot("init").stderr.startswith(note)
    (empty.root / "b").mkdir()
    subprocess.run(["git", "init", "-q", "b"], cwd=empty.root, check=True)
    assert note not in empty.pivot("init", cwd="b").stderr


def completed(project: Project, *words: str) -> list[str]:
    """The candidates for the last word."""
    line = {
        "_PIVOT_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(("pivot", *words)),
        "COMP_CWORD": str(len(words)),
    }
    done = project.pivot("--complete", env=line)
    return [each.partition(",")[2] for each in done.stdout.splitlines()]


def test_completion_of_remotes_and_of_commands_that_have_help(quick: Project) -> None:
    quick.pivot("remote", "add", "origin", "s3://bucket/a")
    quick.pivot("remote", "add", "backup", "s3://bucket/b")

    assert completed(quick, "push", "-r", "o") == ["origin"]
    assert completed(quick, "remote", "remove", "") == ["backup", "origin"]
    assert completed(quick, "help", "cache", "g") == ["gc"]


def test_a_plan_as_lines_of_json(quick: Project) -> None:
    """Each decision has a line, and nothing happens."""
    before = quick.snapshot()
    lines = [json.loads(line) for line in quick.pivot("repro", "--dry-run", "--jsonl").stdout.splitlines()]
    assert [line["event"] for line in lines] == ["began", "run_started", *["stage_planned"] * 2, "plan_ended"]
    assert lines[0]["command"] == "pivot repro --dry-run"
    assert [line.get("action") for line in lines[2:4]] == ["run", "run"]
    assert lines[3]["upstream"] == ["my_pipeline.preprocess"]
    assert not lines[-1]["complete"]
    assert quick.snapshot() == before

    quick.pivot("repro")
    *_, last = quick.pivot("repro", "-n", "--jsonl").stdout.splitlines()
    assert json.loads(last)["complete"]
