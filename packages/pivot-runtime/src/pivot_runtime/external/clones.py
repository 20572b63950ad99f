"""Private clones of other git repositories: the user's git fetches one revision, without a working tree."""

import contextlib
import os
import pathlib
import tempfile
from types import TracebackType
from typing import Final, Self

import attrs

from pivot_core.errors import suggest
from pivot_core.values import Value
from pivot_runtime.errors import RepositoryError, RevisionError, TargetError
from pivot_runtime.external import urls
from pivot_runtime.git import calls, commits

_HEAD: Final = "FETCH_HEAD"
_BRANCHES: Final = "refs/remotes/origin/"
_LOGIN: Final = "check the URL, the network, and that 'git ls-remote' can read the repository without a question"


@attrs.frozen(eq=False, repr=False)
class RepositoryLocation(Value):
    """Where a repository is.

    Attributes:
        url: The address that git fetches from.
        recorded: The form that is recorded: without secrets, a directory relative to the root of the project.
        directory: The directory on this machine; None for a URL.
    """

    url: str
    recorded: str
    directory: pathlib.Path | None = None


def locate(named: str, root: pathlib.Path | None, base: pathlib.Path) -> RepositoryLocation:
    """The repository that a user or a record means: a URL, or a directory relative to ``base``.

    Args:
        named: The URL or the directory.
        root: The root of the project, to which a recorded directory is relative if it was not given as absolute.
        base: The directory of the command, or the root for a recorded directory.

    Raises:
        TargetError: There is no such directory, or the text is no URL.
    """
    is_url = "://" in named or (":" in named.partition("/")[0] and not (base / named).exists())
    if is_url:
        if named.startswith("-") or "::" in named.partition("/")[0]:
            raise TargetError(f"{named!r} is not the URL of a repository", hint="write https://host/path")
        return RepositoryLocation(named, urls.public(named).url)
    directory = base / named
    if not directory.is_dir():
        raise TargetError(f"there is no directory {named!r}", hint="name a git repository by its directory or its URL")
    real = pathlib.Path(os.path.realpath(directory))
    recorded = named if os.path.isabs(named) or root is None else os.path.relpath(real, os.path.realpath(root))
    return RepositoryLocation(os.fspath(real), recorded, real)


class Clones:
    """The clones of one command, each made once and removed at the end; a context manager."""

    def __init__(self) -> None:
        """Clone nothing yet."""
        self._stack = contextlib.ExitStack()
        self._made: dict[tuple[str, str | None], tuple[pathlib.Path, str]] = {}
        self._heads: dict[tuple[str, str | None], str | None] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def fetch(self, location: RepositoryLocation, rev: str | None) -> tuple[pathlib.Path, str]:
        """The directory of a clone with a revision or the default branch, and the name of the commit in it.

        Raises:
            RepositoryError: The repository cannot be read.
            RevisionError: It has no such revision.
        """
        key = (location.url, rev)
        if key not in self._made:
            made = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="pivot_repository_"))
            clone = pathlib.Path(made)
            self._made[key] = clone, _fetch(clone, location, rev)
        return self._made[key]

    def head(self, location: RepositoryLocation, rev: str | None) -> str | None:
        """The commit that a branch, a tag or the default branch names there; None if the server does not say.

        Raises:
            RepositoryError: The repository cannot be read.
        """
        key = (location.url, rev)
        if key not in self._heads:
            code, said, listed = _git(pathlib.Path(os.sep), "ls-remote", "--quiet", "--", location.url, rev or "HEAD")
            if code:
                raise _failed(location, "ls-remote", said)
            found = {name: commit for commit, _, name in (line.partition("\t") for line in listed.splitlines())}
            names = ("HEAD",) if rev is None else (f"refs/heads/{rev}", f"refs/tags/{rev}^{{}}", f"refs/tags/{rev}")
            self._heads[key] = next((found[name] for name in names if name in found), None)
        return self._heads[key]


def _fetch(clone: pathlib.Path, location: RepositoryLocation, rev: str | None) -> str:
    """Fetch a revision into a new repository; return its name there.

    A server need not give commits by their id, and knows nothing such as ``main~3``: then everything is fetched.
    """
    code, said, _ = _git(clone, "init", "--quiet", "--template=", os.fspath(clone))
    if code:
        raise _failed(location, "init", said)
    source = location.url
    if rev is None or not rev.startswith("-"):
        code, said, _ = _git(clone, "fetch", "--quiet", "--depth=1", "--no-tags", "--", source, rev or "HEAD")
        if code == 0:
            return _HEAD
        if rev is None or not _git_lists(clone, source):
            raise _failed(location, "fetch", said)
    code, said, _ = _git(
        clone, "fetch", "--quiet", "--no-tags", "--", source, f"+refs/heads/*:{_BRANCHES}*", "+refs/tags/*:refs/tags/*"
    )
    if code:
        raise _failed(location, "fetch", said)
    for name in (rev, f"{_BRANCHES}{rev}"):
        if _knows(clone, name):
            return name
    known = [name.removeprefix("origin/") for name in commits.names(clone)]
    raise RevisionError(
        f"{location.recorded} has no revision {rev!r}",
        hint=suggest(rev, known, most=3) or "name a branch, a tag or a commit of it",
    )


def _knows(clone: pathlib.Path, name: str) -> bool:
    done = calls.run(clone, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    return done.returncode == 0


def _git_lists(clone: pathlib.Path, source: str) -> bool:
    return _git(clone, "ls-remote", "--quiet", "--heads", "--", source)[0] == 0


def _git(directory: pathlib.Path, *arguments: str) -> tuple[int, str, str]:
    """The exit code, the errors and the output of a command."""
    try:
        done = calls.run_remote(directory, *arguments)
    except OSError as error:
        raise RepositoryError(f"cannot run git: {error.strerror}", hint="install git") from None
    errors, output = (each.decode(errors="replace") for each in (done.stderr, done.stdout))
    return done.returncode, errors, output


def _failed(location: RepositoryLocation, command: str, said: str) -> RepositoryError:
    lines = [line for line in urls.masked(said, location.url).strip().splitlines() if line.strip()]
    fatal = [line for line in lines if line.startswith(("fatal:", "error:"))]
    first = next(iter(fatal), lines[-1] if lines else "no message")
    return RepositoryError(f"{location.recorded}: git {command} failed: {first.removeprefix('fatal: ')}", hint=_LOGIN)
