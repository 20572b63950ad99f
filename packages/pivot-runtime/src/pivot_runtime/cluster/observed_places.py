"""Code outside the project that stages on workers were observed to use: its places there, and those here."""

import os
from collections.abc import Callable, Iterable, Mapping

import attrs

from pivot_core.lock import CodeEntry
from pivot_core.spec import Location

type CurrentCode = Callable[[Mapping[str, CodeEntry]], Mapping[str, CodeEntry]]
"""Returns entries with the digests of what is here now, without those of code that is not here."""


def absolute(observed: Mapping[str, CodeEntry], workspace: str) -> dict[str, CodeEntry]:
    """Return the entries with absolute places of code outside a workspace: its relation to the project says nothing."""
    return {key: _at(entry, _absolute(entry, workspace)) for key, entry in observed.items()}


def _absolute(entry: CodeEntry, workspace: str) -> str | None:
    file = None if entry.location is None else entry.location.file
    return os.path.normpath(os.path.join(workspace, file)) if file is not None and file.startswith("../") else file


def found_here(
    observed: Mapping[str, CodeEntry], root: str, loads: Iterable[Iterable[str]], current: CurrentCode
) -> tuple[dict[str, CodeEntry], list[str]]:
    """Return the entries with the places here of code outside the project, and the keys of those that differ here.

    Args:
        observed: The entries of a worker.
        root: The project's root.
        loads: The absolute paths of the files that each load here has read; looked at for such code only.
        current: Returns the current entries for entries with places here.
    """
    found, different = dict(observed), []
    for key, entry in observed.items():
        if entry.location is None or not os.path.isabs(entry.location.file):
            continue
        name = key.split(":")[1:2]
        ends = [f"/{module.replace('.', '/')}{end}" for module in name for end in (".py", "/__init__.py")]
        files = (file for load in loads for file in load if file.endswith(tuple(ends)))
        places = [entry.location.file, *files]
        entries = (_at(entry, os.path.relpath(place, root)) for place in places)
        here = next((each for each in entries if current({key: each}).get(key) == each), None)
        if here is None:
            different.append(key)
        else:
            found[key] = here
    return found, different


def _at(entry: CodeEntry, file: str | None) -> CodeEntry:
    if file is None or entry.location is None or file == entry.location.file:
        return entry
    return attrs.evolve(entry, location=Location(file, entry.location.line))
