"""`pivot import-pivot`: takes over the data that Pivot 0.1 to 0.5 tracked, and reports what it cannot keep.

The data of each ``.pvt`` file are compared with its digest. If they are absent, they are copied from the cache of that
time, of which every file is verified. Then they are tracked as by `pivot track`, which replaces the ``.pvt`` file. Lock
files of that time stay: their digests of code say nothing about the code that Pivot compares now.
"""

import enum
import os
import pathlib
import shutil
import stat
from collections.abc import Iterator

import attrs

from pivot_cache.errors import LockFileError, as_cache_errors
from pivot_cache.files import atomic
from pivot_cache.formats import pvt
from pivot_cache.layout import LOCK_SUFFIX
from pivot_core.errors import PathError
from pivot_core.files.paths import ArtifactPath
from pivot_core.values import Value
from pivot_runtime.artifacts import records
from pivot_runtime.artifacts.track import track
from pivot_runtime.context import CommandContext, Notices
from pivot_runtime.earlier import earlier_files
from pivot_runtime.earlier.earlier_files import EarlierArtifact
from pivot_runtime.errors import TargetError
from pivot_runtime.history.events import Reporter, no_report
from pivot_runtime.project.project import Project, complete_gitignore

_CHUNK = 1 << 20


class Outcome(enum.Enum):
    """The end of one ``.pvt`` file; each but the first two leaves it as it is."""

    TRACKED = "tracked"
    RESTORED = "restored"
    CHANGED = "changed"
    ABSENT = "absent"
    UNREADABLE = "unreadable"
    REFUSED = "refused"


@attrs.frozen(eq=False, repr=False)
class EarlierData(Value):
    """One ``.pvt`` file of an earlier Pivot.

    Attributes:
        file: Its path.
        outcome: Its end.
        problem: The reason why it cannot be read or tracked; else empty.
        hint: The hint for that, if there is one; else empty.
        source: The repository, revision and path that its data were imported from.
    """

    file: str
    outcome: Outcome
    problem: str = ""
    hint: str = ""
    source: tuple[str, str, str] | None = None

    @property
    def data(self) -> str:
        """The path of its data."""
        return self.file.removesuffix(pvt.SUFFIX)

    @property
    def kept(self) -> bool:
        """Whether its data are tracked now."""
        return self.outcome in {Outcome.TRACKED, Outcome.RESTORED}


@attrs.frozen(eq=False, repr=False)
class EarlierLock(Value):
    """One lock file of an earlier Pivot.

    Attributes:
        file: Its path.
        stage: The name of the stage, after that of its pipeline if the version had such names.
        outs: How many outs it records.
        current: How many of these are in the workspace with the recorded content.
    """

    file: str
    stage: str
    outs: int
    current: int


@attrs.frozen(eq=False, repr=False)
class EarlierProject(Value):
    """All that an earlier Pivot has left in a project."""

    data: tuple[EarlierData, ...]
    locks: tuple[EarlierLock, ...]


def import_pivot(context: CommandContext, *, dry_run: bool = False, report: Reporter = no_report) -> EarlierProject:
    """Take over the tracked data of an earlier Pivot; with ``dry_run``, only report what would happen.

    Raises:
        CacheError: A file cannot be read or written; what was taken over before stays.
    """
    project = context.project
    files = sorted(_earlier_pvt_files(project))
    if not dry_run:
        for directory in {file.parent for file in files}:
            atomic.sweep_once(directory)  # a killed command may have begun to restore data that are not restored now
    found = [_take_over(project, file, dry_run=dry_run) for file in files]
    if not dry_run:
        with as_cache_errors("write", project.layout.gitignore_file):
            complete_gitignore(project.layout)
        refused = _track(context, [each.data for each in found if each.kept], report)
        found = [_refused(each, refused[each.data]) if each.data in refused else each for each in found]
    return EarlierProject(tuple(found), tuple(_locks(project)))


def _refused(data: EarlierData, error: TargetError) -> EarlierData:
    return attrs.evolve(data, outcome=Outcome.REFUSED, problem=str(error), hint=error.hint or "")


def _track(context: CommandContext, data: list[str], report: Reporter) -> dict[str, TargetError]:
    """Track data; returns the reasons why some cannot be tracked."""
    # The list of this command says more than the notice does.
    notices = Notices(lambda notice: None if notice.hint == records.EARLIER_HINT else context.notices.add(notice))
    quiet = attrs.evolve(context, notices=notices)
    names = {path: context.project.from_cwd(path) for path in data}
    refused = {}
    try:
        track(quiet, names.values(), report=report)
    except TargetError:
        for path, name in names.items():
            try:
                track(quiet, [name], report=report)
            except TargetError as error:
                refused[path] = error
    return refused


def _earlier_pvt_files(project: Project) -> Iterator[pathlib.Path]:
    foreign: set[str] = set()
    for file in records.find_pvt_files(project.root, lambda _: None, foreign):
        try:
            pvt.read(file)
        except pvt.EarlierFileError:
            foreign.add(os.fspath(file))
            yield file
        except pvt.ForeignFileError:
            foreign.add(os.fspath(file))
        except LockFileError:
            continue


def _take_over(project: Project, file: pathlib.Path, *, dry_run: bool) -> EarlierData:
    """Compare the data of a file with its record, and restore absent ones."""
    name = file.relative_to(project.root).as_posix()
    data = file.with_name(file.name.removesuffix(pvt.SUFFIX))
    try:
        record = earlier_files.parse_pvt(file.read_text(encoding="utf-8"), name)
        if record.data.files is None or record.data.path.rstrip("/") != data.name:
            return EarlierData(name, Outcome.UNREADABLE, f"it represents {record.data.path!r}")
    except (ValueError, OSError) as error:
        return EarlierData(name, Outcome.UNREADABLE, str(error))
    outcome = Outcome.TRACKED
    if not os.path.lexists(data):
        outcome = Outcome.RESTORED
        if not _restore(project, record.data, data, dry_run=dry_run):
            return EarlierData(name, Outcome.ABSENT, source=record.source)
    elif not _is_current(record.data, data):
        return EarlierData(name, Outcome.CHANGED, source=record.source)
    return EarlierData(name, outcome, source=record.source)


def _is_current(record: EarlierArtifact, data: pathlib.Path) -> bool:
    """Whether a file or directory has exactly the recorded content; links in a directory were not recorded."""
    if record.files is None or record.is_directory != data.is_dir():
        return False
    if not record.is_directory:
        return _digest_of(data) == record.files[""]
    here = {
        os.path.relpath(os.path.join(directory, name), data) for directory, _, names in os.walk(data) for name in names
    }
    others = here - record.files.keys()
    return (
        record.files.keys() <= here
        and all((data / each).is_symlink() for each in others)
        and all(_digest_of(data / member) == digest for member, digest in record.files.items())
    )


def _digest_of(file: pathlib.Path) -> str | None:
    """The digest of a regular file, which may be the target of a link; None if there is none."""
    hasher = earlier_files.hasher()
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            return None
        with file.open("rb") as source:
            while chunk := source.read(_CHUNK):
                hasher.update(chunk)
    except OSError:
        return None
    return hasher.hexdigest()


def _restore(project: Project, record: EarlierArtifact, data: pathlib.Path, *, dry_run: bool) -> bool:
    """Copy absent data from the cache of the earlier Pivot; False if it lacks a file or has another content."""
    files = record.files or {}
    objects = {member: project.layout.earlier_object(digest) for member, digest in files.items()}
    if any(_digest_of(objects[member]) != digest for member, digest in files.items()):
        return False
    if dry_run:
        return True
    with as_cache_errors("write", data), atomic.staging(data.parent) as place:
        made = place / "data"
        if record.is_directory:
            made.mkdir()
        for member in record.empty:
            (made / member).mkdir(parents=True, exist_ok=True)
        for member, source in objects.items():
            target = made / member if member else made
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            if member in record.executable:
                target.chmod(target.stat().st_mode | 0o111)
        if not _is_current(record, made):
            return False
        os.rename(made, data)
    return True


def _locks(project: Project) -> Iterator[EarlierLock]:
    stages = project.layout.stages_dir
    for file in sorted(stages.rglob(f"*{LOCK_SUFFIX}")):  # the last versions had a directory for each pipeline
        name = file.relative_to(project.root).as_posix()
        try:
            outs = earlier_files.parse_lock(file.read_text(encoding="utf-8"), name)
        except (ValueError, OSError):
            continue
        stage = file.relative_to(stages).as_posix().removesuffix(LOCK_SUFFIX)
        yield EarlierLock(name, stage, len(outs), sum(_is_out_current(project, out) for out in outs))


def _is_out_current(project: Project, out: EarlierArtifact) -> bool:
    try:
        path = ArtifactPath.parse(out.path.rstrip("/"))
    except PathError:
        return False
    return _is_current(out, project.layout.artifact(path))
