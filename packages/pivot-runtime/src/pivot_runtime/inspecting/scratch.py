"""A copy of a project in which stages run once more: the sources, and for each stage the inputs of its last run."""

import contextlib
import os
import pathlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping

from pivot_cache.errors import CorruptObjectError, MissingObjectError
from pivot_cache.layout import Layout
from pivot_core.files.paths import STATE_DIR, ArtifactPath
from pivot_core.lock import Artifact
from pivot_runtime.artifacts.stores import Stores
from pivot_runtime.freshness.load_trace import FILE
from pivot_runtime.loading.loaded import Loaded
from pivot_runtime.project.ignore import ignored

_LEFT_OUT = frozenset({STATE_DIR, ".git", "__pycache__", "node_modules", "site-packages"})


def _is_python(name: str) -> bool:
    return name.endswith(".py")


class InputGoneError(Exception):
    """The former content of an input is not available."""


class Scratch:
    """A copy of a project, in a directory that is itself a project."""

    def __init__(self, root: pathlib.Path, stores: Stores) -> None:
        """Describe the copy at ``root``; `open_scratch` creates one."""
        self.root = root
        self._stores = stores
        self._project = stores.layout.root

    def place_inputs(self, deps: Mapping[ArtifactPath, Artifact]) -> None:
        """Put inputs at their paths, with their former content.

        Raises:
            InputGoneError: The content of an input is no longer in the cache or the workspace.
        """
        for path, artifact in deps.items():
            target = self.root / path
            remove(target)
            target.parent.mkdir(parents=True, exist_ok=True)
            if self._stores.store.has_all(artifact):
                with contextlib.suppress(MissingObjectError, CorruptObjectError):
                    self._stores.store.restore(artifact, target)
                    continue
            found = self._stores.look(path)
            if found is None or (found.digest, found.tree) != (artifact.digest, artifact.tree):
                raise InputGoneError(path)
            if artifact.tree:
                shutil.copytree(self._project / path, target)
            else:
                shutil.copy2(self._project / path, target)

    def copy_sources(self, loaded: Iterable[Loaded], is_source: Callable[[str], bool] = _is_python) -> None:
        """Copy the sources of the pipelines: files of the project, and those that their loads read.

        Args:
            loaded: The pipelines.
            is_source: Selects files by their names.
        """
        files = {self._project / name for name in _source_files(self._project, is_source)}
        for each in loaded:
            files |= {pathlib.Path(file) for file in each.sources}
            facts = each.trace.facts if each.trace is not None else ()
            files |= {pathlib.Path(fact.subject) for fact in facts if fact.kind == FILE}
            files |= {self._project / name for stage in each.stages for name in stage.spec.named}
        for file in files:
            if file.is_relative_to(self._project) and file.is_file():
                target = self.root / file.relative_to(self._project)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file, target)

    def clear(self, paths: Iterable[ArtifactPath]) -> None:
        """Remove inputs and outs."""
        for path in paths:
            remove(self.root / path)


def remove(path: pathlib.Path) -> None:
    """Remove a file or a directory, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def open_scratch(stores: Stores) -> Iterator[Scratch]:
    """Create an empty copy that is removed at the end; copies left by killed processes are removed first."""
    with own_directory(stores.layout.rerun_dir) as root:
        Layout(root).state_dir.mkdir(parents=True)
        yield Scratch(root, stores)


@contextlib.contextmanager
def own_directory(home: pathlib.Path) -> Iterator[pathlib.Path]:
    """Name a directory in ``home`` that is removed at the end; those of killed processes are removed first."""
    home.mkdir(parents=True, exist_ok=True)
    remove_leftovers(home)
    root = home / str(os.getpid())
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def remove_leftovers(home: pathlib.Path) -> None:
    """Remove the directories that killed processes have left in ``home``."""
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(home):
            if not _alive(name):
                shutil.rmtree(home / name, ignore_errors=True)


def _alive(name: str) -> bool:
    try:
        os.kill(int(name), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def _source_files(root: pathlib.Path, is_source: Callable[[str], bool]) -> Iterator[str]:
    """Paths relative to the root, without virtual environments and files that ``.pivotignore`` names."""
    left_out = ignored(root / ".pivotignore")
    todo = [""]
    while todo:
        below = todo.pop()
        with os.scandir(root / below) as listed:
            entries = list(listed)
        for entry in entries:
            name = f"{below}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _LEFT_OUT and not left_out(f"{name}/"):
                    todo.append(f"{name}/")
            elif entry.name == "pyvenv.cfg" and below:
                todo = [each for each in todo if not each.startswith(below)]
                break
            elif is_source(entry.name) and not left_out(name):
                yield name
