"""Source texts of fingerprint entries, by digest, from which an explanation shows an edit as a diff.

They are derived data in one SQLite file: if it is missing, damaged or locked, explanations lack the diffs.
"""

import pathlib
from collections.abc import Iterable, Mapping
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


class SourceTexts:
    """Source texts by the digest of their canonical form; two texts with one digest differ in formatting only."""

    def __init__(self, file: pathlib.Path) -> None:
        """Use a file, which the first `remember` creates."""
        self._database = DerivedDatabase(file, version=1, create=_CREATE)
        self._known: set[str] = set()

    def remember(self, stage: LoadedStage, root: pathlib.Path) -> None:
        """Store the current texts of a stage's entries. Never fails."""
        new = {
            entry.digest: text
            for key, entry in stage.code.items()
            if entry.digest not in self._known and (text := source_of(stage, key, root)) is not None
        }
        self._known.update(entry.digest for entry in stage.code.values())
        if new:
            self._database.write(lambda database: database.executemany(_INSERT, new.items()))

    def recall(self, digests: Iterable[str]) -> Mapping[str, str]:
        """Return the known texts, by digest."""
        found: dict[str, str] = {}
        self._database.read(lambda database: found.update(_select(database, digests)))
        return found

    def diffs(self, stage: LoadedStage, changes: Iterable[FactChange], root: pathlib.Path) -> dict[str, str]:
        """Return a unified diff of each changed entry whose earlier text is known, by key."""
        edited = {each.key: each.old for each in changes if each.reason is Reason.CODE and each.old is not None}
        old = self.recall(edited.values())
        found = {}
        for key, digest in edited.items():
            if digest in old:
                import difflib  # lazy

                now = source_of(stage, key, root) or ""
                found[key] = "".join(difflib.unified_diff(_lines(old[digest]), _lines(now), "last run", "now"))
        return {key: text for key, text in found.items() if text}


def _select(database: "sqlite3.Connection", digests: Iterable[str]) -> dict[str, str]:
    rows = {digest: database.execute(_SELECT, (digest,)).fetchone() for digest in digests}
    return {digest: row[0] for digest, row in rows.items() if row is not None}


def source_of(stage: LoadedStage, key: str, root: pathlib.Path) -> str | None:
    """Return the current source lines of an entry; None if they are unknown or too long."""
    if key in stage.texts:
        return stage.texts[key] if len(stage.texts[key]) <= _LONGEST else None
    entry, span = stage.code.get(key), stage.spans.get(key)
    if entry is None or entry.location is None or span is None:
        return None
    start, end = span
    try:
        with open(root / entry.location.file, encoding="utf-8", errors="replace") as file:
            text = "".join(file.readlines()[start - 1 : end])
    except OSError:
        return None
    return text if text and len(text) <= _LONGEST else None


def _lines(text: str) -> list[str]:
    return [f"{line}\n" for line in text.splitlines()]
