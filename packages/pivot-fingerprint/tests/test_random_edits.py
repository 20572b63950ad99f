"""After any edits of any project, the results of earlier versions lead to the manifest of a walk without them."""

import importlib
import itertools
import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pivot_fingerprint import Fingerprinter, Manifest, fingerprint
from pivot_fingerprint.sources import source_file

MODULES = ("first", "second", "pack/third", "pack/__init__", "fourth")
"""Files of modules; each imports only those before it."""

STATEMENTS = (
    "def f(x, y={n}): return x + {n}",
    "def f(x):\n    '''Doc {n}.'''\n    return g(x)",
    "def f(x: int) -> 'n{n}': return [VALUE + each for each in range({n})]",
    "def g(x): return {before}.f(x)",
    "def g(x):\n    import {before} as late\n    return late.g(x)",
    "def g(x): return STATE[{n}](x)",
    "def g(x): return getattr({before}, 'h')(x)",
    "@{before}.twice\ndef h(x): return x * {n}",
    "def h(x): return K({n}).run(x) + K.size",
    "def h(x): return eval(x) + {n}",
    "h = lambda x, y={n}: (x, y, VALUE)",
    "class K:\n    size = {n}\n    def run(self, x): return f(x)",
    "class K({before}.K):\n    def run(self, x): return super().run(x) + {n}",
    "class K:\n    size: int = {n}\n    run = staticmethod(lambda x: g(x))",
    "VALUE = {n}",
    "VALUE = {before}.VALUE + {n}",
    "VALUE: float = {n}.5",
    "STATE = {{{n}: f}}",
    "STATE = {{}}\nSTATE[{n}] = {before}.f",
    "STATE = dict.fromkeys(range({n}), f)\n{before}.STATE['more'] = {n}",
    "for each in range({n}): STATE[each] = K",
    "if VALUE > {n}:\n    def f(x): return VALUE",
    "try:\n    import missing{n}\nexcept ImportError:\n    h = None",
    "from {before} import *",
    "from {before} import f as h",
    "import json, string",
    "# a remark {n}",
    "if {n}: VALUE += 1",
)
FIRST = """
import functools
VALUE, STATE = 1, {}
def twice(function):
    @functools.wraps(function)
    def inner(x): return function(function(x))
    return inner
def f(x): return x
def g(x): return f(x)
def h(x): return g(x)
class K:
    size = 0
    def __init__(self, n=0): self.n = n
    def run(self, x): return x
"""
STAGES = """
import {names}
from {last} import h
class Runner:
    def __call__(self, x): return {last}.K().run(x)
runner = Runner()
def one(x): return {last}.f(x), h(x)
def two(x): return {last}.g(x), {last}.VALUE
def three(x): return runner(x), {last}
"""

lines = st.lists(st.tuples(st.sampled_from(STATEMENTS), st.integers(1, 3)), max_size=5)
versions = st.lists(st.dictionaries(st.sampled_from(MODULES), lines, min_size=1, max_size=3), min_size=2, max_size=4)


def text(content: list[tuple[str, int]], before: str) -> str:
    """A module; what it does not define comes from the module before."""
    head = f"import {before}\nfrom {before} import twice, f, g, h, K, VALUE, STATE\n" if before else FIRST
    written = [line.format(n=number, before=before or "functools") for line, number in content if before]
    return head + "".join(f"{each}\n" for each in written)


def write(root: Path, project: dict[str, list[tuple[str, int]]]) -> None:
    """Write a project in place of another, whose other files are deleted."""
    shutil.rmtree(root, ignore_errors=True)
    before = ""
    names = []
    for file in ("first", *(each for each in MODULES[1:] if each in project)):
        path = root / f"{file}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text(project.get(file, []), before))
        before = file.removesuffix("/__init__").replace("/", ".")
        names.append(before)
    (root / "pipeline.py").write_text(STAGES.format(names=", ".join(names), last=before))


class Memo(dict[bytes, bytes]):
    def put(self, key: bytes, content: bytes) -> None:
        self[key] = content


def manifests(take: Callable[[Any], Manifest]) -> list[object]:
    pipeline = importlib.import_module("pipeline")
    return [take(each).to_json() for each in (pipeline.one, pipeline.two, pipeline.three)]


def test_kept_results_never_change_a_manifest(
    tmp_path: Path, importable: Callable[[Path], AbstractContextManager[None]]
) -> None:
    numbers, memo, counted = itertools.count(), Memo(), set()

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(versions)
    def check(edits: list[dict[str, list[tuple[str, int]]]]) -> None:
        root = tmp_path / f"checkout{next(numbers)}"
        project: dict[str, list[tuple[str, int]]] = {}
        for edit in edits:
            project |= edit
            project = {file: content for file, content in project.items() if content}  # without content, it is deleted
            write(root, project)
            with importable(root):
                try:
                    importlib.import_module("pipeline")
                except Exception:  # noqa: BLE001 - a project that cannot be imported has no stages
                    continue
                source_file._FILES.clear()
                expected = manifests(lambda stage: fingerprint(stage, root=root))
                source_file._FILES.clear()
                with Fingerprinter(memo=memo, root=root, kept_as="stages") as fingerprinter:
                    assert manifests(fingerprinter.fingerprint) == expected
            counted.add(str(expected))

    check()
    assert len(counted) > 10
    assert os.listdir(tmp_path)
