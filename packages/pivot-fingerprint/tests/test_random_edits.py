"""After any edits of any project, the results of earlier versions lead to the manifest of a walk without them."""

import importlib
import shutil
import string
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
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
    "def f(x): return abs(len(x)) + math.sqrt({n})",
    "def g(x): return f(x) + {before}.g(x) + VALUE",
    "def h(x): return g(x) + {before}.f({n})",
    "VALUE = int(os.environ.get('RANDOM_EDITS', '{n}'))",
    "{before}.f = f",
    "{before}.g.__defaults__ = ({n},)",
    "{before}.f.mark = {n}",
    "globals()['len'] = max",
    "f.__code__ = g.__code__",
    "string.mark = {n}",
    "def f(x): return string.capwords(str(x)) + str(abs({n}))",
    "{before}.abs = max",
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
def four(x): return {last}.g(x)
"""

SIMPLE = tuple(each for each in STATEMENTS if each.startswith(("def", "VALUE", "#", "import")))
SIMPLE_LINES = st.lists(st.tuples(st.sampled_from(SIMPLE), st.integers(1, 3)), max_size=5)
LINES = st.lists(st.tuples(st.sampled_from(STATEMENTS), st.integers(1, 3)), max_size=5)
EDITS = st.dictionaries(st.sampled_from(MODULES), SIMPLE_LINES | LINES, min_size=1, max_size=2)
VERSIONS = st.lists(st.tuples(EDITS, st.sampled_from(["1", "2"])), min_size=2, max_size=5)


def text(content: list[tuple[str, int]], before: str) -> str:
    """A module; what it does not define comes from the module before."""
    head = (
        f"import math, os, string, {before}\nfrom {before} import twice, f, g, h, K, VALUE, STATE\n"
        if before
        else FIRST
    )
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
    return [take(each).to_json() for each in (pipeline.one, pipeline.two, pipeline.three, pipeline.four)]


def test_kept_results_never_change_a_manifest(
    tmp_path: Path, importable: Callable[[Path], AbstractContextManager[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, memo, counted = tmp_path / "checkout", Memo(), set()
    known = vars(string).copy()

    @settings(max_examples=settings().max_examples * 2 // 5, deadline=None, suppress_health_check=list(HealthCheck))
    @given(VERSIONS)
    def check(edits: list[tuple[dict[str, list[tuple[str, int]]], str]]) -> None:
        project: dict[str, list[tuple[str, int]]] = {}
        for edit, value in edits:
            monkeypatch.setenv("RANDOM_EDITS", value)
            project |= edit
            project = {file: content for file, content in project.items() if content}  # without content, it is deleted
            write(root, project)
            vars(string).clear()
            vars(string).update(known)
            with importable(root):
                try:
                    importlib.import_module("pipeline")
                except Exception:  # noqa: BLE001 - a project that cannot be imported has no stages
                    continue
                forget()
                expected = manifests(lambda stage: fingerprint(stage, root=root))
                forget()
                with Fingerprinter(memo=memo, root=root, kept_as="stages") as fingerprinter:
                    assert manifests(fingerprinter.fingerprint) == expected
            counted.add(str(expected))

    check()
    assert len(counted) > 10


def forget() -> None:
    """Forget the files that this process has read, like a new process."""
    source_file._FILES.clear()
