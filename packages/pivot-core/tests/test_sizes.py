"""Amounts of resources: whole numbers, or sizes with a unit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_core.conversion.sizes import amount_of, amount_text
from pivot_core.errors import DefinitionError


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        (1, 1),
        ("2", 2),
        ("8 GiB", 8 * 2**30),
        ("16GiB", 16 * 2**30),
        ("0.5 tib", 2**39),
        (str(2**63 - 1), 2**63 - 1),
        (" 500 MB ", 500_000_000),
        ("1.5 kB", 1500),
        ("64 KiB", 65536),
        ("3 TB", 3 * 10**12),
        ("7 MiB", 7 * 2**20),
        ("9 B", 9),
        ("0.3333 kB", 334),
    ],
)
def test_an_amount_is_a_number_or_a_size(written: object, amount: int) -> None:
    assert amount_of("memory", written, "") == amount


@pytest.mark.parametrize(
    "wrong",
    [
        0,
        -1,
        True,
        None,
        1.5,
        2**63,
        "1" * 20,
        "",
        "0",
        "1.5",
        "8 G",
        "8 GiB/s",
        "-1 GB",
        "0 GiB",
        "1e3",
        "1 2",
        "٣",
        ["1 GB"],
    ],
)
def test_all_else_is_refused_with_an_example(wrong: object) -> None:
    with pytest.raises(DefinitionError, match="memory must be a whole number of at least 1, or a size, not ") as caught:
        amount_of("memory", wrong, 'resources={"memory": "8 GiB"}')
    assert caught.value.hint is not None
    assert caught.value.hint.endswith(': resources={"memory": "8 GiB"}')


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (2, "2"),
        (65536, "65536"),
        (2**20, "1 MiB"),
        (3 * 2**29, "1536 MiB"),
        (8 * 2**30, "8 GiB"),
        (2**40, "1 TiB"),
        (500_000_000, "500 MB"),
        (3 * 10**12, "3 TB"),
        (8_589_934_593, "8589934593"),
    ],
)
def test_a_large_amount_is_shown_as_a_size(amount: int, text: str) -> None:
    assert amount_text(amount) == text


@given(st.integers(1, 2**62) | st.builds(int.__mul__, st.integers(1, 4000), st.sampled_from([10**6, 2**20, 2**30])))
def test_the_text_of_an_amount_means_the_same(amount: int) -> None:
    assert amount_of("memory", amount_text(amount), "") == amount
