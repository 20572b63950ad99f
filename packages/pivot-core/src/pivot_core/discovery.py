"""Discovery of the project's root and pipelines, and the import of a ``pipeline.py``."""

import importlib
import importlib.util
import os
import pathlib
import posixpath
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from pivot_core.errors import DiscoveryError
from pivot_core.files.paths import STATE_DIR
from pivot_core.files.patterns import PathPattern, find_directories

if TYPE_CHECKING:
    from pivot_core.pipeline import Pipeline

PIPELINE_FILE = "pipeline.py"
DECLARED_FILE = "pivot.yaml"
MODULE_NAME = "pipeline"

_ENVIRONMENT = "pyvenv.cfg"
_NEVER_SEARCHED = frozenset({"node_modules", "__pycache__", "site-packages"})


def find_root(start: pathlib.Path) -> pathlib.Path:
    """The topmost directory with a ``.pivot/`` at or above ``start``.

    Raises:
        DiscoveryError: There is no such directory.
    """
    found = None
    for directory in (start, *start.parents):
        if (directory / STATE_DIR).is_dir():
            found = directory
    if found is None:
        raise DiscoveryError(
            f"no {STATE_DIR}/ directory here or in any directory above",
            hint="run 'pivot init' in the root of your project",
        )
    return found


def find_pipeline(start: pathlib.Path, root: pathlib.Path) -> pathlib.Path:
    """The nearest ``pipeline.py`` or ``pivot.yaml`` at or above ``start``, not above ``root``.

    Raises:
        DiscoveryError: There is no such file, or a directory has both.
    """
    directory = start
    while True:
        candidate = pipeline_in(directory)
        if candidate is not None:
            return candidate
        if directory in (root, directory.parent):
            raise DiscoveryError(
                f"no {PIPELINE_FILE} or {DECLARED_FILE} between here and the project's root {str(root)!r}",
                hint=f"describe your stages in a {PIPELINE_FILE} or a {DECLARED_FILE}, "
                "change to a directory that has one, or use --all",
            )
        directory = directory.parent


def pipeline_in(directory: pathlib.Path) -> pathlib.Path | None:
    """The file that declares the pipelines of a directory; None if it has none.

    Raises:
        DiscoveryError: The directory has both files.
    """
    found = [file for name in (PIPELINE_FILE, DECLARED_FILE) if os.path.isfile(file := directory / name)]
    if len(found) > 1:
        raise DiscoveryError(
            f"{directory} has both a {PIPELINE_FILE} and a {DECLARED_FILE}", hint="keep one of the two"
        )
    return found[0] if found else None


def pipelines_above(path: str, root: pathlib.Path) -> Iterator[pathlib.Path]:
    """The pipeline files that may declare the writer of a project path, from the path itself up to the root.

    For a pattern, also those in each directory that may contain a file that matches.

    Raises:
        DiscoveryError: A directory has both files.
    """
    for directory in directories_above(path, root):
        file = pipeline_in(root / directory)
        if file is not None:
            yield file


def directories_above(path: str, root: pathlib.Path) -> Iterator[str]:
    """A path of the project and its parents up to the root, which is ``""``: where its writer may be declared."""
    if isinstance(path, PathPattern):
        parts = path.split("/")
        deepest = len(parts) if parts[-1] == "**" else len(parts) - 1
        prefixes = ("/".join(parts[:end]) for end in range(deepest, -1, -1))
        found = (inside for prefix in prefixes for inside in find_directories(prefix, os.fspath(root)))
        yield from dict.fromkeys(each.rstrip("/") for each in found)
        return
    while path:
        yield path
        path = posixpath.dirname(path)
    yield ""


def all_pipelines(root: pathlib.Path, ignored: Callable[[str], bool] = lambda _: False) -> Iterator[pathlib.Path]:
    """The files of all pipelines of a project, outer ones first, siblings by name.

    Hidden directories, virtual environments, and directories that ``ignored`` accepts (by their path relative to the
    root, with a ``/`` at the end) are not searched; symbolic links are not followed.

    Raises:
        DiscoveryError: A directory has both files.
    """
    pending = [""]
    while pending:
        path = pending.pop()
        directory = root / path
        try:
            with os.scandir(directory) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            continue  # an unreadable directory has no importable pipeline
        names = {entry.name for entry in listed}
        if _ENVIRONMENT in names and path:
            continue
        if not names.isdisjoint((PIPELINE_FILE, DECLARED_FILE)):
            file = pipeline_in(directory)
            if file is not None:
                yield file
        inner = [
            f"{path}/{entry.name}" if path else entry.name
            for entry in listed
            if entry.is_dir(follow_symlinks=False)
            and not entry.name.startswith(".")
            and entry.name not in _NEVER_SEARCHED
        ]
        pending.extend(each for each in reversed(inner) if not ignored(f"{each}/"))


def put_on_path(file: pathlib.Path, root: pathlib.Path) -> None:
    """Give priority on the import path to modules beside a pipeline's file, then to modules in the root."""
    wanted = [os.fspath(file.parent)]
    if file.parent != root:
        wanted.append(os.fspath(root))
    sys.path[:] = [*wanted, *(entry for entry in sys.path if entry not in wanted)]


def import_pipeline(file: pathlib.Path, *, root: pathlib.Path) -> "tuple[Pipeline, ...]":
    """Import a ``pipeline.py`` as the module ``pipeline`` and return its pipelines.

    The file's directory, then the root, come first on ``sys.path``, so that modules beside the file and packages in the
    root can be imported; they stay there. Exceptions of the import are passed on; the partly imported module is
    removed. A process should import the pipelines of one directory only, since modules of the same name in two
    directories would be the same module.

    Raises:
        DiscoveryError: The module defines no `Pipeline`.
    """
    from pivot_core.pipeline import Pipeline  # lazy

    put_on_path(file, root)
    spec = importlib.util.spec_from_file_location(MODULE_NAME, file)
    if spec is None or spec.loader is None:
        raise DiscoveryError(f"{file} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(MODULE_NAME)
    sys.modules[MODULE_NAME] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(MODULE_NAME, None)
        if before is not None:
            sys.modules[MODULE_NAME] = before
        raise
    foreign = _pipelines_of_others(file, Pipeline)
    pipelines: list[Pipeline] = []
    for value in vars(module).values():
        if isinstance(value, Pipeline) and value not in pipelines and id(value) not in foreign:
            pipelines.append(value)
    if not pipelines:
        raise DiscoveryError(
            f"{file.relative_to(root)} defines no pipeline",
            hint='pipeline = pivot.Pipeline("name"), and pipeline.register(...) for each stage',
        )
    return tuple(pipelines)


def _pipelines_of_others(file: pathlib.Path, kind: type) -> set[int]:
    """The pipelines, by `id`, of other imported files named ``pipeline.py``, which are discovered on their own."""
    return {
        id(value)
        for module in list(sys.modules.values())
        if os.path.basename(getattr(module, "__file__", None) or "") == PIPELINE_FILE
        and os.path.realpath(module.__file__ or "") != os.path.realpath(file)
        for value in vars(module).values()
        if isinstance(value, kind)
    }
