"""Notebook stages: their declaration in Python and in a pivot.yaml."""

import pathlib
from typing import Any

import pytest

from pivot_core.errors import DefinitionError
from pivot_core.pipeline import Pipeline
from pivot_core.pivot_yaml.declare import DeclarationError, read_declarations
from pivot_core.spec import Location
from pivot_core.stages.annotations import Out
from pivot_core.stages.notebook import make_notebook, notebook

HERE = Location("pipeline.py", 1)


def test_a_notebook_declares_its_files_its_parameters_and_its_executed_copy() -> None:
    pipeline = Pipeline("p")
    made = notebook(pathlib.Path("a.ipynb"), deps=["in.csv"], outs=["out.csv"], params={"rate": 1}, executed="b.ipynb")
    pipeline.register(made, name="report")
    (spec,) = pipeline.specs(base="", root="/root")
    stage = pipeline.stages["report"]

    assert made.path == "a.ipynb"
    assert made.location.file == __file__
    assert spec.deps == ("in.csv",)
    assert [out.path for out in spec.outs] == ["b.ipynb", "out.csv"]
    assert set(stage.outs) == {"out.csv", "executed"}
    assert stage.params is not None


def test_the_copy_is_not_kept_unless_it_is_declared() -> None:
    assert make_notebook("a.ipynb", [], [], {}, None, location=HERE).outs == {}


def test_the_copy_may_be_an_out_with_options() -> None:
    made = make_notebook("a.ipynb", [], [], {}, Out("b.ipynb", cache=False), location=HERE)

    assert not made.outs["executed"].cache


@pytest.mark.parametrize(
    ("path", "outs", "executed", "problem"),
    [
        ("a.py", [], None, "'a.py' is not the path of a notebook"),
        ("a.ipynb", {"executed": "x"}, "b.ipynb", "'outs' names 'executed'"),
        ("a.ipynb", [], "./a.ipynb", "would replace the notebook"),
    ],
)
def test_what_is_wrong_is_refused(path: str, outs: Any, executed: Any, problem: str) -> None:
    with pytest.raises(DefinitionError, match=problem):
        make_notebook(path, [], outs, {}, executed, location=HERE)


class Text:
    """A parsed pivot.yaml with one stage."""

    name = "pivot.yaml"

    def __init__(self, stage: dict[str, Any]) -> None:
        self.data = {"pipeline": "p", "stages": {"report": stage}}

    def line(self, path: object = ()) -> int:
        return len(str(path)) % 10


def test_a_pivot_yaml_declares_the_same() -> None:
    text = Text({"notebook": "a.ipynb", "deps": ["in.csv"], "outs": ["out.csv"], "executed": "b.ipynb"})
    (found,) = read_declarations(text).stages

    assert (found.notebook, found.command, found.python) == ("a.ipynb", None, None)
    assert found.deps == {"in.csv": "in.csv"}
    assert found.executed == Out("b.ipynb")


def test_only_a_notebook_has_an_executed_copy() -> None:
    with pytest.raises(DeclarationError, match="'executed' is for stages with a notebook"):
        read_declarations(Text({"cmd": "true", "executed": "b.ipynb"}))
