"""Index of the stages that each pipeline file had at its last load, for completion and hints without an import.

It is one JSON file of derived data; if it is missing, damaged or cannot be written, these know fewer stages.
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
    """Store the addresses of the stages of pipeline files, by path relative to the root. Never fails."""
    known = _read(layout)
    new = {file: list(addresses) for file, addresses in files.items()}
    if all(known.get(file) == addresses for file, addresses in new.items()):
        return
    merged = {**{file: each for file, each in known.items() if (layout.root / file).is_file()}, **new}
    with contextlib.suppress(OSError, CacheError):
        layout.database_dir.mkdir(exist_ok=True)  # its parent exists in every project
        write_bytes(layout.known_stages_file, json.dumps(merged, sort_keys=True).encode())


def known(root: pathlib.Path) -> list[str]:
    """Return the addresses of all known stages: those of the last loads, and those in lock files of other pipelines."""
    layout = Layout(root)
    loaded = {address for file, each in _read(layout).items() if (layout.root / file).is_file() for address in each}
    pipelines = {address.partition(".")[0] for address in loaded}
    try:
        locked = stage_addresses(layout.stages_dir)
    except OSError:
        locked = []
    return sorted(loaded | {address for address in locked if address.partition(".")[0] not in pipelines})


def files(root: pathlib.Path) -> Mapping[str, str]:
    """Return the pipeline file of each stage of the last loads, relative to the root, by address."""
    known_files = _read(Layout(root)).items()
    return {address: file for file, addresses in known_files if (root / file).is_file() for address in addresses}


def _read(layout: Layout) -> dict[str, list[str]]:
    try:
        data = read_json(layout.known_stages_file)
    except OSError:
        return {}
    except ValueError:
        data = None
    if not isinstance(data, dict):
        with contextlib.suppress(OSError):  # then the next command that loads pipelines writes it again
            layout.known_stages_file.unlink()
        return {}
    return {
        file: each
        for file, each in data.items()
        if isinstance(each, list) and all(isinstance(address, str) for address in each)
    }
