"""Previews of files by their formats: pages of tables, cut documents, texts and images."""

import csv
import datetime as dt
import decimal
import io
import json
import math
import pathlib
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_runtime.comparing import row_files
from pivot_runtime.errors import ContentError, MissingLibraryError
from pivot_runtime.previews import cells, column_files, documents, images, sniff, text_tables, texts
from pivot_runtime.previews.tables import MOST_COLUMNS, TablePreview, Window

TEXTS = st.text(st.characters(exclude_categories=[]), max_size=8)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.binary(max_size=8) | st.decimals() | st.dates()
)
KEYS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.dates()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=20
)
WINDOWS = st.builds(Window, st.integers(-1, 12), st.integers(-1, 5))
CELLS = st.text(st.sampled_from('ab1.,;"\n\r -é'), max_size=4)
ROWS = st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=10)


def strict_json(value: Any) -> bytes:
    """The bytes of JSON as servers write it: no NaN, and no half of a pair of surrogates."""
    return json.dumps(value, allow_nan=False, ensure_ascii=False).encode()


@given(VALUES)
def test_every_value_becomes_json(value: Any) -> None:
    found = cells.cell(value)
    assert isinstance(found, bool | int | float | str | None)
    strict_json(found)
    strict_json(cells.cut_value(value)[0])


class Hostile:
    def __str__(self) -> str:
        raise LookupError("no")


def test_values_without_a_form_in_json_are_texts() -> None:
    moment = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    assert [cells.cell(value) for value in (math.nan, math.inf, -math.inf)] == ["NaN", "Infinity", "-Infinity"]
    assert cells.cell(2**53) == 2**53
    assert cells.cell(2**53 + 1) == "9007199254740993"
    assert cells.cell(10**10_000) == "an integer of 33220 bits"
    assert cells.cell(moment) == "2026-01-02T03:04:05+00:00"
    assert cells.cell(decimal.Decimal("1.50")) == "1.50"
    assert cells.cell(b"\0\xff") == "0x00ff"
    assert cells.cell([1, {"a": math.nan}]) == '[1, {"a": "NaN"}]'
    assert cells.cell(Hostile()) == "Hostile: LookupError"
    assert cells.cell("x" * 501) == "x" * 499 + "…"
    assert cells.cell("x" * 500) == "x" * 500
    assert len(str(cells.cell(b"x" * 10_000))) <= 502


def test_a_large_document_is_cut() -> None:
    value, cut = cells.cut_value({"a": list(range(5000)), "b": {"c": [1]}})
    assert cut
    assert value["a"] == list(range(100))
    assert value["b"] == {"c": [1]}
    assert cells.cut_value([[0] * 100] * 100)[1]
    deep: Any = 1
    for _ in range(3000):
        deep = [deep]
    shown, cut = cells.cut_value(deep)
    assert cut
    strict_json(shown)
    assert cells.cut_value(["y" * 1000]) == (["y" * 499 + "…"], True)
    assert cells.cut_value([1, {"a": []}]) == ([1, {"a": []}], False)


@given(VALUES, st.integers(1, 30))
def test_a_document_has_at_most_the_asked_values(value: Any, most: int) -> None:
    data, _ = cells.cut_value(value, most)
    assert _size(data) <= most


def _size(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(_size, inner))


def separated(rows: list[list[str]], *header: str) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([header, *rows])
    return text.getvalue().encode()


def page(data: bytes, window: Window, suffix: str = ".csv") -> TablePreview:
    if suffix == ".jsonl":
        return text_tables.read_lines(io.BytesIO(data), window)
    return text_tables.read_separated(io.BytesIO(data), suffix, window)


@given(ROWS, WINDOWS)
def test_a_page_of_csv_is_a_slice_of_the_whole(rows: list[list[str]], window: Window) -> None:
    found = page(separated(rows, "a", "b"), window)
    whole = [tuple(cells.cell(row_files.cell_value(cell)) for cell in row) for row in rows]
    assert found.rows == tuple(whole[window.offset : window.end])
    assert found.more == (len(rows) > window.end)
    assert found.total == (None if found.more else len(rows))
    strict_json(found.rows)


@given(st.lists(st.dictionaries(st.sampled_from("ab"), st.integers(0, 3), min_size=1), max_size=8), WINDOWS)
def test_a_page_of_json_lines_is_a_slice_of_the_whole(rows: list[dict[str, int]], window: Window) -> None:
    found = page(b"\n".join(json.dumps(row).encode() for row in rows), window, ".jsonl")
    names = [column.name for column in found.columns]
    shown = [{name: cell for name, cell in zip(names, row, strict=True) if cell is not None} for row in found.rows]
    assert shown == rows[window.offset : window.end]
    assert (found.more, found.total) == (
        len(rows) > window.end,
        None if len(rows) > window.end else len(rows),
    )


@given(st.integers(), st.integers())
def test_a_window_is_small_and_not_before_the_first_row(offset: int, limit: int) -> None:
    window = Window(offset, limit)
    assert 0 <= window.offset < window.end <= window.offset + 200
    assert page(b"a\n1\n2\n", window).total in (None, 2)


def test_types_and_odd_rows_of_csv() -> None:
    found = page(b"\xef\xbb\xbfid;n;x;t;f;e\n1;1;1;a;true;\n2;1.5;z;b;FALSE\n\n3;2;3;c;true;;more\n", Window())
    assert [(column.name, column.type) for column in found.columns] == [
        ("id", "integer"),
        ("n", "number"),
        ("x", "mixed"),
        ("t", "text"),
        ("f", "boolean"),
        ("e", "empty"),
    ]
    assert found.rows[1] == (2, 1.5, "z", "b", False, None)
    assert found.rows[2] == (3, 2, 3, "c", True, None)
    assert found.notes == ("row 2 has more or fewer cells than there are columns",)
    assert (found.total, found.reader) == (3, "csv")
    assert page(b"", Window()) == TablePreview((), (), 0, more=False, total=0, reader="csv")
    assert page(b"a,b\n", Window()).total == 0
    wide = page((",".join(map(str, range(300))) + "\n").encode() * 2, Window())
    assert len(wide.columns) == len(wide.rows[0]) == MOST_COLUMNS
    assert wide.notes == ("it has 300 columns, of which the first 200 are shown",)


@pytest.mark.parametrize(
    ("data", "suffix", "problem"),
    [
        (b"a" * (1 << 16) + b"\xff\n", ".csv", "it is not UTF-8"),
        (b"a," * (1 << 21) + b"\n", ".csv", "a row is longer than 4 MiB"),
        (b"a\n" + b'"\n",' * (1 << 21), ".csv", "a row is longer than 4 MiB"),
        (b'a\n"b"c\n', ".csv", "it is not CSV"),
        (b'a\n"b\n', ".csv", "it is not CSV"),
        (b"1\n{\n", ".jsonl", "line 2 is not JSON"),
        (b"[" * 200_000 + b"\n", ".jsonl", "line 1 is not JSON"),
        (b"1" * 10_000, ".jsonl", "line 1 is not JSON"),
        (b'"' + b"x" * (1 << 20) + b'"', ".jsonl", "line 1 is longer than 1 MiB"),
    ],
)
def test_what_is_no_table_is_said(data: bytes, suffix: str, problem: str) -> None:
    with pytest.raises(ContentError, match=problem):
        page(data, Window(), suffix)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found_outside_of_quotes(separator: str) -> None:
    found = page(f'"a;b,|"{separator}"say ""c"""\n1{separator}2\n'.encode(), Window())
    assert [column.name for column in found.columns] == ["a;b,|", 'say "c"']
    assert found.rows == ((1, 2),)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_other_encodings_are_read_and_said(encoding: str) -> None:
    found = page("né,b\n1,ü\n".encode(encoding), Window())
    assert [column.name for column in found.columns] == ["né", "b"]
    assert found.rows == ((1, "ü"),)
    assert found.notes == (f"its encoding is {encoding.upper()}, not UTF-8",)


def test_values_that_pandas_counts_as_missing_do_not_change_a_type() -> None:
    found = page(b"n,t\n1,NA\nNA,x\n2.5,null\n", Window())
    assert [column.type for column in found.columns] == ["number", "text"]
    assert found.rows[1] == ("NA", "x")


def test_a_page_far_from_the_beginning_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_tables, "MOST_BYTES", 1 << 20)
    data = b"a,b\n" + b"1,2\n" * (1 << 19)
    assert page(data, Window(1000, 2)).rows == ((1, 2), (1, 2))
    for suffix in (".csv", ".jsonl"):
        with pytest.raises(ContentError, match="more than 1 MiB from the beginning"):
            page(data.replace(b"a,b\n", b"").replace(b",", b""), Window(400_000), suffix)


def parquet_file(directory: pathlib.Path, rows: int = 10, name: str = "t.parquet") -> pathlib.Path:
    """A file with groups of four rows, whose first column has the numbers of the rows."""
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table(
        {
            "n": list(range(rows)),
            "x": [math.nan if n % 2 else None for n in range(rows)],
            "at": pyarrow.array(range(rows), pyarrow.timestamp("ns")),
            "parts": [[n, n] for n in range(rows)],
            "bytes": [bytes([n]) for n in range(rows)],
        }
    )
    file = directory / name
    parquet.write_table(table, file, row_group_size=4)
    return file


def by_columns(file: pathlib.Path, reader: str, window: Window) -> TablePreview:
    pytest.importorskip(reader)
    known = column_files.library
    with pytest.MonkeyPatch.context() as patch, file.open("rb") as stream:
        patch.setattr(column_files, "library", lambda name: known(name) if name.startswith(reader) else None)
        return column_files.read_parquet(stream, window)


@pytest.mark.parametrize("reader", ["pyarrow", "duckdb", "polars"])
def test_a_page_of_parquet_is_a_slice_of_the_whole(tmp_path: pathlib.Path, reader: str) -> None:
    file = parquet_file(tmp_path)
    for offset in range(13):
        for limit in (1, 3, 4, 9):
            window = Window(offset, limit)
            found = by_columns(file, reader, window)
            assert [row[0] for row in found.rows] == list(range(10))[offset : window.end]
            assert (found.total, found.more, found.reader) == (10, window.end < 10, reader)
            strict_json(found.rows)
    row = by_columns(file, reader, Window(1, 1)).rows[0]
    assert row[1] == "NaN"
    assert str(row[2]).startswith("1970-01-01")
    assert row[3:] == ("[1, 1]", "0x01")
    assert [column.name for column in found.columns] == ["n", "x", "at", "parts", "bytes"]


@pytest.mark.parametrize("reader", ["pyarrow", "duckdb", "polars"])
@pytest.mark.parametrize("data", [b"", b"no", b"PAR1", b"PAR1" + b"\0" * 100 + b"PAR1"])
def test_what_is_no_parquet_is_said(tmp_path: pathlib.Path, reader: str, data: bytes) -> None:
    file = tmp_path / "t.parquet"
    file.write_bytes(data)
    with pytest.raises(ContentError, match="it is not parquet"):
        by_columns(file, reader, Window())


def test_damaged_parquet_gives_rows_or_a_problem(tmp_path: pathlib.Path) -> None:
    whole = parquet_file(tmp_path).read_bytes()
    for at in range(0, len(whole), 37):
        data = whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :]
        try:
            found = column_files.read_parquet(io.BytesIO(data), Window())
        except ContentError:
            continue
        strict_json(found.rows)


def test_a_pattern_in_a_path_is_no_pattern(tmp_path: pathlib.Path) -> None:
    parquet_file(tmp_path, 3, "ab.parquet")
    file = parquet_file(tmp_path, 2, "a*.parquet")
    for reader in ("pyarrow", "duckdb", "polars"):
        assert by_columns(file, reader, Window()).total == 2


@pytest.mark.parametrize("reader", ["duckdb", "polars"])
def test_a_library_reads_the_open_file_and_not_what_has_taken_its_place(tmp_path: pathlib.Path, reader: str) -> None:
    module = pytest.importorskip(reader)
    read = {"duckdb": column_files.parquet_by_duckdb, "polars": column_files.parquet_by_polars}[reader]
    file = parquet_file(tmp_path, 2)
    with file.open("rb") as stream:
        parquet_file(tmp_path, 3, "other.parquet").replace(file)
        with column_files.path_of(stream) as path:
            assert read(module, path, Window()).total == 2
    with column_files.path_of(io.BytesIO(file.read_bytes())) as path:
        assert read(module, path, Window()).total == 3


def test_long_values_in_columns_are_read_in_part(tmp_path: pathlib.Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table(
        {
            "text": ["\N{SNOWMAN}" * 3000],
            "bytes": [b"\1" * 3000],
            "list": [list(range(3000))],
            "inner": pyarrow.array([{"times": [0]}], pyarrow.struct({"times": pyarrow.list_(pyarrow.timestamp("ns"))})),
            "none": pyarrow.array([None], pyarrow.list_(pyarrow.int8())),
            "lasted": pyarrow.array([-90_061_000_000_001], pyarrow.duration("ns")),
        }
    )
    parquet.write_table(table, tmp_path / "t.parquet")
    row = by_columns(tmp_path / "t.parquet", "pyarrow", Window()).rows[0]
    assert row[0] == "\N{SNOWMAN}" * 499 + "…"
    assert row[1] == "0x" + "01" * 248 + "0…"
    assert str(row[2]).startswith("[0, 1, 2, ")
    assert str(row[2]).endswith(" 99]…")
    assert row[3] == '{"times": ["1970-01-01 00:00:00.000000000"]}'
    assert row[4:] == (None, "-1 days 1:01:01.000000001")


def test_lists_that_are_small_in_the_file_are_read_row_by_row(tmp_path: pathlib.Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table({"equal": [[0] * (1 << 20)] * 8}), tmp_path / "t.parquet")
    assert len(by_columns(tmp_path / "t.parquet", "pyarrow", Window()).rows) == 8
    assert column_files.rows_in_memory(parquet.read_metadata(tmp_path / "t.parquet"), 0, 50) == 1


def test_a_distant_page_of_a_large_group_of_rows_is_refused(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = parquet_file(tmp_path)
    monkeypatch.setattr(column_files, "MOST_BYTES", 200)
    assert by_columns(file, "pyarrow", Window(4, 1)).rows[0][0] == 4
    with pytest.raises(ContentError, match="from the beginning of its group of rows"):
        by_columns(file, "pyarrow", Window(7, 1))


def test_arrow_files(tmp_path: pathlib.Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    file = tmp_path / "t.feather"
    table = pyarrow.table({"n": list(range(7))})
    with pyarrow.OSFile(str(file), "wb") as sink, pyarrow.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=3)
    size = file.stat().st_size
    for offset in range(9):
        for limit in (1, 2, 3, 7):
            window = Window(offset, limit)
            with file.open("rb") as stream:
                found = column_files.read_arrow(stream, size, window)
            assert [row[0] for row in found.rows] == list(range(7))[offset : window.end]
            assert found.more == (window.end < 7)
            assert found.total == (None if found.more else 7)
    with pytest.raises(ContentError, match="it is not an Arrow file"):
        column_files.read_arrow(io.BytesIO(b"ARROW1"), 6, Window())
    with pytest.raises(ContentError, match="more than 64 MiB"):
        column_files.read_arrow(io.BytesIO(b"ARROW1"), 1 << 40, Window())


def test_no_library_is_imported_from_the_project(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pretended_library.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert column_files.library("pretended_library") is None
    assert column_files.library("no_such_library") is None
    assert column_files.library("pytest") is pytest


def test_without_a_library_the_one_to_install_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(column_files, "library", lambda _: None)
    with pytest.raises(MissingLibraryError) as caught:
        column_files.read_parquet(io.BytesIO(), Window())
    assert caught.value.hint == "uv add pyarrow"
    with pytest.raises(MissingLibraryError):
        column_files.read_arrow(io.BytesIO(), 0, Window())


def test_documents() -> None:
    def read(data: bytes, name: str) -> Any:
        return documents.read(io.BytesIO(data), name).value

    assert read(b'\xef\xbb\xbf{"a": [1, NaN]}', "a.json") == {"a": [1, "NaN"]}
    assert read(b"1: x\ny: 2026-01-02\n", "a.yaml") == {"1": "x", "y": "2026-01-02"}
    assert read(b"d = 2026-01-02\n[t]\nx = inf\n", "a.toml") == {"d": "2026-01-02", "t": {"x": "Infinity"}}
    assert read(b"", "a.yml") is None


@pytest.mark.parametrize(
    ("data", "name", "problem"),
    [
        (b"{", "a.json", "it is not JSON"),
        (b"[" * 200_000, "a.json", "it is not JSON"),
        (b"\xff", "a.json", "it is not UTF-8"),
        (b"a: [", "a.yaml", "a.yaml"),
        (b"a = ", "a.toml", "it is not TOML"),
        (b" " * (documents.MOST_BYTES + 1), "a.json", "more than 8192 KiB"),
        (b"#" * (1 << 19), "a.yaml", "more than 256 KiB"),
        (b"#" * (1 << 19), "a.toml", "more than 256 KiB"),
        (b"a." * 100_000 + b"a = 1", "a.toml", "more than 50 dots"),
    ],
)
def test_what_is_no_document_is_said(data: bytes, name: str, problem: str) -> None:
    with pytest.raises(ContentError, match=problem):
        documents.read(io.BytesIO(data), name)


def test_aliases_in_yaml_do_not_multiply_the_work() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    try:
        found = documents.read(io.BytesIO("\n".join(lines).encode()), "a.yaml")
    except ContentError:
        return
    assert found.cut
    strict_json(found.value)


@given(st.binary(max_size=400), st.sampled_from(["a", "a.csv", "a.svg", "a.pkl", "a.json", "a.parquet"]))
def test_any_bytes_have_a_kind_and_a_text_or_bytes(data: bytes, name: str) -> None:
    assert sniff.kind_of(name, data) in ("image", "table", "document", "text", "binary")
    found = texts.text_or_bytes(io.BytesIO(data))
    if isinstance(found, texts.TextPreview):
        strict_json(found.text)
    images.described(name, data)


def test_kinds() -> None:
    assert sniff.kind_of("a.pkl", b"cos\nsystem\n") == "binary"
    assert sniff.kind_of("a.png", b"<script>") == "text"
    assert sniff.kind_of("a.txt", b"\x89PNG\r\n\x1a\n") == "image"
    assert sniff.kind_of("a", b"<svg onload='x()'>") == "text"
    assert sniff.kind_of("a.svg", b"<svg onload='x()'>") == "image"
    assert sniff.kind_of("a", b"PAR1") == "table"
    assert sniff.kind_of("a.JSON", b"{}") == "document"
    assert sniff.kind_of("a.json", b"\0") == "binary"
    assert sniff.kind_of("a.bmp", b"BM\0\0") == "binary"


def test_texts_are_cut_between_letters() -> None:
    data = "é".encode() * texts.MOST_TEXT
    found = texts.text_or_bytes(io.BytesIO(b"x" + data))
    assert isinstance(found, texts.TextPreview)
    assert found.text == "x" + "é" * (texts.MOST_TEXT // 2 - 1)
    assert (found.cut, found.encoding) == (True, "utf-8")
    assert texts.text_or_bytes(io.BytesIO("é".encode("latin-1") + b"tait")) == texts.TextPreview(
        "était", cut=False, encoding="latin-1"
    )
    assert texts.text_or_bytes(io.BytesIO("\ufeffa".encode("utf-16-le"))) == texts.TextPreview(
        "a", cut=False, encoding="utf-16"
    )
    assert texts.text_or_bytes(io.BytesIO(b"a\0" * 100)) == texts.BinaryPreview(b"a\0" * 32)


def test_sizes_of_images() -> None:
    header = struct.pack(">IIBBBBB", 30, 20, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(header))
    jpeg = b"\xff\xd8\xff\xe0\0\x04ab\xff\xc0\0\x11\x08" + struct.pack(">HH", 20, 30)
    webp = b"RIFF\0\0\0\0WEBPVP8X" + struct.pack("<II", 10, 0) + (29).to_bytes(3, "little") + (19).to_bytes(3, "little")
    lossless = b"RIFF\0\0\0\0WEBPVP8L" + struct.pack("<IBI", 5, 0x2F, 29 | 19 << 14)
    lossy = b"RIFF\0\0\0\0WEBPVP8 " + b"\0" * 10 + struct.pack("<HH", 30, 20)
    svg = b'<?xml version="1.0"?>\n<svg width="30" height="20px" viewBox="0 0 1 1"><rect width="9"/></svg>'
    every = {
        "a.png": png,
        "a.jpg": jpeg,
        "a.gif": b"GIF89a" + struct.pack("<HH", 30, 20),
        "a.webp": webp,
        "b.webp": lossless,
        "c.webp": lossy,
        "a.svg": svg,
    }
    for name, data in every.items():
        found = images.described(name, data)
        assert (found.width, found.height) == (30, 20), name
        for end in range(len(data)):
            images.described(name, data[:end])
