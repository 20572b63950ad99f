"""Private copies of a project for a sweep: one of its sources, and from that one for each combination that runs."""

import contextlib
import os
import pathlib
import shutil
from collections.abc import Iterable, Iterator, Mapping

from pivot_cache.layout import Layout, stage_addresses
from pivot_core.files.paths import ArtifactPath, is_within
from pivot_core.lock import Artifact
from pivot_runtime.artifacts.stores import Stores
from pivot_runtime.inspecting.scratch import Scratch, own_directory, remove
from pivot_runtime.loading.assembly import LoadedFile

_BASE = "base"


@contextlib.contextmanager
def open_base(stores: Stores, files: Iterable[LoadedFile]) -> Iterator[pathlib.Path]:
    """Copy the sources, settings and lock files of a project; they are removed at the end, with all copies of them.

    Copies that killed processes have left are removed first.
    """
    layout = stores.layout
    with own_directory(layout.sweeps_dir) as home:
        base = Layout(home / _BASE)
        base.state_dir.mkdir(parents=True)
        Scratch(base.root, stores).copy_sources(each.loaded for each in files)
        addresses = stage_addresses(layout.stages_dir)
        kept = [(layout.ignore_file, base.ignore_file), (layout.config_file, base.config_file)]
        kept += [(layout.lock_file(address), base.lock_file(address)) for address in addresses]
        kept += [(layout.created_file(address), base.created_file(address)) for address in addresses]
        for source, target in kept:
            with contextlib.suppress(FileNotFoundError):
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
        yield base.root


def place_of(base: pathlib.Path, number: int) -> pathlib.Path:
    """The root of the copy for a combination."""
    return base.parent / str(number)


def make(
    base: pathlib.Path,
    root: pathlib.Path,
    stores: Stores,
    inputs: Mapping[ArtifactPath, Artifact],
    around: Iterable[ArtifactPath],
    outs: Iterable[ArtifactPath],
) -> None:
    """Make the copy for a combination.

    Args:
        base: The copy of the sources.
        root: The root of the new copy.
        stores: The stores of the project.
        inputs: The inputs of the stages that will run.
        around: Directories which some of these stages write into, and others read.
        outs: The outs of the stages that will run.

    Raises:
        InputGoneError: An input is neither in the cache nor in the workspace.
    """
    shutil.copytree(base, root, symlinks=True)
    written = set(outs)
    for path in around:
        _copy_others(stores.layout.artifact(path), root / path, path, written)
    Scratch(root, stores).place_inputs(inputs)
    for path in written:
        (root / path).parent.mkdir(parents=True, exist_ok=True)


def _copy_others(source: pathlib.Path, target: pathlib.Path, path: ArtifactPath, written: set[ArtifactPath]) -> None:
    """Copy the files of a directory that no running stage writes."""
    if any(is_within(path, each) for each in written) or not source.is_dir():
        return

    def left_out(directory: str, names: list[str]) -> set[str]:
        below = os.path.relpath(directory, source)
        inner = {name: os.path.normpath(os.path.join(path, below, name)) for name in names}
        return {name for name, each in inner.items() if each in written}

    shutil.copytree(source, target, ignore=left_out, dirs_exist_ok=True)


def discard(root: pathlib.Path) -> None:
    """Remove a copy."""
    with contextlib.suppress(OSError):
        remove(root)
