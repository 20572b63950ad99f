"""Durations: seconds, or a number with a unit."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_core.conversion.durations import seconds_of
from pivot_core.errors import DefinitionError

UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


@given(st.integers(1, 10**6), st.sampled_from(sorted(UNITS)))
def test_a_text_is_a_number_with_a_unit(number: int, unit: str) -> None:
    assert seconds_of("ttl", f"{number}{unit}", "") == number * UNITS[unit]


def test_a_number_is_seconds() -> None:
    assert seconds_of("ttl", 90, "") == seconds_of("ttl", " 1.5 m ", "") == 90.0


@pytest.mark.parametrize("wrong", [0, -1, True, None, math.inf, math.nan, "", "d", "1y", "-1d", "0s", "1d2h", ["1d"]])
def test_all_else_is_refused_with_an_example(wrong: object) -> None:
    with pytest.raises(DefinitionError, match="ttl must be a duration above 0") as caught:
        seconds_of("ttl", wrong, "1d")
    assert caught.value.hint is not None
    assert caught.value.hint.endswith(", such as 1d")
