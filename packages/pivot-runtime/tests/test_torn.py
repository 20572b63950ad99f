"""The parts of a stage's code that moved since it was loaded."""

import pathlib

import pytest
from source_projects import Sources

from pivot_runtime.running.edit_detection import CodeWatch

PIPELINE = """
from helpers import shared

LIMIT = 1

def own(x):
    '''One.'''
    return x  # as it is

def one() -> Annotated[str, Out("one.txt", Text())]:
    return own(shared(str(LIMIT)))

def two() -> Annotated[str, Out("two.txt", Text())]:
    return shared("")

def three() -> Annotated[str, Out("three.txt", Text())]:
    return ""

pipeline.register(one)
pipeline.register(two)
pipeline.register(three)
"""


@pytest.fixture
def project(tmp_path: pathlib.Path) -> Sources:
    return Sources(tmp_path / "project", {"pipeline.py": PIPELINE, "helpers.py": "def shared(x):\n    return x\n"})


@pytest.fixture
def watch(project: Sources) -> CodeWatch:
    return CodeWatch(project.root, [(project.root / "pipeline.py", project.load())])


def movers(watch: CodeWatch) -> set[str]:
    return {name for name in ("one", "two", "three") if watch.moved(f"p.{name}")}


def test_nothing_moved(watch: CodeWatch) -> None:
    assert movers(watch) == set()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("pipeline.py", "# as it is", "# unchanged"),
        ("pipeline.py", "'''One.'''", "'''The same.'''"),
        ("pipeline.py", "LIMIT = 1\n", "\n\nLIMIT = 1\n\nOTHER = 2\n"),
    ],
)
def test_cosmetic_edits_are_no_move(project: Sources, watch: CodeWatch, file: str, old: str, new: str) -> None:
    project.replace(file, old, new)

    assert movers(watch) == set()


@pytest.mark.parametrize(
    ("file", "old", "new", "moved"),
    [
        ("helpers.py", "return x", "return x + x", {"one", "two"}),
        ("pipeline.py", "return x  #", "return x * 2  #", {"one"}),
        ("pipeline.py", "LIMIT = 1", "LIMIT = 2", {"one"}),
        ("pipeline.py", 'return ""', 'return "x"', {"three"}),
        ("pipeline.py", 'Out("two.txt"', 'Out("other.txt"', {"two"}),
        ("pipeline.py", "def three() ->", 'def three(x: Annotated[str, Dep("one.txt", Text())]) ->', {"three"}),
        ("pipeline.py", "pipeline.register(three)\n", "", {"three"}),
        ("pipeline.py", 'Out("two.txt", Text())', 'Out("two.txt", JSON())', {"two"}),
    ],
)
def test_edits_move_only_what_rests_on_them(
    project: Sources, watch: CodeWatch, file: str, old: str, new: str, moved: set[str]
) -> None:
    project.replace(file, old, new)

    assert movers(watch) == moved


def test_what_moved_is_named(project: Sources, watch: CodeWatch) -> None:
    project.replace("helpers.py", "return x", "return x + x")

    (key,) = watch.moved("p.two")
    assert "shared" in key


def test_code_that_cannot_be_loaded_moves_everything(project: Sources, watch: CodeWatch) -> None:
    """And names the files; when it can be loaded again, nothing has moved."""
    project.replace("helpers.py", "return x", "return (x")

    assert movers(watch) == {"one", "two", "three"}
    assert watch.moved("p.three") == ("helpers.py",)
    project.replace("helpers.py", "return (x", "return x")
    assert movers(watch) == set()


def test_a_deleted_module_moves_everything(project: Sources, watch: CodeWatch) -> None:
    (project.root / "helpers.py").unlink()

    assert movers(watch) == {"one", "two", "three"}


def test_a_reverted_edit_is_no_move(project: Sources, watch: CodeWatch) -> None:
    project.replace("helpers.py", "return x", "return x + x")
    assert movers(watch) == {"one", "two"}

    project.replace("helpers.py", "return x + x", "return x")
    assert movers(watch) == set()


def test_a_module_that_was_not_imported_at_first(project: Sources, watch: CodeWatch) -> None:
    """An edit may bring in a file, whose later edits count as well."""
    project.write("more.py", "def shared(x):\n    return x\n")
    project.replace("pipeline.py", "from helpers import", "from more import")
    assert movers(watch) == {"one", "two"}

    project.write("more.py", "def shared(x):\n    return (x\n")
    assert movers(watch) == {"one", "two", "three"}


DECLARED = """\
pipeline: p
stages:
  one: {cmd: "echo ${params.n} > one.txt", outs: [one.txt], params: {n: 1}}
  two: {cmd: "bash two.sh > two.txt", outs: [two.txt]}
  three: {cmd: "echo 3", params: {n: 1}}
"""


def test_what_declares_sets_and_is_named_moves_what_rests_on_it(tmp_path: pathlib.Path) -> None:
    project = Sources(tmp_path / "project", {"pivot.yaml": DECLARED, "two.sh": "echo 2\n"})
    watch = CodeWatch(project.root, [(project.root / "pivot.yaml", project.load("pivot.yaml"))])
    assert movers(watch) == set()

    (project.root / "params.yaml").write_text("one: {n: 2}\n")  # made while a stage runs
    assert watch.moved("p.one") == ("param:n",)
    (project.root / "params.yaml").write_text("one: {n: 1}\nthree: {n: 5}\n")
    assert movers(watch) == {"three"}
    project.replace("two.sh", "echo 2", "echo 22")
    assert watch.moved("p.two") == ("file:two.sh",)
    (project.root / "params.yaml").unlink()
    project.replace("pivot.yaml", "echo 3", "echo 4")
    assert movers(watch) == {"two", "three"}
