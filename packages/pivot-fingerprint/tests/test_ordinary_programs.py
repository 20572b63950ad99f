"""Ordinary programs, whose manifests contain all code that runs."""

import contextlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from pivot_fingerprint import Manifest, Observer, fingerprint, uncovered

ARGUMENTS: list[tuple[object, ...]] = [(3,), ([1, 2],), ("a",), ()]


def table(name: str) -> ModuleType:
    """A sibling module of tests, for its table."""
    spec = importlib.util.spec_from_file_location(f"table_of_{name}", Path(__file__).with_name(f"test_{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def programs() -> Iterator[tuple[str, str]]:
    for edit in table("counted_edits").EDITS:
        yield f"counted: {edit.title}", edit.project
    uncounted = table("uncounted_edits")
    yield "uncounted: the base", uncounted.BASE
    yield from ((f"unresolved: {title}", project) for title, project in table("unresolved").NOTHING.items())


PROGRAMS = dict(programs())


@pytest.mark.parametrize("title", PROGRAMS)
def test_no_code_is_missing(title: str, write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    if "import attrs" in PROGRAMS[title]:
        pytest.importorskip("attrs", reason="attrs is no dependency of this package")
    root = write(PROGRAMS[title])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(os.fspath(root))
    before = set(sys.modules)
    try:
        stage = importlib.import_module("pipeline").stage
        manifest: Manifest = fingerprint(stage, root=root)
        with Observer(root=root) as observer:
            for argument in ARGUMENTS:
                with contextlib.suppress(Exception):
                    stage(*argument)
        observed = observer.observed
    finally:
        for name in set(sys.modules) - before:
            del sys.modules[name]

    assert uncovered(observed, manifest, root=root) == ()
    assert observed.incomplete == ()
    assert observed.ran
