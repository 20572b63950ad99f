"""Edits that change the fingerprint, each with the entries that change."""

# ruff: noqa: E501 - a row of the table is a line, as written

from collections.abc import Callable
from typing import NamedTuple

import pytest

from pivot_fingerprint import Manifest, diff


class Edit(NamedTuple):
    title: str
    project: str
    old: str
    new: str
    keys: str = ""  # the changed keys, where the table promises exactly these


EDITS = [
    Edit(
        "the value of a type alias",
        "type Row = list[int]\ndef stage(x):\n    return Row.__value__\n",
        "list[int]",
        "list[str]",
        "const:pipeline:Row",
    ),
    Edit(
        "a class that the value of an imported type alias names",
        "from kinds import Row\ndef stage(x):\n    return Row.__value__\n"
        "# file: kinds.py\ntype Row[T] = list[A[T]] | Nowhere\nclass A[T]:\n    x = 1\n",
        "x = 1",
        "x = 2",
        "class:kinds:A",
    ),
    Edit(
        "a virtual subclass",
        "import abc\nclass B(abc.ABC):\n    pass\nclass A:\n    pass\nB.register(A)\n"
        "def stage(x):\n    return isinstance(x, B)\n",
        "B.register(A)",
        "A",
    ),
    Edit(
        "a virtual subclass's member",
        "import abc\nclass B(abc.ABC):\n    pass\n@B.register\nclass A:\n    x = 1\n"
        "def stage(x):\n    return isinstance(x, B)\n",
        "x = 1",
        "x = 2",
        "class:pipeline:A",
    ),
    Edit("the stage itself", "def stage(x):\n    return x + 1", "+ 1", "+ 2", "func:pipeline:stage"),
    Edit(
        "a helper in the same module",
        "def stage(x):\n    return helper(x)\ndef helper(x):\n    return x + 1",
        "+ 1",
        "- 1",
        "func:pipeline:helper",
    ),
    Edit(
        "a helper in another module",
        "from utils import normalize\ndef stage(x):\n    return normalize(x)\n"
        "# file: utils.py\ndef normalize(x):\n    return x * 2\n",
        "x * 2",
        "x * 3",
        "func:utils:normalize",
    ),
    Edit(
        "a helper of a helper",
        "import utils\ndef stage(x):\n    return utils.a(x)\n"
        "# file: utils.py\nimport deep\ndef a(x):\n    return deep.b(x)\n"
        "# file: deep.py\ndef b(x):\n    return 1\n",
        "return 1",
        "return 2",
        "func:deep:b",
    ),
    Edit(
        "a relative import in a package",
        "from pkg.work import run\ndef stage(x):\n    return run(x)\n# file: pkg/__init__.py\n"
        "# file: pkg/work.py\nfrom .inner import g\nfrom . import other\ndef run(x):\n    return g(x), other.h(x)\n"
        "# file: pkg/inner.py\ndef g(x):\n    return 1\n# file: pkg/other.py\ndef h(x):\n    return 5\n",
        "return 5",
        "return 6",
        "func:pkg.other:h",
    ),
    Edit(
        "a star import",
        "from utils import *\ndef stage(x):\n    return f(x) + K\n# file: utils.py\nK = 1\ndef f(x):\n    return x\n",
        "K = 1",
        "K = 2",
        "const:utils:K",
    ),
    Edit(
        "a re-export under an alias",
        "from pkg import work as w\ndef stage(x):\n    return w(x)\n# file: pkg/__init__.py\n"
        "from ._impl import run as work\n# file: pkg/_impl.py\ndef run(x):\n    return 1\n",
        "return 1",
        "return 2",
        "func:pkg._impl:run",
    ),
    Edit(
        "a chain of module attributes",
        "import pkg.sub.leaf\ndef stage(x):\n    return pkg.sub.leaf.f(x)\n# file: pkg/__init__.py\n"
        "# file: pkg/sub/__init__.py\n# file: pkg/sub/leaf.py\ndef f(x):\n    return 1\n",
        "return 1",
        "return 2",
        "func:pkg.sub.leaf:f",
    ),
    Edit(
        "a namespace package",
        "import ns.leaf\ndef stage(x):\n    return ns.leaf.f(x)\n# file: ns/leaf.py\ndef f(x):\n    return 1\n",
        "return 1",
        "return 2",
        "func:ns.leaf:f",
    ),
    Edit(
        "an import inside the function, of a module not imported",
        "def stage(x):\n    import lazy\n    return lazy.f(x)\n# file: lazy.py\ndef f(x):\n    return g(x)\n"
        "def g(x):\n    return 1\n",
        "return 1",
        "return 2",
        "func:lazy:g",
    ),
    Edit(
        "a from-import inside the function",
        "def stage(x):\n    from pkg.lazy import K as limit\n    return limit\n# file: pkg/__init__.py\n"
        "# file: pkg/lazy.py\nBASE = 3\nK = BASE + 1\n",
        "BASE = 3",
        "BASE = 4",
        "const:pkg.lazy:BASE",
    ),
    Edit(
        "an import inside the function, through a re-export",
        "def stage(x):\n    from pkg import f\n    return f(x)\n# file: pkg/__init__.py\nfrom .impl import *\n"
        "# file: pkg/impl.py\ndef f(x):\n    return 1\n",
        "return 1",
        "return 2",
        "func:pkg.impl:f",
    ),
    Edit(
        "an import for its effect alone",
        "def stage(x):\n    import effects\n    return x\n# file: effects.py\nimport os\nX = 1\n",
        "X = 1",
        "X = 2",
        "module:effects:*",
    ),
    Edit(
        "an import in try and except",
        "try:\n    import nowhere_to_be_found as fast\nexcept ImportError:\n    import slow as fast\n"
        "def stage(x):\n    return fast.f(x)\n# file: slow.py\ndef f(x):\n    return 1\n",
        "return 1",
        "return 2",
        "func:slow:f",
    ),
    Edit(
        "a literal import_module",
        "import importlib\ndef stage(x):\n    return importlib.import_module('plugin').f(x)\n"
        "# file: plugin.py\ndef f(x):\n    return 1\n",
        "return 1",
        "return 2",
        "func:plugin:f",
    ),
    Edit(
        "a literal import_module kept in a variable",
        "import importlib\ndef stage(x):\n    m = importlib.import_module('plugin')\n    return m.f(x)\n"
        "# file: plugin.py\ndef f(x):\n    return 1\n",
        "return 1",
        "return 2",
        "func:plugin:f",
    ),
    Edit(
        "a literal getattr",
        "import utils\ndef stage(x):\n    return getattr(utils, 'f')(x)\n# file: utils.py\ndef f(x):\n    return 1\n",
        "return 1",
        "return 2",
        "func:utils:f",
    ),
    Edit(
        "a computed getattr brings the whole module",
        "import utils\ndef stage(x):\n    return getattr(utils, x)()\n# file: utils.py\ndef f():\n    return 1\n",
        "return 1",
        "return 2",
        "module:utils:*",
    ),
    *(
        Edit(f"a helper used {where}", f"def stage(x):\n    {code}\ndef helper(x):\n    return 1\n", "return 1", "return 2",
             "func:pipeline:helper")
        for where, code in {
            "in a comprehension": "return [helper(i) for i in x]",
            "in a comprehension's condition": "return {i for i in x if helper(i)}",
            "in a generator": "return sum(helper(i) for i in x)",
            "in a dict comprehension": "return {i: helper(i) for i in x}",
            "in a lambda": "return (lambda i: helper(i))(x)",
            "as a lambda's default": "return (lambda i, h=helper: h(i))(x)",
            "in a nested function": "def inner():\n        return helper(x)\n    return inner()",
            "in a nested class": "class C:\n        y = helper(x)\n    return C",
            "in a method of a nested class": "class C:\n        def m(self):\n            return helper(x)\n    return C",
            "in an async function": "async def f():\n        await helper(x)\n    return f",
            "in a match statement": "match helper(x):\n        case _:\n            return 9",
            "in a match guard": "match x:\n        case y if helper(y):\n            return 9",
            "in an f-string": "return f'{helper(x):>3}'",
            "in a format specification": "return f'{x:{helper(x)}}'",
            "in a walrus": "return (y := helper(x)) and y",
            "in a try": "try:\n        return x\n    except Exception:\n        return helper(x)",
            "as a value": "return map(helper, x)",
            "behind a same-named loop variable": "return [helper for helper in helper(x)]",
            "in a decorator inside": "@helper\n    def f():\n        pass\n    return f",
            "through a global statement": "global helper\n    return helper(x)",
        }.items()
    ),
    Edit("a match pattern's class", "class P:\n    x = 1\ndef stage(v):\n    match v:\n        case P():\n            return 1\n",
         "x = 1", "x = 2", "class:pipeline:P"),
    Edit("None and False in patterns", "def stage(v):\n    match v:\n        case None:\n            return 1\n",
         "case None", "case False"),
    Edit("a default's value", "RATE = 1\ndef stage(x, rate=RATE):\n    return x\n", "RATE = 1", "RATE = 2"),
    Edit("a keyword default's value", "RATE = 1\ndef f(x, *, rate=RATE):\n    return x\ndef stage(x):\n    return f(x)\n",
         "RATE = 1", "RATE = 2"),
    Edit("a computed default", "def stage(x, rate=sum([1, 2])):\n    return x\n", "[1, 2]", "[1, 3]", "func:pipeline:stage"),
    Edit("a closure's cell", "def make(n):\n    def stage(x):\n        return x + n\n    return stage\nstage = make(1)\n",
         "make(1)", "make(2)", "call:pipeline:make.<locals>.stage"),
    Edit("a closure's code", "def make(n):\n    def stage(x):\n        return x + n\n    return stage\nstage = make(1)\n",
         "x + n", "x - n", "func:pipeline:make"),
    Edit("one of two functions from one factory",
         "def make(n):\n    def f(x):\n        return x + n\n    return f\na = make(1)\nb = make(2)\n"
         "def stage(x):\n    return a(x) + b(x)\n", "make(2)", "make(3)", "const:pipeline:b"),
    Edit("two functions from one factory, swapped",
         "def make(n):\n    def f(x):\n        return x + n\n    return f\na = make(1)\nb = make(2)\n"
         "def stage(x):\n    return a(x) - b(x)\n", "a = make(1)\nb = make(2)", "a = make(2)\nb = make(1)"),
    Edit("aliases swapped", "from u import f as a, g as b\ndef stage(x):\n    return a(b(x))\n# file: u.py\n"
         "def f(x):\n    return 1\ndef g(x):\n    return 2\n", "f as a, g as b", "g as a, f as b"),
    Edit("a wrapper", "from deco import timed\n@timed(3)\ndef stage(x):\n    return x\n# file: deco.py\nimport functools\n"
         "def timed(n):\n    def deco(f):\n        @functools.wraps(f)\n        def inner(*a):\n            return f(*a)\n"
         "        return inner\n    return deco\n", "return f(*a)", "return [f(*a)]", "func:deco:timed"),
    Edit("what is wrapped", "import functools\ndef deco(f):\n    @functools.wraps(f)\n    def inner(*a):\n        return f(*a)\n"
         "    return inner\n@deco\ndef f(x):\n    return 1\ndef stage(x):\n    return f(x)\n", "return 1", "return 2",
         "func:pipeline:f"),
    Edit("what is wrapped without functools.wraps", "def deco(f):\n    def inner(*a):\n        return f(*a)\n    return inner\n"
         "@deco\ndef f(x):\n    return 1\ndef stage(x):\n    return f(x)\n", "return 1", "return 2", "func:pipeline:f"),
    Edit("a decorator's argument", "N = 1\ndef deco(n):\n    def outer(f):\n        def inner(*a):\n            return f(*a), n\n"
         "        return inner\n    return outer\n@deco(N)\ndef f(x):\n    return 1\ndef stage(x):\n    return f(x)\n", "N = 1", "N = 2"),
    Edit("stacked decorators, reordered", "def a(f):\n    return lambda x: f(x) + 1\ndef b(f):\n    return lambda x: f(x) * 2\n"
         "@a\n@b\ndef f(x):\n    return x\ndef stage(x):\n    return f(x)\n", "@a\n@b", "@b\n@a"),
    Edit("a decorator removed", "import functools\n@functools.lru_cache\ndef f(x):\n    return 1\ndef stage(x):\n    return f(x)\n",
         "@functools.lru_cache\n", ""),
    Edit("a cached function", "import functools\n@functools.lru_cache(maxsize=3)\ndef f(x):\n    return 1\ndef stage(x):\n"
         "    return f(x)\n", "return 1", "return 2", "func:pipeline:f"),
    Edit("a context manager", "import contextlib\n@contextlib.contextmanager\ndef cm():\n    yield 1\ndef stage(x):\n"
         "    with cm() as y:\n        return y\n", "yield 1", "yield 2", "func:pipeline:cm"),
    Edit("a partial's argument", "import functools\ndef f(x, n):\n    return 1\ng = functools.partial(f, n=1)\ndef stage(x):\n"
         "    return g(x)\n", "n=1)", "n=2)", "const:pipeline:g"),
    Edit("a partial's function", "import functools\ndef f(x, n):\n    return 1\ng = functools.partial(f, n=1)\ndef stage(x):\n"
         "    return g(x)\n", "return 1", "return 2", "func:pipeline:f"),
    Edit("the stage is a partial", "import functools\ndef f(x, n):\n    return 1\nstage = functools.partial(f, n=1)\n", "n=1)", "n=2)"),
    Edit("a registered implementation", "import functools\n@functools.singledispatch\ndef f(x):\n    return 0\n"
         "@f.register\ndef _(x: int):\n    return 1\n@f.register\ndef _(x: str):\n    return 2\ndef stage(x):\n    return f(x)\n",
         "return 1", "return 3"),
    Edit("a dispatch table's lambda", "T = {'a': lambda x: 1, 'b': lambda x: 2}\ndef stage(x):\n    return T[x](x)\n",
         "x: 1", "x: 3", "const:pipeline:T"),
    Edit("a dispatch table's lambdas, swapped", "T = {'a': lambda x: 1, 'b': lambda x: 2}\ndef stage(x):\n    return T[x](x)\n",
         "'a': lambda x: 1, 'b': lambda x: 2", "'a': lambda x: 2, 'b': lambda x: 1", "const:pipeline:T"),
    Edit("a dispatch table's function", "def f(x):\n    return 1\nT = [f]\ndef stage(x):\n    return T[0](x)\n", "return 1", "return 2",
         "func:pipeline:f"),
    Edit("a registry filled by decorators", "import plugins\nfrom registry import R\ndef stage(x):\n    return R['a'](x)\n"
         "# file: registry.py\nR = {}\ndef register(f):\n    R[f.__name__] = f\n    return f\n"
         "# file: plugins.py\nfrom registry import register\n@register\ndef a(x):\n    return 1\n", "return 1", "return 2",
         "func:plugins:a"),
    Edit("a lambda that calls itself", "f = lambda n: n and f(n - 1)\ndef stage(x):\n    return f(x)\n", "n - 1", "n - 2",
         "const:pipeline:f"),
    Edit("lambdas that call each other", "f = lambda n: g(n)\ng = lambda n: f(n - 1)\ndef stage(x):\n    return f(x)\n", "n - 1",
         "n - 2", "const:pipeline:g"),
    Edit("a lambda on one line with its default", "a, b = (lambda x: x + 1), (lambda x: lambda: x + 2)\ndef stage(x):\n    return b(a(x))\n",
         "x + 2", "x + 3", "const:pipeline:b"),
    Edit("a relative import inside a function", "from pkg.a import f\ndef stage(x):\n    return f(x)\n# file: pkg/__init__.py\n"
         "# file: pkg/a.py\ndef f(x):\n    from . import lazy\n    from .lazy2 import g\n    return lazy.h(x), g(x)\n"
         "# file: pkg/lazy.py\ndef h(x):\n    return 1\n# file: pkg/lazy2.py\nfrom .lazy3 import g\n"
         "# file: pkg/lazy3.py\ndef g(x):\n    return 2\n", "return 2", "return 3", "func:pkg.lazy3:g"),
    Edit("a dotted import inside a function", "def stage(x):\n    import pkg.sub.leaf\n    return pkg.sub.leaf.f(x)\n"
         "# file: pkg/__init__.py\n# file: pkg/sub/__init__.py\n# file: pkg/sub/leaf.py\ndef f(x):\n    return 1\n", "return 1", "return 2",
         "func:pkg.sub.leaf:f"),
    Edit("a class of a module imported later", "def stage(x):\n    from lazy import A\n    return A().f()\n# file: lazy.py\n"
         "class B:\n    def f(self):\n        return 1\nclass A(B):\n    pass\n", "return 1", "return 2", "class:lazy:B"),
    Edit("a table of a module imported later", "def stage(x):\n    import lazy as z\n    return z.T['f'](x)\n# file: lazy.py\n"
         "def f(x):\n    return 1\nT = {}\nT, U = {'f': f}, 0\n", "return 1", "return 2", "func:lazy:f"),
    Edit("a definition chosen by a module imported later", "def stage(x):\n    import lazy\n    return lazy.f(x)\n# file: lazy.py\ntry:\n"
         "    from other import f\nexcept ImportError:\n    def f(x):\n        return 1\n# file: other.py\ndef f(x):\n    return 2\n",
         "return 2", "return 3", "func:other:f"),
    Edit("a library's name in a module imported later", "def stage(x):\n    import lazy\n    return lazy.f(x)\n# file: lazy.py\n"
         "from xml.dom.pulldom import parse as f\n", "parse as", "parseString as"),
    Edit("a nested class's member", "class A:\n    class B:\n        pass\nA.B.x = 1\ndef stage(x):\n    return A\n", "x = 1", "x = 2",
         "class:pipeline:A"),
    Edit("a function copied with other defaults", "import types\ndef f(x=1):\n    return x\n"
         "g = types.FunctionType(f.__code__, globals(), 'g', (5,))\ndef stage(x):\n    return f(x), g(x)\n", "(5,)", "(6,)",
         "func:pipeline:f"),
    Edit("a function's attribute", "def f(x):\n    return f.limit\nf.limit = 1\ndef stage(x):\n    return f(x)\n", "limit = 1", "limit = 2",
         "func:pipeline:f"),
    Edit("a method as a callback", "class A:\n    def f(self):\n        return 1\n    def g(self):\n        return h()\ndef h():\n"
         "    return 5\nT = [A.g]\ndef stage(x):\n    return T[0](x)\n", "return 5", "return 6", "func:pipeline:h"),
    Edit("what a method inherits", "from base import B\nclass A(B):\n    def g(self):\n        return super().f()\nstage = A.g\n"
         "# file: base.py\nclass B:\n    def f(self):\n        return 1\n", "return 1", "return 2", "class:base:B"),
    Edit("a descriptor", "class D:\n    def __init__(self, n):\n        self.n = n\n    def __get__(self, *a):\n        return self.n\n"
         "class A:\n    d = D(1)\ndef stage(x):\n    return A().d\n", "D(1)", "D(2)", "class:pipeline:A"),
    Edit("a partial method", "import functools\nclass A:\n    def f(self, n):\n        return n\n    g = functools.partialmethod(f, 1)\n"
         "def stage(x):\n    return A().g()\n", "f, 1)", "f, 2)", "class:pipeline:A"),
    Edit("a method chosen by type", "import functools\nclass A:\n    @functools.singledispatchmethod\n    def f(self, x):\n        return 0\n"
         "    @f.register\n    def _(self, x: int):\n        return 1\ndef stage(x):\n    return A().f(x)\n", "return 1", "return 2",
         "class:pipeline:A"),
    Edit("an attrs class", "import attrs\nLIMIT = 1\n@attrs.define\nclass A:\n    x: int = attrs.field(default=LIMIT)\n"
         "def stage(x):\n    return A()\n", "LIMIT = 1", "LIMIT = 2", "const:pipeline:LIMIT"),
    Edit("a bound builtin method", "L = [1]\nf = L.count\ndef stage(x):\n    return f(x)\n", "[1]", "[2]", "const:pipeline:f"),
    Edit("a bound operator", "f = (1).__add__\ndef stage(x):\n    return f(x)\n", "(1)", "(2)", "const:pipeline:f"),
    Edit("a module as a value", "import utils\nT = [utils]\ndef stage(x):\n    return T[0].f(x)\n# file: utils.py\ndef f(x):\n"
         "    return 1\n", "return 1", "return 2", "module:utils:*"),
    Edit("a module that is handed on", "import importlib\ndef stage(x):\n    return importlib.import_module('plugin')\n"
         "# file: plugin.py\ndef f(x):\n    return 1\n", "return 1", "return 2", "module:plugin:*"),
    Edit("a lambda under a condition", "if True:\n    f = lambda x: x + 1\ndef stage(x):\n    return f(x)\n", "+ 1", "+ 2",
         "const:pipeline:f"),
    Edit("operator.methodcaller", "import operator\nf = operator.methodcaller('strip')\ndef stage(x):\n    return f(x)\n",
         "'strip'", "'lstrip'", "const:pipeline:f"),
    Edit("operator.attrgetter", "import operator\nf = operator.attrgetter('a.b')\ndef stage(x):\n    return f(x)\n", "a.b", "a.c",
         "const:pipeline:f"),
    Edit("which library function", "from math import floor as f\ndef stage(x):\n    return f(x)\n", "floor", "ceil",
         "func:pipeline:stage"),
    Edit("a builtin shadowed", "def stage(x):\n    return len(x)\n", "def stage", "def len(x):\n    return 0\ndef stage"),
    Edit("a method", "class A:\n    def run(self):\n        return 1\ndef stage(x):\n    return A().run()\n", "return 1", "return 2",
         "class:pipeline:A"),
    Edit("a dunder method", "class A:\n    def __call__(self):\n        return 1\na = A()\ndef stage(x):\n    return a()\n", "return 1",
         "return 2", "class:pipeline:A"),
    Edit("an inherited method", "from base import B\nclass A(B):\n    pass\ndef stage(x):\n    return A().run()\n"
         "# file: base.py\nclass B:\n    def run(self):\n        return 1\n", "return 1", "return 2", "class:base:B"),
    Edit("a base chosen at import", "class B:\n    x = 1\nclass C:\n    x = 2\nBASE = B\ndef make(base):\n    class A(base):\n"
         "        pass\n    return A\nA = make(BASE)\ndef stage(x):\n    return A.x\n", "BASE = B", "BASE = C"),
    Edit("a metaclass", "class M(type):\n    def f(cls):\n        return 1\nclass A(metaclass=M):\n    pass\ndef stage(x):\n"
         "    return A.f()\n", "return 1", "return 2", "class:pipeline:M"),
    Edit("__init_subclass__", "class B:\n    def __init_subclass__(cls):\n        cls.y = 1\nclass A(B):\n    pass\ndef stage(x):\n"
         "    return A.y\n", "cls.y = 1", "cls.z = 1"),
    Edit("a property", "class A:\n    @property\n    def p(self):\n        return 1\ndef stage(x):\n    return A().p\n", "return 1",
         "return 2", "class:pipeline:A"),
    Edit("a cached property's helper", "import functools\ndef h():\n    return 1\nclass A:\n    @functools.cached_property\n"
         "    def p(self):\n        return h()\ndef stage(x):\n    return A().p\n", "return 1", "return 2", "func:pipeline:h"),
    Edit("a static method", "class A:\n    @staticmethod\n    def s():\n        return 1\ndef stage(x):\n    return A.s()\n", "return 1",
         "return 2", "class:pipeline:A"),
    Edit("a class attribute assigned later", "class A:\n    pass\nA.y = 1\ndef stage(x):\n    return A.y\n", "A.y = 1", "A.y = 2",
         "class:pipeline:A"),
    Edit("a computed class attribute", "V = 1\nclass A:\n    y = [V]\ndef stage(x):\n    return A.y\n", "V = 1", "V = 2"),
    Edit("a monkeypatched method", "class A:\n    def f(self):\n        return 0\ndef g(self):\n    return 1\nA.f = g\ndef stage(x):\n"
         "    return A().f()\n", "return 1", "return 2", "func:pipeline:g"),
    Edit("a monkeypatched function of a module", "import utils\ndef mine(x):\n    return 1\nutils.f = mine\ndef stage(x):\n"
         "    return utils.f(x)\n# file: utils.py\ndef f(x):\n    return 0\n", "return 1", "return 2", "func:pipeline:mine"),
    Edit("a dataclass default", "import dataclasses\n@dataclasses.dataclass\nclass A:\n    x: int = 1\ndef stage(x):\n    return A()\n",
         "= 1", "= 2", "class:pipeline:A"),
    Edit("a dataclass field", "import dataclasses\n@dataclasses.dataclass\nclass A:\n    x: int\ndef stage(x):\n    return A(1)\n",
         "x: int\n", "x: int\n    y: int = 3\n", "class:pipeline:A"),
    Edit("a default factory", "import dataclasses\ndef make():\n    return 1\n@dataclasses.dataclass\nclass A:\n"
         "    x: int = dataclasses.field(default_factory=make)\ndef stage(x):\n    return A()\n", "return 1", "return 2",
         "func:pipeline:make"),
    Edit("a named tuple", "from typing import NamedTuple\nclass A(NamedTuple):\n    x: int = 1\ndef stage(x):\n    return A()\n", "= 1",
         "= 2", "class:pipeline:A"),
    Edit("a named tuple by call", "from collections import namedtuple\nA = namedtuple('A', 'x y')\ndef stage(x):\n    return A(1, 2)\n",
         "x y", "y x"),
    Edit("a typed dict", "from typing import TypedDict\nclass A(TypedDict):\n    x: int\ndef stage(x):\n    return A.__annotations__\n",
         "x: int", "x: str", "class:pipeline:A"),
    Edit("an enum's value", "import enum\nclass E(enum.Enum):\n    A = 1\ndef stage(x):\n    return E.A\n", "A = 1", "A = 2",
         "class:pipeline:E"),
    Edit("which enum member", "import enum\nclass E(enum.Enum):\n    A = 1\n    B = 2\nM = E.A\ndef stage(x):\n    return M\n", "M = E.A",
         "M = E.B", "const:pipeline:M"),
    Edit("an instance's state", "class A:\n    def __init__(self, n):\n        self.n = n\na = A(1)\ndef stage(x):\n    return a.n\n",
         "A(1)", "A(2)", "const:pipeline:a"),
    Edit("an instance's slot", "class A:\n    __slots__ = ('n',)\n    def __init__(self, n):\n        self.n = n\na = A(1)\n"
         "def stage(x):\n    return a.n\n", "A(1)", "A(2)", "const:pipeline:a"),
    Edit("the stage is a bound method", "class A:\n    def __init__(self, n):\n        self.n = n\n    def run(self):\n"
         "        return self.n\nstage = A(1).run\n", "A(1)", "A(2)"),
    Edit("the stage is an instance", "class A:\n    def __call__(self):\n        return 1\nstage = A()\n", "return 1", "return 2",
         "class:pipeline:A"),
    Edit("a subclass of dict", "class D(dict):\n    pass\nd = D(a=1)\ndef stage(x):\n    return d\n", "a=1", "a=2", "const:pipeline:d"),
    Edit("a redefinition: the live one", "def f():\n    return 0\ndef f():\n    return 1\ndef stage(x):\n    return f()\n", "return 1",
         "return 2", "func:pipeline:f"),
    Edit("a function defined under a condition", "if True:\n    def f():\n        return 1\nelse:\n    def f():\n        return 3\n"
         "def stage(x):\n    return f()\n", "return 1", "return 2", "func:pipeline:f"),
    Edit("a container changed after its definition", "L = [1]\nL.append(2)\ndef stage(x):\n    return L\n", "append(2)", "append(3)",
         "const:pipeline:L"),
    Edit("a computed constant", "def make():\n    return 1\nX = make()\ndef stage(x):\n    return X\n", "return 1", "return 2",
         "const:pipeline:X"),
    Edit("what a package gives by its `__getattr__`", "import pack, pack.part\ndef stage(x):\n    return pack.RATE\n# file: pack/__init__.py\n"
         "import sys\ndef __getattr__(name):\n    return getattr(sys.modules['pack.part'], name)\n# file: pack/part.py\nRATE = 1\nOTHER = 2\n", "RATE = 1", "RATE = 3",
         "const:pack.part:RATE"),
    Edit("the docstring, where it is read", 'def stage(x):\n    """One."""\n    return stage.__doc__\n', "One", "Two"),
    Edit("the module's docstring, where it is read", '"""One."""\ndef stage(x):\n    return __doc__\n', "One", "Two",
         "const:pipeline:__doc__"),
    *(
        Edit(f"a constant: {old} → {new}", f"{head}X = {old}\ndef stage(x):\n    return X\n", f"X = {old}", f"X = {new}",
             "const:pipeline:X")
        for head, old, new in [
            ("", "1", "1.0"), ("", "1", "True"), ("", "0.0", "-0.0"), ("", "'a'", "b'a'"), ("", "None", "False"),
            ("", "(1, 2)", "[1, 2]"), ("", "{1, 2}", "frozenset({1, 2})"), ("", "{'a': 1, 'b': 2}", "{'b': 2, 'a': 1}"),
            ("", "[[1], [2]]", "[[1, 2]]"), ("", "''", "'None'"), ("", "range(3)", "range(4)"), ("", "1j", "2j"),
            ("", "bytearray(b'a')", "b'a'"), ("", "...", "None"), ("", "slice(1)", "slice(2)"), ("", "(int,)", "(float,)"),
            ("import re\n", "re.compile('a')", "re.compile('a', re.I)"),
            ("from pathlib import *\n", "Path('a')", "Path('b')"), ("from pathlib import *\n", "Path('a')", "PurePath('a')"),
            ("from datetime import *\n", "date(2020, 1, 1)", "date(2020, 1, 2)"),
            ("from datetime import *\n", "datetime(2020, 1, 1)", "datetime(2020, 1, 1, tzinfo=timezone.utc)"),
            ("from datetime import *\n", "timedelta(1)", "timedelta(2)"),
            ("from decimal import *\n", "Decimal('1.0')", "Decimal('1.00')"),
            ("from fractions import *\n", "Fraction(1, 2)", "Fraction(1, 3)"),
            ("import uuid\n", "uuid.UUID(int=1)", "uuid.UUID(int=2)"),
            ("from collections import *\n", "deque([1])", "deque([1], 3)"),
            ("from collections import *\n", "Counter('a')", "Counter('b')"),
            ("from collections import *\n", "defaultdict(int)", "defaultdict(list)"),
            ("from collections import *\n", "OrderedDict(a=1)", "dict(a=1)"),
            ("from types import *\n", "SimpleNamespace(a=1)", "SimpleNamespace(a=2)"),
            ("import logging\n", "logging.getLogger('a')", "logging.getLogger('b')"),
            ("", "list[int]", "list[str]"), ("", "int | None", "int | str"), ("", "'a'.join", "'b'.join"),
            ("", "str.upper", "str.lower"),
        ]
    ),
]  # fmt: skip


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.title)
def test_an_edit_counts(edit: Edit, take: Callable[..., Manifest]) -> None:
    if "import attrs" in edit.project:
        pytest.importorskip("attrs", reason="attrs is no dependency of this package")
    assert edit.project.count(edit.old) == 1
    old, new = take(edit.project), take(edit.project.replace(edit.old, edit.new))

    assert old.digest != new.digest
    if edit.keys:
        assert edit.keys.split() == [change.key for change in diff(old, new)]
