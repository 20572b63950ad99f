"""Moved lines of a script: they count where the order of the statements makes a difference, and only there."""

# ruff: noqa: E501 - projects as texts

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pivot_fingerprint import fingerprint_script

type Write = Callable[[str], Path]

REST = "# file: m.py\nX = 7\ndef f():\n    return 8\nimport os\nos.environ['Q'] = 'm'\n# file: n.py\nX = 8\n"
MOVES = {
    "a value and a definition of a name": "<<f = 3\n|def f():\n    return 1\n>>print(f)",
    "a definition and an import of a name": "<<def f():\n    return 1\n|from m import f\n>>print(f())",
    "two imports of a name": "<<import m as k\n|import n as k\n>>print(k.X)",
    "two imports of a name that another module takes": "import a\nprint(a.X)\n# file: a.py\n<<from m import X\n|from n import X\n>>",
    "an import and a conditional value": "<<from m import X\n|if input():\n    X = 4\n>>print(X)",
    "two stars": "<<from m import *\n|from n import *\n>>print(X)",
    "a star and a value": "<<X = 1\n|from m import *\n>>print(X)",
    "a star and an import": "<<from n import X\n|from m import *\n>>print(X)",
    "a value that reads one of several": "a = 1\n<<b = a\n|a = 2\n>>print(b)",
    "a default that is one of several": "a = 1\n<<def f(x=a):\n    return x\n|a = 2\n>>print(f())",
    "a member that is one of several": "a = 1\n<<class C:\n    x = a\n    def f(self, *, y=1):\n        pass\n|a = 2\n>>print(C.x)",
    "another name of one of several definitions": "def f():\n    return 1\n<<g = f\n|def f():\n    return 2\n>>print(g())",
    "a statement that reads one of several": "X = 1\n<<print(X)\n|X = 2\n>>",
    "a call that may read one of several": "X = 1\n<<print()\n|X = 2\n>>",
    "a main block that reads one of several": "X = 1\n<<if __name__ == '__main__':\n    print(X)\n|X = 2\n>>",
    "a main block and an effect": "<<if __name__ == '__main__':\n    print(X)\n|print(2)\n>>X = 1",
    "a value and a change of what it reads": "a = {}\n<<b = a['x']\n|a['x'] = 1\n>>print(b)",
    "a value and a change of the environment": "import os\n<<Q = os.getenv('Q')\n|os.environ['Q'] = 'a'\n>>print(Q)",
    "a default and a change of the environment": "import os\n<<def f(q=os.getenv('Q')):\n    return q\n|os.environ['Q'] = 'a'\n>>print(f())",
    "a value and an import of a module with effects": "import os\n<<Q = os.getenv('Q')\n|import m\n>>print(Q)",
    "an import and an effect": "<<print(1)\n|import m\n>>",
    "an import of a name and an effect": "import m\n<<m.X = 5\n|from m import X\n>>print(X)",
    "an import of a library and an effect": "import os\n<<os.environ['THREADS'] = '1'\n|import numpy\n>>",
    "a value and a name that it needs": "<<A = 1\n|B = [A]\n>>print(B)",
    "a statement and a name that it looks for": "<<X = 1\n|try:\n    print(X)\nexcept NameError:\n    pass\n>>",
    "a decorator and its function": "<<def d(f):\n    return f\n|@d\ndef g(x=lambda: 1):\n    return d\n>>g()",
    "two imports of a name in a module as a whole": "import a\nprint(vars(a))\n# file: a.py\n<<import m as k\n|import n as k\n>>k",
    "a value and a call that gives its name another": "K = 1\n<<L = [K]\n|K = make()\n>>print(L)",
    "a value and a conditional one of its name": "X = 1\n<<Y = X\n|if input():\n    X = 4\n>>print(Y)",
}  # fmt: skip
MERE_MOVES = {
    "imports": "<<import m\n|import n\n>>print(m.X, n.X)",
    "imports of a module as a whole": "import a\nprint(vars(a))\n# file: a.py\n<<import m\n|import n\n>>print(m, n)",
    "imports beside a fallback": "<<try:\n    import fast\nexcept ImportError:\n    fast = None\n|import m\n>>print(m.X, fast)",
    "imports of the standard library and an effect": "<<import json\n|print(1)\n>>",
    "a plain value and an effect": "<<LIMIT = (1, 'a', -2)\n|print(1)\n>>print(LIMIT)",
    "a definition and an effect": "<<def f(x=1):\n    return m.X\n|print(1)\n>>import m\nprint(f())",
    "a class and an effect": "<<@dataclass\nclass C(Base):\n    x: list[int] = 1\n|print(1)\n>>print(C())",
    "a definition and a name that it needs later": "<<X = 1\n|if True:\n    def f(y=lambda: X):\n        return X\n>>print(f())",
    "definitions": "def f():\n    return X\n<<X = 1\n|class C:\n    x = 1\n>>print(f(), C)",
    "a computed value and an import of a library": "import os\n<<Q = os.getenv('Q')\n|import json\n>>print(Q)",
    "names that nothing reads in between": "_ = 1\n<<A = 2\n|_ = 3\n>>print(A)",
}  # fmt: skip


def digests(project: str, write: Write) -> set[str]:
    """The digests of a script with its two marked pieces in either order."""
    head, first, second, tail = re.split(r"<<|[|]|>>", f"# file: run.py\n{project}\n{REST}")
    roots = [write(each) for each in (f"{head}{first}{second}{tail}", f"{head}{second}{first}{tail}")]
    return {fingerprint_script(root / "run.py", root=root).digest for root in roots}


@pytest.mark.parametrize("title", MOVES)
def test_a_move_counts(title: str, write: Write) -> None:
    assert len(digests(MOVES[title], write)) == 2


@pytest.mark.parametrize("title", MERE_MOVES)
def test_a_move_does_not_count(title: str, write: Write) -> None:
    assert len(digests(MERE_MOVES[title], write)) == 1


def test_texts_in_the_place_of_annotations_count_if_something_reads_them(write: Write) -> None:
    def digest(first: str, last: str) -> str:
        root = write(f"# file: run.py\n{first}def f(x: int): pass\n{last}")
        return fingerprint_script(root / "run.py", root=root).digest

    future = "from __future__ import annotations\n"
    assert digest("", "print(f.__annotations__)") != digest(future, "print(f.__annotations__)")
    assert digest("", "print(f)") == digest(future, "print(f)")


def test_a_new_import_at_the_usual_place_does_not_count(write: Write) -> None:
    project = "# file: run.py\nimport os\n{}os.environ['A'] = '1'\nQ = os.getenv('Q')\nprint(Q, m.X)\n" + REST

    roots = [write(project.replace("{}", each)) for each in ("import m\n", "import json\nimport m\nimport numpy\n")]
    assert len({fingerprint_script(root / "run.py", root=root).digest for root in roots}) == 1


def test_names_may_be_imported_together_or_apart(write: Write) -> None:
    project = "# file: run.py\nimport a\nprint(vars(a))\n# file: a.py\n{}\n" + REST

    pieces = (
        "import os, m\nfrom n import Y, X",
        "import m\nfrom n import X\nimport os\nfrom n import Y",
        "import os, m",
    )
    roots = [write(project.replace("{}", each)) for each in pieces]
    found = [fingerprint_script(root / "run.py", root=root).digest for root in roots]
    assert found[0] == found[1] != found[2]
