"""The run cache: what some run with given inputs left, one small file per inputs key."""

import json
from pathlib import Path

from pivot_cache import _artifacts, atomic
from pivot_cache.layout import sharded
from pivot_core.digest import ALGORITHM, canonical_json
from pivot_core.lock import RunRecord

FORMAT = 1
"""The version of a record's layout: format, algorithm, key, and outs as in a lock file, without ``cache``."""

_FIELDS = frozenset({"format", "algorithm", "key", "outs"})


class RunCache:
    """A directory of run records; any number of processes may use it at once.

    Attributes:
        directory: Where the records lie, as ``ab/cdef...``; made when first needed.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def get(self, key: str) -> RunRecord | None:
        """The newest record with this inputs key; one that cannot be read or understood is none.

        Raises:
            CacheError: The key is not a digest.
        """
        file = sharded(self.directory, key)
        try:
            value = json.loads(file.read_bytes(), object_pairs_hook=_artifacts.unique_pairs)
            record = _artifacts.fields(value, "", _FIELDS)
            outs = _artifacts.artifacts(record["outs"], "outs", _artifacts.artifact)
        except (OSError, ValueError, RecursionError, _artifacts.FieldError):
            return None
        known = (record["format"], record["algorithm"], record["key"]) == (FORMAT, ALGORITHM, key)
        return RunRecord(key, outs) if known else None

    def put(self, record: RunRecord) -> None:
        """Remember a record, in the place of an older one with its key.

        Raises:
            CacheError: It cannot be written, or its key is not a digest.
        """
        outs = {path: _artifacts.encode(artifact) for path, artifact in record.outs.items()}
        plain = {"format": FORMAT, "algorithm": ALGORITHM, "key": record.key, "outs": outs}
        data = f"{canonical_json(plain)}\n".encode()
        file = sharded(self.directory, record.key)
        try:
            if file.read_bytes() == data:
                return
        except OSError:
            pass  # not there, or not readable: then writing it will tell
        atomic.write_bytes(file, data)
