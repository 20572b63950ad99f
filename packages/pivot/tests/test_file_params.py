"""Parameters that stages read from files themselves: which edits count, and where the values come from."""

import json
import os
import shutil

import pytest
from harness import Project

DECLARED = """\
pipeline: p
stages:
  tune:
    cmd: cp found.json best.json
    deps: [found.json]
    outs: [best.json]
  train:
    cmd: cat params.yaml conf.toml best.json > out.txt
    params: [rate, model.layers, {conf.toml: , best.json: [depth]}]
    outs: [out.txt]
"""
PARAMS = """\
rate: 0.1
model: {layers: [1, 2], seed: 0}
train: {other: 1}
names: [a]
"""


@pytest.fixture
def tuned(empty: Project) -> Project:
    project = empty
    project.pivot("init")
    project.write("pivot.yaml", DECLARED)
    project.write("params.yaml", PARAMS)
    project.write("conf.toml", "[a]\nb = 2020-01-02\n")
    project.write("found.json", '{"depth": 3, "score": 1}')
    return project


def test_the_values_of_the_keys_count_and_nothing_else_in_the_files(tuned: Project) -> None:
    assert "Done: 2 ran" in tuned.pivot("repro").stdout  # the stage that writes one of the files runs first
    assert tuned.lock("p.train")["params"] == {
        "best.json:depth": 3,
        "conf.toml": {"a": {"b": "2020-01-02"}},
        "params.yaml:model.layers": [1, 2],
        "params.yaml:rate": 0.1,
    }
    assert tuned.lock("p.train")["deps"] == {}
    assert list(tuned.lock("p.train")["code"]) == ["command"]
    listed = tuned.pivot("list", "train").stdout
    assert "  reads   best.json  (for depth)\n  reads   conf.toml  (for its values)\n" in listed
    assert "2 stages cached" in tuned.pivot("repro").stdout

    assert "2 stages run once more, no differences" in tuned.pivot("verify", "--rerun").stdout

    tuned.write("params.yaml", "# none of the values changes\n" + PARAMS.replace("seed: 0", "seed: 1"))
    tuned.write("conf.toml", "a.b = 2020-01-02")
    tuned.write("found.json", '{"score": 2, "depth": 3}')
    assert tuned.states() == {"tune": "stale", "train": "stale"}  # nobody knows yet what the first one will write
    assert "cached    train" in tuned.pivot("repro").stderr
    assert "2 stages cached" in tuned.pivot("repro").stdout

    tuned.replace("params.yaml", "0.1", "0.2")
    told = tuned.pivot("status", "--explain", "train").stdout
    assert "    param:params.yaml:rate\n      Old: 0.1\n      New: 0.2\n" in told
    assert "Parameter changed: params.yaml:rate" in tuned.pivot("repro").stderr
    tuned.replace("params.yaml", "0.2", "0.1")
    assert "restored  train" in tuned.pivot("repro").stderr
    tuned.write("found.json", '{"depth": 4}')
    assert "Parameter changed: best.json:depth" in tuned.pivot("repro").stderr

    first = tuned.json("results", "--json")["results"][-1]["id"]
    tuned.replace("params.yaml", "0.1", "0.3")
    tuned.pivot("repro")
    told = tuned.pivot("apply", first, code=None).stderr
    assert "params.yaml:rate must be set by hand" in told
    assert "best.json:depth" not in told  # another stage writes it
    tuned.replace("conf.toml", "01-02", "01-03")
    shown = tuned.json("params", "show", "--json")
    assert "conf.toml:a.b" in json.dumps(shown)
    assert "best.json:depth" in tuned.pivot("params", "show").stdout


def test_they_are_edited_in_their_files(tuned: Project) -> None:
    told = tuned.pivot("status", "-p", "train.rate=0.5", code=2).stderr
    assert "values in best.json, conf.toml, params.yaml are edited there" in told
    tuned.replace("pivot.yaml", "cat params.yaml", "echo ${params.rate}")
    assert "${rate} is a value of params.yaml or 'vars'" in tuned.pivot("status", code=2).stderr


def test_missing_keys_and_files_block_the_stage(tuned: Project) -> None:
    tuned.replace("params.yaml", "rate:", "rat:")
    told = tuned.pivot("repro", code=1).stderr
    assert "ran       tune" in told
    assert "stage 'train' cannot run: params.yaml:rate cannot be read: it has no such key; did you mean rat?" in told
    assert "Input missing: params.yaml:rate" in tuned.pivot("status").stdout
    tuned.write("params.yaml", "rate: [")
    assert (
        "error: stage 'train' cannot run: params.yaml cannot be read: params.yaml:1: "
        in tuned.pivot("repro", code=1).stderr
    )
    tuned.write("params.yaml", PARAMS)
    (tuned.root / "conf.toml").unlink()
    assert "missing conf.toml" in tuned.pivot("repro", code=1).stderr
    (tuned.root / "conf.toml").mkdir()
    assert "conf.toml is a directory" in tuned.pivot("repro", code=1).stderr
    (tuned.root / "conf.toml").rmdir()
    os.mkfifo(tuned.root / "conf.toml")
    shown = tuned.pivot("params", "show").stdout  # which waits for no writer
    assert "params.yaml:rate" in shown
    assert "conf.toml" not in shown


def test_an_edit_while_the_stage_runs_leaves_it_stale(tuned: Project) -> None:
    tuned.replace("pivot.yaml", "cat params.yaml", "sed -i s/seed:.0/seed:.5/ params.yaml; cat params.yaml")
    assert "Done: 2 ran" in tuned.pivot("repro").stdout
    tuned.replace("pivot.yaml", "s/seed:.0/seed:.5/", "s/0.1/0.3/")
    assert "param:params.yaml:rate" in tuned.pivot("repro", code=1).stderr
    assert tuned.states()["train"] == "stale"


def test_a_file_that_only_a_remote_has_is_fetched_for_its_values(tuned: Project) -> None:
    tuned.write("mirror/.keep", "")
    tuned.pivot("remote", "add", "r", f"file://{tuned.root}/mirror")
    tuned.pivot("repro")
    tuned.pivot("push")
    for name in (".pivot/cache", ".pivot/state.db"):
        shutil.rmtree(tuned.root / name)
    for name in ("best.json", "out.txt"):
        (tuned.root / name).unlink()

    told = tuned.pivot("repro", "--pull").stderr
    assert "ran  " not in told, told
    assert set(tuned.states("--remote").values()) == {"cached"}


PIPELINE = """\
from typing import Annotated

import pivot
from pivot.loaders import JSON

pipeline = pivot.Pipeline("p")


class Train(pivot.StageParams):
    rate: float = 0.1


@pipeline.register(file_params=["train.size", {"sizes.py": ["Big.size"]}])
def train(params: Train) -> Annotated[dict[str, float], pivot.Out("out.json", JSON())]:
    return {"rate": params.rate}
"""


def test_functions_have_them_beside_their_own(empty: Project) -> None:
    empty.pivot("init")
    empty.write("pipeline.py", PIPELINE)
    empty.write("params.yaml", "train: {rate: 0.5, size: 3}\nscale: 2\n0: {1: x}\n")
    empty.write("sizes.py", "class Big:\n    size = 4\n")
    empty.pivot("repro")
    assert empty.lock("p.train")["params"] == {"params.yaml:train.size": 3, "rate": 0.5, "sizes.py:Big.size": 4}

    empty.replace("params.yaml", "scale: 2", "scale: 3")
    assert empty.states() == {"train": "cached"}
    empty.replace("params.yaml", "rate:", "rat:")
    assert "params.yaml:1: stage 'train' has no parameter 'rat'" in empty.pivot("status", code=2).stderr
    empty.write("params.yaml", "trai: {rate: 0.5}\ntrain: {size: 3}\n")
    assert "params.yaml:1: there is no stage 'trai'" in empty.pivot("status", code=2).stderr
