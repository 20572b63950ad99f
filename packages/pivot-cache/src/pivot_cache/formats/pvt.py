"""``.pvt`` files, which represent tracked data in git: ``data.csv.pvt`` contains the digest of ``data.csv``.

The file is one JSON object with one fact per line, so that git can merge and show it well::

    {"format": 1, "algorithm": "xxh3-128", "digest": "...", "executable": false, "size": 123}

``"tree": true`` is added for a directory. Everything read is untrusted.
"""

from pathlib import Path
from shlex import quote

from pivot_cache.errors import LockFileError, cache_error
from pivot_cache.files import atomic
from pivot_cache.files.safe_read import read_regular
from pivot_cache.formats import artifact_json
from pivot_cache.formats.artifact_json import FieldError
from pivot_core.digest import ALGORITHM, canonical_json
from pivot_core.lock import Artifact

FORMAT = 1
"""The version of the layout above."""

SUFFIX = ".pvt"
"""The suffix that is appended to the name of the data."""

_HEAD = frozenset({"format", "algorithm"})
_OWN = frozenset({"format", "algorithm", "digest"})
_MARKERS = (b'"algorithm"', b'"digest"', b'"format"')
_MARK = len("<<<<<<<")
_HINT = "`git checkout` the file, or run `pivot track` on its data"
_HINT_NEWER = "upgrade Pivot"


class ForeignFileError(LockFileError):
    """A file of another program whose name happens to end in ``.pvt``."""


class NewerFileError(LockFileError):
    """A file that only a newer Pivot can read."""


def read(file: Path, name: str | None = None) -> Artifact:
    """The content of a `.pvt` file; errors call it ``name``.

    Raises:
        ForeignFileError: The file is not Pivot's.
        LockFileError: The content is invalid.
        CacheError: The file cannot be read.
    """
    name = str(file) if name is None else name
    try:
        data = read_regular(file)
    except OSError as error:
        if file.is_symlink() and not file.exists():
            problem = "it is a symbolic link that leads nowhere"
            raise LockFileError(name, problem, hint="remove the link, then `git checkout` the file") from error
        raise cache_error("read", file, error) from error
    return loads(data, name)


def write(file: Path, artifact: Artifact) -> bool:
    """Write ``artifact`` to a file atomically; False if that was already its content.

    Raises:
        CacheError: The file cannot be written; the old content stays.
    """
    return atomic.change_bytes(file, dumps(artifact), durable=True)


def dumps(artifact: Artifact) -> bytes:
    """The canonical text of an artifact."""
    facts = {"format": FORMAT, "algorithm": ALGORITHM, **artifact_json.encode(artifact)}
    return ("{\n" + ",\n".join(f'"{key}": {canonical_json(value)}' for key, value in facts.items()) + "\n}\n").encode()


def loads(data: bytes, name: str) -> Artifact:
    """The artifact in a text.

    Args:
        data: The bytes of the file.
        name: The file's name, for errors.

    Raises:
        ForeignFileError: The file is not Pivot's.
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
        return _artifact(artifact_json.mapping(record, ""))
    except _NewerError as error:
        raise NewerFileError(name, error.problem, field=error.field, hint=_HINT_NEWER) from None
    except FieldError as error:
        raise LockFileError(name, error.problem, field=error.field or None, hint=_HINT) from None
    except (ValueError, RecursionError) as error:
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


def _artifact(record: dict[str, object]) -> Artifact:
    if "format" in record and artifact_json.number(record["format"], "format", least=1) != FORMAT:
        raise _NewerError("format", f"format {record['format']} is newer than {FORMAT}")
    if artifact_json.text(record.get("algorithm", ALGORITHM), "algorithm") != ALGORITHM:
        raise _NewerError("algorithm", f"this Pivot reads digests of {ALGORITHM}")
    missing = _HEAD - record.keys()
    if missing:
        raise FieldError(min(missing), "is missing")
    return artifact_json.artifact({key: value for key, value in record.items() if key not in _HEAD}, "")
