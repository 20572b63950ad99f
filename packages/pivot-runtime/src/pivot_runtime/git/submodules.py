"""Repositories below a project: submodules, and repositories in its directories."""

import contextlib
import os
import pathlib
from collections.abc import Iterable, Iterator

from pivot_runtime.errors import GitError
from pivot_runtime.git.refs import RefReader, Remembered, Repository

_GITDIR = b"gitdir:"


def remembered(repository: Repository | None, within: Iterable[pathlib.Path]) -> Iterator[Remembered]:
    """Every file that may name objects in a repository, in those below it, and in pinned commits of submodules.

    Args:
        repository: The repository of a project, if there is one.
        within: Directories of the project that contain other repositories.

    Raises:
        GitError: Git failed.
    """
    with contextlib.ExitStack() as stack:
        own = None if repository is None else repository.common()
        kept = [] if own is None else _kept(own)
        below = {file: None for file in (*kept, *_lying(within)) if file != own}
        inner = [Repository(directory, apart=True) for directory in below]
        here = [] if repository is None else [repository]
        readings = [stack.enter_context(each.reading()) for each in (*here, *inner)]
        outer = [stack.enter_context(each.reading()) for top in here for each in _around(top)]
        for reading in readings:
            yield from reading.files()
        for reading in outer:
            for _ in reading.files():
                pass  # a repository around the project's only pins its commits
        yield from _pinned(readings, outer)


def _pinned(readings: list[RefReader], outer: list[RefReader]) -> Iterator[Remembered]:
    done: set[str] = set()
    while pins := set().union(*(reading.pins for reading in (*readings, *outer))) - done:
        done |= pins
        for pin in sorted(pins):
            for reading in readings:
                yield from reading.at(f"commit {pin} of a submodule", pin)
            for reading in outer:
                for _ in reading.at("", pin):
                    pass


def _around(repository: Repository) -> Iterator[Repository]:
    at = repository.around_module()
    while at is not None:
        yield at
        at = at.around_module()


def _kept(common: pathlib.Path) -> Iterator[pathlib.Path]:
    """The repositories of submodules in git's own directory, for each worktree, recursively."""
    pending = [common]
    while pending:
        at = pending.pop()
        for modules in (at / "modules", *_listed(at / "worktrees", "modules")):
            for directory, inner, names in os.walk(modules):
                if "HEAD" in names and "objects" in inner:
                    found = pathlib.Path(directory).resolve()
                    yield found
                    pending.append(found)
                    inner.clear()


def _listed(directory: pathlib.Path, name: str) -> list[pathlib.Path]:
    try:
        return [directory / each / name for each in sorted(os.listdir(directory))]
    except OSError:
        return []


def _lying(within: Iterable[pathlib.Path]) -> Iterator[pathlib.Path]:
    for place in within:
        found = _git_dir(place / ".git")
        if found is not None:
            yield found
            yield from _kept(found)


def _git_dir(file: pathlib.Path) -> pathlib.Path | None:
    """The git directory for the repository of ``file``; None if it no longer exists."""
    try:
        if file.is_file():
            said = file.read_bytes()
            if not said.startswith(_GITDIR):
                return None
            file = file.parent / os.fsdecode(said.removeprefix(_GITDIR).strip())
        if not (file / "HEAD").exists():
            return None
        common = file / "commondir"
        return (file / os.fsdecode(common.read_bytes().strip()) if common.exists() else file).resolve()
    except OSError as error:
        raise GitError(f"cannot read {error.filename}: {error.strerror}", hint="check its permissions") from None
