"""Edits of a stage's code since it was loaded."""

import os
import pathlib
import tempfile

import attrs
import pytest
from source_projects import Sources

from pivot_runtime.freshness import load_trace
from pivot_runtime.loading.assembly import LoadedFile
from pivot_runtime.running.edit_detection import CodeEdits

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


def loaded_file(project: Sources, name: str) -> LoadedFile:
    """A load, with the stamps of the files that it read."""
    loaded = project.load(name)
    assert loaded.trace is not None
    return LoadedFile(project.root / name, loaded, load_trace.check(loaded.trace, os.environ, {}).unchanged)


@pytest.fixture
def edits(project: Sources) -> CodeEdits:
    return CodeEdits(project.root, [loaded_file(project, "pipeline.py")])


def edited(edits: CodeEdits) -> set[str]:
    return {name for name in ("one", "two", "three") if edits.edited(f"p.{name}")}


def test_nothing_edited(edits: CodeEdits) -> None:
    assert edited(edits) == set()


def test_a_stamp_counts_only_for_the_content_that_was_loaded(project: Sources) -> None:
    before = project.load()
    helpers = project.root / "helpers.py"
    helpers.write_text("def shared(x):\n    return x + x\n")
    now = loaded_file(project, "pipeline.py")
    mixed = attrs.evolve(before, trace=now.loaded.trace)
    edits = CodeEdits(project.root, [LoadedFile(now.file, mixed, now.stamps)])
    assert edited(edits) == {"one", "two"}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("pipeline.py", "# as it is", "# unchanged"),
        ("pipeline.py", "'''One.'''", "'''The same.'''"),
        ("pipeline.py", "LIMIT = 1\n", "\n\nLIMIT = 1\n\nOTHER = 2\n"),
    ],
)
def test_cosmetic_edits_do_not_count(project: Sources, edits: CodeEdits, file: str, old: str, new: str) -> None:
    project.replace(file, old, new)

    assert edited(edits) == set()


@pytest.mark.parametrize(
    ("file", "old", "new", "found"),
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
def test_an_edit_is_one_of_the_stages_that_depend_on_it(
    project: Sources, edits: CodeEdits, file: str, old: str, new: str, found: set[str]
) -> None:
    project.replace(file, old, new)

    assert edited(edits) == found


def test_edited_facts_are_named(project: Sources, edits: CodeEdits) -> None:
    project.replace("helpers.py", "return x", "return x + x")

    (key,) = edits.edited("p.two")
    assert "shared" in key


def test_code_that_cannot_be_loaded_edits_everything(project: Sources, edits: CodeEdits) -> None:
    """And names the files; when it can be loaded again, nothing is edited."""
    project.replace("helpers.py", "return x", "return (x")

    assert edited(edits) == {"one", "two", "three"}
    assert edits.edited("p.three") == ("helpers.py",)
    project.replace("helpers.py", "return (x", "return x")
    assert edited(edits) == set()


def test_a_deleted_module_edits_everything(project: Sources, edits: CodeEdits) -> None:
    (project.root / "helpers.py").unlink()

    assert edited(edits) == {"one", "two", "three"}


def test_a_reverted_edit_is_none(project: Sources, edits: CodeEdits) -> None:
    project.replace("helpers.py", "return x", "return x + x")
    assert edited(edits) == {"one", "two"}

    project.replace("helpers.py", "return x + x", "return x")
    assert edited(edits) == set()


def test_a_module_that_was_not_imported_at_first(project: Sources, edits: CodeEdits) -> None:
    """An edit may bring in a file, whose later edits count as well."""
    project.write("more.py", "def shared(x):\n    return x\n")
    project.replace("pipeline.py", "from helpers import", "from more import")
    assert edited(edits) == {"one", "two"}

    project.write("more.py", "def shared(x):\n    return (x\n")
    assert edited(edits) == {"one", "two", "three"}


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="the machine has no such directory")
def test_a_file_in_memory_that_a_load_reads_counts() -> None:
    """Those of devices, which are in the same directory, do not."""
    reads = "open('/dev/null').close()\nLIMIT = pathlib.Path(__file__).with_name('limit.txt').read_text()\n"
    with tempfile.TemporaryDirectory(dir="/dev/shm") as place:
        trace = Sources(pathlib.Path(place), {"pipeline.py": reads, "limit.txt": "1"}).load().trace
        assert trace is not None
        about = {fact.subject for fact in trace.facts}
    assert f"{place}/limit.txt" in about
    assert "/dev/null" not in about


DECLARED = """\
pipeline: p
stages:
  one: {cmd: "echo ${params.n} > one.txt", outs: [one.txt], params: {n: 1}}
  two: {cmd: "bash two.sh > two.txt", outs: [two.txt]}
  three: {cmd: "echo 3", params: {n: 1}}
"""


def test_edits_of_declarations_and_named_code_change_dependent_stages(tmp_path: pathlib.Path) -> None:
    project = Sources(tmp_path / "project", {"pivot.yaml": DECLARED, "two.sh": "echo 2\n"})
    edits = CodeEdits(project.root, [loaded_file(project, "pivot.yaml")])
    assert edited(edits) == set()

    (project.root / "params.yaml").write_text("one: {n: 2}\n")  # made while a stage runs
    assert edits.edited("p.one") == ("param:n",)
    (project.root / "params.yaml").write_text("one: {n: 1}\nthree: {n: 5}\n")
    assert edited(edits) == {"three"}
    project.replace("two.sh", "echo 2", "echo 22")
    assert edits.edited("p.two") == ("file:two.sh",)
    (project.root / "params.yaml").unlink()
    project.replace("pivot.yaml", "echo 3", "echo 4")
    assert edited(edits) == {"two", "three"}
