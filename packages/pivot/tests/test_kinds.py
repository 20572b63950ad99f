"""The kinds of outs and of deps, through the executable: directories, outs for git, outs that grow, several paths."""

import json
from collections.abc import Callable

from harness import Project

HEAD = """\
import pathlib
from typing import Annotated, TypedDict

import pivot
from pivot.loaders import JSON, PathOnly, Text

pipeline = pivot.Pipeline("p")


"""

DIRECTORY = (
    HEAD
    + """\
@pipeline.register
def split(
    names: Annotated[str, pivot.Dep("names.txt", Text())],
) -> Annotated[pathlib.Path, pivot.DirectoryOut("parts")]:
    out = pathlib.Path("parts")
    (out / "deep/er").mkdir(parents=True)
    (out / "nothing").mkdir()
    for name in names.split():
        (out / "deep/er" / f"{name}.txt").write_text(name)
    return out


@pipeline.register
def count(parts: Annotated[pathlib.Path, pivot.Dep("parts")]) -> Annotated[int, pivot.Out("count.json", JSON())]:
    return len([each for each in parts.rglob("*") if each.is_file()])


@pipeline.register
def one(text: Annotated[str, pivot.Dep("parts/deep/er/a.txt", Text())]) -> Annotated[str, pivot.Out("one", Text())]:
    return text
"""
)


def words(output: str) -> dict[str, str]:
    """By stage: its result."""
    states = {}
    for line in output.splitlines():
        word, _, rest = line.partition(" ")
        if word in {"ran", "restored", "cached", "FAILED", "blocked"}:
            for name in rest.split(","):
                states[name.split()[0]] = word
    return states


def repro(project: Project, *arguments: str, code: int = 0) -> dict[str, str]:
    done = project.pivot("repro", *arguments, code=code)
    return words(done.stdout + done.stderr)


def test_a_directory_is_an_out_and_a_dep(make: Callable[[str], Project]) -> None:
    project = make(DIRECTORY)
    project.write("names.txt", "a b")

    assert repro(project) == {"split": "ran", "count": "ran", "one": "ran"}
    assert project.read("count.json").strip() == "2"
    assert repro(project) == {"split": "cached", "count": "cached", "one": "cached"}

    # Another file in it: who reads all of it runs, who reads one file that is the same does not.
    project.write("names.txt", "a b c")
    assert repro(project) == {"split": "ran", "count": "ran", "one": "cached"}
    assert project.read("count.json").strip() == "3"

    # Fewer files: that is no directory of which some are missing, although its lock file is still the old one.
    project.write("names.txt", "a")
    assert repro(project, "--no-commit") == {"split": "ran", "count": "ran", "one": "cached"}
    assert repro(project, "--force", "split", "count") == {"split": "ran", "count": "ran"}
    assert project.read("count.json").strip() == "1"

    # Back again: from the cache, without what was in between, empty directories included.
    project.write("names.txt", "a b")
    assert repro(project) == {"split": "restored", "count": "restored", "one": "cached"}
    there = sorted(str(each.relative_to(project.root)) for each in (project.root / "parts").rglob("*"))
    assert there == ["parts/deep", "parts/deep/er", "parts/deep/er/a.txt", "parts/deep/er/b.txt", "parts/nothing"]


def test_every_change_inside_a_directory_is_noticed(make: Callable[[str], Project]) -> None:
    project = make(DIRECTORY)
    project.write("names.txt", "a b")
    repro(project)
    inside = project.root / "parts/deep/er"

    for change, said in (
        (lambda: (inside / "a.txt").write_text("x"), "modified: parts"),
        ((inside / "b.txt").unlink, "missing: parts (1 of 2 files not here: parts/deep/er/b.txt)"),
        (lambda: (inside / "new.txt").write_text("n"), "modified: parts"),
        ((project.root / "parts/nothing").rmdir, "missing: parts (1 of 2 files not here: parts/nothing/)"),
        (lambda: (inside / "a.txt").chmod(0o755), "modified: parts"),
        (lambda: (inside / "a.txt").rename(inside / "z.txt"), "modified: parts"),
    ):
        change()
        assert f"Output {said}" in project.pivot("status", "split").stdout
        assert repro(project)["split"] == "restored"
        assert "3 stages, all cached" in project.pivot("status").stdout


def test_a_directory_by_loader(make: Callable[[str], Project]) -> None:
    project = make(
        HEAD
        + "@pipeline.register\n"
        + 'def write() -> Annotated[dict[str, object], pivot.DirectoryOut("scores", JSON())]:\n'
        + '    return {"a.json": 1, "deep/b.json": [2]}\n'
    )
    assert repro(project) == {"write": "ran"}
    assert json.loads(project.read("scores/deep/b.json")) == [2]

    for value, told in (
        ("[1]", "must be a mapping from file name to value, not list"),
        ("{'../x': 1}", "'../x' is not the name of a file inside 'scores'"),
        ("{3: 1}", "3 is not the name of a file inside 'scores'"),
    ):
        text = project.read("pipeline.py")
        project.write("pipeline.py", text.replace('{"a.json": 1, "deep/b.json": [2]}', value))
        assert told in project.pivot("repro", code=1).stderr
        project.write("pipeline.py", text)
    assert json.loads(project.read("scores/a.json")) == 1


def test_a_directory_where_a_file_is_declared_and_the_other_way_round(make: Callable[[str], Project]) -> None:
    project = make(
        HEAD
        + "@pipeline.register\n"
        + 'def write() -> Annotated[pathlib.Path, pivot.Out("x")]:\n'
        + '    pathlib.Path("x").mkdir()\n    return pathlib.Path("x")\n'
    )
    failed = project.pivot("repro", code=1).stderr
    assert "x: is a directory" in failed
    assert "pivot.DirectoryOut" in failed
    project.replace("pipeline.py", "pivot.Out", "pivot.DirectoryOut")
    project.replace("pipeline.py", ".mkdir()", '.write_text("")')
    assert "is a file, but is declared as a directory" in project.pivot("repro", code=1).stderr


def test_outs_for_git_are_hashed_and_not_kept(make: Callable[[str], Project]) -> None:
    project = make(
        HEAD
        + """\
class Outs(TypedDict):
    model: Annotated[str, pivot.Out("model.txt", Text())]
    plot: Annotated[str, pivot.Out("plot.txt", Text(), cache=False)]
    scores: Annotated[dict[str, int], pivot.Metric("scores.json")]


@pipeline.register
def train() -> Outs:
    return Outs(model="model", plot="plot", scores={"best": 1})
"""
    )
    assert repro(project) == {"train": "ran"}
    outs = json.loads(project.read(".pivot/stages/p.train.lock"))["outs"]
    assert {path: out["cache"] for path, out in outs.items()} == {
        "model.txt": True,
        "plot.txt": False,
        "scores.json": False,
    }
    stored = [each.read_text() for each in (project.root / ".pivot/cache/files").glob("*/*")]
    assert stored == ["model"]
    assert repro(project) == {"train": "cached"}

    (project.root / "model.txt").unlink()
    assert repro(project) == {"train": "restored"}
    project.write("scores.json", "{}")
    assert "Output modified: scores.json" in project.pivot("status").stdout
    assert repro(project) == {"train": "ran"}
    assert json.loads(project.read("scores.json")) == {"best": 1}

    # Results of a run are not worth saving when the next run replaces them.
    project.replace("pipeline.py", '"best": 1', '"best": 2')
    done = project.pivot("repro")
    assert "note:" not in done.stderr
    assert json.loads(project.read("scores.json")) == {"best": 2}


INCREMENTAL = (
    HEAD
    + """\
@pipeline.register
def collect(
    new: Annotated[str, pivot.Dep("new.txt", Text())],
    before: Annotated[str | None, pivot.IncrementalOut("all.txt", Text())],
) -> Annotated[str, pivot.IncrementalOut("all.txt", Text())]:
    assert pathlib.Path("all.txt").exists() == (before is not None)
    return (before or "") + new
"""
)


def test_an_out_that_grows(make: Callable[[str], Project]) -> None:
    project = make(INCREMENTAL)
    project.write("new.txt", "1")
    assert repro(project) == {"collect": "ran"}
    assert repro(project) == {"collect": "cached"}
    first = project.read(".pivot/stages/p.collect.lock")
    project.write("new.txt", "2")
    assert repro(project) == {"collect": "ran"}
    assert project.read("all.txt") == "12"

    # The same inputs again are not the same result: it goes on.
    project.write("new.txt", "1")
    assert repro(project) == {"collect": "ran"}
    assert project.read("all.txt") == "121"

    # From a hand-edited one, a run starts with what the last run left, and the edit is kept.
    project.write("all.txt", "mine")
    project.write("new.txt", "3")
    done = project.pivot("repro")
    assert project.read("all.txt") == "1213"
    assert "kept as" in done.stderr

    # An older lock, as after a git checkout: its out comes back from the cache.
    project.write(".pivot/stages/p.collect.lock", first)
    project.write("new.txt", "1")
    assert repro(project) == {"collect": "restored"}
    assert project.read("all.txt") == "1"


def test_a_failed_run_of_a_growing_out_changes_nothing(make: Callable[[str], Project]) -> None:
    project = make(INCREMENTAL)
    project.write("new.txt", "1")
    repro(project)
    text = project.read("pipeline.py")
    edited = text.replace("    return", '    pathlib.Path("all.txt").write_text("torn")\n    1 / 0\n    return')
    project.write("pipeline.py", edited)
    assert repro(project, code=1) == {"collect": "FAILED"}
    assert project.read("all.txt") == "1"
    project.write("pipeline.py", text)
    assert repro(project) == {"collect": "cached"}


def test_a_parameter_takes_the_previous_value_of_its_own_outs_only(make: Callable[[str], Project]) -> None:
    project = make(
        INCREMENTAL.replace('-> Annotated[str, pivot.IncrementalOut("all.txt"', '-> Annotated[str, pivot.Out("all.txt"')
    )
    assert "parameter 'before' takes the previous 'all.txt'" in project.pivot("repro", code=2).stderr


SEVERAL = (
    HEAD
    + """\
@pipeline.register
def both(
    texts: Annotated[list[str], pivot.Dep(["a.txt", "b.txt"], Text())],
) -> Annotated[tuple[str, str], pivot.Out(("c.txt", "d.txt"), Text())]:
    assert isinstance(texts, list)
    return texts[0] + texts[1], texts[1] + texts[0]
"""
)


def test_several_paths_in_one_parameter_and_one_value(make: Callable[[str], Project]) -> None:
    project = make(SEVERAL)
    project.write("a.txt", "a")
    project.write("b.txt", "b")
    assert repro(project) == {"both": "ran"}
    assert (project.read("c.txt"), project.read("d.txt")) == ("ab", "ba")
    assert repro(project, "d.txt") == {"both": "cached"}

    # The order of the paths is part of the stage.
    project.replace("pipeline.py", '["a.txt", "b.txt"]', '["b.txt", "a.txt"]')
    assert repro(project) == {"both": "ran"}
    assert project.read("c.txt") == "ba"

    project.replace("pipeline.py", "return texts[0] + texts[1], texts[1] + texts[0]", "return ('x',)")
    assert "takes a list or tuple of 2 values, one for each path, not 1 values" in project.pivot("repro", code=1).stderr


SCORES = (
    HEAD
    + """\
import dataclasses
import datetime


@dataclasses.dataclass
class Scores:
    when: datetime.date
    model: pathlib.Path
    parts: dict[str, object]


@pipeline.register
def score() -> Annotated[Scores, pivot.Metric("scores.json")]:
    return Scores(datetime.date(2024, 1, 2), pathlib.Path("model.bin"), {"all": 0.5})
"""
)


def test_a_metric_takes_a_dataclass_and_names_the_part_that_json_cannot_hold(make: Callable[[str], Project]) -> None:
    project = make(SCORES)
    assert repro(project) == {"score": "ran"}
    assert json.loads(project.read("scores.json")) == {
        "when": "2024-01-02",
        "model": "model.bin",
        "parts": {"all": 0.5},
    }

    project.replace("pipeline.py", '{"all": 0.5}', '{"all": {0.5}}')
    said = project.pivot("repro", code=1).stderr
    assert "loaders.JSON() cannot keep 'parts.all': JSON has no form for a set (while saving 'scores.json')" in said
    assert "hint: return sorted(...), which is a list, or use loaders.Pickle()" in said


ARRAYS = """\
from typing import Annotated

import numpy as np

import pivot

pipeline = pivot.Pipeline("p")


@pipeline.register
def make() -> Annotated[dict[str, np.ndarray], pivot.Out("arrays.npz", pivot.loaders.Npz())]:
    return {"a": np.arange(3), "b": np.ones(2)}


@pipeline.register
def use(
    arrays: Annotated[dict[str, np.ndarray], pivot.Dep("arrays.npz", pivot.loaders.Npz())],
) -> Annotated[dict[str, object], pivot.Metric("m.json")]:
    return {name: array.sum() for name, array in arrays.items()}
"""


def test_loaders_of_data_libraries_give_equal_files_for_equal_values(make: Callable[[str], Project]) -> None:
    """So the stage after one that computes the same arrays again is up to date."""
    project = make(ARRAYS)
    assert repro(project) == {"make": "ran", "use": "ran"}
    assert json.loads(project.read("m.json")) == {"a": 3, "b": 2.0}
    project.replace("pipeline.py", "np.arange(3)", "np.array([0, 1, 2])")
    assert repro(project) == {"make": "ran", "use": "cached"}

    project.replace(
        "pipeline.py", "import pivot\n", "import pivot\n\nimport sys\nsys.modules['pivot_loaders'] = None\n"
    )
    said = project.pivot("repro", code=None).stderr
    assert "error: " in said
    assert "loaders.Npz is part of pivot-loaders, which is not installed" in said
    assert "install pivot-loaders, which the extra pivot[loaders] adds" in said
