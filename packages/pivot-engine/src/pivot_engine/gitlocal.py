"""The git repository around a project, as this clone has it: what it tracks, and how it merges lock files."""

import pathlib
import shlex
import subprocess
from collections.abc import Sequence
from typing import Final

from pivot_cache.atomic import write_bytes
from pivot_core.paths import STATE_DIR
from pivot_engine import gitcalls
from pivot_engine.errors import EngineError

_DRIVER: Final = "pivot-lock"
_ATTRIBUTES: Final = ".gitattributes"
_LINE: Final = f"/{STATE_DIR}/stages/*.lock merge={_DRIVER}"


class GitSetupError(EngineError):
    """Git cannot be set up for a project."""


def may_track(root: pathlib.Path, path: str) -> bool:
    """Whether something at or below a path of the project has come by git; true also where git cannot tell.

    Links and submodules on the way to it have come by git too, and so has what lies behind them.
    """
    if not _within(root):
        return False
    if (root / path).resolve() != root.resolve() / path:
        return True
    parts = path.split("/")
    way = {"/".join(parts[:length]) for length in range(1, len(parts) + 1)}
    try:
        done = _git(root, "ls-files", "-z", "--", parts[0])
    except OSError:
        return True
    found = done.stdout.split("\0")
    return done.returncode != 0 or any(name in way or name.startswith(f"{path}/") for name in found)


def require(root: pathlib.Path) -> None:
    """Nothing, if there is a repository.

    Raises:
        GitSetupError: There is none.
    """
    if not _within(root):
        raise GitSetupError(f"{root} does not lie in a git repository", hint="git init, and then repeat the command")


def install(root: pathlib.Path, merge: Sequence[str]) -> list[str]:
    """Let git merge the lock files of a project by a command; what is set up already stays as it is.

    Args:
        root: The project's root.
        merge: The command, to which the base, ours, theirs and the path are added.

    Returns:
        What was changed, in words.

    Raises:
        GitSetupError: There is no repository around the project, or git cannot be configured.
    """
    require(root)
    changed = [_ATTRIBUTES] if _add_line(root / _ATTRIBUTES) else []
    driver = f"{shlex.join(merge).replace('%', '%%')} %O %A %B %P"
    for key, value in ((f"merge.{_DRIVER}.name", "Pivot's lock files"), (f"merge.{_DRIVER}.driver", driver)):
        known = _checked(root, "config", "--local", "--default", "", "--get", key).removesuffix("\n")
        if known != value:
            _checked(root, "config", "--local", "--replace-all", key, value)
            changed.append(f"git config {key}")
    return changed


def _add_line(file: pathlib.Path) -> bool:
    try:
        there = file.read_bytes() if file.exists() else b""
        if any(line.strip() == _LINE.encode() for line in there.splitlines()):
            return False
        end = b"" if not there or there.endswith(b"\n") else b"\n"
        write_bytes(file, there + end + f"{_LINE}\n".encode(), durable=True)
    except OSError as error:
        raise GitSetupError(f"cannot write {file}: {error.strerror}", hint=f"add the line yourself: {_LINE}") from None
    return True


def _within(root: pathlib.Path) -> bool:
    return any((above / ".git").exists() for above in (root, *root.parents))


def _checked(root: pathlib.Path, *arguments: str) -> str:
    try:
        done = _git(root, *arguments)
    except OSError as error:
        raise GitSetupError(f"cannot run git: {error.strerror}", hint="install git") from None
    if done.returncode:
        told = done.stderr.strip().splitlines()
        raise GitSetupError(
            f"git {arguments[0]} failed: {told[-1] if told else 'it said nothing'}", hint="see to it, and repeat"
        )
    return done.stdout


def _git(root: pathlib.Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = gitcalls.run(root, *arguments)
    out, err = (each.decode(errors="replace") for each in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)
