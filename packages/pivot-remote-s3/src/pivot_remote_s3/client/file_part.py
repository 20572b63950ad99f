"""Part of a file, which is hashed and sent in pieces: its size does not add to the memory in use."""

import base64
import errno
import hashlib
import os
from collections.abc import Iterable, Iterator
from typing import Final

import attrs

from pivot_core.values import Value

_PIECE: Final = 1 << 20


@attrs.frozen(eq=False, repr=False)
class Checksums(Value):
    """Checksums of a request body.

    Attributes:
        sha256: In hex.
        md5: In base64; None if it is not wanted.
    """

    sha256: str
    md5: str | None


@attrs.frozen(eq=False, repr=False)
class FilePart(Value):
    """Consecutive bytes of an open file.

    Attributes:
        file: The descriptor.
        start: The offset of the first byte.
        length: The number of bytes.
    """

    file: int
    start: int
    length: int

    def read(self) -> bytes:
        """Return all bytes."""
        return b"".join(self.pieces())

    def checksums(self, *, md5: bool) -> Checksums:
        """Return the checksums of the bytes."""
        return checksums(self.pieces(), md5=md5)

    def pieces(self) -> Iterator[bytes]:
        """Read the bytes piece by piece."""
        done = 0
        while done < self.length:
            piece = os.pread(self.file, min(_PIECE, self.length - done), self.start + done)
            if not piece:
                raise OSError(errno.EIO, "the file has become shorter")
            done += len(piece)
            yield piece


def checksums(pieces: Iterable[bytes], *, md5: bool) -> Checksums:
    """Return the checksums of the pieces together, of MD5 only if it is wanted."""
    sha256 = hashlib.sha256()
    weak = hashlib.md5(usedforsecurity=False) if md5 else None
    for piece in pieces:
        sha256.update(piece)
        if weak is not None:
            weak.update(piece)
    return Checksums(sha256.hexdigest(), None if weak is None else base64.b64encode(weak.digest()).decode())
