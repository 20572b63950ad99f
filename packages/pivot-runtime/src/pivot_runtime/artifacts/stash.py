"""The stash of a stage's previous outs, which keeps failed or killed runs without effect, and marks of such runs.

Stashed outs are in ``.pivot/state.db/stash/<address>/<path>``, usually one rename away from their original paths. All
of them are also in the object store; stashing preserves mode, time and symlinks, and copies nothing.
"""

import contextlib
import errno
import itertools
import os
import pathlib
import shutil
from collections.abc import Iterable

from pivot_cache.errors import ArtifactError, owner_hint
from pivot_cache.files import atomic
from pivot_cache.files.signatures import boot_id
from pivot_cache.layout import Layout
from pivot_core.files.paths import ArtifactPath, parents

_MOUNTED = frozenset({errno.EBUSY, errno.EXDEV})
_EMPTIED = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC


class UnfinishedStages:
    """The stages that have begun to run and not ended; files at their outs are leftovers of a killed run.

    Stages whose outs stay in place without being recorded are among them.

    ``.pivot/state.db/unfinished/<address>`` is empty, or has the identifier of the boot in which the last run ended.
    After a power cut, nothing else may show that a run wrote the files, so an end counts only during the same boot.

    An empty mark is renamed between its stage and ``free-<number>``, which is no address: some file systems take longer
    for each new file after many removed ones.
    """

    def __init__(self, directory: pathlib.Path) -> None:
        """Use a directory, which the first `begin` creates."""
        self._directory = directory
        self._free: list[str] | None = None
        self._numbers = itertools.count()
        self._begun: set[str] = set()

    def knows(self, address: str) -> bool:
        """Whether a stage is unfinished."""
        try:
            return (self._directory / address).read_text() != boot_id()
        except OSError:
            return False

    def begin(self, address: str, *, lasting: bool) -> None:
        """Record that a stage is about to run; with ``lasting``, its first mark is flushed and survives a power cut.

        Raises:
            OSError: The mark cannot be written.
            CacheError: The mark cannot be written.
        """
        file = f"{self._directory}/{address}"
        if lasting and not os.path.exists(file):
            atomic.write_bytes(file, b"", durable=True)
            return
        if self._free is None:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._free = [f"{self._directory}/{name}" for name in os.listdir(self._directory) if "." not in name]
        self._begun.add(address)
        while self._free:
            with contextlib.suppress(FileNotFoundError):
                os.rename(self._free.pop(), file)
                return
        self._directory.mkdir(parents=True, exist_ok=True)
        os.close(os.open(file, _EMPTIED, 0o666))

    def end(self, address: str, *, lasting: bool) -> None:
        """Record that a stage has ended; with ``lasting``, that a run wrote the files at its outs."""
        file = f"{self._directory}/{address}"
        with contextlib.suppress(OSError):
            if lasting:
                pathlib.Path(file).write_text(boot_id())
            elif self._free is None or address not in self._begun:
                os.unlink(file)
            else:
                free = f"{self._directory}/free-{next(self._numbers)}"
                os.rename(file, free)
                self._free.append(free)


class OutStash:
    """The directory for the previous outs of running stages."""

    def __init__(self, layout: Layout) -> None:
        """Create the object; the directory is created with the first stashed out."""
        self._directory = layout.stash_dir
        self._root = layout.root
        self._prefix = os.path.join(layout.root, "")
        self._unfinished = UnfinishedStages(layout.unfinished_dir)
        self._lasting: set[str] = set()
        self._freed: dict[str, set[ArtifactPath]] = {}

    def waiting(self, address: str, path: ArtifactPath) -> pathlib.Path:
        """The path of a stashed out, if it was taken."""
        return self._directory / address / path

    def left(self, path: ArtifactPath) -> pathlib.Path | None:
        """The path of a stashed out that `sweep` would put back, unless something is in its place."""
        with contextlib.suppress(OSError):
            for stage in self._directory.iterdir():
                if os.path.lexists(stage / path):
                    return stage / path
        return None

    def take(
        self, address: str, paths: Iterable[ArtifactPath], *, lasting: bool = False, elsewhere: bool = False
    ) -> None:
        """Free the paths of a stage's outs, each in an existing directory.

        With ``lasting``, the fact that a run writes there survives a power cut. With ``elsewhere``, no run writes
        there, so that nothing happens for paths where nothing is.

        Raises:
            ArtifactError: An obstacle cannot be moved.
            CacheError: A file cannot be written.
        """
        freed = self._freed[address] = set()
        if elsewhere:
            paths = list(paths)
            freed.update(path for path in paths if not os.path.lexists(f"{self._prefix}{path}"))
            paths = [path for path in paths if path not in freed]
        if lasting:
            self._lasting.add(address)
        begun = False
        for path in paths:
            file = f"{self._prefix}{path}"
            try:
                if not begun:
                    self._unfinished.begin(address, lasting=lasting)
                    begun = True
                directory = os.path.dirname(file)
                if not os.path.isdir(directory):
                    above = self._above(path)
                    if above is not None:
                        self._take(address, above)
                    os.makedirs(directory, exist_ok=True)
                if os.path.lexists(file):
                    self._take(address, path)
                freed.add(path)
            except OSError as error:
                problem = f"cannot be written: {error.strerror}: {error.filename}"
                raise ArtifactError(pathlib.Path(file), problem, hint=_way(error)) from None

    def _take(self, address: str, path: ArtifactPath) -> None:
        waiting = self.waiting(address, path)
        waiting.parent.mkdir(parents=True, exist_ok=True)
        _move(self._root / path, waiting)

    def _above(self, path: ArtifactPath) -> ArtifactPath | None:
        """The file in the place of a parent directory of the path."""
        around = next((each for each in parents(path) if os.path.lexists(self._root / each)), None)
        return around if around is not None and not (self._root / around).is_dir() else None

    def _displaced(self, address: str, path: ArtifactPath) -> str:
        """The file that was moved away to create a parent directory; empty if there is none."""
        for around in parents(path):
            waiting = self._directory / address / around
            if os.path.lexists(waiting) and (waiting.is_symlink() or not waiting.is_dir()):
                return around
        return ""

    def give_back(self, address: str, paths: Iterable[ArtifactPath]) -> list[ArtifactPath]:
        """Undo `take`, replacing anything that the stage has left; return the outs that could not be put back.

        Paths that `take` did not come to, as when another could not be freed, stay as they are.
        """
        lost = []
        before = False
        freed = self._freed.pop(address, set())
        for path in paths:
            waiting, file = self.waiting(address, path), self._root / path
            if path not in freed and not (os.path.lexists(waiting) or self._displaced(address, path)):
                continue
            before = before or os.path.lexists(waiting)
            try:
                if path in freed:
                    _remove(file)
                elif os.path.lexists(file) and not file.is_dir():
                    continue  # a copy of it was interrupted, before the file itself was removed
                if os.path.lexists(waiting):
                    _move(waiting, file)
                elif displaced := self._displaced(address, path):
                    _remove(self._root / displaced)
                    shutil.move(self._directory / address / displaced, self._root / displaced)
            except OSError:
                lost.append(path)
        if not lost:
            self._drop(address, lasting=before)
        return lost

    def drop(self, address: str) -> None:
        """Drop the previous outs of a stage that has succeeded."""
        self._drop(address, lasting=True)

    def leave(self, address: str) -> None:
        """Drop the previous outs of a stage whose new ones stay without being recorded; it remains marked."""
        shutil.rmtree(self._directory / address, ignore_errors=True)

    def _drop(self, address: str, *, lasting: bool) -> None:
        if os.path.lexists(directory := f"{self._directory}/{address}"):
            shutil.rmtree(directory, ignore_errors=True)
        self._unfinished.end(address, lasting=lasting and address in self._lasting)

    def sweep(self) -> None:
        """Put back outs left by a killed run, unless something has replaced them; requires the guard."""
        with contextlib.suppress(OSError):
            for stage in list(self._directory.iterdir()):
                for directory, _, names in os.walk(stage):
                    for name in names:
                        waiting = pathlib.Path(directory, name)
                        file = self._root / waiting.relative_to(stage)
                        if not os.path.lexists(file):
                            file.parent.mkdir(parents=True, exist_ok=True)
                            shutil.move(waiting, file)
                shutil.rmtree(stage, ignore_errors=True)


def _way(error: OSError) -> str:
    if error.errno not in (errno.EACCES, errno.EPERM):
        return "move the obstacle away"
    permissions = f"check the permissions of {error.filename} and of the directory it is in"
    return owner_hint(pathlib.Path(error.filename)) or permissions


def _move(source: pathlib.Path, target: pathlib.Path) -> None:
    """Move a file or directory; for a mount point, such as a volume, its contents.

    Raises:
        OSError: It cannot be moved, and stays.
    """
    try:
        os.rename(source, target)
    except OSError as error:
        if not source.is_dir() or source.is_symlink():
            if error.errno != errno.EXDEV:
                raise
            shutil.move(source, target)
            return
        if error.errno not in _MOUNTED and not target.is_dir():
            raise
        target.mkdir(exist_ok=True)
        for name in os.listdir(source):
            shutil.move(source / name, target / name)
        shutil.copystat(source, target)
        _remove(source)


def _remove(file: pathlib.Path) -> None:
    """Remove the files that a run left. A mount point stays, but becomes empty."""
    if not file.is_dir() or file.is_symlink():
        file.unlink(missing_ok=True)
        return
    try:
        shutil.rmtree(file)
    except OSError as error:
        if error.errno != errno.EBUSY or os.listdir(file):
            raise
