"""A loader loads again whatever it saves, or refuses it; and nobody pays for a library they do not use."""

import dataclasses
import datetime as dt
import enum
import math
import pathlib
import pickle
import subprocess
import sys
import types
import typing
from collections.abc import Iterator
from typing import Annotated, Any, assert_type

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_core import loaders
from pivot_core.errors import LoaderError
from pivot_core.loaders import CSV, JSON, JSONL, YAML, PathOnly, Pickle, Reader, Text, Writer
from pivot_core.params.classes import Secret

ALL = [PathOnly(), Text(), JSON(), JSONL(), Pickle(), YAML(), CSV()]

texts = st.text(alphabet='aé\u2028\U0001f600"\\\r\n\t #:-', max_size=5)
numbers = st.integers() | st.floats(allow_nan=False)
plain = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return tmp_path_factory.mktemp("loaders") / "file"


@pytest.fixture(scope="module")
def pd() -> Any:
    return pytest.importorskip("pandas", reason="the loader needs pandas")


@pytest.fixture(scope="module")
def yaml() -> Any:
    return pytest.importorskip("yaml", reason="the loader needs PyYAML")


def through[T](loader: Any, value: T, file: pathlib.Path) -> T:
    """Save and load again; nothing is at the path before, as a stage finds it."""
    file.unlink(missing_ok=True)
    loader.save(value, file)
    loaded: T = loader.load(file)
    return loaded


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    return done.stdout


# -- round trips


@given(plain, st.sampled_from([None, 0, 2]))
def test_json_round_trip(file: pathlib.Path, value: Any, indent: int | None) -> None:
    assert through(JSON(indent=indent), value, file) == value


@given(st.lists(plain, max_size=4))
def test_jsonl_round_trip(file: pathlib.Path, value: list[Any]) -> None:
    assert through(JSONL(), value, file) == value
    assert file.read_bytes().count(b"\n") == len(value)


@given(texts, st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_text_round_trip(file: pathlib.Path, value: str, encoding: str) -> None:
    assert through(Text(encoding=encoding), value, file) == value


@given(plain | st.binary(max_size=3) | st.sets(st.integers()))
def test_pickle_round_trip(file: pathlib.Path, value: Any) -> None:
    assert through(Pickle(), value, file) == value
    assert through(Pickle(protocol=2), value, file) == value


@given(plain | st.dates() | st.dictionaries(st.integers() | st.booleans() | st.dates(), texts, max_size=2))
def test_yaml_round_trip(yaml: Any, file: pathlib.Path, value: Any) -> None:
    assert through(YAML(), value, file) == value


columns = st.lists(st.sampled_from(["a", "b", "c d", 'e"f', "g,h", "é"]), min_size=1, max_size=3, unique=True)
cells: list[st.SearchStrategy[Any]] = [
    st.integers(-(2**62), 2**62),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.text(alphabet='xyz,"é \n', min_size=1, max_size=4).map(lambda text: f"x{text}"),
]


@given(st.data())
def test_csv_round_trip(pd: Any, file: pathlib.Path, data: st.DataObject) -> None:
    names = data.draw(columns)
    size = data.draw(st.integers(1, 4))
    frame = pd.DataFrame(
        {name: data.draw(st.lists(data.draw(st.sampled_from(cells)), min_size=size, max_size=size)) for name in names}
    )
    sep = data.draw(st.sampled_from([",", ";", "\t"]))

    pd.testing.assert_frame_equal(through(CSV(sep=sep), frame, file), frame, check_exact=True)


@given(st.data())
def test_csv_round_trip_with_index(pd: Any, file: pathlib.Path, data: st.DataObject) -> None:
    """One column or several, named by the loader, are the frame's index again."""
    names = data.draw(st.sampled_from([("id",), ("id", "year")]))
    rows = data.draw(st.lists(st.tuples(*[st.integers(-5, 5) for _ in names]), min_size=1, max_size=4))
    index = (
        pd.MultiIndex.from_tuples(rows, names=names)
        if len(names) > 1
        else pd.Index([row[0] for row in rows], name=names[0])
    )
    frame = pd.DataFrame({"value": [float(number) for number in range(len(rows))]}, index=index)
    loader = CSV(index=names if len(names) > 1 else names[0])

    pd.testing.assert_frame_equal(through(loader, frame, file), frame)
    pd.testing.assert_frame_equal(through(CSV(index=names), frame, file), frame)


def test_csv_types_of_columns(pd: Any, file: pathlib.Path) -> None:
    """The loader supplies types that text does not have."""
    frame = pd.DataFrame({"code": ["007", "0"], "when": pd.to_datetime(["2024-01-02", "2024-02-03"]), "n": [1, 2]})
    loader = CSV(dtype={"code": "str", "n": "int8"}, parse_dates=("when",))
    loaded = through(loader, frame.astype({"n": "int8"}), file)

    assert list(loaded["code"]) == ["007", "0"]
    assert list(loaded["when"]) == list(frame["when"])
    assert loaded["n"].dtype == "int8"


def test_csv_unnamed_numbering_of_rows_is_not_written(pd: Any, file: pathlib.Path) -> None:
    frame = pd.DataFrame({"a": [1, 2, 3]}).query("a > 1")

    assert list(frame.index) == [1, 2]
    assert list(through(CSV(), frame, file).index) == [0, 1]
    assert file.read_text() == "a\n2\n3\n"


@pytest.mark.parametrize("index", [None, ()])
def test_csv_without_rows_keeps_its_columns(pd: Any, file: pathlib.Path, index: tuple[str, ...] | None) -> None:

    assert list(through(CSV(index=index), pd.DataFrame({"a": [], "b": []}), file).columns) == ["a", "b"]


# -- values that are no JSON data themselves


class Colour(enum.Enum):
    RED = "red"
    WHEN = dt.date(2024, 1, 2)
    MANY = (1, 2)


@dataclasses.dataclass
class Point:
    x: int
    tags: tuple[str, ...] = ()
    kind: typing.ClassVar[str] = "point"


@attrs.frozen
class Line:
    start: Point
    _width: float = 0.5


@attrs.frozen
class Login:
    name: str
    password: Annotated[str, Secret]


class Model:
    """As of pydantic, which has a method of its own for this."""

    def model_dump(self) -> None:
        pass


class Tensor:
    """As of torch: its types have no kind."""

    __module__ = "torch"

    def __init__(self, *values: float, shape: tuple[int, ...]) -> None:
        self.values, self.shape, self.dtype = values, shape, object()

    def item(self) -> float:
        return self.values[0]

    def __iter__(self) -> Iterator["Tensor"]:
        return iter([Tensor(value, shape=()) for value in self.values])


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (dt.date(2024, 1, 2), "2024-01-02"),
        ({"a": [dt.datetime(2024, 1, 2, 3, tzinfo=dt.UTC)]}, {"a": ["2024-01-02T03:00:00+00:00"]}),
        ([dt.time(3, 4), dt.timedelta(minutes=1, milliseconds=500)], ["03:04:00", 60.5]),
        ({pathlib.Path("a/b"): pathlib.PurePosixPath("c")}, {"a/b": "c"}),
        ([Colour.RED, Colour.WHEN, Colour.MANY], ["red", "2024-01-02", [1, 2]]),
        ({Colour.RED: 1}, {"red": 1}),
        (Point(1, ("a",)), {"x": 1, "tags": ["a"]}),
        ({"line": Line(Point(1))}, {"line": {"start": {"x": 1, "tags": []}, "_width": 0.5}}),
        (types.MappingProxyType({1: dt.date(2024, 1, 2)}), {"1": "2024-01-02"}),
        ([Tensor(0.5, shape=()), Tensor(1, 2, shape=(2,))], [0.5, [1, 2]]),
    ],
)
def test_json_of_values_of_other_types(file: pathlib.Path, value: object, data: object) -> None:
    """They come back as the JSON data that they are written as, also within other values."""
    assert through(JSON(), value, file) == data
    assert through(JSONL(), [{"in": value}, 1], file) == [{"in": data}, 1]


def test_json_of_scalars_and_arrays_of_numpy(pd: Any, file: pathlib.Path) -> None:
    import numpy as np

    scalars = [np.int64(3), np.float32(0.5), np.bool_(True), np.str_("é"), np.array(7), np.datetime64("2024-01-02")]
    assert through(JSON(), scalars, file) == [3, 0.5, True, "é", 7, "2024-01-02"]
    assert file.read_text(encoding="utf-8").splitlines()[1:4] == ["  3,", "  0.5,", "  true,"]
    assert through(JSON(), {np.int64(1): np.timedelta64(2, "m"), "never": np.datetime64("NaT", "D")}, file) == {
        "1": 120.0,
        "never": None,
    }
    assert through(JSON(), np.array([[1, 2], [3, 4]]), file) == [[1, 2], [3, 4]]
    assert through(JSON(), {"a": np.array(["2024-01-02", "NaT"], "M8[D]")}, file) == {"a": ["2024-01-02", None]}
    assert through(JSON(), np.array([{"a": np.int8(1)}, "x"], object), file) == [{"a": 1}, "x"]
    assert math.isnan(through(JSON(), [np.float32("nan")], file)[0])
    assert refused(JSON(), {"a": np.complex128(1j)}, file).startswith("loaders.JSON() cannot keep 'a': ")
    assert refused(JSON(), np.longdouble(1), file).endswith("JSON has no form for a longdouble")
    assert refused(JSON(), [np.timedelta64(2, "M")], file).endswith("'[0]': '2 months' has no fixed length")


def test_json_of_scalars_of_pandas(pd: Any, file: pathlib.Path) -> None:
    scalars = [pd.Timestamp("2024-01-02 03:04"), pd.Timedelta("1min"), pd.Period("2024-01"), pd.NA, pd.NaT]
    assert through(JSON(), scalars, file) == ["2024-01-02T03:04:00", 60.0, "2024-01", None, None]
    assert "an Interval" in refused(JSON(), pd.Interval(0, 1), file)
    file.unlink(missing_ok=True)
    with pytest.raises(LoaderError, match="'a': JSON has no form for a DataFrame") as caught:
        JSON().save({"a": pd.DataFrame()}, file)
    assert "loaders.CSV()" in (caught.value.hint or "")


# -- files as people write them


def test_json_of_any_unicode_encoding(file: pathlib.Path) -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        file.write_bytes('{"é": 1}'.encode(encoding))
        assert JSON().load(file) == {"é": 1}


def test_json_is_readable_and_ends_with_a_newline(file: pathlib.Path) -> None:
    JSON().save({"b": "é", "a": [1]}, file)
    assert file.read_text(encoding="utf-8") == '{\n  "b": "é",\n  "a": [\n    1\n  ]\n}\n'

    JSON(indent=None, sort_keys=True).save({"b": 1, "a": math.inf}, file)
    assert file.read_text() == '{"a": Infinity, "b": 1}\n'


@pytest.mark.parametrize("loader", [JSON(), JSON(sort_keys=True)])
def test_json_of_a_lone_surrogate(file: pathlib.Path, loader: JSON) -> None:
    """File names that are no UTF-8 are such texts."""
    assert through(loader, ["\udc80", {"\ud800": "é"}], file) == ["\udc80", {"\ud800": "é"}]


def test_json_not_a_number(file: pathlib.Path) -> None:
    assert math.isnan(through(JSON(), math.nan, file))


def test_jsonl_passes_over_blank_lines_and_takes_any_line_end(file: pathlib.Path) -> None:
    file.write_bytes(b'{"a": 1}\r\n\n  \n[2]\n"\xc3\xa9"')

    assert JSONL().load(file) == [{"a": 1}, [2], "é"]


def test_jsonl_saves_any_iterable_of_items(file: pathlib.Path) -> None:
    JSONL(sort_keys=True).save(({"b": number, "a": 0} for number in range(2)), file)

    assert file.read_text() == '{"a": 0, "b": 0}\n{"a": 0, "b": 1}\n'


def test_text_keeps_line_ends(file: pathlib.Path) -> None:
    Text().save("a\r\nb\rc\n", file)

    assert file.read_bytes() == b"a\r\nb\rc\n"
    assert Text().load(file) == "a\r\nb\rc\n"


def test_yaml_is_readable(yaml: Any, file: pathlib.Path) -> None:
    YAML().save({"b": "é", "a": [1, None]}, file)
    assert file.read_text(encoding="utf-8") == "b: é\na:\n- 1\n- null\n"
    YAML(sort_keys=True).save({"b": 1, "a": 2}, file)
    assert file.read_text() == "a: 2\nb: 1\n"


def test_yaml_builds_no_objects(yaml: Any, file: pathlib.Path) -> None:
    file.write_text("!!python/object/apply:os.getcwd []")

    with pytest.raises(yaml.YAMLError, match="could not determine a constructor"):
        YAML().load(file)
    with pytest.raises(yaml.YAMLError, match="cannot represent an object"):
        YAML().save(object(), file)


def test_merge_keys_mean_the_same_in_all_versions_of_pyyaml(tmp_path: pathlib.Path, yaml: Any) -> None:
    """A merged mapping has itself been merged before; the first of several wins; all gives way to what is there."""
    file = tmp_path / "x.yaml"
    file.write_text(
        "o: &o {x: 1, y: 2}\nb: &b\n  <<: *o\n  x: 10\nl: &l {x: 5, z: 1}\n"
        "a:\n  <<: [*b, *l]\nc:\n  <<: *b\n  y: 3\nd: &d\n  <<: [*d, *o]\n  =: 1\n"
    )

    found = YAML().load(file)

    assert list(found["a"].items()) == [("x", 10), ("z", 1), ("y", 2)]
    assert found["c"] == {"x": 10, "y": 3}
    assert found["d"] == {"x": 1, "y": 2, "=": 1}
    file.write_text("a:\n  <<: [1]\n")
    with pytest.raises(yaml.YAMLError, match="for merging"):
        YAML().load(file)


# -- refusals


def refused(loader: Any, value: object, file: pathlib.Path) -> str:
    """The message; and nothing was written."""
    file.unlink(missing_ok=True)
    with pytest.raises(LoaderError) as caught:
        loader.save(value, file)

    assert caught.value.hint
    assert caught.value.exit_code == 1
    assert not file.exists()
    return str(caught.value)


@pytest.mark.parametrize("value", [b"bytes", 3, None, ["a"]])
def test_text_saves_text_only(file: pathlib.Path, value: object) -> None:
    assert refused(Text(), value, file) == f"loaders.Text() saves a str, not {type(value).__name__}"


@pytest.mark.parametrize("value", ["text", b"bytes", {"a": 1}, None, 3])
def test_jsonl_saves_items_only(file: pathlib.Path, value: object) -> None:
    """The letters of a text and the keys of a dict are hardly what the user meant."""
    assert refused(JSONL(), value, file) == f"loaders.JSONL() saves a list of values, not {type(value).__name__}"


@pytest.mark.parametrize(
    ("value", "said", "hint"),
    [
        ({"a": {1, 2}}, "'a': JSON has no form for a set", "sorted(...)"),
        ({"a": [1, {"b c": frozenset[int]()}]}, "\"a[1]['b c']\": JSON has no form for a frozenset", "sorted(...)"),
        ([b"x"], "'[0]': JSON has no form for a bytes", "loaders.Bytes()"),
        (1j, "the value: JSON has no form for a complex", "loaders.Pickle()"),
        ({"f": len}, "'f': JSON has no form for a builtin_function_or_method", "loaders.Pickle()"),
        ({"k": Point}, "'k': JSON has no form for the class Point", "loaders.Pickle()"),
        ([(each for each in "ab")], "'[0]': JSON has no form for a generator", "return a list"),
        ({(1, 2): 3}, "the value: its key (1, 2) is no text", "a list of pairs"),
        ({"a": {Colour.MANY: 3}}, "'a': its key <Colour.MANY: (1, 2)> is no text", "a list of pairs"),
        ({dt.date(2024, 1, 2): 1, "2024-01-02": 2}, "the value: two of its keys are written as '2024-01-02'", "rename"),
        ({"me": Login("me", "hunter2")}, "'me.password': it is a secret", "without it"),
        (Login("me", "hunter2"), "'password': it is a secret", "without it"),
        (Model(), "the value: JSON has no form for a Model", "model_dump(mode='json')"),
    ],
)
def test_json_names_the_part_that_it_cannot_keep(file: pathlib.Path, value: object, said: str, hint: str) -> None:
    file.unlink(missing_ok=True)

    with pytest.raises(LoaderError) as caught:
        JSON().save(value, file)
    assert str(caught.value) == f"loaders.JSON() cannot keep {said}"
    assert hint in (caught.value.hint or "")
    assert not file.exists()


def test_json_of_values_that_contain_themselves_or_are_too_deep(file: pathlib.Path) -> None:
    loop: dict[str, Any] = {"a": [1]}
    loop["a"].append(loop)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    assert refused(JSON(), loop, file) == "loaders.JSON() cannot keep 'a[1]': it contains itself"
    assert refused(JSON(), deep, file) == "loaders.JSON() cannot keep the value: it is nested too deeply"
    assert through(JSON(), {"a": (shared := [dt.date(2024, 1, 2)]), "b": shared}, file)["b"] == ["2024-01-02"]


def test_json_keys_that_cannot_be_sorted(file: pathlib.Path) -> None:
    said = "loaders.JSON() cannot keep 'a': keys of different types cannot be sorted"

    assert refused(JSON(sort_keys=True), {"a": {"b": 1, 2: 3}}, file) == said
    assert through(JSON(sort_keys=True), {dt.date(2024, 1, 2): 1, "a": 2}, file) == {"2024-01-02": 1, "a": 2}


def test_jsonl_names_the_item_and_the_part_that_it_cannot_keep(file: pathlib.Path) -> None:
    with pytest.raises(LoaderError, match=r"loaders.JSONL\(\) cannot keep '\[1\].a'"):
        JSONL().save([{"a": dt.date(2024, 1, 2)}, {"a": {1}}], file)


def test_csv_saves_frames_only(pd: Any, file: pathlib.Path) -> None:
    assert refused(CSV(), [{"a": 1}], file) == "loaders.CSV() saves a pandas DataFrame, not list"


@pytest.mark.parametrize(
    ("make", "index", "said"),
    [
        ("pd.DataFrame({'a': [1]}, index=pd.Index([7], name='id'))", None, "the frame's index is ['id'], but"),
        ("pd.DataFrame({'a': [1]})", "id", "the frame's index is [None], but loaders.CSV() would keep ['id']"),
        ("pd.DataFrame({'a': [1], 'id': [2]}).set_index(['id', 'a'])", ("a", "id"), "the frame's index is ['id', 'a']"),
        ("pd.DataFrame({'a': [1]}, index=['x'])", None, "the frame's index is [None], but"),
        ("pd.DataFrame({'a': [1, 2]}).describe()", None, "the frame's index is [None], but"),
        (
            "pd.DataFrame({'a': [1]}, index=pd.MultiIndex.from_tuples([(1, 2)]))",
            None,
            "the frame's index is [None, None]",
        ),
        (
            "pd.DataFrame({'a': [1]}, index=pd.MultiIndex.from_tuples([(1, 2)], names=['id', None]))",
            "id",
            "the frame's index is ['id', None], but",
        ),
        ("pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([('a', 'b')]))", None, "columns of several levels"),
        ("pd.DataFrame([[1, 2]], columns=['a', 'a'])", None, "columns that share a name: 'a'"),
        ("pd.DataFrame({'a': [1]}, index=pd.Index([7], name='a'))", "a", "columns that share a name: 'a'"),
        ("pd.DataFrame([[1, 2]])", None, "column names that are not strings: 0, 1"),
        ("pd.DataFrame([[1]], columns=[''])", None, "column names that are not strings: ''"),
        ("pd.DataFrame()", None, "a frame without columns"),
        ("pd.DataFrame(index=[0, 1])", None, "a frame without columns"),
    ],
)
def test_csv_refuses_what_it_would_lose(
    pd: Any, file: pathlib.Path, make: str, index: str | tuple[str, ...] | None, said: str
) -> None:

    assert said in refused(CSV(index=index), eval(make, {"pd": pd}), file)


# -- paths


def test_path_only_gives_the_declared_path() -> None:
    path = pathlib.Path("data/raw.bin")

    assert PathOnly().load(path) == path


def test_path_only_takes_the_declared_path_however_it_is_written(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = pathlib.Path("data/x.bin")
    path.parent.mkdir()
    path.write_bytes(b"x")

    for returned in (path, "data/x.bin", "./data/../data/x.bin", tmp_path / path):
        PathOnly().save(returned, path)
    assert path.read_bytes() == b"x"


def test_path_only_takes_a_directory(tmp_path: pathlib.Path) -> None:
    PathOnly().save(tmp_path, tmp_path)


def test_path_only_takes_no_link_that_leads_nowhere(tmp_path: pathlib.Path) -> None:
    link = tmp_path / "x.bin"
    link.symlink_to("nowhere")

    with pytest.raises(LoaderError, match="did not write it"):
        PathOnly().save(link, link)


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ("other.bin", "the stage returned the path 'other.bin', but its Out declares 'x.bin'"),
        (pathlib.Path("x.bin"), "the stage returned 'x.bin' but did not write it"),
        (None, "the stage returned NoneType for 'x.bin', whose loader is PathOnly()"),
        ({"a": 1}, "the stage returned dict for 'x.bin', whose loader is PathOnly()"),
        (b"x.bin", "the stage returned bytes for 'x.bin', whose loader is PathOnly()"),
    ],
)
def test_path_only_refuses(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, returned: object, said: str
) -> None:
    monkeypatch.chdir(tmp_path)

    assert refused(PathOnly(), returned, pathlib.Path("x.bin")) == said


# -- loaders as values


@pytest.mark.parametrize("loader", ALL, ids=lambda loader: type(loader).__name__)
def test_every_loader_reads_and_writes_and_is_a_plain_value(loader: Any) -> None:
    assert isinstance(loader, Reader)
    assert isinstance(loader, Writer)
    assert loader == type(loader)()
    assert pickle.loads(pickle.dumps(loader)) == loader
    with pytest.raises(AttributeError):
        loader.sep = 1  # type: ignore[attr-defined]


def test_all_public_loaders_are_tested() -> None:
    public = {
        value
        for value in vars(loaders).values()
        if isinstance(value, type) and value.__module__ == loaders.__name__ and value not in (Reader, Writer)
    }

    assert public == {type(loader) for loader in ALL}


def test_static_types(tmp_path: pathlib.Path) -> None:
    """The types that a type checker sees; checked by mypy, and run to keep it true."""
    path = tmp_path / "x"
    Text().save("[1]", path)

    assert_type(Text().load(path), str)
    assert_type(JSON().load(path), Any)
    assert_type(JSONL().load(path), list[Any])
    assert_type(PathOnly().load(path), pathlib.Path)
    reader: Reader[str] = Text()
    writer: Writer[str] = Text()
    writer.save(reader.load(path), path)


# -- heavy libraries


def test_importing_the_loaders_imports_no_heavy_library() -> None:
    out = run_python(
        "import sys, pivot_core.loaders, pivot_core.pipeline\n"
        "print({'yaml', 'pandas', 'numpy', 'hypothesis', 'asyncio'} & sys.modules.keys())"
    )

    assert out == "set()\n"


@pytest.mark.parametrize(
    ("library", "call", "said", "hint"),
    [
        ("yaml", "YAML().load(path)", "loaders.YAML needs PyYAML, which is not installed", "install PyYAML"),
        ("yaml", "YAML().save({}, path)", "loaders.YAML needs PyYAML, which is not installed", "install PyYAML"),
        ("pandas", "CSV().load(path)", "loaders.CSV needs pandas, which is not installed", "install pandas"),
        ("pandas", "CSV().save({}, path)", "loaders.CSV needs pandas, which is not installed", "install pandas"),
    ],
)
def test_a_missing_library_is_an_error_that_names_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, library: str, call: str, said: str, hint: str
) -> None:
    monkeypatch.setitem(sys.modules, library, None)

    with pytest.raises(LoaderError) as caught:
        eval(call, {"YAML": YAML, "CSV": CSV, "path": tmp_path / "x"})
    assert str(caught.value) == said
    assert caught.value.hint == hint


@pytest.mark.parametrize(("library", "loader"), [("yaml", YAML()), ("pandas", CSV())])
def test_broken_library_is_not_reported_as_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, library: str, loader: Any
) -> None:
    (tmp_path / f"{library}.py").write_text("import no_such_library_of_all")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, library, raising=False)

    with pytest.raises(ModuleNotFoundError, match="no_such_library_of_all"):
        loader.load(tmp_path / "x")
