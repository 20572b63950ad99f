"""A project is one text: `pipeline.py` first, then `# file: name` before each further file."""

import importlib
import itertools
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from pivot_fingerprint import Fingerprinter, Manifest, fingerprint
from pivot_fingerprint.sources import source_file

sys.path.insert(0, os.path.dirname(__file__))  # pytest's importlib mode leaves the path alone

type Take = Callable[..., Manifest]


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    numbers = itertools.count()

    def write(project: str) -> Path:
        root = tmp_path / f"checkout{next(numbers)}"
        for part in f"# file: pipeline.py\n{project.lstrip()}".split("# file: ")[1:]:
            name, _, text = part.partition("\n")
            path = root / name.strip()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return root

    return write


class Kept(dict[bytes, bytes]):
    """A memo."""

    def put(self, key: bytes, content: bytes) -> None:
        self[key] = content


def through_a_memo(stage: Callable[..., object], values: Any = None, **options: Any) -> list[Manifest]:
    """The manifests that an empty memo and then a full one lead to, each as in a new process."""
    memo, manifests = Kept(), []
    for _ in range(2):
        source_file._FILES.clear()
        manifests.append(Fingerprinter(memo=memo, **options).fingerprint(stage, values))
    return manifests


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], AbstractContextManager[None]]:
    """In the block, the modules below a directory can be imported; after it they are forgotten."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)

    @contextmanager
    def importable(root: Path) -> Iterator[None]:
        place = os.fspath(root)
        sys.path.insert(0, place)
        try:
            yield
        finally:
            sys.path.remove(place)
            for name in set(sys.modules) - before:
                known = vars(sys.modules[name])
                if known.get("__spec__") is None or place in f"{known.get('__file__')} {known.get('__path__')}":
                    del sys.modules[name]
            for each in [each for each in sys.path_importer_cache if each.startswith(place)]:
                del sys.path_importer_cache[each]

    return importable


@pytest.fixture
def take(write: Callable[[str], Path], importable: Callable[[Path], AbstractContextManager[None]]) -> Take:
    """The manifest of `pipeline.stage` in a project that is written, imported afresh and forgotten again."""

    def take(project: str, **options: object) -> Manifest:
        with importable(write(project)):
            stage = importlib.import_module("pipeline").stage
            manifest = fingerprint(stage, **options)  # type: ignore[arg-type]
            assert through_a_memo(stage, **options) == [manifest, manifest]
            return manifest

    return take
