"""Names that some file systems take for equal."""

import pathlib
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_runtime.project import name_case


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a/Data.csv", "a/data.CSV"),
        ("straße", "STRASSE"),
        ("\u00e9", "e\u0301"),
        ("\u00c9", "e\u0301"),
        ("\u017f", "S"),
    ],
)
def test_names_that_are_one_there(one: str, other: str) -> None:
    assert name_case.clashes([one, "b", other]) == {one: other, other: one}


@given(st.text(st.characters(blacklist_categories=["Cs"])))
def test_every_form_of_a_name_is_the_same(name: str) -> None:
    forms = {unicodedata.normalize(form, name) for form in ("NFC", "NFD")} | {name}
    assert name_case.clashes(forms).keys() == (forms if len(forms) > 1 else set())


def test_a_name_is_never_one_with_itself_or_with_another_name() -> None:
    assert name_case.clashes(["a", "a", "b", "a/b"]) == {}


def test_the_file_system_is_asked(tmp_path: pathlib.Path) -> None:
    assert not name_case.ignores_case(tmp_path)
    (tmp_path / ".pivot").mkdir()
    there = name_case.ignores_case(tmp_path)
    (tmp_path / "a").touch()
    assert there == (tmp_path / "A").exists()
