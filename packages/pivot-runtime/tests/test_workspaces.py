"""A load of the copied sources gives what the load at home gave, for each kind of project."""

import json
import pathlib
from collections.abc import Mapping

import attrs
import pytest
from cluster_projects import ClusterProject
from source_projects import Sources

from pivot_runtime.cluster_worker.workspaces import Workspace, WorkspaceKey, Workspaces
from pivot_runtime.evaluating import expectation

CODE = """
import os
import random

from pivot_core.params.classes import StageParams
from lib import parts
from lib.parts import loud

HERE = pathlib.Path(__file__).parent
DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
ROOT = os.getcwd()
WORDS = (HERE / "words.txt").read_text()
LISTED = sorted(name for name in os.listdir(HERE / "lib") if name.endswith(".py"))
MODE = os.environ.get("MODE", "slow")
LUCK = random.random()
os.environ["ASSIGNED"] = str(HERE)

class Params(StageParams):
    rate: float = 0.1
    words: str = WORDS

def train(params: Params, x: Annotated[str, Dep("data/in.txt", Text())]) -> Annotated[str, Out("model.txt", Text())]:
    from lib.deep.lazy import later
    return later(loud(x)) + str(params.rate) + str(HERE) + DATA + ROOT + MODE + parts.NAMES[0] + f'{LISTED} {LUCK}'

def other() -> Annotated[str, Out(HERE / "other.txt", Text())]:
    return open("undeclared.txt").read()

pipeline.register(train, env=["MODE"])
pipeline.register(other, wdir=".")
"""
LIBRARY = {
    "lib/__init__.py": "",
    "lib/parts.py": "NAMES = ['a']\ndef loud(x):\n    return x.upper()\n",
    "lib/deep/__init__.py": "from . import late\n",
    "lib/deep/late.py": "",
    "lib/deep/lazy.py": "def later(x):\n    return x\n",
    "words.txt": "many words",
    "data/in.txt": "in",
    "params.yaml": "train: {rate: 0.5}\n",
}
YAML = """\
pipeline: shell
stages:
  count:
    cmd: sh tools/count.sh data/in.txt notes.log > counted.txt
    deps: [data/in.txt]
    outs: [counted.txt]
  report:
    notebook: report.ipynb
    outs: [report.txt]
  call:
    python: steps.functions:called
"""
CELL = "from steps.functions import helper\nprint(helper())\nopen('report.txt', 'w').close()"
CODE_CELL: dict[str, object] = {
    "cell_type": "code",
    "metadata": {},
    "source": CELL,
    "outputs": [],
    "execution_count": None,
}
NOTEBOOK = {"cells": [CODE_CELL], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
FUNCTIONS = """\
from typing import Annotated
from pivot_core.loaders import Text
from pivot_core.stages.annotations import Out

def helper():
    return 1

def called() -> Annotated[str, Out("called.txt", Text())]:
    return str(helper())
"""
SHELL = {
    "pivot.yaml": YAML,
    "tools/count.sh": "wc -c $1\n",
    "data/in.txt": "in",
    "report.ipynb": json.dumps(NOTEBOOK),
    "steps/__init__.py": "",
    "steps/functions.py": FUNCTIONS,
    "notes.log": "what a run of the command has created",
}


def below(directory: str, files: Mapping[str, str]) -> dict[str, str]:
    return {f"{directory}/{name}": text for name, text in files.items()}


HEAD = """\
import pathlib
from typing import Annotated
from pivot_core.stages.annotations import Dep, Out
from pivot_core.loaders import Text
from pivot_core.pipeline import Pipeline
pipeline = Pipeline("inner")
"""
KINDS = {
    "root": ({"pipeline.py": CODE, **LIBRARY}, "pipeline.py", ("train.rate=0.25",)),
    "below": (
        {"a/b/pipeline.py": HEAD + CODE, **below("a/b", LIBRARY), "pipeline.py": CODE, **LIBRARY},
        "a/b/pipeline.py",
        (),
    ),
    "shell": ({**SHELL, ".pivot/state.db/created/shell.count.json": '["notes.log"]'}, "pivot.yaml", ()),
    "shell below": (below("sub", SHELL) | {"pipeline.py": CODE, **LIBRARY}, "sub/pivot.yaml", ()),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_load_in_a_workspace_gives_what_the_load_at_home_gave(kind: str, tmp_path: pathlib.Path) -> None:
    files, file, overrides = KINDS[kind]
    project = Sources(tmp_path / "home", files)
    home = ClusterProject(project, file=file, overrides=overrides, environment={"MODE": "fast"})
    assert home.loaded.stages
    spaces = Workspaces(tmp_path / "worker/elsewhere")

    workspace = spaces.take(WorkspaceKey.of(home.template), lambda: home.archive.data, lambda _: None)

    for ours, theirs in zip(home.loaded.stages, workspace.loaded.stages, strict=True):
        here, there = expectation.facts(ours, home.loaded.schema), expectation.facts(theirs, home.loaded.schema)
        assert expectation.differences(here, there) == []
        assert here == there
        assert [entry.location for entry in ours.code.values()] == [entry.location for entry in theirs.code.values()]
    spaces.give_back(workspace)
    spaces.close()


def test_idle_workspaces_are_bounded_and_the_latest_stay(tmp_path: pathlib.Path) -> None:
    project = Sources(tmp_path / "home", {"pipeline.py": "def s() -> None: pass\npipeline.register(s)\n"})
    home = ClusterProject(project)
    spaces = Workspaces(tmp_path / "worker", most_idle=1)

    def take(mode: str) -> Workspace:
        key = attrs.evolve(WorkspaceKey.of(home.template), environment=(("MODE", mode),))
        return spaces.take(key, lambda: home.archive.data, lambda _: None)

    one, two = take("1"), take("2")
    spaces.give_back(one)
    spaces.give_back(two)
    assert not one.root.exists()
    assert take("2") is two
    spaces.close()
    spaces.give_back(two)
    assert list((tmp_path / "worker").iterdir()) == []
