"""The values that a stage returns survive as plain data, with the loaders of Pivot's own packages."""

import json
import pathlib
from typing import Annotated, Any, TypedDict

import attrs
import pytest

import pivot_core.stages.out_values as subject
from pivot_core.loaders import CSV, JSON, JSONL, Text
from pivot_core.pipeline import Pipeline
from pivot_core.spec import OutValue
from pivot_core.stages.annotations import DirectoryOut, Out
from pivot_core.stages.out_values import out_values


class Own:
    """A loader of a user, which can only save."""

    def save(self, value: object, path: pathlib.Path) -> None:
        raise NotImplementedError


class Returned(TypedDict):
    frame: Annotated[Any, Out("a.csv", CSV(index=("x", "y"), dtype={"x": "str"}, parse_dates=("y",)))]
    many: Annotated[list[str], Out(["b", "c"], Text())]
    pair: Annotated[tuple[str, str], Out(("d", "e"), JSONL())]
    directory: Annotated[Any, DirectoryOut("f", JSON(indent=None))]
    own: Annotated[Any, Out("g", Own())]
    path: Annotated[pathlib.Path, Out("h")]


def make() -> Returned:
    raise NotImplementedError


def values() -> dict[str, OutValue]:
    pipeline = Pipeline("p")
    pipeline.register(make)
    return {value.key: value for value in out_values(pipeline.stages["make"], base="sub", root="/root")}


def test_they_survive_as_json() -> None:
    for value in values().values():
        assert OutValue.from_plain(json.loads(json.dumps(value.to_plain()))) == value


def test_they_know_their_paths_and_their_shape() -> None:
    found = values()

    assert {key: value.paths for key, value in found.items()} == {
        "frame": ("sub/a.csv",),
        "many": ("sub/b", "sub/c"),
        "pair": ("sub/d", "sub/e"),
        "directory": ("sub/f",),
        "own": ("sub/g",),
        "path": ("sub/h",),
    }
    assert [found[key].like([1, 2]) for key in ("frame", "many", "pair")] == [1, [1, 2], (1, 2)]
    assert [key for key, value in found.items() if value.directory] == ["directory"]
    assert [key for key, value in found.items() if value.path_only] == ["path"]
    assert [key for key, value in found.items() if not value.readable] == ["own"]


def test_loaders_of_pivot_are_data_with_the_options_that_are_not_the_default() -> None:
    found = {key: value.loader for key, value in values().items()}

    columns = {"index": ["tuple", ["x", "y"]], "dtype": ["dict", [["x", "str"]]], "parse_dates": ["tuple", ["y"]]}
    assert found == {
        "frame": ["pivot_core.loaders", "CSV", columns],
        "many": ["pivot_core.loaders", "Text", {}],
        "pair": ["pivot_core.loaders", "JSONL", {}],
        "directory": ["pivot_core.loaders", "JSON", {"indent": None}],
        "own": None,
        "path": ["pivot_core.loaders", "PathOnly", {}],
    }


@pytest.mark.parametrize("options", [{"sep": object()}, {"index": {"a"}}, {"dtype": {"a": [object()]}}])
def test_options_that_are_not_plain_stay_where_they_are(options: dict[str, Any]) -> None:
    assert subject._loader_to_plain(CSV(**options)) is None


def test_lists_are_told_from_tuples() -> None:
    options: dict[str, Any] = {"dtype": {"c": [1, None, (True, 2.5)]}}

    plain = subject._loader_to_plain(CSV(**options))
    assert plain is not None
    assert plain[2] == {"dtype": ["dict", [["c", ["list", [1, None, ["tuple", [True, 2.5]]]]]]]}


def test_fields_that_are_no_options_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    @attrs.frozen
    class Counting:
        count: int = attrs.field(default=0, init=False)

    monkeypatch.setattr(Counting, "__module__", "pivot_core.loaders")
    assert subject._loader_to_plain(Counting()) == ["pivot_core.loaders", Counting.__qualname__, {}]
