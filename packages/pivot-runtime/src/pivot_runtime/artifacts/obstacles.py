"""Obstacles at the paths of outs, which no run may replace: tracked data, and content that exists nowhere else.

A user's file at the path of a file is no obstacle: it is saved before it is replaced. A directory is one unless a run
has written it: it may contain years of work, and users do not expect a stage to remove it.
"""

import functools
import os
import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pivot_cache.errors import SHORTEN, TOO_LONG, CacheError
from pivot_cache.formats import pvt
from pivot_core.files.paths import ArtifactPath, parents
from pivot_core.lock import Artifact, StageLock
from pivot_core.spec import OutSpec, StageSpec
from pivot_runtime.artifacts.stores import Stores
from pivot_runtime.freshness.stamps import ReadSet

if TYPE_CHECKING:
    from pivot_runtime.artifacts.stash import UnfinishedStages

_ABOVE = " is a file that no run has written"


class Obstacles:
    """Finds the obstacles at the paths of outs, each directory only once."""

    def __init__(self, stores: Stores, read_set: ReadSet) -> None:
        """Create the object."""
        self._stores = stores
        self._read_set = read_set
        self._root = stores.layout.root
        self._prefix = os.path.join(self._root, "")
        self._tracked: dict[str, bool] = {}

    @functools.cached_property
    def _unfinished(self) -> "UnfinishedStages":
        from pivot_runtime.artifacts.stash import UnfinishedStages  # lazy

        return UnfinishedStages(self._stores.layout.unfinished_dir)

    def of(
        self, spec: StageSpec, lock: StageLock | None, outs: Mapping[ArtifactPath, Artifact | None]
    ) -> dict[ArtifactPath, str]:
        """The outs of a stage that are blocked, with a description of each obstacle.

        Args:
            spec: The stage.
            lock: The record of its last run.
            outs: The content at the paths of its outs.
        """
        recorded = {} if lock is None else lock.outs
        found = {}
        for out in spec.outs:
            there = outs.get(out.path)
            before = recorded.get(out.path)
            obstacle = self.tracked(out.path, within=there is not None and there.tree and there != before)
            obstacle = obstacle or self._foreign(out, there, before, spec.address)
            if obstacle:
                found[out.path] = obstacle
        return found

    def tracked(self, path: ArtifactPath, *, within: bool) -> str:
        """The tracked data that a path is, is in, or (with ``within``) contains; empty if there are none."""
        for around in (path, *parents(path)):
            if self._is_tracked(around):
                return "it is tracked data" if around == path else f"it is in {around}, which is tracked"
        if within:
            from pivot_runtime.artifacts import records  # lazy

            for file in records.find_pvt_files(self._root / path, lambda _: None):
                inside = file.relative_to(self._root).as_posix().removesuffix(pvt.SUFFIX)
                if self._is_tracked(inside):
                    return f"{inside} in it is tracked"
        return ""

    def _is_tracked(self, path: str) -> bool:
        known = self._tracked.get(path)
        if known is None:
            file = f"{self._prefix}{path}{pvt.SUFFIX}"  # a path object costs more than the check
            self._read_set.look(os.path.dirname(file))
            known = self._tracked[path] = os.path.lexists(file) and _stands_for_data(pathlib.Path(file))
        return known

    def _foreign(self, out: OutSpec, there: Artifact | None, before: Artifact | None, address: str) -> str:
        if there is None:
            return self._above(out.path)
        if there == before or (not there.tree and not out.directory) or self._unfinished.knows(address):
            return ""
        if there.tree and out.directory and ((before is not None and before.tree) or not there.size):
            return ""
        if self._elsewhere(out.path, there):
            return ""
        if there.tree is out.directory:
            return "it is a directory that no run has written"
        kind, declared = ("directory", "file") if there.tree else ("file", "directory")
        return f"it is a {kind} that no run has written, where a {declared} is declared"

    def _elsewhere(self, path: ArtifactPath, there: Artifact) -> bool:
        from pivot_runtime.artifacts import kept  # lazy

        return kept.is_elsewhere(self._stores, path, there)

    def _above(self, path: ArtifactPath) -> str:
        for around in parents(path):
            file = f"{self._prefix}{around}"
            if os.path.isdir(file):
                break
            if os.path.lexists(file):
                there = self._stores.look(around)
                if there is None or not self._elsewhere(around, there):
                    return f"{around}{_ABOVE}"
        return ""


def ways_out(path: str, obstacle: str) -> str:
    """A hint how to remove an obstacle."""
    if "tracked" in obstacle:
        return "'pivot untrack' the data, or let the stage write to another path"
    if obstacle.endswith(TOO_LONG):
        return SHORTEN
    import shlex  # lazy

    there = obstacle.removesuffix(_ABOVE) if obstacle.endswith(_ABOVE) else path
    move = shlex.join(["mv", there, f"{there}.mine"])
    other = (
        "declare a directory"
        if obstacle.endswith("where a file is declared")
        else "let the stage write to another path"
    )
    return f"move it away, as in '{move}', or {other}"


def _stands_for_data(file: pathlib.Path) -> bool:
    """Whether it is one of Pivot's `.pvt` files, damaged or not."""
    if file.is_dir():
        return False
    try:
        pvt.read(file)
    except pvt.ForeignFileError:
        return False
    except CacheError:
        return True
    return True
