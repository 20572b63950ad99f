"""Overlays absent artifacts on the workspace: the content at each path as if they were present."""

import bisect
from collections.abc import Callable, Iterator, Mapping

from pivot_cache.formats.tree import Tree
from pivot_core.files.paths import ArtifactPath, parents
from pivot_core.lock import Artifact
from pivot_runtime.artifacts.stores import Stores


class Overlay:
    """Returns the content at paths, some of which are not on disk."""

    def __init__(
        self,
        stores: Stores,
        look: Callable[[ArtifactPath], Artifact | None],
        elsewhere: Mapping[ArtifactPath, Artifact],
        listing: Callable[[Artifact], Tree],
    ) -> None:
        """Create the overlay of some artifacts.

        Args:
            stores: The stores of the project.
            look: Returns the content on disk.
            elsewhere: The artifacts that count as present at these paths if nothing exists there.
            listing: Returns the contents of a directory; may raise `MissingObjectError`.
        """
        self._stores = stores
        self._look = look
        self._elsewhere = dict(elsewhere)
        self._sorted = sorted(elsewhere)
        self._listing = listing

    def add(self, path: ArtifactPath, artifact: Artifact) -> None:
        """Add an artifact that counts as present from now on, or replace the one at its path."""
        if path not in self._elsewhere:
            bisect.insort(self._sorted, path)
        self._elsewhere[path] = artifact

    def remove(self, path: ArtifactPath) -> None:
        """Remove an artifact, if there is one at this path."""
        if self._elsewhere.pop(path, None) is not None:
            self._sorted.remove(path)

    def look(self, path: ArtifactPath) -> Artifact | None:
        """The artifact at a path, real or overlaid.

        Raises:
            MissingObjectError: The contents of a missing directory are unknown.
        """
        found = self._look(path)
        below = self._all_below(path)
        if below and (found is None or found.tree):
            return self._filled(path, found, below).artifact()
        if found is not None:
            return found
        if path in self._elsewhere:
            return self._elsewhere[path]
        for around, artifact in self._around(path):
            return self._listing(artifact).at(path.removeprefix(f"{around}/"))
        return None

    def listing(self, path: ArtifactPath) -> Tree | None:
        """The contents of a directory that has no listing of its own: it is a part of absent ones, or has such parts.

        Raises:
            MissingObjectError: The contents of a missing directory are unknown.
        """
        found = self._look(path)
        below = self._all_below(path)
        if below and (found is None or found.tree):
            return self._filled(path, found, below)
        if found is None and path not in self._elsewhere:
            for around, artifact in self._around(path):
                return self._listing(artifact).inside(path.removeprefix(f"{around}/"))
        return None

    def _all_below(self, path: ArtifactPath) -> dict[str, Artifact]:
        inner = f"{path}/"
        return {each.removeprefix(inner): artifact for each, artifact in self._below(inner)}

    def touching(self, path: ArtifactPath) -> Iterator[tuple[ArtifactPath, Artifact]]:
        """The overlaid artifacts at a path, around it or below it that are not on disk."""
        if path in self._elsewhere and self._look(path) is None:
            yield path, self._elsewhere[path]
        yield from self._around(path)
        yield from self._below(f"{path}/")

    def _around(self, path: ArtifactPath) -> Iterator[tuple[ArtifactPath, Artifact]]:
        for around in parents(path):
            if around in self._elsewhere and self._look(around) is None:
                yield around, self._elsewhere[around]

    def _below(self, inner: str) -> Iterator[tuple[ArtifactPath, Artifact]]:
        for at in range(bisect.bisect_left(self._sorted, inner), len(self._sorted)):
            each = self._sorted[at]
            if not each.startswith(inner):
                return
            if self._look(each) is None:
                yield each, self._elsewhere[each]

    def _filled(self, path: ArtifactPath, found: Artifact | None, below: Mapping[str, Artifact]) -> Tree:
        """The contents of a directory together with those that are missing."""
        stores = self._stores
        there = Tree({}) if found is None else stores.files.tree(stores.layout.artifact(path))
        files, empty = dict(there.files), set(there.empty)
        for name, artifact in below.items():
            if not artifact.tree:
                files[name] = artifact
                continue
            listed = self._listing(artifact)
            files |= {f"{name}/{each}": file for each, file in listed.files.items()}
            empty |= {f"{name}/{each}" for each in listed.empty}
        filled = {name[:end] for name in files for end in range(len(name)) if name[end] == "/"}
        return Tree(files, tuple(empty - filled))
