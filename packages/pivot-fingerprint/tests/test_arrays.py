"""numpy and pandas objects count by type, shape, names, order and content, not by their layout in memory."""

import pytest

from pivot_fingerprint import fingerprint

numpy = pytest.importorskip("numpy", reason="numpy is no dependency of this package")


def anchor() -> None:
    pass


def digest(value: object) -> str:
    manifest = fingerprint(anchor, values={"value": value})
    assert manifest.unresolved == ()
    return manifest["value"].digest


def all_differ(values: list[object]) -> bool:
    return len({digest(value) for value in values}) == len(values)


def test_arrays_count_by_type_shape_and_content() -> None:
    assert all_differ(
        [
            numpy.array([1, 2, 3, 4]),
            numpy.array([1, 2, 3, 5]),
            numpy.array([1, 2, 3, 4], dtype="int32"),
            numpy.array([1.0, 2, 3, 4]),
            numpy.array([[1, 2], [3, 4]]),
            numpy.array([1, 2, 3, 4], dtype=">i8"),
            numpy.array(["a", 1], dtype=object),
            numpy.array(["a", 2], dtype=object),
            numpy.array([(1, 2.0)], dtype=[("a", int), ("b", float)]),
            numpy.array([]),
            numpy.array(["2020-01-01"], dtype="datetime64[D]"),
            [1, 2, 3, 4],
        ]
    )


def test_the_layout_in_memory_does_not_count() -> None:
    array = numpy.arange(12).reshape(3, 4)

    assert digest(array) == digest(numpy.asfortranarray(array)) == digest(array.T.copy().T)


def test_numpy_scalars_and_types() -> None:
    assert all_differ([numpy.int64(1), numpy.int32(1), numpy.float64(1), 1, numpy.dtype("i4"), numpy.dtype("i8")])


def test_a_random_generator_counts_by_its_state() -> None:
    assert digest(numpy.random.default_rng(1)) == digest(numpy.random.default_rng(1))
    assert digest(numpy.random.default_rng(1)) != digest(numpy.random.default_rng(2))


def test_frames_and_series() -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is no dependency of this package")

    def frame(**columns: object) -> object:
        return pandas.DataFrame(columns or {"a": [1, 2], "b": ["x", "y"]})

    base = frame()
    assert digest(base) == digest(frame())
    assert digest(base) == digest(base.copy())  # type: ignore[attr-defined]
    assert all_differ(
        [
            base,
            frame(a=[1, 3], b=["x", "y"]),
            frame(b=["x", "y"], a=[1, 2]),
            frame(a=[1.0, 2.0], b=["x", "y"]),
            frame(a=[1, 2], c=["x", "y"]),
            base.set_index("a"),  # type: ignore[attr-defined]
            base.astype({"b": "category"}),  # type: ignore[attr-defined]
            base["a"],  # type: ignore[index]
            base["a"].rename("z"),  # type: ignore[index]
            base["a"].astype("Int64"),  # type: ignore[index]
            pandas.Index([1, 2]),
            pandas.MultiIndex.from_tuples([(1, 2)]),
            pandas.Timestamp("2020-01-01"),
            pandas.Timestamp("2020-01-01", tz="UTC"),
            pandas.date_range("2020-01-01", periods=2),
            pandas.NA,
            pandas.NaT,
        ]
    )
