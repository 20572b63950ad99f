"""A pipeline: the names of its stages, and what calling one gives."""

import functools
import json
import pathlib
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypedDict

import pytest

from pivot_core.errors import DefinitionError, PivotError
from pivot_core.files.paths import ArtifactPath
from pivot_core.loaders import JSON
from pivot_core.pipeline import Pipeline, plain_call
from pivot_core.spec import Location, OutSpec, StageError, StageSpec, base_of
from pivot_core.stages.annotations import Dep, Out
from pivot_core.stages.command import command
from pivot_core.stages.stage import Stage

HERE = __file__
ROOT = "/home/me/project"


class CleanOuts(TypedDict):
    clean: Annotated[Any, Out("clean.json", JSON())]
    report: Annotated[Any, Out("report.json", JSON())]


class OneOut(TypedDict):
    clean: Annotated[Any, Out("clean.json", JSON())]


def clean(raw: Annotated[Any, Dep("data.json", JSON())]) -> CleanOuts:
    return CleanOuts(clean=raw, report=len(raw))


def nothing() -> None:
    pass


def line(func: Callable[..., Any]) -> str:
    return f"{HERE}:{func.__code__.co_firstlineno}"


def stage_of(func: Callable[..., Any]) -> Stage:
    pipeline = Pipeline("p")
    pipeline.register(func, name="stage")
    return pipeline.stages["stage"]


# -- names


def test_registered_function_is_a_stage_under_its_own_name() -> None:
    pipeline = Pipeline("etl")
    registered = pipeline.register(clean)

    stage = pipeline.stages["clean"]
    assert registered is clean
    assert stage.func is clean
    assert (stage.name, str(stage.location)) == ("clean", line(clean))
    assert (stage.deps, stage.single) == ({"raw": Dep("data.json", JSON())}, False)
    assert repr(pipeline) == "Pipeline('etl')"


def test_register_works_as_a_decorator() -> None:
    pipeline = Pipeline("p")

    @pipeline.register
    def train() -> None:
        pass

    assert list(pipeline.stages) == ["train"]
    train()


def test_stages_keep_the_order_of_registration_and_cannot_be_changed_from_outside() -> None:
    pipeline = Pipeline("p")
    for name in ("b", "a", "c"):
        pipeline.register(nothing, name=name)

    assert list(pipeline.stages) == ["b", "a", "c"]
    with pytest.raises(TypeError):
        pipeline.stages["d"] = pipeline.stages["a"]  # type: ignore[index]
    with pytest.raises(TypeError):
        stage_of(clean).deps["other"] = Dep("x")  # type: ignore[index]


@pytest.mark.parametrize("name", ["train", "train_2", "train@2024", "a=1,b=2", "2nd", "_private", "a-b+c"])
def test_good_names(name: str) -> None:
    pipeline = Pipeline(name)
    pipeline.register(nothing, name=name)

    (spec,) = pipeline.specs(base="", root=ROOT)
    assert spec.address == f"{name}.{name}"


BAD_NAMES = ["", "a.b", "a/b", "a b", "-a", "@a", "é", "a\n", "..", "<lambda>"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_pipeline_name(name: str) -> None:
    with pytest.raises(DefinitionError, match="cannot be the name of a pipeline") as caught:
        Pipeline(name)

    assert "letters, digits" in str(caught.value.hint)


@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_stage_name(name: str) -> None:
    with pytest.raises(StageError, match="cannot be the name of a stage") as caught:
        Pipeline("p").register(nothing, name=name)

    assert str(caught.value).startswith(f"{line(nothing)}: stage ")
    assert "name=..." in str(caught.value.hint)


@pytest.mark.parametrize("func", [lambda: None, functools.partial(nothing)])
def test_function_without_a_usable_name_needs_one(func: Callable[[], None]) -> None:
    with pytest.raises(StageError, match="cannot be the name of a stage") as caught:
        Pipeline("p").register(func)

    assert caught.value.location.file == HERE
    assert "register(..., name=...)" in str(caught.value.hint)


def test_name_can_be_taken_only_once() -> None:
    pipeline = Pipeline("p")
    pipeline.register(nothing)

    with pytest.raises(StageError) as caught:
        pipeline.register(clean, name="nothing")
    assert str(caught.value) == (
        f"{line(clean)}: stage 'nothing': pipeline 'p' already has a stage of that name, from {line(nothing)}"
    )
    assert pipeline.stages["nothing"].func is nothing


@pytest.mark.parametrize(
    ("thing", "shown"),
    [(5, "int"), ("clean", "str"), (Dep, "the class Dep"), (dict, "the class dict")],
)
def test_only_functions_can_be_registered(thing: Any, shown: str) -> None:
    with pytest.raises(DefinitionError, match=f"only a function can be registered, not {shown}"):
        Pipeline("p").register(thing, name="stage")


@pytest.mark.parametrize("builtin", [len, dict.fromkeys, print])
def test_builtin_declares_nothing(builtin: Callable[..., Any]) -> None:
    with pytest.raises(StageError, match="return type is not annotated"):
        Pipeline("p").register(builtin)


# -- plain data


def test_spec_has_paths_relative_to_the_root() -> None:
    def merge(
        a: Annotated[Any, Dep("../raw/a.csv")], b: Annotated[Any, Dep("b.csv")], same: Annotated[Any, Dep("./b.csv")]
    ) -> CleanOuts:
        return CleanOuts(clean=(a, b), report=same)

    spec = stage_of(merge).spec("p", base="etl", root=str(pathlib.Path(HERE).parent))

    assert spec == StageSpec(
        name="stage",
        pipeline="p",
        base="etl",
        location=Location("test_pipeline.py", merge.__code__.co_firstlineno),
        deps=(ArtifactPath("etl/b.csv"), ArtifactPath("raw/a.csv")),
        outs=(OutSpec(ArtifactPath("etl/clean.json")), OutSpec(ArtifactPath("etl/report.json"))),
    )


def test_two_outs_at_one_path() -> None:
    class Outs(TypedDict):
        a: Annotated[Any, Out("x.json")]
        b: Annotated[Any, Out("./x.json")]

    def twice() -> Outs:
        raise NotImplementedError

    with pytest.raises(StageError) as caught:
        stage_of(twice).spec("p", base="", root=ROOT)
    assert str(caught.value) == f"{line(twice)}: stage 'stage': 'a' and 'b' are both written to 'x.json'"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("../x", "outside the project"),
        ("/tmp/x", "outside the project"),
        (".", "the project's root itself"),
        ("", "must not be empty"),
        (".pivot/config.yaml", "belongs to Pivot"),
    ],
)
def test_path_that_is_not_an_artifact_is_reported_with_its_stage(path: str, said: str) -> None:
    def reads(raw: Annotated[Any, Dep(path)]) -> None:
        pass

    def writes() -> Annotated[Any, Out(path)]:
        raise NotImplementedError

    class Outs(TypedDict):
        result: Annotated[Any, Out(path)]

    def writes_key() -> Outs:
        raise NotImplementedError

    for func, what in (
        (reads, "Dep of parameter 'raw'"),
        (writes, "Out of the returned value"),
        (writes_key, "Out of 'result'"),
    ):
        with pytest.raises(StageError, match=said) as caught:
            stage_of(func).spec("p", base="", root=ROOT)
        assert str(caught.value).startswith(f"{line(func)}: stage 'stage': {what}: ")


def test_pipelines_file_gives_the_base_of_its_stages() -> None:
    assert base_of(f"{ROOT}/pipeline.py", ROOT) == ""
    assert base_of(pathlib.Path(ROOT, "etl/daily/pipeline.py"), pathlib.Path(ROOT)) == "etl/daily"


def test_location_below_the_root_is_shown_relative_to_it() -> None:
    assert str(Location(f"{ROOT}/a.py", 3).below(ROOT)) == "a.py:3"
    assert str(Location(f"{ROOT}/a.py", 3).below(f"{ROOT}/")) == "a.py:3"
    assert str(Location(f"{ROOT}2/a.py", 3).below(ROOT)) == f"{ROOT}2/a.py:3"
    assert str(Location("a.py", 0)) == "a.py"
    assert Location("a.py", 3) < Location("a.py", 12) < Location("b.py", 1)


def test_error_of_a_stage_can_be_shown_relative_to_the_root() -> None:
    error = StageError("train", Location(f"{ROOT}/pipeline.py", 3), "it has a problem", hint="solve it")

    assert str(error.below(ROOT)) == "pipeline.py:3: stage 'train': it has a problem"
    assert error.below(ROOT).hint == "solve it"
    assert isinstance(error, PivotError)
    assert error.exit_code == 2


# -- calling


@pytest.mark.parametrize(
    ("func", "values", "expected"),
    [
        (clean, {"raw": [1, 2]}, {"clean": [1, 2], "report": 2}),
        (nothing, {}, {}),
    ],
)
def test_call_gives_the_values_of_the_outs(func: Any, values: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    assert plain_call(stage_of(func), values) == expected


def test_single_value_has_the_key_return() -> None:
    def single() -> Annotated[dict[str, int], Out("x.json", JSON())]:
        return {"return": 1, "other": 2}

    assert plain_call(stage_of(single), {}) == {"return": {"return": 1, "other": 2}}


def test_one_key_keeps_its_shape() -> None:
    def one() -> OneOut:
        return OneOut(clean=[1])

    assert plain_call(stage_of(one), {}) == {"clean": [1]}


@pytest.mark.parametrize(
    ("returned", "problem"),
    [
        (None, "it returned NoneType, but declares the keys ['clean', 'report']"),
        ([1], "it returned list, but declares the keys ['clean', 'report']"),
        ({"clean": 1}, "it returned its outs without ['report']"),
        ({"clean": 1, "report": 2, "more": 3}, "it returned its outs with the undeclared ['more']"),
        ({"more": 1, 2: 3}, "it returned its outs without ['clean', 'report'] and with the undeclared ['2', 'more']"),
    ],
)
def test_returned_value_of_another_shape(returned: Any, problem: str) -> None:
    def stage() -> CleanOuts:
        return returned  # type: ignore[no-any-return]

    with pytest.raises(StageError) as caught:
        plain_call(stage_of(stage), {})
    assert str(caught.value) == f"{line(stage)}: stage 'stage': {problem}"


def test_value_where_none_is_declared() -> None:
    def stage() -> None:
        return json.loads("{}")  # type: ignore[no-any-return]

    with pytest.raises(StageError, match="it returned dict but declares None"):
        plain_call(stage_of(stage), {})


def test_error_of_the_stage_is_passed_on() -> None:
    def stage() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        plain_call(stage_of(stage), {})


def test_a_decorator_may_give_the_name() -> None:
    pipeline = Pipeline("p")

    @pipeline.register(name="other")
    def stage() -> None: ...

    assert list(pipeline.stages) == ["other"]
    assert pipeline.stages["other"].func is stage


def test_a_stage_whose_last_result_only_git_has_runs_here() -> None:
    pipeline = Pipeline("p")
    for name, cache in ("kept", True), ("here", False):
        pipeline.register(command("x", outs=[Out(name, persist=True, cache=cache)]), name=name)

    assert {each.name: each.executor for each in pipeline.specs(base="", root="/p")} == {"kept": "", "here": "local"}
