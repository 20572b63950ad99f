"""A forecast of an edit is never contradicted by the fingerprints after it."""

import importlib
import os
import string
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_counted_edits import EDITS as COUNTED
from test_counted_edits import Edit
from test_random_edits import forget
from test_uncounted_edits import BASE
from test_uncounted_edits import EDITS as UNCOUNTED

from pivot_fingerprint import Manifest, fingerprint
from pivot_fingerprint.edits.foresight import EditEffect, foresee

CERTAIN = {"the stage itself", "a helper in the same module", "a constant: 1 → 1.0", "a constant: 0.0 → -0.0"}
"""Some of the edits whose forecast is that they count."""
UNKNOWN = {
    *("a parameter's annotation", "an annotation removed", "a result's annotation"),
    *("imports reordered", "definitions reordered", "an unused lambda on the line"),
}
"""The only edits that do not count although the forecast leaves that open."""

type Importable = Callable[[Path], AbstractContextManager[None]]


def sources(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*.py")}


def foreseen(before: dict[str, bytes], after: dict[str, bytes], manifest: Manifest) -> EditEffect:
    edited = {path: after.get(path) for path in before if after.get(path) != before[path]}
    return foresee(before, edited).effect(manifest)


@pytest.fixture
def compare(write: Callable[[str], Path], importable: Importable) -> Callable[[str, str], str]:
    """The forecast of the edit from one project to another, once it is compared with the truth."""

    def compare(one: str, two: str) -> str:
        roots = [write(one), write(two)]
        manifests = []
        for root in roots:
            forget()
            with importable(root):
                manifests.append(fingerprint(importlib.import_module("pipeline").stage, root=root))
        before, after = map(sources, roots)
        if before.keys() != after.keys():
            return "unknown"
        effect = foreseen(before, after, manifests[0])
        truth = "same" if manifests[0].digest == manifests[1].digest else "changed"
        assert effect.kind in (truth, "unknown"), effect
        return effect.kind

    return compare


@pytest.mark.parametrize("edit", COUNTED, ids=lambda edit: edit.title)
def test_no_edit_that_counts_is_said_to_be_none(edit: Edit, compare: Callable[[str, str], str]) -> None:
    if "import attrs" in edit.project:
        pytest.importorskip("attrs", reason="attrs is no dependency of this package")
    said = compare(edit.project, edit.project.replace(edit.old, edit.new))

    assert said == "changed" or edit.title not in CERTAIN


@pytest.mark.parametrize("title", UNCOUNTED)
def test_no_edit_that_does_not_count_is_said_to_be_one(title: str, compare: Callable[[str, str], str]) -> None:
    said = compare(BASE, BASE.replace(*UNCOUNTED[title], 1))

    assert said == ("unknown" if title in UNKNOWN else "same")


CHOICES: dict[str, list[str]] = {
    "f": [
        "def f(x): return x + {n}",
        "def f(x):\n    'Doc {n}.'\n    return VALUE",
        "def f(x): return g(x) + {n}",
        "def f(x, y=VALUE): return K(y).run({n})",
        "def f(x: 'K') -> list[int]:\n    global VALUE\n    VALUE = x + {n}\n    return [VALUE]",
        "def f(x): return {before}.f(x), {n}",
    ],
    "g": [
        "def g(x): return {before}.f(x) + {n}",
        "def g(x):\n    import {before} as late\n    return late.VALUE * {n}",
        "def g(x): return K({n}).run(x)",
        "def g(x): return getattr({before}, 'VALUE') + {n}",
        "def g(x): return {before}, {n}",
        "@functools.cache\ndef g(x): return x * {n}",
        "@wrap\ndef g(x): return x * {n}",
    ],
    "K": [
        "class K:\n    def __init__(self, n): self.n = n\n    def run(self, x): return {n}",
        "class K:\n    size = {n}\n    def run(self, x): return f(x)\n    def more(self): return {n}",
        "class K({before}.K):\n    def run(self, x): return super().run(x) + {n}",
        "@dataclasses.dataclass\nclass K:\n    n: int = {n}\n    def run(self, x): return [x, {n}]",
        "def K(x): return Late()\nclass Late:\n    def run(self, x): return {n}",
    ],
    "VALUE": ["VALUE = {n}", "VALUE = '{n}'", "VALUE: int = -{n}", "VALUE = [{n}, f]", "VALUE = {before}.VALUE"],
    "more": [
        "",
        "def fresh{n}(x): return x",
        "import json, math",
        "import colorsys",
        "from {before} import g as other",
        "from {before} import VALUE",
        "from {before} import *",
        "def user(x): return f(x), other(x, {n})",
        "'A remark {n}.'",
        "OTHER = {n}",
    ],
    "last": [
        "",
        "made = f({n})",
        "table = [g, {n}]",
        "{before}.f = f",
        "made = K({n}).run(2)",
        "made = getattr({before}, 'f'), {n}",
        "made = VALUE, {n}",
        "later = lambda x: g(x)",
        "if VALUE == {n}:\n    def f(x): return {n}",
        "made = [each for each in vars({before}) if each == 'f']",
        "made = sys.modules[__name__].f",
        "for each in (f, g): each.mark = {n}",
        "string.mark = {n}",
        "def __getattr__(name): return g",
        "made = getattr({before}, 'missing', VALUE)",
    ],
}
"""For each place in a module, the statements that may be there."""
FIRST = """
def wrap(function): return lambda x: function(x) + 1
def f(x): return x
def g(x): return f(x)
class K:
    def __init__(self, n=0): self.n = n
    def run(self, x): return x
VALUE = 1
"""
PIPELINE = """
import a, b, c
from c import f
def one(x): return f(x)
def two(x): return c.g(x), b.VALUE
def three(x):
    import c
    return c.K(1).run(x)
def four(x): return b.f(x), c.VALUE
def five(x): return b
"""
type Choice = tuple[int, int]
numbers = st.just(0) | st.integers(0, 20)
choices = st.fixed_dictionaries({name: st.tuples(numbers, st.integers(1, 3)) for name in CHOICES})
projects = st.fixed_dictionaries({"b": choices, "c": choices})
places = st.tuples(
    st.sampled_from("bc"), st.sampled_from([*CHOICES]), st.none() | st.integers(0, 20), st.integers(1, 4)
)


def module(chosen: dict[str, Choice], before: str) -> str:
    head = f"import dataclasses, functools, string, sys, {before}\nfrom a import wrap\n"
    made = (
        CHOICES[name][number % len(CHOICES[name])].format(n=n, before=before) for name, (number, n) in chosen.items()
    )
    return head + "".join(f"{each}\n" for each in made)


def write_project(root: Path, project: dict[str, dict[str, Choice]]) -> None:
    texts = {"a": FIRST, "b": module(project["b"], "a"), "c": module(project["c"], "b"), "pipeline": PIPELINE}
    for name, content in texts.items():
        (root / f"{name}.py").write_text(content)


def taken(root: Path, importable: Importable) -> list[Manifest] | None:
    """The manifests of all stages; None if the project cannot be imported."""
    forget()
    with importable(root):
        try:
            pipeline = importlib.import_module("pipeline")
        except Exception:  # noqa: BLE001 - such a project has no stages
            return None
        stages = (pipeline.one, pipeline.two, pipeline.three, pipeline.four, pipeline.five)
        return [fingerprint(each, root=root) for each in stages]


def test_no_random_edit_contradicts(tmp_path_factory: pytest.TempPathFactory, importable: Importable) -> None:
    known = vars(string).copy()

    @settings(deadline=None, derandomize="TEST_EXAMPLES" not in os.environ, suppress_health_check=list(HealthCheck))
    @given(projects, st.lists(places, min_size=1, max_size=2))
    def check(project: dict[str, dict[str, Choice]], edits: list[tuple[str, str, int | None, int]]) -> None:
        after = {name: dict(chosen) for name, chosen in project.items()}
        for name, place, number, n in edits:
            after[name][place] = (after[name][place][0] if number is None else number, n)
        roots = [tmp_path_factory.mktemp("checkout") for _ in range(2)]
        manifests = []
        for root, version in zip(roots, (project, after), strict=True):
            write_project(root, version)
            vars(string).clear()
            vars(string).update(known)
            manifests.append(taken(root, importable))
        if manifests[0] is None or manifests[1] is None:
            return
        texts = [sources(root) for root in roots]
        for one, two in zip(*manifests, strict=True):
            effect = foreseen(texts[0], texts[1], one)
            truth = "same" if one.digest == two.digest else "changed"
            assert effect.kind in (truth, "unknown"), effect

    try:
        check()
    finally:
        vars(string).clear()
        vars(string).update(known)


REASONS = [
    ({"m.py": "def f(): pass"}, {"m.py": None}, "m.py is deleted"),
    ({"m.py": "def f(): pass"}, {"m.py": "def f(: pass"}, "m.py would no longer be Python source"),
    ({"m.py": "def f(: pass"}, {"m.py": "x = 1"}, "m.py is not Python source"),
    ({"m.py": "x = 1"}, {"m.py": f"x = {'(' * 150}1{')' * 150}\ndef f(): return {'-' * 100_000}1"}, ""),
    ({"m.py": "def f(): pass"}, {"m.py": "def f(x): pass"}, "`f` in line 1 is changed in more than"),
    ({"m.py": "def f(): pass\nf()"}, {"m.py": "def f(): return 1\nf()"}, "`f` in m.py may be used by the import"),
    ({"m.py": "@w\ndef f(): pass"}, {"m.py": "@w\ndef f(): return 1"}, "`f` in m.py may be used by the import"),
    ({"m.py": "x = f()"}, {"m.py": "x = g()"}, "line 1 is changed or removed, and an import runs it"),
    ({"m.py": "x = 1"}, {"m.py": "x = 1\nprint(x)"}, "line 2 is changed or new"),
    ({"m.py": "a()\nb()"}, {"m.py": "b()\na()"}, "the order of statements is another"),
    ({"m.py": "def f(): 'A'\nf.__doc__"}, {"m.py": "def f(): 'B'\nf.__doc__"}, "some code reads docstrings"),
    ({"m.py": "from n import *", "n.py": ""}, {"n.py": "def f(): pass"}, "`import *` takes over all names"),
    ({"m.py": "n.f", "n.py": ""}, {"n.py": "def f(): pass"}, "other code has this name already"),
    ({"m.py": "n.f", "n.py": "def f(): pass"}, {"n.py": ""}, "other code still has this name"),
    ({"m.py": ""}, {"m.py": "import colorsys"}, "is a new import, which may run other code"),
    ({"m.py": "math = 1"}, {"m.py": "math = 1\nimport math"}, "line 1 is changed or new"),
    ({"m.py": "def f(): return math"}, {"m.py": "def f(): return math\nimport math"}, "has this name already"),
    ({"m.py": "x = 1\nvars()"}, {"m.py": "x = 2\nvars()"}, "uses `vars`, which may find code by any name"),
    ({"m.py": "x = 1\ngetattr(y, z)"}, {"m.py": "x = 2\ngetattr(y, z)"}, "uses `getattr` with a computed name"),
    ({"m.py": "x = 1\nopen(__file__)"}, {"m.py": "x = 2\nopen(__file__)"}, "may read the source as a text"),
    ({"m.py": "import n\nuse(n)", "n.py": "x = 1"}, {"n.py": "x = 2"}, "passes `n` on, which may be a module"),
    ({"m.py": "find('n:f')", "n.py": "def f(): pass"}, {"n.py": "def f(): return 1"}, "may be used by the import"),
    ({"m.py": "no_fingerprint", "n.py": "x = 1"}, {"n.py": "x = 2"}, "leaves some code out of fingerprints"),
    ({"m.py": "x = 1\nfrom n import *", "n.py": "x = 1"}, {"m.py": "x = 2\nfrom n import *"}, "line 1 is changed"),
    ({"m.py": "x = 1\nprint(x := 3)"}, {"m.py": "x = 2\nprint(x := 3)"}, "line 1 is changed or removed"),
    (
        {"m.py": "x = 1\ntry: y()\nexcept A as x: pass"},
        {"m.py": "x = 2\ntry: y()\nexcept A as x: pass"},
        "line 1 is changed or removed",
    ),
    ({"m.py": "def f(x: D('f.csv')): pass"}, {"m.py": "def f(x: D('f.csv')): return 1"}, ""),
    (
        {"m.py": "class A:\n    def g(self): pass\ndef f(x: 'A'): pass"},
        {"m.py": "class A:\n    def g(self): return 1\ndef f(x: 'A'): pass"},
        "`A` in m.py may be used by the import",
    ),
    ({"m.py": "x: int = 1"}, {"m.py": "x: str = 1"}, "`x` in m.py is gone"),
]


@pytest.mark.parametrize(("before", "after", "reason"), REASONS)
def test_the_reason_says_why_an_edit_is_unclear(
    before: dict[str, str], after: dict[str, str | None], reason: str
) -> None:
    edited = {path: None if text is None else text.encode() for path, text in after.items()}

    found = foresee({path: text.encode() for path, text in before.items()}, edited)

    assert reason in found.unclear
    assert found.effect({}).kind == ("unknown" if found.unclear else "same")
