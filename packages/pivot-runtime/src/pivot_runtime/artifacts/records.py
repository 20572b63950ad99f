"""Records: the artifacts in the project's lock files and `.pvt` files, read without importing any user code."""

import contextlib
import os
import pathlib
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

import attrs

from pivot_cache.errors import CacheError
from pivot_cache.formats import pvt
from pivot_cache.formats.tree import Tree
from pivot_cache.layout import lock_name, stage_addresses
from pivot_core.errors import PathError, list_names, suggest
from pivot_core.files.paths import ArtifactPath, is_within, parents
from pivot_core.graph import Graph
from pivot_core.lock import Artifact, StageLock
from pivot_core.spec import Location, StageSpec
from pivot_core.values import Value
from pivot_runtime.artifacts import lock_files
from pivot_runtime.context import CommandContext, Notice
from pivot_runtime.errors import TargetError
from pivot_runtime.project import targets
from pivot_runtime.project.project import Project

if TYPE_CHECKING:
    from pivot_cache.formats.data_source import DataSource

_ENVIRONMENT = "pyvenv.cfg"
_SKIPPED = frozenset({"node_modules", "__pycache__"})


@attrs.frozen(eq=False, repr=False)
class Record(Value):
    """An artifact that a file under version control names.

    Attributes:
        path: Its path.
        artifact: The recorded artifact.
        address: The stage that wrote it; None if it is tracked without a stage.
        cache: Whether its content is stored in the cache; otherwise it is for git.
        kind: The kind of the out, as in `pivot_core.spec.OutSpec`, if its lock names it.
        source: Where tracked data were imported from, if they were.
        temp: Whether it is in the workspace only while stages need it.
    """

    path: ArtifactPath
    artifact: Artifact
    address: str | None = None
    cache: bool = True
    kind: str = attrs.field(default="", eq=False)
    source: "DataSource | None" = attrs.field(default=None, eq=False)
    temp: bool = attrs.field(default=False, eq=False)

    @property
    def tracked(self) -> bool:
        """Whether it is tracked data without a stage."""
        return self.address is None


class ContradictionError(CacheError):
    """Two files record different content for one path."""


type Opened = Callable[[Record], Tree | None]
"""Returns the contents of a recorded directory; None if they are unknown."""


@attrs.frozen(eq=False, repr=False)
class Records(Value):
    """All records of a project.

    Attributes:
        by_path: The records by path.
        specs: The stages, as far as their lock files describe them.
        damaged: The paths whose records are unusable, since the `.pvt` file is damaged or two files contradict each
            other, with the error.
    """

    by_path: Mapping[ArtifactPath, Record]
    specs: tuple[StageSpec, ...] = ()
    damaged: Mapping[ArtifactPath, CacheError] = attrs.field(factory=dict)

    @property
    def tracked(self) -> list[Record]:
        """The tracked data by path."""
        return [record for record in self.by_path.values() if record.tracked]

    @property
    def addresses(self) -> list[str]:
        """The addresses of the stages that have run."""
        return [spec.address for spec in self.specs]

    def select(self, names: Iterable[str], project: Project, opened: Opened | None = None) -> list[Record]:
        """The records that targets select, by path; all without targets.

        A target is a stage's name or address, a pattern of these, or the path of an out, of tracked data, or of a
        directory that contains some, relative to the directory of the command; ``+target`` and ``target+`` as in
        `pivot_runtime.project.targets`. A name that matches both a stage and a path means the stage; ``./x`` means the
        path. With ``opened``, a target may also be a path inside a recorded directory: it selects the files there, or
        the whole directory if its listing is unknown.

        Raises:
            TargetError: A target selects nothing, or is ambiguous.
            CacheError: The `.pvt` file of a target is damaged.
        """
        named = list(names)
        wanted: dict[ArtifactPath, Record] = {}
        for target in named:
            wanted.update({record.path: record for record in self._one(target, project, opened)})
        return [record for path, record in sorted((wanted if named else self.by_path).items())]

    def _one(self, target: str, project: Project, opened: Opened | None = None) -> list[Record]:
        stages = targets.named(target, self._loose())
        if stages:
            return [record for record in self.by_path.values() if record.address in stages]
        found = self._below(target, project)
        if not found and opened is not None:
            found = self._inside(target, project, opened)
        if found:
            return found
        damaged = self.damaged_at(target, project)
        if damaged is not None:
            raise self.damaged[damaged]
        core = targets.without_signs(target)
        if core:
            asked = {record.address for record in self._one(core, project) if record.address is not None}
            wanted = targets.with_neighbours(target, asked, Graph.build(self.specs))
            return [record for record in self.by_path.values() if record.address in wanted]
        raise TargetError(f"nothing recorded is named {target!r}", hint=self._suggest(target, project))

    def damaged_at(self, target: str, project: Project) -> ArtifactPath | None:
        """The data at or around a path whose `.pvt` file is damaged."""
        with contextlib.suppress(PathError):
            path = project.path(target)
            for damaged in self.damaged:
                if is_within(path, damaged):
                    return damaged
        return None

    def _loose(self) -> Graph:
        """The stages without their dependencies, which old lock files may contradict."""
        return Graph.build(attrs.evolve(spec, deps=(), outs=()) for spec in self.specs)

    def _below(self, target: str, project: Project) -> list[Record]:
        try:
            path = project.path(target)
        except PathError:
            return []
        return [record for record in self.by_path.values() if not path or is_within(record.path, path)]

    def _inside(self, target: str, project: Project, opened: Opened) -> list[Record]:
        try:
            path = project.path(target)
        except PathError:
            return []
        record = next((self.by_path[around] for around in parents(path) if around in self.by_path), None)
        if record is None or not record.artifact.tree:
            return []
        tree = opened(record)
        if tree is None:
            return [record]
        place = path.removeprefix(f"{record.path}/")
        return [
            Record(ArtifactPath(f"{record.path}/{name}"), file, record.address, record.cache)
            for name, file in tree.files.items()
            if is_within(name, place)
        ]

    def _suggest(self, target: str, project: Project) -> str:
        paths = [os.path.relpath(project.root / path, project.cwd) for path in self.by_path]
        names = self.addresses if "." in target else [spec.name for spec in self.specs]
        close = suggest(target.removeprefix("./"), [*names, *paths], most=3)
        return close or "name a stage that has run, one of its outs, or tracked data: see 'pivot status'"


EARLIER_HINT: Final = "'pivot import-pivot' takes such files over"
"""The hint of the notice about `.pvt` files of an earlier Pivot."""


def read(context: CommandContext, *, mending: Container[str] = ()) -> Records:
    """All records of a project.

    The following are skipped with a notice: a damaged or foreign `.pvt` file, a damaged lock file, and a path that two
    files record differently. A damaged `.pvt` file of a path in ``mending`` causes no notice.

    Raises:
        NewerFormatError: A lock file requires a newer Pivot.
    """
    damaged: dict[ArtifactPath, CacheError] = {}
    locks = read_locks(context)
    return _combined(context, locks, _tracked(context, damaged, mending), damaged)


def of_locks(context: CommandContext, locks: Mapping[str, StageLock]) -> Records:
    """The records in lock files of one revision, without tracked data; contradictions are reported as by `read`."""
    return _combined(context, locks, (), {})


def _combined(
    context: CommandContext,
    locks: Mapping[str, StageLock],
    tracked: Iterable[tuple[Record, str]],
    damaged: dict[ArtifactPath, CacheError],
) -> Records:
    found: dict[ArtifactPath, Record] = {}
    sources: dict[ArtifactPath, str] = {}
    for record, source in (*_locked(locks), *tracked):
        other = found.setdefault(record.path, record)
        sources.setdefault(record.path, source)
        if other.artifact != record.artifact:
            damaged[record.path] = ContradictionError(
                f"{record.path} is recorded twice: in {sources[record.path]} and in {source}",
                hint="delete the obsolete one: the .pvt file, or the lock file of a stage that no longer exists, "
                "which 'pivot repro' does",
            )
    for path, error in damaged.items():
        if found.pop(path, None) is not None:
            context.notices.leave_out(error)
    specs = tuple(_spec(address, lock) for address, lock in locks.items())
    return Records(dict(sorted(found.items())), specs, damaged)


def read_tracked(context: CommandContext) -> list[Record]:
    """The records of tracked data by path; files that `read` skips are skipped here."""
    return sorted((record for record, _ in _tracked(context, {})), key=lambda record: record.path)


def has_tracked(context: CommandContext) -> bool:
    """Whether there are tracked data, even if `read_tracked` skips all of them."""
    damaged: dict[ArtifactPath, CacheError] = {}
    earlier: list[str] = []
    return any(True for _ in _tracked(context, damaged, earlier=earlier)) or bool(damaged or earlier)


def code_files(context: CommandContext) -> dict[str, str]:
    """The source files that lock files name, each with the address of a stage that depends on it.

    Raises:
        NewerFormatError: A lock file requires a newer Pivot.
    """
    found: dict[str, str] = {}
    for address, lock in read_locks(context).items():
        for entry in (*lock.inputs.code.values(), *lock.inputs.observed.values()):
            if entry.location is not None:
                found.setdefault(entry.location.file, address)
    return found


def read_locks(context: CommandContext) -> dict[str, StageLock]:
    """Each lock file by the address of its stage; damaged ones are skipped with a notice.

    Raises:
        NewerFormatError: A lock file requires a newer Pivot.
    """
    found = {}
    for address in stage_addresses(context.project.layout.stages_dir):
        lock = lock_files.read(context, address)
        if lock is not None:
            found[address] = lock
    return found


def _locked(locks: Mapping[str, StageLock]) -> Iterator[tuple[Record, str]]:
    for address, lock in locks.items():
        for spec in lock.inputs.outs:
            yield (
                Record(spec.path, lock.outs[spec.path], address, spec.cache, spec.kind, temp=spec.temp),
                lock_name(address),
            )


def _spec(address: str, lock: StageLock) -> StageSpec:
    pipeline, _, name = address.partition(".")
    place = Location(lock_name(address), 1)
    return StageSpec(name, pipeline, "", place, tuple(lock.inputs.deps), tuple(lock.inputs.outs))


def _tracked(
    context: CommandContext,
    damaged: dict[ArtifactPath, CacheError],
    mending: Container[str] = (),
    earlier: list[str] | None = None,
) -> Iterator[tuple[Record, str]]:
    project = context.project
    foreign: dict[str, str] = {}
    earlier = [] if earlier is None else earlier
    for file in find_pvt_files(project.root, context.read_set.look, foreign):
        context.read_set.look(file)
        name = str(file.relative_to(project.root))
        try:
            path = ArtifactPath.parse(name.removesuffix(pvt.SUFFIX))
            data = pvt.read_data(file, project.from_cwd(name))
        except pvt.ForeignFileError as error:
            foreign[os.fspath(file)] = project.from_cwd(name)
            if isinstance(error, pvt.EarlierFileError):
                earlier.append(foreign[os.fspath(file)])
        except PathError as error:
            context.notices.leave_out(error)
        except CacheError as error:
            damaged[path] = error
            if path not in mending:
                context.notices.leave_out(error)
        else:
            yield Record(path, data.artifact, source=data.source), name
    if earlier:
        text = f"{list_names(sorted(earlier), 1)}: written by an earlier Pivot, skipped"
        context.notices.add(Notice(text, EARLIER_HINT))
    if len(foreign) > len(earlier):
        names = list_names(sorted(set(foreign.values()).difference(earlier)), 1)
        context.notices.add(Notice(f"{names}: not a {pvt.SUFFIX} file of Pivot's, skipped"))


def find_pvt_files(
    root: pathlib.Path, look: Callable[[str], object], foreign: Collection[str] = ()
) -> Iterator[pathlib.Path]:
    """Find all `.pvt` files.

    Hidden directories, environments and the targets of symbolic links are not searched, nor are tracked directories
    themselves: `track` refuses to put a `.pvt` file there.

    Args:
        root: The project's root.
        look: Called for each directory before it is listed.
        foreign: The caller adds the path of each file that does not represent data.
    """
    pending = [os.fspath(root)]
    while pending:
        directory = pending.pop()
        look(directory)
        inner: list[str] = []
        names: list[str] = []
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    is_directory = entry.is_dir(follow_symlinks=False)
                    if entry.name.endswith(pvt.SUFFIX) and entry.name != pvt.SUFFIX and not is_directory:
                        names.append(entry.name)
                    elif entry.name == _ENVIRONMENT and directory != os.fspath(root):
                        inner.clear()
                        names.clear()
                        break
                    elif is_directory and not _is_skipped(entry.name):
                        inner.append(entry.name)
        except OSError:
            continue  # an unlistable directory contains nothing that could be restored
        for name in names:
            yield pathlib.Path(directory, name)
        here = {name for name in names if os.path.join(directory, name) not in foreign}
        pending.extend(os.path.join(directory, name) for name in inner if f"{name}{pvt.SUFFIX}" not in here)


def unsearched(root: pathlib.Path, path: str) -> tuple[str, str] | None:
    """The first directory on the way to a path that `find_pvt_files` does not search, and the reason; else None."""
    parts = path.split("/")[:-1]
    for length in range(1, len(parts) + 1):
        around = "/".join(parts[:length])
        directory = root / around
        if directory.is_symlink():
            return around, "is a symbolic link"
        if _is_skipped(parts[length - 1]):
            return around, "is left out of searches"
        if (directory / _ENVIRONMENT).exists():
            return around, f"is a virtual environment ({_ENVIRONMENT})"
    return None


def _is_skipped(name: str) -> bool:
    return name.startswith(".") or name in _SKIPPED
