"""The missing declarations of a stage: pure, from what was seen of it."""

import ast

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parts import spec

from pivot_core.files.paths import ArtifactPath
from pivot_core.graph import Graph
from pivot_core.spec import StageSpec
from pivot_runtime.tracing.undeclared import Undeclared, undeclared
from pivot_runtime.tracing.usage import UsedFiles

STAGE = spec("train", ["in.txt", "images"], ["model.bin", "plots"])
OTHER = spec("clean", ["raw.txt"], ["clean.csv", "parts"])


def found(
    *read: str, wrote: tuple[str, ...] = (), stage: StageSpec = STAGE, ignored: tuple[str, ...] = ()
) -> list[Undeclared]:
    return list(undeclared(UsedFiles(read, wrote), stage, Graph.build([stage, OTHER]), lambda path: path in ignored))


def test_declared_files_are_not_reported() -> None:
    assert found("in.txt", "images/a.png", "model.bin", wrote=("model.bin", "plots/deep/a.png")) == []


def test_a_file_that_was_read() -> None:
    (one,) = found("lookup-table.v2.csv")

    assert (one.path, one.wrote, one.owner) == ("lookup-table.v2.csv", False, None)
    assert one.line == (
        'lookup_table: Annotated[pathlib.Path, pivot.Dep("lookup-table.v2.csv", pivot.loaders.PathOnly())]'
    )


def test_a_file_that_was_written() -> None:
    (one,) = found(wrote=("train.log",))

    assert one.wrote
    assert one.line == 'train: Annotated[pathlib.Path, pivot.Out("train.log", pivot.loaders.PathOnly())]'


def test_paths_are_written_as_seen_from_the_stage() -> None:
    (one,) = found("shared/x.csv", stage=spec("train", base="models/a"))

    assert 'pivot.Dep("../../shared/x.csv", ' in one.line


def test_the_out_of_another_stage_is_named_with_its_owner() -> None:
    files, table = found("clean.csv", "parts/1", "parts/2")[::-1]

    assert (table.path, table.owner, table.count) == ("clean.csv", "p.clean", 1)
    assert (files.path, files.owner, files.count) == ("parts", "p.clean", 2)
    assert 'pivot.Dep("parts", ' in files.line


def test_no_line_makes_a_second_writer_of_a_file() -> None:
    (one,) = found(wrote=("clean.csv",))

    assert (one.owner, one.line) == ("p.clean", "")


def test_many_files_of_a_directory_are_one_finding() -> None:
    (one,) = found(*(f"data/{number}.csv" for number in range(4)))
    few = found(*(f"data/{number}.csv" for number in range(3)))

    assert (one.path, one.count) == ("data", 4)
    assert [each.path for each in few] == ["data/0.csv", "data/1.csv", "data/2.csv"]
    (out,) = found(wrote=tuple(f"dump/{number}.csv" for number in range(9)))
    assert 'pivot.DirectoryOut("dump", ' in out.line


@pytest.mark.parametrize(
    ("directory", "stage"),
    [
        ("", STAGE),  # the root
        ("models", spec("train", base="models/a")),  # the pipeline is in it
        ("models/a", spec("train", base="models/a")),
        ("results", spec("train", outs=["results/model.bin"])),  # it could not be read without its own out
    ],
)
def test_a_directory_that_holds_more_than_data_is_not_proposed(directory: str, stage: StageSpec) -> None:
    files = [f"{directory}/{number}.csv".lstrip("/") for number in range(5)]

    assert [each.path for each in found(*files, stage=stage)] == files


def test_a_shell_stage_has_no_signature_but_entries() -> None:
    graph = Graph.build([STAGE, OTHER])
    seen = UsedFiles(("x.csv", *(f"data/{number}.csv" for number in range(5))), ("y.csv",))
    lines = [each.line for each in undeclared(seen, STAGE, graph, shell=True)]

    assert lines == ['deps: ["x.csv"]', 'deps: ["data/"]', 'outs: ["y.csv"]']


def test_the_files_that_a_command_names_are_its_code() -> None:
    assert found("fetch.sh", stage=attrs.evolve(STAGE, named=(ArtifactPath("fetch.sh"),))) == []


def test_ignored_files_and_impossible_artifacts_are_skipped() -> None:
    assert found("a.tmp", "\udcff.csv", wrote=("b.tmp",), ignored=("a.tmp", "b.tmp")) == []


def test_files_read_and_then_written_are_reported_twice() -> None:
    assert [each.wrote for each in found("state.json", wrote=("state.json",))] == [False, True]


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1).filter(lambda name: name not in "...")
)
def test_every_proposed_line_is_python(name: str) -> None:
    for one in found(name, wrote=(name,)):
        (line,) = ast.parse(one.line).body
        assert isinstance(line, ast.AnnAssign)
        assert isinstance(line.annotation, ast.Subscript)
        declared = line.annotation.slice
        assert isinstance(declared, ast.Tuple)
        call = declared.elts[1]
        assert isinstance(call, ast.Call)
        assert ast.literal_eval(call.args[0]) == str(ArtifactPath.resolve(name))
