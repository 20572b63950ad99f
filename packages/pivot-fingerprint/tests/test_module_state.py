"""Effects of statements at the top of a module on its names count, whether it is imported early or late.

Each form is written once, with `2` for the value that is edited. It is run, before and after the edit, in a process of
its own kind: what the stage gives says whether the fingerprint must change.
"""

# ruff: noqa: E501 - projects as texts

import decimal
import importlib
import itertools
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from pivot_fingerprint import Fingerprinter, Manifest
from pivot_fingerprint.walk import import_effects

MANY = [f"T_{one}{other}" for one in "abcdef" for other in "abcdef"]
# The stage calls `tool.go()`; further files follow `# file: name`.
FORMS = {
    "a literal": "RATE = 2\ndef go():\n    return RATE\n",
    "an item": "T = {}\nT['a'] = 2\ndef go():\n    return T['a']\n",
    "an item of an item": "T = {'x': {}}\nT['x']['a'] = 2\ndef go():\n    return T['x']['a']\n",
    "append": "T = []\nT.append(2)\ndef go():\n    return T\n",
    "extend": "T = []\nT.extend([1, 2])\ndef go():\n    return T\n",
    "update": "T = {}\nT.update(a=2)\ndef go():\n    return T\n",
    "setdefault": "T = {}\nT.setdefault('a', 2)\ndef go():\n    return T\n",
    "a library's function": "import heapq\nT = []\nheapq.heappush(T, 2)\ndef go():\n    return T\n",
    "a loop": "T = {}\nfor k in ('a', 'b'):\n    T[k] = 2\ndef go():\n    return T\n",
    "what a loop goes over": "T = {}\nKEYS = [1, 2]\nfor k in KEYS:\n    T[k] = 1\ndef go():\n    return sorted(T)\n",
    "a loop that ends early": "T = []\nfor k in (1, 2, 3):\n    if k == 2:\n        break\n    T.append(k)\ndef go():\n    return T\n",
    "a while loop": "T = []\nwhile len(T) < 2:\n    T.append(1)\ndef go():\n    return T\n",
    "a condition": "FLAG = 2\nRATE = 1\nif FLAG == 2:\n    RATE = 5\ndef go():\n    return RATE\n",
    "a condition around": "FLAG = 2\nRATE = 1\nif FLAG == 2:\n    if FLAG:\n        RATE = 5\ndef go():\n    return RATE\n",
    "the other branch": "FLAG = 2\nRATE = 1\nif FLAG == 2:\n    pass\nelse:\n    RATE = 5\ndef go():\n    return RATE\n",
    "a value in a condition": "FLAG = True\nif FLAG:\n    RATE = 2\nelse:\n    RATE = 7\ndef go():\n    return RATE\n",
    "a match": "KIND = 2\nmatch KIND:\n    case 2:\n        RATE = 5\n    case _:\n        RATE = 6\ndef go():\n    return RATE\n",
    "a handler": "try:\n    RATE = int('2' + 'x')\nexcept ValueError:\n    RATE = 2\ndef go():\n    return RATE\n",
    "what may fail before": "TEXT = '2'\nX = 1\ntry:\n    Y = 1 / (int(TEXT) - 2)\n    X = 3\nexcept ZeroDivisionError:\n    X = 4\ndef go():\n    return X\n",
    "with": "import contextlib\nT = {}\nwith contextlib.suppress(KeyError):\n    T['a'] = 2\ndef go():\n    return T\n",
    "with as": "import contextlib\nwith contextlib.nullcontext(2) as RATE:\n    pass\ndef go():\n    return RATE\n",
    "a class's attribute": "class Tool:\n    rate = 1\nTool.rate = 2\ndef go():\n    return Tool.rate\n",
    "a class's table": "class Tool:\n    t = {}\nTool.t['a'] = 2\ndef go():\n    return Tool.t\n",
    "a class's table through an instance": "class Tool:\n    t = {}\ntool = Tool()\ntool.t['a'] = 2\ndef go():\n    return Tool.t\n",
    "an instance's attribute": "class Tool:\n    rate = 1\ntool = Tool()\ntool.rate = 2\ndef go():\n    return tool.rate\n",
    "a function's attribute": "def go():\n    return go.rate\ngo.rate = 2\n",
    "setattr": "def go():\n    return go.rate\nsetattr(go, 'rate', 2)\n",
    "setattr by a computed name": "def go():\n    return go.rate\nfor name in ('rate', 'x'):\n    setattr(go, name, 2)\n",
    "vars of a function": "def go():\n    return go.rate\nvars(go)['rate'] = 2\n",
    "the __dict__ of a function": "def go():\n    return go.rate\ngo.__dict__.update(rate=2)\n",
    "a function that sets an attribute": "def mark(f):\n    f.rate = 2\ndef go():\n    return go.rate\nmark(go)\n",
    "a decorator that sets an attribute": "def rated(rate):\n    def mark(f):\n        f.rate = rate\n        return f\n    return mark\n@rated(2)\ndef go():\n    return go.rate\n",
    "classes in a loop": "class A:\n    pass\nfor cls in (A,):\n    cls.rate = 2\ndef go():\n    return A.rate\n",
    "a registry": "R = {}\ndef register(f):\n    R[f.__name__] = f\n    return f\n@register\ndef two():\n    return 2\ndef go():\n    return R['two']()\n",
    "a registry with a name": "R = {}\ndef register(name):\n    def add(f):\n        R[name] = f\n        return f\n    return add\n@register(2)\ndef two():\n    return 1\ndef go():\n    return sorted(R)\n",
    "a registry of classes": "R = {}\nclass Base:\n    def __init_subclass__(cls, key=0):\n        R[key] = cls\nclass A(Base, key=2):\n    pass\ndef go():\n    return sorted(R)\n",
    "a registry that is an object": "class Registry:\n    def __init__(self):\n        self.all = {}\n    def register(self, key):\n        return lambda f: self.all.setdefault(key, f)\nREG = Registry()\n@REG.register(2)\ndef two():\n    return 1\ndef go():\n    return sorted(REG.all)\n",
    "a registry by call": "R = {}\ndef add(f, key):\n    R[key] = f\ndef two():\n    return 1\nadd(two, 2)\ndef go():\n    return sorted(R)\n",
    "an object that fills a table": "T = {}\nclass Filler:\n    def __init__(self, t):\n        self.t = t\n    def fill(self, x):\n        self.t['a'] = x\nfiller = Filler(T)\nfiller.fill(2)\ndef go():\n    return T\n",
    "a function that fills a table": "T = {}\ndef fill(x):\n    T['a'] = x\nfill(2)\ndef go():\n    return T\n",
    "a function that is called by another": "T = {}\ndef fill(x):\n    T['a'] = x\ndef setup():\n    fill(2)\nsetup()\ndef go():\n    return T\n",
    "a local alias in a function": "T = {'x': {}}\ndef fill(x):\n    for each in T.values():\n        each['a'] = x\nfill(2)\ndef go():\n    return T\n",
    "a function that binds a global": "RATE = 1\ndef setup(x):\n    global RATE\n    RATE = x\nsetup(2)\ndef go():\n    return RATE\n",
    "an alias": "T = {}\nU = T\nU['a'] = 2\ndef go():\n    return T\n",
    "a part": "T = {'x': {}}\nU = T['x']\nU['a'] = 2\ndef go():\n    return T\n",
    "a holder": "T = {}\nU = {'x': T}\nU['x']['a'] = 2\ndef go():\n    return T\n",
    "put into a holder": "T = {}\nU = {}\nU['x'] = T\nU['x']['a'] = 2\ndef go():\n    return T\n",
    "globals": "globals()['RATE'] = 2\ndef go():\n    return RATE\n",
    "globals updated": "globals().update(RATE=2)\ndef go():\n    return RATE\n",
    "globals by a computed name": "for name in ('RATE', 'X'):\n    globals()[name] = 2\ndef go():\n    return RATE\n",
    "the module itself": "import sys\nsetattr(sys.modules[__name__], 'RATE', 2)\ndef go():\n    return RATE\n",
    "exec": "exec('RATE = 2')\ndef go():\n    return RATE\n",
    "an augmented assignment": "RATE = 1\nRATE += 2\ndef go():\n    return RATE\n",
    "an augmented table": "T = []\nT += [2]\ndef go():\n    return T\n",
    "an augmented item": "T = {'a': [1]}\nT['a'] += [2]\ndef go():\n    return T\n",
    "del": "T = [5, 6, 7, 8]\ndel T[2]\ndef go():\n    return T\n",
    "a walrus": "X = [RATE := 2]\ndef go():\n    return RATE\n",
    "a walrus in a condition": "if (RATE := 2) > 0:\n    pass\ndef go():\n    return RATE\n",
    "a walrus in a comprehension": "X = [RATE := y for y in (1, 2)]\ndef go():\n    return RATE\n",
    "unpacking": "(A, B), *C = (1, 2), 3\ndef go():\n    return B\n",
    "unpacking into an item": "T = {}\n(T['a'], X) = 2, 3\ndef go():\n    return T\n",
    "a class body": "T = {}\nclass A:\n    T['a'] = 2\ndef go():\n    return T\n",
    "a class body's loop": "class A:\n    t = []\n    for k in (1, 2):\n        t.append(k)\ndef go():\n    return A.t\n",
    "a value made of another": "BASE = 2\nRATE = BASE * 3\ndef go():\n    return RATE\n",
    "a value made by a function": "def make():\n    return 2\nRATE = make()\ndef go():\n    return RATE\n",
    "an annotated table": "T: dict[str, int] = {}\nT['a'] = 2\ndef go():\n    return T\n",
    "a comprehension for what it does": "T = []\n[T.append(x) for x in (1, 2)]\ndef go():\n    return T\n",
    "a lambda for what it does": "T = []\nadd = lambda x: T.append(x)\nadd(2)\ndef go():\n    return T\n",
    "map for what it does": "T = []\nlist(map(T.append, (1, 2)))\ndef go():\n    return T\n",
    "a deleted name": "import builtins\nlen = lambda x: 9\nif 2 == 2:\n    del len\ndef go():\n    return len([])\n",
    "another module's table": "import state\nstate.T['a'] = 2\ndef go():\n    return state.T\n# file: state.py\nT = {}\n",
    "another module's imported table": "from state import T\nT['a'] = 2\ndef go():\n    return T\n# file: state.py\nT = {}\n",
    "another module's name": "import state\nstate.RATE = 2\ndef go():\n    return state.RATE\n# file: state.py\nRATE = 1\n",
    "another module's name by setattr": "import state\nsetattr(state, 'RATE', 2)\ndef go():\n    return state.RATE\n# file: state.py\nRATE = 1\n",
    "another module's class": "from state import Tool\nTool.rate = 2\ndef go():\n    return Tool().rate\n# file: state.py\nclass Tool:\n    rate = 1\n",
    "another module's registry": "from state import register, run\n@register\ndef two():\n    return 2\ndef go():\n    return run('two')\n# file: state.py\nR = {}\ndef register(f):\n    R[f.__name__] = f\n    return f\ndef run(name):\n    return R[name]()\n",
    "another module's registry of classes": "from state import Base, keys\nclass A(Base, key=2):\n    pass\ndef go():\n    return keys()\n# file: state.py\nR = {}\nclass Base:\n    def __init_subclass__(cls, key=0):\n        R[key] = cls\ndef keys():\n    return sorted(R)\n",
    "a module that fills a table and nothing else": "from state import T\nimport fill\ndef go():\n    return T\n# file: state.py\nT = {}\n# file: fill.py\nfrom state import T\nT['a'] = 2\n",
    "a module two imports away": "from state import T\nimport one\ndef go():\n    return T\n# file: state.py\nT = {}\n# file: one.py\nimport two\n# file: two.py\nimport state\nstate.T['a'] = 2\n",
    "a package that fills a table": "from pkg.state import T\ndef go():\n    return T\n# file: pkg/__init__.py\nfrom .state import T\nT['a'] = 2\n# file: pkg/state.py\nT = {}\n",
    "a table that another holds": "from state import HOLDER\nimport fill\ndef go():\n    return HOLDER\n# file: state.py\nT = {}\nHOLDER = [T]\n# file: fill.py\nfrom state import T\nT['a'] = 2\n",
    "a star import": "from state import *\ndef go():\n    return T\n# file: state.py\nT = {}\nT['a'] = 2\n",
    "a star import that is changed": "from state import *\nT['a'] = 2\ndef go():\n    return T\n# file: state.py\nT = {}\n",
    "a star import below a value": "RATE = 1\nfrom state import *\ndef go():\n    return RATE\n# file: state.py\nRATE = 2\n",
    "a star import below a function": "def rate():\n    return 1\nfrom state import *\ndef go():\n    return rate()\n# file: state.py\ndef rate():\n    return 2\n",
    "local settings": "import conf\ndef go():\n    return conf.RATE\n# file: conf.py\nRATE = 1\ntry:\n    from local import *\nexcept ImportError:\n    pass\n# file: local.py\nRATE = 2\n",
    "a table that a missing library would fill": "T = []\ntry:\n    import library_that_is_missing as filler\nexcept ImportError:\n    filler = None\nif filler is not None:\n    filler.fill(T)\nT.append(2)\ndef go():\n    return T\n",
    "the last of two star imports": "from one import *\nfrom two import *\ndef go():\n    return rate()\n# file: one.py\ndef rate():\n    return 1\n# file: two.py\ndef rate():\n    return 2\n",
    "star imports through others": "from one import *\ndef go():\n    return T\n# file: one.py\nfrom two import *\nfrom three import *\n# file: two.py\nT = [1]\n# file: three.py\nT = [2]\n",
    "a star import below a condition": "MODE = 2\nif MODE == 2:\n    from one import *\nelse:\n    from two import *\ndef go():\n    return RATE\n# file: one.py\nRATE = 5\n# file: two.py\nRATE = 7\n",
    "what a star import gives": "from one import *\nfrom two import *\ndef go():\n    return RATE\n# file: one.py\nRATE = 1\n# file: two.py\n__all__ = ['RATE'] * (2 < 3)\nRATE = 5\n",
    "vars of a module": "import state\ndef go():\n    return {k: v for k, v in vars(state).items() if k == 'RATE'}\n# file: state.py\nfrom deep import RATE\n# file: deep.py\nRATE = 2\n",
    "dir of a module": "import state\ndef go():\n    return [k for k in dir(state) if not k.startswith('_')]\n# file: state.py\nfrom deep import *\n# file: deep.py\n__all__ = ['a'] * (2 < 3) + ['b']\na = b = 1\n",
    "getmembers": "import inspect, state\ndef go():\n    return [v for k, v in inspect.getmembers(state) if k == 'T']\n# file: state.py\nfrom deep import T\n# file: deep.py\nT = []\nT.append(2)\n",
    "a computed getattr": "import state\ndef go():\n    return [getattr(state, x) for x in ('RATE',)]\n# file: state.py\nfrom deep import *\n# file: deep.py\nRATE = 2\n",
    "attrgetter": "import operator, state\ndef go():\n    return operator.attrgetter('RA' + 'TE')(state)\n# file: state.py\nfrom deep import RATE\n# file: deep.py\nRATE = 2\n",
    "reduce": "import functools, state\ndef go():\n    return functools.reduce(getattr, ['deep', 'RATE'], state)\n# file: state.py\nimport deep\n# file: deep.py\nRATE = 2\n",
    "a struct": "import struct\nX = struct.Struct('<2i')\ndef go():\n    return X.size\n",
    "a struct in a table": "import struct\nX = {'a': [struct.Struct('<2i')]}\ndef go():\n    return X['a'][0].size\n",
    "a struct in a closure": "import struct\ndef make(form):\n    s = struct.Struct(form)\n    def inner():\n        return s.size\n    return inner\ngo = make('<2i')\n",
    "a struct in an object": "import struct\nclass A:\n    def __init__(self, s):\n        self.s = s\nX = A(struct.Struct('<2i'))\ndef go():\n    return X.s.size\n",
    "a struct of a class": "import struct\nclass A:\n    pass\nA.s = struct.Struct('<2i')\ndef go():\n    return A.s.size\n",
    "a struct of a function": "import struct\ndef go():\n    return go.s.size\ngo.s = struct.Struct('<2i')\n",
    "a struct by a constant": "import struct\nFORM = '<2i'\nX = struct.Struct(FORM)\ndef go():\n    return X.size\n",
    "a struct by a decorator": "import functools, struct\ndef packs(form):\n    s = struct.Struct(form)\n    def wrap(f):\n        @functools.wraps(f)\n        def inner():\n            return s.size\n        return inner\n    return wrap\n@packs('<2i')\ndef go():\n    return 1\n",
    "a context variable": "import contextvars\nX = contextvars.ContextVar('X', default=2)\ndef go():\n    return X.get()\n",
    "a generator": "X = (x for x in (1, 2))\ndef go():\n    return list(X)\n",
    "a count": "import itertools\nX = itertools.count(2)\ndef go():\n    return next(X)\n",
    "a weak reference": "import weakref\nclass A:\n    def __init__(self, x):\n        self.x = x\nKEPT = A(2)\nX = weakref.ref(KEPT)\ndef go():\n    return X().x\n",
    "a semaphore": "import threading\nX = threading.Semaphore(2)\ndef go():\n    return X._value\n",
    "csv config": "import json\nCONF = json.loads('{\"a\": 2}')\ndef go():\n    return CONF\n",
    "partial registry": "import functools\nR={}\ndef add(k, f):\n    R[k]=f\n    return f\n@functools.partial(add, 2)\ndef two():\n    return 1\ndef go():\n    return list(R)\n",
    "nested if try": "try:\n    import nope_x\nexcept ImportError:\n    if True:\n        RATE = 2\ndef go():\n    return RATE\n",
    "setter in class meth": "class C:\n    rate=1\n    @classmethod\n    def configure(cls, r):\n        cls.rate=r\nC.configure(2)\ndef go():\n    return C.rate\n",
    "static meth": "class C:\n    rate=1\n    @staticmethod\n    def configure(r):\n        C.rate=r\nC.configure(2)\ndef go():\n    return C.rate\n",
    "meta": "R=[]\nclass M(type):\n    def __new__(m, n, b, d, k=0):\n        R.append(k)\n        return super().__new__(m,n,b,d)\nclass A(metaclass=M, k=2):\n    pass\ndef go():\n    return R\n",
    "set_name": "R=[]\nclass D:\n    def __init__(self, x):\n        self.x=x\n    def __set_name__(self, o, n):\n        R.append(self.x)\nclass A:\n    d = D(2)\ndef go():\n    return R\n",
    "singledispatch": "import functools\n@functools.singledispatch\ndef f(x):\n    return 0\n@f.register(int)\ndef _(x):\n    return 2\ndef go():\n    return f(1)\n",
    "dataclass field": "import dataclasses\n@dataclasses.dataclass\nclass A:\n    x: int = 2\ndef go():\n    return A().x\n",
    "enum": "import enum\nclass A(enum.Enum):\n    X = 2\ndef go():\n    return A.X.value\n",
    "zip unpack": "KEYS = ['a','b']\nVALS=[1,2]\nT = dict(zip(KEYS, VALS))\ndef go():\n    return T\n",
    "class alias": "class A:\n    t=[]\nB = A\nB.t.append(2)\ndef go():\n    return A.t\n",
    "subclass write": "class A:\n    t=[]\nclass B(A):\n    pass\nB.t.append(2)\ndef go():\n    return A.t\n",
    "import in func reg": "def setup():\n    import state\n    state.T['a']=2\nsetup()\nimport state\ndef go():\n    return state.T\n# file: state.py\nT={}\n",
    "from import in func": "def setup(x):\n    from state import T\n    T['a']=x\nsetup(2)\nfrom state import T\ndef go():\n    return T\n# file: state.py\nT={}\n",
    "import submodule fills": "import pkg.tool\nfrom pkg import T\ndef go():\n    return T\n# file: pkg/__init__.py\nT={}\n# file: pkg/tool.py\nfrom . import T\nT['a']=2\n",
    "from . reg": "from pkg import lookup\nimport pkg.plug\ndef go():\n    return lookup('x')\n# file: pkg/__init__.py\nfrom .reg import lookup\n# file: pkg/reg.py\n_R={}\ndef register(n):\n    def d(f):\n        _R[n]=f\n        return f\n    return d\ndef lookup(n):\n    return _R[n]()\n# file: pkg/plug.py\nfrom .reg import register\n@register('x')\ndef plug():\n    return 2\n",
    "import_module literal": "import importlib\nimportlib.import_module('fill')\nfrom state import T\ndef go():\n    return T\n# file: state.py\nT={}\n# file: fill.py\nfrom state import T\nT['a']=2\n",
    "import in function called at import": "def setup():\n    import fill\nsetup()\nfrom state import T\ndef go():\n    return T\n# file: state.py\nT={}\n# file: fill.py\nfrom state import T\nT['a']=2\n",
    "import in class body": "class A:\n    import fill\nfrom state import T\ndef go():\n    return T\n# file: state.py\nT={}\n# file: fill.py\nfrom state import T\nT['a']=2\n",
    "alias across modules": "from mid import ALIAS\nALIAS['a']=2\nfrom state import T\ndef go():\n    return T\n# file: state.py\nT={}\n# file: mid.py\nimport state\nALIAS = state.T\n",
    "getter": "from state import table, T\ntable()['a']=2\ndef go():\n    return T\n# file: state.py\nT={}\ndef table():\n    return T\n",
    "own getter": "T={}\ndef table():\n    return T\ntable()['a']=2\ndef go():\n    return T\n",
    "own getter method": "T=[]\ndef table():\n    return T\ntable().append(2)\ndef go():\n    return T\n",
    "walrus alias": "T={}\n(U := T)['a'] = 2\ndef go():\n    return T\n",
    "ifexp alias": "T={}\nU={}\n(T if U is not None else U)['a'] = 2\ndef go():\n    return T\n",
    "chained assign": "T = U = {}\nU['a'] = 2\ndef go():\n    return T\n",
    "tuple alias": "T = {}\nU, V = T, 1\nU['a'] = 2\ndef go():\n    return T\n",
    "operator iadd": "import operator\nT=[]\noperator.iadd(T, [2])\ndef go():\n    return T\n",
    "itemset": "import operator\nT={}\noperator.setitem(T, 'a', 2)\ndef go():\n    return T\n",
    "deferred list": "T=[]\nADD=[T.append]\nfor f in ADD:\n    f(2)\ndef go():\n    return T\n",
    "bound method": "T=[]\nadd=T.append\nadd(2)\ndef go():\n    return T\n",
    "try else": "try:\n    X=1\nexcept E:\n    pass\nelse:\n    RATE=2\ndef go():\n    return RATE\n",
    "finally": "try:\n    X=1\nfinally:\n    RATE=2\ndef go():\n    return RATE\n",
    "elif": "F=2\nif F==1:\n    R=1\nelif F==2:\n    R=5\nelse:\n    R=6\ndef go():\n    return R\n",
    "def in if": "F=2\nif F==2:\n    def rate():\n        return 1\nelse:\n    def rate():\n        return 9\ndef go():\n    return rate()\n",
    "import in if": "F=2\nif F==2:\n    from a import rate\nelse:\n    from b import rate\ndef go():\n    return rate()\n# file: a.py\ndef rate():\n    return 1\n# file: b.py\ndef rate():\n    return 9\n",
    "def in if 2": "F=2\ndef rate():\n    return 7\nif F==2:\n    def rate():\n        return 1\ndef go():\n    return rate()\n",
    "redefined": "def rate():\n    return 1\ndef rate():\n    return 2\ndef go():\n    return rate()\n",
    "value then def": "rate = lambda: 1\nrate = lambda: 2\ndef go():\n    return rate()\n",
    "functools.wraps": "import functools\ndef mult(k):\n    def w(f):\n        @functools.wraps(f)\n        def i():\n            return f()*k\n        return i\n    return w\n@mult(2)\ndef go():\n    return 5\n",
    "ctx manager obj": "class C:\n    def __enter__(self):\n        T['a']=2\n    def __exit__(self,*a):\n        pass\nT={}\nwith C():\n    pass\ndef go():\n    return T\n",
    "property": "class C:\n    @property\n    def x(self):\n        T['a']=2\n        return 1\nT={}\nX=C().x\ndef go():\n    return T\n",
    "operator overload": "T=[]\nclass P:\n    def __rshift__(self, o):\n        T.append(o)\n        return self\np=P()\nq = p >> 2\ndef go():\n    return T\n",
    "environ default": "import os\nR=os.environ.get('NOPE_X', 2)\ndef go():\n    return R\n",
    "module __getattr__": "def __getattr__(n):\n    if n == 'RATE':\n        return 2\n    raise AttributeError(n)\ndef go():\n    import tool\n    return tool.RATE\n",
    "match capture": "match (1, 2):\n    case (_, R):\n        pass\ndef go():\n    return R\n",
    "async-free gen": "def g():\n    yield 2\nT=list(g())\ndef go():\n    return T\n",
    "nested class table": "class A:\n    class B:\n        t={}\nA.B.t['a']=2\ndef go():\n    return A.B.t\n",
    "type()": "A = type('A', (), {'rate': 2})\ndef go():\n    return A.rate\n",
    "namedtuple defaults": "import collections\nP = collections.namedtuple('P', 'a', defaults=(2,))\ndef go():\n    return P().a\n",
    "frozen via init": "class A:\n    def __init__(self):\n        self.x = 2\na = A()\ndef go():\n    return a.x\n",
    "global count": "N=0\ndef tick():\n    global N\n    N += 2\ntick()\ndef go():\n    return N\n",
    "contextvar set": "import contextvars\nV=contextvars.ContextVar('v')\nV.set(2)\ndef go():\n    return V.get()\n",
    "defaultdict": "import collections\nT=collections.defaultdict(list)\nT['a'].append(2)\ndef go():\n    return dict(T)\n",
    "vars whole reg": "import state\ndef go():\n    return [v for k,v in vars(state).items() if k=='RATE']\n# file: state.py\nRATE=1\nglobals()['RATE']=2\n",
    "whole foreign set": "import state\nstate.RATE=2\ndef go():\n    return vars(state)['RATE']\n# file: state.py\nRATE=1\n",
    "whole passed": "import state\ndef use(m):\n    return m.RATE\ndef go():\n    return use(state)\n# file: state.py\nfrom deep import RATE\n# file: deep.py\nRATE=2\n",
    "whole table from": "import state\ndef go():\n    return state.__dict__['T']\n# file: state.py\nfrom deep import T\n# file: deep.py\nT=[]\nT.append(2)\n",
    "whole package sub": "import pkg\ndef go():\n    return getattr(getattr(pkg, 'pl' + 'ane'), 'RATE')\n# file: pkg/__init__.py\nfrom . import plane\n# file: pkg/plane.py\nRATE=2\n",
    "whole func from": "import state\ndef go():\n    return [getattr(state, n)() for n in ('f',)]\n# file: state.py\nfrom deep import f\n# file: deep.py\ndef f():\n    return 2\n",
    "a seed on a condition": "import random\nMODE = 2\nif MODE == 2:\n    random.seed(7)\nelse:\n    random.seed(9)\ndef go():\n    return random.random()\n",
    "a seed in another module": "import random\nimport seeds\ndef go():\n    return random.random()\n# file: seeds.py\nimport random\nSEED = 2\nrandom.seed(SEED)\n",
    "a seed two imports away": "import random\nimport one\ndef go():\n    return random.random()\n# file: one.py\nfrom pkg import two\n# file: pkg/__init__.py\n# file: pkg/two.py\nfrom random import seed\nseed(2)\n",
    "a seed in the package around": "from pkg.mod import go\n# file: pkg/__init__.py\nimport pkg.seeds\n# file: pkg/seeds.py\nimport random\nrandom.seed(2)\n# file: pkg/mod.py\nimport random\ndef go():\n    return random.random()\n",
    "a seed by a function": "import random\nfrom seeds import setup\nSEED = setup(2)\ndef go():\n    return random.random()\n# file: seeds.py\nimport random as r\ndef setup(seed):\n    r.seed(seed)\n    return seed\n",
    "a seed by a method of an object": "import random\nimport setup\ndef go():\n    return random.random()\n# file: setup.py\nfrom seeds import Seeds\ndef start(seed):\n    Seeds(seed).set()\nstart(seed=2)\n# file: seeds.py\nclass Seeds:\n    def __init__(self, seed):\n        self.seed = seed\n    def set(self):\n        import random\n        from random import seed as plant\n        plant(self.seed * 2)\n",
    "a seed by a decorator": "import random, other\ndef go():\n    return random.random()\n# file: other.py\nimport random\ndef seeded(k):\n    def mark(f):\n        random.seed(k)\n        return f\n    return mark\n@seeded(2)\ndef unrelated():\n    pass\n",
    "a seed in an expression": "import random, other\ndef go():\n    return random.random()\n# file: other.py\nimport random\nFLAG = True\nFLAG and [random.seed(k) for k in (1, 2)]\n",
    "a library that is patched by setattr": "import mimetypes, other\ndef go():\n    return mimetypes.made_here\n# file: other.py\nimport mimetypes\nsetattr(mimetypes, 'made_here', 2)\n",
    "a context by a function": "import decimal\ndef setup(digits):\n    decimal.getcontext().prec = digits\nsetup(2)\ndef go():\n    return str(decimal.Decimal(1) / 7)\n",
    "a variable in another module": "import os\nimport conf\ndef go():\n    return os.environ['MADE_HERE']\n# file: conf.py\nimport os\ndef load(x):\n    os.environ['MADE_HERE'] = x\nload('2')\n",
    "an object in the place of a module": "import magic\ndef go():\n    return magic.rate\n# file: magic.py\nimport sys\nclass M:\n    rate = 2\nm = sys.modules[__name__] = M()\nm.file = __file__\n",
    "a module that is imported for what it does": "def go():\n    import pkg.fill\n    from pkg.state import T\n    return T\n# file: pkg/__init__.py\n# file: pkg/state.py\nT = {}\n# file: pkg/fill.py\nfrom pkg import more\n# file: pkg/more.py\nfrom pkg.state import T\nT['a'] = 2\n",
    "one whose package is used": "def go():\n    import pkg.fill\n    return pkg.T\n# file: pkg/__init__.py\nT = {}\n# file: pkg/fill.py\nimport pkg\npkg.T['a'] = 2\n",
    "a universal function": "import numpy\nU = numpy.frompyfunc(lambda x: x + 2, 1, 1)\ndef go():\n    return U(1)\n",
    "a package that changes its module": "from ns.part import go\n# file: ns/__init__.py\nfrom ns import part\npart.go = lambda: 2\n# file: ns/part.py\ndef go():\n    return 1\n",
    "a module's docstring": 'import state\ndef go():\n    return state.__doc__\n# file: state.py\n"""Has 2."""\n',
    "its own docstring": "'Has 2.'\ndef go():\n    return __doc__\n",
    "import_module relative to the package": "from pkg.loader import go\n# file: pkg/__init__.py\n# file: pkg/loader.py\nfrom importlib import import_module\ndef go():\n    return import_module('.impl', __package__).RATE, import_module('.impl', package='pkg').RATE\n# file: pkg/impl.py\nRATE = 2\n",
    "a table by globals": "T = {}\nglobals()['T']['a'] = 2\ndef go():\n    return T\n",
    "another module's name by a computed setattr": "import state\nfor name in ('RATE', 'X'):\n    setattr(state, name, 2)\ndef go():\n    return state.RATE\n# file: state.py\nRATE = 1\n",
    "more tables than are indexed": "".join(f"{name} = []\n" for name in MANY)
    + f"def fill(x):\n    for t in ({', '.join(MANY)}):\n        t.append(x)\nfill(2)\ndef go():\n    return T_cc\n",
    "a namespace package passed on": "import spaced.one\ndef load(m, x):\n    m.one.RATE = x\nload(spaced, 2)\ndef go():\n    return spaced.one.RATE\n# file: spaced/one.py\nRATE = 1\n",
    "a table of a module in a package": "import spaced.one\nT = []\nT.append(spaced.one.RATE)\nspaced.one.TABLE.append(2)\ndef go():\n    return spaced.one.TABLE\n# file: spaced/one.py\nRATE = 1\nTABLE = []\n",
    "a chain of nodes": "class Node:\n    def __init__(self, on, x):\n        self.on, self.x = on, x\nend = Node(None, 1)\nnode = Node(Node(end, 5), 6)\nwhile node.on:\n    node = node.on\nnode.x = 2\nnode = node.on\ndef go():\n    return end.x\n",
    "names for each other": "a = b = []\na = b\nb = a\na.append(2)\ndef go():\n    return b\n",
    "a class of a namespace package": "import spaced.one\nclass Box:\n    m = spaced\nBox().m.one.RATE = 2\ndef go():\n    return spaced.one.RATE\n# file: spaced/one.py\nRATE = 1\n",
}  # fmt: skip

UNRELATED = """

# a comment
import functools
import string


def unrelated(x):
    return x + 1


UNRELATED = 17
OTHERS = {}
OTHERS["a"] = UNRELATED


class Unrelated:
    x = 1


Unrelated.y = 3
if len("a") > 1:
    OTHERS["b"] = 1
for each in range(2):
    print(end="")


if __name__ == "__main__":
    OTHERS["c"] = 1
TYPE_CHECKING = False
if TYPE_CHECKING:
    from nowhere import Nothing


@functools.cache
def remembered(x):
    return x


"""
# Where all names are used or any may be bound, nothing is unrelated; a docstring comes first.
ALL_NAMES = {"exec", "globals updated", "globals by a computed name", "its own docstring"}

LATE = "def stage():\n    from tool import go\n    return go()\n"
EARLY = "from tool import go\ndef stage():\n    return go()\n"

type Look = Callable[[str], tuple[Manifest, str]]


@pytest.fixture
def look(
    tmp_path: Path, importable: Callable[[Path], AbstractContextManager[None]], monkeypatch: pytest.MonkeyPatch
) -> Look:
    """The manifest of the stage of a project, and the result of the stage."""
    monkeypatch.setenv("MADE_HERE", "")
    numbers = itertools.count()

    def look(project: str) -> tuple[Manifest, str]:
        root = tmp_path / str(next(numbers))
        for part in project.split("# file: ")[1:]:
            name, _, text = part.partition("\n")
            path = root / name.strip()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        with importable(root), decimal.localcontext():
            stage = importlib.import_module("pipeline").stage
            manifest = Fingerprinter(root=root).fingerprint(stage)
            try:
                return manifest, repr(stage())
            except (AttributeError, LookupError, NameError, TypeError) as error:
                return manifest, repr(error)

    return look


def project(importing: str, form: str) -> str:
    return f"# file: pipeline.py\n{importing}# file: tool.py\n{form}"


@pytest.mark.parametrize("importing", [EARLY, LATE], ids=["early", "late"])
@pytest.mark.parametrize("title", FORMS)
def test_an_edit_of_the_value_counts_and_an_unrelated_one_does_not(title: str, importing: str, look: Look) -> None:
    form = FORMS[title]
    old, gave = look(project(importing, form))

    seen = 0
    for at in (index for index, char in enumerate(form) if char == "2"):
        new, gives = look(project(importing, f"{form[:at]}3{form[at + 1 :]}"))
        if gives != gave:
            seen += 1
            assert new.digest != old.digest, f"{gave} → {gives}"

    assert seen
    if title not in ALL_NAMES:
        tool, mark, others = form.partition("# file: ")
        edited = f"{UNRELATED}{tool}{UNRELATED}{mark}{others}".replace("def go():\n", 'def go():\n    """Goes."""\n')
        assert look(project(importing, edited))[0].digest == old.digest, "by an unrelated edit"


WRAPPER = """
import functools, pkgutil, numpy, pkg
class Wrapper:
    def __init__(self, function):
        functools.update_wrapper(self, function)
    def __call__(self, x):
        return self.__wrapped__(x)
@Wrapper
def inner(x: int) -> int:
    return x + 2
@numpy.vectorize
def several(x):
    return x + 5
INSIDE = list(pkgutil.iter_modules(pkg.__path__))
def go():
    return inner(1), several(1), [each.name for each in INSIDE]
# file: pkg/__init__.py
"""


def test_copies_of_wrappers_and_caches_of_finders_do_not_count(look: Look) -> None:
    documented = WRAPPER.replace("-> int:\n", '-> "int":\n    """Goes."""\n')
    documented = documented.replace("several(x):\n", 'several(x):\n    """Goes."""\n')
    files = f"{documented}# file: pkg/notes.txt\n"
    digest = look(project(EARLY, WRAPPER))[0].digest

    assert [look(project(EARLY, each))[0].digest for each in (documented, files)] == [digest, digest]
    for edit in (("x + 2", "x + 3"), ("# file: pkg/", "# file: pkg/one.py\n# file: pkg/")):
        assert look(project(EARLY, WRAPPER.replace(*edit)))[0].digest != digest


def test_the_docstring_of_a_module_counts_only_where_it_is_read(look: Look) -> None:
    form = "import state\ndef go():\n    return [getattr(state, name) for name in ('RATE',)], len(USED or '')\n"
    state = "# file: state.py\n{}RATE = 2\n"
    read = form.replace("USED", "state.__doc__")
    docs = '"""Has a rate."""\n'
    digests = [
        look(project(EARLY, (use + state).format(doc)))[0].digest
        for use in (form.replace("USED", "''"), read)
        for doc in ("", docs)
    ]
    assert [digests[0] == digests[1], digests[2] == digests[3]] == [True, False]
    other = read.replace("def go():", "def unread():\n    return 1\ndef go():\n    unread()")
    documented = other.replace("unread():\n    return", 'unread():\n    """Gives."""\n    return')
    assert len({look(project(EARLY, (each + state).format(docs)))[0].digest for each in (other, documented)}) == 1


@pytest.mark.parametrize("importing", [EARLY, LATE], ids=["early", "late"])
def test_the_last_turn_of_a_loop_does_not_count_for_variables(importing: str, look: Look) -> None:
    form = "import os, conf\ndef go():\n    return os.environ['MADE_HERE']\n# file: conf.py\nimport os\nfrom pathlib import Path\n"
    form += (
        "for line in Path(__file__).with_name('env.txt').read_text().splitlines():\n    key, value = line.split('=')\n"
    )
    form += "    os.environ[key] = value\n# file: env.txt\nMADE_HERE=2\n"
    manifest, _ = look(project(importing, form))
    assert "effects:conf:os" in manifest
    assert look(project(importing, f"{form}MADE_HERE=2\n"))[0].digest == manifest.digest
    assert look(project(importing, form.replace("] = value", "] = value[0]")))[0].digest != manifest.digest


LISTING = """
import pkgutil
import plugs.inner
def go():
    return [each.name for each in pkgutil.walk_packages(plugs.__path__)], plugs.inner.x
# file: plugs/__init__.py
# file: plugs/one.py
# file: plugs/inner/__init__.py
x = 1
# file: plugs/inner/two.py
"""


@pytest.mark.parametrize("importing", [EARLY, LATE], ids=["early", "late"])
def test_reading_the_path_of_a_package_depends_on_its_modules(importing: str, look: Look) -> None:
    old, _ = look(project(importing, LISTING))
    again, _ = look(project(importing, LISTING + "# file: plugs/notes.txt\n# file: plugs/data/notes.txt\n"))
    assert again.digest == old.digest
    for added in ("plugs/four.py", "plugs/inner/four.py"):
        new, _ = look(project(importing, f"{LISTING}# file: {added}\n"))
        assert new.digest != old.digest


def test_too_many_modules_to_follow_are_reported(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    form = "import state\nstate.T['a'] = 2\ndef go():\n    return state.T\n# file: state.py\nT = {}\n"
    assert not look(project(LATE, form))[0].unresolved
    monkeypatch.setattr(import_effects, "_MOST", 1)

    reasons = [edge.reason for edge in look(project(LATE, form))[0].unresolved]
    assert reasons == ["2 modules are imported during the run; how they change others is not followed"]


MADE = {
    "eval": "go = eval('lambda: 2')\n",
    "eval of a text": "TEXT = 'lambda: 2'\ngo = eval(TEXT)\n",
    "the order of operands": "go = eval('lambda x=5, y=2: x - y + 2')\n",
    "exec": "space = {}\nexec('def f():\\n    return 2', space)\ngo = space['f']\n",
    "a name of its own": "space = {'K': 2}\nexec('def f():\\n    return K', space)\ngo = space['f']\n",
    "names beside a late import": "space = {'K': 2}\nexec('def f():\\n    return K', space)\nf = space['f']\ndef go():\n    import late\n    return f(), late.T\n# file: late.py\nT = []\n",
    "a function in it": "go = eval('lambda: [(lambda z: z + 2)(y) for y in (1, 2)]')\n",
    "what it calls": "def rate():\n    return 2\ngo = eval('lambda: rate()')\n",
    "what it takes of a module": "import state\ngo = eval('lambda: state.RATE')\n# file: state.py\nRATE = 2\n",
    "a comparison": "go = eval('lambda: (1 in (5, 2), 3 < 2, [7, 8, 9, None][2] is None, -2)')\n",
    "a set": "go = eval('lambda: 2 in {7, 2} or \"2\"')\n",
    "two of one name": "one, go = eval('lambda: 1'), eval('lambda: 2')\n",
    "arguments": "go = eval('lambda *a2, **b: sorted(k for k in [\"a\"] + list(go.__code__.co_varnames))')\n",
}


@pytest.mark.parametrize("importing", [EARLY, LATE], ids=["early", "late"])
@pytest.mark.parametrize("title", MADE)
def test_a_function_without_source_counts_by_its_code(title: str, importing: str, look: Look) -> None:
    form = MADE[title]
    old, gave = look(project(importing, form))
    again, _ = look(project(importing, f"# moved\n{form}"))
    seen = 0
    for at in (index for index, char in enumerate(form) if char == "2"):
        new, gives = look(project(importing, f"{form[:at]}3{form[at + 1 :]}"))
        seen += gives != gave
        if importing == LATE and title.startswith("what it "):
            continue
        assert gives == gave or new.digest != old.digest, f"{gave} → {gives}"

    if importing == LATE and title.startswith("what it "):  # a text says nothing before it has run
        assert "this runs text as code with `eval`" in [edge.reason for edge in old.unresolved]
    assert seen
    assert again.digest == old.digest


@pytest.mark.parametrize("importing", [EARLY, LATE], ids=["early", "late"])
def test_star_imports_are_as_narrow_as_their_names(importing: str, look: Look) -> None:
    form = "from pkg import *\ndef go():\n    return area()\n# file: pkg/__init__.py\nfrom .area import *\nfrom .others import *\n"
    form += "# file: pkg/area.py\n__all__ = ['area']\ndef area():\n    return 2\n"
    form += "# file: pkg/others.py\n__all__ = ['other']\narea = 5\ndef other():\n    return 7\n"
    old, gave = look(project(importing, form))
    for edit in (("area = 5", "area = 6"), ("return 7", "return 8"), ("\n# file: pkg/oth", "\nX = 1\n# file: pkg/oth")):
        new, gives = look(project(importing, form.replace(*edit)))
        assert (new.digest, gives) == (old.digest, gave)
    assert look(project(importing, form.replace("return 2", "return 3")))[0].digest != old.digest


@pytest.mark.parametrize("importing", [EARLY, LATE], ids=["early", "late"])
def test_changes_of_libraries_count_for_their_users(importing: str, look: Look) -> None:
    form = "import os, others\ndef go():\n    return os.sep\n# file: others.py\nimport decimal, os, json, sys\n"
    form += "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import never\n    decimal.getcontext().prec = 1\n"
    form += (
        "def setup(digits: int):\n    decimal.getcontext().prec = digits\n    os.makedirs('.', exist_ok=digits > 0)\n"
    )
    form += (
        "setup(7)\nos.makedirs('.', exist_ok=8 > 0)\nSIZE: int = len('9')\n[].append(6)\nx, (y, z) = 1, (2, 3)\ndel x\n"
    )
    form += "match y:\n    case 2:\n        decimal.getcontext().prec = 5\n"
    old, gave = look(project(importing, form))
    for edit in (
        ("setup(7)", "setup(6)"),
        ("= 8 >", "= 4 >"),
        ("'9'", "'99'"),
        ("prec = 5", "prec = 4"),
        ("prec = 1", "prec = 2"),
    ):
        new, gives = look(project(importing, form.replace(*edit)))
        assert (new.digest, gives) == (old.digest, gave)

    uses = form.replace("return os.sep", "return os.sep, str(decimal.Decimal(1) / 7)").replace(
        "os, others", "os, others, decimal"
    )
    new, gives = look(project(importing, uses))
    assert "effects:others:decimal" in new
    assert look(project(importing, uses.replace("prec = 5", "prec = 4")))[0].digest != new.digest
