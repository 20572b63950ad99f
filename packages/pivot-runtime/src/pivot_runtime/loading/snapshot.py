"""Snapshots: the last load of each pipeline file, used while its load trace holds."""

import contextlib
import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import attrs
import xxhash

from pivot_cache.errors import CacheError
from pivot_cache.files import atomic, safe_read
from pivot_cache.files.signatures import boot_id, stat_signature
from pivot_core.digest import digest_secret
from pivot_core.values import Value
from pivot_runtime.freshness import load_trace
from pivot_runtime.freshness.load_trace import Fact, TraceCheck
from pivot_runtime.loading import loaded
from pivot_runtime.loading.loaded import Loaded

if TYPE_CHECKING:
    from pivot_runtime.loading.varying_values import Known

_FORMAT: Final = 6
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


class Snapshots:
    """The snapshots of a project; if they cannot be written, each load imports the pipeline."""

    def __init__(self, directory: pathlib.Path, environment: Mapping[str, str]) -> None:
        """Use a directory, which the first `keep` creates, and check traces against an environment."""
        self._directory = directory
        self._environment = environment
        self._last: tuple[str, dict[str, Any] | None] | None = None

    def find(self, file: pathlib.Path, overrides: Sequence[str]) -> Snapshot | None:
        """Return the snapshot of ``file`` with these parameters, if nothing that it depends on has changed."""
        place = self._place(file, overrides)
        kept = self._read(place)
        if kept is None or kept["of"] != os.fspath(file) or kept["unrecorded"]:
            return None
        rested = load_trace.LoadTrace.from_plain(kept["loaded"]["trace"])
        # After a power cut, a file may have its old stamp and other content: each is read once after a restart.
        stamps = kept["stamps"] if kept.get("boot") == boot_id() else {}
        check = load_trace.check(rested, self._environment, stamps)
        if check.broken is not None:
            return None
        if any(stamps.get(path) != stamped for path, stamped in check.unchanged.items()):
            self._write(place, kept | {"boot": boot_id(), "stamps": dict(check.unchanged)})
        return Snapshot(loaded.from_plain(kept["loaded"]), check)

    def keep(self, file: pathlib.Path, overrides: Sequence[str], found: Loaded) -> Loaded:
        """Store the result of a load, or why it cannot be stored; return it with the values that count as before."""
        if found.trace is None:
            return found
        place = self._place(file, overrides)
        found, known = self._settled(self._read(place), file, found)
        content = {
            "of": os.fspath(file),
            "unrecorded": list(found.unrecorded),
            "stamps": {},
            "loaded": None if found.unrecorded else loaded.to_plain(found),
            "trace": found.trace.to_plain() if found.trace is not None and found.unrecorded else None,
            "known": known.to_plain(),
        }
        self._write(place, content)
        return found

    def _settled(self, kept: Mapping[str, Any] | None, file: pathlib.Path, found: Loaded) -> tuple[Loaded, "Known"]:
        from pivot_runtime.loading import varying_values  # lazy

        if kept is None or kept["of"] != os.fspath(file):
            return varying_values.settle(found, varying_values.Known(), holds=lambda: False, inputs_hold=lambda: False)
        rested = load_trace.LoadTrace.from_plain(kept["trace"] or kept["loaded"]["trace"])
        inputs = rested._replace(facts=tuple(fact for fact in rested.facts if not _is_source(fact)))
        return varying_values.settle(
            found,
            varying_values.Known.from_plain(kept["known"]),
            holds=lambda: load_trace.check(rested, self._environment, {}).broken is None,
            inputs_hold=lambda: load_trace.check(inputs, self._environment, {}).broken is None,
        )

    def forget(self, file: pathlib.Path, overrides: Sequence[str]) -> None:
        """Delete the snapshot of a file."""
        with contextlib.suppress(OSError):
            self._place(file, overrides).unlink()

    def _read(self, place: pathlib.Path) -> dict[str, Any] | None:
        """The stored snapshot, parsed once for both `find` and `keep`."""
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

    def _write(self, place: pathlib.Path, content: Mapping[str, Any]) -> None:
        text = json.dumps(content, separators=(",", ":")).encode()
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


def _read(place: pathlib.Path) -> dict[str, Any] | None:
    """Return the stored snapshot; None if it does not exist, is damaged, or has another format."""
    try:
        head, _, text = safe_read.read_regular(place).partition(b"\n")
    except OSError:
        return None
    if f"{head.decode(errors='replace')}\n".encode() != _head(text):
        return None
    try:
        kept: dict[str, Any] = json.loads(text)
    except RecursionError:
        return None
    return kept


def _head(text: bytes) -> bytes:
    return f"pivot snapshot {_FORMAT} {xxhash.xxh3_128_hexdigest(text)}\n".encode()
