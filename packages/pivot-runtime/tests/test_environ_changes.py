"""The effects of an import on the environment."""

import pathlib

import pytest

from pivot_runtime.definitions.params import secret_digest
from pivot_runtime.fingerprints.environ_changes import changed_digests, named_by


def test_only_what_is_not_as_it_was(tmp_path: pathlib.Path) -> None:
    before = {"SAME": "1", "OTHER": "1", "GONE": "1"}
    found = changed_digests(before, {"SAME": "1", "OTHER": "2", "NEW": "3"}, tmp_path / "memory")

    assert found == {"GONE": "", "NEW": secret_digest("", "env:NEW", "3"), "OTHER": secret_digest("", "env:OTHER", "2")}
    assert changed_digests(before, before, tmp_path / "none") == {}
    assert not (tmp_path / "none").exists()


def test_a_known_value_is_not_hashed_again(tmp_path: pathlib.Path) -> None:
    memory = tmp_path / "state" / "memory"
    first = changed_digests({}, {"A": "secret", "B": "2"}, memory)
    assert "secret" not in memory.read_text()
    memory.write_text(memory.read_text().replace(first["A"], "as it was kept"))

    assert changed_digests({}, {"A": "secret", "B": "3"}, memory) == {
        "A": "as it was kept",
        "B": secret_digest("", "env:B", "3"),
    }


@pytest.mark.parametrize("damaged", ["", "[]", '{"": 1}', '{"a": "b"', "\0"])
def test_a_damaged_memory_is_none(tmp_path: pathlib.Path, damaged: str) -> None:
    memory = tmp_path / "memory"
    memory.write_text(damaged)

    assert changed_digests({}, {"A": "1"}, memory) == {"A": secret_digest("", "env:A", "1")}


def test_a_memory_that_cannot_be_written(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("")

    assert changed_digests({}, {"A": "\udcff"}, tmp_path / "file" / "memory").keys() == {"A"}


def test_the_variables_that_a_command_names() -> None:
    known = dict.fromkeys(("RATE", "NAME", "OTHER"), "digest")

    assert named_by("run $RATE --name=${NAME:-x} OTHER $OTHERS", known).keys() == {"RATE", "NAME"}
