"""A project on disk: its root, a command's directory in it, the refusal of symbolic links in `.pivot`, and `init`."""

import itertools
import os
import pathlib
import shlex
from collections.abc import Iterator
from typing import Self

import attrs

from pivot_cache.files.atomic import write_bytes
from pivot_cache.layout import DATABASES, OWN_DIRECTORIES, Layout
from pivot_core.discovery import find_root
from pivot_core.errors import DiscoveryError, PivotError
from pivot_core.files.paths import STATE_DIR, ArtifactPath
from pivot_core.values import Value
from pivot_runtime.errors import LinkError

_GITIGNORE = b"""\
# What Pivot can make again; the lock files in stages/ belong into git.
/cache/
/state.db/
"""

_EARLIER_STATE = b"/state.lmdb/"
"""A line by which Pivot 0.1 to 0.5 kept its own database out of git."""
_STATE = b"/state.db/\n"

_PIVOTIGNORE = b"""\
# Files that Pivot does not watch, in the syntax of .gitignore.
# The content of declared deps and outs is never filtered by these patterns.
.git/
.venv/
venv/
__pycache__/
*.pyc
.mypy_cache/
.pytest_cache/
.ruff_cache/
.ipynb_checkpoints/
node_modules/
*.swp
*~
.DS_Store
"""

_NO_PROJECTS = frozenset({"node_modules", "__pycache__", "venv"})
_MOST_LOOKED_INTO = 20_000
"""The most directories that `init` searches for projects below."""

_IGNORE = ".pivotignore"
_EDITOR = ".#"
"""The prefix of the dangling links with which editors mark open files; no file of Pivot's has it."""


@attrs.frozen(eq=False, repr=False)
class Project(Value):
    """Paths of a project, as a command in it sees them.

    Attributes:
        root: The absolute path of the project's root.
        cwd: The absolute path of the directory in which the command was called, at or below the root.
        layout: The paths of all files of Pivot's in the project, with the cache in its default place.
    """

    root: pathlib.Path
    cwd: pathlib.Path
    layout: Layout = attrs.field(init=False, eq=False, repr=False)

    @classmethod
    def find(cls, cwd: pathlib.Path) -> Self:
        """Return the project around ``cwd``.

        Raises:
            DiscoveryError: There is none.
            LinkError: One of Pivot's own files in it is a symbolic link.
        """
        return cls(find_root_without_links(cwd), cwd)

    @layout.default
    def _layout_of_root(self) -> Layout:
        return Layout(self.root)

    def path(self, named: str) -> str:
        """Return the path, relative to the root, of a path from the command line; ``""`` is the root itself.

        Raises:
            PathError: The path is outside the project, or belongs to Pivot.
        """
        named = physical(named, self.root)
        if os.path.normpath(self.cwd / named) == str(self.root):
            return ""
        base = "" if self.cwd == self.root else self.cwd.relative_to(self.root).as_posix()
        return ArtifactPath.resolve(named, base=base, root=str(self.root))

    def from_cwd(self, path: str) -> str:
        """Return a path in the project relative to the command's directory, as the user would write it."""
        return os.path.relpath(self.root / path, self.cwd)


def physical(named: str, root: pathlib.Path) -> str:
    """Return a path without a symbolic link outside the project through which it leads into the project, if any."""
    if not os.path.isabs(named) or pathlib.Path(os.path.normpath(named)).is_relative_to(root):
        return named
    around, name = os.path.split(os.path.normpath(named))
    for path in (os.path.join(os.path.realpath(around), name), os.path.realpath(named)):
        if pathlib.Path(path).is_relative_to(root):
            return path
    return named


def find_root_without_links(cwd: pathlib.Path) -> pathlib.Path:
    """Return the root of the project around ``cwd``, in which none of Pivot's own files is a symbolic link.

    Raises:
        DiscoveryError: There is no project.
        LinkError: There is such a link.
    """
    try:
        root = find_root(cwd)
    except DiscoveryError:
        for directory in (cwd, *cwd.parents):  # a dangling link
            if os.path.islink(directory / STATE_DIR):
                refuse_links(directory, cwd)
        raise
    refuse_links(root, cwd)
    return root


def refuse_links(root: pathlib.Path, cwd: pathlib.Path) -> None:
    """Refuse a symbolic link in the place of one of Pivot's own files, whatever its target.

    Raises:
        LinkError: There is one; its path is shown relative to ``cwd``.
    """
    for name in (STATE_DIR, _IGNORE):
        if os.path.islink(root / name):
            raise _link_error(root, name, cwd)
    for place in OWN_DIRECTORIES:
        directory = os.path.join(STATE_DIR, place)
        try:
            with os.scandir(root / directory) as entries:
                found = min(
                    (each.name for each in entries if each.is_symlink() and not _of_editor(each.name)), default=""
                )
        except OSError:  # the code that needs the directory reports it
            continue
        if found:
            raise _link_error(root, os.path.join(directory, found), cwd)


def _of_editor(name: str) -> bool:
    return name.startswith(_EDITOR)


def _link_error(root: pathlib.Path, name: str, cwd: pathlib.Path) -> LinkError:
    file = root / name
    display_path = os.path.relpath(file, cwd)
    leads = os.readlink(file)
    where = leads if os.path.exists(file) else f"{leads}, where nothing is"
    return LinkError(
        f"{display_path} is a symbolic link to {where}; Pivot follows no links there",
        hint=_link_hint(name, display_path, file),
    )


def _link_hint(name: str, display_path: str, file: pathlib.Path) -> str:
    quoted = shlex.quote(display_path)
    removed = f"remove the link: rm {quoted}"
    if name == STATE_DIR:
        return f"{removed}; then 'pivot init' creates the project's own directory"
    inner = name.removeprefix(f"{STATE_DIR}/")
    if inner == "cache":
        return f"{removed}; to keep the cache elsewhere: pivot config set cache.dir DIRECTORY"
    if inner.startswith((DATABASES, "cache/")):
        return f"{removed}; Pivot recreates what is missing there"
    if inner.startswith("stages"):
        return f"{removed}; then 'git checkout' what was recorded, or 'pivot repro'"
    if file.is_file():
        copy = shlex.quote(f"{display_path}.copy")
        return f"put a copy in place of the link: cp {quoted} {copy} && mv {copy} {quoted}; or rm {quoted}"
    return removed


@attrs.frozen(eq=False, repr=False)
class Initialized(Value):
    """The result of `init`.

    Attributes:
        created: The created files and directories, relative to the directory.
        outer: The root of a project around it, which remains the root; None if there is none.
        inner: Some directories below that were roots of their own projects before.
    """

    created: tuple[str, ...]
    outer: pathlib.Path | None
    inner: tuple[pathlib.Path, ...] = ()


def init(directory: pathlib.Path) -> Initialized:
    """Make ``directory`` the root of a project; existing files stay as they are, but for `complete_gitignore`.

    Raises:
        LinkError: A symbolic link is in the place of one of Pivot's own files.
        PivotError: A file is in the way, or the directory cannot be written.
    """
    refuse_links(directory, directory)
    layout = Layout(directory)
    created = []
    try:
        for wanted in (layout.state_dir, layout.stages_dir):
            if not wanted.is_dir():
                wanted.mkdir()
                created.append(f"{wanted.relative_to(directory)}/")
        for file, content in ((layout.gitignore_file, _GITIGNORE), (layout.ignore_file, _PIVOTIGNORE)):
            if not file.exists():
                write_bytes(file, content, durable=True)
                created.append(str(file.relative_to(directory)))
        if complete_gitignore(layout):
            created.append(str(layout.gitignore_file.relative_to(directory)))
    except OSError as error:
        raise PivotError(
            f"cannot create a project in {directory}: {error.strerror}: {error.filename}",
            hint="check what is there, and that you may write to the directory",
        ) from None
    return Initialized(tuple(created), _outer(directory), tuple(_inner(directory)) if created else ())


def complete_gitignore(layout: Layout) -> bool:
    """Let the ``.gitignore`` of an earlier Pivot keep today's database out of git, too; return whether it did not.

    Raises:
        OSError: The file cannot be read or written.
    """
    text = layout.gitignore_file.read_bytes() if layout.gitignore_file.exists() else b""
    lines = text.splitlines()
    if _EARLIER_STATE not in lines or _STATE.strip() in lines:
        return False
    write_bytes(layout.gitignore_file, text.removesuffix(b"\n") + b"\n" + _STATE, durable=True, keep_mode=True)
    return True


def _outer(directory: pathlib.Path) -> pathlib.Path | None:
    root = find_root(directory)
    return None if root == directory else root


def _inner(directory: pathlib.Path) -> Iterator[pathlib.Path]:
    """Return the projects that a search of the first directories below finds."""
    for below, names, _ in itertools.islice(os.walk(directory), _MOST_LOOKED_INTO):
        if STATE_DIR in names and below != os.fspath(directory):
            yield pathlib.Path(below)
            names.clear()
        names[:] = sorted(name for name in names if not name.startswith(".") and name not in _NO_PROJECTS)
