"""Where stages run, and what they need there: options of stages, settings and the command line."""

import json
from collections.abc import Callable

from harness import Project

STAGES = """\
pipeline: demo
stages:
  here:
    cmd: echo 1 > a.txt
    outs: [a.txt]
    executor: local
  anywhere:
    cmd: echo 2 > b.txt
    outs: [b.txt]
"""


def test_a_stage_may_be_kept_on_this_machine(make: Callable[[str], Project]) -> None:
    project = make("")
    (project.root / "pipeline.py").unlink()
    project.write("pivot.yaml", STAGES)
    project.pivot("repro")

    here, anywhere = json.loads(project.pivot("list", "--json").stdout)["stages"]
    assert (here["executor"], anywhere["executor"]) == ("local", None)
    assert "  runs    here, even if other stages run on a cluster\n" in project.pivot("list", "here").stdout
    project.replace("pivot.yaml", "    executor: local\n", "")
    assert "Everything is up to date" in project.pivot("repro").stdout, "where it runs is no part of its result"
    project.replace("pivot.yaml", "b.txt]\n", "b.txt]\n    executor: dask://head:8786\n")
    refused = project.pivot("repro", code=2).stderr
    assert "pivot.yaml:6: stage 'anywhere': executor must be 'local', not 'dask://head:8786'" in refused
    assert "pivot config set executor ADDRESS" in refused
