"""Several registrations of one function: variants, other paths, placeholders, and the root of a pipeline."""

import functools
import pathlib
from typing import Annotated, Any, TypedDict

import pytest

from pivot_core.errors import DefinitionError
from pivot_core.loaders import JSON, Text
from pivot_core.params.classes import StageParams, Uncounted
from pivot_core.pipeline import Pipeline
from pivot_core.spec import StageError
from pivot_core.stages.annotations import Dep, DirectoryOut, IncrementalOut, Out, PlaceholderDep
from pivot_core.stages.command import command


class Outs(TypedDict):
    model: Annotated[str, Out("model.txt", Text())]
    plots: Annotated[dict[str, str], DirectoryOut("plots", Text())]


def train(
    data: Annotated[str, PlaceholderDep(Text())], extra: Annotated[dict[str, int], Dep("extra.json", JSON())]
) -> Outs:
    return Outs(model=data, plots={})


def single(data: Annotated[str, Dep("data.txt", Text())]) -> Annotated[str, Out("single.txt", Text())]:
    return data


def grow(
    before: Annotated[str | None, IncrementalOut("log.txt", Text())],
) -> Annotated[str, IncrementalOut("log.txt", Text())]:
    return before or ""


def test_variants_are_stages_with_paths_of_their_own() -> None:
    pipeline = Pipeline("demo")
    for size in ("small", "big"):
        pipeline.register(
            train,
            variant=size,
            deps={"data": pathlib.Path(f"{size}.txt")},
            outs={"model": f"{size}/model.txt", "plots": f"{size}/plots"},
        )
    pipeline.register(single, name="one", variant="a", outs={"return": "one.txt"})
    small, big, one = pipeline.specs(base="", root="/p")

    assert [spec.address for spec in (small, big, one)] == ["demo.train@small", "demo.train@big", "demo.one@a"]
    assert big.deps == ("big.txt", "extra.json")
    assert [(out.path, out.directory) for out in big.outs] == [("big/model.txt", False), ("big/plots", True)]
    assert [out.path for out in one.outs] == ["one.txt"]
    assert isinstance(pipeline.stages["train@big"].deps["data"].loader, Text)


def listed(
    parts: Annotated[dict[str, str], PlaceholderDep(Text(), lazy=True)],
) -> Annotated[dict[str, str], Out("parts/", Text())]:
    return parts


def test_a_directory_stays_one_under_another_path() -> None:
    pipeline = Pipeline("demo")
    pipeline.register(listed, deps={"parts": "in/"}, outs={"return": "out"})
    (spec,) = pipeline.specs(base="", root="/p")

    assert [(out.path, out.directory) for out in spec.outs] == [("out", True)]
    assert pipeline.stages["listed"].deps["parts"].lazy


def test_several_paths_may_take_the_place_of_one() -> None:
    pipeline = Pipeline("demo")
    pipeline.register(single, deps={"data": ["a", "b"]})

    assert pipeline.stages["single"].deps["data"].paths == ("a", "b")


def test_the_previous_value_moves_with_its_out() -> None:
    pipeline = Pipeline("demo")
    pipeline.register(grow, outs={"return": "other.txt"})

    assert pipeline.stages["grow"].previous["before"].path == "other.txt"


def test_a_decorator_takes_them_too() -> None:
    pipeline = Pipeline("demo")
    assert pipeline.register(variant="x", deps={"data": "d"})(single) is single

    assert list(pipeline.stages) == ["single@x"]


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        ({}, "PlaceholderDep, so its path must be given", "deps={'data'"),
        ({"deps": {"dat": "x"}}, "deps names 'dat', which is not a parameter with a Dep", "did you mean data"),
        ({"deps": {"zzz": "x"}}, "deps names 'zzz'", "it has: data, extra"),
        ({"deps": {"data": "x"}, "outs": {"mode": "x"}}, "outs names 'mode', which is not an out", "mean model"),
        ({"deps": {"data": 3}}, "a path must be a string or a Path", ""),
        ({"deps": ["data"]}, "deps must be a mapping to paths, not list", ""),
        ({"deps": {"data": "x"}, "variant": "a b"}, "'train@a b' cannot be the name", "name="),
    ],
)
def test_wrong_registrations_are_explained(options: dict[str, object], message: str, hint: str) -> None:
    with pytest.raises(StageError, match="stage 'train") as caught:
        Pipeline("demo").register(train, **options)  # type: ignore[call-overload]

    assert message in caught.value.problem
    assert hint in (caught.value.hint or "")


def test_one_variant_twice_is_refused() -> None:
    pipeline = Pipeline("demo")
    pipeline.register(single, variant="a")

    with pytest.raises(StageError, match="already has a stage"):
        pipeline.register(single, variant="a")


@pytest.mark.parametrize(
    ("root", "base", "wanted"),
    [
        (".", "", ""),
        (".", "sub", "sub"),
        ("data", "", "data"),
        ("data/", "sub", "sub/data"),
        ("..", "sub", ""),
        ("../other", "sub", "other"),
        ("/p/there", "sub", "there"),
        ("/p", "sub", ""),
    ],
)
def test_the_root_of_a_pipeline_is_where_its_paths_are(root: str, base: str, wanted: str) -> None:
    pipeline = Pipeline("demo", root=pathlib.Path(root))
    pipeline.register(single)
    (spec,) = pipeline.specs(base=base, root="/p")

    assert spec.base == wanted
    assert spec.deps == (f"{wanted}/data.txt" if wanted else "data.txt",)


@pytest.mark.parametrize("root", ["..", "/elsewhere", ".pivot/x"])
def test_the_root_of_a_pipeline_is_in_the_project(root: str) -> None:
    with pytest.raises(DefinitionError, match="its root"):
        Pipeline("demo", root=root).specs(base="", root="/p")


def test_groups_and_resources_are_part_of_the_stage() -> None:
    pipeline = Pipeline("demo")
    pipeline.register(single, mutex=["db", "a", "db"], resources={"gpu": 2, "memory": "8 GiB"}, timeout="2m", retries=2)
    (spec,) = pipeline.specs(base="", root="/p")

    assert (spec.mutex, dict(spec.resources)) == (("a", "db"), {"gpu": 2, "memory": 8 << 30})
    assert (spec.timeout, spec.retries) == (120.0, 2)
    assert (spec.always, spec.frozen, spec.ttl) == (False, False, None)


def test_when_a_stage_runs_is_part_of_it() -> None:
    pipeline = Pipeline("demo")
    pipeline.register(single, name="a", ttl="1d", frozen=True)
    pipeline.register(single, name="b", always=True)
    stages = [stage.spec("demo", base="", root="/p") for stage in pipeline.stages.values()]

    assert [(spec.always, spec.frozen, spec.ttl) for spec in stages] == [(False, True, 86400.0), (True, False, None)]


def test_a_stage_that_always_runs_has_no_ttl() -> None:
    with pytest.raises(StageError, match="it has both always and ttl"):
        Pipeline("demo").register(single, always=True, ttl=60)


def test_where_a_stage_runs_is_part_of_it() -> None:
    pipeline = Pipeline("demo")
    for name, executor in (("a", None), ("b", "local"), ("c", "")):
        pipeline.register(single, name=name, executor=executor)
    stages = [stage.spec("demo", base="", root="/p") for stage in pipeline.stages.values()]

    assert [spec.executor for spec in stages] == ["", "local", ""]


def test_variables_are_part_of_the_stage() -> None:
    pipeline = Pipeline("demo")
    pipeline.register(single, env=["URL", "A", "URL"])

    assert pipeline.stages["single"].env == ("A", "URL")


@pytest.mark.parametrize(
    "options",
    [
        {"env": "URL"},
        {"env": [1]},
        {"env": [""]},
        {"env": ["A=B"]},
        {"mutex": "db"},
        {"mutex": [1]},
        {"mutex": [""]},
        {"resources": {"gpu": 0}},
        {"resources": {"gpu": True}},
        {"resources": {1: 1}},
        {"resources": {"memory": "8 G"}},
        *({"timeout": wrong} for wrong in (0, -1.0, "1y", True, float("inf"), float("nan"))),
        *({"retries": wrong} for wrong in (-1, 1.5, True, None)),
        {"ttl": "soon"},
        {"after": "fetch"},
        {"after": [""]},
        {"priority": "high"},
        {"priority": True},
        {"desc": 1},
        {"uncounted_params": "jobs"},
        {"uncounted_params": [1]},
        {"wdir": 1},
        {"wdir": b"x"},
        {"always": "yes"},
        {"frozen": 1},
        {"executor": "dask://head:8786"},
        {"executor": True},
    ],
)
def test_groups_are_names_and_resources_are_counted(options: dict[str, object]) -> None:
    with pytest.raises(StageError, match="must be"):
        Pipeline("demo").register(single, **options)  # type: ignore[call-overload]


class OnlySaves:
    def save(self, value: str, path: pathlib.Path) -> None:
        path.write_text(value)


def test_the_previous_value_is_that_of_an_out_that_can_be_loaded() -> None:
    def foreign(
        before: Annotated[str, IncrementalOut("other.txt", Text())],
    ) -> Annotated[str, IncrementalOut("log.txt", Text())]:
        return before

    def blind(
        before: Annotated[str, IncrementalOut("log.txt", OnlySaves())],
    ) -> Annotated[str, IncrementalOut("log.txt", OnlySaves())]:
        return before

    with pytest.raises(StageError, match=r"takes the previous 'other\.txt', which the stage does not write"):
        Pipeline("demo").register(foreign)
    with pytest.raises(StageError, match=r"the loader of 'log\.txt' cannot load"):
        Pipeline("demo").register(blind)


def test_the_order_and_the_description_are_part_of_the_stage() -> None:
    def described(x: Annotated[str, Dep("x", Text())]) -> Annotated[str, Out("y", Text())]:
        """Copy
        a text.

        In no time.
        """
        return x

    pipeline = Pipeline("demo")
    pipeline.register(described, after=["b", "a", "b"], priority=-2)
    pipeline.register(functools.partial(described), name="partial", outs={"return": "z"})
    pipeline.register(described, name="own", desc="Other", outs={"return": "v"})
    pipeline.register(command("true"), name="shell")
    specs = pipeline.specs(base="", root="/p")

    assert (specs[0].after, specs[0].priority) == (("b", "a"), -2)
    assert [spec.desc for spec in specs] == ["Copy a text.", "Copy a text.", "Other", ""]


class Counted(StageParams):
    rate: float = 0.1
    jobs: Annotated[int, Uncounted] = 1
    verbose: bool = False


def test_parameters_that_do_not_count_are_marked_or_named() -> None:
    def fit(params: Counted, x: Annotated[str, Dep("x", Text())]) -> Annotated[str, Out("y", Text())]:
        return x

    pipeline = Pipeline("demo")
    pipeline.register(fit)
    pipeline.register(fit, name="other", uncounted_params=["verbose"], outs={"return": "z"})
    specs = pipeline.specs(base="", root="/p")

    assert [spec.uncounted_params for spec in specs] == [("jobs",), ("jobs", "verbose")]
    with pytest.raises(StageError, match="uncounted_params names 'verbos', which is none of its parameters") as caught:
        pipeline.register(fit, name="typo", uncounted_params=["verbos"])
    assert caught.value.hint == "did you mean verbose?"
    with pytest.raises(StageError) as caught:
        pipeline.register(single, uncounted_params=["x"])
    assert caught.value.hint == "it has: none"


@pytest.mark.parametrize(
    ("base", "wdir", "wanted"), [("", ".", ""), ("a", ".", "a"), ("a", "b/c", "a/b/c"), ("a", "..", ""), ("", "b", "b")]
)
def test_a_stage_may_run_in_another_directory(base: str, wdir: str, wanted: str) -> None:
    pipeline = Pipeline("demo")
    pipeline.register(single, wdir=pathlib.PurePath(wdir))
    (spec,) = pipeline.specs(base=base, root="/p")

    assert (spec.base, *spec.deps) == (wanted, f"{wanted}/data.txt" if wanted else "data.txt")


def test_the_directory_of_a_stage_is_in_the_project() -> None:
    pipeline = Pipeline("demo")
    pipeline.register(single, wdir="../..")
    with pytest.raises(StageError, match="stage 'single': wdir: "):
        pipeline.specs(base="a", root="/p")


def same_twice() -> list[tuple[Any, dict[str, Any], str]]:
    class Two(TypedDict):
        one: Annotated[str, Out("x", Text())]
        two: Annotated[str, Out("./x", Text())]

    class Other(TypedDict):
        one: Annotated[str, Out("x", Text())]
        two: Annotated[str, Out("y", Text())]

    def keys() -> Two:
        return Two(one="", two="")

    def moved() -> Other:
        return Other(one="", two="")

    def listed() -> Annotated[list[str], Out(["x", "a/../x"], Text())]:
        return []

    return [
        (keys, {}, "'one' and 'two' are both written to 'x'"),
        (moved, {"outs": {"two": "x"}}, "'one' and 'two' are both written to 'x'"),
        (listed, {}, "the returned value (as 'x') and the returned value (as 'a/../x') are both written to 'x'"),
        (command("true", outs=["x", "./x"]), {}, "'x' and './x' are both written to 'x'"),
        (command("true", outs={"a": "x", "b": "x/"}), {}, "'a' and 'b' are both written to 'x'"),
    ]


@pytest.mark.parametrize("number", range(5))
def test_an_out_is_declared_once_in_a_stage(number: int) -> None:
    func, options, problem = same_twice()[number]
    pipeline = Pipeline("demo")
    pipeline.register(func, name="s", **options)
    with pytest.raises(StageError) as caught:
        pipeline.specs(base="", root="/p")
    assert problem in str(caught.value)
