"""Finding the project's root and the pipelines in it, and importing a ``pipeline.py``."""

import importlib
import importlib.util
import os
import pathlib
import sys

from pivot_core.errors import DiscoveryError
from pivot_core.paths import STATE_DIR
from pivot_core.pipeline import Pipeline

PIPELINE_FILE = "pipeline.py"
MODULE_NAME = "pipeline"


def find_root(start: pathlib.Path) -> pathlib.Path:
    """The top-most directory with a ``.pivot/`` at or above ``start``.

    Raises:
        DiscoveryError: There is none.
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
    """The nearest ``pipeline.py`` at or above ``start``, not above ``root``.

    Raises:
        DiscoveryError: There is none.
    """
    directory = start
    while True:
        candidate = directory / PIPELINE_FILE
        if candidate.is_file():
            return candidate
        if directory in (root, directory.parent):
            raise DiscoveryError(
                f"no {PIPELINE_FILE} between here and the project's root {str(root)!r}",
                hint=f"describe your stages in a {PIPELINE_FILE}, or change to the directory that has one",
            )
        directory = directory.parent


def import_pipeline(file: pathlib.Path, *, root: pathlib.Path) -> tuple[Pipeline, ...]:
    """Import a ``pipeline.py`` as the module ``pipeline`` and return its pipelines.

    The file's directory, then the root, come first on ``sys.path``, so that modules beside
    the file and packages in the root can be imported; they stay there. What the import
    raises is passed on, and leaves no half-made module behind. A process should import the
    pipelines of one directory only: modules of one name beside two of them are one module.

    Raises:
        DiscoveryError: The module defines no `Pipeline`.
    """
    wanted = [os.fspath(file.parent)]
    if file.parent != root:
        wanted.append(os.fspath(root))
    sys.path[:] = [*wanted, *(entry for entry in sys.path if entry not in wanted)]
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
    pipelines: list[Pipeline] = []
    for value in vars(module).values():
        if isinstance(value, Pipeline) and value not in pipelines:
            pipelines.append(value)
    if not pipelines:
        raise DiscoveryError(
            f"{file.relative_to(root)} defines no pipeline",
            hint='pipeline = pivot.Pipeline("name"), and pipeline.register(...) for each stage',
        )
    return tuple(pipelines)
