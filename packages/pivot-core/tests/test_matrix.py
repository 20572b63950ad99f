"""Matrices: every combination once, each with a name of its own."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_core.pivot_yaml import matrix as variants
from pivot_core.pivot_yaml.matrix import MatrixError, combinations, each_of

NAMES = st.from_regex(r"[a-z0-9]{1,4}", fullmatch=True)


@given(
    st.dictionaries(
        NAMES,
        st.lists(st.integers(0, 99), min_size=1, max_size=3, unique=True)
        | st.dictionaries(NAMES, st.integers(), min_size=1, max_size=3),
        min_size=1,
        max_size=3,
    )
)
def test_every_combination_once(matrix: dict[str, Any]) -> None:
    cells = combinations(matrix)

    assert len(cells) == math.prod(len(values) for values in matrix.values())
    assert len({cell.variant for cell in cells}) == len(cells)
    for cell in cells:
        assert list(cell.values) == list(matrix)
        for dimension, value in cell.values.items():
            values = matrix[dimension]
            assert value in (values.values() if isinstance(values, dict) else values)


def test_the_last_dimension_changes_fastest_and_names_are_those_of_the_values() -> None:
    cells = combinations({"model": ["linear", "tree"], "rate": {"low": 0.1, "high": 0.5}, "n": [0.5]})
    assert [cell.variant for cell in cells] == [
        "linear_low_0-5",
        "linear_high_0-5",
        "tree_low_0-5",
        "tree_high_0-5",
    ]
    assert cells[1].values == {"model": "linear", "rate": 0.5, "n": 0.5}


@pytest.mark.parametrize(
    ("matrix", "told"),
    [
        ({"a": []}, "'a' has no values"),
        ({"a": [1, 1]}, "two values of 'a' have the name '1'"),
        ({"a": [1], "b": [""]}, "a value of 'b' has no name that a stage could have"),
        ({"a": [{"x": 1}, "a0"]}, "two values of 'a' have the name 'a0'"),
        ({"a": ["x", "x_y"], "b": ["y_z", "z"]}, "two combinations have the name 'x_y_z'"),
    ],
)
def test_values_without_a_name_are_refused(matrix: dict[str, Any], told: str) -> None:
    with pytest.raises(MatrixError, match=told) as raised:
        combinations(matrix)
    assert raised.value.dimension in matrix


def test_values_without_a_name_have_that_of_the_dimension_and_their_position() -> None:
    cells = combinations({"model": [{"n": 1}, "b.c", None], "kind": {"x/y": [1]}})
    assert [(cell.variant, cell.key) for cell in cells] == [
        ("model0_x-y", "model0-x/y"),
        ("b-c_x-y", "b.c-x/y"),
        ("None_x-y", "None-x/y"),
    ]
    assert cells[0].values == {"model": {"n": 1}, "kind": [1]}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], []),
        ({}, []),
        (["us", 0.1, True, None], [("us", "us"), ("0-1", 0.1), ("true", True), ("None", None)]),
        ([1, {"a": 1}, [2]], [("0", 1), ("1", {"a": 1}), ("2", [2])]),
    ],
)
def test_one_variant_for_each_value(values: Any, expected: list[Any]) -> None:
    assert [(cell.variant, cell.values) for cell in each_of(values)] == [
        (name, {"item": value}) for name, value in expected
    ]


def test_one_variant_for_each_name_in_a_mapping() -> None:
    (one, two) = each_of({"a.b": 1, "c": [2]})
    assert (one.variant, one.values) == ("a-b", {"item": 1, "key": "a.b"})
    assert (two.variant, two.values) == ("c", {"item": [2], "key": "c"})


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([1, "1"], "two values of 'foreach' have the name '1'"),
        ({"a.b": 1, "a/b": 2}, "two values of 'foreach' have the name 'a-b'"),
        ([""], "a value of 'foreach' has no name"),
        ([1] * (variants.MOST + 1), "there are more than 10,000 stages"),
    ],
)
def test_values_of_each_without_a_name_are_refused(values: Any, told: str) -> None:
    with pytest.raises(MatrixError, match=told) as raised:
        each_of(values)
    assert raised.value.dimension is None
