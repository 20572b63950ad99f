"""Files that another tool knows by their MD5: read once for both digests, and stored if the MD5 is the wanted one.

The object is a copy, which shares blocks with the file where the file system can, and never a link: others can change
the files of the other tool.
"""

import hashlib
import os
import stat
from pathlib import Path
from typing import Final

import attrs

from pivot_cache.files import syscalls
from pivot_cache.files.hashing import Hashed, as_artifact_errors, hash_descriptor, open_artifact
from pivot_cache.objects.object_files import copy_bytes
from pivot_cache.objects.store import ObjectStore
from pivot_core.lock import Artifact
from pivot_core.values import Value

_PIECE: Final = 1 << 20
_BEGINNING: Final = 512
_PRINTED: Final = bytes(range(32, 127)) + b"\n\r\t\f\b"
_MOST_OTHERS: Final = 0.3
"""A text has at most this part of other bytes in its beginning."""


@attrs.frozen(eq=False, repr=False)
class Md5File(Value):
    """A file that was read.

    Attributes:
        artifact: Its content, by the digest of this cache.
        md5: Its MD5 in hexadecimal digits.
        copy: A private copy of exactly these bytes, for `adopt`; None if none was made.
    """

    artifact: Artifact
    md5: str
    copy: Path | None = None


def read(path: Path | str, copy: Path | None = None) -> Md5File:
    """Read a file, and write a copy if its path is given; symlinks are followed.

    Raises:
        FileNotFoundError: There is no such file.
        ArtifactError: It is not a readable regular file.
    """
    md5 = hashlib.md5(usedforsecurity=False)
    with open_artifact(path) as (descriptor, status), as_artifact_errors(path):
        if copy is None:
            hashed = hash_descriptor(descriptor, status.st_size, also=md5.update)
        else:
            target = syscalls.create(os.fspath(copy), 0o600)
            try:
                hashed = copy_bytes(descriptor, target, status.st_size, also=md5.update)
            finally:
                os.close(target)
    executable = bool(status.st_mode & stat.S_IXUSR)
    return Md5File(Artifact(hashed.digest, hashed.size, executable), md5.hexdigest(), copy)


def adopt(store: ObjectStore, file: Md5File) -> None:
    """Make the copy of a file an object of the store; its directory is one of `ObjectStore.temporary`.

    Raises:
        CacheError: The store cannot be written.
    """
    if file.copy is not None:
        artifact = file.artifact
        store.adopt(file.copy, artifact.digest, hashed=Hashed(artifact.digest, artifact.size))


def text_md5(path: Path | str) -> str:
    """The MD5 that DVC before 3.0 gives a file: in texts, CR LF counts as LF.

    Raises:
        FileNotFoundError: There is no such file.
        ArtifactError: It is not a readable regular file.
    """
    md5 = hashlib.md5(usedforsecurity=False)
    with open_artifact(path) as (descriptor, _), as_artifact_errors(path):
        piece = os.read(descriptor, _PIECE)
        is_text = _is_text(piece[:_BEGINNING])
        while piece:
            md5.update(piece.replace(b"\r\n", b"\n") if is_text else piece)
            piece = os.read(descriptor, _PIECE)
    return md5.hexdigest()


def _is_text(beginning: bytes) -> bool:
    if b"\0" in beginning:
        return False
    others = beginning.translate(None, _PRINTED)
    return not beginning or len(others) / len(beginning) <= _MOST_OTHERS
