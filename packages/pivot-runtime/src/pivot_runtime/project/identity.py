"""Identity of a project, wherever it is and whatever its machine is called: two projects at one path are two.

``.pivot/state.db/project`` holds its name, made at first use. A copy takes the file with it, and is another project: so
who it was made for is known by *marks*, which no copy shares, of the file and of ``.pivot`` itself. Neither a move nor
another name of the machine changes these.
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
    """By what a project is known.

    Attributes:
        file: Of the file with its name; "" where there is none.
        directory: Of its ``.pivot``.
    """

    file: str
    directory: str


def known(layout: Layout) -> str:
    """The name of a project; "" if it has none yet."""
    return _read(_file(layout))


def assign_name(layout: Layout, name: str = "") -> str:
    """Give a project a name, one of its own unless one is given; "" if it cannot be written."""
    name = name or secrets.token_hex(_LENGTH // 2)
    try:
        write_bytes(_file(layout), f"{name}\n".encode())
    except (CacheError, OSError):
        return ""
    return name


def marks(layout: Layout) -> Marks:
    """By what this project is known now."""
    try:
        found = os.stat(_file(layout), follow_symlinks=False)
        of_file = f"{found.st_ino} {found.st_ctime_ns}"
    except OSError:
        of_file = ""
    return Marks(of_file, place(layout.state_dir))


def place(directory: pathlib.Path) -> str:
    """The device and inode of a directory, which last until its file system is mounted again; "" if there is none."""
    try:
        found = os.stat(directory)
    except OSError:
        return ""
    return f"{found.st_dev} {found.st_ino}"


def host() -> str:
    """The name of the machine."""
    return os.uname().nodename


def _file(layout: Layout) -> pathlib.Path:
    return layout.name_file


def _read(file: pathlib.Path) -> str:
    try:
        with open(file, "rb") as stream:
            text = stream.read(_LENGTH + 2).decode("ascii", "replace").strip()
    except OSError:
        return ""
    return text if len(text) == _LENGTH and _HEX.issuperset(text) else ""
