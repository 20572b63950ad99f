"""Symbolic links from the workspace to objects: bytes written through one are saved."""

import contextlib
import os
import pathlib
import shutil

from pivot_cache.files import atomic, durable
from pivot_cache.layout import Layout
from pivot_cache.state.scan import leads_to_object

_APART = frozenset({".git"})


class ObjectLinks:
    """The links of one project, searched when first needed."""

    def __init__(self, layout: Layout) -> None:
        """Create the object; nothing is searched yet."""
        self._layout = layout
        self._found: dict[str, list[str]] | None = None

    def part(self, object_path: str) -> None:
        """Before a damaged object is replaced or moved, replace links to it by files.

        Raises:
            OSError: A link cannot be replaced.
        """
        if self._found is None:
            self._found = self._search()
        if not os.path.isfile(object_path):
            return
        for link in self._found.pop(os.path.realpath(object_path), ()):
            if not os.path.islink(link):
                continue
            file = pathlib.Path(link)
            with open(object_path, "rb") as source, atomic.temporary(file.parent) as (descriptor, temp):
                with open(descriptor, "wb", closefd=False) as target:
                    shutil.copyfileobj(source, target)
                durable.flush_files([temp])
                os.rename(temp, file)

    def _search(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        apart = {os.fspath(self._layout.state_dir), os.fspath(self._layout.cache_dir)}
        for directory, inner, names in os.walk(self._layout.root):
            inner[:] = [name for name in inner if name not in _APART and os.path.join(directory, name) not in apart]
            for name in names:
                path = os.path.join(directory, name)
                if leads_to_object(path):
                    with contextlib.suppress(OSError):
                        found.setdefault(os.path.realpath(path), []).append(path)
        return found
