"""Matrices: every combination once, each with a name of its own."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_core.pivot_yaml.matrix import MatrixError, combinations

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
        ({"a": [1], "b": [{"x": 1}]}, "a value of 'b' has no name that a stage could have"),
        ({"a": ["x", "x_y"], "b": ["y_z", "z"]}, "two combinations have the name 'x_y_z'"),
    ],
)
def test_values_without_a_name_are_refused(matrix: dict[str, Any], told: str) -> None:
    with pytest.raises(MatrixError, match=told) as raised:
        combinations(matrix)
    assert raised.value.dimension in matrix
