"""Validates the path of data to track: the path that a name means, or the reason why it cannot be tracked."""

import os
import pathlib
from collections.abc import Iterable, Iterator

from pivot_cache.formats import pvt
from pivot_cache.layout import lock_name
from pivot_cache.state.scan import leads_to_object
from pivot_core.discovery import DECLARED_FILE, PIPELINE_FILE, pipeline_in
from pivot_core.errors import PathError
from pivot_core.files.paths import RESERVED_DIRS, ArtifactPath, is_within, touches
from pivot_runtime.artifacts import records
from pivot_runtime.artifacts.records import ContradictionError, Records
from pivot_runtime.context import CommandContext
from pivot_runtime.definitions.params_file import PARAMS_FILE
from pivot_runtime.errors import NotTrackableError, TargetError
from pivot_runtime.project import name_case
from pivot_runtime.project.ignore import ignored
from pivot_runtime.project.project import Project

WORKED_FROM = frozenset(
    {
        *RESERVED_DIRS,
        ".gitattributes",
        ".gitignore",
        ".gitmodules",
        ".lfsconfig",
        ".mailmap",
        ".pivotignore",
        PIPELINE_FILE,
        DECLARED_FILE,
    }
)
"""The names of files that git or Pivot works from, wherever they are."""
_LONGEST_NAME = 255
"""The limit in bytes on all common file systems."""


def trackable(name: str, context: CommandContext, known: Records) -> ArtifactPath:
    """The path that a name given to the command means.

    Raises:
        TargetError: It does not exist.
        NotTrackableError: It cannot be tracked; the error states why.
        ContradictionError: An existing record of it must be corrected first.
    """
    project = context.project
    path = _path(name, project)
    _refuse_name(path, project)
    if not os.path.lexists(project.root / path):
        hint = "pivot checkout brings it back" if path in known.by_path else "check the spelling"
        raise TargetError(f"{path} does not exist", hint=hint)
    _refuse_casing(path, project)
    _refuse_place(path, project)
    _refuse_overlap(path, known)
    _refuse_link(path, project)
    _refuse_sources(path, context)
    return path


def not_data(names: Iterable[str]) -> str | None:
    """The first of these paths that is in a repository or project, in a directory from elsewhere; None without any.

    Git runs programs that the settings of a repository name, even if a user only looks at its status.
    """
    return next((name for name in names if any(part in RESERVED_DIRS for part in name.casefold().split("/"))), None)


def importable(name: str, context: CommandContext, known: Records) -> ArtifactPath:
    """The path, at which nothing need be, that a name given for imported data means.

    Raises:
        NotTrackableError: Data cannot be tracked there; the error states why.
        ContradictionError: An existing record of it must be corrected first.
    """
    project = context.project
    path = _path(name, project)
    _refuse_name(path, project)
    _refuse_place(path, project)
    _refuse_overlap(path, known)
    if os.path.lexists(project.root / path):
        _refuse_casing(path, project)
        _refuse_link(path, project)
        _refuse_sources(path, context)
    return path


def _path(name: str, project: Project) -> ArtifactPath:
    try:
        path = project.path(name)
    except PathError as error:
        raise NotTrackableError(str(error), hint=error.hint or "name your own data files or directories") from None
    if not path:
        raise NotTrackableError("the whole project cannot be tracked", hint="name the data files or directories in it")
    return ArtifactPath(path)


def _refuse_name(path: ArtifactPath, project: Project) -> None:
    """Refuse names that cannot be in a `.pvt` file or a line of a `.gitignore`, or that git or Pivot uses."""
    *above, last = path.split("/")
    if last.endswith(pvt.SUFFIX):
        stem = path.removesuffix(pvt.SUFFIX)
        hint = f"name {stem}" if last != pvt.SUFFIX else "rename it"
        raise NotTrackableError(f"{path} is the name of a file that represents data", hint=hint)
    if any(ord(sign) < ord(" ") or sign == "\x7f" for sign in path):
        raise NotTrackableError(
            f"{str(path)!r} contains a control character, which no line of a .gitignore can represent",
            hint="rename it",
        )
    if len(os.fsencode(last)) > _LONGEST_NAME - len(pvt.SUFFIX):
        raise NotTrackableError(f"the name {last!r} is too long to append {pvt.SUFFIX}", hint="shorten it")
    state = next((part for part in above if part.casefold() in RESERVED_DIRS), None)
    if state is not None:
        raise NotTrackableError(
            f"{path} is in {state}/, into which nothing is restored", hint="move the data elsewhere"
        )
    beside = project.root.joinpath(*above)
    params = last == PARAMS_FILE and (beside == project.root or pipeline_in(beside) is not None)
    if last.casefold() in WORKED_FROM or params:
        whom = (
            "git works" if last.casefold().startswith(".git") or last in (".lfsconfig", ".mailmap") else "Pivot works"
        )
        raise NotTrackableError(f"{path} is a file that {whom} from, not data", hint="leave it to git")


def _refuse_casing(path: ArtifactPath, project: Project) -> None:
    """Refuse names that the file system treats as another: only the name as listed is recorded."""
    at = project.root
    for part in path.split("/"):
        try:
            names = os.listdir(at)
        except OSError:
            return  # unknown; the error is reported when the file is read
        if part not in names:
            alike = [name for name in names if name_case.clashes([ArtifactPath(name), ArtifactPath(part)])]
            relative = os.path.relpath(at / (alike[0] if alike else part), project.cwd)
            raise NotTrackableError(f"{path} has another name here", hint=f"name it as it is listed: {relative}")
        at = at / part


def _refuse_place(path: ArtifactPath, project: Project) -> None:
    """Refuse paths whose `.pvt` file no search would find, or that could not be committed."""
    found = records.unsearched(project.root, path)
    if found is None:
        return
    around, why = found
    way = f"track {project.from_cwd(around)} as a whole, or move the data out of it"
    if (project.root / around).is_symlink():
        real = os.path.realpath(project.root / path)
        inside = os.path.relpath(real, os.path.realpath(project.root))
        way = f"track {project.from_cwd(around)} as a whole"
        if not inside.startswith(".."):
            way = f"name its real path: {project.from_cwd(inside)}"
    raise NotTrackableError(
        f"{path} cannot be tracked: {around} {why}, and no search finds a {pvt.SUFFIX} file in it", hint=way
    )


def _refuse_overlap(path: ArtifactPath, known: Records) -> None:
    contradiction = known.damaged.get(path)
    if isinstance(contradiction, ContradictionError):
        raise contradiction
    for other in known.by_path.values():
        if other.path == path and other.tracked:
            continue
        if touches(path, other.path):
            what = "is tracked" if other.tracked else f"is an out of {other.address}"
            raise NotTrackableError(
                f"{path} cannot be tracked: {other.path} {what}",
                hint="a path may be recorded only once: 'pivot untrack' the other one first, or leave this one out"
                if other.address is None
                else f"if this stage no longer exists, delete {lock_name(other.address)}",
            )


def _refuse_link(path: ArtifactPath, project: Project) -> None:
    """Refuse links that lead back into the project; they may lead to data outside it, or to an object in the cache."""
    file = project.root / path
    if not file.is_symlink():
        return
    if leads_to_object(os.fspath(file)):
        return
    real, root = os.path.realpath(file), os.path.realpath(project.root)
    if not os.path.exists(real):
        raise NotTrackableError(f"{path} is a symbolic link that leads nowhere", hint="create its target")
    if is_within(root, real.rstrip("/")):
        raise NotTrackableError(
            f"{path} is a symbolic link to {real}, which contains the project", hint="name the data themselves"
        )
    if is_within(real, root):
        raise NotTrackableError(
            f"{path} is a symbolic link to another place in the project",
            hint=f"track its target: {project.from_cwd(os.path.relpath(real, root))}",
        )
    if not RESERVED_DIRS.isdisjoint(part.casefold() for part in real.split("/")):
        raise NotTrackableError(f"{path} leads to {real}, which is not data", hint="name the data themselves")


def _refuse_sources(path: ArtifactPath, context: CommandContext) -> None:
    """Refuse data that contain, or are in, files that git or Pivot work with."""
    project = context.project
    sources = records.code_files(context)
    code = next((source for source in sorted(sources) if is_within(source, path)), None)
    if code is not None:
        what = "is code" if code == path else f"contains code: {code},"
        raise NotTrackableError(
            f"{path} {what} of {sources[code]}",
            hint="leave code to git" if code == path else "track the data in it one by one, and leave the code to git",
        )
    ours = next(_worked_from(project.root / path, project), None)
    if ours is not None:
        relative = project.from_cwd(ours)
        hint = f"move {relative} away, or track the rest of it one by one"
        if os.path.basename(ours) in (PIPELINE_FILE, DECLARED_FILE):
            hint += f"; if it is data, add its directory to {project.layout.ignore_file.name}"
        raise NotTrackableError(f"{path} cannot be tracked: {relative} in it is not data", hint=hint)


def _worked_from(directory: pathlib.Path, project: Project) -> Iterator[str]:
    """The repositories, projects and pipelines of ours in a directory, by path in the project."""
    is_ignored = None
    for at, inner, names in os.walk(directory):
        for name in (*inner, *names):
            if name.casefold() in RESERVED_DIRS:
                yield os.path.relpath(os.path.join(at, name), project.root)
        for name in names:
            if name not in (PIPELINE_FILE, DECLARED_FILE):
                continue
            found = os.path.relpath(os.path.join(at, name), project.root)
            is_ignored = is_ignored or ignored(project.layout.ignore_file)
            parts = found.split("/")[:-1]
            ways = ("/".join(parts[: length + 1]) + "/" for length in range(len(parts)))
            if records.unsearched(project.root, found) is None and not any(map(is_ignored, ways)):
                yield found
