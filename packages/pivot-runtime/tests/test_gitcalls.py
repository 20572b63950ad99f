"""Git is asked about the repository that a directory is in, whatever the environment says."""

import pathlib
import subprocess

import pytest

from pivot_runtime.git import calls


def test_what_a_hook_has_in_its_environment_leads_nowhere_else(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mine", "other"):
        (tmp_path / name).mkdir()
        subprocess.run(["git", "init", "-q"], cwd=tmp_path / name, check=True)
        (tmp_path / name / f"{name}.txt").touch()
        subprocess.run(["git", "add", "."], cwd=tmp_path / name, check=True)
    other = tmp_path / "other"
    listed = calls.run(other, "rev-parse", "--local-env-vars").stdout.decode().split()
    kept = {"GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT"}  # they say how git behaves, and not where
    for name in {*listed, "GIT_NAMESPACE", "GIT_QUARANTINE_PATH"} - kept:
        monkeypatch.setenv(name, str(other / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git/index"))
    monkeypatch.setenv("GIT_LITERAL_PATHSPECS", "1")

    assert calls.run(tmp_path / "mine", "ls-files", "--", "*.txt").stdout == b"mine.txt\n"
    with calls.start(tmp_path / "mine", "rev-parse", "--absolute-git-dir") as process:
        assert process.communicate()[0].decode().rstrip() == str((tmp_path / "mine/.git").resolve())
