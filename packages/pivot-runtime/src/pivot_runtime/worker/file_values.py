"""The value of a directory or a pattern whose files a loader loads: each of the files by its path."""

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pivot_core.files.patterns import find_files


class FileValues(Mapping[str, Any]):
    """The values of files, each loaded again whenever it is taken from the mapping."""

    def __init__(self, files: Mapping[str, str], load: Callable[[str], Any]) -> None:
        """Load nothing yet; ``files`` has the path of each file by its name."""
        self._files = files
        self._load = load

    def __getitem__(self, name: str) -> Any:
        return self._load(self._files[name])

    def __contains__(self, name: object) -> bool:
        return name in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def __repr__(self) -> str:
        return f"<{len(self)} files that are loaded when they are used: {', '.join(self)}>"


def files_in(directory: str) -> dict[str, str]:
    """The absolute path of each file in a directory and the directories below it, by its relative path, sorted."""
    top = os.path.abspath(directory)
    found = [os.path.join(around, name) for around, _, names in os.walk(top, onerror=_raise) for name in names]
    return {os.path.relpath(file, top).replace(os.sep, "/"): file for file in sorted(found)}


def files_matching(pattern: str) -> dict[str, str]:
    """The absolute path of each file that matches a pattern, by its path relative to the current directory, sorted."""
    from pivot_cache.formats.pvt import SUFFIX  # lazy

    here = os.getcwd()
    files = {name: os.path.join(here, name) for name in find_files(pattern, here, suffix=SUFFIX)}
    return {name: file for name, file in files.items() if os.path.exists(file)}


def _raise(error: OSError) -> None:
    raise error
