"""Pipelines that were written for Pivot 0.1 to 0.5 fail with the present form of what they use."""

import pytest

import pivot
from pivot_runtime.host.earlier_names import instead_of


def failure(code: str) -> BaseException:
    with pytest.raises(Exception) as caught:  # noqa: PT011
        exec(code, {"pivot": pivot})
    return caught.value


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("from pivot import outputs", "write from pivot import Dep,"),
        ("from pivot.stage_def import StageParams", "write from pivot import StageParams"),
        ("from pivot.pipeline import Pipeline", "write from pivot import Pipeline"),
        ("from pivot.decorators import no_fingerprint", "write from pivot import no_fingerprint"),
        ("from pivot import stage", "pipeline.register(FUNCTION)"),
        ("from pivot import directory", "pivot.DirectoryOut(PATH, LOADER)"),
        ("pivot.incremental", "pivot.IncrementalOut(PATH, LOADER)"),
        ("pivot.stage", "pipeline.register(FUNCTION)"),
        ("from pivot.compose import Pipeline, stage", "pipeline.register(FUNCTION)"),
        ("from pivot.loaders import MatplotlibFigure", "write loaders.Figure()"),
        ("pivot.loaders.DataFrameJSONL()", "write loaders.JSONL()"),
        ("pivot.loaders.CSV(index_col=0)", "write CSV(index=COLUMN)"),
        ("pivot.loaders.JSON(empty_factory=dict)", "leave it out: the parameter of an IncrementalOut is None"),
        ("pivot.Pipeline('a').register(print, dep_path_overrides={})", "write deps={PARAMETER: PATH}"),
        ("pivot.Pipeline('a').register(print, out_path_overrides={})", "write outs={KEY: PATH}"),
        ("pivot.Pipeline('a').include(pivot.Pipeline('b'))", "leave it out: the files that they declare"),
    ],
)
def test_an_earlier_name_has_its_present_form(code: str, advice: str) -> None:
    assert advice in (instead_of(failure(code)) or "")


@pytest.mark.parametrize(
    "code",
    [
        "from pivot import outs",
        "import pivot.steps",
        "import outputs_of_mine",
        "pivot.Pipelines",
        "''.include",
        "dict(index_col=0)['include']",
        "print(index_col=0)",
        "pivot.loaders.JSON(index_col=0)",
        "(lambda: 0)(empty_factory=list)",
        "open('', empty_factory=list)",
    ],
)
def test_other_errors_have_none(code: str) -> None:
    assert instead_of(failure(code)) is None


def test_what_has_kept_its_name_works() -> None:
    @pivot.no_fingerprint(code_deps=["table.sql"])
    def rows() -> int:
        return 1

    assert rows() == 1
    assert pivot.Plot("roc.csv", pivot.loaders.Text(), x="x", y="y").kind is not None
