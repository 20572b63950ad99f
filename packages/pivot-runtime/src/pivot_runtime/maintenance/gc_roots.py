"""The roots of garbage collection: all artifacts that lock and `.pvt` files name, in the workspace and in git."""

import contextlib
import os
import pathlib
import stat
from collections.abc import Callable, Iterable, Iterator

from pivot_cache.errors import CacheError, LockFileError, cache_error
from pivot_cache.files import safe_read
from pivot_cache.formats import lock_file, pvt
from pivot_cache.layout import LOCK_SUFFIX, Layout, stage_addresses
from pivot_core.files.paths import RESERVED_DIRS
from pivot_core.lock import Artifact, StageLock
from pivot_runtime.git import calls, submodules
from pivot_runtime.git.refs import Repository

type Doubt = Callable[[CacheError], object]
"""Called with the error of each invalid file."""

_EMPTY = (
    [b"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"],
    [b"473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813"],
)
"""Git's names of an empty file, in repositories of both formats."""


def refuse(error: CacheError) -> None:
    """Raise the error of any doubt."""
    raise error


def gather(projects: Iterable[pathlib.Path], doubt: Doubt = refuse) -> set[Artifact]:
    """Find every artifact that the files of these projects name.

    Args:
        projects: The roots of the projects.
        doubt: Called for each invalid file, and for each directory that cannot be searched; by default, its error is
            raised. If it returns, the file or directory is ignored.

    Raises:
        GitError: Git failed.
        CacheError: A file or a directory cannot be read.
    """
    found: set[Artifact] = set()
    for root in projects:
        for name, data in _files(root, doubt):
            try:
                found.update(named(name, data))
            except LockFileError as error:
                doubt(error)
    return found


def locks(root: pathlib.Path) -> Iterator[StageLock]:
    """Every lock of a project, in the workspace and in git; invalid lock files are skipped.

    Raises:
        GitError: Git failed.
        CacheError: A file or a directory cannot be read.
    """
    for name, data in _files(root, refuse):
        if name.endswith(LOCK_SUFFIX):
            with contextlib.suppress(LockFileError):
                yield lock_file.parse(data, name)


def named(name: str, data: bytes) -> Iterator[Artifact]:
    """The cached artifacts that a lock or `.pvt` file names.

    Raises:
        LockFileError: The content is invalid.
    """
    if name.endswith(pvt.SUFFIX):
        if not pvt.is_foreign(data):
            for side in pvt.sides(data) or (data,):  # in a conflict, either side may still be taken
                yield pvt.loads(side, name)
        return
    lock = lock_file.parse(data, name)
    kept = {spec.path for spec in lock.inputs.outs if spec.cache}
    yield from (artifact for path, artifact in lock.outs.items() if path in kept)


def _files(root: pathlib.Path, doubt: Doubt) -> Iterator[tuple[str, bytes]]:
    """The name and content of every file of a project that may name objects."""
    repository = Repository.around(root)
    nested: dict[pathlib.Path, None] = {}
    for place in [root] if repository is None else repository.roots():
        yield from _in_workspace(place, doubt, nested)
    if repository is not None or nested:
        for file in submodules.remembered(repository, nested):
            if file.data or file.path.endswith(pvt.SUFFIX):  # merges leave empty lock files
                yield f"{file.where}:{file.path}", file.data


def _in_workspace(root: pathlib.Path, doubt: Doubt, nested: dict[pathlib.Path, None]) -> Iterator[tuple[str, bytes]]:
    """The files in a directory; repositories in it are added to ``nested``."""

    def unreadable(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            doubt(cache_error("read", pathlib.Path(error.filename), error))

    stages = Layout(root).stages_dir
    for address in _locked(stages):
        file = stages / f"{address}{LOCK_SUFFIX}"
        yield from (each for each in _read(file, doubt) if each[1] or not _is_merged(file))
    for directory, inner, names in os.walk(root, onerror=unreadable):
        tracked: set[str] = set()
        if directory != os.fspath(root) and (".git" in inner or ".git" in names):
            nested[pathlib.Path(directory)] = None
        for name in names:
            if name.endswith(pvt.SUFFIX) and name != pvt.SUFFIX:
                ours = [each for each in _read(pathlib.Path(directory, name), doubt) if not pvt.is_foreign(each[1])]
                tracked.update(name.removesuffix(pvt.SUFFIX) for _ in ours)
                yield from ours
        inner[:] = [name for name in inner if name not in RESERVED_DIRS and name not in tracked]


def _is_merged(file: pathlib.Path) -> bool:
    """Whether git also has an empty file there, as after a merge; after a power cut, it has not."""
    try:
        done = calls.run(file.parent, "--literal-pathspecs", "ls-files", "-s", "-z", "--", file.name)
    except OSError:
        return False
    return done.stdout.split(b" ")[1:2] in _EMPTY


def _locked(directory: pathlib.Path) -> list[str]:
    try:
        return stage_addresses(directory)
    except OSError as error:
        raise cache_error("read", directory, error) from error


def _read(file: pathlib.Path, doubt: Doubt) -> Iterator[tuple[str, bytes]]:
    try:
        if stat.S_ISREG(file.stat().st_mode):
            yield str(file), safe_read.read_regular(file)
        elif file.name.endswith(LOCK_SUFFIX):
            doubt(LockFileError(str(file), "it is not a file", hint="`pivot repro` writes it again"))
    except FileNotFoundError:
        return
    except OSError as error:
        doubt(cache_error("read", file, error))
