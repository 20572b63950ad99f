"""Identity of a project, which survives a move of the project and another name of the machine.

``.pivot/state.db/project`` contains its name, which is assigned at first use. A copy of a project is another project,
although it has the same file. *Marks* tell them apart: inodes of the file and of ``.pivot``, which no copy shares and
no move changes.
"""

import os
import pathlib
import secrets

import attrs

from pivot_cache.errors import CacheError
from pivot_cache.files.atomic import write_bytes
from pivot_cache.layout import Layout
from pivot_core.values import Value

_LENGTH = 32
_HEX = frozenset("0123456789abcdef")


@attrs.frozen(eq=False, repr=False)
class Marks(Value):
    """Marks of a project, which identify it.

    Attributes:
        file: The mark of the file with its name; "" if there is no such file.
        directory: The mark of its ``.pivot``.
    """

    file: str
    directory: str


def known(layout: Layout) -> str:
    """Return the name of a project; "" if it has none yet."""
    return _read(layout.name_file)


def assign_name(layout: Layout, name: str = "") -> str:
    """Write a name of a project, by default a random one, and return it; return "" if it cannot be written."""
    name = name or secrets.token_hex(_LENGTH // 2)
    try:
        write_bytes(layout.name_file, f"{name}\n".encode())
    except (CacheError, OSError):
        return ""
    return name


def marks(layout: Layout) -> Marks:
    """Return the current marks of a project."""
    try:
        found = os.stat(layout.name_file, follow_symlinks=False)
        of_file = f"{found.st_ino} {found.st_ctime_ns}"
    except OSError:
        of_file = ""
    return Marks(of_file, place(layout.state_dir))


def place(directory: pathlib.Path) -> str:
    """Return the device and inode of a directory, which last until a remount; "" if it does not exist."""
    try:
        found = os.stat(directory)
    except OSError:
        return ""
    return f"{found.st_dev} {found.st_ino}"


def host() -> str:
    """Return the name of the machine."""
    return os.uname().nodename


def _read(file: pathlib.Path) -> str:
    try:
        with open(file, "rb") as stream:
            text = stream.read(_LENGTH + 2).decode("ascii", "replace").strip()
    except OSError:
        return ""
    return text if len(text) == _LENGTH and _HEX.issuperset(text) else ""
