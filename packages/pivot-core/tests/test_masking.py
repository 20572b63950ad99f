"""Values that may be secrets are recognised by whole words in their names."""

from typing import Any

import pytest

from pivot_core.conversion.masking import HIDDEN, is_secret_name, masked_urls, public


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "db.password",
        "DB_PASSWORD",
        "dbPassword",
        "api_key",
        "apiKey",
        "APIKey",
        "key",
        "x-token",
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["monkey", "keys", "tokenizer", "max_tokens", "author", "design", "passes", ""])
def test_other_names(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain", "plain"),
        (3, 3),
        (["https://me:pw@e.org/a", 1], ["https://***@e.org/a", 1]),
        ({"a": [{"token": "x", "user": "u"}]}, {"a": [{"token": HIDDEN, "user": "u"}]}),
    ],
)
def test_parts_of_values_are_hidden(value: Any, shown: Any) -> None:
    assert public(value, "host") == shown
    assert public(value, "host.password") == HIDDEN


def test_urls_in_texts_are_masked() -> None:
    assert masked_urls("at s3://b/x?X-Amz-Signature=s&a=1") == "at s3://b/x?X-Amz-Signature=***&a=1"
    assert masked_urls("a://me:p@w@e.org/@b c://u@f.org") == "a://***@e.org/@b c://***@f.org"
