"""The wording that errors share."""

from pivot_core.errors import list_names, suggest


def test_long_lists_are_cut() -> None:
    assert list_names(list("abcde")) == "a, b, c and 2 more"
    assert list_names(list("abc")) == "a, b, c"
    assert list_names(list("abc"), 1) == "a and 2 more"
    assert list_names([]) == ""


def test_names_that_are_alike_are_suggested() -> None:
    known = ["train", "trail", "evaluate"]

    assert suggest("trein", known) == "did you mean train?"
    assert suggest("trai", known, most=2, format_name=repr) == "did you mean 'train' or 'trail'?"
    assert suggest("eva", known) == "did you mean evaluate?"
    assert suggest("ev", known) is None
    assert suggest("deploy", known) is None
