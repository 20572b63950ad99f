"""The frame of the page: the project, its graph and its status."""

import os
import pathlib
import subprocess
import sys

from served import ServedProject

from pivot_ui.project import ProjectService

DIRECTORIES = """\
pipeline: parts
stages:
  split@a:
    cmd: mkdir -p parts && cp words.txt parts/1
    deps: [words.txt]
    outs: [{path: parts, directory: true}]
  one:
    cmd: cp parts/1 one.txt
    deps: [parts/1]
    outs: [{path: one.txt, cache: false}]
"""


def pivot(root: pathlib.Path, *words: str) -> None:
    """Run a command in the project."""
    command = [sys.executable, "-P", "-m", "pivot_cli", *words]
    subprocess.run(command, cwd=root, check=True, capture_output=True, stdin=subprocess.DEVNULL)


def test_the_project_is_described(served: ServedProject) -> None:
    found = served.api("project")

    assert found["name"] == "project"
    assert found["root"] == str(served.root)
    assert (found["allow_run"], found["exported"], found["revision"]) == (False, False, None)


def test_the_graph_names_writers_and_readers(served: ServedProject) -> None:
    found = served.api("graph")

    assert [(each["address"], each["pipeline"], each["kind"]) for each in found["stages"]] == [
        ("words.upper", "words", "shell"),
        ("words.count", "words", "shell"),
    ]
    artifacts = {each["path"]: (each["kind"], each["writer"], each["readers"]) for each in found["artifacts"]}
    assert artifacts == {
        "count.txt": ("out", "words.count", []),
        "loud.txt": ("out", "words.upper", ["words.count"]),
        "words.txt": ("source", None, ["words.upper"]),
    }
    assert found["broken"] == []


def test_a_family_and_a_file_of_a_directory_are_recognised(root: pathlib.Path) -> None:
    (root / "pivot.yaml").write_text(DIRECTORIES)

    with ServedProject(root) as served:
        found = served.api("graph")

    assert {each["address"]: each["family"] for each in found["stages"]} == {
        "parts.split@a": "split",
        "parts.one": None,
    }
    parts = {each["path"]: each["parts"] for each in found["artifacts"]}
    assert parts["parts/1"] == ["parts"]
    assert {each["path"]: each["directory"] for each in found["artifacts"]}["parts"]


def test_tracked_data_are_artifacts(root: pathlib.Path) -> None:
    pivot(root, "track", "words.txt")

    with ServedProject(root) as served:
        found = served.api("graph")

    assert {each["path"]: each["kind"] for each in found["artifacts"]}["words.txt"] == "tracked"


def test_the_status_has_the_state_of_each_stage(served: ServedProject) -> None:
    first = served.api("status")
    assert {each["address"]: each["state"] for each in first["stages"]} == {
        "words.upper": "stale",
        "words.count": "stale",
    }
    assert first["problem"] is None

    pivot(served.root, "repro")
    assert served.api("status") == first, "it is evaluated again only when something changes"

    served.service.evaluate_again()
    second = served.api("status")
    assert {each["state"] for each in second["stages"]} == {"cached"}
    assert second["version"] > first["version"]


def test_a_missing_file_blocks_a_stage(served: ServedProject) -> None:
    (served.root / "words.txt").unlink()

    states = {each["address"]: each["state"] for each in served.api("status")["stages"]}

    assert states["words.upper"] == "blocked"


def test_a_frozen_stage_and_one_that_always_runs_have_states_of_their_own(root: pathlib.Path) -> None:
    declared = (root / "pivot.yaml").read_text()
    (root / "pivot.yaml").write_text(declared.replace("  count:\n", "  count:\n    always: true\n"))
    pivot(root, "repro")
    pivot(root, "freeze", "upper")

    with ServedProject(root) as served:
        states = {each["address"]: each["state"] for each in served.api("status")["stages"]}

    assert states == {"words.upper": "frozen", "words.count": "always"}


def test_a_project_that_cannot_be_loaded_says_why(root: pathlib.Path) -> None:
    (root / "pivot.yaml").write_text("pipeline: words\nstages: 3\n")

    with ServedProject(root) as served:
        found = served.api("status")
        graph = served.api("graph")

    assert found["stages"] == graph["stages"] == []
    problems = [found["problem"], *graph["broken"]]
    assert any(each is not None and "pivot.yaml" in f"{each}" for each in problems)


def test_a_failed_import_shows_the_place_in_the_users_code(root: pathlib.Path) -> None:
    (root / "pivot.yaml").unlink()
    (root / "pipeline.py").write_text("import pivot_core\n\nraise LookupError('no such table')\n")

    with ServedProject(root) as served:
        problem = served.api("status")["problem"]

    assert "no such table" in problem["error"]
    assert f'File "{root / "pipeline.py"}", line 3' in problem["traceback"]


def test_one_broken_pipeline_leaves_the_others(root: pathlib.Path) -> None:
    (root / "other").mkdir()
    (root / "other/pivot.yaml").write_text("pipeline: other\nstages: 3\n")

    with ServedProject(root) as served:
        found = served.api("graph")
        problem = served.api("status")["problem"]

    assert "other/pivot.yaml" in problem["error"]
    assert [each["name"] for each in found["stages"]] == ["upper", "count"]


def test_stages_stay_while_an_edit_is_unfinished(served: ServedProject) -> None:
    known = served.api("status")["stages"]
    (served.root / "pivot.yaml").write_text("pipeline: [words\n")
    served.service.evaluate_again()

    found = served.api("status")

    assert found["stages"] == known
    assert "pivot.yaml" in found["problem"]["error"]


def test_a_project_without_stages_is_empty(root: pathlib.Path) -> None:
    (root / "pivot.yaml").unlink()

    with ServedProject(root) as served:
        assert served.api("graph")["stages"] == []
        assert served.api("status")["problem"] is None


def test_a_name_is_passed_on_as_it_is(root: pathlib.Path) -> None:
    name = "<img src=x onerror=alert(1)>"
    (root / "pivot.yaml").write_text(
        f"pipeline: words\nstages:\n  upper:\n    desc: '{name}'\n    cmd: 'true'\n    outs: ['{name}.txt']\n"
    )

    with ServedProject(root) as served:
        found = served.api("graph")

    assert found["stages"][0]["desc"] == name
    assert found["artifacts"][0]["path"] == f"{name}.txt"


def test_a_bug_is_an_answer_and_is_reported(root: pathlib.Path) -> None:
    with ServedProject(root) as served:
        served.service.root = None  # type: ignore[assignment]  # what no code expects
        answer = served.ask("/api/project", headers={"Authorization": "Bearer a-token-of-the-tests"})

        assert answer.status == 500
        assert "bug in Pivot" in answer.plain["error"]
        assert "Traceback" in served.bugs[0]


def test_only_the_first_question_evaluates(root: pathlib.Path) -> None:
    service = ProjectService(root, os.environ)

    assert service.evaluated() is service.evaluated()
    assert service.evaluate_again().version == 2
