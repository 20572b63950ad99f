"""Edits that do not change the fingerprint."""

# ruff: noqa: E501, Q000 - a row of the table is a line, as written

from collections.abc import Callable

import pytest

from pivot_fingerprint import Manifest

BASE = '''
"""A pipeline."""
import json
import utils
from settings import RATE, Options

TABLE = {"a": lambda x: x + 1, "b": lambda x: x - 1}

def unrelated(x):
    return x

class Plain:
    """Says something."""
    limit = 3
    def run(self, n: int) -> int:
        """Runs."""
        count: int = n
        return count + self.limit

@utils.timed(2)
def decorated(x):
    if x < 0:
        "Negative."
        x = -x
    return TABLE["a"](x)

def helper(x, y=1):
    """Helps."""
    return (x + y) * RATE

def empty():
    """Only a docstring."""

def stage(x: int) -> list[int]:
    """Does it."""
    import lazy
    name = "quoted"
    found = [helper(i) for i in range(x)]
    empty()
    return [found, decorated(x), Plain().run(x), Options(), json.dumps(name), f"{name!r} {x}", lazy.f()]
# file: utils.py
import functools

def timed(n):
    def deco(f):
        @functools.wraps(f)
        def inner(*args):
            return f(*args)
        return inner
    return deco
# file: settings.py
import dataclasses
from pathlib import Path

HERE = Path(__file__).parent
RATE = 3
UNUSED = 4

@dataclasses.dataclass
class Options:
    """Options."""
    where: Path = HERE
# file: lazy.py
UNUSED = 1

def f():
    return 1
'''

EDITS = {
    "a comment": ("    name = ", "    # now\n    name = "),
    "a blank line": ("    name = ", "\n    name = "),
    "lines moved": ('"""A pipeline."""\n', '"""A pipeline."""\n\n\n\n# more\n'),
    "quotes": ('"quoted"', "'quoted'"),
    "a text in two pieces": ('"quoted"', '"quo" "ted"'),
    "an f-string's quotes": ('f"{name!r} {x}"', "f'{name!r} {x}'"),
    "parentheses": ("return (x + y) * RATE", "return ((x + y) * (RATE))"),
    "formatting": ("return (x + y) * RATE", "return (\n        x+y\n    )*RATE"),
    "a trailing comma": ("decorated(x), Plain", "decorated(x,), Plain"),
    "a number's spelling": ("RATE = 3", "RATE = 0x3"),
    "the stage's docstring": ('"""Does it."""', '"""Does something else."""'),
    "the stage's docstring removed": ('    """Does it."""\n', ""),
    "a helper's docstring": ('"""Helps."""', '"""Helps more."""'),
    "a class's docstring": ('"""Says something."""', '"""Says more."""'),
    "a text in a block": ('        "Negative."\n', "        ...\n        pass\n"),
    "a text in a block removed": ('        "Negative."\n', ""),
    "a method's docstring": ('"""Runs."""', '"""Walks."""'),
    "a body that is a docstring": ('    """Only a docstring."""', "    pass"),
    "a body that is a docstring, as dots": ('    """Only a docstring."""', "    ..."),
    "the module's docstring": ('"""A pipeline."""', '"""Another."""'),
    "an unrelated function": ("def unrelated(x):\n    return x", "def unrelated(x):\n    return x + 1"),
    "an unrelated function removed": ("def unrelated(x):\n    return x\n", ""),
    "an unrelated constant": ("UNUSED = 4", "UNUSED = 5"),
    "an unrelated constant of a module imported later": ("UNUSED = 1", "UNUSED = 2"),
    "an unused import": ("import json\n", "import json\nimport os\n"),
    "imports reordered": ("import json\nimport utils\n", "import utils\nimport json\n"),
    "a parameter's annotation": ("x: int)", "x: float)"),
    "an annotation removed": ("x: int)", "x)"),
    "a result's annotation": ("-> list[int]:", "-> object:"),
    "a variable's annotation": ("count: int = n", "count: float = n"),
    "a variable's annotation removed": ("count: int = n", "count = n"),
    "a bare annotation": ("    empty()\n", "    empty()\n    other: int\n"),
    "a superfluous pass": ("    empty()\n", "    empty()\n    pass\n"),
    "an unused lambda on the line": ('x - 1}\n', 'x - 1}; unused = lambda x: x * 3\n'),
    "definitions reordered": (
        'def helper(x, y=1):\n    """Helps."""\n    return (x + y) * RATE\n\ndef empty():\n    """Only a docstring."""\n',
        'def empty():\n    """Only a docstring."""\n\ndef helper(x, y=1):\n    """Helps."""\n    return (x + y) * RATE\n',
    ),
    "another checkout": ("stage", "stage"),
}  # fmt: skip


@pytest.mark.parametrize("title", EDITS)
def test_an_edit_does_not_count(title: str, take: Callable[..., Manifest]) -> None:
    old, new = EDITS[title]
    assert old in BASE
    before, after = take(BASE), take(BASE.replace(old, new, 1))

    assert dict.fromkeys(before) == dict.fromkeys(after)
    assert [entry.digest for entry in before.values()] == [entry.digest for entry in after.values()]


def test_the_base_is_followed_in_full(take: Callable[..., Manifest]) -> None:
    manifest = take(BASE)

    assert list(manifest) == [
        "class:pipeline:Plain",
        "class:settings:Options",
        "const:pipeline:TABLE",
        "const:pipeline:decorated",
        "const:settings:HERE",
        "const:settings:RATE",
        "func:lazy:f",
        "func:pipeline:decorated",
        "func:pipeline:empty",
        "func:pipeline:helper",
        "func:pipeline:stage",
        "func:utils:timed",
    ]
    assert manifest.unresolved == ()


DOCS = '''
from helpers import other
def f():
    """One."""
class A:
    """Two."""
    def go(self):
        """Three."""
alias = f
said = lambda: f.__doc__
def stage(x):
    return READ, f, A, alias, other
# file: helpers.py
def other():
    """Four."""
'''


@pytest.mark.parametrize(
    ("read", "counts"),
    [
        ("f.__doc__", "One"),
        ("getattr(f, '__doc__')", "One"),
        ("A.__doc__", "Two Three"),
        ("A.go.__doc__", "One Two Three Four"),
        ("alias.__doc__", "One Two Three Four"),
        ("x.__doc__", "One Two Three Four"),
        ("other.__doc__, len.__doc__", "Four"),
        ("f.__doc__, A.__doc__", "One Two Three"),
        ("said()", "One"),
        ("1", ""),
    ],
)
def test_a_docstring_that_is_read_counts_and_no_other(read: str, counts: str, take: Callable[..., Manifest]) -> None:
    project = DOCS.replace("READ", read)
    changed = [
        word for word in ("One", "Two", "Three", "Four") if take(project) != take(project.replace(word, "Other"))
    ]

    assert changed == counts.split()
