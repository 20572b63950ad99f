"""``.pvt`` files, which represent tracked data in git: ``data.csv.pvt`` contains the digest of ``data.csv``.

The file is one JSON object with one fact per line, so that git can merge and show it well::

    {"format": 1, "algorithm": "xxh3-128", "digest": "...", "executable": false, "size": 123}

``"tree": true`` is added for a directory. The file of imported data has format 2 and ``"source": {...}``
(`data_source`). Everything read is untrusted.
"""

import re
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import attrs

from pivot_cache.errors import LockFileError, cache_error
from pivot_cache.files import atomic
from pivot_cache.files.safe_read import read_regular
from pivot_cache.formats import artifact_json
from pivot_cache.formats.artifact_json import FieldError
from pivot_core.files.digest import ALGORITHM, canonical_json
from pivot_core.lock import Artifact
from pivot_core.values import Value

if TYPE_CHECKING:
    from pivot_cache.formats.data_source import DataSource

FORMAT = 1
"""The version of the layout above, without a source."""
WITH_SOURCE = 2
"""The version of the layout with a source, which older versions of Pivot refuse."""

SUFFIX = ".pvt"
"""The suffix that is appended to the name of the data."""

_HEAD = frozenset({"format", "algorithm"})
_OWN = frozenset({"format", "algorithm", "digest"})
_MARKERS = (b'"algorithm"', b'"digest"', b'"format"')
_MARK = len("<<<<<<<")
_EARLIER = re.compile(rb"path: [^\n]+\nhash: ['\"]?[0-9a-f]{16}['\"]?\nsize: \d+\n")
_HINT = "`git checkout` the file, or run `pivot track` on its data"
_HINT_NEWER = "upgrade Pivot"


class ForeignFileError(LockFileError):
    """A file of another program whose name happens to end in ``.pvt``."""


class EarlierFileError(ForeignFileError):
    """A file that Pivot 0.1 to 0.5 wrote, in YAML; `pivot import-pivot` reads it."""


class NewerFileError(LockFileError):
    """A file that only a newer Pivot can read."""


@attrs.frozen(eq=False, repr=False)
class TrackedData(Value):
    """The content of a `.pvt` file.

    Attributes:
        artifact: The content of the data.
        source: Where the data were imported from; None if they were not.
    """

    artifact: Artifact
    source: "DataSource | None" = None


def read(file: Path, name: str | None = None) -> Artifact:
    """The artifact of a `.pvt` file; errors call it ``name``.

    Raises:
        ForeignFileError: The file is not Pivot's.
        LockFileError: The content is invalid.
        CacheError: The file cannot be read.
    """
    return read_data(file, name).artifact


def read_data(file: Path, name: str | None = None) -> TrackedData:
    """The content of a `.pvt` file; errors as those of `read`."""
    name = str(file) if name is None else name
    try:
        data = read_regular(file)
    except OSError as error:
        if file.is_symlink() and not file.exists():
            problem = "it is a symbolic link that leads nowhere"
            raise LockFileError(name, problem, hint="remove the link, then `git checkout` the file") from error
        raise cache_error("read", file, error) from error
    return parse(data, name)


def write(file: Path, artifact: Artifact, source: "DataSource | None" = None) -> bool:
    """Write ``artifact`` and its source to a file atomically; False if that was already its content.

    Raises:
        CacheError: The file cannot be written; the old content stays.
    """
    return atomic.change_bytes(file, dumps(artifact, source), durable=True)


def dumps(artifact: Artifact, source: "DataSource | None" = None) -> bytes:
    """The canonical text of an artifact and its source."""
    version = FORMAT if source is None else WITH_SOURCE
    facts = {"format": version, "algorithm": ALGORITHM, **artifact_json.encode(artifact)}
    if source is not None:
        facts["source"] = source.encoded()
    return ("{\n" + ",\n".join(f'"{key}": {canonical_json(value)}' for key, value in facts.items()) + "\n}\n").encode()


def loads(data: bytes, name: str) -> Artifact:
    """The artifact in a text; arguments and errors as those of `parse`."""
    return parse(data, name).artifact


def parse(data: bytes, name: str) -> TrackedData:
    """The content of a text.

    Args:
        data: The bytes of the file.
        name: The file's name, for errors.

    Raises:
        ForeignFileError: The file is not Pivot's, or an `EarlierFileError`.
        NewerFileError: A newer Pivot has written it.
        LockFileError: The content is invalid; the error names the field.
    """
    if not data.strip(b"\0 \t\r\n"):
        raise LockFileError(name, "it is empty", hint=_HINT)
    if sides(data) is not None:
        stands_for = name.removesuffix(SUFFIX)
        raise LockFileError(
            name,
            "it contains merge conflict markers",
            hint=f"`git checkout --ours -- {quote(name)}` or `--theirs` takes a side, then `pivot checkout` its data; "
            f"`pivot track {quote(stands_for)}` records the current data; in the end `git add {quote(name)}`",
        )
    try:
        record = artifact_json.parse(data.decode())
        if not isinstance(record, dict) or _OWN.isdisjoint(record):
            raise ForeignFileError(name, "it is not Pivot's")
        return _content(artifact_json.mapping(record, ""))
    except _NewerError as error:
        raise NewerFileError(name, error.problem, field=error.field, hint=_HINT_NEWER) from None
    except FieldError as error:
        raise LockFileError(name, error.problem, field=error.field or None, hint=_HINT) from None
    except (ValueError, RecursionError) as error:
        if _EARLIER.match(data):
            raise EarlierFileError(name, "an earlier Pivot wrote it", hint="pivot import-pivot") from None
        if not (data.lstrip().startswith(b"{") or any(marker in data for marker in _MARKERS)):
            raise ForeignFileError(name, "it is not Pivot's") from None
        raise LockFileError(name, f"it is not JSON: {error}", hint=_HINT) from None


def is_foreign(data: bytes) -> bool:
    """Whether a text is not one of Pivot's, valid or damaged."""
    try:
        loads(data, "")
    except ForeignFileError:
        return True
    except LockFileError:
        return False
    return False


def sides(data: bytes) -> tuple[bytes, bytes] | None:
    """The two versions in a file with git's conflict markers; None without markers."""
    ours: list[bytes] = []
    theirs: list[bytes] = []
    both = (ours, theirs)
    to: tuple[list[bytes], ...] = both
    found = False
    for line in data.splitlines(keepends=True):
        match line[:_MARK]:
            case b"<<<<<<<":
                to, found = (ours,), True
            case b"|||||||" if to != both:
                to = ()
            case b"=======" if to != both:
                to = (theirs,)
            case b">>>>>>>":
                to = both
            case _:
                for side in to:
                    side.append(line)
    return (b"".join(ours), b"".join(theirs)) if found else None


class _NewerError(FieldError):
    """Data that only another version of Pivot can read."""


def _content(record: dict[str, object]) -> TrackedData:
    version = artifact_json.number(record.get("format", FORMAT), "format", least=1)
    if version > WITH_SOURCE:
        raise _NewerError("format", f"format {version} is newer than {WITH_SOURCE}")
    if artifact_json.text(record.get("algorithm", ALGORITHM), "algorithm") != ALGORITHM:
        raise _NewerError("algorithm", f"this Pivot reads digests of {ALGORITHM}")
    missing = _HEAD - record.keys()
    if missing:
        raise FieldError(min(missing), "is missing")
    known = _HEAD if version == FORMAT else _HEAD | {"source"}
    artifact = artifact_json.artifact({key: value for key, value in record.items() if key not in known}, "")
    if version == FORMAT:
        return TrackedData(artifact)
    if "source" not in record:
        raise FieldError("source", "is missing")
    from pivot_cache.formats import data_source  # lazy

    return TrackedData(artifact, data_source.parse(record["source"], "source"))
