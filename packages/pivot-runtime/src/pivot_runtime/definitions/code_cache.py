"""The cache of compiled code of the user's modules, found by the digest of the source that it was compiled from."""

import contextlib
import marshal
import os
import pathlib
import stat
import sys
from _blake2 import blake2b
from importlib.util import MAGIC_NUMBER
from types import CodeType
from typing import Final

from pivot_cache.files.atomic import drop_older_half

_MOST: Final = 24000
"""Files that are kept."""
_SEAL: Final = 32
_MACHINE_ID: Final = "/etc/machine-id"
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class CodeCache:
    """Compiled code by key, in a directory of the project; errors are ignored.

    Attributes:
        misses: How often code was kept since there was none.

    Code is only used from files that this user wrote in this directory on this machine: a file that arrived in another
    way, such as in an archive with the project, does not have the seal, and counts as absent.
    """

    def __init__(self, directory: pathlib.Path) -> None:
        """Use a directory, which is created when something is first kept."""
        self._directory = os.fspath(directory)
        columns = [*compile("x", "", "eval").co_positions()]  # an option or a variable may leave them out
        options = (sys.flags.optimize, sys.get_int_max_str_digits(), columns)
        self._mark = repr((MAGIC_NUMBER, sys.version, options)).encode()
        self._machine = _machine_id()
        self._secret: bytes | None = None
        self._pruned = False
        self.misses = 0

    def key(self, source: bytes, path: str) -> bytes:
        """The key of the code of a source file, in this interpreter with its options."""
        name = path.encode("utf-8", "surrogateescape")
        lengths = b"%d %d " % (len(self._mark), len(name))
        return blake2b(b"".join((lengths, self._mark, name, source)), digest_size=20).digest()

    def get(self, key: bytes) -> CodeType | None:
        """The code under a key, if there is any with a valid seal."""
        secret = self._sealing()
        if secret is None:
            return None
        try:
            file = os.open(self._file(key), _READ)
            try:
                status = os.fstat(file)
                if not stat.S_ISREG(status.st_mode):
                    return None
                content = os.read(file, status.st_size)
            finally:
                os.close(file)
            if content[:_SEAL] != _seal(secret, key, content[_SEAL:]):
                return None
            code = marshal.loads(memoryview(content)[_SEAL:])  # noqa: S302  # sealed by this user
        except (OSError, ValueError, EOFError, TypeError):
            return None
        return code if isinstance(code, CodeType) else None

    def put(self, key: bytes, code: CodeType) -> None:
        """Keep code under a key."""
        self.misses += 1
        with contextlib.suppress(OSError, ValueError):
            for directory, mode in ((os.path.dirname(self._directory), 0o777), (self._directory, 0o700)):
                with contextlib.suppress(FileExistsError):
                    os.mkdir(directory, mode)  # without further parents: a project must exist already
            secret = self._sealing()
            if secret is None:
                return
            if not self._pruned:
                self._pruned = True
                drop_older_half(pathlib.Path(self._directory), _MOST)
            body = marshal.dumps(code)
            name = self._file(key)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
            file = os.open(name, _CREATE, 0o600)
            try:
                os.write(file, _seal(secret, key, body) + body)  # not flushed: the reader checks the seal
            finally:
                os.close(file)

    def _file(self, key: bytes) -> str:
        return os.path.join(self._directory, key.hex())

    def _sealing(self) -> bytes | None:
        """The secret of the seals; None if other users can write into the directory, or there is none."""
        if self._secret is None:
            try:
                found = os.lstat(self._directory)
            except OSError:
                return None
            shared = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not shared:
                place = f"{found.st_uid} {found.st_dev} {found.st_ino} "
                self._secret = blake2b(place.encode() + self._machine, digest_size=32).digest()
        return self._secret


def _seal(secret: bytes, key: bytes, body: bytes) -> bytes:
    return blake2b(key + body, key=secret, digest_size=_SEAL).digest()


def _machine_id() -> bytes:
    """The identifier of this machine, which no file from elsewhere can know; empty where there is none."""
    try:
        file = os.open(_MACHINE_ID, _READ)
        try:
            return os.read(file, 1024)
        finally:
            os.close(file)
    except OSError:
        return b""
