"""Files for git that stand for data: ``data.csv.pvt`` says what ``data.csv`` beside it holds.

One JSON object, one fact per line, so that git merges and shows it well::

    {"format": 1, "algorithm": "xxh3-128", "digest": "...", "executable": false, "size": 123}

``"tree": true`` is added where it stands for a directory. Everything read is untrusted.
"""

from json import loads as _parse
from pathlib import Path

from pivot_cache import _artifacts, atomic
from pivot_cache._artifacts import FieldError
from pivot_cache.errors import LockFileError, cannot
from pivot_cache.plainfile import read_bytes
from pivot_core.digest import ALGORITHM, canonical_json
from pivot_core.lock import Artifact

FORMAT = 1
"""The version of the layout above."""

SUFFIX = ".pvt"
"""What is appended to the name of the file that it stands for."""

_HEAD = frozenset({"format", "algorithm"})
_HINT = "`git checkout` the file, or run `pivot track` on what it stands for"


def read(file: Path) -> Artifact:
    """What the data that a file stands for hold.

    Raises:
        LockFileError: It does not hold what such a file must hold.
        CacheError: It cannot be read.
    """
    try:
        data = read_bytes(file)
    except OSError as error:
        raise cannot("read", file, error) from error
    return loads(data, str(file))


def write(file: Path, artifact: Artifact) -> bool:
    """Make ``artifact`` the content of a file, whole or not at all; False if it already was.

    Raises:
        CacheError: It cannot be written; the old content stays.
    """
    return atomic.change_bytes(file, dumps(artifact))


def dumps(artifact: Artifact) -> bytes:
    """The one text for an artifact."""
    facts = {"format": FORMAT, "algorithm": ALGORITHM, **_artifacts.encode(artifact)}
    return ("{\n" + ",\n".join(f'"{key}": {canonical_json(value)}' for key, value in facts.items()) + "\n}\n").encode()


def loads(data: bytes, name: str) -> Artifact:
    """The artifact that a text describes.

    Args:
        data: What the file holds.
        name: The file's name, for errors.

    Raises:
        LockFileError: It says what is wrong, and where.
    """
    try:
        return _artifact(_artifacts.mapping(_parse(data.decode(), object_pairs_hook=_artifacts.unique_pairs), ""))
    except FieldError as error:
        raise LockFileError(name, error.problem, field=error.field or None, hint=_HINT) from None
    except (ValueError, RecursionError) as error:
        raise LockFileError(name, f"it is not JSON: {error}", hint=_HINT) from None


def _artifact(record: dict[str, object]) -> Artifact:
    if "format" in record and _artifacts.number(record["format"], "format", least=1) != FORMAT:
        raise FieldError("format", f"format {record['format']} is newer than {FORMAT}")
    if _artifacts.text(record.get("algorithm", ALGORITHM), "algorithm") != ALGORITHM:
        raise FieldError("algorithm", f"this Pivot reads digests of {ALGORITHM}")
    missing = _HEAD - record.keys()
    if missing:
        raise FieldError(min(missing), "is missing")
    return _artifacts.artifact({key: value for key, value in record.items() if key not in _HEAD}, "")
