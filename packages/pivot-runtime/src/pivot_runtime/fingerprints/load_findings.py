"""Findings of a recorder as plain data, which the recorder of another process can add to its own."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple


class LoadFindings(NamedTuple):
    """The facts of a `LoadRecorder` to which fingerprints add.

    Attributes:
        facts: By kind and subject, the value of each fact.
        sources: See `LoadRecorder`.
        opened: By path, the stamp of each file that was opened, and when.
        written: The files that were opened to write.
        unrecorded: See `LoadRecorder`.
        asked: See `ModuleSearches`.
        top: Likewise.
        packages: Likewise.
        contents: By directory, the names in it, or its time of change.
    """

    facts: Mapping[tuple[str, str], str]
    sources: Mapping[str, str]
    opened: Mapping[str, tuple[str, int]]
    written: Collection[str]
    unrecorded: Collection[str]
    asked: Collection[str]
    top: Collection[str]
    packages: Collection[str]
    contents: Mapping[str, str | frozenset[str]]

    def since(self, before: "LoadFindings") -> "LoadFindings":
        """Return only what was not found before."""
        return LoadFindings(
            {key: value for key, value in self.facts.items() if key not in before.facts},
            {path: digest for path, digest in self.sources.items() if path not in before.sources},
            {path: opening for path, opening in self.opened.items() if path not in before.opened},
            [path for path in self.written if path not in before.written],
            [reason for reason in self.unrecorded if reason not in before.unrecorded],
            [name for name in self.asked if name not in before.asked],
            [name for name in self.top if name not in before.top],
            [path for path in self.packages if path not in before.packages],
            {path: content for path, content in self.contents.items() if path not in before.contents},
        )

    def to_plain(self) -> dict[str, Any]:
        """Return the findings as data for JSON."""
        contents = {path: each if isinstance(each, str) else sorted(each) for path, each in self.contents.items()}
        return {**self._asdict(), "facts": [[*key, value] for key, value in self.facts.items()], "contents": contents}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "LoadFindings":
        """Return the findings of such data."""
        return cls(
            **{
                **plain,
                "facts": {(kind, subject): value for kind, subject, value in plain["facts"]},
                "opened": {path: (found, at) for path, (found, at) in plain["opened"].items()},
                "contents": {
                    path: each if isinstance(each, str) else frozenset(each) for path, each in plain["contents"].items()
                },
            }
        )
