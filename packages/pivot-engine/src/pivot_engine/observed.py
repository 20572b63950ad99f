"""Code that runs were seen to rest on, hashed again from source without importing anything."""

import os
import pathlib
from collections.abc import Mapping

import attrs

from pivot_cache.plainfile import read_bytes
from pivot_core.lock import CodeEntry


class Rechecker:
    """Tells what became of observed entries; reads each file again only when its stat signature has moved."""

    def __init__(self, root: pathlib.Path) -> None:
        """Look at files below ``root``."""
        self._root = root
        self._texts: dict[str, tuple[tuple[int, ...], bytes]] = {}

    def now(self, observed: Mapping[str, CodeEntry]) -> dict[str, CodeEntry]:
        """The same entries with the digests of now; an entry whose code is gone is left out."""
        from pivot_fingerprint.observation import recheck  # noqa: PLC0415  # start-up time: few stages need it

        found = {}
        for key, entry in observed.items():
            text = self._text(entry.location.file) if entry.location is not None else None
            digest = recheck(text, key) if text is not None else None
            if digest is not None:
                found[key] = attrs.evolve(entry, digest=digest)
        return found

    def hold(self, observed: Mapping[str, CodeEntry]) -> bool:
        """Whether all of them are as they were."""
        return not observed or self.now(observed) == observed

    def _text(self, file: str) -> bytes | None:
        path = self._root / file
        try:
            status = os.stat(path)
            signature = (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
            known = self._texts.get(file)
            if known is None or known[0] != signature:
                known = self._texts[file] = (signature, read_bytes(path))
        except OSError:
            return None
        return known[1]
