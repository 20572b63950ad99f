"""The tools of a server in this process, on a project of shell stages: answers, their bounds, and permissions."""

import asyncio
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from mcp import Client

from pivot_cli.embedding.threads import in_thread
from pivot_mcp import answers
from pivot_mcp.project import ServedProject
from pivot_mcp.server import create_server

PIPELINE = """\
pipeline: demo
stages:
  count:
    cmd: wc -l < lines.txt > count.txt
    deps: [lines.txt]
    outs: [count.txt]
  score:
    cmd: >-
      echo one && echo two && echo "{\\"lines\\": $(cat count.txt)}" > score.json
    deps: [count.txt]
    metrics: [score.json]
"""
DIFF = """\
--- a/lines.txt
+++ b/lines.txt
@@ -1,2 +1,3 @@
 a
 b
+c
"""


def pivot(root: pathlib.Path, *words: str) -> None:
    subprocess.run([sys.executable, "-m", "pivot_cli", *words], cwd=root, check=True, capture_output=True)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A project whose stages have run, to be copied."""
    root = tmp_path_factory.mktemp("ran")
    (root / "pivot.yaml").write_text(PIPELINE)
    (root / "lines.txt").write_text("a\nb\n")
    pivot(root, "init")
    pivot(root, "repro")
    return root


@pytest.fixture
def root(ran: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    shutil.copytree(ran, tmp_path, dirs_exist_ok=True)
    return tmp_path


def call(
    root: pathlib.Path, tool: str, arguments: Mapping[str, Any], *, allow_run: bool = False
) -> tuple[dict[str, Any] | None, str]:
    """Call a tool; return its answer, and the text of an error."""

    async def called() -> tuple[dict[str, Any] | None, str]:
        server = create_server(ServedProject(root, {}, allow_run=allow_run), "1")
        async with Client(server) as client:
            result = await client.call_tool(tool, dict(arguments))
        text = "".join(getattr(part, "text", "") for part in result.content)
        return (None, text) if result.is_error else (result.structured_content, "")

    return asyncio.run(called())


def answer(root: pathlib.Path, tool: str, **arguments: Any) -> dict[str, Any]:
    found, problem = call(root, tool, arguments)
    assert found is not None, problem
    return found


def snapshot(root: pathlib.Path) -> dict[str, tuple[bytes, int]]:
    """The files that git or the user can see."""
    files = (file for file in root.rglob("*") if file.is_file() and not {"state.db", "cache"} & {*file.parts})
    return {str(file): (file.read_bytes(), file.stat().st_mtime_ns) for file in files}


def test_status_counts_stages_and_can_leave_out_those_that_are_cached(root: pathlib.Path) -> None:
    assert answer(root, "status", stale_only=True) == {
        "cached": 2,
        "stale": 0,
        "stages": [],
        "tracked_files": [],
        "suggestions": [],
    }

    (root / "lines.txt").write_text("a\n")

    found = answer(root, "status")
    assert [(each["name"], each["status"]) for each in found["stages"]] == [("count", "stale"), ("score", "stale")]
    assert found["suggestions"] == ["Run 'pivot repro' to update 2 stale stages"]


def test_a_long_answer_says_how_much_is_left_out(root: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert answers.cut_list("rows", [1, 2, 3], 2) == {"rows": [1, 2], "rows_left_out": 1}
    assert answers.cut_list("rows", [1, 2], 2) == {"rows": [1, 2]}

    monkeypatch.setattr(answers, "MOST_ANSWER", 10)

    assert "hint: ask about fewer stages" in call(root, "status", {})[1]


def test_explain_says_what_changed_or_what_was_compared(root: pathlib.Path) -> None:
    cached = answer(root, "explain", stage="count")
    assert {each["key"] for each in cached["compared"]} == {"command", "lines.txt", "count.txt"}

    (root / "pivot.yaml").write_text((root / "pivot.yaml").read_text().replace("wc -l <", "wc --lines <"))

    stale = answer(root, "explain", stage="count")
    assert (stale["status"], stale["code_changes"][0]["name"]) == ("stale", "command")
    assert "+wc --lines < lines.txt" in stale["code_changes"][0]["diff"]
    assert "compared" not in stale


@pytest.mark.parametrize(
    "edit", [{"diff": DIFF}, {"files": {"lines.txt": "a\nb\nc\n"}}, {"files": {"lines.txt": None}}]
)
def test_an_edit_is_judged_and_not_made(root: pathlib.Path, edit: dict[str, Any]) -> None:
    before = snapshot(root)

    found = answer(root, "what_would_change", **edit)

    assert (found["files"], found["became_stale"]) == (["lines.txt"], ["count", "score"])
    assert [each["name"] for each in found["stale_stages"]] == ["count", "score"]
    assert snapshot(root) == before


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        ({}, "either 'diff' or 'files'"),
        ({"diff": DIFF, "files": {}}, "either 'diff' or 'files'"),
        ({"diff": "hello"}, "the diff changes no file\nhint: "),
        ({"diff": DIFF.replace("\n b", "\n x")}, "line 2 is 'b', not 'x'\nhint: give the whole contents"),
        ({"files": {"../x": "a"}}, "not a normalised path inside the project"),
        ({"files": {"/etc/passwd": "a"}}, "not a normalised path inside the project"),
        ({"files": {".git/hooks/pre-commit": "a"}}, "git's"),
        ({"files": {"none.txt": None}}, "there is no none.txt to delete"),
        ({"files": {"lines.txt": "x" * (answers.MOST_DIFF + 1)}}, "larger than 4 MB"),
        ({"diff": DIFF, "stages": ["nothing"]}, "nothing"),
    ],
)
def test_an_edit_that_cannot_be_judged_is_an_error_with_its_reason(
    root: pathlib.Path, edit: dict[str, Any], problem: str
) -> None:
    assert problem in call(root, "what_would_change", edit)[1]


def test_edited_python_code_is_not_imported_without_permission(root: pathlib.Path) -> None:
    ran = root / "ran.txt"
    hostile = f"import pathlib\n\npathlib.Path({str(ran)!r}).touch()\n"
    for path in ("pipeline.py", "other/pipeline.py", "sitecustomize.py", "lib/helper.py"):
        call(root, "what_would_change", {"files": {path: hostile}})
    with_function = "pipeline: demo\nstages:\n  work:\n    python: lib.helper.work\n    outs: {return: out.txt}\n"
    files = {"pivot.yaml": with_function, "lib/helper.py": hostile}

    found = answer(root, "what_would_change", files=files)
    assert [each["name"] for each in found["may_change"]] == ["count", "score"]
    assert "'pivot mcp --allow-run'" in found["hint"]
    new = {"files": {"other/pipeline.py": hostile}}
    assert "'pivot mcp --allow-run' allows that" in call(root, "what_would_change", new)[1]
    assert not ran.exists()


def test_links_lead_no_edit_out_of_the_project(root: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.txt").write_text("a\nb\n")
    (root / "link").symlink_to(outside)
    diff = DIFF.replace("lines.txt", "link/secret.txt")

    assert "symbolic link" in call(root, "what_would_change", {"diff": diff})[1]
    assert "symbolic link" in call(root, "what_would_change", {"files": {"link/new.txt": "x"}})[1]
    assert [file.name for file in outside.iterdir()] == ["secret.txt"]


def test_a_part_of_an_artifact_is_shown(root: pathlib.Path) -> None:
    shown = answer(root, "load_preview", path="score.json")
    assert (shown["kind"], shown["side"], shown["problem"]) == ("json", "workspace", None)

    (root / "count.txt").write_text("other")

    assert answer(root, "load_preview", path="count.txt")["text"] == "other"
    assert answer(root, "load_preview", path="count.txt", side="recorded")["text"] == "2\n"


@pytest.mark.parametrize(
    "arguments",
    [
        {"path": "/etc/passwd"},
        {"path": "../../etc/passwd"},
        {"path": ".pivot/config.yaml"},
        {"path": ".git/config"},
        {"path": "pivot.yaml"},
        {"path": "score.json", "inside": "../pivot.yaml"},
        {"path": "score.json", "side": "../../x"},
        {"path": "score.json", "side": "--output=x"},
        {"path": "score.json", "limit": 201},
        {"path": "score.json", "offset": -1},
        {"path": "score.json", "offset": 10**30},
        {"path": "score.json\0"},
    ],
)
def test_nothing_else_can_be_read_by_a_preview(root: pathlib.Path, arguments: dict[str, Any]) -> None:
    found, problem = call(root, "load_preview", arguments)

    assert found is None, found
    assert "Error executing tool load_preview: " in problem


def test_records_are_shown(root: pathlib.Path) -> None:
    assert answer(root, "logs", stage="score", lines=1) == {
        "address": "demo.score",
        "state": "ended",
        "text": "two",
        "cut": False,
    }
    assert answer(root, "logs", stage="count")["state"] in ("ended", "no output")
    assert answer(root, "metrics")["metrics"][0]["values"] == {"workspace": {"lines": 2}}
    assert answer(root, "results")["results"][0]["metrics"] == {"lines": 2}
    graph = answer(root, "graph", stages=["score"])
    assert [(each["name"], each["deps"]) for each in graph["stages"]] == [("score", ["count.txt"])]


@pytest.mark.parametrize(
    ("tool", "arguments", "problem"),
    [
        ("explain", {"stage": "scores"}, "hint: did you mean score or "),
        ("explain", {"stage": "-x"}, "-x"),
        ("logs", {"stage": "../../x"}, "hint: "),
        ("logs", {"stage": "score", "lines": 1001}, "less than or equal to 1000"),
        ("metrics", {"revisions": ["none"]}, "is not in a git repository\nhint: "),
        ("metrics", {"revisions": ["a"] * 11}, "hint: name at most 10"),
        ("results", {"last": 0}, "greater than or equal to 1"),
        ("run", {}, "Unknown tool: run"),
    ],
)
def test_what_cannot_be_answered_is_an_error_of_the_tool(
    root: pathlib.Path, tool: str, arguments: dict[str, Any], problem: str
) -> None:
    found, said = call(root, tool, arguments)

    assert found is None
    assert problem in said


def test_an_error_of_users_code_comes_with_its_traceback(root: pathlib.Path) -> None:
    (root / "pipeline.py").write_text("def broken():\n    raise ValueError('hello')\n\n\nbroken()\n")
    (root / "pivot.yaml").unlink()

    said = call(root, "status", {})[1]

    assert "line 2, in broken" in said
    assert "ValueError: hello" in said


def test_a_thread_gives_its_result_or_its_error() -> None:
    assert asyncio.run(in_thread(lambda: 3)) == 3
    with pytest.raises(ZeroDivisionError):
        asyncio.run(in_thread(lambda: 1 // 0))
