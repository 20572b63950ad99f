"""Sweeps: combinations of parameters run apart from the workspace, and their results are listed."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from unittest import mock

import pytest
from harness import Project

from pivot_cache.files import syscalls

PIPELINE = """\
import os
import pathlib
import time
from typing import Annotated

import pivot
from pivot import Dep, Metric, Out
from pivot.loaders import JSON, Text

pipeline = pivot.Pipeline("demo")
LOG = pathlib.Path(os.environ["LOG"])


def note(text):
    with LOG.open("a") as log:
        log.write(text + "\\n")


class TrainParams(pivot.StageParams):
    rate: float = 0.1
    layers: list[int] = [64, 64]
    token: Annotated[str, pivot.Secret] = ""


@pipeline.register
def prepare(raw: Annotated[str, Dep("raw.txt", Text())]) -> Annotated[str, Out("data/clean.txt", Text())]:
    note("prepare")
    return raw.upper()


@pipeline.register
def train(
    params: TrainParams, clean: Annotated[str, Dep("data/clean.txt", Text())]
) -> Annotated[dict, Out("model.json", JSON())]:
    note(f"train {params.rate} {params.layers}")
    if params.rate > 5:
        raise ValueError("too fast")
    while params.rate == 5 and LOG.with_name("hold").exists():
        time.sleep(0.01)
    return {"rate": params.rate, "size": sum(params.layers)}


@pipeline.register
def evaluate(model: Annotated[dict, Dep("model.json", JSON())]) -> Annotated[dict, Metric("metrics.json")]:
    note("evaluate")
    return {"test": {"accuracy": 1 - model["rate"]}}
"""
PARAMS = """\
# Chosen by hand.
train:
  rate: 0.3  # the best so far
"""


type Prepared = tuple[Project, pathlib.Path, Callable[[], list[str]]]


@pytest.fixture
def prepared(make: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch) -> Prepared:
    """A project, the file in which its stages note what they do, and a function that returns and clears that."""
    project = make(PIPELINE)
    project.write("raw.txt", "hello")
    project.write("params.yaml", PARAMS)
    log = project.root.parent / "log"
    monkeypatch.setenv("LOG", str(log))

    def noted() -> list[str]:
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines

    return project, log, noted


def copies(project: Project) -> list[str]:
    home = project.root / ".pivot/state.db/sweeps"
    return os.listdir(home) if home.exists() else []


def test_each_combination_runs_once_and_the_workspace_stays(prepared: Prepared) -> None:
    project, _, noted = prepared
    before = project.snapshot()
    sweep = ("repro", "-p", "train.rate=0.1,0.2,9", "-p", "train.layers=[1,2]", "--compare")

    plan = project.pivot(*sweep, "--dry-run").stdout
    assert plan.splitlines()[1] == "train.rate=0.2  would run prepare, train, evaluate"
    assert noted() == []

    told = project.pivot(*sweep, "-j", "2", code=1)
    assert sorted(noted()) == [
        *("evaluate", "evaluate", "prepare"),
        *("train 0.1 [1, 2]", "train 0.2 [1, 2]", "train 9.0 [1, 2]"),
    ]
    assert project.snapshot() == before
    assert copies(project) == []
    rows = [line.split() for line in told.stdout.splitlines()]
    assert rows[0] == ["ID", "train.rate", "test.accuracy", "STATE"]
    assert [row[1:] for row in rows[1:4]] == [["0.1", "0.9", "ran"], ["0.2", "0.8", "ran"], ["9", "-", "failed"]]
    assert "FAILED    train.rate=9" in told.stderr
    assert "train: ValueError: too fast" in told.stderr
    assert f'File "{project.root}/pipeline.py"' in told.stderr
    assert told.stdout.endswith("s)\n")
    assert "Not done: 1 failed, 2 ran (" in told.stdout
    (run,) = project.json("history", "--json")["runs"]
    assert run["command"] == "pivot repro -p train.rate=0.1,0.2,9 -p 'train.layers=[1,2]' --compare -j 2"
    assert run["state"] == "not done"
    assert run["counts"] == {"failed": 1, "blocked": 1, "ran": 5, "restored": 2}
    assert "train (train.rate=9, train.layers=[1,2])" in project.pivot("show").stdout

    again = project.pivot("repro", "-p", "train.rate=0.1,0.2", "-p", "train.layers=[1,2]", "--compare", "--jsonl")
    lines = [json.loads(line) for line in again.stdout.splitlines()]
    ended = [line for line in lines if line["event"] == "combination_ended"]
    assert [line["state"] for line in ended] == ["cached", "cached"]
    assert [line["id"][:8] for line in ended] == [rows[1][0], rows[2][0]]
    assert [line["metrics"] for line in ended] == [{"test.accuracy": 0.9}, {"test.accuracy": 0.8}]
    assert noted() == []

    assert "restored" in project.pivot("repro", "-p", "train.rate=0.2", "-p", "train.layers=[1,2]").stderr
    assert noted() == []
    listed = project.json("results", "--sort", "accuracy", "--json")["results"]
    assert [(row["id"][:8], row["current"], row["stale"]) for row in listed] == [
        (rows[2][0], True, []),
        (rows[1][0], False, []),
    ]
    assert listed[0]["params"] == {"train.rate": 0.2, "train.layers": [1, 2], "train.token": "***"}

    project.replace("pipeline.py", '"accuracy": 1 -', '"accuracy": 2 -')
    project.pivot("repro", "-q")
    noted()
    table = project.pivot("results", "--md", "--sort", "rate", "--desc").stdout.splitlines()
    assert table[0] == "| ID | RECORDED | train.layers | train.rate | test.accuracy | STATE |"
    assert [line.split(" | ")[3:5] for line in table[2:]] == [["0.3", "1.7"], ["0.2", "0.8"], ["0.1", "0.9"]]
    states = [line.split(" | ")[5].replace("\\", "") for line in table[2:]]
    assert states == ["workspace |", "stale: evaluate |", "stale: evaluate |"]
    for given, hint in (
        ("-accuracy", "--sort accuracy --desc sorts by the largest value first"),
        ("acuracy", "did you mean accuracy?"),
        ("x", "known names: test.accuracy, train.layers, train.rate and 1 more"),
    ):
        refused = project.pivot("results", f"--sort={given}", code=2).stderr
        assert f"error: no result has the value {given!r}\nhint: {hint}\n" in refused
    assert project.pivot("results", "prepar", code=2).stderr.count("hint: did you mean prepare?\n") == 1
    assert project.pivot("results", "--remove", rows[1][0]).stdout == "Removed 1 result\n"
    assert rows[1][0] not in project.pivot("results").stdout


def test_a_result_is_put_into_the_workspace(prepared: Prepared) -> None:
    project, _, noted = prepared
    project.pivot("repro", "-q")
    told = project.pivot("repro", "-p", "train.rate=0.1,0.2", "--compare", "-j1").stdout
    first, second = (line.split()[0] for line in told.splitlines()[1:3])
    noted()

    before = project.snapshot()
    plan = project.pivot("apply", first, "--dry-run").stdout
    assert plan.splitlines()[0] == "Would set train.rate to 0.1 in params.yaml"
    assert project.snapshot() == before

    done = project.pivot("apply", first[:5]).stdout
    assert done == "Set train.rate to 0.1 in params.yaml\nApplied evaluate, prepare, train: restored 2 files\n"
    assert project.read("params.yaml") == PARAMS.replace("0.3", "0.1")
    assert json.loads(project.read("metrics.json")) == {"test": {"accuracy": 0.9}}
    assert set(project.states().values()) == {"cached"}
    assert noted() == []

    project.write("model.json", "mine")
    before = project.snapshot()
    refused = project.pivot("apply", second, code=1)
    assert "model.json: not restored, since its current content exists nowhere else" in refused.stderr
    assert project.snapshot() == before
    project.pivot("apply", second, "--force")
    assert json.loads(project.read("model.json"))["rate"] == 0.2
    assert set(project.states().values()) == {"cached"}
    assert "model.json" in project.pivot("checkout", "--kept").stdout

    edited = project.read("params.yaml").replace("0.2", "0.7")
    todo = [lambda: project.write("params.yaml", edited)]

    def before_change(operation: str, *arguments: object) -> None:
        if operation == "create" and "/.pivot/cache/" in str(arguments[0]) and todo:
            todo.pop()()

    with mock.patch.object(syscalls, "before", before_change):
        assert "params.yaml was changed meanwhile" in project.inside("apply", first, code=1)
    assert project.read("params.yaml") == edited

    project.write("params.yaml", "train: &t {rate: 0.3}\ndemo.train: *t\n")
    assert "set demo.train.rate to 0.1 by hand" in project.pivot("apply", first, code=2).stderr
    project.write("params.yaml", PARAMS)
    completed = {"_PIVOT_COMPLETE": "bash_complete", "COMP_WORDS": f"pivot apply {first[:4]}", "COMP_CWORD": "2"}
    assert f"plain,{first}" in project.pivot("completion", env=completed).stdout.splitlines()

    project.pivot("cache", "gc", "--keep-since", "0", "--grace", "0")
    assert first in project.pivot("results").stdout
    gone = project.pivot("apply", first, code=1).stderr
    assert f"the cache no longer has model.json of the result {first}" in gone
    assert project.read("params.yaml") == PARAMS


def test_secrets_stay_secret(prepared: Prepared) -> None:
    project, _, _ = prepared
    told = project.pivot("repro", "-p", "train.token=hunter2,swordfish", "--compare", "-j1")
    assert "1: train.token=***" in told.stderr
    written = [file.read_bytes() for file in project.root.rglob("*") if file.is_file()]
    shown = told.stdout + told.stderr + project.pivot("results", "--json").stdout
    for secret in ("hunter2", "swordfish"):
        assert secret not in shown
        assert not any(secret.encode() in data for data in written)


def waited(process: "subprocess.Popen[str]", log: pathlib.Path, line: str) -> None:
    """Wait until a stage of a command has noted a line."""
    while not (log.exists() and line in log.read_text()):
        assert process.poll() is None
        time.sleep(0.01)


def running(project: Project) -> list[str]:
    """The processes that work in the project's copies."""
    found = []
    for each in pathlib.Path("/proc").iterdir():
        if each.name.isdigit():
            try:
                found += [each.name] if os.readlink(each / "cwd").startswith(f"{project.root}/.pivot/") else []
            except OSError:
                continue
    return found


def test_an_interrupted_sweep_goes_on_where_it_was(prepared: Prepared) -> None:
    project, log, noted = prepared
    hold = log.with_name("hold")
    hold.touch()
    sweep = ("repro", "-p", "train.rate=0.1,5", "--compare", "-j", "1")
    with project.start(*sweep) as process:
        waited(process, log, "train 5")
        process.send_signal(signal.SIGINT)
        table, told = process.communicate()
    assert process.returncode == 130, told
    assert "ran       train.rate=0.1" in told
    assert "FAILED" not in told
    assert "note: 1 of 2 combinations recorded: the same command goes on with the rest" in told
    assert [line.split()[1:] for line in table.splitlines()] == [
        ["train.rate", "test.accuracy", "STATE"],
        ["0.1", "0.9", "ran"],
    ]
    run = project.json("show", "--json")
    assert run["command"] == "pivot repro -p train.rate=0.1,5 --compare -j 1"
    assert run["state"] == "interrupted"
    assert [(each["name"], each["combination"], each["state"]) for each in run["stages"]] == [
        ("prepare (train.rate=0.1)", "train.rate=0.1", "ran"),
        ("train (train.rate=0.1)", "train.rate=0.1", "ran"),
        ("evaluate (train.rate=0.1)", "train.rate=0.1", "ran"),
        ("prepare (train.rate=5)", "train.rate=5", "restored"),
        ("train (train.rate=5)", "train.rate=5", "interrupted"),
    ]
    assert running(project) == []
    assert copies(project) == []
    noted()

    with project.start(*sweep) as process:
        waited(process, log, "train 5")
        process.kill()
    assert noted() == ["train 5.0 [64, 64]"]
    while running(project):
        time.sleep(0.01)
    assert len(copies(project)) == 1
    project.pivot("repro", "-q", "prepare")
    assert copies(project) == []
    assert noted() == []
    hold.unlink()
    done = project.pivot(*sweep)
    assert "cached    train.rate=0.1" in done.stderr
    assert noted() == ["train 5.0 [64, 64]", "evaluate"]
    assert copies(project) == []


def test_what_a_sweep_refuses(prepared: Prepared) -> None:
    project, _, _ = prepared
    for arguments, problem in (
        (("--compare",), "--compare goes with -p"),
        (("--compare", "-p", "train.rate=1,2", "--watch"), "--compare and --watch exclude each other"),
        (("--compare", "-p", "train.rate=1,2", "--var", "x=1"), "--compare and --var exclude each other"),
        (("--compare", "-p", "train.rat=1,2"), "no stage has the parameter 'train.rat'"),
        (("--compare", "-p", "train.rate=1,fast"), "parameter rate must be float, not 'fast'"),
        (("--compare", "-p", "train.rate=1,2", "nothing"), "nothing"),
    ):
        assert problem in project.pivot("repro", *arguments, code=2).stderr, arguments


UNUSUAL = """\
import os
import pathlib
from typing import Annotated

import pivot
from pivot import Dep, Metric, Out
from pivot.loaders import Text

pipeline = pivot.Pipeline("demo")
COUNTER = pathlib.Path(os.environ["LOG"])


class Params(pivot.StageParams):
    a: int = 1


def fetch() -> Annotated[str, Out("fetched.txt", Text())]:
    with COUNTER.open("a") as counter:
        counter.write("x")
    return COUNTER.read_text()


def clean(fetched: Annotated[str, Dep("fetched.txt", Text())]) -> Annotated[str, Out("clean.txt", Text())]:
    return fetched


def same(
    params: Params,
    fetched: Annotated[str, Dep("fetched.txt", Text())],
    cleaned: Annotated[str, Dep("clean.txt", Text())],
) -> Annotated[dict, Metric("same.json")]:
    return {"same": fetched == cleaned}


def part(params: Params) -> Annotated[str, Out("parts/made.txt", Text())]:
    return str(params.a)


def join(
    parts: Annotated[dict, Dep("parts/*.txt", Text())], words: Annotated[str, Dep("words.txt", Text(), count=False)]
) -> Annotated[dict, Metric("joined.json")]:
    return {"joined": " ".join(parts.values()) + words}


def old(params: Params) -> Annotated[dict, Metric("old.json", cache=True)]:
    return {"old": params.a}


pipeline.register(fetch, always=True)
for stage in (clean, same, part, join, old):
    pipeline.register(stage)
"""


def test_stages_that_run_always_or_never_and_deps_without_a_fixed_content(
    make: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make(UNUSUAL)
    monkeypatch.setenv("LOG", str(project.root.parent / "log"))
    project.write("parts/given.txt", "given")
    project.write("words.txt", "!")
    project.pivot("repro")

    # Stages after one that always runs read its new out. Files that match, and deps that do not count, are there.
    project.pivot("repro", "-p", "same.a=2,3", "-p", "part.a=4", "--compare", "same", "join")
    rows = json.loads(project.pivot("results", "--json").stdout)["results"]
    swept = [row for row in rows if not row["current"]]
    assert sorted(row["params"]["same.a"] for row in swept) == [2, 3]
    assert [row["metrics"] for row in swept] == [{"joined": "given 4!", "same": True}] * 2
    assert not any(row["stale"] for row in rows)
    project.write("parts/more.txt", "more")  # not yet there for any of these results
    rows = json.loads(project.pivot("results", "--json").stdout)["results"]
    assert [row["stale"] for row in rows] == [["join"]] * 3

    # The result of a frozen stage keeps the parameters with which it ran.
    project.pivot("freeze", "old")
    (project.root / "old.json").unlink()
    project.pivot("repro", "-p", "old.a=5,6", "--compare", "old")
    rows = json.loads(project.pivot("results", "--json").stdout)["results"]
    assert all(row["params"]["old.a"] == row["metrics"]["old"] for row in rows if "old.a" in row["params"])


PLAIN = """\
from typing import Annotated

from pivot import Dep, Out, Pipeline, StageParams
from pivot.loaders import Text

pipeline = Pipeline("p")


class Params(StageParams):
    word: str = "a"


@pipeline.register
def one() -> Annotated[str, Out("one.txt", Text())]:
    return "1"


@pipeline.register
def two(one: Annotated[str, Dep("one.txt", Text())]PARAMS) -> Annotated[str, Out("two.txt", Text())]:
    return one
"""
COUNTED_RUN = """
import sys
from pivot_cli.main import main
texts = []
def count(frame, event, _):
    if event == "call" and frame.f_code.co_name == "_stage" and "recording" in frame.f_code.co_filename:
        texts.append(frame)
sys.setprofile(count)
try:
    main(["repro"])
finally:
    sys.setprofile(None)
    print([name for name in ("pivot_runtime.results.recording", "tomllib") if name in sys.modules], len(texts))
"""


@pytest.mark.parametrize(
    ("params", "found"), [("", "[] 0"), (", params: Params", "['pivot_runtime.results.recording'] 2")]
)
def test_only_what_there_is_to_compare_costs_a_run_something(
    make: Callable[[str], Project], params: str, found: str
) -> None:
    project = make(PLAIN.replace("PARAMS", params))
    done = subprocess.run(
        [sys.executable, "-c", COUNTED_RUN], cwd=project.root, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == found, done.stderr


BRANCHES = """\
pipeline: p
stages:
  risky:
    cmd: test ${params.x} != 1 && echo ${params.x} > risky.txt
    outs: [risky.txt]
    params: {x: 0}
    priority: 1
  other:
    cmd: echo other > other.txt
    outs: [other.txt]
"""


def test_targets_and_keep_going_apply_to_each_combination(empty: Project) -> None:
    empty.pivot("init")
    empty.write("pivot.yaml", BRANCHES)

    def ran(*arguments: str) -> list[tuple[int, str]]:
        done = empty.pivot("repro", "-p", "risky.x=1,2", "--compare", "-j", "1", "--jsonl", *arguments, code=1)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return [(each["combination"], each["address"]) for each in lines if each["event"] == "stage_ran"]

    assert ran("risky") == [(2, "p.risky")]
    assert ran("--keep-going") == [(1, "p.other")]  # which the second one restores, with the result above
    assert ran() == []


SCRIPTS = """\
pipeline: p
stages:
  train:
    cmd: python ${params.script} > out.txt
    outs: [out.txt]
    params: {script: a.py}
"""


def test_a_script_that_a_parameter_names_counts_by_its_code(empty: Project) -> None:
    empty.pivot("init")
    empty.write("pivot.yaml", SCRIPTS)
    for name in "ab":
        empty.write(f"{name}.py", f"import lib_{name}\nprint(lib_{name}.X)\n")
        empty.write(f"lib_{name}.py", "X = 1\n")
    sweep = ("repro", "-p", "train.script=a.py,b.py", "--compare")
    assert "2 ran" in empty.pivot(*sweep).stdout
    assert [row["stale"] for row in empty.json("results", "--json")["results"]] == [[], []]

    empty.write("lib_b.py", "X = 2\n")
    rows = empty.json("results", "--json")["results"]
    assert {row["params"]["train.script"]: row["stale"] for row in rows} == {"a.py": [], "b.py": ["train"]}
    plan = empty.pivot(*sweep, "--dry-run").stdout.splitlines()
    assert [line.split()[:2] for line in plan] == [["train.script=a.py", "cached"], ["train.script=b.py", "would"]]
