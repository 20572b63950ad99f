"""The private socket of a project: where the warm process listens, and how both sides know whom they speak to."""

import contextlib
import os
import socket
import stat
import sys
from collections.abc import Iterator
from typing import Final

from pivot_cache.layout import Layout

_DESCRIPTORS: Final = "/proc/self/fd"
_LONGEST: Final = 100
"""The longest path of a socket, in bytes, that every system takes."""
_BACKLOG: Final = 8
_CREDENTIALS: Final = 12
"""The size of what Linux reports of a peer: its pid, uid and gid, four bytes each."""
_LOCAL_PEERCRED: Final = 1
_XUCRED: Final = 76


class EndpointError(Exception):
    """There is no socket that could be used; the text says why."""


class WarmSocket:
    """The socket of the warm process, created in place of whatever was there; only the holder of the guard creates it.

    Attributes:
        socket: The listening socket.
    """

    def __init__(self, layout: Layout) -> None:
        """Create the socket, for this user only, and listen.

        Raises:
            EndpointError: It cannot be created.
        """
        self._file = layout.warm_socket_file
        before = os.umask(0o177)
        try:
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            with _address(layout) as (directory, address):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._file.name, dir_fd=directory)
                self.socket.bind(address)
                self.socket.listen(_BACKLOG)
                self._place = _place(os.stat(self._file.name, dir_fd=directory, follow_symlinks=False))
        except OSError as error:
            raise EndpointError(f"its socket cannot be created: {error.strerror}") from None
        finally:
            os.umask(before)

    def is_in_place(self) -> bool:
        """Whether commands still find this socket: neither it nor the project was removed, moved or replaced."""
        try:
            return _place(os.stat(self._file, follow_symlinks=False)) == self._place
        except OSError:
            return False

    def close(self) -> None:
        """Close the socket and remove it from its place."""
        self.socket.close()
        if self.is_in_place():
            with contextlib.suppress(OSError):
                self._file.unlink()


def _place(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def connect(layout: Layout, seconds: float) -> socket.socket | None:
    """Connect to the process that listens; None if there is none.

    Raises:
        EndpointError: There is something else, or a process of another user, or one that does not answer.
    """
    try:
        with _address(layout) as (directory, address):
            found = os.stat(layout.warm_socket_file.name, dir_fd=directory, follow_symlinks=False)
            if not stat.S_ISSOCK(found.st_mode) or found.st_uid != os.geteuid():
                raise EndpointError("its place is taken by something else")
            line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                line.settimeout(seconds)
                line.connect(address)
            except OSError:
                line.close()
                raise
            if not is_own_peer(line):
                line.close()
                raise EndpointError("another user listens there")
            return line
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    except OSError:
        raise EndpointError("it does not answer") from None


def is_own_peer(line: socket.socket) -> bool:
    """Whether the process at the other end belongs to the user of this one."""
    return _peer(line) == os.geteuid()


def _peer(line: socket.socket) -> int:
    """The uid of the process at the other end; -1 if the system does not tell."""
    try:
        if sys.platform == "darwin":
            told = line.getsockopt(0, _LOCAL_PEERCRED, _XUCRED)
            return int.from_bytes(told[4:8], sys.byteorder)
        told = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS)
        return int.from_bytes(told[4:8], sys.byteorder)
    except (OSError, AttributeError):
        return -1


@contextlib.contextmanager
def _address(layout: Layout) -> Iterator[tuple[int, str]]:
    """Open the directory of the socket; yields it, and an address that is short enough wherever the project is.

    Raises:
        EndpointError: There is no such address.
    """
    file = layout.warm_socket_file
    directory = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.path.isdir(_DESCRIPTORS):
            yield directory, f"{_DESCRIPTORS}/{directory}/{file.name}"
        elif len(os.fsencode(file)) <= _LONGEST:
            yield directory, str(file)
        else:
            raise EndpointError("the path of the project is too long for a socket")
    finally:
        os.close(directory)
