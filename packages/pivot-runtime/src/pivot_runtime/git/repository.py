"""The git repository around a project: the files that it tracks, and its merge driver for lock files."""

import os
import pathlib
import shlex
import subprocess
from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from pivot_cache.files.atomic import write_bytes
from pivot_cache.layout import STAGES, lock_name
from pivot_core.files.paths import STATE_DIR, parent_names, touches
from pivot_core.values import Value
from pivot_runtime.errors import GitSetupError, GitSilentError
from pivot_runtime.git import calls

_DRIVER: Final = "pivot-lock"
_ATTRIBUTES: Final = ".gitattributes"
_PATIENCE_S: Final = 10
_LINES: Final = (f"/{lock_name('*')} merge={_DRIVER}", f"*.pvt merge={_DRIVER}")


def may_track(root: pathlib.Path, path: str) -> bool:
    """Whether something at or below a path of the project came from git; also true if git does not answer.

    Links and submodules on the way to the path, and everything behind them, also count as coming from git.
    """
    if not calls.is_in_repository(root):
        return False
    if (root / path).resolve() != root.resolve() / path:
        return True
    try:
        done = _git(root, "ls-files", "-z", "--", path.partition("/")[0])
    except OSError:
        return True
    found = done.stdout.split("\0")
    return done.returncode != 0 or any(touches(name, path) for name in found)


def unignored(root: pathlib.Path, paths: Sequence[str]) -> list[str]:
    """The paths that no pattern ignores, whether git tracks them or not; a directory ends with a ``/``.

    Paths that git does not see from the project are left out: behind symbolic links, in submodules and other
    repositories.

    Raises:
        GitSilentError: Git does not answer.
    """
    if not paths or not calls.is_in_repository(root):
        return []
    seen = [path for path in paths if not _is_beyond(root, path.rstrip("/"))]
    found = _check_ignore(root, seen, "--no-index")
    return [path for path in seen if path not in found]


def _is_beyond(root: pathlib.Path, path: str) -> bool:
    between = [root / each for each in parent_names(path)]
    return any(os.path.islink(each) or os.path.exists(each / ".git") for each in between)


@attrs.frozen(eq=False, repr=False)
class Ignored(Value):
    """A path that git does not add.

    Attributes:
        path: Relative to the root.
        source: The file with the rule, as git names it.
        line: The line of the rule.
        pattern: The rule.
        around: The ignored directory that contains the path, if the path itself is not ignored.
    """

    path: str
    source: str
    line: int
    pattern: str
    around: str | None = None

    def __str__(self) -> str:
        """``x.pvt is ignored by git: .gitignore:3: /data/``."""
        return f"{self.path} is ignored by git: {self.source}:{self.line}: {self.pattern}"


def ignored(root: pathlib.Path, paths: Sequence[str]) -> list[Ignored]:
    """The paths, among some of a project, that git ignores by default; tracked paths are not ignored.

    Raises:
        GitSilentError: Git does not answer.
    """
    if not paths or not calls.is_in_repository(root):
        return []
    around = [f"{'/'.join(path.split('/')[:end])}/" for path in paths for end in range(1, path.count("/") + 1)]
    found = _check_ignore(root, dict.fromkeys((*paths, *around)))
    given = []
    for path in paths:
        if path in found:
            outer = next((each for each in dict.fromkeys(around) if path.startswith(each) and each in found), None)
            given.append(Ignored(path, *found[path], around=outer))
    return given


def _check_ignore(root: pathlib.Path, paths: Iterable[str], *options: str) -> dict[str, tuple[str, int, str]]:
    asked = b"".join(os.fsencode(path) + b"\0" for path in paths)
    try:
        with calls.start(root, "check-ignore", *options, "-v", "-z", "--stdin", stderr=subprocess.DEVNULL) as asking:
            try:
                answer, _ = asking.communicate(asked, timeout=_PATIENCE_S)
            except subprocess.TimeoutExpired:
                asking.kill()
                raise GitSilentError(
                    f"git does not say within {_PATIENCE_S} s what it ignores",
                    hint="look for a .gitignore that is not a file, or a file system that does not answer",
                ) from None
    except OSError:
        return {}
    fields = [os.fsdecode(field) for field in answer.split(b"\0")]
    found = {}
    for source, line, pattern, path in zip(fields[::4], fields[1::4], fields[2::4], fields[3::4], strict=False):
        if not pattern.startswith("!"):
            found[path] = (source, int(line or 0), pattern)
    return found


def way_out(ignored: Ignored) -> str:
    """A command that makes git add an ignored file."""
    once = f"'git add -f {shlex.quote(ignored.path)}'"
    if ignored.around is None:
        directory = f"**/{STATE_DIR}/{STAGES}/" if ignored.path.startswith(f"{STATE_DIR}/") else ""
        return f"{once}, or write below that line: !{directory}*.{ignored.path.rpartition('.')[2]}"
    base = ignored.pattern.rstrip("/")
    base = base if base.startswith("/") or "/" in base else f"**/{base}"
    suffix = ignored.path.rpartition(".")[2]
    lines = f"{base}/**  !{base}/**/  !{base}/**/*.{suffix}  !{base}/**/.gitignore"
    return f"{once}, or replace that line by these four: {lines}"


def contains(directory: pathlib.Path) -> bool:
    """Return whether a directory is in a repository."""
    return calls.is_in_repository(directory)


def require(root: pathlib.Path) -> None:
    """Check that there is a repository.

    Raises:
        GitSetupError: There is none.
    """
    if not calls.is_in_repository(root):
        raise GitSetupError(f"{root} is not in a git repository", hint="git init, and then repeat the command")


def install(root: pathlib.Path, merge: Sequence[str]) -> list[str]:
    """Make git merge the lock and `.pvt` files of a project with a command; existing settings stay.

    Args:
        root: The project's root.
        merge: The command; the base, ours, theirs and the path are appended.

    Returns:
        Descriptions of the changes.

    Raises:
        GitSetupError: There is no repository around the project, or git cannot be configured.
    """
    require(root)
    changed = [_ATTRIBUTES] if _add_lines(root / _ATTRIBUTES) else []
    driver = f"{shlex.join(merge).replace('%', '%%')} %O %A %B %P"
    for key, value in ((f"merge.{_DRIVER}.name", "Pivot's lock files"), (f"merge.{_DRIVER}.driver", driver)):
        known = _checked(root, "config", "--local", "--default", "", "--get", key).removesuffix("\n")
        if known != value:
            _checked(root, "config", "--local", "--replace-all", key, value)
            changed.append(f"git config {key}")
    return changed


def _add_lines(file: pathlib.Path) -> bool:
    hint = f"add the lines yourself: {' and '.join(_LINES)}"
    if file.is_symlink():
        raise GitSetupError(f"{file} is a symbolic link, which git does not follow", hint=f"put a file there; {hint}")
    try:
        there = file.read_bytes() if file.exists() else b""
        known = {line.strip() for line in there.splitlines()}
        lacking = [line for line in _LINES if line.encode() not in known]
        if not lacking:
            return False
        end = b"" if not there or there.endswith(b"\n") else b"\n"
        write_bytes(file, there + end + "".join(f"{line}\n" for line in lacking).encode(), durable=True, keep_mode=True)
    except OSError as error:
        raise GitSetupError(f"cannot write {file}: {error.strerror}", hint=hint) from None
    return True


def _checked(root: pathlib.Path, *arguments: str) -> str:
    try:
        done = _git(root, *arguments)
    except OSError as error:
        raise GitSetupError(f"cannot run git: {error.strerror}", hint="install git") from None
    if done.returncode:
        answer = done.stderr.strip().splitlines()
        raise GitSetupError(
            f"git {arguments[0]} failed: {answer[-1] if answer else 'no message'}", hint="solve that, and repeat"
        )
    return done.stdout


def _git(root: pathlib.Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    done = calls.run(root, *arguments)
    out, err = (each.decode(errors="replace") for each in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)
