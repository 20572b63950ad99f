"""Code that cannot be followed is listed with file, line and reason, and never raises."""

# ruff: noqa: E501 - projects as texts

from collections.abc import Callable

import pytest

from pivot_fingerprint import Manifest

TABLE = {
    "eval": ("def stage(x):\n    return eval(x)\n", 2, "this runs text as code with `eval`"),
    "exec": ("def stage(x):\n    exec(x)\n", 2, "this runs text as code with `exec`"),
    "globals": ("def stage(x):\n    return globals()[x]\n", 2, "this looks names up in `globals()`"),
    "sys.modules": ("import sys\ndef stage(x):\n    return sys.modules[x]\n", 3, "this looks modules up in `sys.modules`"),
    "a computed getattr": (
        "import json\ndef stage(x):\n    return getattr(json, x)\n",
        3,
        "this takes an attribute whose name is computed (`getattr`)",
    ),
    "a computed import": (
        "import importlib\ndef stage(x):\n    return importlib.import_module(x)\n",
        3,
        "this imports a module whose name is computed",
    ),
    "a computed __import__": ("def stage(x):\n    return __import__(x)\n", 2, "this imports a module whose name is computed"),
    "a class's subclasses": (
        "class A:\n    pass\ndef stage(x):\n    return A.__subclasses__()\n",
        4,
        "this asks a class for its subclasses",
    ),
    "an undefined name": ("def stage(x):\n    return nowhere(x)\n", 2, "the name `nowhere` is not defined"),
    "a missing module that a place on the path may have": (
        "import sys\ndef stage(x):\n    sys.path.append(x)\n    import nowhere_at_all\n    return nowhere_at_all.f\n",
        5,
        "the module `nowhere_at_all` cannot be found",
    ),
    "a missing part of a package": (
        "import pack\ndef stage(x):\n    import pack.gone\n    from pack.gone import f\n    return f\n# file: pack/__init__.py\n",
        5,
        "the module `pack.gone` cannot be found",
    ),
    "a name that only a function will bind": (
        "if False:\n    tool = 1\ndef load():\n    global tool\n    tool = 2\ndef stage(x):\n    return tool\n",
        7,
        "the name `tool` is not defined",
    ),
    "a missing attribute": (
        "import utils\ndef stage(x):\n    return utils.f\n# file: utils.py\n",
        3,
        "the module `utils` has no attribute `f`",
    ),
    "a missing attribute of a module imported later": (
        "def stage(x):\n    import utils\n    return utils.f\n# file: utils.py\n",
        3,
        "the module `utils` has no attribute `f`",
    ),
    "a module's __getattr__": (
        "import utils\ndef stage(x):\n    return utils.f\n# file: utils.py\ndef __getattr__(name):\n    return 1\n",
        3,
        "the module `utils` makes its attribute `f` at run time",
    ),
}  # fmt: skip


@pytest.mark.parametrize("title", TABLE)
def test_it_is_listed(title: str, take: Callable[..., Manifest]) -> None:
    project, line, reason = TABLE[title]
    (edge,) = take(project).unresolved

    assert tuple(edge) == ("pipeline.py", line, reason, "func:pipeline:stage")


NOTHING = {
    "a local called eval": "def stage(eval):\n    return eval('1')\n",
    "a method called eval": "def stage(x):\n    return x.eval('1')\n",
    "getattr on self": "class A:\n    def f(self, name):\n        return getattr(self, name)\ndef stage(x):\n    return A().f(x)\n",
    "an optional import": "try:\n    import nowhere_at_all\nexcept ImportError:\n    nowhere_at_all = None\n"
    "def stage(x):\n    return nowhere_at_all\n",
    "an optional import in a function": "def stage(x):\n    import nowhere_at_all.part as n\n    import nowhere_at_all\n    return n.f(nowhere_at_all)\n",
    "a missing part of a library": "def stage(x):\n    import json.gone\n    from json.gone import f\n    return f\n",
    "a missing part of a package that nothing uses": "import pack\ndef stage(x):\n    from pack.gone import f\n    return pack.K\n"
    "# file: pack/__init__.py\nK = 1\n",
    "a name imported for type checkers": "from __future__ import annotations\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
    "    from typing import Final\nclass Base:\n    pass\nclass A(Base):\n    kind: Final = 1\ndef stage(x):\n    return A\n",
    "a base that is deleted": "class Base:\n    pass\nclass A(Base):\n    pass\ndel Base\ndef stage(x):\n    return A\n",
    "a global set by the function": "def stage(x):\n    global seen\n    seen = x\n    return seen\n",
    "names used in annotations alone": "from __future__ import annotations\ndef stage(x: Nowhere) -> Never:\n"
    "    y: Elsewhere = x\n    return y\n",
    "type parameters": "class A[T]:\n    def f(self, x: T) -> T:\n        return [T, x]\ndef stage[S](x: S):\n    return [S, A]\n",
    "a class's own names": "class A:\n    x = 1\n    y = [x]\n    z = [i for i in y]\n    def x2(self):\n        return __class__\n"
    "def stage(x):\n    return A\n",
    "an exception's name": "def stage(x):\n    try:\n        pass\n    except OSError as error:\n        return error\n",
    "names of patterns": "def stage(x):\n    match x:\n        case [a, *b] | {'k': a, **b}:\n            return a, b\n",
    "nonlocal": "def stage(x):\n    n = 1\n    def f():\n        nonlocal n\n        n += 1\n        return n\n    return f\n",
    "the stage itself": "def stage(x):\n    return stage(x)\n",
    "functions that call each other": "def stage(x):\n    return a(x)\ndef a(x):\n    return b(x)\ndef b(x):\n    return a(x)\n",
    "classes that know each other": "class A:\n    def f(self):\n        return B\nclass B(A):\n    def f(self):\n        return A\n"
    "def stage(x):\n    return A\n",
    "modules that import each other": "import a\ndef stage(x):\n    return a.f()\n# file: a.py\nimport b\ndef f():\n    return b.g()\n"
    "# file: b.py\nimport a\ndef g():\n    return a.f()\n",
    "modules imported later that import each other": "def stage(x):\n    import a\n    return a.f()\n# file: a.py\nfrom b import *\n"
    "# file: b.py\nfrom a import *\ndef f():\n    return 1\n",
    "__name__ and __file__": "def stage(x):\n    return __name__, __file__\n",
    "a logger": "import logging\nlog = logging.getLogger(__name__)\ndef stage(x):\n    log.info('x')\n",
    "a sentinel": "MISSING = object()\ndef stage(x):\n    return x is MISSING\n",
}  # fmt: skip


@pytest.mark.parametrize("title", NOTHING)
def test_nothing_is_unresolved(title: str, take: Callable[..., Manifest]) -> None:
    assert take(NOTHING[title]).unresolved == ()
