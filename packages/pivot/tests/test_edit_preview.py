"""`pivot status --with-diff`: what it says is what `pivot status` says once the edit is made, and it makes none."""

import difflib
import json
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from harness import Project

from pivot_runtime.inspecting.diff_patch import PatchError
from pivot_runtime.inspecting.edit_preview import Edit
from pivot_runtime.project import project as projects

PIPELINE = """\
import pathlib
from typing import Annotated

import pivot
from src.utils import normalize

pipeline = pivot.Pipeline("demo")


class Params(pivot.StageParams):
    factor: int = 1


@pipeline.register
def prepare(
    raw: Annotated[dict, pivot.Dep("data.json", pivot.loaders.JSON())],
) -> Annotated[list, pivot.Out("rows.json", pivot.loaders.JSON())]:
    return raw["records"]


@pipeline.register
def train(
    params: Params,
    rows: Annotated[list, pivot.Dep("rows.json", pivot.loaders.JSON())],
) -> Annotated[list, pivot.Out("model.json", pivot.loaders.JSON(indent=None))]:
    return [params.factor * value for value in normalize(rows)]


@pipeline.register
def count(
    parts: Annotated[pathlib.Path, pivot.Dep("parts", pivot.loaders.PathOnly())],
) -> Annotated[int, pivot.Out("count.json", pivot.loaders.JSON())]:
    return len(list(parts.rglob('*')))
"""

UTILS = """\
SCALE = 2


def unrelated():
    return 1


def normalize(records):
    return [r["value"] / SCALE for r in records]
"""

SHELL = """\
pipeline: shell
stages:
  number:
    cmd: python number.py > number.txt
    params: [{values.yaml: [start]}]
    outs: [number.txt]
  all:
    cmd: cat texts/*.txt > all.txt
    deps: ["texts/*.txt"]
    outs: [all.txt]
"""

FILES = {
    "pipeline.py": PIPELINE,
    "src/utils.py": UTILS,
    "data.json": '{"records": [{"value": 1}]}\n',
    "parts/a.txt": "a\n",
    "parts/b/c.txt": "c\n",
    "shell/pivot.yaml": SHELL,
    "shell/number.py": "import part\n\nprint(part.ONE)\n",
    "shell/part.py": "ONE = 1\nTWO = 2\n",
    "shell/values.yaml": "start: 1\nother: 2\n",
    "shell/texts/a.txt": "a\n",
    "shell/texts/b.txt": "b\n",
}

EDITS: Mapping[str, tuple[dict[str, str | None], set[str]]] = {
    "a helper": ({"src/utils.py": UTILS.replace("/ SCALE", "* SCALE")}, {"train"}),
    "a constant": ({"src/utils.py": UTILS.replace("= 2", "= 3")}, {"train"}),
    "an unrelated function": ({"src/utils.py": UTILS.replace("return 1", "return 2")}, set()),
    "a comment": ({"pipeline.py": PIPELINE + "# the end\n"}, set()),
    "a stage and data": (
        {
            "pipeline.py": PIPELINE.replace('raw["records"]', 'list(raw["records"])'),
            "data.json": '{"records": [{"value": 3}]}\n',
        },
        {"prepare", "train"},
    ),
    "a parameter": ({"pipeline.py": PIPELINE.replace("factor: int = 1", "factor: int = 2")}, {"train"}),
    "a new file of parameters": ({"params.yaml": "train:\n  factor: 3\n"}, {"train"}),
    "data": ({"data.json": '{"records": [{"value": 2}]}\n'}, {"prepare", "train"}),
    "deleted data": ({"data.json": None}, {"prepare", "train"}),
    "a file of a directory": ({"parts/b/c.txt": "d\n"}, {"count"}),
    "a new file in a directory": ({"parts/d/e/f.txt": "f\n"}, {"count"}),
    "a deleted file of a directory": ({"parts/a.txt": None}, {"count"}),
    "a helper that moves": (
        {
            "src/utils.py": None,
            "src/other.py": UTILS,
            "pipeline.py": PIPELINE.replace("src.utils", "src.other"),
        },
        {"train"},
    ),
    "an out": ({"rows.json": '[{"value": 1}]\n'}, {"prepare"}),
    "a command": ({"shell/pivot.yaml": SHELL.replace("cat texts", "cat -u texts")}, {"all"}),
    "a module of a program": ({"shell/part.py": "ONE = 3\nTWO = 2\n"}, {"number"}),
    "a used key": ({"shell/values.yaml": "start: 2\nother: 2\n"}, {"number"}),
    "an unused key": ({"shell/values.yaml": "start: 1\nother: 3\n"}, set()),
    "a matching file": ({"shell/texts/c.txt": "c\n"}, {"all"}),
    "a deleted matching file": ({"shell/texts/b.txt": None}, {"all"}),
}


@pytest.fixture
def project(make: Callable[[str], Project]) -> Project:
    made = make(PIPELINE)
    for name, text in FILES.items():
        made.write(name, text)
    made.pivot("repro", "--all")
    return made


def diff_of(project: Project, edit: Mapping[str, str | None]) -> str:
    parts: list[str] = []
    for name, after in edit.items():
        file = project.root / name
        old = file.read_text().splitlines(keepends=True) if file.exists() else []
        new = (after or "").splitlines(keepends=True)
        names = (f"a/{name}" if file.exists() else "/dev/null", "/dev/null" if after is None else f"b/{name}")
        marked = [line if line.endswith("\n") else f"{line}\n\\ No newline\n" for line in old]
        parts += difflib.unified_diff(marked, new, *names)
    return "".join(parts)


def make_edit(project: Project, edit: Mapping[str, str | None]) -> None:
    for name, after in edit.items():
        if after is None:
            (project.root / name).unlink()
        else:
            project.write(name, after)


def stages_of(answer: dict[str, Any]) -> dict[str, Any]:
    """The stages by address, without what only a look at earlier runs tells."""
    left_out = {"variables_read", "rerun"}
    return {
        each["address"]: {key: value for key, value in each.items() if key not in left_out} for each in answer["stages"]
    }


@pytest.mark.parametrize("what", EDITS)
def test_the_answer_is_that_of_status_after_the_edit(project: Project, what: str) -> None:
    edit, stale = EDITS[what]
    project.write("the.diff", diff_of(project, edit))
    before = project.snapshot()

    preview = project.json("status", "--all", "--json", "--explain", "--with-diff", "the.diff")

    assert project.snapshot() == before
    assert set(preview["edit"]["became_stale"]) == stale
    assert preview["edit"]["files"] == sorted(edit)
    make_edit(project, edit)
    after = project.json("status", "--all", "--json", "--explain")
    assert stages_of(preview) == stages_of(after)
    assert list((project.root / ".pivot/state.db/rerun").iterdir()) == []


def test_new_and_removed_stages_and_those_that_are_stale_anyway_are_told_apart(project: Project) -> None:
    project.replace("shell/part.py", "ONE = 1", "ONE = 4")
    renamed = SHELL.replace("  all:", "  every:").replace("all.txt", "every.txt")
    project.write("the.diff", diff_of(project, {"shell/pivot.yaml": renamed}))

    found = project.json("status", "--all", "--json", "--with-diff", "the.diff")["edit"]

    assert (found["added"], found["removed"], found["still_stale"]) == (["every"], ["all"], ["number"])
    assert (found["became_stale"], found["became_cached"]) == ([], [])


def test_an_edit_that_undoes_another_makes_stages_cached(project: Project) -> None:
    project.replace("src/utils.py", "/ SCALE", "* SCALE")
    project.write("the.diff", diff_of(project, {"src/utils.py": UTILS}))

    found = project.pivot("status", "--with-diff", "the.diff")

    assert found.stdout == ("prepare  cached\ntrain    cached\ncount    cached\n\n1 stage would become cached: train\n")
    assert project.pivot("status", "--quiet", code=1).stdout == ""
    assert project.pivot("status", "--quiet", "--with-diff", "the.diff").stdout == ""


def test_the_edited_lines_are_shown(project: Project) -> None:
    project.write("the.diff", diff_of(project, {"src/utils.py": UTILS.replace("/ SCALE", "* SCALE")}))

    shown = project.pivot("status", "--diff", "train", "--with-diff", "the.diff").stdout

    assert '-    return [r["value"] / SCALE for r in records]' in shown
    assert '+    return [r["value"] * SCALE for r in records]' in shown
    assert shown.endswith("1 stage would become stale: train\n")


def test_lock_files_in_a_diff_count_and_the_configuration_does_not(project: Project) -> None:
    edit = {"src/utils.py": UTILS.replace("/ SCALE", "* SCALE")}
    lock = ".pivot/stages/demo.train.lock"
    old = project.read(lock)
    make_edit(project, edit)
    project.pivot("repro")
    new = project.read(lock)
    make_edit(project, {"src/utils.py": UTILS, lock: old})
    project.pivot("repro")
    project.write("the.diff", diff_of(project, edit | {lock: new, ".pivot/config.yaml": "warm: true\n"}))

    found = project.pivot("status", "--json", "--explain", "--with-diff", "the.diff")

    assert found.stderr == "note: left out: the change of .pivot/config.yaml, which is Pivot's own\n"
    make_edit(project, edit | {lock: new})
    after = project.json("status", "--json", "--explain")
    assert stages_of(json.loads(found.stdout)) == stages_of(after)
    assert [stage["code_changes"] for stage in after["stages"]] == [[], [], []]


def test_code_that_the_edit_breaks_is_named_as_in_the_project(project: Project) -> None:
    project.write("the.diff", diff_of(project, {"src/utils.py": UTILS + "oops oops\n"}))

    done = project.pivot("status", "--with-diff", "the.diff", code=2)

    assert "with the edit, the pipeline cannot be loaded" in done.stderr
    assert ".pivot/state.db/rerun" not in done.stderr
    assert str(project.root / "src/utils.py") in done.stderr


@pytest.mark.parametrize("path", ["../outside.txt", "/etc/hostname", "linked/x.py", ".git/config"])
def test_a_diff_cannot_reach_outside_the_project(project: Project, tmp_path: pathlib.Path, path: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x.py").write_text("a\n")
    os.symlink(outside, project.root / "linked")
    project.write(
        "the.diff", f"--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-a\n+b\n".replace("a//", "/").replace("b//", "/")
    )

    done = project.pivot("status", "--with-diff", "the.diff", code=2)

    assert "error: " in done.stderr
    assert (outside / "x.py").read_text() == "a\n"


def test_a_diff_of_a_huge_file_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "data.bin").touch()
    os.truncate(tmp_path / "data.bin", 65 << 20)

    with pytest.raises(PatchError, match=r"data\.bin is larger than 64 MB"):
        Edit.of_diff(projects.Project(tmp_path, tmp_path), b"--- a/data.bin\n+++ b/data.bin\n@@ -1 +1 @@\n-a\n+b\n")


def test_a_diff_of_other_files_says_which_line_differs(project: Project) -> None:
    project.write("the.diff", diff_of(project, {"src/utils.py": UTILS.replace("= 2", "= 3")}))
    project.replace("src/utils.py", "= 2", "= 5")

    done = project.pivot("status", "--with-diff", "the.diff", code=2)

    assert "hunk 1 does not fit src/utils.py: line 1 is 'SCALE = 5', not 'SCALE = 2'" in done.stderr
    assert "hint: make the diff again" in done.stderr
    for words in (["--with-diff", "none.diff"], ["--with-diff", "the.diff", "--remote"]):
        assert "error: " in project.pivot("status", *words, code=2).stderr


def test_code_that_the_search_path_finds_in_the_project_is_edited_too(project: Project) -> None:
    helper = "def extra():\n    return 1\n"
    project.write("lib/extras.py", helper)
    project.replace("pipeline.py", "    return raw[", "    extras.extra()\n    return raw[")
    project.replace("pipeline.py", "import pivot\n", "import extras\nimport pivot\n")
    path = {"PYTHONPATH": str(project.root / "lib")}
    project.pivot("repro", env=path)
    project.write("the.diff", diff_of(project, {"lib/extras.py": helper.replace("1", "2")}))

    found = project.json("status", "--json", "--with-diff", "the.diff", env=path)

    assert found["edit"]["became_stale"] == ["prepare", "train"]
