"""Stages declared in a ``pivot.yaml``, through the executable: all that a ``pipeline.py`` can, and shell commands."""

import json
import os

import pytest
from harness import Project

STEPS = """\
from typing import Annotated

import pivot
from pivot import loaders


class Fit(pivot.StageParams):
    factor: float = 1.0
    offset: int = 0


def fit(
    params: Fit, rows: Annotated[list, pivot.PlaceholderDep(loaders.JSON())]
) -> Annotated[list, pivot.Out("fitted.json", loaders.JSON(indent=None))]:
    return [params.factor * row + params.offset for row in rows]
"""

DECLARED = """\
pipeline: models
vars:
  sizes: {small: 2, big: 10}
stages:
  # One stage for each size.
  fit:
    python: steps:fit
    matrix:
      size: ${sizes}
    deps:
      rows: rows.json
    outs:
      return: out/${size}.json
    params:
      factor: ${size}
  count:
    cmd: |
      cat out/*.json | bash count.sh ${params.unit} > ${outs.total}
    deps: [out/2.json, out/10.json]
    outs:
      total: {path: total.txt, cache: false}
    params:
      unit: rows
  note:
    cmd: echo done > note.txt
    outs: [note.txt]
"""


@pytest.fixture
def declared(empty: Project) -> Project:
    project = empty
    project.pivot("init")
    project.write("pivot.yaml", DECLARED)
    project.write("steps.py", STEPS)
    project.write("rows.json", "[1, 2]")
    project.write("count.sh", 'echo "$(tr -cd , | wc -c) $1"\n')
    return project


def test_declared_stages_run_and_an_edit_runs_exactly_what_it_changes(declared: Project) -> None:
    assert "Done: 4 ran" in declared.pivot("repro").stdout
    assert declared.read("total.txt").split() == ["2", "rows"]
    assert json.loads(declared.read("out/10.json")) == [10.0, 20.0]
    assert set(declared.states().values()) == {"cached"}
    listed = {stage["address"]: stage for stage in declared.json("list", "--json")["stages"]}
    assert listed["models.fit@small"]["deps"] == ["rows.json"]
    assert (listed["models.fit@small"]["file"], listed["models.fit@small"]["line"]) == ("pivot.yaml", 6)

    declared.replace("pivot.yaml", "# One stage for each size.", "# Sizes.\n")
    assert set(declared.states().values()) == {"cached"}  # a comment, and moved lines
    declared.replace("pivot.yaml", "big: 10", "big: 11")
    declared.replace("pivot.yaml", "out/10.json]", "out/11.json]")
    assert [name for name, state in declared.states().items() if state == "stale"] == ["fit@big", "count"]
    declared.pivot("repro")
    declared.replace("pivot.yaml", "echo done", "echo finished")
    assert [name for name, state in declared.states().items() if state == "stale"] == ["note"]
    explained = declared.pivot("status", "--diff", "note").stdout
    assert "Code dependency changed" in explained
    assert "-echo done > note.txt" in explained
    assert "+echo finished > note.txt" in explained
    declared.pivot("repro")
    declared.write("count.sh", "wc -c\n")
    explained = declared.pivot("status", "--explain", "--diff").stdout
    assert "file:count.sh" in explained
    assert "+wc -c" in explained
    assert [name for name, state in declared.states().items() if state == "stale"] == ["count"]


def test_parameters_of_declared_stages_come_from_everywhere(declared: Project) -> None:
    declared.pivot("repro")
    declared.write("params.yaml", "fit: {offset: 1}\nfit@big: {factor: 3}\ncount: {unit: lines}\n0: {1: x}\n")
    changed = {
        stage["name"]: {each["key"]: each["new"] for each in stage["param_changes"]}
        for stage in declared.json("status", "--explain", "--json", "-p", "count.unit=a b")["stages"]
    }
    assert changed["fit@small"] == {"offset": "1"}
    assert changed["fit@big"] == {"offset": "1", "factor": "3.0"}
    assert changed["count"] == {"unit": '"a b"'}
    declared.pivot("repro", "-p", "count.unit=a b")
    assert declared.read("total.txt") == "2 a b\n"  # one word for the shell, which the script takes as $1
    assert declared.lock("models.count")["params"]["unit"] == "a b"
    wrong = declared.pivot("status", "-p", "count.unit=a", "-p", "fit.factor=x", code=2)
    assert "parameter factor must be float" in wrong.stderr
    declared.replace("pivot.yaml", "      factor: ${size}", "      facto: ${size}")
    wrong = declared.pivot("status", code=2)
    assert wrong.stderr.startswith("error: pivot.yaml:15: stage 'fit@small' has no parameter 'facto'")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("    deps:\n      rows", "    dep:\n      rows", "pivot.yaml:10: the key 'dep' is not known in 'fit'"),
        (
            "steps:fit",
            "step:fit",
            "pivot.yaml:6: stage 'fit@small': there is no module 'step'\nhint: did you mean steps?",
        ),
        ("steps:fit", "steps:fitt", "'steps' has no function 'fitt'\nhint: did you mean fit?"),
        ("rows: rows.json", "row: rows.json", "deps names 'row', which is not a parameter with a Dep"),
        ("[out/2.json, ", "[", "names 'out/2.json', which stage 'models.fit@small' writes"),
        ("pipeline: models", "pipeline: my models", "pivot.yaml:1: 'my models' cannot be the name of a pipeline"),
    ],
)
def test_errors_name_file_and_line(declared: Project, old: str, new: str, told: str) -> None:
    declared.replace("pivot.yaml", "cat out/*.json", "cat out/2.json out/10.json")
    declared.replace("pivot.yaml", old, new)
    assert told in declared.pivot("status", code=2).stderr


def test_a_module_that_cannot_be_imported_is_shown_with_its_traceback(declared: Project) -> None:
    declared.write("steps.py", "import nothing_of_that_name\n")
    told = declared.pivot("repro", code=2).stderr
    assert 'steps.py", line 1' in told
    assert "pivot.yaml cannot be imported: ModuleNotFoundError" in told
    assert "while importing 'steps' for stage 'fit@small'" in told


def test_commands_fail_as_other_stages_do(empty: Project) -> None:
    project = empty
    project.pivot("init")
    project.write("sub/data.txt", "old\n")
    project.write(
        "pipeline.py",
        """\
import pivot

pipeline = pivot.Pipeline("shell", root="sub")
pipeline.register(
    pivot.command("cat data.txt; cat nowhere.txt | sort > new/out.txt; echo after", outs=["new/out.txt"]), name="pipe"
)
pipeline.register(pivot.command("kill -9 $$"), name="killed")
pipeline.register(pivot.command("nosuchprogram --help"), name="unknown")
pipeline.register(pivot.command("pwd > plots/where.txt", outs=[pivot.DirectoryOut("plots")]), name="where")
pipeline.register(pivot.command("true", outs=["never.txt"]), name="nothing")
""",
    )
    told = project.pivot("repro", "-k", "-j", "1", code=1).stderr
    assert "pipe" in told
    assert "its command ended with exit status 1" in told
    assert "nowhere.txt: No such file" in told
    assert "after" not in told
    assert "its command was killed by SIGKILL" in told
    assert "its command ended with exit status 127" in told
    assert "its command did not write never.txt" in told
    assert project.read("sub/plots/where.txt").strip() == str((project.root / "sub").resolve())
    assert set(project.states().values()) == {"stale", "cached"}


def test_a_script_that_is_written_later_counts_as_code(empty: Project) -> None:
    empty.pivot("init")
    empty.write("pivot.yaml", "pipeline: p\nstages: {go: {cmd: bash later.sh > out.txt, outs: [out.txt]}}\n")
    assert "exit status 127" in empty.pivot("repro", code=1).stderr
    empty.write("later.sh", "echo 1\n")
    empty.pivot("repro")
    assert empty.states() == {"go": "cached"}
    empty.write("later.sh", "echo 2\n")
    assert "file:later.sh" in empty.pivot("status").stdout


def test_pipelines_of_both_kinds_are_wired_together(declared: Project) -> None:
    declared.write(
        "report/pipeline.py",
        """\
import pivot

pipeline = pivot.Pipeline("report")
copy = pivot.command("cat ../total.txt > report.txt", deps=["../total.txt"], outs=["report.txt"])
pipeline.register(copy, name="write")
""",
    )
    declared.write(
        "last/pivot.yaml",
        "pipeline: last\nstages:\n  end:\n    cmd: cp ../report/report.txt end.txt\n"
        "    deps: [../report/report.txt]\n    outs: [end.txt]\n",
    )
    assert declared.json("dag", "--format", "json", cwd="last") == declared.json(
        "dag", "--format", "json", "+end", "-a"
    )
    declared.pivot("repro", cwd="last")
    assert declared.read("last/end.txt") == "2 rows\n"
    assert "passed  end" in declared.pivot("verify", cwd="last").stdout
    declared.write("last/pipeline.py", "")
    assert "has both a pipeline.py and a pivot.yaml" in declared.pivot("status", cwd="last", code=2).stderr


SEVERAL = """\
pipeline: p
stages:
  build:
    wdir: work/here
    cmd:
      - x=1; echo "${params.word}$x" > ${outs.one}
      - false || echo "again $x" >> one.txt
    params: {word: secret}
    outs: {one: one.txt}
  use:
    cmd: [cat work/here/one.txt, exit 3, echo never]
    deps: [work/here/one.txt]
"""


def test_several_commands_run_in_order_in_a_directory_of_their_own(empty: Project) -> None:
    project = empty
    project.pivot("init")
    project.write("pivot.yaml", SEVERAL)
    failed = project.pivot("repro", code=1)
    assert project.read("work/here/one.txt") == "secret1\nagain \n"
    assert "stage 'use' failed: its command 2 of 3 ended with exit status 3" in failed.stderr
    log = project.pivot("logs", "use").stdout
    assert log == "$ cat work/here/one.txt\nsecret1\nagain \n$ exit 3\n"
    assert project.pivot("logs", "build").stdout.startswith('$ x=1; echo "${params.word}$x" > one.txt\n$ false')

    project.replace("pivot.yaml", "exit 3, echo never", "echo done")
    project.pivot("repro")
    project.replace("pivot.yaml", "[cat work/here/one.txt, echo done]", "[echo done, cat work/here/one.txt]")
    assert "use    stale   Code dependency changed: command" in project.pivot("status").stdout
    project.replace("pivot.yaml", "wdir: work/here", "wdir: work/here/")
    assert "build  cached" in project.pivot("status").stdout
    project.replace("pivot.yaml", "wdir: work/here/", "wdir: work")
    project.replace("pivot.yaml", "one: one.txt", "one: here/one.txt")  # the same file, written from elsewhere
    project.replace("pivot.yaml", '"again $x" >> one.txt', "again")
    assert "build  stale   Code dependency changed: command, wdir" in project.pivot("status").stdout
    project.replace("pivot.yaml", "wdir: work", "wdir: ../out")
    assert "pivot.yaml:3: stage 'build': wdir: " in project.pivot("status", code=2).stderr


TEMPLATES = """\
pipeline: models
vars:
  - conf/data.toml
  - conf/models.json:models
  - conf/tags.py
  - out: ${rows}.out
stages:
  copy:
    cmd: cat ${rows} > ${out}
    deps: ["${rows}"]
    outs: ["${out}"]
  fit:
    foreach: ${models}
    do:
      wdir: fits
      vars: ["${item.name}.yaml"]
      cmd: echo ${item.name} ${lr} ${args} ${Tags.first} > ${item.name}.txt
      outs: ["${item.name}.txt"]
"""


def test_an_edit_of_a_file_with_variables_runs_exactly_what_it_changes(empty: Project) -> None:
    project = empty
    project.pivot("init")
    project.write("pivot.yaml", TEMPLATES)
    project.write("conf/data.toml", 'rows = "rows.csv"\n')
    project.write("conf/models.json", '{"models": [{"name": "cnn"}, {"name": "tree"}], "unused": 1}\n')
    project.write("fits/cnn.yaml", "args: {depth: 3, tag: a b}\n")
    project.write("fits/tree.yaml", "args: {}\n")
    project.write("rows.csv", "1\n")
    project.write("more.csv", "2\n")
    project.write("conf/tags.py", "class Tags:\n    first = 'x'\n")
    assert "pivot.yaml:17: ${lr} is not known\nhint: known here: " in project.pivot("status", code=2).stderr
    project.write("params.yaml", "lr: 0.1\nother: {a: 1}\n")
    assert "Done: 3 ran" in project.pivot("repro").stdout
    assert project.read("fits/cnn.txt") == "cnn 0.1 --depth 3 --tag a b x\n"

    def stale() -> list[str]:
        states = project.states()
        verified = json.loads(project.pivot("verify", "--static", "--json", code=None).stdout)
        assert {each["name"]: each["status"] == "passed" for each in verified["stages"]} == {
            name: state == "cached" for name, state in states.items()
        }
        return [name for name, state in states.items() if state == "stale"]

    project.replace("conf/models.json", '"unused": 1', '"unused": 2')
    project.replace("params.yaml", "a: 1", "a: 2")
    assert stale() == []
    for file, old, new, changed in (
        ("fits/cnn.yaml", "depth: 3", "depth: 4", ["fit@0"]),
        ("params.yaml", "0.1", "0.2", ["fit@0", "fit@1"]),
        ("conf/data.toml", "rows.csv", "more.csv", ["copy", "fit@0", "fit@1"]),
    ):
        project.replace(file, old, new)
        assert stale() == changed
    told = project.pivot("status", "--explain", "fit@0", "copy").stdout
    for name, old, new, file in (
        ("args.depth", "3", "4", "fits/cnn.yaml:1"),
        ("lr", "0.1", "0.2", "params.yaml:1"),
        ("rows", '"rows.csv"', '"more.csv"', "conf/data.toml"),
    ):
        assert f"    var:{name}\n      Old: {old}\n      New: {new}\n      File: {file}\n" in told
    assert told.count("    var:") == 4  # and the path that refers to rows
    ran = project.pivot("repro", "--explain").stderr
    assert "\n  var:lr  0.1 -> 0.2  params.yaml:1\n" in ran
    given = project.json("status", "--explain", "--json", "--var", "rows=rows.csv")["stages"]
    assert given[0]["variable_changes"][1:] == [
        {"name": "rows", "old": '"more.csv"', "new": '"rows.csv"', "place": "--var rows"}
    ]
    given = project.states("--var", "rows=rows.csv", "--var", "args.depth=5")
    assert given == {"copy": "stale", "fit@0": "stale", "fit@1": "cached"}
    assert "did you mean args?" in project.pivot("status", "--var", "arg=1", code=2).stderr
    (project.root / "conf/data.toml").unlink()
    os.mkfifo(project.root / "conf/data.toml")
    assert "'conf/data.toml' cannot be read: it is not a file" in project.pivot("status", code=2).stderr


IN_WORDS_OF_DVC = """\
pipeline: p
stages:
  train:
    wdir: work
    cmd: bash ../train.sh
    deps:
      - ../train.sh
    params: [rate]
    outs:
      - model.bin:
          desc: The weights.
          meta: {owner: ada}
          type: model
      - logs:
          cache: false
          directory: true
    metrics:
      - scores.json:
          cache: false
    plots:
      - loss.csv:
          x: step
          y: loss
          template: smooth
    meta: {team: vision}
    always_changed: true
  report:
    cmd: cp work/scores.json last.json && cp work/loss.csv extra.csv
    deps: [work/scores.json, work/loss.csv]
    outs: [last.json, extra.csv]
metrics: [last.json]
plots:
  - Extra: {x: step, y: {extra.csv: loss}}
"""


def test_secret_variables_are_neither_shown_nor_kept_beside_the_others(empty: Project) -> None:
    project = empty
    project.pivot("init")
    text = """
pipeline: d
vars:
- db: {host: HOST, api_key: KEY, url: "https://me:KEY@e.org"}
stages:
  a:
    cmd: echo ${db.host} ${db.url} > ${db.api_key}
    outs: ["${db.api_key}"]
"""
    project.write("pivot.yaml", text.replace("HOST", "one").replace("KEY", "hunter2"))
    project.pivot("repro")
    project.write("pivot.yaml", text.replace("HOST", "two"))

    (stage,) = project.json("status", "--explain", "--json", "--var", "db.api_key=hunter2")["stages"]
    named = [(each["name"], each["old"], each["new"]) for each in stage["variable_changes"]]
    assert named == [("db.host", '"one"', '"two"')]
    told = project.pivot("repro", "--explain", "--var", "db.api_key=hunter4").stderr
    assert "var:db.host" in told
    assert "var:db.api_key" not in told
    assert "var:db.url" not in told
    assert "--var 'db.api_key=***'" in project.pivot("show", "--json").stdout


def test_words_of_dvc_mean_what_they_mean_there(empty: Project) -> None:
    project = empty
    project.pivot("init")
    project.write("pivot.yaml", IN_WORDS_OF_DVC)
    project.write("work/params.yaml", "rate: 0.5\nother: 1\n")
    project.write(
        "train.sh",
        "mkdir -p logs && touch logs/a model.bin && printf 'step,loss\\n1,2\\n' > loss.csv\n"
        "echo '{\"auc\": 0.5}' > scores.json\n",
    )
    project.pivot("repro")
    assert project.lock("p.train")["params"] == {"work/params.yaml:rate": 0.5}
    train = project.json("list", "--json")["stages"][0]
    assert (train["meta"], train["always"]) == ({"team": "vision"}, True)
    assert [each for each in train["outs"] if each["path"] == "work/model.bin"] == [
        {"path": "work/model.bin", "cache": True, "desc": "The weights.", "meta": {"owner": "ada", "type": "model"}}
    ]
    assert "  writes  work/model.bin  The weights.\n" in project.pivot("list", "train").stdout
    shown = project.pivot("metrics", "show").stdout
    assert "work/scores.json" in shown
    assert "last.json" in shown
    plots = {each["path"]: each["spec"]["title"] for each in project.json("plots", "show", "--json")["plots"]}
    assert plots == {"work/loss.csv": "work/loss.csv", "extra.csv": "Extra"}

    locks = project.snapshot()
    project.replace("pivot.yaml", "always_changed: true", "always: false")
    project.replace("pivot.yaml", "The weights.", "All weights.")
    project.replace("pivot.yaml", "{team: vision}", "{team: [sound]}")
    project.replace("pivot.yaml", "Extra: {x: step", "More: {x: loss")
    assert project.states() == {"train": "cached", "report": "cached"}
    assert {name for name, was in project.snapshot().items() if locks.get(name) != was} == {"pivot.yaml"}
