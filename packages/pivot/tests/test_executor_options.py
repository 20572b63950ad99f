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


def test_amounts_may_be_sizes(make: Callable[[str], Project]) -> None:
    project = make("")
    (project.root / "pipeline.py").unlink()
    project.write("pivot.yaml", STAGES.replace("executor: local", "resources: {memory: 1 GiB, gpu: 1}"))
    project.pivot("config", "set", "resources.memory", "500 MB")

    assert project.pivot("config", "get", "resources.memory").stdout == "500 MB\n"
    assert "  needs   1 GiB of memory\n  needs   1 of gpu\n" in project.pivot("list", "here").stdout
    refused = project.pivot("repro", code=2).stderr
    assert "it needs 1 GiB of the resource 'memory', but only 500 MB is available" in refused
    assert "hint: pivot config set resources.memory 1GiB" in refused
    project.pivot("config", "unset", "resources.memory")
    project.replace("pivot.yaml", "1 GiB", "1 MiB")
    assert "Done: 2 ran" in project.pivot("repro").stdout, "the machine has that much"
    project.replace("pivot.yaml", "1 MiB", "1 G")
    refused = project.pivot("repro", code=2).stderr
    assert "stage 'here': resources: 'memory' must be a whole number of at least 1, or a size, not '1 G'" in refused


def test_an_executor_is_configured_or_named(make: Callable[[str], Project]) -> None:
    project = make("")
    (project.root / "pipeline.py").unlink()
    project.write("pivot.yaml", STAGES)

    assert (
        "error: executor: it is neither local nor an address"
        in project.pivot("repro", "--executor", "x", code=2).stderr
    )
    for option in ("--in-process", "--pdb", "--no-commit"):
        refused = project.pivot("repro", "--executor", "dask://head:8786", option, code=2).stderr
        assert f"--executor and {option} exclude each other: {option} runs stages here" in refused
    assert (
        "--compare exclude each other"
        in project.pivot("repro", "--executor", "dask://head:8786", "-p", "here.x=1,2", "--compare", code=2).stderr
    )
    assert "Done: 2 ran" in project.pivot("repro", "--executor", "local", "--fetch-outs").stdout
    project.write(".pivot/config.yaml", f"executor:\n  shared: {project.root.parent}\n")
    project.pivot("config", "set", "executor", "nowhere://head:8786")
    flat = f"executor.shared: {project.root.parent}\nexecutor: nowhere://head:8786\n"
    assert project.read(".pivot/config.yaml") == flat, "no key is both a section and a value"
    project.pivot("config", "set", "worker.include", "templates/, *.sql")
    assert project.pivot("config", "get", "executor", env={"PIVOT_EXECUTOR": "dask://local"}).stdout == "dask://local\n"
    refused = project.pivot("repro", "--force", code=2).stderr
    assert "error: executor: no executor supports addresses with 'nowhere'\nhint: an executor is local or" in refused
    assert not refused.startswith("ran"), "nothing ran, not even here"
    told = "note: --no-commit runs stages on this machine, not on the executor of the configuration"
    assert told in project.pivot("repro", "--no-commit").stderr
    assert "Everything is up to date" in project.pivot("repro").stdout, "nothing is sent, so nothing is looked for"
    assert "Everything is up to date" in project.pivot("repro").stdout
