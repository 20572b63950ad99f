"""`pivot mv`: moves tracked data to another path, with its `.pvt` file and its line in the `.gitignore`."""

import contextlib
import errno
import os
import pathlib
import shutil

import attrs

from pivot_cache.errors import CacheError, as_cache_errors
from pivot_cache.files import durable, syscalls
from pivot_cache.files.replace_check import ReplaceCheck
from pivot_cache.formats import pvt
from pivot_cache.state.scan import leads_to_object
from pivot_core.errors import PathError
from pivot_core.files.paths import ArtifactPath, is_within, touches
from pivot_core.values import Value
from pivot_runtime.artifacts import kept, lock_files, records
from pivot_runtime.artifacts.records import Record, Records
from pivot_runtime.artifacts.stores import open_stores
from pivot_runtime.artifacts.trackable import importable
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import TargetError
from pivot_runtime.git import gitignore
from pivot_runtime.history import events
from pivot_runtime.history.events import Reporter, no_report
from pivot_runtime.project.guard import guarded
from pivot_runtime.project.project import Project


@attrs.frozen(eq=False, repr=False)
class Moved(Value):
    """The result of a move.

    Attributes:
        old: The path before.
        new: The path now.
        readers: The stages whose last run read the data, which still name the old path.
    """

    old: ArtifactPath
    new: ArtifactPath
    readers: tuple[str, ...]


def mv(context: CommandContext, old: str, new: str, *, report: Reporter = no_report) -> Moved:
    """Move tracked data; if a directory is at the new path, into it.

    The new record is written first, then the data are renamed, and then the old record is removed. So a command that is
    killed loses nothing, and can be repeated. One that fails to move the data removes the new record.

    Raises:
        TargetError: The old path is not tracked, or the new one is taken or cannot be tracked.
        CacheError: A file cannot be written, moved or removed.
    """
    project = context.project
    guard = guarded(project.layout.guard_file, "pivot mv", events.report_waiting(report))
    with guard, open_stores(context) as stores:
        known = records.read(context)
        record = _tracked(old, known, project)
        path = _destination(new, record, known, context)
        source, target = project.layout.artifact(record.path), project.layout.artifact(path)
        gitignore.check_remove(source.parent, source.name)
        gitignore.check_add(target.parent, target.name)
        with as_cache_errors("create", target.parent):
            target.parent.mkdir(parents=True, exist_ok=True)
        recorded = pvt.read_data(_pvt_file(source), f"{record.path}{pvt.SUFFIX}")
        pvt.write(_pvt_file(target), recorded.artifact, recorded.source)
        ignored = gitignore.add(target.parent, target.name)
        if os.path.lexists(source):
            try:
                with as_cache_errors("move", source):
                    _rename(source, target)
            except CacheError:
                if not os.path.lexists(target):
                    _undo(target, ignored=bool(ignored))
                raise
        gitignore.remove(source.parent, source.name)
        with as_cache_errors("remove", _pvt_file(source)):
            _pvt_file(source).unlink(missing_ok=True)
        kept.record_tracked(stores, path, record.artifact)
        lock_files.report_ignored(context, [f"{path}{pvt.SUFFIX}"])
        readers = [spec.address for spec in known.specs if any(touches(dep, record.path) for dep in spec.deps)]
        return Moved(record.path, path, tuple(readers))


def _tracked(name: str, known: Records, project: Project) -> Record:
    try:
        path = project.path(name)
    except PathError as error:
        raise TargetError(str(error), hint=error.hint or "name tracked data: see 'pivot status'") from None
    record = known.by_path.get(ArtifactPath(path)) if path else None
    if record is None:
        damaged = known.damaged_at(name, project)
        if damaged is not None:
            raise known.damaged[damaged]
        around = next((each.path for each in known.tracked if path and is_within(path, each.path)), None)
        hint = "name tracked data: see 'pivot status'"
        if around is not None:
            hint = f"it is in {around}, which is tracked: move it as you like, and repeat 'pivot track {around}'"
        raise TargetError(f"{path or name} is not tracked", hint=hint)
    if record.address is not None:
        raise TargetError(
            f"{path} is an out of {record.address}, not tracked data",
            hint="change the path where the stage declares it",
        )
    return record


def _destination(new: str, record: Record, known: Records, context: CommandContext) -> ArtifactPath:
    """The new path; nothing is there, except for the data if an earlier command was killed."""
    project, name = context.project, record.path.rpartition("/")[2]
    directory, unfinished = project.cwd / new, _unfinished(new, record, known, project)
    into = os.path.isdir(directory) and not os.path.islink(directory) and unfinished is None
    if into or new.endswith("/"):
        new = os.path.join(new, name)
        unfinished = _unfinished(new, record, known, project)
    leaving = {record.path} if unfinished is None else {record.path, unfinished}
    others = {path: each for path, each in known.by_path.items() if path not in leaving}
    path = importable(new, context, attrs.evolve(known, by_path=others))
    if is_within(path, record.path):
        raise TargetError(f"{record.path} cannot be moved into itself", hint="name a path outside it")
    source, target = project.layout.artifact(record.path), project.layout.artifact(path)
    if os.path.lexists(target) and (unfinished is None or os.path.lexists(source)):
        raise TargetError(f"{path} already exists", hint="name another path, or move it away")
    if unfinished is None and os.path.lexists(_pvt_file(target)):
        raise TargetError(f"{path}{pvt.SUFFIX} already exists", hint="name another path, or move it away")
    return path


def _unfinished(new: str, record: Record, known: Records, project: Project) -> ArtifactPath | None:
    """The new path if the same data are recorded there, and either not there or no longer at the old path."""
    try:
        path = ArtifactPath(project.path(new))
    except PathError:
        return None
    there = known.by_path.get(path)
    if path == record.path or there is None or not there.tracked or there.artifact != record.artifact:
        return None
    files = [project.layout.artifact(each) for each in (record.path, path)]
    return None if all(map(os.path.lexists, files)) else path


def _undo(target: pathlib.Path, *, ignored: bool) -> None:
    """Remove the record of data that could not be moved; errors matter less than the one that is raised.

    The line in the `.gitignore` is removed only if this command has added it.
    """
    with contextlib.suppress(OSError):
        _pvt_file(target).unlink(missing_ok=True)
    if ignored:
        with contextlib.suppress(CacheError):
            gitignore.remove(target.parent, target.name)


def _pvt_file(data: pathlib.Path) -> pathlib.Path:
    return data.with_name(data.name + pvt.SUFFIX)


def _rename(source: pathlib.Path, target: pathlib.Path) -> None:
    """Move a file, a directory, or a link, which then still leads to the same place; flushed to the disk.

    Raises:
        ChangedError: Somebody edited it meanwhile.
        CacheError: It cannot be flushed.
    """
    if source.is_symlink() and not leads_to_object(os.fspath(source)) and not os.path.isabs(source.readlink()):
        syscalls.symlink(os.path.relpath(source.parent / source.readlink(), target.parent), target)
        durable.flush_directory(target.parent)
        syscalls.unlink(source)
        return
    try:
        syscalls.rename(source, target)
        durable.flush_directory(target.parent)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _move_across(source, target)


def _move_across(source: pathlib.Path, target: pathlib.Path) -> None:
    """Move to another file system: the copy is on the disk before the first file at the source is removed."""
    copy, check = target.with_name(f".{target.name}.moving"), ReplaceCheck()
    check.look(source)
    _remove(copy)
    try:
        files = _copy(source, copy)
        durable.flush_tree(copy)
        check(source)
        syscalls.rename(copy, target)
    except BaseException:
        with contextlib.suppress(OSError):
            _remove(copy)
        raise
    durable.flush_directory(target.parent)
    for file in files:
        check(file)
        syscalls.unlink(file)
    for directory, _, _ in os.walk(source, topdown=False):
        syscalls.rmdir(directory)  # which fails if something was added to it


def _copy(source: pathlib.Path, copy: pathlib.Path) -> list[pathlib.Path]:
    """Copy a file or a directory; return every file at the source."""
    if source.is_symlink() or not source.is_dir():
        shutil.copy2(source, copy, follow_symlinks=False)
        return [source]
    try:
        shutil.copytree(source, copy, symlinks=True)
    except shutil.Error as error:
        name, _, problem = error.args[0][0]
        raise CacheError(f"cannot move {name}: {problem}", hint="nothing is lost: repeat the command") from None
    return [source / name for name in _files(copy)]


def _remove(copy: pathlib.Path) -> None:
    """Remove a copy, whole or not, if there is one."""
    if copy.is_dir() and not copy.is_symlink():
        shutil.rmtree(copy)
    else:
        copy.unlink(missing_ok=True)


def _files(directory: pathlib.Path) -> list[str]:
    """Everything in a directory that is no directory, relative to it."""
    inside = ((pathlib.Path(at), at_names, names) for at, at_names, names in os.walk(directory))
    return [
        os.path.relpath(at / name, directory)
        for at, at_names, names in inside
        for name in (*names, *(each for each in at_names if (at / each).is_symlink()))
    ]
