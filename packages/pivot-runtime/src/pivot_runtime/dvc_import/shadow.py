"""A private directory that shows a project with other pipeline files, to load them before they are written."""

import contextlib
import os
import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from pivot_core.discovery import DECLARED_FILE, PIPELINE_FILE
from pivot_core.files.paths import STATE_DIR


@contextlib.contextmanager
def shadow(root: Path, files: Mapping[str, str], copied: Collection[str] = ()) -> Iterator[Path]:
    """A directory with links to everything in ``root``, and with these texts as its only pipeline files.

    Args:
        root: The project, which stays as it is.
        files: The texts, by their paths in it.
        copied: The paths of files that are copies instead of links, so that their code is in the directory.
    """
    with tempfile.TemporaryDirectory(prefix="pivot-") as name:
        top = Path(name).resolve()
        _build(root, top, sorted({*files, *copied}))
        for path in copied:
            (top / path).write_bytes((root / path).read_bytes())
        for path, text in files.items():
            (top / path).write_bytes(text.encode())
        yield top


def _build(real: Path, copy: Path, paths: list[str]) -> None:
    inner: dict[str, list[str]] = {}
    own = set()
    for path in paths:
        head, slash, rest = path.partition("/")
        if slash:
            inner.setdefault(head, []).append(rest)
        else:
            own.add(head)
    with os.scandir(real) as entries:
        for entry in entries:
            if entry.name in inner:
                (copy / entry.name).mkdir()
                _build(Path(entry.path), copy / entry.name, inner[entry.name])
            elif entry.name not in own and entry.name not in (DECLARED_FILE, PIPELINE_FILE, STATE_DIR):
                (copy / entry.name).symlink_to(entry.path)
