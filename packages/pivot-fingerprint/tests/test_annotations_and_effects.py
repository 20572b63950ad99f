"""Annotations and docstrings, which count only if something reads them, and effects of imports on libraries."""

# ruff: noqa: E501 - projects as texts

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pivot_fingerprint import Manifest, diff

type Take = Callable[..., Manifest]

LIBRARY = """
def check(f):
    return f
def make(*args):
    return lambda f: f
class App:
    def command(self, *args):
        return lambda f: f
    def __reduce__(self):
        return (App, ())
"""


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site-packages"
    site.mkdir()
    (site / "checklib.py").write_text(LIBRARY)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "checklib", raising=False)


DECORATED = {
    "a library's decorator": "import checklib\n@checklib.check\ndef f(x: int): return x\n",
    "with arguments": "from checklib import make as m\n@m(1)\ndef f(x: int): return x\n",
    "of a library's object": "import checklib\napp = checklib.App()\n@app.command('x')\ndef f(x: int): return x\n",
    "on a method": "import checklib\nclass f:\n    @checklib.check\n    def g(self, *, x: int): return x\n",
    "on an inner function": "import checklib\ndef f():\n    @checklib.check\n    async def g(x: int): return x\n    return g\n",
    "imported inside": "def f():\n    from checklib import check\n    @check\n    def g(x: int): return x\n    return g\n",
    "of a type's own name": "import checklib\nN = int\n@checklib.check\ndef f(x) -> N: return x\n# int\n",
    "read by get_type_hints": "import typing\ndef f(x: int): return x\nH = typing.get_type_hints\ndef g(): return H(f)\n",
    "read as an attribute": "def f(x: int): return x\nA = f.__annotations__\ndef g(): return f.__annotations__\n",
    "of a plain class, read": "class f:\n    x: int\ndef g(): return f.__annotations__\n",
    "of a variable of a plain class, read": "class f:\n    x: int = 1\ndef g(): return getattr(f, '__annotations__')\n",
}


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("title", DECORATED)
def test_annotations_count_where_they_are_read(title: str, take: Take) -> None:
    project = f"{DECORATED[title]}\ng = g if 'g' in globals() else None\ndef stage(x):\n    return f, g\n"

    assert take(project).digest != take(re.sub(r"\bint\b", "str", project)).digest
    assert take(project).unresolved == ()


UNREAD = {
    "functools": "import functools\n@functools.cache\ndef f(x: int): return x\n",
    "a decorator of the user's own": "def d(g): return g\n@d\ndef f(x: int): return x\n",
    "a decorator's object of the user's own": "class D:\n    def __call__(self, g): return g\nd = D()\n@d\ndef f(x: int): return x\n",
    "a local decorator": "def f(d):\n    @d\n    def g(x: int): return x\n    return g\n",
    "a subscript": "d = [lambda g: g]\n@d[0]\ndef f(x: int): return x\n",
    "pivot's own": "import pivot_fingerprint as p\n@p.no_fingerprint()\ndef f(x: int): return x\n",
}  # fmt: skip


@pytest.mark.parametrize("title", UNREAD)
def test_annotations_do_not_count_where_nothing_reads_them(title: str, take: Take) -> None:
    project = f"{UNREAD[title]}\ndef stage(x):\n    return f\n"

    assert take(project).digest == take(re.sub(r"\bint\b", "str", project)).digest


@pytest.mark.usefixtures("library")
def test_names_in_a_read_annotation_are_followed(take: Take) -> None:
    project = (
        "import checklib\nfrom typing import Annotated\nP = Annotated[int, 3]\n"
        "@checklib.check\ndef f(x: P, y: 'Later', z: Nowhere = 1): return x\ndef stage(x):\n    return f\n"
    ).replace("import checklib", "from __future__ import annotations\nimport checklib")

    old, new = take(project), take(project.replace("int, 3", "int, 4"))
    assert [change.key for change in diff(old, new)] == ["const:pipeline:P"]
    assert old.unresolved == ()


OPTED_OUT = """
from pivot_fingerprint import no_fingerprint
import pivot_fingerprint as pf
class A:
    def f(self):
        return 1
    @no_fingerprint(code_deps=["query.sql"])
    def g(self):
        return eval("2")
    @pf.no_fingerprint()
    def h(self):
        return nowhere()
def stage(x):
    import lazy
    return A().f(), lazy.k()
# file: lazy.py
import pivot_fingerprint
@pivot_fingerprint.no_fingerprint()
def k():
    return nowhere(4)
# file: query.sql
select 1
"""


@pytest.mark.parametrize(
    ("old", "new", "keys"),
    [
        ("return 1", "return 5", ["class:pipeline:A"]),
        ('eval("2")', "5", []),
        ("return nowhere()", "return 5", []),
        ("nowhere(4)", "5", []),
        ("select 1", "select 2", ["func:pipeline:A.g"]),
    ],
)
def test_methods_opt_out(old: str, new: str, keys: list[str], take: Take) -> None:
    before, after = take(OPTED_OUT), take(OPTED_OUT.replace(old, new))

    assert [change.key for change in diff(before, after)] == keys
    assert before.unresolved == ()


def test_products_of_a_factory_that_opt_out_share_an_entry(take: Take) -> None:
    project = (
        "from pivot_fingerprint import no_fingerprint\ndef make(n):\n    @no_fingerprint()\n    def f(x):\n        return n\n"
        "    return f\nT = [make(1), make(2)]\ndef stage(x):\n    return T\n"
    )

    assert list(take(project)) == ["const:pipeline:T", "func:pipeline:make.<locals>.f", "func:pipeline:stage"]


EFFECTS = """
import os, random, logging, warnings, settings
from warnings import filterwarnings
SEED = 3
random.seed(SEED)
if True:
    os.environ["EFFECTS_TEST"] = "one"
filterwarnings("ignore", "effects")
warnings.filters[0:0] = []
os.environ["EFFECTS_TEST"] += "more"
del os.environ["EFFECTS_TEST"]
logging.getLogger("effects").setLevel(10)
print(end="")
settings.register(1)
[].append(1)
if __name__ == "__main__":
    random.seed(9)
def stage(x):
    import lazy
    return x, lazy.f
# file: settings.py
import random
R = []
def register(x):
    R.append(x)
random.seed(5)
# file: lazy.py
import random
f = 1
random.seed(7)
"""


@pytest.mark.parametrize(
    ("old", "new", "keys"),
    [
        ("SEED = 3", "SEED = 4", ["const:pipeline:SEED"]),
        ("random.seed(SEED)", "random.seed(SEED + 1)", ["effects:pipeline:*"]),
        ('"one"', '"two"', ["effects:pipeline:*"]),
        ('"more"', '"less"', ["effects:pipeline:*"]),
        ('("ignore"', '("error"', ["effects:pipeline:*"]),
        ("seed(7)", "seed(8)", ["effects:lazy:*"]),
        ("seed(5)", "seed(6)", []),
        ("setLevel(10)", "setLevel(20)", []),
        ('end=""', "end='', flush=True", []),
        ("register(1)", "register(2)", []),
        ("seed(9)", "seed(10)", []),
    ],
)
def test_effects_of_imports_on_libraries(old: str, new: str, keys: list[str], take: Take) -> None:
    assert EFFECTS.count(old) == 1

    assert [change.key for change in diff(take(EFFECTS), take(EFFECTS.replace(old, new)))] == keys


def test_places_of_effects(take: Take) -> None:
    manifest = take(EFFECTS)
    entry = manifest["effects:pipeline:*"]

    assert (entry.file, entry.line, entry.end) == ("pipeline.py", 4, 10)
    assert manifest.path("effects:pipeline:*") == ("func:pipeline:stage", "effects:pipeline:*")


LITERALS = """
def stage(x):
    import later
    return later.A, later.B, later.C, later.D, later.f(x), later.g, later.h, later.i
# file: later.py
A = 1
B: dict = {"a": [1, -2.5, None], "b": ("x", {1, 2})}
C = D = "text"
def f(x, y=1, *, z="a", w): return A
def g(): return 1
def h(*, z=2): return 1
def i(x=(1, 2)): return B
"""


def test_literals_count_the_same_before_and_after_their_modules_import(take: Take) -> None:
    before, after = take(LITERALS), take("import later\n" + LITERALS.lstrip())

    assert [change.key for change in diff(before, after)] == []


@pytest.mark.parametrize(
    ("old", "new"), [("A = 1", "A = 2"), ("-2.5", "-2"), ("y=1", "y=2"), ('z="a"', "z=None"), ("(1, 2)", "[1, 2]")]
)
def test_literals_count(old: str, new: str, take: Take) -> None:
    assert take(LITERALS).digest != take(LITERALS.replace(old, new)).digest


def test_other_expressions_count_as_code(take: Take) -> None:
    project = (
        "def stage(x):\n    import later\n    return later.A, later.B, later.C, later.f(x), later.g, later.T\n# file: later.py\n"
        "A = len('x')\nif A:\n    B = 1\nelse:\n    B = 2\nC, D = 1, 2\ndef f(x=A): return 1\ndef g(*, x=A): return 1\n"
        "type T = int\n"
    )
    changes: list[Any] = [
        diff(take(project), take(project.replace(old, new)))
        for old, new in [("len('x')", "len('y')"), ("B = 2", "B = 3"), ("1, 2", "1, 3"), ("f(x=A)", "f(x=B)")]
    ]

    assert all(changes)


OUTS = """
from typing import Annotated, Literal, NotRequired, TypedDict
class Plot:
    def __init__(self, path, loader=None, **options):
        self.path = path
class Outs(TypedDict):
    loss: Annotated[list, Plot("loss.csv", loader=len, title="Loss", y=["a", "b"])]
    other: Annotated[dict[str, int], Plot("other.csv"), "a text"]
    third: NotRequired[Literal["x"]]
def stage(x):
    return Outs(loss=[], other={})
"""


@pytest.mark.parametrize(
    ("old", "new", "counts"),
    [
        ('title="Loss"', 'title="Losses"', False),
        (', y=["a", "b"]', "", False),
        ('y=["a", "b"]', 'kind="bar"', False),
        ("loss.csv", "l.csv", True),
        ("loader=len", "loader=max", True),
        ("a text", "another", True),
        ('"x"', '"y"', True),
        ("class Plot:", "class Drawn:\n    pass\nclass Plot(Drawn):", True),
    ],
)
def test_the_words_with_which_a_typed_dict_says_how_plots_are_displayed_do_not_count(
    old: str, new: str, counts: bool, take: Take
) -> None:
    assert (take(OUTS).digest != take(OUTS.replace(old, new, 1)).digest) == counts


@pytest.mark.parametrize(
    ("old", "new"),
    [("return Outs(loss=[], other={})", "return Outs.__annotations__"), ("class Outs(TypedDict)", "class Outs(dict)")],
)
def test_they_count_where_something_may_read_them(old: str, new: str, take: Take) -> None:
    project = OUTS.replace(old, new)

    assert take(project).digest != take(project.replace('title="Loss"', 'title="Losses"')).digest
