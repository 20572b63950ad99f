"""A project is one text: `pipeline.py` first, then `# file: name` before each further file."""

import importlib
import itertools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pivot_fingerprint import Fingerprinter, Manifest, _source, fingerprint

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
        _source._FILES.clear()
        manifests.append(Fingerprinter(memo=memo, **options).fingerprint(stage, values))
    return manifests


@pytest.fixture
def take(write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Take:
    """The manifest of `pipeline.stage` in a project that is written, imported afresh and forgotten again."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)

    def take(project: str, **options: object) -> Manifest:
        root = write(project)
        sys.path.insert(0, os.fspath(root))
        importlib.invalidate_caches()
        try:
            stage = importlib.import_module("pipeline").stage
            manifest = fingerprint(stage, **options)  # type: ignore[arg-type]
            assert through_a_memo(stage, **options) == [manifest, manifest]
            return manifest
        finally:
            sys.path.remove(os.fspath(root))
            for name in set(sys.modules) - before:
                if os.fspath(root) in str(vars(sys.modules[name])):
                    del sys.modules[name]

    return take
