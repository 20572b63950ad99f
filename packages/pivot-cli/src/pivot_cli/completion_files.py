"""Puts the script that completes commands where a shell finds it, and removes it again."""

import os
import pathlib
import re
import shlex
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from typing import Final

import attrs

from pivot_core.errors import PivotError
from pivot_core.values import Value

SHELLS: Final = ("bash", "zsh", "fish")
_BEGIN: Final = "# >>> pivot completion >>>"
_END: Final = "# <<< pivot completion <<<"
_BLOCK: Final = re.compile(rf"(?m)^{_BEGIN}\n(?:(?!# >>>).*\n){{0,5}}{_END}\n?")
_OURS: Final = "_PIVOT_COMPLETE"
"""A text that is in each of our scripts, and in no script of another program."""
_LOADERS: Final = ("_comp_load", "__load_completion", "_completion_loader")
"""Functions of bash-completion, which loads scripts when they are needed."""
_PATIENCE: Final = 5


class ShellFileError(PivotError):
    """A file of a shell cannot be changed."""


@attrs.frozen(eq=False, repr=False)
class FileChange(Value):
    """A file that belongs to a shell, before and after.

    Attributes:
        file: The file.
        before: Its text; None if there is none.
        after: Its next text; None if there will be none.
    """

    file: pathlib.Path
    before: str | None
    after: str | None

    @property
    def added(self) -> str:
        """The text that Pivot puts there: the whole script, or a block of a file that the user has."""
        found = _BLOCK.search(self.after or "")
        return found[0] if found else self.after or ""


def shell_of(environment: Mapping[str, str]) -> str:
    """Return the user's shell.

    Raises:
        ShellFileError: It is unknown, or none of those whose commands Pivot completes.
    """
    name = os.path.basename(environment.get("SHELL", ""))
    if name not in SHELLS:
        shell = f"your shell ({name})" if name else "your shell"
        raise ShellFileError(
            f"{shell} is none of {', '.join(SHELLS)}", hint="name one, as in: pivot completion install bash"
        )
    return name


def installing(shell: str, script: str, environment: Mapping[str, str]) -> list[FileChange]:
    """Return the files that must change so that new shells complete the commands; unchanged ones included.

    Raises:
        ShellFileError: A file is not ours, or cannot be read.
    """
    file = _script_file(shell, environment)
    before = _text_of(file)
    if before is not None and _OURS not in before:
        raise ShellFileError(
            f"{file} exists already, and is not Pivot's", hint="move it away, or use 'pivot completion install --print'"
        )
    changes = [FileChange(file, before, script)]
    start = _start_file(shell, environment)
    if start is not None:
        text = _text_of(start)
        if shell == "zsh" or _BEGIN in (text or "") or not _loads_when_needed(environment):
            changes.append(FileChange(start, text, _with_block(text or "", _block(shell, file))))
    return changes


def removing(shell: str, environment: Mapping[str, str]) -> list[FileChange]:
    """Return the files that must change so that the completion is gone.

    Raises:
        ShellFileError: A file cannot be read.
    """
    changes = []
    file, start = _script_file(shell, environment), _start_file(shell, environment)
    text = _text_of(file)
    if text is not None and _OURS in text:
        changes.append(FileChange(file, text, None))
    text = None if start is None else _text_of(start)
    if start is not None and text is not None and _BLOCK.search(text):
        changes.append(FileChange(start, text, _BLOCK.sub("", text)))
    return changes


def apply(change: FileChange) -> None:
    """Change a file, if it differs: through a symbolic link, with its permissions, and all at once.

    Raises:
        ShellFileError: It cannot be written.
    """
    if change.before == change.after:
        return
    file = pathlib.Path(os.path.realpath(change.file))
    try:
        if change.after is None:
            change.file.unlink()
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("wb", dir=file.parent, prefix=".pivot-", delete=False) as temporary:
            temporary.write(change.after.encode(errors="surrogateescape"))
        mode = stat.S_IMODE(file.stat().st_mode) if file.exists() else 0o644
        os.chmod(temporary.name, mode)
        os.replace(temporary.name, file)
    except OSError as error:
        hint = "'pivot completion install --print' shows what to put where"
        raise ShellFileError(f"cannot write {file}: {error.strerror or error}", hint=hint) from error


def _script_file(shell: str, environment: Mapping[str, str]) -> pathlib.Path:
    home = _home(environment)
    data = _absolute(environment.get("XDG_DATA_HOME")) or home / ".local/share"
    match shell:
        case "bash":
            own = _absolute(environment.get("BASH_COMPLETION_USER_DIR")) or data / "bash-completion"
            return own / "completions" / "pivot"
        case "fish":
            config = _absolute(environment.get("XDG_CONFIG_HOME")) or home / ".config"
            return config / "fish" / "completions" / "pivot.fish"
        case _:
            return data / "pivot" / "completion.zsh"


def _start_file(shell: str, environment: Mapping[str, str]) -> pathlib.Path | None:
    """The file that an interactive shell reads first; fish needs no change of it."""
    match shell:
        case "bash":
            return _home(environment) / ".bashrc"
        case "zsh":
            return (_absolute(environment.get("ZDOTDIR")) or _home(environment)) / ".zshrc"
        case _:
            return None


def _block(shell: str, file: pathlib.Path) -> str:
    name = shlex.quote(str(file))
    lines = [f"if [ -r {name} ]; then . {name}; fi"]
    if shell == "zsh":  # the script needs the system of completions, which may have been started above
        lines.insert(0, "(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i; }")
    return "\n".join([_BEGIN, *lines, _END, ""])


def _with_block(text: str, block: str) -> str:
    if _BLOCK.search(text):
        return _BLOCK.sub(lambda _: block, text, count=1)
    return f"{text}{'' if text.endswith('\n') or not text else '\n'}{block}"


def _loads_when_needed(environment: Mapping[str, str]) -> bool:
    """Whether interactive shells of the user have bash-completion."""
    bash = shutil.which("bash", path=environment.get("PATH"))
    if bash is None:
        return False
    known = " || ".join(f"declare -F {name}" for name in _LOADERS)
    try:
        done = subprocess.run(  # noqa: S603  # the user's own shell
            [bash, "-ic", known],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            start_new_session=True,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _home(environment: Mapping[str, str]) -> pathlib.Path:
    found = _absolute(environment.get("HOME"))
    if found is None:
        raise ShellFileError("your home directory is unknown", hint="set HOME")
    return found


def _absolute(name: str | None) -> pathlib.Path | None:
    return pathlib.Path(name) if name and os.path.isabs(name) else None


def _text_of(file: pathlib.Path) -> str | None:
    try:
        return file.read_bytes().decode(errors="surrogateescape")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ShellFileError(f"cannot read {file}: {error.strerror or error}") from error
