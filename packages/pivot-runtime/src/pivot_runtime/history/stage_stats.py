"""Statistics of each stage from its last runs that are not in its lock: derived data in one SQLite file.

If the file is missing, damaged or locked, there are none.
"""

import contextlib
import json
import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pivot_cache.layout import Layout
from pivot_cache.state.derived_db import DerivedDatabase
from pivot_core.lock import StageLock

if TYPE_CHECKING:
    import sqlite3

SECONDS: Final = "seconds"
"""The duration of its last run."""
VARIABLES: Final = "variables"
"""The names of environment variables that it read without declaring them."""
UNSEEN: Final = "unseen"
"""The reasons why its last run may depend on more than was observed."""
RERUN: Final = "rerun"
"""The result of running the stage once more."""

_CREATE: Final = "CREATE TABLE facts (address TEXT, name TEXT, value TEXT, PRIMARY KEY (address, name)) WITHOUT ROWID"
_REPLACE: Final = "INSERT OR REPLACE INTO facts VALUES (?, ?, ?)"
_SELECT: Final = "SELECT address, name, value FROM facts"


class StageStats:
    """JSON values by stage and name."""

    def __init__(self, file: pathlib.Path) -> None:
        """Use a file, which the first `remember` creates."""
        self._database = DerivedDatabase(file, version=1, create=_CREATE)

    def remember(self, new: Mapping[str, Mapping[str, Any]]) -> None:
        """Store values by address and name. Never fails."""
        rows = [(address, name, json.dumps(value)) for address, facts in new.items() for name, value in facts.items()]
        if rows:
            self._database.write(lambda database: database.executemany(_REPLACE, rows))

    def recall(self) -> dict[str, dict[str, Any]]:
        """All stored values by address and name. Never fails."""
        found: dict[str, dict[str, Any]] = {}
        self._database.read(lambda database: _read(database, found))
        return found


def project_stats(layout: Layout) -> StageStats:
    """The statistics of a project's stages."""
    return StageStats(layout.stage_stats_file)


def last_durations(layout: Layout) -> dict[str, float]:
    """The duration of each stage's last run, as far as known."""
    found = {address: facts.get(SECONDS) for address, facts in project_stats(layout).recall().items()}
    return {address: float(took) for address, took in found.items() if isinstance(took, int | float)}


def state_key(lock: StageLock) -> str:
    """The inputs and outs of a stage, as one text."""
    outs = " ".join(f"{path}={artifact.digest}" for path, artifact in sorted(lock.outs.items()))
    return f"{lock.inputs.key()} {outs}"


def bound_to(lock: StageLock, result: Mapping[str, Any]) -> dict[str, Any]:
    """A result of running a stage once more, with the state of the stage that it is valid for."""
    return {**result, "state": state_key(lock)}


def valid_stats(lock: StageLock | None, known: Mapping[str, Any]) -> dict[str, Any]:
    """The statistics of a stage, without a rerun of another state of it."""
    rerun = known.get(RERUN)
    if lock is not None and isinstance(rerun, dict) and rerun.get("state") == state_key(lock):
        return dict(known)
    return {name: value for name, value in known.items() if name != RERUN}


def _read(database: "sqlite3.Connection", found: dict[str, dict[str, Any]]) -> None:
    for address, name, value in database.execute(_SELECT):
        with contextlib.suppress(ValueError, RecursionError):
            found.setdefault(address, {})[name] = json.loads(value)
