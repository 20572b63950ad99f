"""Edits of code that a script reaches without naming it: through classes, tables of modules, texts and sources."""

# ruff: noqa: E501 - projects as texts

from collections.abc import Callable
from pathlib import Path

import pytest

from pivot_fingerprint import fingerprint_script

type Write = Callable[[str], Path]

M = "# file: m.py\nA = 1\nB = 2\n"
P = "# file: p/__init__.py\nfrom .a import f, A\nfrom . import b\n# file: p/a.py\nA = 1\ndef f():\n    pass\n# file: p/b.py\nB = 2\n"
ANY = "import p\nprint(getattr(p, input()))\n"
BASES = (
    "# file: m.py\nLIMIT = 3\nclass Base:\n    pass\n# file: n.py\nfrom m import Base\nclass Sub(Base):\n    A = 1\n"
)

COUNTS = {
    "an import of a module in a class": ("class Z:\n    import m as k\nprint(Z.k.A)\n" + M, "A = 1"),
    "an import of a name in a block of a class": ("class Z:\n    if 1:\n        from m import A\nprint(Z.A)\n" + M, "A = 1"),
    "an import into the module": ("def g():\n    global m\n    import m\ng()\nprint(m.A)\n" + M, "A = 1"),
    "an import of a name into the module": ("def g():\n    global A\n    from m import A\ng()\nprint(A)\n" + M, "A = 1"),
    "an import into the module for its effect": ("def g():\n    global m, p\n    import m\n    import p.q as k\n    from p import q\ng()\n# file: m.py\nprint(1)\n# file: p/q.py\nprint(2)\n", "1"),
    "an import of a module in a package into the module": ("def g():\n    global p\n    import p.q\ng()\n# file: p/q.py\nprint(2)\n", "2"),
    "the table of modules by another name of sys": ("import m, sys as s\nprint(s.modules[input()].A)\n" + M, "A = 1"),
    "the table of modules by its name": ("import m\nfrom sys import modules as t\nprint(t[input()].A)\n" + M, "A = 1"),
    "a text that names a module": ("import m\nprint(eval(input()))\n" + M, "A = 1"),
    "a text that names what a star binds": ("from m import *\nprint(globals()[input()])\n" + M, "A = 1"),
    "a text that names what an import binds": ("from m import A\nprint(vars()[input()])\n" + M, "A = 1"),
    "a text after another use": ("import run\nfrom m import A\nprint(run)\ndef f():\n    return globals()\nf()\n" + M, "A = 1"),
    "any name of a package": (ANY + P, "A = 1"),
    "any module of a package": (ANY + P, "B = 2"),
    "any name of a package that stars bind": (ANY + "# file: p/__init__.py\nfrom .a import *\nfrom gone import *\n# file: p/a.py\nA = 1\n", "A = 1"),
    "any loaded module of a package": (ANY + "import p.a\n# file: p/__init__.py\n# file: p/a.py\nA = 1\n", "A = 1"),
    "a package as a value": ("import p\nprint({'p': p})\n" + P, "A = 1"),
    "a subclass": ("import m, n\nprint(m.Base.__subclasses__())\n" + BASES, "A = 1"),
    "a subclass by a text": ("import m, n\nprint(getattr(m.Base, '__subclasses__')())\n" + BASES, "A = 1"),
    "a library behind a star": ("from m import *\nprint(sqrt(4))\n# file: m.py\nfrom math import sqrt\n", "from math"),
    "a module that is not there": ("try:\n    import m\n    H = 1\nexcept ImportError:\n    H = 0\nprint(H)\n" + M, "# file: m.py"),
    "a name that is not there": ("def h():\n    try:\n        from m import A9\n    except ImportError:\n        return 0\nprint(h())\n# file: m.py\nA1 = 1\n", "A1"),
    "a module in a package that is not there": ("import sys\nsys.path.append('gone')\ntry:\n    from p import b\nexcept ImportError:\n    print()\n" + P.replace("from . import b\n", ""), "# file: p/b.py"),
    "a comment in a source": ("import inspect, m\nprint(inspect.getsource(m.f))\n# file: m.py\ndef f():\n    pass  # ?\n", "# ?"),
    "a comment in a source of all": ("from inspect import getsource as g\nfrom m import f\nprint(g(f), globals())\n# file: m.py\ndef f():\n    pass  # ?\n", "# ?"),
    "a docstring": ("from inspect import getdoc\nfrom m import f\nprint(getdoc(f))\n# file: m.py\ndef f():\n    'Text'\n", "Text"),
    "help": ("from m import f\nhelp(f)\n# file: m.py\n# Text\ndef f():\n    pass\n", "Text"),
    "tests in docstrings": ("import doctest, m\nprint(doctest.testmod(m))\n# file: m.py\ndef f():\n    'Text'\n", "Text"),
    "its own text": ("from pathlib import Path\nprint(Path(__file__).resolve().read_text())  # ?\n", "# ?"),
    "a copy of its own text": ("import m\n# file: m.py\nimport shutil\nshutil.copy(__file__, 'x')  # ?\n", "# ?"),
    "a function that a value calls": ("import m, n\nprint(m.L)\n# file: m.py\nL = []\n# file: n.py\nimport m\nZ = sorted([1], key=m.L.append)\n", "[1"),
    "a decorator that has the name of an accessor": ("import m, n\n# file: m.py\nd = make()\n# file: n.py\nfrom m import d\n@d.setter\ndef zz(): pass\n", "zz"),
    "a class that notes its items": ("import m, n\n# file: m.py\nclass D:\n    def __class_getitem__(cls, key):\n        print(key)\n# file: n.py\nfrom m import D\nclass E(D[1]): pass\n", "[1"),
    "a value of the script in a module": ("import m\nY = 1\nm.f()\n# file: m.py\ndef f():\n    import __main__\n    print(__main__.Y)\n", "Y = 1"),
    "a subclass in the script": ("from m import Base\nclass Sub(Base):\n    Y = 1\nprint(Base.__subclasses__())\n" + BASES, "Y = 1"),
    "a text that is no Python of this version": ("try:\n    import m\nexcept SyntaxError:\n    pass\n# file: m.py\nprint 1\n", "1"),
}  # fmt: skip
COUNTS_NOT = {
    "a source that unused code reads": ("import inspect, m\ndef unused():\n    return inspect.getsource(m)\nprint(m.f())\n# file: m.py\ndef f():\n    pass  # ?\n", "# ?"),
    "a path beside the text": ("from pathlib import Path\nprint(open(Path(__file__).parent / 'x'), (input)(__file__), open(x[0]), open(f()))  # ?\n", "# ?"),
    "a copy that another module makes": ("import m  # ?\n# file: m.py\nimport shutil\nshutil.copy(__file__, 'x')\n", "# ?"),
    "variables of a function": ("import m\ndef f(a):\n    return '{a}'.format(**locals())\nprint(f(1))\n" + M, "A = 1"),
    "a module that a module as a value imports": ("import u\nprint(getattr(u, input())())\n# file: u.py\nimport m\ndef f():\n    return m.B\n" + M, "A = 1"),
    "an unused subclass": ("import m, n\nprint(m.Base())\n" + BASES, "A = 1"),
    "a key that is a builtin": ("import m\n# file: m.py\nZ = sorted([1], key=len, reverse=True)\nY = max([2], key=lambda x: x)\n", "[1"),
    "an accessor": ("import m\n# file: m.py\nclass D:\n    @property\n    def x(self): pass\n    @x.setter\n    def x(self, y): pass  # ?\n    z = 1\n", "z = 1"),
    "a script whose modules a program looks up": ("import m\nprint(m.f())\ndef unused():\n    pass  # ?\n    return 1\n# file: m.py\nimport sys\ndef f():\n    return sys.modules[input()]\n", "return 1"),
    "a library that is not there": ("try:\n    import m\nexcept ImportError:\n    pass\nprint()\n# file: other.py\nA = 1\n", "A = 1"),
}  # fmt: skip


def changed(project: str, text: str, write: Write) -> bool:
    """Whether the script is another one if the place of a text has another one."""
    roots = [write(f"# file: run.py\n{each}") for each in (project, project.replace(text, f"{text[:-1]}9"))]
    assert project.count(text) == 1
    before, after = (fingerprint_script(root / "run.py", root=root) for root in roots)
    return before.digest != after.digest


@pytest.mark.parametrize("title", COUNTS)
def test_an_edit_counts(title: str, write: Write) -> None:
    assert changed(*COUNTS[title], write)


@pytest.mark.parametrize("title", COUNTS_NOT)
def test_an_edit_does_not_count(title: str, write: Write) -> None:
    assert not changed(*COUNTS_NOT[title], write)
