"""The run cache: the outs of runs by inputs key, one small file per key."""

import os
from collections.abc import Iterator
from pathlib import Path

from pivot_cache.errors import CacheError, as_cache_errors
from pivot_cache.files import atomic
from pivot_cache.files.safe_read import read_regular
from pivot_cache.files.shards import files
from pivot_cache.formats import artifact_json
from pivot_cache.layout import shard, sharded
from pivot_core.files.digest import ALGORITHM, canonical_json
from pivot_core.lock import RunRecord

FORMAT = 1
"""The version of the layout: format, algorithm, key, and runs, the newest first, each with its outs as in a lock file
(without ``cache``), its observed code, and the start of the run if its result expires."""

_FIELDS = frozenset({"format", "algorithm", "key", "runs"})
_RUN = frozenset({"outs", "observed", "ran_at"})
_RUN_OPTIONAL = frozenset({"ran_at"})
_MOST = 16
"""Runs with the same key differ only in their observed code; older ones are forgotten."""


class RunCache:
    """A directory of run records; several processes may use it at the same time.

    Attributes:
        directory: The directory with the records as ``ab/cdef...``; created on demand.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def get(self, key: str) -> tuple[RunRecord, ...]:
        """The records with this inputs key, the newest first; an invalid file counts as empty.

        Raises:
            CacheError: The key is not a digest.
        """
        try:
            return loads(key, read_regular(self._path(key)))
        except (OSError, ValueError):
            return ()

    def file(self, key: str) -> Path:
        """The file with the records of this inputs key, if it exists.

        Raises:
            CacheError: The key is not a digest.
        """
        return sharded(self.directory, key)

    def _path(self, key: str) -> str:
        """As `file`, but as text: an object takes longer than its use."""
        return f"{self.directory}/{shard(key)}"

    def put(self, record: RunRecord) -> None:
        """Add a record; it replaces an older one with the same key and the same observed code.

        Raises:
            CacheError: The record cannot be written, or its key is not a digest.
        """
        before = self.get(record.key)
        if before[:1] == (record,):
            return
        others = [other for other in before if _facts(other) != _facts(record)]
        plain = {
            "format": FORMAT,
            "algorithm": ALGORITHM,
            "key": record.key,
            "runs": [_plain(run) for run in [record, *others][:_MOST]],
        }
        file, data = self._path(record.key), f"{canonical_json(plain)}\n".encode()
        try:
            atomic.write_bytes(file, data, shared=True)
        except CacheError:
            if not os.path.isdir(file) or os.path.islink(file):
                raise
            with as_cache_errors("remove", file):  # not one of ours, but in one of our directories
                atomic.remove_tree(file)
            atomic.write_bytes(file, data, shared=True)

    def forget(self, key: str) -> None:
        """Remove all records with this inputs key.

        Raises:
            CacheError: They cannot be removed, or the key is not a digest.
        """
        file = self.file(key)
        with as_cache_errors("remove", file):
            file.unlink(missing_ok=True)

    def written(self) -> Iterator[tuple[str, int]]:
        """Every key with records, and the time of its newest one in ns since the epoch.

        Raises:
            OSError: A directory cannot be read.
        """
        return ((key, status.st_mtime_ns) for key, status in files(self.directory))


def dumps(record: RunRecord) -> bytes:
    """One record as a separate text."""
    head = {"format": FORMAT, "algorithm": ALGORITHM, "key": record.key}
    return f"{canonical_json({**head, 'runs': [_plain(record)]})}\n".encode()


def loads(key: str, data: bytes) -> tuple[RunRecord, ...]:
    """The records of a key from an untrusted text.

    Raises:
        ValueError: The text is invalid.
    """
    try:
        value = artifact_json.parse(data)
        top = artifact_json.fields(value, "", _FIELDS)
        if (top["format"], top["algorithm"], top["key"]) != (FORMAT, ALGORITHM, key):
            raise ValueError("it is of another format, or about something else")
        return tuple(_record(key, run) for run in top["runs"])
    except (TypeError, RecursionError, artifact_json.FieldError) as error:
        raise ValueError(str(error)) from None


def _record(key: str, value: object) -> RunRecord:
    run = artifact_json.fields(value, "runs", _RUN, _RUN_OPTIONAL)
    return RunRecord(
        key,
        artifact_json.artifacts(run["outs"], "outs"),
        artifact_json.code_entries(run["observed"], "observed"),
        artifact_json.number(run["ran_at"], "ran_at") if "ran_at" in run else None,
    )


def _plain(record: RunRecord) -> dict[str, object]:
    return {
        "outs": {path: artifact_json.encode(artifact) for path, artifact in record.outs.items()},
        "observed": {key: artifact_json.encode_code(entry) for key, entry in record.observed.items()},
        **({} if record.ran_at is None else {"ran_at": record.ran_at}),
    }


def _facts(record: RunRecord) -> dict[str, str]:
    return {key: entry.digest for key, entry in record.observed.items()}
