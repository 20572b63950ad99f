"""Deps that are more than a file whose content counts: uncounted ones, patterns, and URLs, which are none."""

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
