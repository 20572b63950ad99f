"""A fingerprint as a value: entries by key, what could not be followed, and how two of them differ."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from xxhash import xxh3_128_hexdigest

from pivot_fingerprint._errors import ManifestError

SCHEMA: int = 1
"""The version of the canonical form; digests of different versions are not comparable."""

_DIGITS = frozenset("0123456789abcdef")
_DIGEST_LENGTH = 32


class Entry(NamedTuple):
    """One piece of code or one value: its digest, and where it stands (which never counts)."""

    digest: str
    file: str | None = None
    line: int | None = None


class Unresolved(NamedTuple):
    """One thing that could not be followed: where, why, and in which entry it stands."""

    file: str | None
    line: int | None
    reason: str
    key: str


class Change(NamedTuple):
    """One entry that differs between two manifests; `old` or `new` is None where it is missing."""

    key: str
    old: Entry | None
    new: Entry | None


class Manifest(Mapping[str, Entry]):
    """Everything a function rests on: an immutable mapping from key to entry, sorted by key."""

    __slots__ = ("_digest", "_entries", "_unresolved")

    def __init__(self, entries: Mapping[str, Entry], unresolved: tuple[Unresolved, ...] = ()) -> None:
        self._entries = {key: entries[key] for key in sorted(entries)}
        self._unresolved = tuple(sorted(set(unresolved), key=_order))
        self._digest: str | None = None

    def __getitem__(self, key: str) -> Entry:
        return self._entries[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<Manifest {self.digest}: {len(self)} entries, {len(self._unresolved)} unresolved>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Manifest):
            return NotImplemented
        return self._entries == other._entries and self._unresolved == other._unresolved

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def unresolved(self) -> tuple[Unresolved, ...]:
        """What could not be followed, sorted by entry, file and line."""
        return self._unresolved

    @property
    def digest(self) -> str:
        """32 hex digits over all keys and their digests; files, lines and `unresolved` never count."""
        if self._digest is None:
            lines = "".join(f"{key}\0{entry.digest}\n" for key, entry in self._entries.items())
            self._digest = xxh3_128_hexdigest(f"pivot-fingerprint {SCHEMA}\n{lines}".encode())
        return self._digest

    def to_json(self) -> dict[str, object]:
        """Plain data for `json.dump`; `from_json` gives an equal manifest back."""
        return {
            "schema": SCHEMA,
            "entries": {key: entry._asdict() for key, entry in self._entries.items()},
            "unresolved": [edge._asdict() for edge in self._unresolved],
        }

    @classmethod
    def from_json(cls, data: object) -> "Manifest":
        """The manifest that `to_json` wrote.

        Raises:
            ManifestError: the data is no manifest of this schema; `field` says where.
        """
        top = _object(data, "manifest", {"schema", "entries", "unresolved"})
        schema = top["schema"]
        if type(schema) is not int or schema != SCHEMA:
            raise ManifestError("schema", f"expected {SCHEMA}, not {schema!r}")
        entries = {}
        for key, raw in _object(top["entries"], "entries", None).items():
            where = f"entries[{key!r}]"
            fields = _object(raw, where, {"digest", "file", "line"})
            digest = fields["digest"]
            if not isinstance(digest, str) or len(digest) != _DIGEST_LENGTH or not _DIGITS.issuperset(digest):
                raise ManifestError(f"{where}.digest", "expected 32 hex digits")
            entries[key] = Entry(digest, _text_or_none(fields, where), _line(fields, where))
        edges = top["unresolved"]
        if not isinstance(edges, list):
            raise ManifestError("unresolved", "expected a list")
        return cls(entries, tuple(_edge(raw, f"unresolved[{n}]") for n, raw in enumerate(edges)))


def diff(old: Mapping[str, Entry], new: Mapping[str, Entry]) -> tuple[Change, ...]:
    """The entries whose digests differ, sorted by key; a moved file or line is no change."""
    changes = []
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if before is None or after is None or before.digest != after.digest:
            changes.append(Change(key, before, after))
    return tuple(changes)


def _order(edge: Unresolved) -> tuple[str, str, int, str]:
    return (edge.key, edge.file or "", edge.line or 0, edge.reason)


def _edge(raw: object, where: str) -> Unresolved:
    fields = _object(raw, where, {"file", "line", "reason", "key"})
    reason, key = fields["reason"], fields["key"]
    if not isinstance(reason, str):
        raise ManifestError(f"{where}.reason", "expected text")
    if not isinstance(key, str):
        raise ManifestError(f"{where}.key", "expected text")
    return Unresolved(_text_or_none(fields, where), _line(fields, where), reason, key)


def _object(value: object, where: str, names: set[str] | None) -> dict[str, object]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ManifestError(where, "expected an object")
    for name in sorted(names or ()):
        if name not in value:
            raise ManifestError(f"{where}.{name}", "missing")
    for name in sorted(value):
        if names is not None and name not in names:
            raise ManifestError(f"{where}.{name}", "unknown field")
    return value


def _text_or_none(fields: dict[str, object], where: str) -> str | None:
    value = fields["file"]
    if value is not None and not isinstance(value, str):
        raise ManifestError(f"{where}.file", "expected text or null")
    return value


def _line(fields: dict[str, object], where: str) -> int | None:
    value = fields["line"]
    if value is not None and type(value) is not int:
        raise ManifestError(f"{where}.line", "expected a whole number or null")
    return value
