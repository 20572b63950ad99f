"""Possible states of a directory after a power cut, for tests: any unflushed part may be lost, in any order.

A `SyscallRecorder` notes what is flushed while something works in a directory, and can keep how everything looks at
each moment. From such a `Moment`, `strike` makes the directory what the disk may hold after a cut: of each name that
was not flushed since it changed the old or the new meaning, of each file that was not flushed the old bytes, none,
some, zeros or the new ones. Times of modification survive, which is the worst case: nothing but the bytes tells of
the loss.
"""

import contextlib
import os
import random
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Self

import attrs

from pivot_cache.files import boot, durable, syscalls
from pivot_cache.files.atomic import remove_tree
from pivot_core.values import Value


@attrs.frozen(eq=False, repr=False)
class FileNode(Value):
    """A file, a directory or a symlink.

    Attributes:
        mode: Its kind and its permissions.
        time: When it was last modified, in ns since the epoch.
        content: The bytes of a file, or where a symlink leads.
        names: The entries of a directory, by inode.
    """

    mode: int
    time: int
    content: bytes = b""
    names: Mapping[str, int] = attrs.field(factory=dict)


type Nodes = Mapping[int, FileNode]
"""All that is below a directory, and it, by inode."""


@attrs.frozen(eq=False, repr=False)
class Moment(Value):
    """How a directory looks, and what of it is on the disk.

    Attributes:
        event: The change that was about to happen.
        top: The inode of the directory.
        seen: As every process sees it.
        flushed: The same as it was when it was last flushed, as far as it ever was.
    """

    event: str
    top: int
    seen: Nodes
    flushed: Nodes


class SyscallRecorder:
    """Notes what is flushed below a directory while it is used as a context."""

    def __init__(self, root: Path, *, wanted: Callable[[str], bool] = lambda _: False) -> None:
        """Take what is below ``root`` as flushed, and keep how it looks before each change that is ``wanted``."""
        self.root = root
        self.moments: list[Moment] = []
        self._wanted = wanted
        self._held: list[int] = []  # what is open keeps its inode, so that none means two files
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
        """How everything is now."""
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
    """Make ``root`` what may be on the disk after a power cut at this moment.

    Args:
        root: The directory; what is in it now is forgotten.
        moment: When.
        chance: The source of decisions.
        spared: Relative paths of what is not harmed, as if it had been flushed.

    Returns:
        The losses, in words.
    """
    with os.scandir(root) as entries:
        old = [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for path, directory in old:
        remove_tree(path) if directory else os.unlink(path)
    cut = _Cut(moment, chance, spared)
    cut.fill(root, "", moment.top)
    durable._reached.clear()  # noqa: SLF001 - these are other directories
    return cut.told


@contextlib.contextmanager
def restarted(name: str, place: Path) -> Iterator[None]:
    """The machine has booted again: what belongs to other boots is not believed.

    Args:
        name: The identifier of the boot.
        place: A directory for a file.
    """
    before = boot._BOOT_ID  # noqa: SLF001 - the one place that knows
    file = place / "boot_id"
    file.write_text(name)
    boot._BOOT_ID = file  # noqa: SLF001
    boot.boot_id.cache_clear()
    try:
        yield
    finally:
        boot._BOOT_ID = before  # noqa: SLF001
        boot.boot_id.cache_clear()


class _Cut:
    """One power cut, being made."""

    def __init__(self, moment: Moment, chance: random.Random, spared: Callable[[str], bool]) -> None:
        self.told: list[str] = []
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
            self.told.append(f"{path}: its name")
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
                self.told.append(f"{path}: {len(content)} of {len(node.content)} bytes")
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
