"""What the project's lock files and `.pvt` files say should lie where: read without importing any user code."""

import difflib
import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping

import attrs

from pivot_cache import lockfiles, pvt
from pivot_core.errors import PathError
from pivot_core.lock import Artifact
from pivot_core.paths import STATE_DIR, ArtifactPath
from pivot_engine.errors import EngineError, TargetError
from pivot_engine.project import Project

_ENVIRONMENT = "pyvenv.cfg"
_SKIPPED = frozenset({"node_modules", "__pycache__"})
_LOCK = ".lock"


@attrs.frozen
class Record:
    """One artifact that a file under version control names.

    Attributes:
        path: Where it belongs.
        artifact: What belongs there.
        address: The stage that wrote it; None if it is tracked without a stage.
        cache: Whether its content is kept in the cache; else it is for git.
    """

    path: ArtifactPath
    artifact: Artifact
    address: str | None = None
    cache: bool = True

    @property
    def tracked(self) -> bool:
        """It is data without a stage."""
        return self.address is None


@attrs.frozen
class Records:
    """Everything that is recorded in a project, by path."""

    by_path: Mapping[ArtifactPath, Record]

    @property
    def tracked(self) -> list[Record]:
        """The data that are tracked without a stage, by path."""
        return [record for record in self.by_path.values() if record.tracked]

    def select(self, targets: Iterable[str], project: Project) -> list[Record]:
        """The records that targets mean, by path; all if there are no targets.

        A target is a stage's name or address, or the path of an out, of tracked data, or of a directory that
        holds some, relative to the directory of the command. What is both means the stage; ``./x`` the path.

        Raises:
            TargetError: A target means nothing, or several stages.
        """
        named = list(targets)
        wanted: dict[ArtifactPath, Record] = {}
        for target in named:
            wanted.update({record.path: record for record in self._one(target, project)})
        return [record for path, record in sorted((wanted if named else self.by_path).items())]

    def _one(self, target: str, project: Project) -> list[Record]:
        addresses = {record.address for record in self.by_path.values() if record.address is not None}
        meant = {address for address in addresses if target in (address, address.partition(".")[2])}
        if target in addresses:
            meant = {target}
        if len(meant) > 1:
            raise TargetError(f"the stage name {target!r} is ambiguous", hint=f"say which: {', '.join(sorted(meant))}")
        if meant:
            return [record for record in self.by_path.values() if record.address in meant]
        try:
            path = project.path(target)
        except PathError:
            found = []
        else:
            inside = f"{path}/" if path else ""
            found = [
                record for record in self.by_path.values() if record.path == path or record.path.startswith(inside)
            ]
        if not found:
            raise TargetError(f"nothing recorded is named {target!r}", hint=self._suggest(target, addresses, project))
        return found

    def _suggest(self, target: str, addresses: Iterable[str], project: Project) -> str:
        paths = [os.path.relpath(project.root / path, project.cwd) for path in self.by_path]
        names = [address.partition(".")[2] for address in sorted(addresses)]
        close = difflib.get_close_matches(target.removeprefix("./"), [*names, *paths], n=3)
        if close:
            return f"did you mean {' or '.join(close)}?"
        return "name a stage that has run, one of its outs, or tracked data: see 'pivot status'"


def read(project: Project) -> Records:
    """All records of a project.

    Raises:
        LockFileError: A file does not say what it must say.
        EngineError: One path is recorded twice.
    """
    found: dict[ArtifactPath, Record] = {}
    sources: dict[ArtifactPath, str] = {}
    for record, source in (*_locked(project), *_tracked(project)):
        if record.path in found:
            raise EngineError(
                f"{record.path} is recorded twice: in {sources[record.path]} and in {source}",
                hint="delete the one that is out of date: the lock file of a stage that is gone, or the .pvt file",
            )
        found[record.path] = record
        sources[record.path] = source
    return Records(dict(sorted(found.items())))


def read_tracked(project: Project) -> list[Record]:
    """The records of data that are tracked without a stage, by path.

    Raises:
        LockFileError: A file does not say what it must say.
    """
    return sorted((record for record, _ in _tracked(project)), key=lambda record: record.path)


def _locked(project: Project) -> Iterator[tuple[Record, str]]:
    try:
        names = sorted(os.listdir(project.layout.stages_dir))
    except FileNotFoundError:
        return
    for name in names:
        if not name.endswith(_LOCK):
            continue
        file = project.layout.stages_dir / name
        lock = lockfiles.read(file)
        if lock is None:
            continue
        shown = str(file.relative_to(project.root))
        for spec in lock.inputs.outs:
            yield Record(spec.path, lock.outs[spec.path], name.removesuffix(_LOCK), spec.cache), shown


def _tracked(project: Project) -> Iterator[tuple[Record, str]]:
    for file in _pvt_files(project.root):
        shown = str(file.relative_to(project.root))
        path = ArtifactPath.parse(shown.removesuffix(pvt.SUFFIX))
        yield Record(path, pvt.read(file)), shown


def _pvt_files(root: pathlib.Path) -> Iterator[pathlib.Path]:
    """All of them; hidden directories, environments and tracked directories themselves are not searched."""
    pending = [os.fspath(root)]
    while pending:
        directory = pending.pop()
        inner: list[str] = []
        names: list[str] = []
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    if entry.name.endswith(pvt.SUFFIX) and entry.name != pvt.SUFFIX:
                        names.append(entry.name)
                    elif entry.name == _ENVIRONMENT and directory != os.fspath(root):
                        inner.clear()
                        names.clear()
                        break
                    elif entry.is_dir(follow_symlinks=False) and not _is_skipped(entry.name):
                        inner.append(entry.name)
        except OSError:
            continue  # what cannot be listed holds nothing that could be restored either
        for name in names:
            file = pathlib.Path(directory, name)
            if file.is_file():
                yield file
        here = set(names)
        pending.extend(os.path.join(directory, name) for name in inner if f"{name}{pvt.SUFFIX}" not in here)


def _is_skipped(name: str) -> bool:
    return name.startswith(".") or name in _SKIPPED or name == STATE_DIR
