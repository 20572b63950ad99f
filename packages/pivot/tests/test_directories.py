"""Directories: paths that end with a slash, loaders that load each file, and results of another kind than declared."""

from collections.abc import Callable

from harness import Project

WEIGHTS = 'weights: Annotated[str, pivot.Dep("model/weights", Text())]'
PIPELINE = """\
import pathlib
from collections.abc import Mapping
from typing import Annotated

import pivot
from pivot.loaders import PathOnly, Text

pipeline = pivot.Pipeline("p")


@pipeline.register
def split(text: Annotated[str, pivot.Dep("in.txt", Text())]) -> Annotated[dict[str, str], pivot.Out("words/", Text())]:
    return {f"{word[0]}/{word}.txt": word.upper() for word in text.split()}


@pipeline.register
def join(
    words: Annotated[dict[str, str], pivot.Dep("words/", Text())],
    later: Annotated[Mapping[str, str], pivot.Dep("words/", Text(), lazy=True)],
    before: Annotated[dict[str, str] | None, pivot.IncrementalOut("all/", Text())],
) -> Annotated[dict[str, str], pivot.IncrementalOut("all/", Text())]:
    print(list(words), repr(later), len(later), "b/boat.txt" in later)
    pathlib.Path("words/b/boat.txt").read_text()
    return {"all.txt": " ".join([*words.values(), later["b/boat.txt"]]), "runs": (before or {}).get("runs", "") + "|"}


@pipeline.register
def model(text: Annotated[str, pivot.Dep("in.txt", Text())]) -> Annotated[pathlib.Path, pivot.Out("model", PathOnly())]:
    with pathlib.Path("runs").open("a") as file:
        file.write("x")
    pathlib.Path("model").mkdir()
    pathlib.Path("model/weights").write_text(text)
    return pathlib.Path("model")
"""


def test_each_file_of_a_directory_is_loaded(make: Callable[[str], Project]) -> None:
    project = make(PIPELINE)
    project.write("in.txt", "boat ant")
    project.pivot("repro", "join")

    assert project.read("words/b/boat.txt") == "BOAT"
    assert project.read("all/all.txt") == "ANT BOAT BOAT"
    assert "['a/ant.txt', 'b/boat.txt'] <2 files that are" in project.pivot("logs", "join").stdout
    project.write("in.txt", "boat ant oak")
    project.pivot("repro", "join")
    assert project.read("all/runs") == "||"

    project.replace(
        "pipeline.py",
        'words: Annotated[dict[str, str], pivot.Dep("words/"',
        'words: Annotated[dict[str, str], pivot.Dep("words"',
    )
    told = project.pivot("repro", "join", code=1)
    assert (
        "to load each file of a directory, end its path with a slash: Dep('words/', ...)" in told.stdout + told.stderr
    )


def test_a_directory_where_a_file_is_declared_is_not_lost(make: Callable[[str], Project]) -> None:
    project = make(PIPELINE)
    project.write("in.txt", "boat")
    told = project.pivot("repro", "model", code=1).stderr
    assert "/model: is a directory\n" in told
    assert "or a / at the end of its path; what the stage wrote is kept: 'pivot checkout --kept model'" in told
    assert not (project.root / "model").exists()

    # The hint leads to a recorded result, without another run.
    project.pivot("checkout", "--kept", "model")
    assert "where a file is declared" in project.pivot("repro", "model", code=1).stderr  # known before a run
    project.replace("pipeline.py", 'pivot.Out("model"', 'pivot.Out("model/"')
    project.pivot("commit", "--force", "p.model")
    assert "model" in project.pivot("repro", "model").stderr
    assert project.states() == {"split": "stale", "join": "stale", "model": "cached"}
    assert project.read("runs") == "x"
    assert project.read("model/weights") == "boat"

    project.replace("pipeline.py", 'pivot.Out("model/"', 'pivot.Out("model"')
    project.replace(
        "pipeline.py", "def join(", 'def join(\n    weights: Annotated[str, pivot.Dep("model/weights", Text())],'
    )
    assert "it reads 'model/weights', but 'model', which 'model'" in project.pivot("repro", code=2).stderr
