"""A loader loads again whatever it saves, or refuses it; equal values give equal files; libraries are optional."""

import datetime as dt
import importlib
import os
import pathlib
import pickle
import subprocess
import sys
import types
import typing
from typing import Any

import matplotlib.figure
import numpy as np
import numpy.typing as npt
import pandas as pd
import PIL.Image
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pivot_loaders
from pivot_core.errors import LoaderError
from pivot_core.loaders import Reader, Writer
from pivot_core.stages.checks import CheckError, schema
from pivot_loaders import (
    TOML,
    Bytes,
    Excel,
    Feather,
    Figure,
    Image,
    Joblib,
    Npy,
    Npz,
    Parquet,
    PolarsCSV,
    Safetensors,
    Torch,
)

sys.path.insert(0, str(pathlib.Path(__file__).parent))  # pytest's importlib mode leaves the path alone

import written

few = settings(max_examples=8)
texts = st.text(alphabet="xyzé=,;\"'\\\n 0", max_size=4)
columns: list[st.SearchStrategy[Any]] = [
    st.integers(-(2**53), 2**53),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    texts.map(lambda text: f"{text}x"),
]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return tmp_path_factory.mktemp("loaders")


def through(loader: Any, value: Any, file: pathlib.Path) -> Any:
    """Save and load again; nothing is at the path before, as a stage finds it."""
    file.unlink(missing_ok=True)
    loader.save(value, file)
    return loader.load(file)


def refused(loader: Any, value: object, file: pathlib.Path) -> str:
    """The message; and nothing was written."""
    file.unlink(missing_ok=True)
    with pytest.raises(LoaderError) as caught:
        loader.save(value, file)

    assert caught.value.hint
    assert not file.exists()
    return str(caught.value)


@st.composite
def tables(draw: st.DrawFn) -> dict[str, list[Any]]:
    """Columns of equal length by name."""
    size = draw(st.integers(1, 3))
    names = draw(st.lists(st.sampled_from(["a", "b c", "é,;"]), min_size=1, unique=True))
    return {name: draw(st.lists(draw(st.sampled_from(columns)), min_size=size, max_size=size)) for name in names}


# -- tables


@settings(max_examples=4)
@given(tables())
def test_frames_round_trip(directory: pathlib.Path, table: dict[str, list[Any]]) -> None:
    """Every loader of tables, with every library that it takes, is exact."""
    frame, polar, arrow = pd.DataFrame(table), pl.DataFrame(table), pa.table(table)
    indexed = frame.set_index(pd.date_range("2024-01-01", periods=len(frame), freq="D", name="day", unit="us"))
    for loader in (Parquet(compression="none"), Feather()):
        for each in (frame, indexed):
            loaded = through(loader, each, directory / "t")
            pd.testing.assert_frame_equal(loaded, each, check_exact=True, check_freq=False)
    for kind in (Parquet, Feather):
        uncompressed = through(kind(frame="polars", compression="none"), polar, directory / "t")
        assert uncompressed.equals(polar)
        assert through(kind(frame="polars"), polar, directory / "t").equals(polar)
        assert through(kind(frame="polars-lazy"), polar.lazy(), directory / "t").collect().equals(polar)
        assert through(kind(frame="pyarrow"), arrow, directory / "t").equals(arrow)
    assert through(PolarsCSV(sep=";"), polar, directory / "t").equals(polar)


def test_the_schema_of_a_table_is_checked(directory: pathlib.Path) -> None:
    """Of a frame or table that a stage returns, and of a Parquet file, of which only the schema is read."""
    frame, file = pd.DataFrame({"n": [1], "name": ["a"], "x": [0.5]}), directory / "checked.parquet"
    through(Parquet(), frame, file)
    wanted = schema({"n": "int", "name": "str", "x": "float"})
    for value in (frame, pl.DataFrame(frame.to_dict("list")), pa.Table.from_pandas(frame), file):
        wanted(value)
        schema({"n": None}, extra=True)(value)
        with pytest.raises(CheckError, match=r"there is no column 'day'; column 'x' is \w+, not int; there is another"):
            schema({"n": "int", "day": "date", "x": "int"})(value)
    file.write_bytes(b"PAR1 is not enough")
    with pytest.raises(CheckError, match="cannot be read"):
        wanted(file)


@pytest.mark.parametrize("loader", [Parquet(), Feather()])
def test_one_library_reads_the_tables_of_another(directory: pathlib.Path, loader: Any) -> None:
    file = directory / "table"
    loader.save(pl.DataFrame({"a": ["x", None], "b": [[1], [2, 3]]}), file)
    assert list(loader.load(file)["a"].fillna("")) == ["x", ""]
    assert type(loader)(frame="pyarrow", columns=("b",)).load(file).to_pydict() == {"b": [[1], [2, 3]]}

    loader.save(pd.DataFrame({"a": [1, 2], "b": pd.Categorical(["u", "v"])}, index=[5, 7]), file)
    loaded = loader.load(file)
    assert (list(loaded.index), loaded["b"].dtype) == ([5, 7], "category")
    assert list(type(loader)(columns=("a",)).load(file).columns) == ["a"]
    assert type(loader)(frame="polars", columns=("a",)).load(file).to_dict(as_series=False) == {"a": [1, 2]}
    assert type(loader)(frame="polars-lazy", columns=("a",)).load(file).collect().columns == ["a"]


@pytest.mark.parametrize("loader", [Parquet, Feather])
def test_some_columns_have_the_index_of_the_frame(
    directory: pathlib.Path, loader: type[Parquet] | type[Feather]
) -> None:
    frame = pd.DataFrame({"a": [1], "b": [2]}, index=pd.Index(["x"], name="id"))

    pd.testing.assert_frame_equal(through(loader(columns=("b",)), frame, directory / "table"), frame[["b"]])
    assert loader(columns=("b",), frame="pyarrow").load(directory / "table").column_names == ["b"]


def test_parquet_in_a_directory_with_a_name_like_a_partition(directory: pathlib.Path) -> None:
    file = directory / "year=2024" / "table.parquet"
    file.parent.mkdir()

    assert list(through(Parquet(), pd.DataFrame({"a": [1]}), file).columns) == ["a"]


@pytest.mark.parametrize(
    ("hint", "frame"),
    [
        (pd.DataFrame, "pandas"),
        (pl.DataFrame, "polars"),
        (dict[str, pl.LazyFrame] | None, "polars-lazy"),
        (list[pa.Table], "pyarrow"),
        (typing.Any, None),
        (dict[str, int], None),
    ],
)
def test_tables_have_the_type_of_the_hint(hint: Any, frame: str | None) -> None:
    assert Parquet().for_type(hint) == Parquet(frame=typing.cast("Any", frame))
    assert Feather(columns=("a",)).for_type(hint) == Feather(columns=("a",), frame=typing.cast("Any", frame))
    assert Parquet(frame="pyarrow").for_type(hint) == Parquet(frame="pyarrow")


type Polar = pl.DataFrame


def test_a_hint_may_be_an_alias() -> None:
    assert Parquet().for_type(Polar).frame == "polars"


def test_tables_refuse_other_values(directory: pathlib.Path) -> None:
    file = directory / "refused"
    said = "loaders.Parquet() saves a frame of pandas or polars, or a table of pyarrow, not dict"
    assert refused(Parquet(), {"a": [1]}, file) == said
    assert "cannot keep the frame" in refused(Feather(), pd.DataFrame({"a": [1, "x"]}), file)
    assert "Duplicate column names" in refused(Parquet(), pd.DataFrame([[1, 2]], columns=["a", "a"]), file)


# -- sheets


def test_polars_csv_keeps_types_that_are_declared(directory: pathlib.Path) -> None:
    frame = pl.DataFrame({"zip": ["007", "", None], "n": [1, None, 3], "day": [dt.date(2024, 1, 2)] * 3})
    loader = PolarsCSV(dtype={"zip": "String", "n": "Int8"}, parse_dates=True)

    assert through(loader, frame, directory / "f").equals(frame)
    assert loader.load(directory / "f").schema["n"] == pl.Int8
    with pytest.raises(LoaderError, match="polars has no type 'Strin'") as caught:
        PolarsCSV(dtype={"zip": "Strin"}).load(directory / "f")
    assert caught.value.hint == "did you mean String?"


def test_polars_csv_refuses_what_it_would_lose(directory: pathlib.Path) -> None:
    file = directory / "refused"
    assert "the column 'a' of type List(Int64)" in refused(PolarsCSV(), pl.DataFrame({"a": [[1]]}), file)
    assert "the column 'a' of type Binary" in refused(PolarsCSV(), pl.DataFrame({"a": [b"x"]}), file)
    assert "saves a polars DataFrame, not DataFrame" in refused(PolarsCSV(), pd.DataFrame({"a": [1]}), file)


def test_excel_keeps_texts_sheets_and_the_index(directory: pathlib.Path) -> None:
    file = directory / "book.xlsx"
    frame = pd.DataFrame(
        {
            "a": ["007", "=1+1", "NA"],
            "x": [1.5, 1 / 3, None],
            "n": [1, -2, 2**40],
            "day": pd.to_datetime(["2024-01-02"] * 3),
        }
    )
    pd.testing.assert_frame_equal(through(Excel(sheet="data"), frame, file), frame, check_dtype=False)

    indexed = frame.set_index(["a", "day"])
    loader = Excel(sheet=None, index=("a", "day"))
    loaded = through(loader, {"one": indexed, "two": indexed}, file)
    assert list(loaded) == ["one", "two"]
    assert list(loaded["two"].index.names) == ["a", "day"]
    assert list(loaded["two"]["n"]) == [1, -2, 2**40]


def test_a_wrong_sheet_is_named_with_the_others(directory: pathlib.Path) -> None:
    Excel(sheet=None).save({"rows": pd.DataFrame({"a": [1]}), "notes": pd.DataFrame({"b": [2]})}, directory / "t.xlsx")
    for sheet, hint in (("row", "did you mean rows?"), ("x", "its sheets: rows, notes")):
        with pytest.raises(LoaderError, match=f"t.xlsx has no sheet '{sheet}'") as caught:
            Excel(sheet=sheet).load(directory / "t.xlsx")
        assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("loader", "value", "said"),
    [
        (Excel(), {"a": 1}, "saves a pandas DataFrame, not dict"),
        (Excel(sheet=None), pd.DataFrame({"a": [1]}), "saves a mapping from names of sheets to frames, not DataFrame"),
        (Excel(), pd.DataFrame({"a": [1]}, index=["x"]), "the frame's index is [None]"),
        (Excel(index="b"), pd.DataFrame({"a": [1]}), "would keep ['b']"),
        (Excel(), pd.DataFrame({1: [1]}), "keeps column names that are texts"),
        (Excel(), pd.DataFrame({"a": pd.to_datetime(["2024-01-02"], utc=True)}), "the time zone of the column 'a'"),
        (Excel(), pd.DataFrame({"a": ["\x01"]}), "cannot keep a text with control characters"),
    ],
)
def test_excel_refuses_what_it_would_lose(directory: pathlib.Path, loader: Excel, value: Any, said: str) -> None:
    assert said in refused(loader, value, directory / "refused.xlsx")


# -- arrays and models

shapes = st.sampled_from([(), (0,), (3,), (2, 2)])
kinds = st.sampled_from(["i8", "f4", "?", "c16", "U2", "M8[D]", ">i4"])


@few
@given(st.dictionaries(st.sampled_from(["a", "b/c", "é"]), st.tuples(shapes, kinds), max_size=3), st.booleans())
def test_arrays_round_trip(directory: pathlib.Path, made: dict[str, tuple[Any, str]], compress: bool) -> None:
    arrays = {name: np.ones(shape, "i8").astype(kind) for name, (shape, kind) in made.items()}
    loaded = through(Npz(compress=compress), arrays, directory / "arrays")
    assert list(loaded) == list(arrays)
    for name, array in arrays.items():
        for again in (loaded[name], through(Npy(), array, directory / "no-suffix")):
            assert (again.dtype, again.shape) == (array.dtype, array.shape)
            assert np.array_equal(again, array)


def test_arrays_refuse_objects(directory: pathlib.Path) -> None:
    file = directory / "refused.npy"
    assert "the value is an array of objects" in refused(Npy(), np.array([{}]), file)
    assert "the value is of type list" in refused(Npy(), [[1], [1, 2]], file)
    assert "'x' is of type dict" in refused(Npz(), {"x": {}}, file)
    assert "saves a mapping from names to arrays, not ndarray" in refused(Npz(), np.ones(2), file)
    assert through(Npy(), [1.5, 2], file).tolist() == [1.5, 2.0]
    file.write_bytes(pickle.dumps(1))
    with pytest.raises(ValueError, match="pickle"):
        Npy().load(file)


def test_tensors_round_trip(directory: pathlib.Path) -> None:
    tensors = {"b": np.arange(6.0).reshape(2, 3).T, "a": np.array([1, 2], ">i4"), "c": np.float32(1)}
    loaded = through(Safetensors(), tensors, directory / "tensors")

    assert loaded.keys() == tensors.keys()
    assert {name: each.tolist() for name, each in loaded.items()} == {
        name: each.tolist() for name, each in tensors.items()
    }
    assert through(Safetensors(), {}, directory / "tensors") == {}
    assert Safetensors().for_type(dict[str, npt.NDArray[typing.Any]]) == Safetensors(framework="numpy")
    assert Safetensors().for_type(dict[str, typing.Any]) == Safetensors()
    assert "tensors of torch or arrays of numpy, not list" in refused(Safetensors(), {"a": [1]}, directory / "no")
    assert "arrays of numpy, not ndarray" in refused(Safetensors(), np.ones(1), directory / "no")


@pytest.mark.parametrize("compress", [0, 3])
def test_joblib_round_trip(directory: pathlib.Path, compress: int) -> None:
    loaded = through(Joblib(compress=compress), {"model": [1, "x"], "array": np.arange(3)}, directory / "model.gz")

    assert loaded["model"] == [1, "x"]
    assert loaded["array"].tolist() == [0, 1, 2]


def test_torch_round_trip(directory: pathlib.Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is gigabytes, and not among the requirements of the tests")
    state = {"weight": torch.ones(2, 3), "step": 3}
    file = directory / "state.pt"
    loaded = through(Torch(), state, file)
    assert torch.equal(loaded["weight"], state["weight"])
    Torch().save(state, directory / "other.name")
    assert file.read_bytes() == (directory / "other.name").read_bytes()
    assert "not Linear" in refused(Torch(), torch.nn.Linear(1, 1), directory / "no.pt")
    assert isinstance(through(Torch(weights_only=False), torch.nn.Linear(1, 1), file), torch.nn.Linear)

    loader = Safetensors().for_type(types.GenericAlias(dict, (str, torch.Tensor)))
    assert loader == Safetensors(framework="torch")
    assert torch.equal(through(loader, {"w": torch.ones(2, 3).T}, file)["w"], torch.ones(3, 2))
    assert "not dict" in refused(loader, {"a": torch.ones(1), "b": np.ones(1)}, directory / "no.pt")


# -- pictures


def test_a_figure_is_saved_and_read_as_a_picture(directory: pathlib.Path) -> None:
    figure = matplotlib.figure.Figure(figsize=(2, 1), dpi=50)
    axes = figure.subplots()

    assert through(Figure(), axes, directory / "a.png").size == (100, 50)
    assert through(Figure(dpi=100), figure, directory / "a").size == (200, 100)
    assert through(Figure(dpi=100, tight=True), figure, directory / "a.png").size != (200, 100)
    with pytest.raises(LoaderError, match=r"loaders.Figure\(\) cannot load '.*a.svg', which is a drawing"):
        through(Figure(), figure, directory / "a.svg")
    assert refused(Figure(), [1], directory / "b.png") == "loaders.Figure() saves a figure of matplotlib, not list"


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tiff", "a.webp"])
def test_images_round_trip(directory: pathlib.Path, name: str) -> None:
    image = PIL.Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    loaded = through(Image(quality=100), image, directory / name)

    assert (loaded.size, loaded.mode) == (image.size, "RGB")
    assert name == "a.webp" or loaded.tobytes() == image.tobytes()


def test_images_refuse_other_values_and_formats(directory: pathlib.Path) -> None:
    assert "not ndarray" in refused(Image(), np.ones((1, 1)), directory / "x.png")
    assert "cannot keep an image of mode RGBA" in refused(Image(), PIL.Image.new("RGBA", (1, 1)), directory / "x.jpg")
    assert "unknown file extension" in refused(Image(), PIL.Image.new("L", (1, 1)), directory / "x.what")
    with pytest.raises(FileNotFoundError):
        Image().save(PIL.Image.new("L", (1, 1)), directory / "none/x.png")


# -- documents

plain = st.recursive(
    texts | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.booleans() | st.dates(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)


@few
@given(st.dictionaries(texts, plain, max_size=3), st.binary(max_size=4))
def test_documents_round_trip(directory: pathlib.Path, value: dict[str, Any], data: bytes) -> None:
    assert through(TOML(), value, directory / "a.toml") == value
    assert through(Bytes(), data, directory / "a.bin") == data
    assert through(Bytes(), memoryview(data), directory / "a.bin") == data


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([1], "saves a mapping, not list"),
        ({"a": {"b": [1, None]}}, "cannot keep 'a.b[1]': TOML has no form for NoneType"),
        ({"a": {1: 2}}, "cannot keep 'a': its key 1 is no text"),
        ({"a": {1, 2}}, "cannot keep 'a': TOML has no form for set"),
    ],
)
def test_toml_names_what_it_cannot_keep(directory: pathlib.Path, value: Any, said: str) -> None:
    assert said in refused(TOML(), value, directory / "refused.toml")


def test_bytes_are_no_text(directory: pathlib.Path) -> None:
    assert refused(Bytes(), "text", directory / "refused") == "loaders.Bytes() saves bytes, not str"


# -- all of them


def test_equal_values_give_equal_files_in_every_process_at_any_time(directory: pathlib.Path) -> None:
    """So a stage that computes the same result again leaves the stages after it up to date."""
    here, there = directory / "here", directory / "there"
    here.mkdir()
    there.mkdir()
    written.write(here)
    env = {**os.environ, "TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7"}
    command = [sys.executable, str(pathlib.Path(written.__file__)), str(there), "40"]
    subprocess.run(command, env=env, check=True)

    files = {file.name: file.read_bytes() for file in here.iterdir()}
    assert files.keys() == written.samples().keys()
    assert [name for name, data in files.items() if (there / name).read_bytes() != data] == []
    classes = {type(loader) for loader, _ in written.samples().values()}
    assert {getattr(pivot_loaders, name) for name in pivot_loaders.__all__} - classes == {Torch}


@pytest.mark.parametrize("name", pivot_loaders.__all__)
def test_every_loader_reads_and_writes_and_is_a_plain_value(name: str) -> None:
    loader = getattr(pivot_loaders, name)()

    assert isinstance(loader, Reader)
    assert isinstance(loader, Writer)
    assert loader == type(loader)()
    assert pickle.loads(pickle.dumps(loader)) == loader
    assert importlib.import_module(type(loader).__module__).__pivot_module__ == "pivot.loaders"


def test_no_library_is_imported_before_it_is_needed() -> None:
    code = (
        "import sys, pivot_loaders\n"
        "assert not [name for name in sys.modules if name.startswith('pivot_loaders.')]\n"
        "for name in pivot_loaders.__all__: getattr(pivot_loaders, name)()\n"
        "print({'PIL', 'joblib', 'matplotlib', 'numpy', 'pandas', 'polars', 'pyarrow', 'torch'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "set()\n"
    with pytest.raises(AttributeError, match="has no attribute 'Another'"):
        getattr(pivot_loaders, "Another")  # noqa: B009  # its name is one of no module


@pytest.mark.parametrize(
    ("loader", "library", "named"),
    [
        (Parquet(), "pandas", "pandas"),
        (Parquet(frame="pyarrow"), "pyarrow.parquet", "pyarrow"),
        (Feather(frame="polars"), "polars", "polars"),
        (PolarsCSV(), "polars", "polars"),
        (Excel(), "openpyxl", "openpyxl"),
        (Npy(), "numpy", "numpy"),
        (Npz(), "numpy", "numpy"),
        (Joblib(), "joblib", "joblib"),
        (Torch(), "torch", "torch"),
        (Safetensors(), "safetensors.numpy", "safetensors"),
        (Figure(), "PIL.Image", "Pillow"),
        (Image(), "PIL.Image", "Pillow"),
    ],
)
def test_a_missing_library_is_an_error_that_names_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, loader: Any, library: str, named: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)

    with pytest.raises(LoaderError) as caught:
        loader.load(tmp_path / "x")
    assert str(caught.value) == f"loaders.{type(loader).__name__} needs {named}, which is not installed"
    assert caught.value.hint == f"install {named}"


def test_a_broken_library_is_not_reported_as_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    (tmp_path / "tomli_w.py").write_text("import no_such_library_of_all")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tomli_w", raising=False)

    with pytest.raises(ModuleNotFoundError, match="no_such_library_of_all"):
        TOML().save({}, tmp_path / "x")
