"""`pivot track` and `pivot untrack`: start and end the tracking of data that no stage writes."""

import contextlib
import os
import pathlib
import shlex
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager

import attrs

from pivot_cache.errors import ArtifactError, CacheError, LockFileError, as_cache_errors
from pivot_cache.files.replace_check import ReplaceCheck
from pivot_cache.formats import pvt, tree
from pivot_cache.objects import checkout
from pivot_cache.state.scan import Scan, scan
from pivot_core.errors import PathError, list_names
from pivot_core.files.paths import ArtifactPath, is_within
from pivot_core.lock import Artifact
from pivot_core.values import Value
from pivot_runtime.artifacts import kept, lock_files, records
from pivot_runtime.artifacts.checkout import is_user_link
from pivot_runtime.artifacts.records import Record, Records
from pivot_runtime.artifacts.stores import Stores, open_stores
from pivot_runtime.artifacts.trackable import WORKED_FROM, importable, trackable
from pivot_runtime.context import CommandContext
from pivot_runtime.errors import NotTrackableError, OccupiedError, TargetError
from pivot_runtime.git import gitignore
from pivot_runtime.history import events
from pivot_runtime.history.events import Reporter, no_report
from pivot_runtime.project.guard import guarded
from pivot_runtime.project.project import Project

_MOST = 10


@attrs.frozen(eq=False, repr=False)
class Tracked(Value):
    """The result of `track`.

    Attributes:
        path: The path of the data.
        artifact: Their content, which is now in the cache.
        new: Whether they were not tracked before.
        changed: Whether the recorded content has changed.
        dropped: For a directory, the files that were recorded before and no longer are.
    """

    path: ArtifactPath
    artifact: Artifact
    new: bool
    changed: bool
    dropped: tuple[str, ...] = ()


def expand(patterns: Iterable[str], project: Project) -> list[str]:
    """The paths that match patterns, relative to the command's directory: files, and directories unless ``**`` is used.

    `.pvt` files, hidden ones, and files that git or Pivot works from are left out.

    Raises:
        TargetError: A pattern matches nothing.
    """
    import glob  # lazy

    found: dict[str, None] = {}
    for pattern in patterns:
        matches = [
            name
            for name in sorted(glob.glob(pattern, root_dir=project.cwd, recursive=True))
            if not name.endswith(pvt.SUFFIX)
            and os.path.basename(name) not in WORKED_FROM
            and not ("**" in pattern and (project.cwd / name).is_dir())
        ]
        if not matches:
            raise TargetError(
                f"no data match {pattern!r}", hint="patterns are as in a shell: *, ?, [a-z], and ** for directories"
            )
        found |= dict.fromkeys(matches)
    return list(found)


def track_copy(
    context: CommandContext, source: str, out: str, *, force: bool = False, report: Reporter = no_report
) -> Tracked:
    """Copy a file or directory from anywhere into the project, through the cache, and track the copy.

    Data that are tracked at ``out`` are replaced. Other content there is replaced only with ``force``, and saved first
    if it is nowhere else.

    Raises:
        TargetError: There is no such source, or its copy cannot be tracked; the error states why.
        OccupiedError: Content that is nowhere else is in the way.
        CacheError: A file cannot be read or written.
    """
    project = context.project
    origin = project.cwd / source
    if not origin.exists():
        raise TargetError(f"{source} does not exist", hint="check the spelling")
    with _alone(project, "pivot track", report), open_stores(context) as stores:
        known = records.read(context, mending=set(_paths([out], project)))
        there = project.cwd / out
        if out.endswith("/") or (there.is_dir() and not _is_tracked(out, known, project)):
            out = os.path.join(out, origin.name)
        path = importable(out, context, known)
        gitignore.check_add(project.layout.artifact(path).parent, project.layout.artifact(path).name)
        _refuse_foreign(project, path)
        _refuse_cache(project, path, stores)
        refuse_in_git([path], project)
        data = project.layout.artifact(path)
        real = os.path.realpath(origin)
        if is_within(os.path.realpath(data), real) or is_within(os.path.realpath(project.root), real):
            raise TargetError(f"{source} contains the place of its copy", hint="name the data in it")
        checkout.check_place(stores.layout, path)
        artifact = _take_in(origin, stores)
        check = ReplaceCheck()
        check.look(data)
        before = stores.look(path)
        if before is not None and before != artifact and kept.is_lost(stores, path, before):
            if not force:
                raise OccupiedError(
                    f"{project.from_cwd(path)} already exists with content that is nowhere else",
                    hint="--force replaces it, and saves its content",
                )
            kept.keep(stores, path, "pivot track --out --force")
        if before != artifact and not force and is_user_link(data):
            raise OccupiedError(
                f"{project.from_cwd(path)} is a symbolic link",
                hint="--force puts the copy in its place, and leaves alone where it leads",
            )
        if checkout.blocking_file(stores.layout, path) is not None:
            raise TargetError(f"a file is in the place of a directory of {path}", hint="move it away")
        plan = checkout.compare({path: artifact}, {path: before})
        mode = stores.settings.checkout_mode
        checkout.apply(plan, stores.store, stores.layout, mode, files=stores.files, check=check)
        done = _record(path, artifact, known.by_path.get(path), project, stores)
        lock_files.report_ignored(context, [f"{path}{pvt.SUFFIX}"])
        return done


def _is_tracked(name: str, known: Records, project: Project) -> bool:
    return any(path in known.by_path or path in known.damaged for path in map(ArtifactPath, _paths([name], project)))


def track(
    context: CommandContext, names: Iterable[str], *, force: bool = False, report: Reporter = no_report
) -> list[Tracked]:
    """Store files or directories in the cache, and record the content of each in a `.pvt` file beside it.

    Everything is checked before anything is written. If a directory's recorded files are neither here nor in the cache,
    the user has probably not removed them, so they are dropped from the record only with ``force``.

    Raises:
        TargetError: A path does not exist.
        NotTrackableError: It cannot be tracked; the error states why.
        CacheError: A file cannot be read or written.
    """
    project = context.project
    with _alone(project, "pivot track", report), open_stores(context) as stores:
        names = list(names)
        known = records.read(context, mending=set(_paths(names, project)))
        wanted = [trackable(name, context, known) for name in names]
        for path in wanted:
            gitignore.check_add(project.layout.artifact(path).parent, project.layout.artifact(path).name)
            _refuse_foreign(project, path)
            _refuse_cache(project, path, stores)
        _refuse_overlaps(wanted)
        refuse_in_git(wanted, project)
        for path in wanted if not force else ():
            _refuse_unfetched(path, known.by_path.get(path), project, stores)
        taken = [(path, _take_in(project.layout.artifact(path), stores)) for path in wanted]
        done = [_record(path, artifact, known.by_path.get(path), project, stores) for path, artifact in taken]
        lock_files.report_ignored(context, [f"{path}{pvt.SUFFIX}" for path in wanted])
        return done


def untrack(context: CommandContext, names: Iterable[str], *, report: Reporter = no_report) -> list[ArtifactPath]:
    """End the tracking of data; they stay in the workspace and in the cache.

    Raises:
        TargetError: A path is not tracked.
        CacheError: A file cannot be removed or written.
    """
    project = context.project
    with _alone(project, "pivot untrack", report), open_stores(context) as stores:
        names = list(names)
        known = records.read(context, mending=set(_paths(names, project)))
        paths = []
        for name in names:
            damaged = known.damaged_at(name, project)
            if damaged is not None:
                paths.append(damaged)
                continue
            found = known.select([name], project)
            foreign = [record for record in found if not record.tracked]
            if foreign:
                raise TargetError(
                    f"{foreign[0].path} is an out of {foreign[0].address}, not tracked data",
                    hint="name tracked data: see 'pivot status'",
                )
            paths += [record.path for record in found]
        for path in paths:
            gitignore.check_remove(project.layout.artifact(path).parent, project.layout.artifact(path).name)
        for path in paths:
            data = project.layout.artifact(path)
            file = _pvt_file(data)
            gitignore.remove(data.parent, data.name)  # before the record, without which nothing can be repeated
            with as_cache_errors("remove", file):
                file.unlink()
            if path in known.by_path:
                kept.record_untracked(stores, path, known.by_path[path].artifact)
        return paths


def _alone(project: Project, command: str, report: Reporter) -> AbstractContextManager[object]:
    return guarded(project.layout.guard_file, command, events.report_waiting(report))


def _paths(names: Iterable[str], project: Project) -> Iterator[str]:
    for name in names:
        with contextlib.suppress(PathError):
            yield project.path(name)


def _refuse_cache(project: Project, path: ArtifactPath, stores: Stores) -> None:
    """Refuse data that contain the cache, which would then be stored in itself."""
    data, cache = project.layout.artifact(path), stores.layout.cache_dir
    if cache.is_relative_to(data) or data.is_relative_to(cache):
        raise NotTrackableError(
            f"{path} cannot be tracked: the cache is {cache}", hint="set cache.dir to another directory"
        )


def _refuse_foreign(project: Project, path: ArtifactPath) -> None:
    """Refuse to replace a file at the path of the `.pvt` file unless it is one, also a damaged or earlier one."""
    file = _pvt_file(project.layout.artifact(path))
    if file.is_symlink() or not file.exists():
        return
    hint = f"rename one of them, or track the directory around; 'git checkout' {file.name} if it was Pivot's"
    if file.is_dir():
        raise NotTrackableError(f"{path} cannot be tracked: {file.name} beside it is a directory", hint=hint)
    try:
        pvt.read(file)
    except pvt.EarlierFileError:
        return
    except pvt.ForeignFileError:
        raise NotTrackableError(f"{path} cannot be tracked: {file.name} beside it is not Pivot's", hint=hint) from None
    except pvt.NewerFileError:
        raise
    except LockFileError:
        return


def _refuse_overlaps(paths: list[ArtifactPath]) -> None:
    for one in paths:
        for other in paths:
            if is_within(other, one) and (one != other or paths.count(one) > 1):
                raise TargetError(f"{other} is named twice", hint="name each file, or its directory, once")


def refuse_in_git(paths: list[ArtifactPath], project: Project) -> None:
    """Refuse data that git tracks.

    Raises:
        NotTrackableError: Git tracks one of the paths.
    """
    from pivot_runtime.git import calls  # lazy

    try:
        listed = calls.run(project.root, "--literal-pathspecs", "ls-files", "-z", "--", *paths)
    except OSError:
        return  # without git, there is nothing to check
    names = [os.fsdecode(name) for name in listed.stdout.split(b"\0") if name]
    for path in paths:
        if any(is_within(name, path) for name in names):
            raise NotTrackableError(
                f"{path} is tracked by git",
                hint=f"git rm -r --cached {shlex.quote(project.from_cwd(path))} ends that; the file itself stays",
            )


def _take_in(data: pathlib.Path, stores: Stores) -> Artifact:
    """Store the data, if they do not change meanwhile.

    Raises:
        ArtifactError: The data changed.
    """
    before = _marked(data)
    stores.files.settle(before.settles_at())
    artifact = stores.keep(data, before if data.is_dir() else None)
    if _marked(data).signature() != before.signature():
        raise ArtifactError(
            data,
            "changed while it was being stored; nothing was recorded",
            hint="repeat the command when no process writes there",
        )
    return artifact


def _marked(data: pathlib.Path) -> Scan:
    """The signatures of all files in the data."""
    try:
        return scan(data) if data.is_dir() else Scan([("", data.stat())], [])
    except OSError as error:
        raise ArtifactError(data, f"cannot be read: {error.strerror}") from error


def _record(path: ArtifactPath, artifact: Artifact, before: Record | None, project: Project, stores: Stores) -> Tracked:
    data = project.layout.artifact(path)
    dropped = _dropped(before, artifact, stores)
    source = before.source if before is not None and before.artifact == artifact else None
    changed = pvt.write(_pvt_file(data), artifact, source)
    gitignore.add(data.parent, data.name)
    kept.record_tracked(stores, path, artifact)
    return Tracked(path, artifact, before is None, changed, dropped)


def _pvt_file(data: pathlib.Path) -> pathlib.Path:
    return data.with_name(data.name + pvt.SUFFIX)


def _refuse_unfetched(path: ArtifactPath, before: Record | None, project: Project, stores: Stores) -> None:
    """Refuse to record a directory without files that were never fetched, since the user did not remove them.

    Raises:
        TargetError: There are such files, or it is unknown whether there are.
    """
    if before is None or not before.artifact.tree or not project.layout.artifact(path).is_dir():
        return
    hint = f"'pivot pull {project.from_cwd(path)}' fetches them; --force records only the rest"
    try:
        listed = stores.store.tree(before.artifact)
    except CacheError:
        if stores.look(path) == before.artifact:
            return
        problem = f"the recorded listing of {path} is not in the cache, so the missing files are unknown"
        raise TargetError(problem, hint=hint) from None
    here = {name for name, _ in scan(project.layout.artifact(path)).files}
    files = {name: file for name, file in listed.files.items() if name not in here}
    lost = [f"{path}/{name}" for name, file in files.items() if not stores.store.verified(file.digest)]
    if lost:
        names = list_names(lost, _MOST)
        raise TargetError(
            f"{path} would be recorded without {len(lost)} of its {len(listed.files)} files, "
            f"which are neither here nor in the cache: {names}",
            hint=hint,
        )


def _dropped(before: Record | None, artifact: Artifact, stores: Stores) -> tuple[str, ...]:
    """The files recorded of a directory before that are not in its new record."""
    if before is None or not (before.artifact.tree and artifact.tree) or before.artifact == artifact:
        return ()
    try:
        return tree.absent(stores.store.tree(before.artifact), stores.store.tree(artifact))
    except CacheError:
        return ()
