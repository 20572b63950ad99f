"""Tasks that a project declares for its task runner."""

import tomllib
from typing import Any

import pytest

from pivot_core.commands.tasks import Task, declarations, task

PROJECT = """
[tool.pdm.scripts]
train = "python train.py"
call = {call = "pkg.mod:main('x')"}
shell = {shell = "cd src && python a.py", env = {PYTHONPATH = "lib", N = 1}, working_dir = "sub"}
all = {composite = ["train", "call --x"]}

[tool.rye.scripts]
train = ["python", "-u", "a b.py"]
chain = {chain = ["train", "test"], cmd = ["python", "b.py", 3]}

[tool.poe.tasks]
both = ["train", {cmd = "python a.py"}, 3]
run = {script = "pkg:run", deps = ["train"]}
expr = {expr = "1 + 1", cwd = 3, env = {PYTHONPATH = 3}}

[tool.taskipy.tasks]
train = "python t.py"

[tool.pixi.tasks]
train = {cmd = "python p.py", depends-on = ["prepare", {task = "more"}], cwd = "src"}

[tool.pixi.feature.gpu.tasks]
train = {cmd = ["python", "g.py"]}

[tool.hatch.envs]
odd = 3

[tool.hatch.envs.default.scripts]
train = ["prepare", "python {root}/h.py"]
"""
OWN = {"tasks": {"train": "python own.py"}, "feature": 3}
EXPECTED: dict[tuple[str, str], list[Task]] = {
    ("pdm", "train"): [Task(("python train.py",))],
    ("pdm", "call"): [Task((), ("pkg.mod:main",))],
    ("pdm", "shell"): [Task(("cd src && python a.py",), (), "sub", "lib")],
    ("pdm", "all"): [Task(("train", "call --x"))],
    ("rye", "train"): [Task(("python -u 'a b.py'",))],
    ("rye", "chain"): [Task(("python b.py", "train", "test"))],
    ("poe", "both"): [Task(("train", "python a.py"))],
    ("poe", "run"): [Task(("train",), ("pkg:run",))],
    ("poe", "expr"): [Task(())],
    ("task", "train"): [Task(("python t.py",))],
    ("pixi", "train"): [
        Task(("python p.py", "prepare", "more"), (), "src"),
        Task(("python g.py",)),
        Task(("python own.py",)),
    ],
    ("hatch", "train"): [Task(("prepare", "python {root}/h.py"))],
    ("hatch", "none"): [],
    ("make", "train"): [],
}


@pytest.mark.parametrize(("runner", "name"), EXPECTED)
def test_tasks_of_each_runner(runner: str, name: str) -> None:
    own: dict[str, Any] = OWN if runner == "pixi" else {}
    found = declarations(runner, name, tomllib.loads(PROJECT), own)
    assert [task(each, runner) for each in found] == EXPECTED[runner, name]
