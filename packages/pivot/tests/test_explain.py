"""`pivot status`: the documented layout, the documented JSON, and nothing changed by looking."""

import json
from collections.abc import Callable

import pytest
from harness import Project

UTILS = '''\
"""Helpers."""

import math

SCALE = 2


# What the records are divided by.


def unrelated():
    return 1


def normalize(records):
    return [r["value"] / SCALE for r in records]
'''

PIPELINE = """\
from typing import Annotated

import pivot
from src.utils import normalize


def prepare(
    raw: Annotated[dict, pivot.Dep("data.json", pivot.loaders.JSON())],
) -> Annotated[list, pivot.Out("rows.json", pivot.loaders.JSON())]:
    return raw["records"]


def train(
    rows: Annotated[list, pivot.Dep("rows.json", pivot.loaders.JSON())],
    factor: int = 1,
) -> Annotated[list, pivot.Out("model.json", pivot.loaders.JSON(indent=None))]:
    return [factor * value for value in normalize(rows)]


pipeline = pivot.Pipeline("demo")
pipeline.register(prepare)
pipeline.register(train)
"""


def project_of(make: Callable[[str], Project]) -> Project:
    project = make(PIPELINE)
    project.write("src/utils.py", UTILS)
    project.write("data.json", '{"records": [{"value": 1}]}')
    project.pivot("repro")
    return project


def entry(project: Project, stage: str, key: str) -> str:
    """The first eight digits of an entry of a lock."""
    digest: str = project.lock(f"demo.{stage}")["code"][key]["digest"]
    return digest[:8]


def test_editors_learn_where_each_stage_is_and_why_it_is_stale(make: Callable[[str], Project]) -> None:
    project = project_of(make)
    project.replace("src/utils.py", 'r["value"] / SCALE', 'r["value"] * SCALE')
    project.write(
        "other/pivot.yaml",
        "pipeline: other\nstages:\n  # first\n  copy:\n    cmd: cp a b\n    deps: [a]\n    outs: [b]\n",
    )

    done = project.pivot("status", "--json", "--explain", "--all")

    stages = {stage["address"]: stage for stage in json.loads(done.stdout)["stages"]}
    lines = PIPELINE.splitlines()
    assert {address: (stage["file"], stage["line"], stage["summary"]) for address, stage in stages.items()} == {
        "demo.prepare": ("pipeline.py", lines.index("def prepare(") + 1, "cached"),
        "demo.train": ("pipeline.py", lines.index("def train(") + 1, "stale: helper normalize changed"),
        "other.copy": ("other/pivot.yaml", 4, "stale: other/a missing"),
    }


STAGES_OF_ALL_KINDS = """\
pipeline: kinds
stages:
  # the first
  plain:
    cmd: echo a > a.txt
    outs: [a.txt]
  "quoted": {cmd: echo b > b.txt, outs: [b.txt]}
  each:
    foreach: [x, y]
    do:
      cmd: echo ${item} > ${item}.txt
      outs: ["${item}.txt"]
  grid:
    matrix: {n: [1, 2]}
    cmd: echo ${item.n} > ${item.n}.txt
    outs: ["${item.n}.txt"]
  book:
    notebook: book.ipynb
    outs: [book.txt]
  function:
    python: steps:function
"""

REGISTERED = """\
import functools
from typing import Annotated

import elsewhere
import pivot
from steps import function

pipeline = pivot.Pipeline("registered")
Text = Annotated[str, pivot.Out("fit.txt", pivot.loaders.Text())]


def twice(stage):
    @functools.wraps(stage)
    def both():
        return stage() * 2

    return both


@pipeline.register(variant="a", outs={"return": "a.txt"})
@pipeline.register(variant="b", outs={"return": "b.txt"})
def fit() -> Text:
    return "fit"


@pipeline.register
@twice
def wrapped() -> Annotated[str, pivot.Out("wrapped.txt", pivot.loaders.Text())]:
    return "wrapped"


pipeline.register(function, outs={"return": "function.txt"})
pipeline.register(elsewhere.outside)
pipeline.register(pivot.command("echo c > c.txt", outs=["c.txt"]), name="shell")
"""

FUNCTION = """\
from typing import Annotated

import pivot


def {name}() -> Annotated[str, pivot.Out("{name}.txt", pivot.loaders.Text())]:
    return "it"
"""


def test_editors_learn_where_stages_of_all_kinds_are(
    make: Callable[[str], Project], tmp_path_factory: pytest.TempPathFactory
) -> None:
    library = tmp_path_factory.mktemp("library") / "elsewhere.py"
    library.write_text(FUNCTION.format(name="outside"))
    project = make(REGISTERED)
    project.write("steps.py", FUNCTION.format(name="function"))
    project.write("kinds/steps.py", FUNCTION.format(name="function"))
    project.write("kinds/pivot.yaml", STAGES_OF_ALL_KINDS)
    project.write("kinds/book.ipynb", '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')

    done = project.pivot("status", "--json", "--explain", "--all", env={"PYTHONPATH": str(library.parent)})

    stages = json.loads(done.stdout)["stages"]
    lines = {stage["address"]: (project.root / stage["file"]).read_text().splitlines() for stage in stages}
    assert {stage["address"]: (stage["file"], lines[stage["address"]][stage["line"] - 1]) for stage in stages} == {
        "kinds.plain": ("kinds/pivot.yaml", "  plain:"),
        "kinds.quoted": ("kinds/pivot.yaml", '  "quoted": {cmd: echo b > b.txt, outs: [b.txt]}'),
        "kinds.each@x": ("kinds/pivot.yaml", "  each:"),
        "kinds.each@y": ("kinds/pivot.yaml", "  each:"),
        "kinds.grid@1": ("kinds/pivot.yaml", "  grid:"),
        "kinds.grid@2": ("kinds/pivot.yaml", "  grid:"),
        "kinds.book": ("kinds/pivot.yaml", "  book:"),
        "kinds.function": ("kinds/pivot.yaml", "  function:"),
        "registered.fit@a": ("pipeline.py", '@pipeline.register(variant="a", outs={"return": "a.txt"})'),
        "registered.fit@b": ("pipeline.py", '@pipeline.register(variant="a", outs={"return": "a.txt"})'),
        "registered.wrapped": ("pipeline.py", "@pipeline.register"),
        "registered.function": ("steps.py", FUNCTION.format(name="function").splitlines()[5]),
        "registered.outside": (str(library), FUNCTION.format(name="outside").splitlines()[5]),
        "registered.shell": (
            "pipeline.py",
            'pipeline.register(pivot.command("echo c > c.txt", outs=["c.txt"]), name="shell")',
        ),
    }


def test_the_layout_of_the_home_page(make: Callable[[str], Project]) -> None:
    project = project_of(make)
    old = entry(project, "train", "func:src.utils:normalize")
    project.replace("src/utils.py", 'r["value"] / SCALE', 'r["value"] * SCALE')
    before = project.snapshot()
    explained = project.pivot("status", "--explain", "train")
    assert project.snapshot() == before
    project.pivot("repro")
    new = entry(project, "train", "func:src.utils:normalize")

    assert old != new
    assert explained.stderr == ""
    assert explained.stdout == (
        "Stage: train\n"
        "  Status: WILL RUN\n"
        "  Reason: Code dependency changed\n"
        "\n"
        "  Changes:\n"
        "    func:normalize\n"
        f"      Old: {old}\n"
        f"      New: {new}\n"
        "      File: src/utils.py:15\n"
    )


def test_json_with_everything_cached(make: Callable[[str], Project]) -> None:
    project = project_of(make)

    found = project.json("status", "--json")
    assert found.keys() == {"stages", "tracked_files", "suggestions"}
    assert [(stage["name"], stage["status"]) for stage in found["stages"]] == [
        ("prepare", "cached"),
        ("train", "cached"),
    ]
    assert found["tracked_files"] == []
    assert found["suggestions"] == []


def test_json_explains_code_deps_and_upstream(make: Callable[[str], Project]) -> None:
    project = project_of(make)
    project.write("data.json", '{"records": [{"value": 5}]}')
    project.replace("src/utils.py", "SCALE = 2", "SCALE = 3")

    prepare, train = project.json("status", "--json", "--explain")["stages"]
    assert prepare["will_run"] is True
    assert [change["path"] for change in prepare["dep_changes"]] == ["data.json"]
    assert prepare["code_changes"] == prepare["param_changes"] == prepare["upstream_stale"] == []
    assert train["will_run"] is True
    assert train["upstream_stale"] == ["prepare"]
    assert train["dep_changes"] == []
    (scale,) = train["code_changes"]
    assert scale["name"].endswith(":SCALE")
    assert (scale["file"], scale["line"]) == ("src/utils.py", 5)
    assert project.json("status", "--json")["suggestions"] == ["Run 'pivot repro' to update 2 stale stages"]


def test_json_stages_only_keeps_the_shape(make: Callable[[str], Project]) -> None:
    project = project_of(make)
    project.replace("src/utils.py", "SCALE = 2", "SCALE = 3")

    found = project.json("status", "--json", "--stages-only")
    assert [stage["status"] for stage in found["stages"]] == ["cached", "stale"]
    assert found["tracked_files"] == []
    assert found["suggestions"] == []


def test_quiet_prints_nothing_and_answers_by_exit_code(make: Callable[[str], Project]) -> None:
    project = project_of(make)
    cached = project.pivot("status", "--quiet", code=0)
    project.replace("pipeline.py", "factor: int = 1", "factor: int = 2")
    project.replace("pipeline.py", "import pivot\n", "import pivot\n\nprint('loud at import')\n")
    stale = project.pivot("status", "-q", code=1)

    assert (cached.stdout, cached.stderr) == ("", "")
    assert (stale.stdout, stale.stderr) == ("", "")
    project.pivot("status", "--quiet", "prepare", code=0)


def test_output_printed_during_the_import_is_not_data(make: Callable[[str], Project]) -> None:
    project = project_of(make)
    project.replace("pipeline.py", "import pivot\n", "import pivot\n\nprint('loud at import')\n")

    imported = project.pivot("status", "--json")  # what comes after need not import it

    assert "loud at import" in imported.stderr
    assert {stage["name"]: stage["status"] for stage in json.loads(imported.stdout)["stages"]} == {
        "prepare": "cached",
        "train": "cached",
    }


def test_plain_status(make: Callable[[str], Project]) -> None:
    project = project_of(make)
    project.replace("pipeline.py", "factor: int = 1", "factor: int = 2")

    assert project.pivot("status").stdout == (
        "prepare  cached\n"
        "train    stale   Code dependency changed: func:train\n"
        "\n"
        "2 stages, 1 stale: run 'pivot repro'\n"
    )
    assert project.pivot("status", "prepare").stdout == "prepare  cached\n\n1 stage, all cached\n"


def test_explanations_name_what_changed(make: Callable[[str], Project]) -> None:
    """Loader options, deleted and edited outs, moved paths, and removed entries."""
    project = project_of(make)

    project.replace("pipeline.py", "JSON(indent=None)", "JSON(indent=4)")
    assert "writer:return" in project.pivot("status", "--explain", "train").stdout
    project.replace("pipeline.py", "JSON(indent=4)", "JSON(indent=None)")

    (project.root / "model.json").unlink()
    explained = project.pivot("status", "--explain", "train").stdout
    assert "Status: WILL RESTORE" in explained
    assert "Reason: Output missing" in explained
    assert "out:model.json" in explained
    project.pivot("repro")

    project.replace("pipeline.py", "for value in normalize(rows)]", "for value in rows]")
    explained = project.pivot("status", "--explain", "train").stdout
    assert "func:normalize" in explained
    assert "New: (none)" in explained


def test_unresolved_code_is_listed(make: Callable[[str], Project]) -> None:
    project = project_of(make)
    project.replace("pipeline.py", "    return raw[", "    getattr(raw, 'ke' + str(factor()))\n    return raw[")
    project.replace("pipeline.py", "def prepare(", "def factor():\n    return 'ys'\n\n\ndef prepare(")

    explained = project.pivot("status", "--explain", "prepare").stdout
    assert "  Not tracked:\n" in explained
    assert "      File: pipeline.py:" in explained
