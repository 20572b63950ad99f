"""Who uses a cache: the projects that share one leave their names in it, so that nobody removes what another needs.

``<cache>/projects/<hash>`` holds one project's root and host as JSON. A project whose cache is its own, in the usual
place, leaves no name.
"""

import json
import os
import pathlib
from collections.abc import Iterator

import attrs
import xxhash

from pivot_cache.atomic import write_bytes
from pivot_cache.errors import CacheError, LockFileError
from pivot_cache.layout import Layout
from pivot_core.paths import STATE_DIR
from pivot_core.values import Value


@attrs.frozen(eq=False, repr=False)
class User(Value):
    """A project that uses a cache.

    Attributes:
        root: Where it lies, or lay.
        host: The machine that said so; "" where the place of the cache says so.
        file: The file that names it; None where the place of the cache does.
    """

    root: pathlib.Path
    host: str = ""
    file: pathlib.Path | None = None

    @property
    def present(self) -> bool:
        """It can be read from here."""
        return (self.root / STATE_DIR).is_dir()

    @property
    def gone(self) -> bool:
        """It was on this machine, and is no more."""
        return not self.present and self.host in ("", os.uname().nodename)


def register(layout: Layout) -> None:
    """Say that a project uses its cache, if others may use it too; a cache that cannot be written is not told."""
    if layout.cache is None and not layout.cache_dir.is_symlink():
        return
    host = os.uname().nodename
    name = xxhash.xxh3_64_hexdigest(f"{host}\0{layout.root}".encode("utf-8", "surrogateescape"))
    file = layout.projects_dir / name
    if not file.exists():
        text = json.dumps({"host": host, "root": str(layout.root)}, sort_keys=True)
        try:
            write_bytes(file, f"{text}\n".encode())
        except (CacheError, OSError):
            return


def others(layout: Layout) -> list[User]:
    """The other projects that use a project's cache.

    Raises:
        LockFileError: A file that names one cannot be read.
    """
    found = {user.root: user for user in _named(layout.projects_dir)}
    place = layout.cache_dir.resolve()
    if place.parent.name == STATE_DIR:
        found.setdefault(place.parent.parent, User(place.parent.parent))
    own = layout.root.resolve()
    return [user for root, user in sorted(found.items()) if root not in (layout.root, own)]


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
        try:
            told = json.loads(file.read_bytes())
        except (OSError, ValueError):
            told = None
        match told:
            case {"root": str(root), "host": str(host)} if os.path.isabs(root):
                yield User(pathlib.Path(root), host, file)
            case _:
                raise LockFileError(
                    str(file),
                    "it does not say which project uses this cache",
                    hint="delete the file, and run any pivot command in that project: it says so again",
                )
