"""Manifests: fingerprints as values, with entries by key, unresolved code, and the difference of two manifests."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from xxhash import xxh3_128_hexdigest

from pivot_fingerprint.errors import ManifestError

__pivot_module__ = "pivot_fingerprint"

SCHEMA: int = 1
"""The version of the canonical form; digests of different versions are not comparable."""

_DIGITS = frozenset("0123456789abcdef")
_DIGEST_LENGTH = 32
_OPTIONAL = ("end", "start", "via")


class Entry(NamedTuple):
    """A piece of code or a value: its digest, and its place (which never counts).

    `line` is the line of the `def`, `class` or assignment. The lines `start` to `end` of `file` are the
    source text that counts, decorators included; both are None without such text, as for a whole module.
    `via` is the key of the entry that leads to this one; None for the start of the walk.
    """

    digest: str
    file: str | None = None
    line: int | None = None
    end: int | None = None
    start: int | None = None
    via: str | None = None


class Library(NamedTuple):
    """An installed distribution: its version, and the full names that are used from it, sorted."""

    version: str
    names: tuple[str, ...]


class Unresolved(NamedTuple):
    """Code that could not be followed: its place, the reason, and the key of its entry."""

    file: str | None
    line: int | None
    reason: str
    key: str


class Change(NamedTuple):
    """An entry that differs between two manifests; `old` or `new` is None where it is missing."""

    key: str
    old: Entry | None
    new: Entry | None


class Manifest(Mapping[str, Entry]):
    """Everything a function depends on: an immutable mapping from key to entry, sorted by key."""

    __slots__ = ("_digest", "_entries", "_libraries", "_unresolved")

    def __init__(
        self,
        entries: Mapping[str, Entry],
        unresolved: tuple[Unresolved, ...] = (),
        libraries: Mapping[str, Library] | None = None,
    ) -> None:
        self._entries = {key: entries[key] for key in sorted(entries)}
        self._unresolved = tuple(sorted(set(unresolved), key=_order))
        self._libraries = MappingProxyType({name: (libraries or {})[name] for name in sorted(libraries or ())})
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
        return (
            self._entries == other._entries
            and self._unresolved == other._unresolved
            and self._libraries == other._libraries
        )

    def __hash__(self) -> int:
        return hash(self.digest)

    @property
    def unresolved(self) -> tuple[Unresolved, ...]:
        """Everything that could not be followed, sorted by entry, file and line."""
        return self._unresolved

    @property
    def libraries(self) -> Mapping[str, Library]:
        """The installed distributions that the code uses, by name, sorted; they never count."""
        return self._libraries

    def path(self, key: str) -> tuple[str, ...]:
        """The shortest chain of keys from the start of the walk to an entry.

        Of several chains of the same length, it is the first in the order of keys, from the end on.

        Raises:
            KeyError: There is no such entry.
        """
        chain = [key]
        via = self._entries[key].via
        while via is not None:
            chain.append(via)
            via = self._entries[via].via
        return tuple(reversed(chain))

    @property
    def digest(self) -> str:
        """32 hex digits over all keys and their digests; nothing else counts."""
        if self._digest is None:
            lines = "".join(f"{key}\0{entry.digest}\n" for key, entry in self._entries.items())
            self._digest = xxh3_128_hexdigest(f"pivot-fingerprint {SCHEMA}\n{lines}".encode())
        return self._digest

    def to_json(self) -> dict[str, object]:
        """Plain data for `json.dump`; `from_json` returns an equal manifest."""
        return {
            "schema": SCHEMA,
            "entries": {key: _written(entry) for key, entry in self._entries.items()},
            "unresolved": [
                {"file": edge.file, "line": edge.line, "reason": edge.reason, "key": edge.key}
                for edge in self._unresolved
            ],
            "libraries": {
                name: {"version": library.version, "names": list(library.names)}
                for name, library in self._libraries.items()
            },
        }

    @classmethod
    def from_json(cls, data: object) -> "Manifest":
        """The manifest that `to_json` wrote.

        Raises:
            ManifestError: The data is not a manifest of this schema; `field` names the invalid place.
        """
        top = _object(data, "manifest", {"schema", "entries", "unresolved"}, ("libraries",))
        schema = top["schema"]
        if type(schema) is not int or schema != SCHEMA:
            raise ManifestError("schema", f"expected {SCHEMA}, not {schema!r}")
        entries = {
            key: _entry(raw, f"entries[{key!r}]") for key, raw in _object(top["entries"], "entries", None).items()
        }
        _check_chains(entries)
        edges = top["unresolved"]
        if not isinstance(edges, list):
            raise ManifestError("unresolved", "expected a list")
        unresolved = tuple(_edge(raw, f"unresolved[{n}]") for n, raw in enumerate(edges))
        known = _object(top.get("libraries", {}), "libraries", None)
        return cls(entries, unresolved, {name: _library(raw, f"libraries[{name!r}]") for name, raw in known.items()})


def diff(old: Mapping[str, Entry], new: Mapping[str, Entry]) -> tuple[Change, ...]:
    """The entries whose digests differ, sorted by key; a moved file or line is not a change."""
    changes = []
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if before is None or after is None or before.digest != after.digest:
            changes.append(Change(key, before, after))
    return tuple(changes)


def _order(edge: Unresolved) -> tuple[str, str, int, str]:
    return (edge.key, edge.file or "", edge.line or 0, edge.reason)


def _written(entry: Entry) -> dict[str, object]:
    """An entry as plain data, without optional fields that are None."""
    plain: dict[str, object] = {"digest": entry.digest, "file": entry.file, "line": entry.line}
    later = {"end": entry.end, "start": entry.start, "via": entry.via}
    return plain | {name: value for name, value in later.items() if value is not None}


def _entry(raw: object, where: str) -> Entry:
    fields = _object(raw, where, {"digest", "file", "line"}, _OPTIONAL)
    digest = fields["digest"]
    if not isinstance(digest, str) or len(digest) != _DIGEST_LENGTH or not _DIGITS.issuperset(digest):
        raise ManifestError(f"{where}.digest", "expected 32 hex digits")
    line, end, start = (_number(fields, name, where) for name in ("line", "end", "start"))
    return Entry(digest, _text_or_none(fields, "file", where), line, end, start, _text_or_none(fields, "via", where))


def _check_chains(entries: Mapping[str, Entry]) -> None:
    """Check that each chain of `via` ends."""
    known: set[str] = set()
    for key in entries:
        chain: list[str] = []
        at: str | None = key
        while at is not None and at not in known:
            if at not in entries or len(chain) > len(entries):
                raise ManifestError(f"entries[{key!r}].via", "leads nowhere")
            chain.append(at)
            at = entries[at].via
        known.update(chain)


def _library(raw: object, where: str) -> Library:
    fields = _object(raw, where, {"version", "names"})
    names = fields["names"]
    if not isinstance(fields["version"], str):
        raise ManifestError(f"{where}.version", "expected text")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ManifestError(f"{where}.names", "expected a list of strings")
    return Library(fields["version"], tuple(names))


def _edge(raw: object, where: str) -> Unresolved:
    fields = _object(raw, where, {"file", "line", "reason", "key"})
    reason, key = fields["reason"], fields["key"]
    if not isinstance(reason, str):
        raise ManifestError(f"{where}.reason", "expected text")
    if not isinstance(key, str):
        raise ManifestError(f"{where}.key", "expected text")
    return Unresolved(_text_or_none(fields, "file", where), _number(fields, "line", where), reason, key)


def _object(value: object, where: str, names: set[str] | None, optional: tuple[str, ...] = ()) -> dict[str, object]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ManifestError(where, "expected an object")
    for name in sorted(names or ()):
        if name not in value:
            raise ManifestError(f"{where}.{name}", "missing")
    for name in sorted(value):
        if names is not None and name not in names and name not in optional:
            raise ManifestError(f"{where}.{name}", "unknown field")
    return value


def _text_or_none(fields: dict[str, object], name: str, where: str) -> str | None:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise ManifestError(f"{where}.{name}", "expected text or null")
    return value


def _number(fields: dict[str, object], name: str, where: str) -> int | None:
    value = fields.get(name)
    if value is not None and type(value) is not int:
        raise ManifestError(f"{where}.{name}", "expected a whole number or null")
    return value
