"""`pivot list --untracked`: the files of a project that no stage and no `.pvt` file knows."""

import os
import pathlib
from collections.abc import Iterator

import attrs

from pivot_cache.formats import pvt
from pivot_core.files.paths import RESERVED_DIRS, parent_names
from pivot_core.files.patterns import PathPattern, find_files
from pivot_core.values import Value
from pivot_runtime.artifacts import records
from pivot_runtime.artifacts.trackable import WORKED_FROM
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import BrokenPipeline
from pivot_runtime.git import calls
from pivot_runtime.loading.assembly import Assembly, LoadOptions, assemble
from pivot_runtime.project.ignore import ignored


@attrs.frozen(eq=False, repr=False)
class UntrackedFiles(Value):
    """The files that Pivot does not know.

    Attributes:
        paths: By path relative to the root, sorted: whether git tracks the file.
        broken: Pipelines that cannot be loaded, so that files of their stages may be among them.
    """

    paths: dict[str, bool]
    broken: tuple[BrokenPipeline, ...] = ()


def untracked(context: CommandContext) -> UntrackedFiles:
    """Find the files that are neither tracked data, nor a dep, an out or code of a stage in any pipeline.

    Files that git or `.pivotignore` ignores are left out, as are those that git or Pivot works with.

    Raises:
        PivotError: The pipelines contradict each other, or a file with settings cannot be read.
    """
    assembly = assemble(context, LoadOptions(all_pipelines=True, may_be_empty=lambda: True))
    assembly.close()
    root, known = context.project.root, _known(context, assembly)
    is_ignored = ignored(context.project.layout.ignore_file)
    listed = _listed_by_git(root)
    found = dict.fromkeys(_walk(root, ""), False) if listed is None else listed
    return UntrackedFiles(
        {
            path: in_git
            for path, in_git in sorted(found.items())
            if path not in known
            and known.isdisjoint(parent_names(path))
            and not path.endswith(pvt.SUFFIX)
            and path.rpartition("/")[2] not in WORKED_FROM
            and RESERVED_DIRS.isdisjoint(path.split("/"))
            and not any(is_ignored(f"{around}/") for around in parent_names(path))
            and not is_ignored(path)
            and not (root / path).is_dir()
        },
        assembly.broken,
    )


def _known(context: CommandContext, assembly: Assembly) -> set[str]:
    """The files and directories that stages or `.pvt` files name, and those that stages were defined by."""
    known = {str(record.path) for record in records.read(context).by_path.values()}
    known |= records.code_files(context).keys()
    for stage in assembly.stages.values():
        spec = stage.spec
        known.update(spec.deps, (out.path for out in spec.outs), spec.named)
        for dep in spec.deps:
            known.update(find_files(dep, str(context.project.root)) if isinstance(dep, PathPattern) else ())
        known.update(entry.location.file for entry in stage.code.values() if entry.location is not None)
    for each in assembly.files:
        for file in (os.fspath(each.file), *each.loaded.sources, *each.loaded.read):
            known.add(os.path.relpath(file, context.project.root))
    return known | {each.file for each in assembly.broken}


def _listed_by_git(root: pathlib.Path) -> dict[str, bool] | None:
    """The files that git tracks or would add, and whether it tracks them; None without an answer."""
    if not calls.is_in_repository(root):
        return None
    found: dict[str, bool] = {}
    for in_git, options in ((False, ("--others", "--exclude-standard")), (True, ("--cached",))):
        try:
            done = calls.run(root, "ls-files", "-z", *options)
        except OSError:
            return None
        if done.returncode != 0:
            return None
        names = [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]
        found.update({name: in_git for name in names if os.path.lexists(root / name)})
    return found


def _walk(root: pathlib.Path, below: str) -> Iterator[str]:
    with os.scandir(root / below) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        path = f"{below}{entry.name}"
        if not entry.is_dir(follow_symlinks=False):
            yield path
        elif entry.name not in RESERVED_DIRS:
            yield from _walk(root, f"{path}/")
