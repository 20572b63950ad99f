"""Searches of a project for its pipeline files, which are noted in the read set of the command."""

import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pivot_core.discovery import DECLARED_FILE, PIPELINE_FILE, all_pipelines, find_pipeline
from pivot_runtime.project.ignore import ignored
from pivot_runtime.project.project import Project

if TYPE_CHECKING:
    from pivot_runtime.freshness.stamps import ReadSet

NAMES: Final = (PIPELINE_FILE, DECLARED_FILE)
"""The names that a pipeline file may have."""


def nearest(project: Project, read_set: "ReadSet") -> pathlib.Path:
    """Return the pipeline file of the command's directory.

    Raises:
        DiscoveryError: There is none.
    """
    root, cwd = project.root, project.cwd
    around = [directory for directory in (cwd, *cwd.parents) if directory.is_relative_to(root)]
    read_set.probe(*(directory / name for directory in around for name in NAMES))
    return find_pipeline(cwd, root)


def every(project: Project, read_set: "ReadSet") -> Iterator[pathlib.Path]:
    """Return every pipeline file of the project."""
    root = project.root
    read_set.look(project.layout.ignore_file)
    read_set.look(root)
    is_ignored = ignored(project.layout.ignore_file)

    def passed_over(path: str) -> bool:
        if is_ignored(path):
            return True
        read_set.look(root / path)
        return False

    return all_pipelines(root, passed_over)
