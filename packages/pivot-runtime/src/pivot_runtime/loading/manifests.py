"""Fingerprints as plain data of a stage."""

from collections.abc import Mapping
from typing import Any

from pivot_core.lock import CodeEntry, LibraryUse, UnresolvedCode
from pivot_core.spec import Location, StageSpec
from pivot_fingerprint import Manifest
from pivot_runtime.loading.loaded import LoadedStage


def stage_of(spec: StageSpec, manifest: Manifest, params: Mapping[str, Any], env: Mapping[str, str]) -> LoadedStage:
    """A stage with the fingerprint of its code, its parameters and its variables."""
    return LoadedStage(
        spec,
        {key: CodeEntry(entry.digest, _location(entry.file, entry.line)) for key, entry in manifest.items()},
        tuple(UnresolvedCode(edge.reason, _location(edge.file, edge.line)) for edge in manifest.unresolved),
        {name: LibraryUse(library.version, library.names) for name, library in manifest.libraries.items()},
        {key: entry.via for key, entry in manifest.items() if entry.via is not None},
        {
            key: (entry.start, entry.end)
            for key, entry in manifest.items()
            if entry.start is not None and entry.end is not None
        },
        params,
        env,
    )


def _location(file: str | None, line: int | None) -> Location | None:
    return None if file is None else Location(file, line or 0)
