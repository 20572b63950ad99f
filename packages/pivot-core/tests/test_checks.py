"""Ready-made checks of outs, on values of several libraries and on files."""

import json
import pathlib
import sys
from typing import Any, NamedTuple

import pandas as pd
import pytest

from pivot_core.errors import DefinitionError
from pivot_core.loaders import CSV
from pivot_core.stages.checks import CheckError, not_empty, schema

ROWS = [{"id": 1, "name": "a"}, {"id": 2, "name": None, "more": 1.5}]
FRAME = pd.DataFrame({"id": [1, 2], "name": ["a", "b"], "at": pd.to_datetime(["2020-01-01", "2020-01-02"])})


class ArrowSchema(NamedTuple):
    """As that of pyarrow."""

    names: list[str]
    types: list[str]


class ArrowTable(NamedTuple):
    schema: ArrowSchema


class PolarsFrame(NamedTuple):
    columns: list[str]
    dtypes: list[str]


def test_anything_may_be_empty(tmp_path: pathlib.Path) -> None:
    full, empty = tmp_path / "d/full", tmp_path / "d/empty"
    full.parent.mkdir()
    with pytest.raises(CheckError, match="d is empty"):
        not_empty(full.parent)
    full.write_text("x")
    for value in ([0], "a", {"k": None}, 0, FRAME, full, full.parent):
        not_empty(value)
    empty.touch()
    blank: tuple[Any, ...] = ([], "", {}, None, FRAME.iloc[:0], empty, empty.parent)
    for value in blank:
        with pytest.raises(CheckError, match="empty"):
            not_empty(value)


@pytest.mark.parametrize(
    ("columns", "value"),
    [
        ({"id": "int64", "name": "str", "at": "date"}, FRAME),
        ({"id": "int", "name": None, "at": "datetime64[ns]"}, FRAME.astype({"at": "datetime64[ns]"})),
        ({"id": "int", "name": "str", "more": "float"}, ROWS),
        ({"id": "int", "ok": "bool"}, {"id": [1, 2], "ok": True}),
        ({"id": "Int64", "name": "str"}, PolarsFrame(["id", "name"], ["Int64", "String"])),
        ({"id": "int", "ok": "bool"}, ArrowTable(ArrowSchema(["id", "ok"], ["int32", "bool"]))),
    ],
)
def test_a_table_that_fits(columns: dict[str, str | None], value: Any) -> None:
    schema(columns)(value)


@pytest.mark.parametrize(
    ("columns", "value", "told"),
    [
        ({"id": "float64", "name": "str", "at": None}, FRAME, "column 'id' is int64, not float64"),
        ({"id": "int"}, FRAME, "there is another column, 'name'; there is another column, 'at'"),
        ({"other": "int"}, ROWS, "there is no column 'other'; there is another column, 'id'"),
        ({"id": "int"}, [{"id": 1}, {"id": "x"}], "column 'id' is str, not int"),
        ({"id": "int"}, PolarsFrame(["id"], ["interval"]), "column 'id' is interval, not int"),
        ({"id": "int"}, [1, 2], "list is no table"),
        ({"id": "int"}, "text", "str is no table"),
        ({"id": "int"}, pathlib.Path("x.png"), "x.png is no table"),
    ],
)
def test_a_table_that_does_not_fit(columns: dict[str, str | None], value: Any, told: str) -> None:
    with pytest.raises(CheckError, match=told):
        schema(columns)(value)


def test_files_are_tables(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = schema({"id": "int", "name": "str"}, extra=True)
    (tmp_path / "a.json").write_text(json.dumps(ROWS))
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    CSV().save(FRAME, tmp_path / "a.csv")
    for name in ("a.json", "a.jsonl", "a.csv"):
        wanted(tmp_path / name)
    with pytest.raises(DefinitionError, match="no columns"):
        schema({})
    (tmp_path / "a.json").write_text("[")
    with pytest.raises(CheckError, match=r"a\.json cannot be read as a table: Expecting value"):
        wanted(tmp_path / "a.json")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(CheckError, match="cannot be read") as refused:
        wanted(tmp_path / "a.parquet")
    assert refused.value.hint == "install pyarrow"
