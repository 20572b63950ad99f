"""The files that the command of a shell stage was observed to create besides its outs: such a file is none of its code.

One JSON file for each stage, of derived data: where it is missing, such a file counts as code, and the stage runs
once more.
"""

import contextlib
import json
import os
import pathlib
from collections.abc import Iterable, Iterator

from pivot_cache.errors import CacheError
from pivot_cache.files import safe_read
from pivot_cache.files.atomic import write_bytes
from pivot_cache.layout import Layout
from pivot_core.stages.command import words


def record_of(layout: Layout, address: str) -> pathlib.Path:
    """The file that remembers it for a stage."""
    return layout.created_file(address)


def remembered(record: pathlib.Path) -> frozenset[str]:
    """The words of the command that name files which a run created."""
    try:
        found = safe_read.read_json(record)
    except (OSError, ValueError):
        return frozenset()
    return frozenset(map(str, found)) if isinstance(found, list) else frozenset()


@contextlib.contextmanager
def watching(text: str, outs: Iterable[str], record: pathlib.Path | None) -> Iterator[None]:
    """Remember the files that a command with this text creates, in the current directory, unless it fails.

    Args:
        text: Of the command, as its words are looked for when it is loaded.
        outs: Its declared outs.
        record: The file that remembers; None where nothing does.
    """
    declared = [os.path.normpath(out) for out in outs]
    absent = [word for word in words(text) if not os.path.lexists(word)] if record is not None else []
    yield
    new = {word for word in absent if os.path.isfile(word) and not _within(os.path.normpath(word), declared)}
    if record is not None and new and not new <= (known := remembered(record)):
        with contextlib.suppress(OSError, CacheError):
            record.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(record, json.dumps(sorted(known | new)).encode())


def _within(path: str, declared: Iterable[str]) -> bool:
    return any(path == each or path.startswith(f"{each}/") for each in declared)
