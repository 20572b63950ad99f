"""The files of commits, read from git's objects without a checkout."""

import contextlib
import pathlib
from collections.abc import Iterator, Mapping
from typing import Self

from pivot_core.errors import suggest
from pivot_runtime.errors import GitObjectMissingError, RevisionError
from pivot_runtime.git import calls, repository
from pivot_runtime.git.objects import LINK, MODULE, TREE, GitObjects, entries, failed, started

type _Entry = tuple[bytes, str]
"""The mode and the id of an object in a tree."""


def names(directory: pathlib.Path) -> list[str]:
    """The branches and tags of the repository around a directory, and HEAD; none if git does not answer."""
    kinds = ("refs/heads", "refs/tags", "refs/remotes")
    try:
        done = calls.run(directory, "for-each-ref", "--format=%(refname:short)", *kinds)
    except OSError:
        return []
    found = done.stdout.decode(errors="replace").split("\n")
    return [name for name in ("HEAD", *found) if name] if done.returncode == 0 else []


class CommitReader:
    """Reads files of commits below the directory of a project; all paths are relative to that directory."""

    def __init__(self, root: pathlib.Path, prefix: tuple[str, ...], objects: GitObjects) -> None:
        """Create the reader; use `opened`."""
        self._root = root
        self._prefix = prefix
        self._objects = objects
        self._trees: dict[str, Mapping[str, _Entry]] = {}
        self._roots: dict[str, str] = {}
        """By commit, its tree."""

    @classmethod
    @contextlib.contextmanager
    def opened(cls, root: pathlib.Path) -> Iterator[Self]:
        """A reader for a project in a repository.

        Raises:
            GitSetupError: The project is not in a repository.
            GitError: Git failed.
        """
        repository.require(root)
        done = started(lambda: calls.run(root, "rev-parse", "--show-prefix"))
        if done.returncode:
            raise failed("rev-parse", done.stderr.decode(errors="replace"))
        prefix = done.stdout.decode(errors="surrogateescape").removesuffix("\n")
        with GitObjects.opened(root) as objects:
            yield cls(root, tuple(filter(None, prefix.split("/"))), objects)

    def commit(self, name: str) -> str:
        """The id of the commit that a user means with a name: a branch, a tag, an id, ``main~3``.

        Raises:
            RevisionError: There is no such commit.
            GitError: Git failed.
        """
        if not name or "\n" in name:
            raise self._unknown(name)
        try:
            oid, kind, data = self._objects.get(f"{name}^{{commit}}")
        except GitObjectMissingError:
            raise self._unknown(name) from None
        if kind != "commit":
            raise self._unknown(name)
        self._roots[oid] = data.split(b"\n", 1)[0].removeprefix(b"tree ").decode()
        return oid

    def read(self, commit: str, path: str) -> bytes | None:
        """The content of a file in a commit that `commit` has returned; None if there is no such file.

        Raises:
            GitError: Git failed.
        """
        found = self._find(commit, path)
        return None if found is None or found[0] in (TREE, LINK, MODULE) else self._objects.get(found[1])[2]

    def names(self, commit: str, path: str) -> list[str]:
        """The sorted names of the files in a directory of such a commit; none if there is no such directory.

        Raises:
            GitError: Git failed.
        """
        found = self._find(commit, path)
        if found is None or found[0] != TREE:
            return []
        return sorted(name for name, (mode, _) in self._tree(found[1]).items() if mode not in (TREE, LINK, MODULE))

    def below(self, commit: str, path: str) -> list[str]:
        """The files in a directory of such a commit and in those below it, relative to it; none if there is none.

        Raises:
            GitError: Git failed.
        """
        found = self._find(commit, path)
        return [] if found is None or found[0] != TREE else sorted(self._below(found[1], ""))

    def _below(self, oid: str, prefix: str) -> Iterator[str]:
        for name, (mode, inner) in self._tree(oid).items():
            if mode == TREE:
                yield from self._below(inner, f"{prefix}{name}/")
            elif mode not in (LINK, MODULE):
                yield f"{prefix}{name}"

    def _find(self, commit: str, path: str) -> _Entry | None:
        at: _Entry | None = (TREE, self._roots[commit])
        for name in (*self._prefix, *path.split("/")):
            at = self._tree(at[1]).get(name) if at is not None and at[0] == TREE else None
        return at

    def _tree(self, oid: str) -> Mapping[str, _Entry]:
        if oid not in self._trees:
            data = self._objects.get(oid)[2]
            self._trees[oid] = {name: (mode, entry) for mode, name, entry in entries(data, len(oid) // 2)}
        return self._trees[oid]

    def _unknown(self, name: str) -> RevisionError:
        if name == "HEAD":
            return RevisionError(
                "there is no commit yet, so there is no HEAD", hint="git commit, and repeat the command"
            )
        hint = suggest(name, names(self._root), most=3)
        if hint is None:
            shallow = calls.run(self._root, "rev-parse", "--is-shallow-repository").stdout.strip() == b"true"
            hint = "see 'git branch --all', 'git tag' and 'git log'"
            hint = "this clone is shallow: 'git fetch --unshallow' brings all commits" if shallow else hint
        return RevisionError(f"git knows no commit {name!r}", hint=hint)
