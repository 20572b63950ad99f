"""Temporary outs, which are in the workspace only while stages need them: absent ones count as present."""

import shlex
from collections.abc import Callable, Iterable, Sequence

from pivot_cache.errors import ArtifactError
from pivot_cache.files.replace_check import ReplaceCheck
from pivot_cache.objects import checkout
from pivot_core.files.paths import ArtifactPath
from pivot_core.graph import Graph
from pivot_core.lock import Artifact, StageLock
from pivot_runtime.artifacts.overlay import Overlay
from pivot_runtime.artifacts.stores import Stores


class TemporaryOuts:
    """The temporary outs of stages, as their locks record them, if the cache has all of their content."""

    def __init__(
        self,
        graph: Graph,
        stores: Stores,
        look: Callable[[ArtifactPath], Artifact | None],
        lock: Callable[[str], StageLock | None],
        inspect: Callable[[str], object],
    ) -> None:
        """Read the locks of the stages that have such outs.

        Args:
            graph: All stages.
            stores: The stores of the project.
            look: Returns the content on disk.
            lock: Returns the last run of a stage.
            inspect: Called with each path in the cache that is inspected.
        """
        self._stores = stores
        elsewhere = {}
        for address, spec in graph.stages.items():
            paths = [out.path for out in spec.outs if out.temp]
            last = lock(address) if paths else None
            for path in paths:
                artifact = None if last is None else last.outs.get(path)
                if artifact is not None and stores.store.has_all(artifact, inspect):
                    elsewhere[path] = artifact
        self._overlay = Overlay(stores, look, elsewhere, stores.store.tree)

    def look(self, path: ArtifactPath) -> Artifact | None:
        """The artifact at a path, real or temporary and absent."""
        return self._overlay.look(path)

    def forget(self, path: ArtifactPath) -> None:
        """Count an absent out no longer as present: a run elsewhere has written another one."""
        self._overlay.remove(path)

    def restore(self, paths: Iterable[ArtifactPath]) -> None:
        """Restore the absent temporary outs at, around or below some paths.

        Raises:
            ArtifactError: A file is in the place of a directory of one.
            CacheError: The cache has lost one, or a file cannot be written.
        """
        wanted = {path: artifact for each in paths for path, artifact in self._overlay.touching(each)}
        stores, check = self._stores, ReplaceCheck()
        for path in wanted:
            check.look(stores.layout.artifact(path))
            file = checkout.blocking_file(stores.layout, path)
            if file is not None:
                hint = f"move it away, as in '{shlex.join(['mv', file.name, f'{file.name}.mine'])}'"
                raise ArtifactError(file, f"is in the place of a directory of {path}", hint=hint)
        plan = checkout.compare(wanted, {path: stores.look(path) for path in wanted})
        mode = stores.settings.checkout_mode
        checkout.apply(plan, stores.store, stores.layout, mode, files=stores.files, check=check)


def no_longer_needed(graph: Graph, current: Iterable[str]) -> Sequence[tuple[str, ArtifactPath]]:
    """The temporary outs, with their stages, that stages read, all of which are among the current ones."""
    current = frozenset(current)
    readers: dict[str, set[str]] = {}
    for address, upstream in graph.sources.items():
        for each in upstream:
            readers.setdefault(each, set()).add(address)
    return [
        (address, out.path)
        for address, spec in graph.stages.items()
        if address in current and readers.get(address) and readers[address] <= current
        for out in spec.outs
        if out.temp
    ]
