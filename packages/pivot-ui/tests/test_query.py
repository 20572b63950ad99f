"""Parameters of questions."""

import pytest

from pivot_ui.api.query import Query
from pivot_ui.errors import BadQueryError


def test_parameters_are_texts_and_numbers() -> None:
    query = Query({"path": "a/b", "limit": "20"})

    assert query.text("path") == "a/b"
    assert query.text("side", "workspace") == "workspace"
    assert query.number("limit", 50, 1, 200) == 20
    assert query.number("offset", 0) == 0


@pytest.mark.parametrize("value", ["", "-1", "0", "201", "1.5", "1e2", "٣", "9" * 5000, "0x10", " 7", "NaN"])
def test_a_number_that_is_none_or_out_of_range_is_refused(value: str) -> None:
    with pytest.raises(BadQueryError):
        Query({"limit": value}).number("limit", 50, 1, 200)


def test_what_is_missing_or_has_a_null_character_is_refused() -> None:
    with pytest.raises(BadQueryError):
        Query({}).text("path")
    with pytest.raises(BadQueryError):
        Query({}).number("run")
    with pytest.raises(BadQueryError):
        Query({"path": "a\0b"}).text("path")
