"""Source texts of fingerprint entries, by digest, from which an explanation shows an edit as a diff.

They are derived data in one SQLite file: if it is missing, damaged or locked, explanations lack the diffs.
"""

import pathlib
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

from pivot_cache.state.derived_db import DerivedDatabase
from pivot_core.decide import FactChange, Reason
from pivot_runtime.loading.loaded import LoadedStage

if TYPE_CHECKING:
    import sqlite3

_CREATE: Final = "CREATE TABLE forms (digest TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID"
_INSERT: Final = "INSERT OR IGNORE INTO forms VALUES (?, ?)"
_SELECT: Final = "SELECT text FROM forms WHERE digest = ?"
_LONGEST: Final = 1 << 16
"""The longest text in characters; longer texts are generated code or data, of which nobody reads a diff."""
_PERIOD_S: Final = 1.0
"""So often, at most, texts are stored: a run of small stages ends hundreds of them meanwhile."""


class SourceTexts:
    """Source texts by the digest of their canonical form; two texts with one digest differ in formatting only."""

    def __init__(self, file: pathlib.Path, root: pathlib.Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Use a file, which the first write creates, and the sources below ``root``, each read at most once."""
        self._database = DerivedDatabase(file, version=1, create=_CREATE)
        self._root = root
        self._clock = clock
        self._known: set[str] = set()
        self._new: dict[str, str] = {}
        self._since: float | None = None
        self._lines: dict[str, list[str]] = {}

    def remember(self, stage: LoadedStage) -> None:
        """Note the current texts of a stage's entries, and store those of the last second together. Never fails."""
        for key, entry in stage.code.items():
            if entry.digest not in self._known:
                self._known.add(entry.digest)
                text = self._source_of(stage, key)
                if text is not None:
                    self._new[entry.digest] = text
        if self._since is None:
            self._since = self._clock()
        elif self._clock() - self._since >= _PERIOD_S:
            self.close()

    def close(self) -> None:
        """Store the texts that are not yet stored. Never fails."""
        new, self._new = self._new, {}
        self._since = self._clock()
        if new:
            self._database.write(lambda database: database.executemany(_INSERT, new.items()))

    def recall(self, digests: Iterable[str]) -> Mapping[str, str]:
        """Return the known texts, by digest."""
        found: dict[str, str] = {}
        self._database.read(lambda database: found.update(_select(database, digests)))
        return found

    def diffs(self, stage: LoadedStage, changes: Iterable[FactChange]) -> dict[str, str]:
        """Return a unified diff of each changed entry whose earlier text is known, by key."""
        edited = {each.key: each.old for each in changes if each.reason is Reason.CODE and each.old is not None}
        old = self.recall(edited.values())
        found = {}
        for key, digest in edited.items():
            if digest in old:
                import difflib  # lazy

                now = self._source_of(stage, key) or ""
                found[key] = "".join(difflib.unified_diff(_lines(old[digest]), _lines(now), "last run", "now"))
        return {key: text for key, text in found.items() if text}

    def _source_of(self, stage: LoadedStage, key: str) -> str | None:
        """The current source lines of an entry; None if they are unknown or too long."""
        if key in stage.texts:
            return stage.texts[key] if len(stage.texts[key]) <= _LONGEST else None
        entry, span = stage.code.get(key), stage.spans.get(key)
        if entry is None or entry.location is None or span is None:
            return None
        file, (start, end) = entry.location.file, span
        lines = self._lines.get(file)
        if lines is None:
            lines = self._lines[file] = _read_lines(self._root / file)
        text = "".join(lines[start - 1 : end])
        return text if text and len(text) <= _LONGEST else None


def _select(database: "sqlite3.Connection", digests: Iterable[str]) -> dict[str, str]:
    rows = {digest: database.execute(_SELECT, (digest,)).fetchone() for digest in digests}
    return {digest: row[0] for digest, row in rows.items() if row is not None}


def _read_lines(file: pathlib.Path) -> list[str]:
    """The lines of a source file; none if it cannot be read."""
    try:
        with open(file, encoding="utf-8", errors="replace") as source:
            return source.readlines()
    except OSError:
        return []


def _lines(text: str) -> list[str]:
    return [f"{line}\n" for line in text.splitlines()]
