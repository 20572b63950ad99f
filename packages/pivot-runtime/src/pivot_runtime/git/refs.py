"""The lock and ``.pvt`` files that git has in refs, stashes, worktrees and the index.

No function here changes the repository. Every failure of git is an error: an unreadable ref never counts as an empty
one.
"""

import contextlib
import os
import pathlib
import re
from collections.abc import Callable, Iterator

import attrs

from pivot_cache.formats import pvt
from pivot_cache.layout import LOCK_SUFFIX, STAGES, Layout, is_lock
from pivot_core.files.paths import STATE_DIR
from pivot_core.values import Value
from pivot_runtime.errors import GitError, GitObjectMissingError
from pivot_runtime.git import calls
from pivot_runtime.git.objects import LINK, MODULE, TREE, GitObjects, entries, failed, started

_HEADS = ("ORIG_HEAD", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "REBASE_HEAD")
_AUTOSTASHES = ("rebase-merge/autostash", "rebase-apply/autostash", "MERGE_AUTOSTASH")
_OID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@attrs.frozen(eq=False, repr=False)
class Remembered(Value):
    """A file that names objects.

    Attributes:
        where: The ref, stash, worktree or index that has it.
        path: Its path in the repository.
        data: The bytes of the file.
    """

    where: str
    path: str
    data: bytes


@attrs.frozen(eq=False, repr=False)
class Worktree(Value):
    """A directory that git has checked something out to.

    Attributes:
        directory: Its path.
        head: The checked-out commit; None before the first commit.
        bare: Whether it is the repository itself, without files.
    """

    directory: pathlib.Path
    head: str | None
    bare: bool


class Repository:
    """A git repository, such as that around a project."""

    def __init__(self, root: pathlib.Path, *, apart: bool = False) -> None:
        """Create the object.

        Args:
            root: A directory in one of its worktrees; or the directory that git itself keeps, whether or not the
                worktree that it was made for is there.
            apart: It is the latter.
        """
        self._root = root
        self._git = ("--git-dir", os.fspath(root), "--work-tree", os.fspath(root)) if apart else ()

    @classmethod
    def around(cls, root: pathlib.Path) -> "Repository | None":
        """The repository that a directory is in; None if there is none.

        Raises:
            GitError: The environment says that there is one, and it is elsewhere.
        """
        if calls.is_in_repository(root):
            return cls(root)
        if calls.names_repository():
            raise GitError(
                f"GIT_DIR is set, but {root} is not in a git repository",
                hint="unset GIT_DIR, or put a .git beside the project",
            )
        return None

    def worktrees(self) -> list[Worktree]:
        """All worktrees, the main one first.

        Raises:
            GitError: Git failed.
        """
        found: list[Worktree] = []
        for block in self._text("worktree", "list", "--porcelain").split("\n\n"):
            lines = block.splitlines()
            facts = {key: value for key, _, value in (line.partition(" ") for line in lines)}
            if "worktree" in facts:
                head = facts.get("HEAD")
                born = head if head is not None and set(head) != {"0"} else None
                place = pathlib.Path(facts["worktree"])
                found.append(Worktree(self._root if self._git and not found else place, born, "bare" in facts))
        return found

    def common(self) -> pathlib.Path:
        """The git directory shared by all worktrees.

        Raises:
            GitError: Git failed.
        """
        said = self._text("rev-parse", "--git-common-dir").removesuffix("\n")
        return (self._root / said).resolve()

    def around_module(self) -> "Repository | None":
        """The repository that contains this one as a submodule; None if there is none.

        Raises:
            GitError: Git failed.
        """
        said = self._text("rev-parse", "--show-superproject-working-tree").removesuffix("\n")
        return Repository(pathlib.Path(said)) if said else None

    def roots(self) -> list[pathlib.Path]:
        """The root of the project in every existing worktree, including this one.

        Raises:
            GitError: Git failed.
        """
        prefix = self._text("rev-parse", "--show-prefix").removesuffix("\n")
        places = [worktree.directory / prefix for worktree in self.worktrees() if not worktree.bare]
        return [self._root, *(place for place in places if Layout(place).state_dir.is_dir() and place != self._root)]

    def files(self) -> Iterator[Remembered]:
        """Every lock file and every `.pvt` file, once for each content.

        Raises:
            GitError: Git failed.
        """
        with self.reading() as reading:
            yield from reading.files()

    @contextlib.contextmanager
    def reading(self) -> "Iterator[RefReader]":
        """A reader of this repository's files, which returns each content once."""
        with GitObjects.opened(self._root, self._git) as objects:
            yield RefReader(self, _Walk(objects))

    def underway(self) -> Iterator[tuple[str, str]]:
        """The objects that unfinished merges, rebases and the like have set aside in the worktrees."""
        for worktree in self.worktrees():
            if worktree.directory.is_dir():
                yield from self._set_aside(worktree.directory)

    def tips(self) -> Iterator[tuple[str, str]]:
        """Every named commit or object: where the name is, and how git resolves it."""
        refs = self._text("for-each-ref", "--format=%(objectname) %(refname)").splitlines()
        named = {ref: oid for oid, _, ref in (line.partition(" ") for line in refs)}
        yield from named.items()
        if "refs/stash" in named:
            stashes = self._text("log", "-g", "--no-show-signature", "--format=%H %P", "refs/stash", "--")
            for number, line in enumerate(stashes.splitlines()):
                for oid in line.split():
                    yield f"stash@{{{number}}}", oid
        for worktree in self.worktrees():
            if worktree.head is not None:
                yield f"HEAD of {worktree.directory}", worktree.head

    def _set_aside(self, directory: pathlib.Path) -> Iterator[tuple[str, str]]:
        names = [*_HEADS, *_AUTOSTASHES]
        arguments = [word for name in names for word in ("--git-path", name)]
        paths = self._text("rev-parse", *arguments, directory=directory).splitlines()
        for name, path in zip(names, paths, strict=True):
            file = directory / path
            try:
                lines = file.read_text(errors="replace").splitlines()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise GitError(f"cannot read {file}: {error.strerror}", hint="check its permissions") from None
            yield from ((f"{name} of {directory}", line.strip()) for line in lines if _OID.fullmatch(line.strip()))

    def indexed(self, pin: Callable[[str], object]) -> Iterator[tuple[str, str, str]]:
        """The place, path and id of every file in an index that may name objects; ``pin`` gets submodules' commits."""
        for worktree in self.worktrees():
            if worktree.bare or not worktree.directory.is_dir():
                continue
            listed = self._run("ls-files", "--stage", "-z", "--full-name", ":/", directory=worktree.directory)
            for entry in listed.split(b"\0"):
                facts, _, path = entry.partition(b"\t")
                if path and facts.startswith(MODULE):
                    pin(facts.decode().split(" ")[1])
                elif path and _names_objects(os.fsdecode(path)):
                    mode, oid, _ = facts.decode().split(" ")
                    if mode.encode() not in (LINK, MODULE):
                        yield f"index of {worktree.directory}", os.fsdecode(path), oid

    def _flags(self, directory: pathlib.Path | None) -> tuple[str, ...]:
        """The arguments that select the repository; a worktree elsewhere knows its repository."""
        return self._git if directory in (None, self._root) else ()

    def _text(self, *arguments: str, directory: pathlib.Path | None = None) -> str:
        return os.fsdecode(self._run(*arguments, directory=directory))

    def _run(self, *arguments: str, directory: pathlib.Path | None = None) -> bytes:
        done = started(
            lambda: calls.run(directory or self._root, *self._flags(directory), *arguments),
        )
        errors = done.stderr.decode(errors="replace")
        if done.returncode or "ignoring broken ref" in errors:
            raise failed(arguments[0], errors)
        return done.stdout


class RefReader:
    """Reads the files of a repository that may name objects."""

    def __init__(self, repository: Repository, walk: "_Walk") -> None:
        """Create the reader; use `Repository.reading`."""
        self._repository = repository
        self._walk = walk

    @property
    def pins(self) -> set[str]:
        """The commits of submodules in everything read so far."""
        return self._walk.pins

    def files(self) -> Iterator[Remembered]:
        """Every lock file and every `.pvt` file of every ref, stash, worktree and index.

        Raises:
            GitError: Git failed.
        """
        for where, name in self._repository.tips():
            yield from self._walk.tip(where, name)
        for where, name in self._repository.underway():
            yield from self.at(where, name)  # git keeps names longer than the objects that they refer to
        for where, path, oid in self._repository.indexed(self.pins.add):
            yield from self._walk.blob(where, path, oid)

    def at(self, where: str, commit: str) -> Iterator[Remembered]:
        """The same for one commit; empty if the commit is not here.

        Raises:
            GitError: Git failed.
        """
        with contextlib.suppress(GitObjectMissingError):
            yield from self._walk.tip(where, commit)


class _Walk:
    """Walks through trees; reads each tree and each file once, however many refs contain it."""

    def __init__(self, objects: GitObjects) -> None:
        self._objects = objects
        self._trees: set[tuple[str, str]] = set()
        self._blobs: set[tuple[str, bool]] = set()
        self.pins: set[str] = set()

    def tip(self, where: str, name: str) -> Iterator[Remembered]:
        """All files of the commit that a ref refers to."""
        oid, kind, data = self._objects.get(f"{name}^{{}}")
        if kind == "commit":
            oid = data.split(b"\n", 1)[0].removeprefix(b"tree ").decode()
            yield from self._tree(where, "", oid, "")
        elif kind == "tree":
            yield from self._tree(where, "", oid, "")

    def blob(self, where: str, path: str, oid: str) -> Iterator[Remembered]:
        """One file."""
        key = (oid, path.endswith(LOCK_SUFFIX))
        if key not in self._blobs:
            self._blobs.add(key)
            yield Remembered(where, path, self._objects.get(oid)[2])

    def _tree(self, where: str, path: str, oid: str, inside: str) -> Iterator[Remembered]:
        """``inside`` is the part of the path from `.pivot` on, since only its position makes a file a lock."""
        pending = [(path, oid, inside)]
        while pending:
            path, oid, inside = pending.pop()
            if (oid, inside) in self._trees:
                continue
            self._trees.add((oid, inside))
            for mode, name, entry in entries(self._objects.get(oid)[2], len(oid) // 2):
                below = f"{path}{name}"
                if mode == TREE:
                    if not inside:
                        pending.append((f"{below}/", entry, STATE_DIR if name == STATE_DIR else ""))
                    elif inside == STATE_DIR and name == STAGES:
                        pending.append((f"{below}/", entry, f"{STATE_DIR}/{STAGES}"))
                elif mode == MODULE:
                    self.pins.add(entry)
                elif mode != LINK and _names_objects(below):
                    yield from self.blob(where, below, entry)


def _names_objects(path: str) -> bool:
    return is_lock(path) if path.endswith(LOCK_SUFFIX) else path.endswith(pvt.SUFFIX)
