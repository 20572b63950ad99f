"""Pivot's own parts enter fingerprints under their public names: modules may move, and nothing runs again."""

import importlib
import pathlib
from collections.abc import Iterator

import pytest

import pivot
from pivot_runtime.loading import host_client

PIPELINE = """\
import pathlib
from typing import Annotated, Any, TypedDict

import pivot
from pivot import Dep, DirectoryOut, IncrementalOut, Metric, Out, PivotError, PlaceholderDep, Secret, StageParams
from pivot import Uncounted, loaders
from pivot.loaders import CSV, JSON, PathOnly
from pivot_fingerprint import no_fingerprint

pipeline = pivot.Pipeline("shop")


class Lines(loaders.Text):
    def load(self, path: pathlib.Path) -> list[str]:
        return super().load(path).splitlines()


class Settings(StageParams):
    rate: float = 0.5
    token: Annotated[str, Secret] = ""

    def twice(self) -> float:
        return 2 * self.rate


RAW = Dep("raw.csv", CSV(sep=";"))
KINDS = {"jsonl": loaders.JSONL(), "yaml": loaders.YAML(), "pickle": loaders.Pickle(), "text": loaders.Text()}


class Outs(TypedDict):
    model: Annotated[dict, Out("model.json", JSON(indent=4))]
    score: Annotated[dict, Metric("score.json", JSON())]
    table: Annotated[pathlib.Path, Out("table.csv", PathOnly())]
    parts: Annotated[dict, DirectoryOut("parts/", JSON())]
    state: Annotated[int, IncrementalOut("state.json", JSON())]


@pipeline.register
def train(
    params: Settings,
    raw: Annotated[Any, RAW],
    names: Annotated[list[str], Dep("names.txt", Lines())],
    state: Annotated[int | None, IncrementalOut("state.json", JSON())],
) -> Outs:
    if not raw:
        raise PivotError("nothing")
    return helper(params.twice(), names, loaders.CSV, pivot.loaders.PathOnly)


@no_fingerprint()
def opted_out() -> None:
    pass


def helper(*given: object) -> Any:
    return given, RAW, KINDS, opted_out, Metric, PlaceholderDep, isinstance(given, pivot.Command), pivot.command


shout = "tr a-z A-Z < ${deps.names} > ${outs.loud}"
pipeline.register(pivot.command(shout, deps={"names": "names.txt"}, outs={"loud": "loud.txt"}), name="shout")


class Chart(TypedDict):
    roc: Annotated[list, pivot.Plot("roc.json", JSON(), title="ROC")]


@pipeline.register
def draw() -> Chart:
    return {"roc": [pivot.Plot]}
"""

PINNED = {
    "draw": {
        "const:pipeline:pipeline": "ffd21bab1d672645ad8a67993d060509",
        "func:pipeline:draw": "27a23ad739107cb349116f4284033b76",
        "writer:roc": "69d7da1d997bf5c1ae17d88eec7c32cd",
    },
    "shout": {"command": "712af1e7e54698c2bac0de65d913d059"},
    "train": {
        "class:pipeline:Lines": "d8b9e702992ab41332076849e3f1931a",
        "class:pipeline:Settings": "07fabf370861c0f5a9e89f8d967b2b0e",
        "const:pipeline:KINDS": "58e70d26ae70286300c931b8ca7194a3",
        "const:pipeline:RAW": "7f52f9c49a4b753e8340c7a01998879e",
        "const:pipeline:pipeline": "ffd21bab1d672645ad8a67993d060509",
        "func:pipeline:helper": "a9767d59348bb398d21159b31e90120c",
        "func:pipeline:opted_out": "d60f7b5196b1f74fbd3a3cf9b29baba9",
        "func:pipeline:train": "7a054a1c69cfea649fb6ed2dd8de9263",
        "loader:names": "d8aa38e2a55db7476755ca09b8152596",
        "loader:raw": "863c3708b8ee038e39765798bcb01b4b",
        "params:params": "c68cf493c54d669e50189022d64bf20b",
        "previous:state": "ba6861b2c1d737cd871500fcda3285a6",
        "writer:model": "53446ce130493f3002996a01f95bb635",
        "writer:parts": "d367dbc9325abc77f5d5d18166eb07d9",
        "writer:score": "b6a0cc81b3b8e53f9fde4f9903e68291",
        "writer:state": "ba6861b2c1d737cd871500fcda3285a6",
        "writer:table": "1e65aad9cc6b32128425096c9321fd17",
    },
}


@pytest.fixture
def stages(tmp_path: pathlib.Path) -> Iterator[dict[str, dict[str, str]]]:
    """By name, the fingerprint of each stage: digests by key."""
    file = tmp_path / "pipeline.py"
    file.write_text(PIPELINE)
    loaded, host = host_client.load(tmp_path, file)
    with host:
        yield {stage.spec.name: {key: entry.digest for key, entry in stage.code.items()} for stage in loaded.stages}


def test_the_fingerprints_of_stages_that_use_all_that_is_public(stages: dict[str, dict[str, str]]) -> None:
    """A failure means that users' stages run again: a change of names in here must not do that."""
    assert stages == PINNED


@pytest.mark.parametrize("home", ["pivot", "pivot.checks", "pivot.loaders"])
def test_public_code_counts_by_the_name_that_users_import(home: str) -> None:
    module = importlib.import_module(home)
    found = {name: getattr(module, name) for name in module.__all__ if name not in ("checks", "loaders")}

    for name, value in found.items():
        made_in = importlib.import_module(value.__module__)
        assert (made_in.__dict__.get("__pivot_module__"), value.__qualname__) == (home, name)


def test_the_facade_has_all_that_the_tests_above_name() -> None:
    assert {name for name in pivot.__all__ if name not in PIPELINE} <= {"Notebook", "Uncounted", "checks", "notebook"}
