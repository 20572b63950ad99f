"""Outs that runs have left on a cluster: absent here, they count as present as long as something has their content.

The file has a line of JSON for each: its path and its content. Later lines replace earlier ones of the same path.
"""

import contextlib
import json
import os
from collections.abc import Mapping
from typing import Any, Final

from pivot_cache.errors import CacheError, as_cache_errors
from pivot_cache.files import safe_read
from pivot_cache.files.atomic import write_bytes
from pivot_cache.layout import Layout
from pivot_core.files.paths import ArtifactPath
from pivot_core.lock import Artifact

_FIELDS: Final = 3

type Content = tuple[str, bool]
"""The digest of content, and whether it is a directory."""


def content_of(artifact: Artifact) -> Content:
    """Return what identifies the content of an artifact."""
    return artifact.digest, artifact.tree


def add(layout: Layout, outs: Mapping[ArtifactPath, Content]) -> None:
    """Add outs, before a lock file names them.

    Raises:
        CacheError: The file cannot be written.
    """
    if outs:
        with as_cache_errors("write", layout.left_outs_file):
            file = os.open(layout.left_outs_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                os.write(file, f"\n{_encoded(outs)}\n".encode())  # a killed writer may have left a part of a line
            finally:
                os.close(file)


def read(layout: Layout) -> dict[ArtifactPath, Content]:
    """Return the outs; damaged lines are left out."""
    try:
        lines = safe_read.read_regular(layout.left_outs_file).decode(errors="replace").split("\n")
    except OSError:
        return {}
    return dict(each for line in lines if (each := _decoded(line)) is not None)


def replace(layout: Layout, outs: Mapping[ArtifactPath, Content], before: Mapping[ArtifactPath, Content]) -> None:
    """Write the outs if they are others than ``before``; a file that cannot be written stays."""
    if outs == before:
        return
    with contextlib.suppress(CacheError, OSError):
        if outs:
            write_bytes(layout.left_outs_file, f"{_encoded(outs)}\n".encode())
        else:
            os.unlink(layout.left_outs_file)


def prune(layout: Layout) -> None:
    """Forget outs that are here now: if they are absent again, somebody has removed them."""
    if before := read(layout):
        absent = {path: each for path, each in before.items() if not os.path.lexists(layout.artifact_path(path))}
        replace(layout, absent, before)


def _encoded(outs: Mapping[ArtifactPath, Content]) -> str:
    return "\n".join(json.dumps([path, *each]) for path, each in outs.items())


def _decoded(line: str) -> tuple[ArtifactPath, Content] | None:
    try:
        found: Any = json.loads(line) if line else None
    except ValueError:
        return None
    match found:
        case [str(path), str(digest), bool(tree)]:
            return ArtifactPath(path), (digest, tree)
    return None
