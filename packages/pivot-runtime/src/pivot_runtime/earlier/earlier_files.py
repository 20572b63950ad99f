"""The ``.pvt`` and lock files of Pivot 0.1 to 0.5 as values; pure.

Both were YAML. Digests are 64 bits of XXH64, as 16 hexadecimal digits; that of a directory is not used here, since its
``manifest`` lists all files.
"""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import attrs
import xxhash

from pivot_core.values import Value
from pivot_runtime.definitions import yaml_document
from pivot_runtime.definitions.yaml_document import LargeReader
from pivot_runtime.errors import YamlError

_DIGEST = re.compile(r"[0-9a-f]{16}")
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


class _DigestReader(LargeReader):
    """A reader to which numbers are words: ``4071e82215530417`` is a digest, and was written without quotes."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {  # type: ignore[misc] # a base class known only at run time
        first: [(tag, words) for tag, words in known if tag not in _NUMBERS]
        for first, known in LargeReader.yaml_implicit_resolvers.items()
    }


class EarlierFormatError(ValueError):
    """A file does not have the layout of an earlier Pivot; the text says where."""


@attrs.frozen(eq=False, repr=False)
class EarlierArtifact(Value):
    """The recorded content of a file or directory.

    Attributes:
        path: The path in the record.
        files: The digest of each file by its path in the directory; that of a file by ``""``. None of an artifact that
            was never hashed.
        executable: The files that are executable.
        empty: The directories in it that contain nothing.
    """

    path: str
    files: Mapping[str, str] | None
    executable: frozenset[str] = frozenset()
    empty: tuple[str, ...] = ()

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""
        return self.files is not None and "" not in self.files


@attrs.frozen(eq=False, repr=False)
class EarlierPvt(Value):
    """The content of a ``.pvt`` file.

    Attributes:
        data: The data that it represents.
        source: The repository, revision and path that they were imported from; None if they were not.
    """

    data: EarlierArtifact
    source: tuple[str, str, str] | None


def digest(content: bytes) -> str:
    """The digest of a file's content."""
    return xxhash.xxh64(content).hexdigest()


def hasher() -> xxhash.xxh64:
    """An incremental `digest`."""
    return xxhash.xxh64()


def parse_pvt(text: str, name: str) -> EarlierPvt:
    """The content of a ``.pvt`` file.

    Raises:
        EarlierFormatError: The text has another layout, or is too large.
    """
    record = _mapping(text, name)
    source = record.get("source")
    return EarlierPvt(
        _artifact(record, name),
        tuple(str(source.get(key, "?")) for key in ("repo", "rev", "path")) if isinstance(source, dict) else None,  # type: ignore[arg-type] # three of them
    )


def parse_lock(text: str, name: str) -> tuple[EarlierArtifact, ...]:
    """The outs in a lock file; the path of one that had none of its own is ``""``.

    Raises:
        EarlierFormatError: The text has another layout, or is too large.
    """
    record = _mapping(text, name)
    outs = record.get("outs")
    if not isinstance(record.get("code_manifest"), dict) or not isinstance(outs, list):
        raise EarlierFormatError(f"{name} is not a lock file of an earlier Pivot")
    return tuple(_artifact({"path": "", **out} if isinstance(out, dict) else out, name) for out in outs)


def _mapping(text: str, name: str) -> dict[str, Any]:
    try:
        record = yaml_document.parse(text, name, every_key=True, reading=_DigestReader).data
    except YamlError as error:
        raise EarlierFormatError(str(error)) from None
    if not isinstance(record, dict):
        raise EarlierFormatError(f"{name} is no mapping")
    return record


def _artifact(record: Any, name: str) -> EarlierArtifact:
    if not isinstance(record, dict) or not isinstance(path := record.get("path"), str):
        raise EarlierFormatError(f"{name} names no path")
    manifest = record.get("manifest")
    if manifest is None:
        found = record.get("hash")
        return EarlierArtifact(path, None if found is None else {"": _checked(found, name)})
    if not isinstance(manifest, list) or not all(isinstance(each, dict) for each in manifest):
        raise EarlierFormatError(f"the manifest in {name} is no list of files")
    files = {_member(each.get("relpath"), name): _checked(each.get("hash"), name) for each in manifest}
    executable = frozenset(each["relpath"] for each in manifest if each.get("isexec") is True)
    empty = record.get("empty_dirs")
    return EarlierArtifact(
        path, files, executable, tuple(_member(each, name) for each in empty) if isinstance(empty, list) else ()
    )


def _member(path: Any, name: str) -> str:
    if not isinstance(path, str) or path.startswith("/") or {"", ".", ".."} & set(path.split("/")):
        raise EarlierFormatError(f"{path!r} in the manifest of {name} is not a path inside the directory")
    return path


def _checked(found: Any, name: str) -> str:
    if not isinstance(found, str) or not _DIGEST.fullmatch(found):
        raise EarlierFormatError(f"{found!r} in {name} is not a digest")
    return found
