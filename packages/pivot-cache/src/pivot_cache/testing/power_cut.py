"""Possible states of a directory after a power cut, for tests: any unflushed part may be lost, in any order.

A `SyscallRecorder` records what is flushed while a directory is changed, and can store its state at each moment. From
such a `Moment`, `strike` recreates a possible state of the disk after a power cut: for each unflushed name, the old or
the new meaning; for each unflushed file, the old bytes, none, some, zeros or the new ones. Modification times survive,
which is the worst case: only the bytes reveal the loss.
"""

import contextlib
import os
import random
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Self

import attrs

from pivot_cache.files import durable, signatures, syscalls
from pivot_cache.files.atomic import remove_tree
from pivot_core.values import Value


@attrs.frozen(eq=False, repr=False)
class FileNode(Value):
    """A file, a directory or a symlink.

    Attributes:
        mode: Its type and permissions.
        time: The time of its last modification in ns since the epoch.
        content: The bytes of a file, or the target of a symlink.
        names: The entries of a directory, by inode.
    """

    mode: int
    time: int
    content: bytes = b""
    names: Mapping[str, int] = attrs.field(factory=dict)


type Nodes = Mapping[int, FileNode]
"""A directory and everything in it, by inode."""


@attrs.frozen(eq=False, repr=False)
class Moment(Value):
    """The state of a directory, and the part of it that is on the disk.

    Attributes:
        event: The change that is about to happen.
        top: The inode of the directory.
        seen: The state as all processes see it.
        flushed: The state at the last flush of each part.
    """

    event: str
    top: int
    seen: Nodes
    flushed: Nodes


class SyscallRecorder:
    """Records what is flushed below a directory within the block."""

    def __init__(self, root: Path, *, wanted: Callable[[str], bool] = lambda _: False) -> None:
        """Start with everything below ``root`` flushed; store the state before each change that is ``wanted``."""
        self.root = root
        self.moments: list[Moment] = []
        self._wanted = wanted
        self._held: list[int] = []  # open files keep their inode, so that no two files share one
        self._seen: dict[int, FileNode] = {}
        self._flushed: dict[int, FileNode] = {}
        self._before = syscalls.before

    def __enter__(self) -> Self:
        self._flushed.update(self._look())
        self._before = syscalls.before
        syscalls.before = self._note
        return self

    def __exit__(self, *_: object) -> None:
        syscalls.before = self._before
        self.keep("the end")
        for descriptor in self._held:
            os.close(descriptor)

    def keep(self, event: str) -> Moment:
        """The current state."""
        moment = Moment(event, os.stat(self.root).st_ino, self._look(), dict(self._flushed))
        self.moments.append(moment)
        return moment

    def _note(self, operation: str, *arguments: object) -> None:
        self._before(operation, *arguments)
        if operation == "syncfs":
            self._flushed.update(self._look())
        elif operation == "fsync":
            self._held.append(number := os.dup(arguments[0]))  # type: ignore[arg-type]
            status = os.fstat(number)
            self._flushed[status.st_ino] = _node(number, status)
        if self._wanted(operation):
            self.keep(operation)

    def _look(self) -> dict[int, FileNode]:
        found: dict[int, FileNode] = {}
        for name, status in _below(os.fspath(self.root)):
            with contextlib.suppress(FileNotFoundError):
                found[status.st_ino] = _node(name, status)
                if status.st_ino not in self._seen and not stat.S_ISLNK(status.st_mode):
                    self._held.append(os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
        self._seen.update(found)
        return found


def strike(
    root: Path, moment: Moment, chance: random.Random, spared: Callable[[str], bool] = lambda _: False
) -> list[str]:
    """Make ``root`` a possible state of the disk after a power cut at this moment.

    Args:
        root: The directory; its current contents are discarded.
        moment: The moment of the power cut.
        chance: The source of decisions.
        spared: Relative paths that are not damaged, as if they had been flushed.

    Returns:
        The losses, described in words.
    """
    with os.scandir(root) as entries:
        old = [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for path, directory in old:
        remove_tree(path) if directory else os.unlink(path)
    cut = _Cut(moment, chance, spared)
    cut.fill(root, "", moment.top)
    durable._reached.clear()  # noqa: SLF001 - these are other directories
    return cut.losses


@contextlib.contextmanager
def restarted(name: str, place: Path) -> Iterator[None]:
    """Simulate another boot of the machine: data of other boots is not trusted.

    Args:
        name: The identifier of the boot.
        place: A directory for a file.
    """
    before = signatures._BOOT_ID  # noqa: SLF001 - the one place that knows
    file = place / "boot_id"
    file.write_text(name)
    signatures._BOOT_ID = str(file)  # noqa: SLF001
    signatures._boot_ids.clear()  # noqa: SLF001
    try:
        yield
    finally:
        signatures._BOOT_ID = before  # noqa: SLF001
        signatures._boot_ids.clear()  # noqa: SLF001


class _Cut:
    """A power cut in progress."""

    def __init__(self, moment: Moment, chance: random.Random, spared: Callable[[str], bool]) -> None:
        self.losses: list[str] = []
        self._moment = moment
        self._chance = chance
        self._spared = spared

    def fill(self, place: Path, below: str, inode: int) -> None:
        seen, flushed = self._moment.seen, self._moment.flushed
        now = seen[inode].names if inode in seen else {}
        before = flushed[inode].names if inode in flushed else {}
        for name in sorted(now.keys() | before.keys()):
            child = self._meaning(f"{below}{name}", now.get(name), before.get(name))
            if child is not None:
                self._make(place / name, f"{below}{name}", child, seen.get(child) or flushed[child])

    def _meaning(self, path: str, now: int | None, before: int | None) -> int | None:
        if now == before or self._spared(path):
            return now
        chosen = self._chance.choice([now, before])
        if chosen != now:
            self.losses.append(f"{path}: its name")
        return chosen

    def _make(self, target: Path, path: str, inode: int, node: FileNode) -> None:
        if stat.S_ISDIR(node.mode):
            target.mkdir()
            self.fill(target, f"{path}/", inode)
            target.chmod(stat.S_IMODE(node.mode))
        elif stat.S_ISLNK(node.mode):
            target.symlink_to(os.fsdecode(node.content))
        elif stat.S_ISREG(node.mode):
            content = node.content if self._spared(path) else self._content(inode, node)
            if content != node.content:
                self.losses.append(f"{path}: {len(content)} of {len(node.content)} bytes")
            target.write_bytes(content)
            target.chmod(stat.S_IMODE(node.mode))
            os.utime(target, ns=(node.time, node.time))

    def _content(self, inode: int, node: FileNode) -> bytes:
        kept = self._moment.flushed.get(inode)
        before = b"" if kept is None else kept.content
        if kept is not None and before == node.content:
            return before
        part = node.content[: self._chance.randint(0, len(node.content))]
        return self._chance.choice([node.content, before, b"", part, b"\0" * len(node.content)])


def _below(top: str) -> Iterator[tuple[str, os.stat_result]]:
    todo = [top]
    while todo:
        name = todo.pop()
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            status = os.lstat(name)
            yield name, status
            if stat.S_ISDIR(status.st_mode):
                todo += [f"{name}/{each}" for each in os.listdir(name)]


def _node(file: str | int, status: os.stat_result) -> FileNode:
    """The node at a path, or of an open file."""
    if stat.S_ISDIR(status.st_mode):
        with os.scandir(file) as entries:
            return FileNode(status.st_mode, status.st_mtime_ns, names={entry.name: entry.inode() for entry in entries})
    content = b""
    if isinstance(file, int):
        content = os.pread(file, status.st_size, 0)
    elif stat.S_ISLNK(status.st_mode):
        content = os.fsencode(os.readlink(file))
    elif stat.S_ISREG(status.st_mode):
        content = Path(file).read_bytes()
    return FileNode(status.st_mode, status.st_mtime_ns, content)
