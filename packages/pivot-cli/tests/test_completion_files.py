"""Completion installs itself: where shells look for it, once, beside what the user has there."""

import os
import pathlib
import shutil
import subprocess

import pytest

from pivot_cli import app

BLOCK = "# >>> pivot completion >>>"


@pytest.fixture
def home(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "ZDOTDIR", "BASH_COMPLETION_USER_DIR", "BASH_ENV"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELL", "/bin/zsh")
    return tmp_path


def snapshot(home: pathlib.Path) -> dict[str, bytes]:
    return {str(file.relative_to(home)): file.read_bytes() for file in home.rglob("*") if file.is_file()}


def test_a_start_file_gets_one_block_and_keeps_its_rest(home: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = home / "dotfiles"
    kept.write_bytes(b"alias p=pivot  # \xff")
    kept.chmod(0o600)
    (home / ".zshrc").symlink_to(kept)

    assert app.run(["completion", "install", "--print"]) == 0
    assert snapshot(home).keys() == {"dotfiles", ".zshrc"}
    assert BLOCK in capsys.readouterr().out

    assert app.run(["completion", "install"]) == 0
    after = snapshot(home)
    assert app.run(["completion", "install", "zsh"]) == 0

    assert snapshot(home) == after
    assert (home / ".zshrc").is_symlink()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.read_bytes().startswith(b"alias p=pivot  # \xff\n# >>> pivot completion >>>\n")
    script = home / ".local/share/pivot/completion.zsh"
    assert "#compdef pivot" in script.read_text()
    assert f"Already in {script}\n" in capsys.readouterr().out

    assert app.run(["completion", "uninstall"]) == 0
    assert snapshot(home) == {"dotfiles": b"alias p=pivot  # \xff\n", ".zshrc": b"alias p=pivot  # \xff\n"}
    assert app.run(["completion", "uninstall"]) == 0
    assert "Nothing is installed for zsh\n" in capsys.readouterr().out


def test_fish_needs_one_file_and_a_script_of_others_stays(
    home: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = home / ".config/fish/completions/pivot.fish"
    assert app.run(["completion", "install", "fish"]) == 0
    assert snapshot(home).keys() == {".config/fish/completions/pivot.fish"}

    file.write_text("complete --command pivot  # of another program")
    assert app.run(["completion", "install", "fish"]) == 2
    assert app.run(["completion", "uninstall", "fish"]) == 0
    assert "of another program" in file.read_text()
    assert "is not Pivot's" in capsys.readouterr().err


def test_an_unknown_shell_is_an_error(
    home: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    assert app.run(["completion", "install"]) == 2
    assert "hint: name one, as in: pivot completion install bash" in capsys.readouterr().err

    (home / ".config").write_text("no directory")
    assert app.run(["completion", "install", "fish"]) == 2
    assert snapshot(home).keys() == {".config"}


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_loads_the_script_at_its_start(home: pathlib.Path) -> None:
    """Or bash-completion does, when it is needed."""
    assert app.run(["completion", "install", "bash"]) == 0

    words = ["bash", "-ic", "complete -p pivot"]
    done = subprocess.run(
        words, env={**os.environ}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
    )

    assert "-F _pivot_completion pivot" in done.stdout
