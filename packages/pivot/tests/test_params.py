"""Typed parameters, through the executable: who gives which value, what a change re-runs, what is refused, secrets."""

import json
import os
import pathlib
import shutil
from collections.abc import Callable

import pytest
from harness import Project

PIPELINE = """\
import json
from typing import Annotated

import pivot

pipeline = pivot.Pipeline("demo")


class Train(pivot.StageParams):
    rate: float = 0.1
    layers: list[int] = [64, 64]
    names: set[str] = set()
    token: Annotated[str, pivot.Secret] = "hunter2"


class Score(pivot.StageParams):
    digits: int = 2


@pipeline.register
def train(params: Train) -> Annotated[dict, pivot.Out("model.json", pivot.loaders.JSON())]:
    return {"rate": params.rate, "layers": params.layers, "names": sorted(params.names)}


@pipeline.register
def score(
    params: Score, model: Annotated[dict, pivot.Dep("model.json", pivot.loaders.JSON())]
) -> Annotated[float, pivot.Metric("score.json")]:
    return round(model["rate"] * 3, params.digits)


@pipeline.register
def plain() -> Annotated[str, pivot.Out("plain.txt", pivot.loaders.Text())]:
    return "plain"
"""

CACHED = {"train": "cached", "score": "cached", "plain": "cached"}


@pytest.fixture(scope="module")
def done(initialized: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The project, run, to be copied."""
    project = Project(tmp_path_factory.mktemp("done"))
    shutil.copytree(initialized, project.root, dirs_exist_ok=True)
    project.write("pipeline.py", PIPELINE)
    project.pivot("repro")
    return project.root


@pytest.fixture
def project(empty: Project, done: pathlib.Path) -> Project:
    shutil.copytree(done, empty.root, dirs_exist_ok=True)
    return empty


def model(project: Project) -> dict[str, object]:
    parsed: dict[str, object] = json.loads(project.read("model.json"))
    return parsed


def changes(project: Project, stage: str, *arguments: str) -> dict[str, tuple[str | None, str | None]]:
    """Old and new of each parameter, and a check that no other change is reported."""
    (found,) = project.json("status", "--explain", "--json", *arguments, stage)["stages"]
    assert found["code_changes"] == []
    return {each["key"]: (each["old"], each["new"]) for each in found["param_changes"]}


def test_a_default_that_changes_is_one_change_and_re_runs_the_stages_that_use_it(project: Project) -> None:
    project.replace("pipeline.py", "rate: float = 0.1", "rate: float = 0.5")

    assert project.states() == CACHED | {"train": "stale", "score": "stale"}
    assert changes(project, "train") == {"rate": ("0.1", "0.5")}
    explained = project.pivot("status", "--explain", "train").stdout
    assert "Reason: Parameter changed\n" in explained
    assert "    param:rate\n      Old: 0.1\n      New: 0.5\n" in explained
    project.pivot("repro")
    assert model(project)["rate"] == 0.5
    assert project.states() == CACHED


def test_a_default_that_is_not_used_changes_nothing(project: Project) -> None:
    project.write("params.yaml", "train:\n  rate: 0.1\n")
    project.replace("pipeline.py", "rate: float = 0.1", "rate: float = 0.5")

    assert project.states() == CACHED


def test_later_layers_win(project: Project) -> None:
    project.replace("pipeline.py", "@pipeline.register\ndef train", "def train")
    registered = PIPELINE + 'pipeline.register(train, params={"rate": 0.2, "names": {"b", "a"}})\n'
    project.write("pipeline.py", registered.replace("@pipeline.register\ndef train", "def train"))
    project.pivot("repro")
    assert model(project) == {"rate": 0.2, "layers": [64, 64], "names": ["a", "b"]}

    project.write("params.yaml", "train:\n  rate: 0.3\n  layers: [1]\n")
    project.pivot("repro")
    assert model(project) == {"rate": 0.3, "layers": [1], "names": ["a", "b"]}

    project.pivot("repro", "-p", "train.rate=0.4", "--param", "demo.train.layers=[2, 3]")
    assert model(project) == {"rate": 0.4, "layers": [2, 3], "names": ["a", "b"]}


def test_the_file_beside_the_pipeline_wins_over_that_at_the_root(make: Callable[[str], Project]) -> None:
    project = make("")
    (project.root / "pipeline.py").unlink()
    project.write("deep/pipeline.py", PIPELINE)
    project.write("params.yaml", "train: {rate: 0.3, layers: [1]}\nstage_elsewhere: {x: 1}\n")
    project.write("deep/params.yaml", "train: {rate: 0.4}\n")
    project.pivot("repro", cwd="deep")

    assert json.loads(project.read("deep/model.json")) == {"rate": 0.4, "layers": [1], "names": []}
    assert project.lock("demo.train")["params"]["rate"] == 0.4


def test_overrides_are_recorded_and_last_for_one_command(project: Project) -> None:
    project.pivot("repro", "-p", "train.rate=0.7")
    assert project.lock("demo.train")["params"]["rate"] == 0.7
    assert project.states("-p", "train.rate=0.7") == CACHED
    assert project.states()["train"] == "stale"
    assert changes(project, "train") == {"rate": ("0.7", "0.1")}

    again = project.pivot("repro", "--explain")
    assert "restored  train" in again.stderr, "what ran with the usual value is remembered"
    assert model(project)["rate"] == 0.1


def test_the_history_shows_the_whole_command_but_no_secret(project: Project) -> None:
    project.pivot("repro", "-q", "-p", "train.rate=0.7", "-ptrain.token=s3cret", "train")
    line = "pivot repro -q -p train.rate=0.7 '-ptrain.token=***' train"
    (run,) = project.json("history", "-n", "1", "--json")["runs"]
    assert run["command"] == line
    assert project.pivot("history", "-n", "1").stdout.endswith(f"  {line}\n")
    assert project.pivot("show").stdout.startswith(f"Run {run['run']}: {line}, ")
    assert "s3cret" not in project.read(f".pivot/state.db/history/{run['run']}.jsonl")


def test_dry_run_and_commit_take_them_too(project: Project) -> None:
    before = project.snapshot()
    assert "would run" in project.pivot("repro", "--dry-run", "-p", "train.rate=9").stdout
    assert project.snapshot() == before
    project.pivot("commit", "train", "-p", "train.rate=9", "--force")

    assert project.lock("demo.train")["params"]["rate"] == 9.0


def test_an_edit_of_the_file_that_changes_no_value_changes_nothing(project: Project) -> None:
    project.write("params.yaml", "train: {rate: 0.3, names: [b, a], layers: [1, 2]}\n")
    project.pivot("repro")
    project.write("params.yaml", "# the same\ntrain:\n  layers: [1,\n    2]\n  names: [a, b, a]\n  rate: 3e-1\n")

    assert project.states() == CACHED


@pytest.mark.parametrize("value", [".nan", "-0.0", ".inf", "1"])
def test_values_that_are_seldom_compare_equal_to_themselves(project: Project, value: str) -> None:
    project.write("params.yaml", f"train: {{rate: {value}}}\n")
    project.pivot("repro", "train")
    assert project.states()["train"] == "cached"
    project.write("params.yaml", "train: {rate: 0.0}\n")

    assert project.states()["train"] == "stale"


def test_the_order_of_a_set_does_not_depend_on_the_process(project: Project) -> None:
    project.write("params.yaml", f"train: {{names: {json.dumps([str(n) for n in range(50)])}}}\n")
    project.pivot("repro", env={"PYTHONHASHSEED": "1"})

    for seed in "23":
        found = project.json("status", "--json", env={"PYTHONHASHSEED": seed})["stages"]
        assert {each["name"]: each["status"] for each in found} == CACHED


@pytest.mark.parametrize(
    ("text", "told", "hint"),
    [
        ("tran:\n  rate: 1\n", "params.yaml:1: there is no stage 'tran'", "did you mean train?"),
        ("train:\n  rat: 1\n", "params.yaml:2: stage 'train' has no parameter 'rat'", "did you mean rate?"),
        ("train:\n\n  rate: fast\n", "params.yaml:3: stage 'train': parameter rate must be float, not 'fast'", ""),
        ("train:\n  layers: [1, x]\n", "params.yaml:2: stage 'train': parameter layers[1] must be int, not 'x'", ""),
        ("plain:\n  x: 1\n", "params.yaml:1: stage 'plain' takes no parameters", "StageParams"),
        ("train:\n  rate: 1\n  rate: 2\n", "params.yaml:3: the key 'rate' occurs for the second time", ""),
        ("train: [\n", "params.yaml:2: this is not YAML", ""),
    ],
)
def test_mistakes_in_the_file_are_reported_with_their_line(project: Project, text: str, told: str, hint: str) -> None:
    project.write("params.yaml", text)

    for command in ("repro", "status"):
        failed = project.pivot(command, code=2)
        assert f"error: {told}" in failed.stderr
        assert hint in failed.stderr


@pytest.mark.parametrize(
    ("given", "told", "hint"),
    [
        ("train.rat=1", "no stage has the parameter 'train.rat'", "did you mean train.rate"),
        ("trian.rate=1", "no stage has the parameter 'trian.rate'", "did you mean train.rate"),
        ("train.rate=fast", "parameter rate must be float, not 'fast'", ""),
        ("train.rate=1,2", "parameter rate must be float, not '1,2'", "--compare runs with each of several values"),
        ("train.rate", "gives no parameter a value", "STAGE.NAME=VALUE"),
        ("rate=1", "gives no parameter a value", "STAGE.NAME=VALUE"),
    ],
)
def test_mistakes_on_the_command_line_are_reported(project: Project, given: str, told: str, hint: str) -> None:
    failed = project.pivot("repro", "-p", given, code=2)

    assert told in failed.stderr
    assert hint in failed.stderr


def test_mistakes_in_the_code_are_reported_with_their_line(project: Project) -> None:
    project.write("pipeline.py", f'{PIPELINE}\npipeline.register(train, name="second", params={{"rat": 1}})\n')
    failed = project.pivot("status", code=2)

    assert f"error: pipeline.py:{line('@pipeline.register')}: stage 'second' has no parameter 'rat'" in failed.stderr


def line(text: str) -> int:
    return PIPELINE[: PIPELINE.index(text)].count("\n") + 1


def test_a_parameter_without_a_value_is_asked_for(project: Project) -> None:
    project.replace("pipeline.py", "digits: int = 2", "digits: int")
    failed = project.pivot("repro", code=2)
    assert "parameter 'digits' of Score has no value and no default" in failed.stderr
    assert "-p score.digits=VALUE" in failed.stderr

    project.write("params.yaml", "score: {digits: 2}\n")
    assert project.states() == CACHED


def test_a_secret_is_nowhere_and_still_counts(project: Project) -> None:
    secret = "correct horse battery staple"
    project.write("params.yaml", f"train:\n  token: {secret}\n")
    told = [
        project.pivot("status", "--explain"),
        project.pivot("status", "--explain", "--json"),
        project.pivot("repro", "--explain"),
        project.pivot("status", "--why-not"),
        project.pivot("fingerprint"),
        project.pivot("repro", "-p", f"train.token={secret}s", "--explain"),
    ]
    assert "param:token\n      Old: (secret)\n      New: (secret)\n" in told[0].stdout
    assert "param:token  (secret)" in told[3].stdout
    sealed = project.lock("demo.train")["params"]["token"]
    assert set(sealed) == {"$secret"}

    written = [
        pathlib.Path(directory, name) for directory, _, names in os.walk(project.root / ".pivot") for name in names
    ]
    assert written
    for file in written:
        assert secret.encode() not in file.read_bytes()
    for each in told:
        assert secret not in each.stdout + each.stderr
        assert sealed["$secret"] not in each.stdout + each.stderr


def test_a_secret_of_the_wrong_type_is_not_quoted(project: Project) -> None:
    project.write("params.yaml", "train:\n  token: 987654321\n")
    failed = project.pivot("repro", code=2)

    assert "params.yaml:2: stage 'train': parameter token must be str\n" in failed.stderr
    assert "987654321" not in failed.stderr


def test_code_of_the_class_counts_as_code(project: Project) -> None:
    project.replace(
        "pipeline.py",
        "    digits: int = 2\n",
        "    digits: int = 2\n\n    @property\n    def factor(self) -> int:\n        return 3\n",
    )
    project.replace("pipeline.py", 'model["rate"] * 3', 'model["rate"] * params.factor')
    project.pivot("repro")
    project.replace("pipeline.py", "return 3", "return 4")
    (found,) = project.json("status", "--explain", "--json", "score")["stages"]

    assert {each["name"].partition("#")[0] for each in found["code_changes"]} == {"class:Score"}
    assert found["param_changes"] == []


@pytest.mark.parametrize(
    "declared",
    [
        "@dataclasses.dataclass\nclass Score:\n    digits: int = 2\n",
        "@attrs.frozen\nclass Score:\n    digits: int = 2\n",
        "class Score(pydantic.BaseModel):\n    digits: int = 2\n",
    ],
    ids=["dataclass", "attrs", "pydantic"],
)
def test_classes_of_others_are_parameters_too(project: Project, declared: str) -> None:
    if "pydantic" in declared:
        pytest.importorskip("pydantic")
    project.replace("pipeline.py", "class Score(pivot.StageParams):\n    digits: int = 2\n", declared)
    library = next(name for name in ("dataclasses", "attrs", "pydantic") if f"{name}." in declared)
    project.replace("pipeline.py", "import json\n", f"import {library}\n")
    assert project.states() == CACHED
    project.write("params.yaml", "score: {digits: 1}\n")

    assert changes(project, "score") == {"digits": ("2", "1")}
    project.pivot("repro", "-p", "score.digits=0")
    assert project.lock("demo.score")["params"] == {"digits": 0}
    assert "digit" in project.pivot("repro", "-p", "score.digits=many", code=2).stderr


def test_an_edit_of_the_params_while_a_stage_runs_is_not_recorded(make: Callable[[str], Project]) -> None:
    project = make(
        PIPELINE.replace(
            '    return {"rate"',
            '    open("params.yaml", "w").write("train: {rate: 5}")\n    return {"rate"',
        )
    )
    project.write("params.yaml", "train: {rate: 4}\n")
    torn = project.pivot("repro", "train", code=1)

    assert "param:rate" in torn.stderr
    assert not (project.root / ".pivot/stages/demo.train.lock").exists()


def test_a_stage_must_not_write_the_params(project: Project) -> None:
    project.write("params.yaml", "score: {digits: 1}\n")
    project.replace("pipeline.py", "plain.txt", "params.yaml")

    assert "params.yaml" in project.pivot("repro", code=2).stderr


def test_values_of_the_command_line_count_in_every_command_that_loads(make: Callable[[str], Project]) -> None:
    project = make(
        "from typing import Annotated\nimport pivot\npipeline = pivot.Pipeline('demo')\n"
        "class P(pivot.StageParams):\n    rate: float\n"
        "@pipeline.register\n"
        "def fit(params: P) -> Annotated[float, pivot.Out('fit.json', pivot.loaders.JSON())]:\n    return params.rate\n"
    )
    given = ("-p", "fit.rate=0.5")
    project.pivot("repro", *given)

    assert "-p fit.rate=VALUE" in project.pivot("list", code=2).stderr
    for command in ("list", "dag", "fingerprint", "verify"):
        assert "fit" in project.pivot(command, *given).stdout
    assert "Parameter changed: rate" in project.pivot("verify", "-p", "fit.rate=2", code=1).stdout


UNCOUNTED = """\
from typing import Annotated

import pivot
from pivot.loaders import Text

pipeline = pivot.Pipeline("p")


class Fit(pivot.StageParams):
    rate: float = 0.1
    jobs: int = 1


@pipeline.register
def fit(params: Fit) -> Annotated[str, pivot.Out("fit.txt", Text())]:
    return f"{params.rate} by {params.jobs}"
"""


def test_a_parameter_that_does_not_count_is_passed_and_recorded(make: Callable[[str], Project]) -> None:
    project = make(UNCOUNTED)
    project.pivot("repro")
    project.replace("pipeline.py", "jobs: int", "jobs: Annotated[int, pivot.Uncounted]")
    assert project.pivot("repro").stdout.startswith("Everything is up to date"), "it counted until now"

    assert project.pivot("repro", "-p", "fit.jobs=4").stdout.startswith("Everything is up to date")
    project.pivot("repro", "-p", "fit.jobs=4", "-p", "fit.rate=0.2")
    assert project.read("fit.txt") == "0.2 by 4"
    lock = json.loads(project.read(".pivot/stages/p.fit.lock"))
    assert (lock["params"], lock["uncounted_params"]) == ({"rate": 0.2}, {"jobs": 4})
    assert "the last run of 'fit' had other values of rate, jobs" in project.pivot("params", "show").stderr

    project.replace("pipeline.py", "jobs: Annotated[int, pivot.Uncounted]", "jobs: int")
    assert "Parameter changed: jobs" in project.pivot("status", "-p", "fit.rate=0.2").stdout


def test_a_shell_stage_names_the_parameters_that_do_not_count(empty: Project) -> None:
    project = empty
    project.pivot("init")
    stage = "{cmd: 'echo ${params.jobs} > x', params: {jobs: 1}, uncounted_params: [jobs], outs: [x]}"
    project.write("pivot.yaml", f"pipeline: p\nstages:\n  sort: {stage}\n")
    project.pivot("repro")
    project.replace("pivot.yaml", "jobs: 1", "jobs: 8")
    assert "cached" in project.pivot("status").stdout
    project.pivot("repro", "--force")
    assert project.read("x") == "8\n"
    project.replace("pivot.yaml", "[jobs]", "[job]")
    assert "did you mean jobs?" in project.pivot("status", code=2).stderr
