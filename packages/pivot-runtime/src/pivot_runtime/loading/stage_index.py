"""The stages that each pipeline file had when it was last loaded, for completion without an import.

One JSON file of derived data; where it is missing, damaged or cannot be written, less is completed, and nothing else.
"""

import contextlib
import json
import pathlib
from collections.abc import Mapping, Sequence

from pivot_cache.errors import CacheError
from pivot_cache.files.atomic import write_bytes
from pivot_cache.files.safe_read import read_json
from pivot_cache.layout import Layout, stage_addresses


def remember(layout: Layout, files: Mapping[str, Sequence[str]]) -> None:
    """Keep the addresses of the stages of these pipeline files, relative to the root. Never fails."""
    known = _read(layout)
    new = {file: list(addresses) for file, addresses in files.items()}
    if all(known.get(file) == addresses for file, addresses in new.items()):
        return
    merged = {**{file: each for file, each in known.items() if (layout.root / file).is_file()}, **new}
    with contextlib.suppress(OSError, CacheError):
        layout.database_dir.mkdir(exist_ok=True)  # in what is a project already
        write_bytes(layout.known_stages_file, json.dumps(merged, sort_keys=True).encode())


def known(root: pathlib.Path) -> list[str]:
    """The addresses of all stages that are known: those last loaded, and those that lock files tell of others."""
    layout = Layout(root)
    loaded = {address for file, each in _read(layout).items() if (layout.root / file).is_file() for address in each}
    pipelines = {address.partition(".")[0] for address in loaded}
    try:
        locked = stage_addresses(layout.stages_dir)
    except OSError:
        locked = []
    return sorted(loaded | {address for address in locked if address.partition(".")[0] not in pipelines})


def _read(layout: Layout) -> dict[str, list[str]]:
    try:
        data = read_json(layout.known_stages_file)
    except (OSError, ValueError):
        return {}
    if not isinstance(data, dict):
        return {}
    return {
        file: each
        for file, each in data.items()
        if isinstance(each, list) and all(isinstance(address, str) for address in each)
    }
