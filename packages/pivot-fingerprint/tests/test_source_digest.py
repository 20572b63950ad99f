"""Source digests of names: edits that count, and edits that never do."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pivot_fingerprint import recheck, source_digest
from pivot_fingerprint.observation import source_lines

TEXT = '''
"""A module."""
import os
from sys import path as where

RATE = 0.5
TABLE = {"a": lambda x: x + RATE}
TABLE["b"] = len


@os.register(RATE)
def f(x, y=RATE):
    """Says it."""
    def inner(z):
        return z + 1
    return inner(x)


class Net(object):
    """Says more."""
    limit = 3

    def fit(self, n=1):
        """Fits."""
        return [n, self.limit]


try:
    import fast
except ImportError:
    fast = None

    def slow(x):
        return x

if __name__ == "__main__":
    f(1)


def twice():
    return 1


def twice():
    return 2
'''
NAMES = ("f", "f.<locals>.inner", "Net", "Net.fit", "RATE", "TABLE", "slow", "twice", "fast", "<module>")

EDITS = [
    ("a comment", "    def inner", "    # hm\n    def inner", ""),
    ("moved lines", '"""A module."""', '"""A module."""\n\n\n', ""),
    ("docstrings", '"""Says it."""', '"""Says nothing."""', ""),
    ("a class's docstring", '    """Says more."""\n', "", ""),
    ("the module's docstring", '"""A module."""', "", ""),
    ("formatting", "[n, self.limit]", "[\n            n,\n            self.limit,\n        ]", ""),
    ("quotes", '{"a"', "{'a'", ""),
    ("an annotation", "x, y=RATE", "x: int, y=RATE", ""),
    ("a nested body", "z + 1", "z + 2", "f f.<locals>.inner"),
    ("a method's body", "[n, self.limit]", "[self.limit, n]", "Net Net.fit"),
    ("a method's default", "n=1", "n=2", "Net Net.fit <module>"),
    ("a method's name", "def fit", "def fits", "Net Net.fit <module>"),
    ("a class's attribute", "limit = 3", "limit = 4", "Net Net.fit <module>"),
    ("a default", "y=RATE", "y=9", "f f.<locals>.inner <module>"),
    ("a decorator", "@os.register(RATE)", "@os.register(1)", "f f.<locals>.inner <module>"),
    ("a constant", "RATE = 0.5", "RATE = 1", "RATE <module>"),
    ("a table's lambda", "x + RATE}", "x - RATE}", "RATE TABLE <module>"),
    ("a later change of a table", '["b"]', '["c"]', "TABLE <module>"),
    ("a body below a try", "return x\n\nif", "return -x\n\nif", "slow"),
    ("what stands beside it", "fast = None", "fast = 1", "fast <module>"),
    ("an import", "import os\n", "import os, re\n", "<module>"),
    ("one of two definitions", "return 1", "return 3", "twice"),
    ("the other one", "return 2", "return 3", "twice"),
]


@pytest.mark.parametrize(("old", "new", "names"), [edit[1:] for edit in EDITS], ids=[edit[0] for edit in EDITS])
def test_an_edit_changes_these_forms_alone(old: str, new: str, names: str) -> None:
    assert TEXT.count(old) == 1
    edited = TEXT.replace(old, new)

    assert names.split() == [name for name in NAMES if source_digest(TEXT, name) != source_digest(edited, name)]
    assert all(line_of(TEXT, name) != line_of(edited, name) for name in names.split()), "the lines show each edit"


def line_of(text: str, name: str) -> str | None:
    return source_lines(text.encode(), f"func:any:{name}")


def test_lines_are_those_of_the_file_as_far_as_they_count_as_a_whole() -> None:
    assert line_of(TEXT, "f") == TEXT[TEXT.index("@os.register") : TEXT.index("\n\nclass")]
    assert line_of(TEXT, "twice") == "def twice():\n    return 1\ndef twice():\n    return 2\n"
    assert line_of("def f():\r\n    return 1\r\n", "f") == "def f():\n    return 1\n"
    assert source_lines(b"import a\nrun()\ndef f(): pass\n", "effects:any") == "import a\nrun()\n"
    assert source_lines(b"import a\ndef f(): return 1\n", "module:any") == "import a\ndef f():\n"
    assert source_lines(b"import a\n# why\nrun()\n", "module:any:*") == "import a\nrun()\n"
    assert source_lines(f"class A:\n    def f(self): pass\n    x = {'1 + ' * 2000}1\n".encode(), "module:any") is None
    assert line_of("", "f") is None
    assert line_of("def (", "f") is None


def test_a_missing_name_has_no_digest() -> None:
    assert all(source_digest(TEXT, name) is not None for name in NAMES)
    assert [source_digest(TEXT, name) for name in ("nothing", "<lambda>", "inner")] == [None] * 3
    assert source_digest("def (", "f") is None
    assert source_digest(b"\xff\xfe\xff", "f") is None


def test_keys_are_rechecked_by_their_names() -> None:
    assert recheck(TEXT, "func:any.where:f") == source_digest(TEXT, "f")
    assert recheck(TEXT, "class:any:Net") == source_digest(TEXT, "Net")
    assert recheck(TEXT, "const:any:RATE") == source_digest(TEXT, "RATE")
    assert recheck(TEXT, "module:any") == source_digest(TEXT, "<module>")
    assert recheck("", "func:any:f") is None


BOUND = """
from math import floor as near
from far import *
import a.b


class A:
    def go(self, x):
        return near(x) + far(x) + len(a.b.c)


def f(x):
    return A().go(x)


A.rate = 1
"""


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ("floor as near", "ceil as near", "A"),
        ("from math import floor as near", "def near(x):\n    pass", "A"),
        ("from math import floor as near", "try:\n    from math import floor as near\nexcept E:\n    near = 1", "A"),
        ("from far import *", "from near import *", "A"),
        ("import a.b", "import x as a", "A"),
        ("import a.b", "import a.b, unused\nfrom c import d", ""),
        ("A.rate = 1", "A.rate = 2", "A"),
        ("A.rate = 1", "A.rate = 1\nsetattr(A, 'x', 2)", "A"),
        ("A.rate = 1", "A.rate = 1\nfor k in 'ab':\n    A.table[k] = k", "A"),
        ("A.rate = 1", "A.rate = 1\nA.more()\n", "A"),
        ("A.rate = 1", "A.rate = 1\n@A.add\ndef g():\n    pass\n", "A"),
        ("A.rate = 1", "A.rate = 1\nB = A()\n", ""),
        ("A.rate = 1", "A.rate = 1\ndel f.x", "f"),
        ("A.rate = 1", "A.rate = 1\nif __name__ == '__main__':\n    f(A)", ""),
    ],
)
def test_targets_of_names_and_changes_of_a_definition_count(old: str, new: str, names: str) -> None:
    edited = BOUND.replace(old, new)

    assert edited != BOUND
    assert names.split() == [name for name in ("A", "f") if source_digest(BOUND, name) != source_digest(edited, name)]


def test_a_name_that_is_only_imported_counts_by_its_target() -> None:
    assert source_digest("from a import b", "b") == source_digest("import z\nfrom a import c, b", "b")
    assert source_digest("from a import b", "b") != source_digest("from a import c as b", "b")
    assert source_digest("from a import *", "b") != source_digest("from c import *", "b")


def test_bytes_are_text_in_the_encoding_that_they_declare() -> None:
    text = "# coding: latin-1\nX = 'ä'\n"

    assert source_digest(text.encode("latin-1"), "X") == source_digest(text, "X") == source_digest("X = 'ä'", "X")


def test_digests_are_the_same_everywhere() -> None:
    assert source_digest("def f(x):\n    return x + 1\n", "f") == GOLDEN_F
    assert source_digest("import os\nRATE = 1\ndef f(x=RATE):\n    return x\n", "<module>") == GOLDEN_MODULE


GOLDEN_F = "a32602177a4fb8baf4efe165cd1dde57"
GOLDEN_MODULE = "f65bed07601003227934672fe06f573e"


@given(st.lists(st.sampled_from(["\n", "# note\n", '"""text"""\n', "pass\n"]), max_size=4), st.booleans())
def test_meaningless_text_never_counts(noise: list[str], unparsed: bool) -> None:
    parts = TEXT.split("\n\n\n")
    edited = "\n".join([parts[0], *noise, *parts[1:]])
    if unparsed:
        edited = ast.unparse(ast.parse(edited))

    assert [source_digest(edited, name) for name in NAMES] == [source_digest(TEXT, name) for name in NAMES]


@pytest.mark.parametrize(
    ("statement", "counts"),
    [
        ("import re, json.decoder", False),
        ("from math import floor", False),
        ("import mine", True),
        ("from . import json", True),
        ("def f(a, b=3):\n    return run()", False),
        ("def f(a, b=run()):\n    pass", True),
        ("@known\ndef f():\n    pass", True),
        ("class A(dict):\n    'Says.'\n    x: int = 1\n    y: str\n    def f(self):\n        return run()", False),
        ("class A(Base):\n    pass", True),
        ("class A(metaclass=Meta):\n    pass", True),
        ("class A:\n    x = run()", True),
        ("X = Y = {'a': [1]}", False),
        ("X = (y := 1)", True),
        ("T['a'] = 1", True),
        ("X: int = 1", False),
        ("X: int = run()", True),
        ("X.y: int = 1", True),
        ("if TYPE_CHECKING:\n    import mine", False),
        ("if TYPE_CHECKING:\n    pass\nelse:\n    import mine", True),
        ("if x:\n    y = 1", True),
        ("run()", True),
        ("pass", False),
    ],
)
def test_effects_of_a_module_besides_binding_names(statement: str, counts: bool) -> None:
    before = recheck(TEXT, "effects:any")

    assert before is not None
    assert (recheck(f"{statement}\n{TEXT}", "effects:any") != before) is counts
