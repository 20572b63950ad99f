"""Deps that are more than a file whose content counts: uncounted ones, patterns, and URLs, which are none."""

import shutil
from collections.abc import Callable

from harness import Project

UNCOUNTED = """\
import pathlib
from typing import Annotated

import pivot
from pivot.loaders import Text

pipeline = pivot.Pipeline("p")


@pipeline.register
def look(text: Annotated[str, pivot.Dep("words.txt", Text())]) -> Annotated[str, pivot.Out("table.txt", Text())]:
    return text.upper()


@pipeline.register
def use(
    text: Annotated[str, pivot.Dep("in.txt", Text())],
    table: Annotated[str, pivot.Dep("table.txt", Text(), count=False)],
) -> Annotated[str, pivot.Out("out.txt", Text())]:
    return f"{text} {table}"
"""


def test_an_uncounted_dep_is_needed_and_triggers_nothing(make: Callable[[str], Project]) -> None:
    project = make(UNCOUNTED)
    project.write("words.txt", "a")
    project.write("in.txt", "1")
    assert "ran       use" in project.pivot("repro", "use").stderr  # after the stage that writes it
    assert project.read("out.txt") == "1 A"
    assert "  reads   table.txt  (does not count)\n" in project.pivot("list", "use").stdout
    assert project.json("list", "use", "--json")["stages"][0]["uncounted"] == ["table.txt"]
    assert project.pivot("dag").stdout == "use ← look\n"
    assert list(project.lock("p.use")["deps"]) == ["in.txt"]

    project.write("words.txt", "b")
    assert project.states() == {"look": "stale", "use": "cached"}
    told = project.pivot("repro").stderr
    assert "ran       look" in told
    assert "cached    use" in told
    (project.root / "table.txt").unlink()
    assert "missing table.txt" in project.pivot("run", "use", code=1).stderr

    project.write("in.txt", "2")
    project.pivot("repro")
    assert project.read("out.txt") == "2 B"
    project.pivot("commit", "--force", "use")
    assert list(project.lock("p.use")["deps"]) == ["in.txt"]


def test_urls_are_no_deps(make: Callable[[str], Project]) -> None:
    project = make(UNCOUNTED.replace('"in.txt"', '"https://example.org/in.txt"'))
    told = project.pivot("status", code=2).stderr
    assert "Dep('https://example.org/in.txt'): this is a URL, not the path of a file in the project" in told
    assert "hint: 'pivot import-url https://example.org/in.txt' brings it into the project" in told
    (project.root / "pipeline.py").unlink()
    project.write("pivot.yaml", "pipeline: y\nstages:\n  a:\n    cmd: cat x > y\n    deps: [s3://b/x]\n    outs: [y]\n")
    told = project.pivot("status", code=2).stderr
    assert "pivot.yaml:3: stage 'a': Dep('s3://b/x'): this is a URL" in told
    project.write(
        "pivot.yaml",
        "pipeline: y\nstages:\n  a:\n    cmd: cat x z > y\n    deps: [z, {path: x, count: false}]\n    outs: [y]\n",
    )
    project.write("x", "1")
    project.write("z", "1")
    project.pivot("repro")
    project.write("x", "2")
    assert project.states() == {"a": "cached"}


PATTERNS = """\
import pathlib
from typing import Annotated, TypedDict

import pivot
from pivot.loaders import Text

pipeline = pivot.Pipeline("p")


class Parts(TypedDict):
    made: Annotated[str, pivot.Out("parts/made.csv", Text())]
    deep: Annotated[dict[str, str], pivot.Out("parts/deep/", Text())]


@pipeline.register
def make(text: Annotated[str, pivot.Dep("in.txt", Text())]) -> Parts:
    return Parts(made=text, deep={"x.csv": text, "y.txt": text})


@pipeline.register
def join(
    parts: Annotated[dict[str, str], pivot.Dep("parts/*.csv", Text())],
    every: Annotated[list[pathlib.Path], pivot.Dep("parts/**/*.csv")],
) -> Annotated[str, pivot.Out("joined.txt", Text())]:
    return f"{parts} {[str(path) for path in every]}"
"""


def test_a_pattern_is_all_files_that_match(make: Callable[[str], Project]) -> None:
    project = make(PATTERNS)
    project.write("in.txt", "m")
    for name in ("parts/a.csv", "parts/.hidden.csv", "parts/notes.txt"):
        project.write(name, "1")
    ran = project.pivot("repro", "join")  # after the stage whose outs match
    assert "uses files that it does not declare" not in ran.stderr
    everything = "['parts/a.csv', 'parts/deep/x.csv', 'parts/made.csv']"
    assert project.read("joined.txt") == "{'parts/a.csv': '1', 'parts/made.csv': 'm'} " + everything
    assert list(project.lock("p.join")["deps"]) == ["parts/a.csv", "parts/deep/x.csv", "parts/made.csv"]
    assert "  reads   parts/*.csv\n" in project.pivot("list", "join").stdout
    assert "parts/a.csv" not in (listed := project.pivot("list", "--untracked").stdout)
    assert "parts/notes.txt" in listed
    assert project.pivot("dag").stdout == "join ← make\n"
    assert "parts/*.csv ← parts/made.csv" in project.pivot("dag", "--artifacts").stdout
    for _ in range(2):  # the second answer is a kept one
        assert project.states() == {"make": "cached", "join": "cached"}

    # The set of files counts, with their names, and nothing else.
    project.write("parts/notes.txt", "2")
    project.write("parts/.hidden.csv", "2")
    assert project.states()["join"] == "cached"
    project.write("parts/b.csv", "3")
    assert "Input data changed: parts/b.csv" in project.pivot("status").stdout
    (project.root / "parts/b.csv").rename(project.root / "parts/c.csv")
    project.pivot("repro")
    assert "'parts/c.csv': '3'" in project.read("joined.txt")
    (project.root / "parts/c.csv").unlink()
    assert "Input data changed: parts/c.csv" in project.pivot("status").stdout
    assert "restored  join" in project.pivot("repro").stderr

    # Outs of stages count wherever they are, and so do tracked data.
    shutil.rmtree(project.root / "parts/deep")
    (project.root / "parts/made.csv").unlink()
    assert project.states() == {"make": "stale", "join": "cached"}
    assert "missing parts/deep, parts/made.csv\n" in project.pivot("run", "join", code=1).stderr
    project.write("in.txt", "n")
    told = project.pivot("repro", "--dry-run").stdout
    assert "Upstream stage will run" in told
    project.pivot("repro")
    assert "'parts/made.csv': 'n'" in project.read("joined.txt")
    project.pivot("track", "parts/a.csv")
    (project.root / "parts/a.csv").unlink()
    assert "missing parts/a.csv" in project.pivot("repro", code=1).stderr
    project.pivot("checkout")
    assert project.states() == {"make": "cached", "join": "cached"}
    assert project.pivot("verify", "--rerun", "join").returncode == 0
    project.pivot("untrack", "parts/a.csv")
    project.replace("pipeline.py", 'f"{parts} ', 'f"{dict(parts)} ')
    project.pivot("commit", "--force", "join")
    assert list(project.lock("p.join")["deps"]) == ["parts/a.csv", "parts/deep/x.csv", "parts/made.csv"]

    shutil.rmtree(project.root / "parts")
    project.replace("pipeline.py", '"parts/deep/"', '"deep/"')
    project.replace("pipeline.py", '"parts/made.csv"', '"made.csv"')
    told = project.pivot("repro", code=1).stderr
    assert "missing parts/**/*.csv, parts/*.csv\n" in told
    assert "error: stage 'join' cannot run: parts/**/*.csv matches no file\n" in told


def test_patterns_of_commands_and_other_pipelines(make: Callable[[str], Project]) -> None:
    project = make("import pivot\npipeline = pivot.Pipeline('empty')\n")
    (project.root / "pipeline.py").unlink()
    for name in ("one", "two"):
        text = f"pipeline: {name}\nstages:\n  score:\n    cmd: echo {name} > score.txt\n    outs: [score.txt]\n"
        project.write(f"runs/{name}/pivot.yaml", text)
    project.write(
        "pivot.yaml",
        "pipeline: all\nstages:\n  all:\n    cmd: cat ${deps.scores} ${deps.odd} > all.txt\n"
        "    deps: {scores: runs/*/score.txt, odd: 'odd[*].txt'}\n    outs: [all.txt]\n",
    )
    project.write("odd*.txt", "odd")
    project.write("odder.txt", "no")
    project.pivot("repro")
    assert project.read("all.txt") == "one\ntwo\nodd"
    assert set(project.states().values()) == {"cached"}
    project.write("runs/three/score.txt", "three\n")
    project.pivot("repro")
    assert project.read("all.txt") == "one\nthree\ntwo\nodd"


def test_a_file_that_appears_while_a_stage_runs_is_noticed(make: Callable[[str], Project]) -> None:
    writing = 'pathlib.Path("parts/late.csv").write_text("x")\n    return f"'
    project = make(PATTERNS.replace('return f"', writing, 1))
    project.write("in.txt", "m")
    assert "parts/late.csv" in project.pivot("repro", code=None).stderr
    assert project.states()["join"] == "stale"
