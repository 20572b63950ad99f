"""A part of a file, hashed and sent piece by piece: what is in memory does not depend on how large it is."""

import base64
import errno
import hashlib
import os
from collections.abc import Iterator
from typing import Final

import attrs

from pivot_core.values import Value

_PIECE: Final = 1 << 20


@attrs.frozen(eq=False, repr=False)
class Sums(Value):
    """The checksums of what is to be sent.

    Attributes:
        sha256: In hex.
        md5: In base64; None where the other one will do.
    """

    sha256: str
    md5: str | None


@attrs.frozen(eq=False, repr=False)
class Span(Value):
    """Some bytes of a file, in their order.

    Attributes:
        file: The open descriptor.
        start: Where they begin.
        length: How many there are.
    """

    file: int
    start: int
    length: int

    def read(self) -> bytes:
        """All of them."""
        return b"".join(self.pieces())

    def sums(self, *, md5: bool) -> Sums:
        """The checksums."""
        return sums(self.pieces(), md5=md5)

    def pieces(self) -> Iterator[bytes]:
        """One after the other."""
        done = 0
        while done < self.length:
            piece = os.pread(self.file, min(_PIECE, self.length - done), self.start + done)
            if not piece:
                raise OSError(errno.EIO, "the file has become shorter")
            done += len(piece)
            yield piece


def sums(pieces: Iterator[bytes] | list[bytes], *, md5: bool) -> Sums:
    """The checksums of bytes."""
    strong = hashlib.sha256()
    weak = hashlib.md5(usedforsecurity=False) if md5 else None
    for piece in pieces:
        strong.update(piece)
        if weak is not None:
            weak.update(piece)
    return Sums(strong.hexdigest(), None if weak is None else base64.b64encode(weak.digest()).decode())
