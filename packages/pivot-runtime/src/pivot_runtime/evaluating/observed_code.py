"""Code that runs were observed to use, hashed again from source without an import.

Digests are stored with the stamp and the content's digest of their source file, so that unchanged files are neither
read nor parsed again. They are derived data in one file, which is valid for one version of Pivot's own code.
"""

import contextlib
import importlib.util
import json
import os
import pathlib
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs

from pivot_cache.errors import CacheError
from pivot_cache.files.atomic import write_bytes
from pivot_cache.files.safe_read import read_regular
from pivot_core.files.digest import digest_bytes, digest_lines
from pivot_core.lock import CodeEntry
from pivot_runtime.freshness.stamps import ABSENT, is_settled, stamp

_MOST: Final = 8000
"""The most files of which digests are stored; with more, none are."""


class _File:
    """The entries of one source file: the digest by key, None for deleted code."""

    def __init__(self, marked: str, content: str, digests: dict[str, str | None]) -> None:
        self.marked = marked
        self.content = content
        self.digests = digests


class ObservedCode:
    """Computes the current digests of observed entries; reads a file again only if its stamp has changed."""

    def __init__(self, root: pathlib.Path, memory: pathlib.Path | None = None) -> None:
        """Read sources below ``root``; store their digests in the file ``memory``."""
        self._root = root
        self._memory = memory
        self._files: dict[str, _File] | None = None
        self._learned = False

    def current(self, observed: Mapping[str, CodeEntry]) -> dict[str, CodeEntry]:
        """Return the same entries with current digests, without those of deleted code."""
        by_file: dict[str, list[str]] = {}
        for key, entry in observed.items():
            if entry.location is not None:
                by_file.setdefault(entry.location.file, []).append(key)
        digests: dict[str, str | None] = {}
        for file, keys in by_file.items():
            digests |= self._digests(file, keys)
        return {
            key: entry if entry.digest == found else attrs.evolve(entry, digest=found)
            for key, entry in observed.items()
            if (found := digests.get(key)) is not None
        }

    def hold(self, observed: Mapping[str, CodeEntry]) -> bool:
        """Return whether all entries are unchanged."""
        return not observed or self.current(observed) == observed

    def close(self) -> None:
        """Store the digests."""
        if self._learned and self._files is not None and self._memory is not None:
            self._learned = False
            kept = {file: [each.marked, each.content, each.digests] for file, each in self._files.items()}
            text = json.dumps(kept if len(kept) <= _MOST else {}, separators=(",", ":")).encode()
            with contextlib.suppress(OSError, CacheError):
                self._memory.parent.mkdir(exist_ok=True)  # its parent exists in every project
                write_bytes(self._memory, _head(text) + text)

    def _digests(self, file: str, keys: Iterable[str]) -> Mapping[str, str | None]:
        if self._files is None:
            self._files = _read_memory(self._memory)
        path = os.fspath(self._root / file)
        began = time.time_ns()
        marked = stamp(path)
        known = self._files.get(file)
        if known is None or marked == ABSENT or marked != known.marked:
            text = _read(path)
            if text is None:
                return {}
            content = digest_bytes(text)
            digests = known.digests if known is not None and known.content == content else {}
            known = self._files[file] = _File(marked if is_settled(marked, began) else ABSENT, content, digests)
            self._learned = True
        unknown = [key for key in keys if key not in known.digests]
        if unknown:
            text = _read(path)
            if text is None or digest_bytes(text) != known.content:  # edited just now
                del self._files[file]
                return {} if text is None else _recheck(text, keys)
            known.digests |= _recheck(text, unknown)
            self._learned = True
        return {key: known.digests[key] for key in keys}


def _recheck(text: bytes, keys: Iterable[str]) -> dict[str, str | None]:
    from pivot_fingerprint.observation import recheck  # lazy

    return {key: recheck(text, key) for key in keys}


def _read(path: str) -> bytes | None:
    try:
        return read_regular(pathlib.Path(path))
    except OSError:
        return None


def _read_memory(memory: pathlib.Path | None) -> dict[str, _File]:
    if memory is None:
        return {}
    try:
        head, _, text = memory.read_bytes().partition(b"\n")
        if head + b"\n" != _head(text):
            return {}
        kept: dict[str, Any] = json.loads(text)
        return {file: _File(marked, content, digests) for file, (marked, content, digests) in kept.items()}
    except (OSError, ValueError):
        return {}


def _head(text: bytes) -> bytes:
    """Return the first line of the file, which makes it valid for this code, this Python and these digests only."""
    spec = importlib.util.find_spec("pivot_fingerprint")
    places = [] if spec is None else list(spec.submodule_search_locations or ())
    code = [os.path.join(place, name) for place in places for name in sorted(os.listdir(place)) if name.endswith(".py")]
    of = digest_lines([sys.version, *(f"{path} {stamp(path)}" for path in code), digest_bytes(text)])
    return f"pivot observed 1 {of}\n".encode()
