"""Users of a cache: the projects that share it register in it, so that `gc` keeps the objects that others need.

``<cache>/projects/<name>`` contains, as JSON, the path of a project when it last used the cache, its machine, and its
marks (`pivot_runtime.project.identity`). A project with its own cache in the default place is not registered.
"""

import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import attrs
import xxhash

from pivot_cache.errors import CacheError, LockFileError
from pivot_cache.files import safe_read
from pivot_cache.files.atomic import write_bytes
from pivot_cache.layout import Layout
from pivot_core.files.paths import STATE_DIR
from pivot_core.values import Value
from pivot_runtime.project import cache_mount, identity
from pivot_runtime.project.identity import Marks


@attrs.frozen(eq=False, repr=False)
class User(Value):
    """A project that uses a cache.

    Attributes:
        root: Its root when it last used the cache.
        host: The machine that registered it; "" if only the place of the cache shows that the project uses it.
        file: The file of its registration; None if only the place of the cache shows that the project uses it.
        name: Its name; "" if only its root identifies it.
        around: The `identity.place` of the directory that contained it.
        marks: Its marks.
    """

    root: pathlib.Path
    host: str = ""
    file: pathlib.Path | None = None
    name: str = ""
    around: str = ""
    marks: Marks = attrs.field(factory=lambda: Marks("", ""))

    @property
    def present(self) -> bool:
        """Return whether the project at this path is readable here, and is this one."""
        there = Layout(self.root)
        return os.path.isdir(there.state_dir) and (not self.name or self._is(identity.marks(there)))

    @property
    def gone(self) -> bool:
        """Return whether it was on this machine and no longer exists: its parent directory exists without it.

        Otherwise, the path may be on a disk that is not mounted, or in another container.
        """
        if self.present or self.host not in ("", identity.host()):
            return False
        now = identity.place(self.root.parent)
        return bool(now) and (not self.name or now == self.around) and not os.path.lexists(self.root)

    def _is(self, found: Marks) -> bool:
        """Return whether these are its marks; either the file or the directory may have been created again."""
        if self.marks.file and found.file == self.marks.file:
            return True
        return bool(found.directory) and found.directory == self.marks.directory and self.host == identity.host()


def register(layout: Layout) -> None:
    """Register a project in its cache if others may use it, too; a cache that cannot be written stays as it is."""
    if layout.cache is None:
        return
    name = identity.known(layout)
    entry = _entry(layout.projects_dir / name) if name else None
    if entry is not None and entry == _own(layout, name):
        return
    if entry is not None and not entry._is(identity.marks(layout)):  # noqa: SLF001  # as this module decides
        name = ""  # the file is a copy from the other project
    if not name:
        name = identity.assign_name(layout, _lost(layout)) or _fallback(layout)
    cache_mount.remember(layout)
    own = _own(layout, name)
    facts = {
        "around": own.around,
        "directory": own.marks.directory,
        "file": own.marks.file,
        "host": own.host,
        "root": str(own.root),
    }
    try:
        write_bytes(layout.projects_dir / name, f"{json.dumps(facts, sort_keys=True)}\n".encode(), shared=True)
    except (CacheError, OSError):
        return


def others(layout: Layout) -> list[User]:
    """Return the other projects that use a project's cache.

    Raises:
        LockFileError: A registration cannot be read.
    """
    name = identity.known(layout) or _fallback(layout)
    own = (layout.root, layout.root.resolve())
    found = [user for user in _named(layout.projects_dir) if not _is_own(user, name, own)]
    place = layout.cache_dir.resolve()
    if place.parent.name == STATE_DIR and place.parent.parent not in own:
        found.append(User(place.parent.parent))
    unnamed = {user.root for user in found if user.name and user.present}
    distinct = {(user.root, user.name): user for user in found if user.name or user.root not in unnamed}
    return [distinct[key] for key in sorted(distinct)]


def _is_own(user: User, name: str, own: tuple[pathlib.Path, pathlib.Path]) -> bool:
    """Return whether a registration is the project's own; those of earlier versions have no name."""
    return user.name == name if user.name else user.host == identity.host() and user.root in own


def _own(layout: Layout, name: str) -> User:
    file = layout.projects_dir / name
    return User(layout.root, identity.host(), file, name, identity.place(layout.root.parent), identity.marks(layout))


def _lost(layout: Layout) -> str:
    """Return the name of a project whose name file was deleted, if the cache has it by the mark of its directory."""
    marks = identity.marks(layout)
    try:
        known = list(_named(layout.projects_dir))
    except LockFileError:
        return ""
    mine = [
        user.name
        for user in known
        if user.name
        and user.host == identity.host()
        and user.marks.directory == marks.directory != ""
        and user.marks.file != marks.file
    ]
    return mine[0] if mine else ""


def _fallback(layout: Layout) -> str:
    """Return the name of a project that cannot be written."""
    text = f"{identity.host()}\0{layout.root}\0{identity.marks(layout).directory}"
    return xxhash.xxh3_128_hexdigest(text.encode("utf-8", "surrogateescape"))


def _named(directory: pathlib.Path) -> Iterator[User]:
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        return
    except OSError as error:
        raise LockFileError(str(directory), f"cannot be read: {error.strerror}") from None
    for name in names:
        if name.startswith("."):
            continue
        file = directory / name
        user = _entry(file)
        if user is None and not os.access(file, os.R_OK):
            raise LockFileError(str(file), "cannot be read", hint=f"its owner can allow that: chmod g+r {file}")
        if user is None:
            raise LockFileError(
                str(file),
                "it does not say which project uses this cache",
                hint="delete the file, and run any pivot command in that project, which writes it again",
            )
        yield user


def _entry(file: pathlib.Path) -> User | None:
    try:
        found: Any = safe_read.read_json(file)
    except (OSError, ValueError):
        return None
    match found:
        case {"root": str(root), "host": str(host), "around": str(around), "file": str(of), "directory": str(at)} if (
            os.path.isabs(root)
        ):
            return User(pathlib.Path(root), host, file, file.name, around, Marks(of, at))
        case {"root": str(root), "host": str(host)} if os.path.isabs(root):
            return User(pathlib.Path(root), host, file)
        case _:
            return None
