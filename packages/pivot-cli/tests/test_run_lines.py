"""The output during a run."""

import sys

import pytest

from pivot_cli.reporting.run_lines import RunLines
from pivot_runtime.history import events


@pytest.mark.parametrize("terminal", [True, False])
def test_a_long_import_is_reported_on_a_terminal(
    terminal: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    RunLines()(events.ImportSlow(1.0))

    assert ("importing your pipeline" in capsys.readouterr().err) == terminal
    RunLines()(events.ImportSlow(60.0))
    assert "still importing your pipeline, for 60 s now" in capsys.readouterr().err
