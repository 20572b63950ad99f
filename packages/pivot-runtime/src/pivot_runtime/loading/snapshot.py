"""Snapshots: the last load of each pipeline file, used while its load trace holds."""

import contextlib
import functools
import json
import os
import pathlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs
import xxhash

from pivot_cache.errors import CacheError
from pivot_cache.files import atomic, safe_read
from pivot_cache.files.signatures import boot_id, stat_signature
from pivot_core.discovery import find_pipeline
from pivot_core.files.digest import digest_secret
from pivot_core.values import Value
from pivot_runtime.freshness import load_trace
from pivot_runtime.freshness.load_trace import Fact, LoadTrace, TraceCheck
from pivot_runtime.loading import loaded
from pivot_runtime.loading.loaded import Loaded
from pivot_runtime.project.project import Project

if TYPE_CHECKING:
    from pivot_runtime.loading.varying_values import Known

_FORMAT: Final = 17
_MOST: Final = 500
"""The most snapshots; with more, the older half is deleted."""


@attrs.frozen(eq=False, repr=False)
class Snapshot(Value):
    """A snapshot that holds.

    Attributes:
        loaded: The result that a load would have.
        check: The result of checking its load trace.
    """

    loaded: Loaded
    check: TraceCheck


class _Kept:
    """A stored snapshot; most are only asked whether they hold, so each part is parsed when it is needed.

    Attributes:
        facts: The facts by which it holds or not.
    """

    def __init__(self, text: bytes) -> None:
        facts, self._known, self._loaded = text.split(b"\n")
        self.facts: Mapping[str, Any] = json.loads(facts)

    @property
    def trace(self) -> LoadTrace:
        return LoadTrace.from_plain(self.facts["trace"])

    @property
    def stamps(self) -> Mapping[str, str]:
        """The stamps that its files have as long as they are unchanged.

        After a power cut, a file may have its old stamp and other content: each is read once after a restart.
        """
        stamps: Mapping[str, str] = self.facts["stamps"] if self.facts["boot"] == boot_id() else {}
        return stamps

    def stamps_of(self, trace: LoadTrace) -> Mapping[str, str]:
        """The stamps of files that had the same content when another load read them."""
        stamps = self.stamps
        contents = {fact.subject: fact.value for fact in self.trace.facts if fact.kind == load_trace.FILE}
        same = (fact for fact in trace.facts if fact.kind == load_trace.FILE)
        same = (fact for fact in same if contents.get(fact.subject) == fact.value and fact.subject in stamps)
        return {fact.subject: stamps[fact.subject] for fact in same}

    @functools.cached_property
    def known(self) -> "Known":
        from pivot_runtime.loading.varying_values import Known  # lazy

        return Known.from_plain(json.loads(self._known))

    def loaded(self) -> Loaded:
        """Its load; there is none if facts are missing."""
        return loaded.from_plain({**json.loads(self._loaded), "trace": self.facts["trace"]})

    def with_stamps(self, check: TraceCheck) -> bytes:
        """Its text, with the stamps of the files that were found unchanged."""
        return _text({**self.facts, **_stamps(check)}, self._known, self._loaded)


def _stamps(check: TraceCheck) -> dict[str, Any]:
    return {"boot": boot_id(), "stamps": dict(check.unchanged)}


def _text(facts: Mapping[str, Any], known: bytes, loaded: bytes) -> bytes:
    return b"\n".join([_json(facts), known, loaded])


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


class Snapshots:
    """The snapshots of a project; if they cannot be written, each load imports the pipeline."""

    def __init__(self, directory: pathlib.Path, environment: Mapping[str, str]) -> None:
        """Use a directory, which the first `write` creates, and check traces against an environment."""
        self._directory = directory
        self._environment = environment
        self._last: tuple[str, _Kept | None] | None = None
        self._unwritten: dict[pathlib.Path, Callable[[], bytes]] = {}

    def find(self, file: pathlib.Path, overrides: Sequence[str]) -> Snapshot | None:
        """Return the snapshot of ``file`` with these parameters, if nothing that it depends on has changed."""
        place = self._place(file, overrides)
        kept = self._read(place)
        if kept is None or kept.facts["of"] != os.fspath(file) or kept.facts["unrecorded"]:
            return None
        stamps = kept.stamps
        check = load_trace.check(kept.trace, self._environment, stamps)
        if check.broken is not None:
            return None
        try:
            found = kept.loaded()
        except RecursionError:
            return None
        if any(stamps.get(path) != stamped for path, stamped in check.unchanged.items()):
            self._write(place, kept.with_stamps(check))
        return Snapshot(found, check)

    def known_addresses(self, file: pathlib.Path, overrides: Sequence[str]) -> Collection[str]:
        """Return the addresses of the stages that the last load of ``file`` found; none if it is not known."""
        kept = self._read(self._place(file, overrides))
        return () if kept is None or kept.facts["of"] != os.fspath(file) else kept.known.codes.keys()

    def keep(self, file: pathlib.Path, overrides: Sequence[str], found: Loaded) -> tuple[Loaded, TraceCheck | None]:
        """Note the result of a load, or why it cannot be stored, which `write` stores.

        Returns:
            The load, with the values that count as before; and the result of checking its trace, if it has one.
        """
        trace, place = found.trace, self._place(file, overrides)
        if trace is None:
            return found, None
        if place in self._unwritten:
            self.write()
        before = self._read(place)
        check = load_trace.check(trace, self._environment, {} if before is None else before.stamps_of(trace))
        found, known = self._settled(before, file, found)
        unrecorded = list(found.unrecorded)
        facts = {"of": os.fspath(file), "unrecorded": unrecorded, "trace": trace.to_plain(), **_stamps(check)}

        def text() -> bytes:
            plain = None if unrecorded else loaded.to_plain(attrs.evolve(found, trace=None))
            return _text(facts, _json(known.to_plain()), _json(plain))

        self._unwritten[place] = text
        return found, check

    def write(self) -> None:
        """Store what `keep` has noted, which takes long: stages need not wait for it."""
        while self._unwritten:
            place, text = self._unwritten.popitem()
            self._write(place, text())

    def _settled(self, kept: _Kept | None, file: pathlib.Path, found: Loaded) -> tuple[Loaded, "Known"]:
        from pivot_runtime.loading import varying_values  # lazy

        if kept is None or kept.facts["of"] != os.fspath(file):
            return varying_values.settle(found, varying_values.Known(), holds=lambda: False, inputs_hold=lambda: False)

        rested = kept.trace

        def holds(trace: LoadTrace) -> bool:
            return load_trace.check(trace, self._environment, {}).broken is None

        def inputs_hold() -> bool:
            return holds(rested._replace(facts=tuple(fact for fact in rested.facts if not _is_source(fact))))

        return varying_values.settle(found, kept.known, holds=lambda: holds(rested), inputs_hold=inputs_hold)

    def _read(self, place: pathlib.Path) -> _Kept | None:
        """The stored snapshot, read once for both `find` and `keep`."""
        try:
            version = f"{place} {stat_signature(os.stat(place))}"
        except OSError:
            return None
        if self._last is None or self._last[0] != version:
            self._last = version, _read(place)
        return self._last[1]

    def _place(self, file: pathlib.Path, overrides: Sequence[str]) -> pathlib.Path:
        name = os.fsencode(file)
        return self._directory / (xxhash.xxh3_64_hexdigest(name) + _sealed(overrides, name))

    def _write(self, place: pathlib.Path, text: bytes) -> None:
        with contextlib.suppress(OSError, CacheError):
            self._directory.parent.mkdir(exist_ok=True)  # its parent exists in every project
            self._directory.mkdir(exist_ok=True)
            if not place.exists():
                atomic.drop_older_half(self._directory, _MOST)
            atomic.write_bytes(place, _head(text) + text)


def _is_source(fact: Fact) -> bool:
    return fact.kind == load_trace.FILE and fact.subject.endswith(".py")


def _sealed(overrides: Sequence[str], salt: bytes) -> str:
    """Return a file name for parameters: a digest that makes guesses expensive, since parameters may be secret."""
    if not overrides:
        return ""
    return f"-{digest_secret('\0'.join(overrides), salt)}"


def _read(place: pathlib.Path) -> _Kept | None:
    """Return the stored snapshot; None if it does not exist, is damaged, or has another format."""
    try:
        head, _, text = safe_read.read_regular(place).partition(b"\n")
    except OSError:
        return None
    return _Kept(text) if f"{head.decode(errors='replace')}\n".encode() == _head(text) else None


def _head(text: bytes) -> bytes:
    return f"pivot snapshot {_FORMAT} {xxhash.xxh3_128_hexdigest(text)}\n".encode()


def holds(project: Project, environment: Mapping[str, str]) -> bool:
    """Return whether the snapshot of the pipeline file of the project's current directory holds.

    Raises:
        DiscoveryError: There is no pipeline file.
    """
    file = find_pipeline(project.cwd, project.root)
    kept = _read(project.layout.snapshots_dir / xxhash.xxh3_64_hexdigest(os.fsencode(file)))
    if kept is None or kept.facts["of"] != os.fspath(file) or kept.facts["unrecorded"]:
        return False
    stamps = kept.facts["stamps"] if kept.facts.get("boot") == boot_id() else {}
    return load_trace.check(kept.trace, environment, stamps).broken is None
