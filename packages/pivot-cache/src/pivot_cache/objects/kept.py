"""Saved content: files that a command replaced and that nothing else names, available to be restored.

``<cache>/kept/<time>-<digest>`` contains one record as JSON. Garbage collection keeps the objects that a young record
names.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import attrs

from pivot_cache.errors import LockFileError, cache_error
from pivot_cache.files import atomic
from pivot_cache.files.safe_read import read_regular
from pivot_cache.formats import artifact_json
from pivot_cache.formats.artifact_json import FieldError
from pivot_core.files.digest import canonical_json
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact
from pivot_core.values import Value

_FIELDS = frozenset({"alone", "artifact", "at", "by", "files", "path", "root"})
_OPTIONAL = frozenset({"files"})


@attrs.frozen(eq=False, repr=False)
class KeptContent(Value):
    """A replaced file or directory.

    Attributes:
        root: The root of its project.
        path: Its path.
        artifact: The saved artifact.
        at_ns: When it was replaced, in ns since the epoch.
        by: The command that replaced it.
        alone: Whether no other record names it as a whole.
        files: For a directory, the digests of the files whose bytes no other record names.
    """

    root: str
    path: ArtifactPath
    artifact: Artifact
    at_ns: int
    by: str
    alone: bool = True
    files: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"{self.at_ns:020d}-{self.artifact.digest}"


class KeptFiles:
    """All saved content of one cache; several processes may use it at the same time."""

    def __init__(self, directory: Path) -> None:
        """Create the object; the directory is created with the first record."""
        self._directory = directory

    def add(self, kept: KeptContent) -> None:
        """Write a record to the disk; one of the same name is replaced.

        Raises:
            CacheError: The record cannot be written.
        """
        facts: dict[str, object] = {
            "alone": kept.alone,
            "artifact": artifact_json.encode(kept.artifact),
            "at": kept.at_ns,
            "by": kept.by,
            "path": kept.path,
            "root": kept.root,
        }
        if kept.files:
            facts["files"] = sorted(kept.files)
        atomic.write_bytes(self._directory / kept.name, f"{canonical_json(facts)}\n".encode(), durable=True)

    def forget(self, kept: KeptContent) -> None:
        """Remove a record, if it exists.

        Raises:
            CacheError: The record cannot be removed.
        """
        file = self._directory / kept.name
        try:
            file.unlink(missing_ok=True)
        except OSError as error:
            raise cache_error("remove", file, error) from error

    def read(self) -> Iterator[KeptContent | LockFileError]:
        """All records, the newest first; for an unreadable one, its error.

        Raises:
            CacheError: The directory cannot be read.
        """
        try:
            names = os.listdir(self._directory)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise cache_error("read", self._directory, error) from error
        for name in sorted(names, reverse=True):
            if name.startswith("."):
                continue
            file = self._directory / name
            try:
                kept = loads(read_regular(file), str(file))
            except FileNotFoundError:
                continue
            except LockFileError as error:
                yield error
            except OSError as error:
                yield LockFileError(str(file), f"it cannot be read: {error.strerror}")
            else:
                yield kept


def loads(data: bytes, name: str) -> KeptContent:
    """The record in a file.

    Args:
        data: The bytes of the file.
        name: Its name, for errors.

    Raises:
        LockFileError: The content is invalid.
    """
    hint = "delete the file: the objects that it names stay in the cache until the next collection"
    try:
        record = artifact_json.parse(data.decode())
        record = artifact_json.fields(record, "", _FIELDS, _OPTIONAL)
        files = artifact_json.sequence(record.get("files", []), "files")
        return KeptContent(
            artifact_json.text(record["root"], "root"),
            artifact_json.path(artifact_json.text(record["path"], "path"), "path"),
            artifact_json.artifact(record["artifact"], "artifact"),
            artifact_json.number(record["at"], "at"),
            artifact_json.text(record["by"], "by"),
            artifact_json.boolean(record["alone"], "alone"),
            frozenset(artifact_json.digest(each, "files") for each in files),
        )
    except FieldError as error:
        raise LockFileError(name, error.problem, field=error.field or None, hint=hint) from None
    except (ValueError, RecursionError) as error:
        raise LockFileError(name, f"it is not JSON: {error}", hint=hint) from None
