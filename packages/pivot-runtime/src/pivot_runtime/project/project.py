"""A project on disk: its root, the directory of a command in it, and `pivot init`."""

import itertools
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import attrs

from pivot_cache.files.atomic import write_bytes
from pivot_cache.layout import Layout
from pivot_core.discovery import DECLARED_FILE, PIPELINE_FILE, find_pipeline, find_root
from pivot_core.errors import PivotError
from pivot_core.paths import STATE_DIR, ArtifactPath
from pivot_core.values import Value
from pivot_runtime.freshness.stamps import ReadSet
from pivot_runtime.processes.startup_state import StartupState
from pivot_runtime.project import symlinks
from pivot_runtime.project.unusable_files import Doubts

if TYPE_CHECKING:
    from pivot_runtime.loading.host_pool import HostPool

_GITIGNORE = b"""\
# What Pivot can make again; the lock files in stages/ belong into git.
/cache/
/state.db/
"""

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
"""So many directories `init` looks into for projects below."""


def _nothing(_: float, __: str) -> None:
    """Ignores all events."""


@attrs.frozen(eq=False, repr=False)
class Project(Value):
    """Where a command works.

    Attributes:
        root: The absolute path of the project's root.
        cwd: The absolute path of the directory that the command was given in, at or below the root.
        overrides: Values of parameters that the command was given, each as ``stage.name=value``.
        hosts: Where hosts are kept that outlive the command, if they are to.
        read_set: The paths that the command has looked at.
        origin: The state of the process when it began, if hosts may be forked from it.
        doubts: The records that the command has passed over.
        slow: Called if importing a pipeline takes long, with how many seconds it has taken, and the line that it is at.
        use_snapshots: Pipelines whose last load still holds are not imported again.
    """

    root: pathlib.Path
    cwd: pathlib.Path
    overrides: tuple[str, ...] = ()
    hosts: "HostPool | None" = attrs.field(default=None, eq=False, repr=False)
    read_set: ReadSet = attrs.field(factory=ReadSet, eq=False, repr=False)
    origin: StartupState | None = attrs.field(default=None, eq=False, repr=False)
    doubts: Doubts = attrs.field(factory=Doubts, eq=False, repr=False)
    slow: Callable[[float, str], None] = attrs.field(default=_nothing, eq=False, repr=False)
    use_snapshots: bool = attrs.field(default=True, eq=False, repr=False)
    layout: Layout = attrs.field(init=False, eq=False, repr=False)
    """The paths of everything of Pivot's in this project."""

    @classmethod
    def find(
        cls,
        cwd: pathlib.Path,
        overrides: tuple[str, ...] = (),
        *,
        origin: StartupState | None = None,
        doubts: Doubts | None = None,
        slow: Callable[[float, str], None] | None = None,
        use_snapshots: bool = True,
    ) -> "Project":
        """The project around ``cwd``.

        Raises:
            DiscoveryError: There is none.
            LinkError: Something of Pivot's own in it is a symbolic link.
        """
        read_set = ReadSet()
        for directory in (cwd, *cwd.parents):
            read_set.probe(directory / STATE_DIR)
        return cls(
            symlinks.find(cwd),
            cwd,
            overrides,
            read_set=read_set,
            origin=origin,
            doubts=doubts or Doubts(),
            slow=slow or _nothing,
            use_snapshots=use_snapshots,
        )

    @layout.default
    def _layout_of_root(self) -> Layout:
        return Layout(self.root)

    def path(self, named: str) -> str:
        """The path in the project that a name given to the command means; ``""`` is the root itself.

        Raises:
            PathError: It is outside the project, or belongs to Pivot.
        """
        named = physical(named, self.root)
        if os.path.normpath(self.cwd / named) == str(self.root):
            return ""
        base = "" if self.cwd == self.root else self.cwd.relative_to(self.root).as_posix()
        return ArtifactPath.resolve(named, base=base, root=str(self.root))

    def shown(self, path: str) -> str:
        """A path in the project as a user who is in the command's directory would write it."""
        return os.path.relpath(self.root / path, self.cwd)

    def pipeline_file(self) -> pathlib.Path:
        """The pipeline of a command given in ``cwd``.

        Raises:
            DiscoveryError: There is none.
        """
        for directory in (self.cwd, *self.cwd.parents):
            self.note_pipelines(directory)
            if directory == self.root:
                break
        return find_pipeline(self.cwd, self.root)

    def note_pipelines(self, directory: pathlib.Path) -> None:
        """Whether a directory describes pipelines is about to be looked at."""
        for name in (PIPELINE_FILE, DECLARED_FILE):
            self.read_set.probe(directory / name)


def physical(named: str, root: pathlib.Path) -> str:
    """A path that leads into a project through a symbolic link outside of it, without that link; any other as it is."""
    if not os.path.isabs(named) or pathlib.Path(os.path.normpath(named)).is_relative_to(root):
        return named
    around, name = os.path.split(os.path.normpath(named))
    for path in (os.path.join(os.path.realpath(around), name), os.path.realpath(named)):
        if pathlib.Path(path).is_relative_to(root):
            return path
    return named


@attrs.frozen(eq=False, repr=False)
class Initialized(Value):
    """The result of `init`.

    Attributes:
        created: The files and directories that are new, relative to the directory.
        outer: The root of a project around it, which then stays the root; None if there is none.
        inner: Directories below that were roots of projects of their own, and are no longer; the first ones.
    """

    created: tuple[str, ...]
    outer: pathlib.Path | None
    inner: tuple[pathlib.Path, ...] = ()


def init(directory: pathlib.Path) -> Initialized:
    """Make ``directory`` the root of a project; what is there already stays as it is.

    Raises:
        LinkError: A symbolic link is where something of Pivot's own is to be.
        PivotError: A file is in the way, or the directory cannot be written.
    """
    symlinks.refuse(directory, directory)
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
    except OSError as error:
        raise PivotError(
            f"cannot make a project in {directory}: {error.strerror}: {error.filename}",
            hint="check what is there, and that you may write to the directory",
        ) from None
    return Initialized(tuple(created), _outer(directory), tuple(_inner(directory)) if created else ())


def _outer(directory: pathlib.Path) -> pathlib.Path | None:
    root = find_root(directory)
    return None if root == directory else root


def _inner(directory: pathlib.Path) -> Iterator[pathlib.Path]:
    """The first projects below; where there are very many directories, not all are looked into."""
    for below, names, _ in itertools.islice(os.walk(directory), _MOST_LOOKED_INTO):
        if STATE_DIR in names and below != os.fspath(directory):
            yield pathlib.Path(below)
            names.clear()
        names[:] = sorted(name for name in names if not name.startswith(".") and name not in _NO_PROJECTS)
