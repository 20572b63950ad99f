"""Overlays absent artifacts on the workspace: what would be at each path if they were there."""

import bisect
from collections.abc import Callable, Iterator, Mapping

from pivot_cache.formats.tree import Tree
from pivot_core.lock import Artifact
from pivot_core.paths import ArtifactPath, parents
from pivot_runtime.artifacts.stores import Stores


class Overlay:
    """Looks at paths of which some are not on disk."""

    def __init__(
        self,
        stores: Stores,
        look: Callable[[ArtifactPath], Artifact | None],
        elsewhere: Mapping[ArtifactPath, Artifact],
        listing: Callable[[Artifact], Tree],
    ) -> None:
        """Know what is available.

        Args:
            stores: Of the project.
            look: The content on disk.
            elsewhere: The artifacts that would be at these paths, if nothing is there.
            listing: The content of a directory; it may raise `MissingObjectError`.
        """
        self._stores = stores
        self._look = look
        self._elsewhere = elsewhere
        self._sorted = sorted(elsewhere)
        self._listing = listing

    def look(self, path: ArtifactPath) -> Artifact | None:
        """The artifact at a path, real or overlaid.

        Raises:
            MissingObjectError: The content of a missing directory is unknown.
        """
        found = self._look(path)
        inner = f"{path}/"
        below = {each.removeprefix(inner): artifact for each, artifact in self._below(inner)}
        if below and (found is None or found.tree):
            return self._filled(path, found, below)
        if found is not None:
            return found
        if path in self._elsewhere:
            return self._elsewhere[path]
        for around, artifact in self._around(path):
            return self._listing(artifact).at(path.removeprefix(f"{around}/"))
        return None

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

    def _filled(self, path: ArtifactPath, found: Artifact | None, below: Mapping[str, Artifact]) -> Artifact:
        """A directory together with what belongs into it and is not here."""
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
        return Tree(files, tuple(empty - filled)).artifact()
