"""The answers about stages, logs, runs, revisions and results, as plain data."""

import asyncio
import json
import os
import pathlib
import select
import subprocess
import sys
from typing import Any

import pytest
from served import TOKEN, ServedProject

from pivot_core.errors import PivotError
from pivot_runtime.project.project import init
from pivot_ui.api.logs import follow_log
from pivot_ui.api.query import Query
from pivot_ui.api.routes import READERS
from pivot_ui.errors import BadQueryError, NothingThereError
from pivot_ui.project import ProjectService

DEADLINE = 120
HOSTILE = "<script>alert(1)</script>\x1b[31m & ünïcode"
DECLARED = """\
pipeline: grades
stages:
  clean:
    desc: Drops empty <lines>
    cmd: "echo '<script>alert(1)</script>' && grep . raw.txt > clean.txt"
    deps: [raw.txt]
    outs: [clean.txt]
  score:
    cmd: "wc -l < clean.txt | tr -d ' ' > score.json && printf 'n,v\\\\n1,2\\\\n' > plot.csv && : ${params.rate}"
    deps: [clean.txt]
    params: {rate: 1, token: !secret hidden}
    metrics: [score.json]
    plots: [plot.csv]
  late:
    cmd: "cat score.json > late.txt"
    deps: [score.json]
    outs: [late.txt]
"""


def pivot(root: pathlib.Path, *words: str, code: int = 0) -> None:
    command = [sys.executable, "-P", "-m", "pivot_cli", *words]
    done = subprocess.run(command, cwd=root, check=False, capture_output=True, stdin=subprocess.DEVNULL, text=True)
    assert done.returncode == code, done.stderr


def git(root: pathlib.Path, *words: str) -> None:
    who = ("-c", "user.name=n", "-c", "user.email=e@x", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True)


@pytest.fixture
def grades(tmp_path: pathlib.Path) -> pathlib.Path:
    """A project without git in which nothing has run."""
    root = tmp_path / "grades"
    root.mkdir()
    init(root)
    (root / "pivot.yaml").write_text(DECLARED.replace("!secret hidden", "hidden"))
    (root / "raw.txt").write_text("a\n\nb\n")
    return root


def ask(root: pathlib.Path, question: str, **parameters: str) -> Any:
    """The answer, as a client gets it."""
    found = READERS[question](ProjectService(root, os.environ), Query(parameters))
    return json.loads(json.dumps(found))


def refused(root: pathlib.Path, question: str, **parameters: str) -> PivotError:
    with pytest.raises(PivotError) as refusal:
        ask(root, question, **parameters)
    return refusal.value


def test_a_stage_that_has_never_run(grades: pathlib.Path) -> None:
    found = ask(grades, "stage", address="grades.clean")

    assert (found["name"], found["state"], found["kind"]) == ("clean", "stale", "shell")
    assert found["desc"] == "Drops empty <lines>"
    assert (
        found["command"] == found["source"]["text"] == "echo '<script>alert(1)</script>' && grep . raw.txt > clean.txt"
    )
    assert found["source"]["file"] == "pivot.yaml"
    assert found["explanation"]["reasons"] == ["No previous run"]
    assert [(each["path"], each["state"], each["writer"]) for each in found["deps"]] == [("raw.txt", "new", None)]
    assert [(each["path"], each["state"], each["digest"]) for each in found["outs"]] == [("clean.txt", "missing", None)]
    assert found["history"] == found["undeclared"] == found["changes"] == []


def test_a_cached_stage_says_what_was_compared(grades: pathlib.Path) -> None:
    pivot(grades, "repro")

    found = ask(grades, "stage", address="grades.score")

    assert found["state"] == "cached"
    compared = {(each["kind"], each["key"]): each for each in found["compared"]}
    assert compared["param", "rate"]["value"] == "1"
    assert compared["code", "command"]["file"] == "pivot.yaml"
    assert {("dep", "clean.txt"), ("out", "score.json"), ("out", "plot.csv")} <= compared.keys()
    (dep,) = found["deps"]
    assert (dep["state"], dep["writer"], dep["size"]) == ("same", "grades.clean", 4)
    assert dep["digest"] == dep["recorded"]
    assert {each["path"]: (each["state"], each["view"]) for each in found["outs"]} == {
        "plot.csv": ("same", "plot"),
        "score.json": ("same", "metric"),
    }
    assert found["params"]["rate"] == "1"
    (run,) = found["history"]
    assert (run["run"], run["state"]) == (1, "ran")
    assert run["seconds"] > 0
    assert found["fingerprint"]["entries"][0]["key"] == "command"


def test_an_edit_is_shown_side_by_side(grades: pathlib.Path) -> None:
    pivot(grades, "repro")
    (grades / "pivot.yaml").write_text((grades / "pivot.yaml").read_text().replace("grep .", "grep -v x"))
    (grades / "raw.txt").write_text("c\n")

    found = ask(grades, "stage", address="grades.clean")

    (change,) = found["changes"]
    assert (change["key"], change["known"]) == ("command", True)
    assert "grep . raw.txt" in change["old_text"]
    assert "grep -v x raw.txt" in change["new_text"]
    assert "\n-echo" in change["diff"]
    assert [(each["path"], each["state"]) for each in found["deps"]] == [("raw.txt", "changed")]
    later = ask(grades, "stage", address="grades.late")
    assert later["state"] == "stale"
    assert [(each["path"], each["state"]) for each in later["deps"]] == [("score.json", "unknown")]


def test_a_missing_dep_and_an_edited_out(grades: pathlib.Path) -> None:
    pivot(grades, "repro")
    (grades / "clean.txt").write_text("edited\n")
    edited = ask(grades, "stage", address="grades.clean")
    assert [(each["path"], each["state"]) for each in edited["outs"]] == [("clean.txt", "changed")]

    (grades / "raw.txt").unlink()
    blocked = ask(grades, "stage", address="grades.clean")
    assert blocked["state"] == "blocked"
    assert [(each["path"], each["state"]) for each in blocked["deps"]] == [("raw.txt", "missing")]


def test_other_stages_answer_beside_a_broken_pipeline(grades: pathlib.Path) -> None:
    (grades / "broken").mkdir()
    (grades / "broken/pivot.yaml").write_text("stages: [1, 2")

    assert ask(grades, "stage", address="grades.late")["name"] == "late"
    unknown = refused(grades, "stage", address="broken.stage")
    assert isinstance(unknown, NothingThereError)
    assert "broken/pivot.yaml" in str(unknown.hint)


def test_unknown_names_are_refused(grades: pathlib.Path) -> None:
    for question in ("stage", "log"):
        for address in ("grades.nothing", "", "../../etc/passwd", "clean", "grades.*", "+grades.late", HOSTILE):
            assert isinstance(refused(grades, question, address=address), NothingThereError), (question, address)
        assert isinstance(refused(grades, question), BadQueryError)
    assert isinstance(refused(grades, "run", number="7"), NothingThereError)
    assert isinstance(refused(grades, "run"), NothingThereError)
    assert isinstance(refused(grades, "run", number="-1"), BadQueryError)
    for left in ("main", "run:3", "../..", "--help", HOSTILE):
        assert isinstance(refused(grades, "compare", left=left, right="workspace"), NothingThereError), left
    assert isinstance(refused(grades, "compare", left="", right="workspace"), BadQueryError)
    assert isinstance(refused(grades, "plots", revisions="main"), NothingThereError)
    assert isinstance(refused(grades, "plots", revisions=",".join(map(str, range(11)))), BadQueryError)


def test_a_project_without_runs_and_git_has_empty_answers(grades: pathlib.Path) -> None:
    assert ask(grades, "runs") == {"runs": [], "more": False}
    assert ask(grades, "revisions") == {"workspace": True, "branches": [], "tags": [], "commits": []}
    assert ask(grades, "plots")["plots"] == []
    log = ask(grades, "log", address="grades.clean")
    assert (log["text"], log["size"], log["state"], log["path"], log["truncated"]) == ("", 0, "", "", False)


def test_a_log_is_passed_on_as_it_is(grades: pathlib.Path) -> None:
    pivot(grades, "repro")

    found = ask(grades, "log", address="grades.clean")

    assert found["text"] == "<script>alert(1)</script>\n"
    assert (found["state"], found["truncated"], found["size"]) == ("ran", False, len(found["text"]))
    assert found["path"].endswith("grades.clean.log")


def test_of_a_long_log_the_end_is_read(grades: pathlib.Path) -> None:
    pivot(grades, "repro")
    (grades / ask(grades, "log", address="grades.clean")["path"]).write_bytes(b"a\xff" * (1 << 20) + b"\nlast\n")

    found = ask(grades, "log", address="grades.clean")

    assert found["truncated"]
    assert len(found["text"]) == 1 << 20
    assert found["text"].endswith("�\nlast\n")


def test_following_ends_at_once_if_the_stage_does_not_run(grades: pathlib.Path) -> None:
    pivot(grades, "repro")

    async def follow(address: str) -> list[Any]:
        return [each async for each in follow_log(ProjectService(grades, os.environ), Query({"address": address}))]

    assert asyncio.run(follow("grades.clean")) == [("end", {"state": "ran"})]
    with pytest.raises(NothingThereError):
        asyncio.run(follow("grades.nothing"))


def test_following_gets_all_output_until_the_end(grades: pathlib.Path) -> None:
    """Also what is printed after the beginning, a character in two parts, and a line without an end."""
    os.mkfifo(grades / "gate")
    os.mkfifo(grades / "started")
    steps = (
        r"printf 'one\ntw\303'",
        "echo x > started",
        "read -r word < gate",
        "echo $word > waited.txt",
        r"printf '\266\nend'",
    )
    declared = {"pipeline": "p", "stages": {"wait": {"cmd": " && ".join(steps), "outs": ["waited.txt"]}}}
    (grades / "pivot.yaml").write_text(json.dumps(declared))
    started = os.open(grades / "started", os.O_RDONLY | os.O_NONBLOCK)
    gate = os.open(grades / "gate", os.O_RDWR)
    running = subprocess.Popen(
        [sys.executable, "-P", "-m", "pivot_cli", "repro"],
        cwd=grades,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert select.select([started], [], [], DEADLINE)[0]

    async def follow() -> list[tuple[str, dict[str, Any]]]:
        found: list[tuple[str, dict[str, Any]]] = []
        async for event in follow_log(ProjectService(grades, os.environ), Query({"address": "p.wait"})):
            if event is None:
                continue
            if not found:
                os.write(gate, b"x\n")
            found.append(event)
        return found

    events = asyncio.run(asyncio.wait_for(follow(), DEADLINE))
    assert running.wait(DEADLINE) == 0
    os.close(gate)
    os.close(started)
    assert "".join(each["text"] for name, each in events if name == "text") == "one\ntwö\nend"
    assert events[-1] == ("end", {"state": "ran"})


def test_runs_are_listed_in_pages(grades: pathlib.Path) -> None:
    for text in ("a\n", "b\nc\n", "d\n\n"):
        (grades / "raw.txt").write_text(text)
        pivot(grades, "repro")

    first = ask(grades, "runs", limit="2")
    assert ([run["run"] for run in first["runs"]], first["more"]) == ([3, 2], True)
    rest = ask(grades, "runs", limit="2", before="2")
    assert ([run["run"] for run in rest["runs"]], rest["more"]) == ([1], False)
    assert ask(grades, "run", number="1") == rest["runs"][0]
    assert ask(grades, "run")["run"] == 3
    assert isinstance(refused(grades, "runs", limit="0"), BadQueryError)


def test_two_runs_are_compared(grades: pathlib.Path) -> None:
    pivot(grades, "repro")
    (grades / "raw.txt").write_text("a\nb\nc\n")
    pivot(grades, "repro", "-p", "score.rate=2")

    found = ask(grades, "compare", left="run:1", right="run:2")

    assert (found["left"], found["right"], found["problems"]) == ("run:1", "run:2", [])
    (metric,) = found["metrics"]
    assert (metric["path"], metric["values"][0]["old"], metric["values"][0]["new"]) == ("score.json", 2, 3)
    rates = {each["name"]: (each["old"], each["new"]) for each in found["params"][0]["values"]}
    assert rates["rate"] == (1, 2)
    outs = {each["path"]: each for each in found["outs"]}
    assert outs["plot.csv"]["same"]
    assert outs["plot.csv"]["left"] == outs["plot.csv"]["right"]
    assert not outs["clean.txt"]["same"]
    assert (outs["clean.txt"]["left"]["size"], outs["clean.txt"]["right"]["size"]) == (4, 6)
    assert [plot["path"] for plot in found["plots"]["plots"]] == ["plot.csv"]
    assert found["plots"]["revisions"] == ["run:1", "run:2"]
    ids = [row["id"] for row in ask(grades, "results")["results"]]
    assert len(ids) == len(set(ids)) == 2


def test_a_revision_is_compared_with_the_workspace(grades: pathlib.Path) -> None:
    git(grades, "init", "-q", "-b", "main")
    pivot(grades, "repro")
    git(grades, "add", "-A")
    git(grades, "commit", "-q", "-m", HOSTILE)
    git(grades, "tag", "v1")
    (grades / "raw.txt").write_text("a\n")
    pivot(grades, "repro")

    listed = ask(grades, "revisions")
    assert (listed["branches"], listed["tags"]) == (["main"], ["v1"])
    assert [each["subject"] for each in listed["commits"]] == [HOSTILE]
    found = ask(grades, "compare", left="v1", right="workspace")
    (metric,) = found["metrics"]
    assert (metric["values"][0]["old"], metric["values"][0]["new"]) == (2, 1)
    assert {each["path"] for each in found["outs"] if not each["same"]} == {"clean.txt", "score.json", "late.txt"}
    assert found["problems"] == []
    drawn = ask(grades, "plots", revisions="v1,workspace")
    assert drawn["revisions"] == ["v1", "workspace"]

    (grades / "broken").mkdir()
    (grades / "broken/pivot.yaml").write_text("stages: [1, 2")
    beside = ask(grades, "compare", left="v1", right="workspace")
    assert [each["values"] for each in beside["metrics"]] == [each["values"] for each in found["metrics"]]
    assert any("broken/pivot.yaml" in each["error"] for each in beside["problems"])


def test_a_log_is_followed_by_a_tab(root: pathlib.Path) -> None:
    pivot(root, "repro")
    with ServedProject(root) as served:
        with served.events("log/follow?address=words.upper") as events:
            assert list(events) == [("end", {"state": "ran"})]
        unknown = served.ask("/api/log/follow?address=words.no", headers={"Authorization": f"Bearer {TOKEN}"})
        assert unknown.status == 404
        assert "words.no" in unknown.plain["error"]
