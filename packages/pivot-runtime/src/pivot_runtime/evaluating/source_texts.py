"""Source texts of fingerprint entries, by digest, from which an explanation shows an edit as a diff.

Likewise, the variables of a ``pivot.yaml`` that a stage used, by a digest of what its lock file records.

They are derived data in one SQLite file: if it is missing, damaged or locked, explanations lack the diffs.
"""

import json
import pathlib
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import attrs

from pivot_cache.files.safe_read import read_regular
from pivot_cache.state.derived_db import DerivedDatabase
from pivot_core.decide import FactChange, Reason, VariableChange
from pivot_core.files.digest import canonical_json, digest_lines
from pivot_core.lock import CodeEntry, StageLock
from pivot_core.params import file_keys
from pivot_core.spec import StageSpec
from pivot_core.values import Value
from pivot_runtime.loading.loaded import LoadedStage

if TYPE_CHECKING:
    import sqlite3

_CREATE: Final = "CREATE TABLE forms (digest TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID"
_INSERT: Final = "INSERT OR IGNORE INTO forms VALUES (?, ?)"
_REPLACE: Final = "INSERT OR REPLACE INTO forms VALUES (?, ?)"
_SELECT: Final = "SELECT text FROM forms WHERE digest = ?"
_LONGEST: Final = 1 << 16
"""The longest text in characters; longer texts are generated code or data, of which nobody reads a diff."""
_WHOLE: Final = ":*"
"""The suffix of the key of a whole module."""
_NOTHING: Final[Mapping[str, CodeEntry]] = {}
_PERIOD_S: Final = 1.0
"""So often, at most, texts are stored: a run of small stages ends hundreds of them meanwhile."""


@attrs.frozen(eq=False, repr=False)
class SourceEdit(Value):
    """The text of an entry whose meaning has changed.

    Attributes:
        before: Its text at the last run; None if it is not known here, or if there was no such entry.
        now: The current text; None if there is no such entry any more, or if it is too long.
    """

    before: str | None
    now: str | None

    def diff(self) -> str | None:
        """Return a unified diff, which is empty if the texts are the same; None if the earlier text is not known."""
        if self.before is None:
            return None
        import difflib  # lazy

        return "".join(difflib.unified_diff(_lines(self.before), _lines(self.now or ""), "last run", "now"))


class SourceTexts:
    """Source texts by the digest of their canonical form; two texts with one digest differ in formatting only."""

    def __init__(self, file: pathlib.Path, root: pathlib.Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Use a file, which the first write creates, and the sources below ``root``, each read at most once."""
        self._database = DerivedDatabase(file, version=1, create=_CREATE)
        self._root = root
        self._clock = clock
        self._known: set[str] = set()
        self._new: dict[str, str] = {}
        self._variables: dict[str, str] = {}
        self._since: float | None = None
        self._lines: dict[str, list[str]] = {}

    def remember(self, stage: LoadedStage, observed: Mapping[str, CodeEntry] = _NOTHING) -> None:
        """Note the current texts of a stage's entries, and store those of the last second together. Never fails.

        The variables that it uses are noted as well.

        Args:
            stage: The stage.
            observed: The entries that its run was observed to use besides.
        """
        unplaced = {key: each for key, each in observed.items() if each.digest not in self._known}
        for key, entry in stage.code.items():
            if entry.digest not in self._known:
                if _is_unplaced(stage, key):
                    unplaced[key] = entry
                    continue
                self._known.add(entry.digest)
                text = self._source_of(stage, key)
                if text is not None:
                    self._new[entry.digest] = text
        if unplaced:
            self._remember_unplaced(unplaced, observed)
        if stage.spec.variables:
            values = {name: value for name, (value, _) in stage.spec.variables.items()}
            self._variables[_run_digest(stage.spec, stage.code, stage.params)] = json.dumps(values)
        if self._since is None:
            self._since = self._clock()
        elif self._clock() - self._since >= _PERIOD_S:
            self.close()

    def _remember_unplaced(self, entries: Mapping[str, CodeEntry], observed: Mapping[str, CodeEntry]) -> None:
        """Note the texts of entries whose lines are unknown, without parsing files for those that are stored."""
        digests = {each.digest for each in entries.values()}
        self._known |= digests
        missing = digests - self.recall(digests).keys()
        for key, entry in entries.items():
            if entry.digest in missing and (text := self._found(key, entry, as_seen=key in observed)) is not None:
                self._new[entry.digest] = text

    def close(self) -> None:
        """Store the texts that are not yet stored. Never fails."""
        new, self._new = self._new, {}
        variables, self._variables = self._variables, {}
        self._since = self._clock()
        if new:
            self._database.write(lambda database: database.executemany(_INSERT, new.items()))
        if variables:
            self._database.write(lambda database: database.executemany(_REPLACE, variables.items()))

    def recall(self, digests: Iterable[str]) -> Mapping[str, str]:
        """Return the known texts, by digest."""
        found: dict[str, str] = {}
        self._database.read(lambda database: found.update(_select(database, digests)))
        return found

    def edits(
        self, stage: LoadedStage, changes: Iterable[FactChange], observed: Mapping[str, CodeEntry] = _NOTHING
    ) -> "dict[str, SourceEdit]":
        """Return the text of each changed entry at the last run and now, by key.

        The two are the same if what it means was edited elsewhere.

        Args:
            stage: The stage.
            changes: The changes of its facts.
            observed: The entries that its last run was observed to use besides.
        """
        edited = {each.key: each.old or "" for each in changes if each.reason is Reason.CODE}
        old = self.recall(filter(None, edited.values()))
        return {key: SourceEdit(old.get(digest), self._current(stage, key, observed)) for key, digest in edited.items()}

    def _current(self, stage: LoadedStage, key: str, observed: Mapping[str, CodeEntry]) -> str | None:
        """The current text of an entry; None if it is gone, unknown or too long."""
        now = self._source_of(stage, key)
        entry = observed.get(key) or (stage.code[key] if _is_unplaced(stage, key) else None)
        return self._found(key, entry) if now is None and entry is not None else now

    def _found(self, key: str, entry: CodeEntry, *, as_seen: bool = False) -> str | None:
        """The current lines of an entry, found in its file; None if they are too long, or not those that were seen."""
        from pivot_fingerprint.observation import recheck, source_lines  # lazy

        if entry.location is None:
            return None
        try:
            content = read_regular(self._root / entry.location.file)
        except OSError:
            return None
        if len(content) > _LONGEST or (as_seen and recheck(content, key) != entry.digest):
            return None  # it would be parsed again in each run, or it was edited just now
        text = content.decode("utf-8", "replace") if key.endswith(_WHOLE) else source_lines(content, key)
        return text if text and len(text) <= _LONGEST else None

    def changed_variables(self, stage: LoadedStage, lock: StageLock | None) -> tuple[VariableChange, ...]:
        """Return the variables of a stage whose values differ from those of its last run, if these are known."""
        if lock is None or not stage.spec.variables:
            return ()
        digest = _run_digest(stage.spec, lock.inputs.code, lock.inputs.params)
        known = self.recall([digest]).get(digest)
        if known is None:
            return ()
        before, now = json.loads(known), stage.spec.variables
        return tuple(
            VariableChange(name, before.get(name), *now.get(name, (None, "")))
            for name in sorted({*before, *now})
            if before.get(name) != now.get(name, (None, ""))[0]
        )

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


def _is_unplaced(stage: LoadedStage, key: str) -> bool:
    """Whether an entry is code of a file, but its lines are unknown."""
    entry = stage.code.get(key)
    return (
        entry is not None
        and entry.location is not None
        and ":" in key
        and key not in stage.texts
        and key not in stage.spans
    )


def _run_digest(spec: StageSpec, code: Mapping[str, CodeEntry], params: Mapping[str, Any]) -> str:
    """A digest of the facts in a lock file that a stage has without looking at other files."""
    elsewhere = {name for path, keys in spec.file_params.items() for name in file_keys.labels(path, keys)}
    own = {name: value for name, value in params.items() if name not in elsewhere}
    entries = (f"{key} {entry.digest}" for key, entry in sorted(code.items()))
    return digest_lines(["variables", spec.address, canonical_json(own), *entries])


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
