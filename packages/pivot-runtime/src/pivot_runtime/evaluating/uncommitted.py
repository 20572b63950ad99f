"""Runs with ``--no-commit``: their inputs and outs, noted so that `pivot commit` can record them as what they are.

Each is one small file of derived data. It counts only as long as the inputs and outs of its stage are the same.
"""

import contextlib
import json
import os
import pathlib
from collections.abc import Sequence

from pivot_cache.errors import CacheError
from pivot_cache.files.atomic import write_bytes
from pivot_cache.files.safe_read import read_json
from pivot_cache.layout import Layout
from pivot_cache.state import run_cache
from pivot_core.lock import RunRecord


class UncommittedRuns:
    """The last uncommitted run of each stage."""

    def __init__(self, layout: Layout) -> None:
        """Read nothing yet."""
        self._directory = layout.uncommitted_dir

    def put(self, address: str, record: RunRecord, variables: Sequence[str]) -> None:
        """Note a run, and the environment variables that it read.

        Raises:
            CacheError: It cannot be written.
        """
        with contextlib.suppress(OSError):
            self._directory.mkdir(parents=True, exist_ok=True)
        plain = {"key": record.key, "run": run_cache.dumps(record).decode(), "variables": list(variables)}
        write_bytes(self._file(address), json.dumps(plain).encode())

    def get(self, address: str) -> tuple[RunRecord, tuple[str, ...]] | None:
        """Return the run and the variables that it read; None if there is none, or it is damaged."""
        try:
            plain = read_json(self._file(address))
            (record,) = run_cache.loads(plain["key"], plain["run"].encode())
            return record, tuple(map(str, plain["variables"]))
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def addresses(self) -> frozenset[str]:
        """Return the stages with such a run."""
        try:
            return frozenset(os.listdir(self._directory))
        except OSError:
            return frozenset()

    def forget(self, address: str) -> None:
        """Forget the run of a stage; an error only leaves a file that no longer counts."""
        with contextlib.suppress(OSError, CacheError):
            self._file(address).unlink(missing_ok=True)

    def _file(self, address: str) -> pathlib.Path:
        return self._directory / address
