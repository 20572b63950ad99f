"""Problems of a comparison, with their hints."""

import pytest

from pivot_cli.reporting.comparison import report_incomplete


def test_each_hint_follows_its_problems(capsys: pytest.CaptureFixture[str]) -> None:
    problems = [("a is gone", "fetch it"), ("b cannot be drawn", "name a column"), ("c is gone", "fetch it")]

    assert report_incomplete([("old", None)], problems) == 1
    told = "note: old\nerror: a is gone\nerror: c is gone\nhint: fetch it\n"
    assert capsys.readouterr().err == f"{told}error: b cannot be drawn\nhint: name a column\n"
    assert report_incomplete([], []) == 0
