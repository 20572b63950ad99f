"""The difference of tables."""

import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_runtime.comparing import row_diff, row_files
from pivot_runtime.comparing.row_diff import RowChange, TableDifference
from pivot_runtime.errors import ContentError, MissingLibraryError, RowKeyError

ROWS = st.lists(st.fixed_dictionaries({"k": st.integers(0, 2), "v": st.integers(0, 1)}), max_size=5)


def compare(
    old: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]], *keys: str, most: int = 20
) -> TableDifference:
    return row_diff.compare(lambda: iter(old), lambda: iter(new), keys, most)


@given(ROWS, ROWS, st.sampled_from([(), ("k",)]))
def test_counts_agree_with_each_other(
    old: list[dict[str, int]], new: list[dict[str, int]], keys: tuple[str, ...]
) -> None:
    if keys and not (old and new):
        return
    found = compare(old, new, *keys)
    assert found.rows == (len(old), len(new))
    assert found.added - found.removed == len(new) - len(old)
    assert len(found.examples) == found.added + found.removed + found.changed
    assert compare(old, old, *keys).same or not old
    back = compare(new, old, *keys)
    assert (back.added, back.removed, back.changed) == (found.removed, found.added, found.changed)


def test_rows_by_position_and_by_key() -> None:
    old: list[dict[str, Any]] = [{"id": 1, "x": 1}, {"id": 2, "x": 2}]
    new: list[dict[str, Any]] = [{"id": 0, "x": 0}, {"id": 1, "x": 1.0}, {"id": 2, "x": 3}]
    by_position = compare(old, new)
    assert (by_position.added, by_position.removed, by_position.changed) == (1, 0, 2)
    assert by_position.examples[0] == RowChange("changed", (1,), {"id": 1, "x": 1}, {"id": 0, "x": 0})
    assert compare(old, new, "id").examples == (
        RowChange("added", (0,), new={"id": 0, "x": 0}),
        RowChange("changed", (2,), {"x": 2}, {"x": 3}),
    )
    assert compare(new, old, "id").examples[-1] == RowChange("removed", (0,), old={"id": 0, "x": 0})
    assert len(compare(old, new, most=1).examples) == 1
    with pytest.raises(RowKeyError, match="no column 'ix'") as caught:
        compare(old, new, "ix")
    assert caught.value.hint in ("did you mean id?", "did you mean x?", "its columns are id, x")


def test_columns() -> None:
    found = compare([{"a": 1, "b": 1, "c": None}], [{"a": 1.5, "c": "x", "d": True}])
    assert (found.columns_added, found.columns_removed) == (("d",), ("b",))
    assert found.columns_retyped == {"a": ("integer", "number")}
    assert compare([{"a": math.nan}], [{"a": math.nan}]).same


def read(file: pathlib.Path) -> list[Mapping[str, Any]]:
    return list(row_files.rows_of(file, file.suffix)())


def test_files(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(b'\xef\xbb\xbfa,b,a\r\n1,"x\ny",2.5\r\n007,,true\r\n')
    assert read(file) == [{"a": 1, "b": "x\ny", "a.2": 2.5}, {"a": "007", "b": None, "a.2": True}]
    file.write_text("a,b\n1\n")
    with pytest.raises(ContentError, match="line 2 has 1 cells, not 2"):
        read(file)
    lines = tmp_path / "t.jsonl"
    lines.write_text('{"a": 1}\n\n[2]\n')
    assert read(lines) == [{"a": 1}, {"": [2]}]
    lines.write_text("{\n")
    with pytest.raises(ContentError, match="line 1 is not JSON"):
        read(lines)


def test_parquet(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "t.parquet"
    try:
        from pyarrow import parquet, table  # type: ignore[import-not-found, unused-ignore]  # lazy
    except ImportError:
        with pytest.raises(MissingLibraryError, match="needs pyarrow or duckdb"):
            read(file)
        return
    parquet.write_table(table({"a": [1, 2], "b": ["x", None]}), file)
    assert read(file) == [{"a": 1, "b": "x"}, {"a": 2, "b": None}]
    file.write_bytes(b"no")
    with pytest.raises(ContentError, match="is not parquet"):
        read(file)
