"""A memo never changes a manifest: empty, full, damaged or absent.

The fixture `take` holds every project of the other tests to the same.
"""

import ast
import importlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pivot_fingerprint import Fingerprinter
from pivot_fingerprint.imports.statement_memo import statements_of
from pivot_fingerprint.sources import source_file
from pivot_fingerprint.sources.memo import memo_key, pack_outline, unpack_outline
from pivot_fingerprint.syntax.outline import Outline
from pivot_fingerprint.syntax.parsed import Parsed, TreeOutline

HERE = Path(__file__).parent
FILES = sorted(path for path in [*HERE.glob("**/*.py"), *HERE.parent.glob("src/**/*.py")] if "def " in path.read_text())
FILES = FILES if "TEST_CORPUS" in os.environ else FILES[::3]  # the session `deep` tries all


class Kept(dict[bytes, bytes]):
    """A memo that counts its entries."""

    puts = 0

    def put(self, key: bytes, content: bytes) -> None:
        self.puts += 1
        self[key] = content


PROJECT = """
import functools, os, typing, inspect
import helpers
from helpers import *
from table import HANDLERS, Base
os.environ.setdefault("MEMO_TEST", os.sep.join(["a", "b"]))
twice = (lambda x: x), (lambda x, y: helpers.scale(x))
@functools.lru_cache
def cached(x: int, *, y: "str" = "ä") -> int:
    "Doc."
    import late
    if False: return getattr(x)
    return late.f(x) + getattr(helpers, str(x)) + x.__doc__
class Child(Base):
    __slots__ = ("a", "b")
    size: int = 3
    def run(self):
        def inner(n=1): return n + scale(self.a)
        return inner
    __call__ = lambda self: [eval(x) for x in self]
def outer(n):
    def within(x): return x + n
    return within
closed = outer(3)
def stage(x):
    return cached(x), Child, HANDLERS, twice, closed, helpers, inspect.signature(cached), "\\ud800"
# file: helpers.py
RATE = 2
UNIT: str
found = hasattr(RATE, "real")
try:
    import nowhere
except ImportError:
    def scale(x: float) -> float: return x * RATE
# file: table.py
HANDLERS = {}
class Base: pass
HANDLERS["a"] = lambda x: Base(x); HANDLERS["b"] = lambda x: x + 1
# file: late.py
K, L = 1, [2]
L.append(3)
M = 3.5
from helpers import RATE as rate
def f(x, y=M, z=2): return K + L[0] + M + x + rate
def g(x, z=2): return f(x)
"""


@pytest.fixture
def stages(write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Callable[..., object]]]:
    root = write(PROJECT)
    monkeypatch.syspath_prepend(root)
    before = set(sys.modules)
    pipeline = importlib.import_module("pipeline")
    try:
        yield [pipeline.stage, pipeline.closed, pipeline.Child.run, pipeline.Child, pipeline.cached]
    finally:
        for name in set(sys.modules) - before:
            if os.fspath(root) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]


def taken(stages: list[Callable[..., object]], memo: Kept | None) -> list[str]:
    """The manifests that a new process would have."""
    source_file._FILES.clear()
    session = Fingerprinter(memo=memo)
    return [json.dumps(session.fingerprint(stage).to_json()) for stage in stages]


def test_with_an_empty_memo_a_full_one_and_none(stages: list[Callable[..., object]]) -> None:
    memo = Kept()
    plain = taken(stages, None)

    assert taken(stages, memo) == plain
    assert memo.puts == len(memo) == 9
    assert taken(stages, memo) == plain
    assert memo.puts == 9
    assert json.loads(plain[0])["libraries"] == {}
    assert {"func:late:f", "effects:pipeline:*", "module:helpers:*"} <= json.loads(plain[0])["entries"].keys()


def test_a_file_that_is_known_is_not_parsed(
    stages: list[Callable[..., object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    memo = Kept()
    plain = taken(stages, memo)
    parse, parsed = ast.parse, list[bytes]()

    def noting(text: bytes) -> ast.Module:
        parsed.append(text)
        return parse(text)

    monkeypatch.setattr(ast, "parse", noting)

    assert taken(stages, memo) == plain
    assert not [text for text in parsed if b"def g(x" not in text]  # of what is not imported yet, values are looked for
    importlib.import_module("late")
    plain = taken(stages, memo)
    parsed.clear()
    assert taken(stages, memo) == plain
    assert not parsed


def test_files_that_were_parsed_before_are_stored_too(stages: list[Callable[..., object]]) -> None:
    memo, other = Kept(), Kept()
    plain = taken(stages, None)
    for kept in (memo, other):
        assert [json.dumps(Fingerprinter(memo=kept).fingerprint(stage).to_json()) for stage in stages] == plain

    assert memo == other
    taken(stages, memo)
    later = Kept()
    Fingerprinter(memo=later).fingerprint(stages[0])
    assert later == memo


def test_processes_that_read_ahead_share_the_work(stages: list[Callable[..., object]]) -> None:
    plain = taken(stages, None)
    files = [str(sys.modules[name].__file__) for name in ("pipeline", "helpers", "table")]
    memo = Kept()
    for part in ([files[0]], files[1:]):
        source_file._FILES.clear()
        Fingerprinter(memo=memo).read_ahead(part)
    known = dict(memo)

    assert len(known) == 3
    assert taken(stages, memo) == plain
    assert known.items() <= memo.items()
    assert memo.puts == len(memo)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:0],
        lambda content: content[:-1],
        lambda content: content[:16],
        lambda content: content + b"\n",
        lambda content: content[16:] + content[:16],
        lambda content: content.replace(b"scale", b"scalf"),
        lambda content: b"null" + content[:0],
        lambda content: bytes(reversed(content)),
    ],
)
def test_damage_is_harmless(stages: list[Callable[..., object]], damage: Callable[[bytes], bytes]) -> None:
    memo = Kept()
    plain = taken(stages, memo)
    right = dict(memo)
    memo.update({key: damage(content) for key, content in right.items()})

    assert taken(stages, memo) == plain
    assert memo == right


def test_an_entry_for_another_file_is_not_used(stages: list[Callable[..., object]]) -> None:
    memo = Kept()
    plain = taken(stages, memo)
    right = dict(memo)
    memo.update(zip(right, [*list(right.values())[1:], next(iter(right.values()))], strict=True))

    assert taken(stages, memo) == plain
    assert memo == right


@settings(deadline=None)
@given(st.binary(), st.binary())
def test_any_bytes_are_harmless(content: bytes, key: bytes) -> None:
    assert unpack_outline(content, key) is None


def test_an_edit_counts_with_a_memo(write: Callable[[str], Path]) -> None:
    memo, digests = Kept(), set()
    path = write("") / "pipeline.py"
    for number in (1, 2, 1):
        path.write_text(f"def stage(x):\n    return {number}\n")
        namespace: dict[str, object] = {"__name__": "pipeline", "__file__": str(path)}
        exec(compile(path.read_text(), str(path), "exec"), namespace)
        digests.add(Fingerprinter(memo=memo).fingerprint(namespace["stage"]).digest)  # type: ignore[arg-type]

    assert len(digests) == len(memo) == 2


def test_a_file_that_is_no_longer_python_is_not_stored(write: Callable[[str], Path]) -> None:
    memo = Kept()
    path = write("def stage(x):\n    return 1\n") / "pipeline.py"
    namespace: dict[str, object] = {"__name__": "pipeline", "__file__": str(path)}
    exec(compile(path.read_text(), str(path), "exec"), namespace)
    path.write_text("def stage(x:\n")

    assert Fingerprinter(memo=memo).fingerprint(namespace["stage"]).unresolved  # type: ignore[arg-type]
    assert not memo


def everything(outline: Outline) -> object:
    """Everything in an outline."""
    numbers = range(len(outline.tops))
    forms = [outline.top_form(number) for number in numbers]
    forms += [outline.lambda_form(number) for number in range(len(outline.lambdas()))]
    effects = list(range(len(outline.effects)))
    forms += [outline.effects_form(part) for part in (effects, effects[::2], effects[:1]) if part]
    said = [(each[:5], [(one.form, one.decorators) for one in each.signatures]) for each in forms]
    sites = [outline.sites(number) for number in numbers]
    facts = [outline.tops, outline.bindings, outline.stars, outline.effects, outline.imports, outline.acts]
    return re.sub(r" at 0x\w+", "", repr([facts, said, sites]))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_an_outline_survives_the_memo(path: Path) -> None:
    content = path.read_bytes()
    key = memo_key(content)
    outline = TreeOutline(Parsed(content))
    expected = everything(outline)
    kept = unpack_outline(pack_outline(TreeOutline(Parsed(content)), key), key)

    assert kept is not None
    assert everything(kept) == expected
    assert pack_outline(TreeOutline(Parsed(content)), key) == pack_outline(outline, key)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_form_of_a_whole_text_survives_the_memo(path: Path) -> None:
    memo = Kept()
    plain, first, second = (source_file.SourceFile(str(path), path.read_bytes()) for _ in range(3))
    first.memo = second.memo = memo

    expected = plain.whole
    for source in (first, second):
        assert source.whole[:5] == expected[:5]
        assert [(one.form, one.decorators) for one in source.whole.signatures] == [
            (one.form, one.decorators) for one in expected.signatures
        ]
    assert memo.puts == 1


def all_statements(source: source_file.SourceFile) -> object:
    """Everything in the statements of a file."""
    found = statements_of(source)
    forms = [(each.form[:5], [(one.form, one.decorators) for one in each.form.signatures]) for each in found.all]
    bodies = [found.body(number) for number in range(len(source.tops))]
    return [found.imports, [each[:-1] for each in found.all], re.sub(r" at 0x\w+", "", repr(forms)), bodies]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_statements_survive_the_memo(path: Path) -> None:
    memo = Kept()
    plain, first, second = (source_file.SourceFile(str(path), path.read_bytes()) for _ in range(3))
    first.memo = second.memo = memo
    expected = all_statements(plain)

    assert all_statements(first) == expected
    puts = memo.puts
    assert all_statements(second) == expected
    assert memo.puts == puts == 2
