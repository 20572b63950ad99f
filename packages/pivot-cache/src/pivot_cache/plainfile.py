"""Reading small files that anybody may have made: what is no file, such as a pipe or a link to a device, has no end."""

import errno
import os
import stat
from pathlib import Path

_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


def read_bytes(file: Path) -> bytes:
    """The content of a file; nothing is waited for.

    Raises:
        OSError: It cannot be read, or it is no file.
    """
    with open(file, "rb", buffering=0, opener=_opened) as stream:
        mode = os.fstat(stream.fileno()).st_mode
        if stat.S_ISREG(mode) or (stat.S_ISCHR(mode) and not stream.read(1)):  # the null device is empty
            return stream.readall()
    raise OSError(errno.EINVAL, "it is not a file", os.fspath(file))


def _opened(file: str, _: int) -> int:
    return os.open(file, _FLAGS)
