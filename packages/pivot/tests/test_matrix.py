"""Many small edits at once, through the executable: which stages an edit makes stale, and which it leaves alone.

A table is one text. `## title` begins a case, which is a package of its own with a stage of its own. Its text is the
package's `main.py`, up to a `# file: name`, which begins a further file of the package, or, with a `/`, of the project.
`«old→new»` is the edit, in one or more places. `CASE` is the package's name. The stage calls `work()`, unless the case
defines `stage` itself.
"""

import os
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from harness import Project

SEEN = r'''
## the stage itself
def work():
    return 1 + «1→2»

## the function that is registered
T = pivot.loaders.Text()
def stage() -> Annotated[str, pivot.Out("out/CASE.txt", T)]:
    return "«a→b»"

## a helper in the same module
def helper(x):
    return x «+→-» 1
def work():
    return helper(1)

## a helper in another module, by from-import
from .utils import f
def work():
    return f(1)
# file: utils.py
def f(x):
    return x * «2→3»

## a helper in another module, by an absolute import
import CASE.utils
def work():
    return CASE.utils.f(1)
# file: utils.py
def f(x):
    return x * «2→3»

## a helper in a module beside the pipeline
import CASE_helper
def work():
    return CASE_helper.f(1)
# file: /CASE_helper.py
def f(x):
    return x * «2→3»

## a helper in a package beside the pipeline
from CASE_tools.text import clean
def work():
    return clean(" a ")
# file: /CASE_tools/__init__.py
# file: /CASE_tools/text.py
def clean(text):
    return text.«strip→lstrip»()

## a helper in a src layout
import pathlib, sys
sys.path.append(str(pathlib.Path(__file__).parent / "src"))
from CASE_lib.leaf import f
def work():
    return f()
# file: src/CASE_lib/__init__.py
# file: src/CASE_lib/leaf.py
def f():
    return «1→2»

## a helper of a helper of a helper
from . import a
def work():
    return a.f()
# file: a.py
from . import b
def f():
    return b.g()
# file: b.py
from .c import h as k
def g():
    return k()
# file: c.py
def h():
    return «1→2»

## a relative import from the parent
from .sub.leaf import f
def work():
    return f()
# file: base.py
def g():
    return «1→2»
# file: sub/__init__.py
# file: sub/leaf.py
from ..base import g
def f():
    return g()

## a star import
from .utils import *
def work():
    return f() + K
# file: utils.py
K = «1→2»
def f():
    return 1

## a star import of what __all__ names
from .utils import *
def work():
    return f()
# file: utils.py
__all__ = ["f"]
def f():
    return «1→2»

## a star import behind a star import
from .outer import *
def work():
    return f()
# file: outer.py
from .inner import *
# file: inner.py
def f():
    return «1→2»

## a re-export under an alias
from .pkg import work as other
def work():
    return other()
# file: pkg/__init__.py
from ._impl import run as work
# file: pkg/_impl.py
def run():
    return «1→2»

## which of two is re-exported
from .pkg import f
def work():
    return f()
# file: pkg/__init__.py
from .impl import «one→two» as f
# file: pkg/impl.py
def one():
    return 1
def two():
    return 2

## an alias by assignment
from . import utils
f = utils.f
def work():
    return f()
# file: utils.py
def f():
    return «1→2»

## what an alias stands for
from . import utils
f = utils.«f→g»
def work():
    return f()
# file: utils.py
def f():
    return 1
def g():
    return 2

## aliases swapped
from .utils import «f as a, g as b→g as a, f as b»
def work():
    return a() - b()
# file: utils.py
def f():
    return 1
def g():
    return 2

## a chain of module attributes
import CASE.sub.leaf as s
import CASE
def work():
    return CASE.sub.leaf.f()
# file: sub/__init__.py
# file: sub/leaf.py
def f():
    return «1→2»

## a namespace package
from .ns import leaf
def work():
    return leaf.f()
# file: ns/leaf.py
def f():
    return «1→2»

## a constant in a package's __init__
from . import sub
def work():
    return sub.K
# file: sub/__init__.py
K = «1→2»

## an import inside the function
def work():
    from . import lazy
    return lazy.f()
# file: lazy.py
def f():
    return g()
def g():
    return «1→2»

## a from-import inside the function, of a computed constant
def work():
    from .lazy import K as limit
    return limit
# file: lazy.py
BASE = «3→4»
K = BASE + 1

## an import inside the function, through a re-export
def work():
    from .pkg import f
    return f()
# file: pkg/__init__.py
from .impl import *
# file: pkg/impl.py
def f():
    return «1→2»

## an absolute import inside the function
def work():
    import CASE.sub.leaf
    return CASE.sub.leaf.f()
# file: sub/__init__.py
# file: sub/leaf.py
def f():
    return «1→2»

## a class of a module imported later
def work():
    from .lazy import A
    return A().f()
# file: lazy.py
class B:
    def f(self):
        return «1→2»
class A(B):
    pass

## a table of a module imported later
def work():
    from . import lazy as z
    return z.T["f"]()
# file: lazy.py
def f():
    return «1→2»
T = {"f": f}

## an import for its effect
def work():
    from . import effects
    return 1
# file: effects.py
import os
X = «1→2»

## an import in try and except
try:
    import CASE_nowhere as fast
except ImportError:
    from . import slow as fast
def work():
    return fast.f()
# file: slow.py
def f():
    return «1→2»

## an import under a condition
import sys
if sys.version_info >= (3, 0):
    from .new import f
else:
    from .old import f
def work():
    return f()
# file: new.py
def f():
    return «1→2»
# file: old.py
def f():
    return 0

## a literal import_module
import importlib
def work():
    return importlib.import_module("CASE.plugin").f()
# file: plugin.py
def f():
    return «1→2»

## a literal import_module under another name
from importlib import import_module as load
def work():
    plugin = load("CASE.plugin")
    return plugin.f()
# file: plugin.py
def f():
    return «1→2»

## a literal getattr
from . import utils
def work():
    return getattr(utils, "f")()
# file: utils.py
def f():
    return «1→2»

## a computed getattr
from . import utils
def work():
    return getattr(utils, "fg"[0])()
# file: utils.py
def f():
    return «1→2»
def g():
    return 0

## a computed import
import importlib
def work():
    name = "plugin"
    return importlib.import_module(f"CASE.{name}").f()
# file: plugin.py
def f():
    return g()
def g():
    return «1→2»

## a constant that a computed import reads
import importlib
def work():
    name = "plugin"
    return importlib.import_module(f"CASE.{name}").f()
# file: plugin.py
K = «1→2»
def f():
    return K

## a function found in globals()
def f():
    return «1→2»
def work():
    return globals()["f"]()

## a function called in an eval
def f():
    return «1→2»
def work():
    return eval("f()")

## a module handed on
import types
from . import utils
def call(module: types.ModuleType):
    return module.f()
def work():
    return call(utils)
# file: utils.py
def f():
    return «1→2»

## a default's value
RATE = «1→2»
def f(rate=RATE):
    return rate
def work():
    return f()

## a keyword default's value
RATE = «1→2»
def f(*, rate=RATE):
    return rate
def work():
    return f()

## a default in the source
def f(x, rate=«1→1.0»):
    return rate
def work():
    return f(0)

## a computed default
def f(rate=sum([1, «2→3»])):
    return rate
def work():
    return f()

## a mutable default
def f(rows=[1, [«2→3»]]):
    return rows
def work():
    return f()

## a function's defaults assigned later
def f(rate=1):
    return rate
f.__defaults__ = («2→3»,)
def work():
    return f()

## a parameter's name
def f(**options):
    return options
def work():
    return f(«a→b»=1)

## the order of parameters
def f(«a, b→b, a»):
    return a - b
def work():
    return f(1, 2)

## a closure's cell
def make(n):
    def f():
        return n
    return f
f = make(«1→2»)
def work():
    return f()

## a closure's code
def make(n):
    def f():
        return n «+→-» 1
    return f
f = make(1)
def work():
    return f()

## a closure over a function
def make(g):
    def f():
        return g()
    return f
def one():
    return «1→2»
f = make(one)
def work():
    return f()

## one of two functions of one factory
def make(n):
    def f():
        return n
    return f
a = make(1)
b = make(«2→3»)
def work():
    return a() + b()

## two functions of one factory, swapped
def make(n):
    def f():
        return n
    return f
a = make(«1→2»)
b = make(«2→1»)
def work():
    return a() - b()

## a factory of lambdas
adders = [lambda x, n=n: x + n for n in («1→2», 3)]
def work():
    return adders[0](1)

## a wrapper
from .deco import timed
@timed(3)
def f():
    return 1
def work():
    return f()
# file: deco.py
import functools
def timed(n):
    def deco(f):
        @functools.wraps(f)
        def inner(*a):
            return f(*a) * «2→3»
        return inner
    return deco

## what is wrapped
import functools
def deco(f):
    @functools.wraps(f)
    def inner(*a):
        return f(*a)
    return inner
@deco
def f():
    return «1→2»
def work():
    return f()

## what is wrapped without functools.wraps
def deco(f):
    def inner(*a):
        return f(*a)
    return inner
@deco
def f():
    return «1→2»
def work():
    return f()

## a decorator's argument
N = «1→2»
def deco(n):
    def outer(f):
        def inner():
            return f(), n
        return inner
    return outer
@deco(N)
def f():
    return 1
def work():
    return f()

## a decorator's literal argument
def deco(n):
    def outer(f):
        return lambda: (f(), n)
    return outer
@deco(«1→2»)
def f():
    return 1
def work():
    return f()

## stacked decorators, reordered
def a(f):
    return lambda: f() + 1
def b(f):
    return lambda: f() * 2
@«a→b»
@«b→a»
def f():
    return 3
def work():
    return f()

## the inner one of stacked decorators
def a(f):
    return lambda: f() + 1
def b(f):
    return lambda: f() * «2→3»
@a
@b
def f():
    return 3
def work():
    return f()

## a decorator removed
import functools
«@functools.lru_cache
→»def f():
    return 1
def work():
    return f()

## a decorator that returns something else
def deco(f):
    return «1→2»
@deco
def f():
    return 0
def work():
    return f

## a decorator that is a class
class deco:
    def __init__(self, f):
        self.f = f
    def __call__(self):
        return self.f() + «1→2»
@deco
def f():
    return 1
def work():
    return f()

## what a class as a decorator wraps
class deco:
    def __init__(self, f):
        self.f = f
    def __call__(self):
        return self.f()
@deco
def f():
    return «1→2»
def work():
    return f()

## a decorator of a class
def deco(cls):
    cls.x = «1→2»
    return cls
@deco
class A:
    pass
def work():
    return A.x

## a decorator of a class that gives another
def deco(cls):
    class Other(cls):
        def f(self):
            return «1→2»
    return Other
@deco
class A:
    pass
def work():
    return A().f()

## a decorator of the stage
import functools
def deco(f):
    @functools.wraps(f)
    def inner(*a, **k):
        return f(*a, **k) + "«a→b»"
    return inner
T = pivot.loaders.Text()
@deco
def stage() -> Annotated[str, pivot.Out("out/CASE.txt", T)]:
    return "x"

## a cached function
import functools
@functools.lru_cache(maxsize=3)
def f():
    return «1→2»
def work():
    return f()

## what a cached function calls
import functools
def g():
    return «1→2»
@functools.cache
def f():
    return g()
def work():
    return f()

## a context manager
import contextlib
@contextlib.contextmanager
def cm():
    yield «1→2»
def work():
    with cm() as y:
        return y

## a class as a context manager
class CM:
    def __enter__(self):
        return «1→2»
    def __exit__(self, *a):
        pass
def work():
    with CM() as y:
        return y

## a partial's argument
import functools
def f(n):
    return n
g = functools.partial(f, n=«1→2»)
def work():
    return g()

## a partial's positional argument
import functools
def f(n):
    return n
g = functools.partial(f, «1→True»)
def work():
    return g()

## a partial's function
import functools
def f(n):
    return n «+→-» 1
g = functools.partial(f, n=1)
def work():
    return g()

## a partial of a partial
import functools
def f(a, b):
    return a, b
g = functools.partial(functools.partial(f, «1→2»), 3)
def work():
    return g()

## a registered implementation
import functools
@functools.singledispatch
def f(x):
    return 0
@f.register
def _(x: int):
    return «1→2»
@f.register
def _(x: str):
    return 3
def work():
    return f(1)

## an implementation registered in another module
from .base import f
from . import more
def work():
    return f(1)
# file: base.py
import functools
@functools.singledispatch
def f(x):
    return 0
# file: more.py
from .base import f
@f.register(int)
def _(x):
    return «1→2»

## the type an implementation is registered for
import functools
@functools.singledispatch
def f(x):
    return 0
@f.register(«int→str»)
def _(x):
    return 1
def work():
    return f(1)

## a cached property
import functools
class A:
    @functools.cached_property
    def p(self):
        return «1→2»
def work():
    return A().p

## a cached property's helper
import functools
def h():
    return «1→2»
class A:
    @functools.cached_property
    def p(self):
        return h()
def work():
    return A().p

## a partial method
import functools
class A:
    def f(self, n):
        return n
    g = functools.partialmethod(f, «1→2»)
def work():
    return A().g()

## a method chosen by type
import functools
class A:
    @functools.singledispatchmethod
    def f(self, x):
        return 0
    @f.register
    def _(self, x: int):
        return «1→2»
def work():
    return A().f(1)

## a dispatch table's lambda
T = {"a": lambda: «1→3», "b": lambda: 2}
def work():
    return T["a"]()

## a dispatch table's lambdas, swapped
T = {"a": lambda: «1→2», "b": lambda: «2→1»}
def work():
    return T["a"]()

## a dispatch table's functions, swapped
def f():
    return 1
def g():
    return 2
T = {"a": «f→g», "b": «g→f»}
def work():
    return T["a"]()

## a list of callbacks
def f():
    return «1→2»
T = [f]
def work():
    return [callback() for callback in T]

## a tuple of callbacks in a dict
def f():
    return «1→2»
T = {"all": (f, len)}
def work():
    return T["all"][0]()

## the order of callbacks
def f(x):
    return x + 1
def g(x):
    return x * 2
T = [«f, g→g, f»]
def work():
    x = 3
    for callback in T:
        x = callback(x)
    return x

## a registry filled by decorators
from . import plugins
from .registry import R
def work():
    return R["a"]()
# file: registry.py
R = {}
def register(f):
    R[f.__name__] = f
    return f
# file: plugins.py
from .registry import register
@register
def a():
    return «1→2»

## a registry filled by decorators with names
R = {}
def register(name):
    return lambda f: R.setdefault(name, f)
@register("«a→b»")
def f():
    return 1
def work():
    return sorted(R)

## a registry filled by __init_subclass__
R = {}
class Base:
    def __init_subclass__(cls, /, name):
        R[name] = cls
class One(Base, name="one"):
    def f(self):
        return «1→2»
def work():
    return R["one"]().f()

## a method as a callback
class A:
    def g(self):
        return h()
def h():
    return «5→6»
T = [A.g]
def work():
    return T[0](None)

## a bound method as a callback
class A:
    def __init__(self, n):
        self.n = n
    def f(self):
        return self.n
T = [A(«1→2»).f]
def work():
    return T[0]()

## a key function
def key(x):
    return «x→-x»
def work():
    return sorted([2, 1, 3], key=key)

## a lambda
f = lambda x: x + «1→2»
def work():
    return f(1)

## a lambda on a line with others
a, b = (lambda x: x + 1), (lambda x: lambda: x + «2→3»)
def work():
    return b(a(1))()

## lambdas that call each other
f = lambda n: n and g(n)
g = lambda n: f(n - «1→2»)
def work():
    return f(4)

## operator.methodcaller
import operator
f = operator.methodcaller("«strip→lstrip»")
def work():
    return f(" a ")

## operator.attrgetter
import operator
f = operator.attrgetter("«real→imag»")
def work():
    return f(1j)

## operator.itemgetter
import operator
f = operator.itemgetter(«0→1»)
def work():
    return f("ab")

## which library function
from math import «floor→ceil» as f
def work():
    return f(1.5)

## which attribute of a library
import math
def work():
    return math.«floor→ceil»(1.5)

## a builtin shadowed
«→def len(x):
    return 0
»def work():
    return len([1])

## a builtin shadowed by an import
from .utils import *
def work():
    return len([1])
# file: utils.py
«other→len» = str

## a method
class A:
    def run(self):
        return «1→2»
def work():
    return A().run()

## a method that another method calls
class A:
    def run(self):
        return self._run()
    def _run(self):
        return «1→2»
def work():
    return A().run()

## a helper of a method
def helper():
    return «1→2»
class A:
    def run(self):
        return helper()
def work():
    return A().run()

## a dunder method
class A:
    def __add__(self, other):
        return «1→2»
def work():
    return A() + 1

## a callable instance
class A:
    def __call__(self):
        return «1→2»
a = A()
def work():
    return a()

## a callable instance's state
class A:
    def __init__(self, n):
        self.n = n
    def __call__(self):
        return self.n
a = A(«1→2»)
def work():
    return a()

## __init__
class A:
    def __init__(self):
        self.n = «1→2»
def work():
    return A().n

## __new__
class A:
    def __new__(cls):
        return «1→2»
def work():
    return A()

## __getattr__ of a class
class A:
    def __getattr__(self, name):
        return «1→2»
def work():
    return A().anything

## __iter__ as a generator
class A:
    def __iter__(self):
        yield «1→2»
def work():
    return list(A())

## an inherited method
from .base import B
class A(B):
    pass
def work():
    return A().run()
# file: base.py
class B:
    def run(self):
        return «1→2»

## a method called by super()
class B:
    def run(self):
        return «1→2»
class A(B):
    def run(self):
        return super().run()
def work():
    return A().run()

## a mixin
class M:
    def run(self):
        return «1→2»
class B:
    pass
class A(M, B):
    pass
def work():
    return A().run()

## the order of bases
class B:
    x = 1
class C:
    x = 2
class A(«B, C→C, B»):
    pass
def work():
    return A.x

## an override added
class B:
    def run(self):
        return 1
class A(B):
    «pass→def run(self):
        return 2»
def work():
    return A().run()

## an abstract base's method
import abc
class B(abc.ABC):
    @abc.abstractmethod
    def part(self): ...
    def run(self):
        return self.part() + «1→2»
class A(B):
    def part(self):
        return 1
def work():
    return A().run()

## a base chosen at import
class B:
    x = 1
class C:
    x = 2
BASE = «B→C»
def make(base):
    class A(base):
        pass
    return A
A = make(BASE)
def work():
    return A.x

## a class made by type()
def f(self):
    return «1→2»
A = type("A", (), {"f": f})
def work():
    return A().f()

## a metaclass
class M(type):
    def f(cls):
        return «1→2»
class A(metaclass=M):
    pass
def work():
    return A.f()

## __init_subclass__
class B:
    def __init_subclass__(cls):
        cls.y = «1→2»
class A(B):
    pass
def work():
    return A.y

## a descriptor's state
class D:
    def __init__(self, n):
        self.n = n
    def __get__(self, *a):
        return self.n
class A:
    d = D(«1→2»)
def work():
    return A().d

## a descriptor's code
class D:
    def __get__(self, *a):
        return «1→2»
class A:
    d = D()
def work():
    return A().d

## __set_name__
class D:
    def __set_name__(self, owner, name):
        self.name = name + "«a→b»"
class A:
    d = D()
def work():
    return vars(A)["d"].name

## a property
class A:
    @property
    def p(self):
        return «1→2»
def work():
    return A().p

## a property's setter
class A:
    @property
    def p(self):
        return self._p
    @p.setter
    def p(self, value):
        self._p = value + «1→2»
def work():
    a = A()
    a.p = 1
    return a.p

## a static method
class A:
    @staticmethod
    def s():
        return «1→2»
def work():
    return A.s()

## a class method
class A:
    @classmethod
    def c(cls):
        return «1→2»
def work():
    return A.c()

## a class attribute
class A:
    y = «1→2»
def work():
    return A.y

## a class attribute assigned later
class A:
    pass
A.y = «1→2»
def work():
    return A.y

## a class attribute assigned in another module
from .base import A
from . import patch
def work():
    return A.y
# file: base.py
class A:
    y = 0
# file: patch.py
from .base import A
A.y = «1→2»

## a class attribute set by setattr
class A:
    pass
for name in ("x", "y"):
    setattr(A, name, «1→2»)
def work():
    return A.y

## a computed class attribute
V = «1→2»
class A:
    y = [V]
def work():
    return A.y

## a nested class
class A:
    class B:
        x = «1→2»
def work():
    return A.B.x

## a method in a local class
def work():
    class A:
        def f(self):
            return helper()
    return A().f()
def helper():
    return «1→2»

## a generic class
class A[T]:
    def f(self, x: T) -> T:
        return [x, «1→2»]
def work():
    return A[int]().f(1)

## __slots__
class A:
    __slots__ = («"x",→"x", "y"»)
def work():
    return A.__slots__

## a monkeypatched method
class A:
    def f(self):
        return 0
def g(self):
    return «1→2»
A.f = g
def work():
    return A().f()

## a monkeypatched function of a module
from . import utils
def mine():
    return «1→2»
utils.f = mine
def work():
    return utils.f()
# file: utils.py
def f():
    return 0

## a monkeypatch added
from . import utils
«→utils.f = lambda: 1
»def work():
    return utils.f()
# file: utils.py
def f():
    return 0

## a monkeypatched constant
from . import utils
utils.K = «1→2»
def work():
    return utils.f()
# file: utils.py
K = 0
def f():
    return K

## a function's attribute
def f():
    return f.limit
f.limit = «1→2»
def work():
    return f()

## a dataclass's default
import dataclasses
@dataclasses.dataclass
class A:
    x: int = «1→2»
def work():
    return A()

## a dataclass's field
import dataclasses
@dataclasses.dataclass
class A:
    x: int = 1
«→    y: int = 3
»def work():
    return A()

## the order of a dataclass's fields
import dataclasses
@dataclasses.dataclass
class A:
    «x: int
    y: int→y: int
    x: int»
def work():
    return A(1, 2)

## a dataclass's option
import dataclasses
@dataclasses.dataclass(order=«True→False»)
class A:
    x: int = 1
def work():
    return hasattr(A, "__lt__")  and A.__lt__ is not object.__lt__

## a dataclass's default factory
import dataclasses
def make():
    return «1→2»
@dataclasses.dataclass
class A:
    x: int = dataclasses.field(default_factory=make)
def work():
    return A()

## a dataclass's __post_init__
import dataclasses
@dataclasses.dataclass
class A:
    x: int = 1
    def __post_init__(self):
        self.x += «1→2»
def work():
    return A()

## a dataclass instance's field
import dataclasses
@dataclasses.dataclass
class A:
    x: int
    y: list
a = A(1, [«2→3»])
def work():
    return a

## an attrs class's default
import attrs
@attrs.define
class A:
    x: int = attrs.field(default=«1→2»)
def work():
    return A()

## an attrs class's converter
import attrs
def convert(x):
    return x + «1→2»
@attrs.frozen
class A:
    x: int = attrs.field(converter=convert)
def work():
    return A(1)

## an attrs instance's field
import attrs
@attrs.frozen
class A:
    x: int
a = A(«1→2»)
def work():
    return a

## a named tuple's default
from typing import NamedTuple
class A(NamedTuple):
    x: int = «1→2»
def work():
    return A()

## a named tuple by a call
from collections import namedtuple
A = namedtuple("A", "«x y→y x»")
def work():
    return A(1, 2)

## a named tuple's value
from typing import NamedTuple
class A(NamedTuple):
    x: int
a = A(«1→2»)
def work():
    return a

## a typed dict that is read
from typing import TypedDict
class A(TypedDict):
    x: «int→str»
def work():
    return A.__annotations__

## an enum's value
import enum
class E(enum.Enum):
    A = «1→2»
def work():
    return E.A

## an enum's order
import enum
class E(enum.Enum):
    «A = 1
    B = 2→B = 2
    A = 1»
def work():
    return list(E)

## an enum's method
import enum
class E(enum.Enum):
    A = 1
    def f(self):
        return «1→2»
def work():
    return E.A.f()

## which enum member
import enum
class E(enum.Enum):
    A = 1
    B = 2
M = E.«A→B»
def work():
    return M

## an instance's state
class A:
    def __init__(self, n):
        self.n = n
a = A(«1→2»)
def work():
    return a.n

## an instance's slot
class A:
    __slots__ = ("n",)
    def __init__(self, n):
        self.n = n
a = A(«1→2»)
def work():
    return a.n

## an instance's attribute assigned later
class A:
    pass
a = A()
a.n = «1→2»
def work():
    return a.n

## an instance's class
class A:
    n = 1
class B:
    n = 2
a = «A→B»()
def work():
    return a.n

## a subclass of dict
class D(dict):
    pass
d = D(a=«1→2»)
def work():
    return d

## a subclass of int
class I(int):
    def __str__(self):
        return "«a→b»"
i = I(1)
def work():
    return str(i)

## a constant
K = «1→2»
def work():
    return K

## a constant of another module
from . import settings
def work():
    return settings.K
# file: settings.py
K = «1→2»

## a constant computed from another
A = «1→2»
B = A + 1
C = [B] * 2
def work():
    return C

## a constant computed in another module
from .settings import C
def work():
    return C
# file: settings.py
from .base import A
C = A * 2
# file: base.py
A = «1→2»

## a constant computed by a function
def make():
    return «1→2»
X = make()
def work():
    return X

## a constant under a condition
DEBUG = «True→False»
if DEBUG:
    K = 1
else:
    K = 2
def work():
    return K

## a constant from a loop
K = 0
for i in range(«3→4»):
    K += i
def work():
    return K

## a constant of a with statement
import contextlib
with contextlib.nullcontext(«1→2») as K:
    pass
def work():
    return K

## a constant by unpacking
A, (B, *C) = 1, (2, «3→4»)
def work():
    return C

## a constant by a walrus
if (K := «1→2») > 0:
    pass
def work():
    return K

## a constant redefined
K = 1
K = «2→3»
def work():
    return K

## a nested value
K = {"a": [1, {"b": (2, {«3→4»})}]}
def work():
    return K

## a list appended to
L = [1]
L.append(«2→3»)
def work():
    return L

## a dict filled later
D = {}
D["a"] = «1→2»
def work():
    return D

## a dict updated by another module
from .settings import D
from . import more
def work():
    return D
# file: settings.py
D = {"a": 1}
# file: more.py
from .settings import D
D.update(a=«2→3»)

## a set filled in a loop
S = set()
for i in range(«2→3»):
    S.add(i)
def work():
    return S

## a list sorted at import
L = [2, 1]
L.sort(reverse=«True→False»)
def work():
    return L

## a table in a table
TABLES = {"one": {"a": 1}, "two": {"b": 2}}
TABLES["one"]["a"] = «3→4»
def work():
    return TABLES

## a redefinition: the live one
def f():
    return 0
def f():
    return «1→2»
def work():
    return f()

## a redefinition added
def f():
    return 0
«→def f():
    return 1
»def work():
    return f()

## a function defined under a condition
if True:
    def f():
        return «1→2»
else:
    def f():
        return 3
def work():
    return f()

## the condition of a definition
if «True→False»:
    def f():
        return 1
else:
    def f():
        return 3
def work():
    return f()

## a lambda under a condition
f = (lambda: «1→2») if len("a") else (lambda: 3)
def work():
    return f()

## a global that another function writes
STATE = {"n": 0}
def write():
    STATE["n"] = «1→2»
def work():
    write()
    return STATE

## a generator function
def numbers():
    yield 1
    yield from more()
def more():
    yield «2→3»
def work():
    return list(numbers())

## an async function
import asyncio
async def f():
    return «1→2»
def work():
    return asyncio.run(f())

## an async generator
import asyncio
async def numbers():
    yield «1→2»
async def main():
    return [x async for x in numbers()]
def work():
    return asyncio.run(main())

## a function run in a thread
import concurrent.futures
def f(x):
    return x + «1→2»
def work():
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return list(pool.map(f, [1]))

## a pattern's class
class P:
    __match_args__ = («"x"→"y"»,)
    x = 1
    y = 2
def work():
    match P():
        case P(1):
            return 1

## a pattern's constant
class K:
    ONE = «1→2»
def work():
    match 1:
        case K.ONE:
            return 1

## None and False in patterns
def work():
    match None:
        case «None→False»:
            return 1

## an exception's class
class Wrong(Exception):
    def __str__(self):
        return "«a→b»"
def work():
    try:
        raise Wrong
    except Wrong as error:
        return str(error)

## the docstring, where it is read
def f():
    """«One→Two»."""
def work():
    return f.__doc__

## an annotation, where it is read
def f(x: «int→str»):
    return x
def work():
    return f.__annotations__

## an operator
def work():
    return 3 «/→//» 2

## a comparison
def work():
    return 1 «<→<=» 1

## a statement removed
def work():
    x = [1]
«    x.append(2)
→»    return x

## statements reordered
def work():
    x = [1]
«    x.append(2)
    x.reverse()→    x.reverse()
    x.append(2)»
    return x

## an f-string's text
def work():
    return f"«a→b»{1}"

## an f-string's format
def work():
    return f"{1:«2→3»}"

## an out's path
T = pivot.loaders.Text()
def stage() -> Annotated[str, pivot.Out("out/CASE«→_b».txt", T)]:
    return "a"

## an out's writer
L = pivot.loaders
def stage() -> Annotated[str, pivot.Out("out/CASE.txt", L.«Text→JSON»())]:
    return "a"

## an option of an out's writer
L = pivot.loaders.JSON(indent=«2→1»)
def stage() -> Annotated[list, pivot.Out("out/CASE.json", L)]:
    return [1]

## another option of an out's writer
L = pivot.loaders.JSON(sort_keys=«True→False»)
def stage() -> Annotated[dict, pivot.Out("out/CASE.json", L)]:
    return {"b": 1, "a": 2}

## an encoding of an out's writer
L = pivot.loaders.Text(encoding="«utf-8→latin-1»")
def stage() -> Annotated[str, pivot.Out("out/CASE.txt", L)]:
    return "é"

## an option of one of two outs
from typing import TypedDict
J = pivot.loaders.JSON
class Outs(TypedDict):
    a: Annotated[list, pivot.Out("out/CASE_a.json", J(indent=«1→2»))]
    b: Annotated[list, pivot.Out("out/CASE_b.json", J(indent=1))]
def stage() -> Outs:
    return Outs(a=[1], b=[2])

## another out
from typing import TypedDict
J = pivot.loaders.JSON()
class Outs(TypedDict):
    a: Annotated[list, pivot.Out("out/CASE_a.json", J)]
«→    b: Annotated[list, pivot.Out("out/CASE_b.json", J)]
»def stage() -> Outs:
    return {"a": [1]«→, "b": [2]»}

## a writer of one's own
from .io import Upper
W = Upper()
def stage() -> Annotated[str, pivot.Out("out/CASE.txt", W)]:
    return "a"
# file: io.py
class Upper:
    def save(self, value, path):
        path.write_text(value.«upper→lower»())

## a helper of a writer of one's own
from .io import Upper
W = Upper()
def stage() -> Annotated[str, pivot.Out("out/CASE.txt", W)]:
    return "a"
# file: io.py
def change(value):
    return value.«upper→lower»()
class Upper:
    def save(self, value, path):
        path.write_text(change(value))

## an option of a writer of one's own
import attrs
@attrs.frozen
class Ended:
    end: str
    def save(self, value, path):
        path.write_text(value + self.end)
W = Ended("«!→?»")
def stage() -> Annotated[str, pivot.Out("out/CASE.txt", W)]:
    return "a"

## what a writer of one's own inherits
class Base:
    def save(self, value, path):
        path.write_text(value.«upper→lower»())
class W(Base):
    pass
def stage() -> Annotated[str, pivot.Out("out/CASE.txt", W())]:
    return "a"

## a dep's path
T = pivot.loaders.Text()
def stage(x: Annotated[str, pivot.Dep("«one→two».txt", T)]) -> Annotated[str, pivot.Out("out/CASE.txt", T)]:
    return x

## a dep's loader
L = pivot.loaders
T = L.Text()
def stage(x: Annotated[str, pivot.Dep("one.txt", L.«Text→JSON»())]) -> Annotated[str, pivot.Out("out/CASE.txt", T)]:
    return str(x)

## an option of a dep's loader
L = pivot.loaders
R = L.Text(encoding="«utf-8→latin-1»")
def stage(x: Annotated[str, pivot.Dep("one.txt", R)]) -> Annotated[str, pivot.Out("out/CASE.txt", L.Text())]:
    return x

## the loaders of two deps, swapped
L = pivot.loaders
def stage(
    x: Annotated[str, pivot.Dep("one.txt", L.«Text→JSON»())],
    y: Annotated[str, pivot.Dep("two.txt", L.«JSON→Text»())],
) -> Annotated[str, pivot.Out("out/CASE.txt", L.Text())]:
    return f"{x!r} {y!r}"

## the files of two deps, swapped
T = pivot.loaders.Text()
def stage(
    x: Annotated[str, pivot.Dep("«one→two».txt", T)],
    y: Annotated[str, pivot.Dep("«two→one».txt", T)],
) -> Annotated[str, pivot.Out("out/CASE.txt", T)]:
    return x

## a loader of one's own
class Words:
    def load(self, path):
        return path.read_text().split(«→","»)
T = pivot.loaders.Text()
def stage(x: Annotated[list, pivot.Dep("one.txt", Words())]) -> Annotated[str, pivot.Out("out/CASE.txt", T)]:
    return str(x)

## the default of a stage's parameter
T = pivot.loaders.Text()
def stage(rate: float = «1.0→2.0») -> Annotated[str, pivot.Out("out/CASE.txt", T)]:
    return str(rate)

## the type of the default of a stage's parameter
T = pivot.loaders.Text()
def stage(rate: float = «1→1.0») -> Annotated[str, pivot.Out("out/CASE.txt", T)]:
    return str(rate)

## the default of a stage's parameter, by a constant
T = pivot.loaders.Text()
RATE = {"a": «1→2»}
def stage(rate: dict = RATE) -> Annotated[str, pivot.Out("out/CASE.txt", T)]:
    return str(rate)

## a stage made by a factory
T = pivot.loaders.Text()
def make(n):
    def stage() -> Annotated[str, pivot.Out("out/CASE.txt", T)]:
        return str(n)
    return stage
stage = make(«1→2»)
## a constant found in globals()
K = «1→2»
def work():
    return globals()["K"]

## a constant read by an eval
K = «1→2»
def work():
    return eval("K")

## a constant found in sys.modules
import sys
K = «1→2»
def work():
    return sys.modules[__name__].K

## a constant found in vars() of a module
from . import utils
def work():
    return vars(utils)["K"]
# file: utils.py
K = «1→2»

## a constant of what a computed import brings
import importlib
def work():
    name = "plugin"
    return importlib.import_module(f"CASE.{name}").K
# file: plugin.py
K = «1→2»

## a class attribute of what a computed import brings
import importlib
def work():
    name = "plugin"
    return importlib.import_module(f"CASE.{name}").A().f()
# file: plugin.py
class A:
    x = «1→2»
    def f(self):
        return self.x

## a subclass found by __subclasses__()
from .base import Base
from . import more
def work():
    return Base.__subclasses__()[0]().f()
# file: base.py
class Base:
    pass
# file: more.py
from .base import Base
class A(Base):
    def f(self):
        return «1→2»

## an attribute of a subclass found by __subclasses__()
from .base import Base
from . import more
def work():
    return Base.__subclasses__()[0].x
# file: base.py
class Base:
    pass
# file: more.py
from .base import Base
class A(Base):
    x = «1→2»

## a virtual subclass registered
import abc
class B(abc.ABC):
    pass
class A:
    pass
«B.register(A)→pass»
def work():
    return issubclass(A, B)

## a virtual subclass's method
import abc
class B(abc.ABC):
    pass
@B.register
class A:
    def f(self):
        return «1→2»
def work():
    return A().f()

## state left in a library at import
import os
os.environ["CASE_X"] = "«1→2»"
def work():
    return os.environ["CASE_X"]

## a handler left in a library at import
import codecs
def handler(error):
    return "«a→b»", error.end
codecs.register_error("CASE", handler)
def work():
    return "é".encode("ascii", "CASE")

## a file read at import
import pathlib
K = pathlib.Path(__file__).with_name("data.txt").read_text()
def work():
    return K
# file: data.txt
«1→2»

## an optional module that comes to work
try:
    from .fast import f
except ImportError:
    from .slow import f
def work():
    return f()
# file: fast.py
«raise ImportError→def f():
    return 1»
# file: slow.py
def f():
    return 2

## a script run by runpy
import pathlib, runpy
def work():
    return runpy.run_path(str(pathlib.Path(__file__).with_name("script.py")))["f"]()
# file: script.py
def f():
    return «1→2»

## a module run by another process
import subprocess, sys
def work():
    return subprocess.run([sys.executable, "-m", "CASE.script"], check=True, capture_output=True).stdout
# file: script.py
def f():
    return «1→2»
print(f())

## a function run by another process
import multiprocessing
def f(x):
    return x + «1→2»
def work():
    with multiprocessing.get_context("fork").Pool(1) as pool:
        return pool.map(f, [1])

## a function made by exec
exec("def f():\n    return «1→2»")
def work():
    return f()

## a lambda made by eval
f = eval("lambda: «1→2»")
def work():
    return f()

## a generator made at import
G = (x for x in [«1→2»])
def work():
    return list(G)

## an iterator made at import
I = iter([1, «2→3»])
def work():
    return list(I)

## a mapped list made at import
def f(x):
    return x + «1→2»
M = map(f, [1])
def work():
    return list(M)

## a context variable's default
import contextvars
V = contextvars.ContextVar("v", default=«1→2»)
def work():
    return V.get()

## a module's __getattr__
from . import utils
def work():
    return utils.anything
# file: utils.py
def __getattr__(name):
    return «1→2»

## a registry of weak references
import weakref
class A:
    x = «1→2»
R = weakref.WeakSet([A])
def work():
    return [a.x for a in R]

## an instance that also has a lock
import threading
class A:
    def __init__(self, n):
        self.n = n
        self.lock = threading.Lock()
a = A(«1→2»)
def work():
    return a.n

## a closure's cell changed at import
def make():
    rows = []
    return rows.append, lambda: rows
add, get = make()
add(«1→2»)
def work():
    return get()

## a global set by a function at import
def init(n):
    global K
    K = n
init(«1→2»)
def work():
    return K

## a class's keyword
class Base:
    def __init_subclass__(cls, /, n):
        cls.n = n
class A(Base, n=«1→2»):
    pass
def work():
    return A.n

## annotations read by __init_subclass__
class Base:
    def __init_subclass__(cls):
        cls.fields = [t.__name__ for t in cls.__annotations__.values()]
class A(Base):
    x: «int→str»
def work():
    return A.fields

## annotations read by a decorator
def deco(f):
    kinds = list(f.__annotations__.values())
    return lambda x: kinds[0](x)
@deco
def f(x: «int→str»):
    return x
def work():
    return f(1.5)

## annotations read by inspect.signature
import inspect
def f(x: «int→str»):
    return x
def work():
    return inspect.signature(f).parameters["x"].annotation

## annotations read by get_type_hints
import typing
Alias = «int→str»
def f(x: Alias):
    return x
def work():
    return typing.get_type_hints(f)

## an alias in an annotation that is read
Alias = «int→str»
def f(x: Alias):
    return x
def work():
    return f.__annotations__

## an alias in a dataclass's annotation that is read
import dataclasses
Alias = «int→str»
@dataclasses.dataclass
class A:
    x: Alias = 1
def work():
    return dataclasses.fields(A)[0].type

## a type alias's value, where it is read
type Rows = list[«int→str»]
def work():
    return Rows.__value__

## a docstring read by inspect
import inspect
def f():
    """«One→Two»."""
def work():
    return inspect.getdoc(f)

## a source read by inspect
import inspect
def f():
    return 1  # «one→two»
def work():
    return inspect.getsource(f)

## a defaultdict's factory
from collections import defaultdict
def make():
    return «1→2»
D = defaultdict(make)
def work():
    return defaultdict(D.default_factory)["a"]

## __missing__
class D(dict):
    def __missing__(self, key):
        return «1→2»
d = D()
def work():
    return d["a"]

## __class_getitem__
class A:
    def __class_getitem__(cls, key):
        return «1→2»
def work():
    return A[0]

## __prepare__
class M(type):
    @classmethod
    def __prepare__(mcls, *a, **k):
        return {"x": «1→2»}
class A(metaclass=M):
    pass
def work():
    return A.x

## an enum by a call
import enum
E = enum.Enum("E", "«A B→B A»")
def work():
    return list(E)

## a dataclass by a call
import dataclasses
A = dataclasses.make_dataclass("A", [("x", int, «1→2»)])
def work():
    return A()

## an attrs class's validator
import attrs
def check(instance, attribute, value):
    return «1→2»
@attrs.define
class A:
    x: int = attrs.field(validator=check)
def work():
    return A(1)

## functions in a namespace object
from types import SimpleNamespace
def f():
    return «1→2»
N = SimpleNamespace(f=f)
def work():
    return N.f()

## an instance's function in an attribute
class A:
    pass
a = A()
a.f = lambda: «1→2»
def work():
    return a.f()

## a seeded generator of random numbers
import random
R = random.Random(«1→2»)
def work():
    return R.random()

## a compiled structure
import struct
S = struct.Struct("«i→q»")
def work():
    return S.size

## a parser of arguments
import argparse
P = argparse.ArgumentParser()
P.add_argument("--n", default=«1→2»)
def work():
    return P.parse_args([]).n

## a template
import string
T = string.Template("«a→b»")
def work():
    return T.substitute()

## a buffer
import io
B = io.StringIO("«a→b»")
def work():
    return B.getvalue()

## a memory view
V = memoryview(b"«a→b»")
def work():
    return bytes(V)

## a chain of maps
from collections import ChainMap
C = ChainMap({"a": «1→2»})
def work():
    return C["a"]

## a function handed to functools.reduce
import functools
def f(a, b):
    return a «+→-» b
def work():
    return functools.reduce(f, [1, 2])

## a function compared by functools.cmp_to_key
import functools
def f(a, b):
    return «a - b→b - a»
KEY = functools.cmp_to_key(f)
def work():
    return sorted([2, 1], key=KEY)

## an encoder of JSON
import json
class E(json.JSONEncoder):
    def default(self, o):
        return «1→2»
def work():
    return json.dumps(object(), cls=E)
'''

# Where a helper is used: each is the body of `work`, in which `helper(x)` takes anything.
PLACES = {
    "in a comprehension": "return [helper(i) for i in x]",
    "in a comprehension's condition": "return {i for i in x if helper(i)}",
    "in a nested comprehension": "return [[helper(j) for j in x] for i in x]",
    "in a generator": "return sum(helper(i) for i in x)",
    "in a dict comprehension": "return {i: helper(i) for i in x}",
    "in a lambda": "return (lambda i: helper(i))(x)",
    "as a lambda's default": "return (lambda i, h=helper: h(i))(x)",
    "in a nested function": "def inner():\n        return helper(x)\n    return inner()",
    "as a nested function's default": "def inner(y=helper(0)):\n        return y\n    return inner()",
    "in a nested class": "class C:\n        y = helper(x)\n    return C.y",
    "in a method of a nested class": "class C:\n        def m(self):\n            return helper(x)\n    return C().m()",
    "in an async function": "async def f():\n        helper(x)\n    return f().close()",
    "in a match statement": "match helper(x):\n        case y:\n            return y",
    "in a match guard": "match x:\n        case y if helper(y):\n            return 9",
    "in an f-string": "return f'{helper(x):>3}'",
    "in a format specification": "return f'{9:{helper(x)}}'",
    "in an f-string in an f-string": "return f'{f\"{helper(x)}\"}'",
    "in a walrus": "return (y := helper(x)) and y",
    "in an except clause": "try:\n        return 1 / 0\n    except ZeroDivisionError:\n        return helper(x)",
    "in a finally clause": "try:\n        return 1\n    finally:\n        helper(x)",
    "in a branch that is not taken": "if not x:\n        return helper(x)\n    return 1",
    "as a value": "return list(map(helper, x))",
    "in a decorator inside": "@helper\n    def f():\n        pass\n    return f",
    "in a global statement": "global helper\n    return helper(x)",
    "in a starred argument": "return max(*[helper(x), 0])",
    "in an assertion": "assert helper(x)",
    "in a slice": "return x[: helper(x)]",
    "in an augmented assignment": "y = 1\n    y += helper(x)\n    return y",
    "in a conditional expression": "return helper(x) if x else 0",
    "in a while condition": "while helper(x) > 9:\n        pass",
    "in a delete statement": "y = [1, 2, 3]\n    del y[helper(x)]\n    return y",
}

# A constant by type and value: imports, old, new.
VALUES = [
    ("", "1", "1.0"),
    ("", "1", "True"),
    ("", "0", "False"),
    ("", "0.0", "-0.0"),
    ("", "0.1", "0.1000000001"),
    ("", "'a'", "b'a'"),
    ("", "'a'", "'A'"),
    ("", "None", "False"),
    ("", "''", "'None'"),
    ("", "(1, 2)", "[1, 2]"),
    ("", "(1, 2)", "(2, 1)"),
    ("", "()", "((),)"),
    ("", "{1, 2}", "frozenset({1, 2})"),
    ("", "{1, 2}", "{1, 3}"),
    ("", "{'a': 1, 'b': 2}", "{'b': 2, 'a': 1}"),
    ("", "{'a': 1}", "{'a': 1.0}"),
    ("", "[[1], [2]]", "[[1, 2]]"),
    ("", "range(3)", "range(4)"),
    ("", "1j", "2j"),
    ("", "bytearray(b'a')", "b'a'"),
    ("", "...", "None"),
    ("", "slice(1)", "slice(2)"),
    ("", "(int,)", "(float,)"),
    ("", "list[int]", "list[str]"),
    ("", "int | None", "int | str"),
    ("", "'a'.join", "'b'.join"),
    ("", "str.upper", "str.lower"),
    ("import re", "re.compile('a')", "re.compile('b')"),
    ("import re", "re.compile('a')", "re.compile('a', re.I)"),
    ("from pathlib import *", "Path('a')", "Path('b')"),
    ("from pathlib import *", "Path('a')", "PurePath('a')"),
    ("from datetime import *", "date(2020, 1, 1)", "date(2020, 1, 2)"),
    ("from datetime import *", "datetime(2020, 1, 1)", "datetime(2020, 1, 1, tzinfo=timezone.utc)"),
    ("from datetime import *", "timedelta(1)", "timedelta(2)"),
    ("from decimal import *", "Decimal('1.0')", "Decimal('1.00')"),
    ("from fractions import *", "Fraction(1, 2)", "Fraction(1, 3)"),
    ("import uuid", "uuid.UUID(int=1)", "uuid.UUID(int=2)"),
    ("from collections import *", "deque([1])", "deque([1], 3)"),
    ("from collections import *", "Counter('a')", "Counter('b')"),
    ("from collections import *", "defaultdict(int)", "defaultdict(list)"),
    ("from collections import *", "OrderedDict(a=1)", "dict(a=1)"),
    ("from types import *", "SimpleNamespace(a=1)", "SimpleNamespace(a=2)"),
    ("from types import *", "MappingProxyType({'a': 1})", "MappingProxyType({'a': 2})"),
    ("import enum", "enum.Flag('F', 'A B')(1)", "enum.Flag('F', 'A B')(2)"),
    ("import array", "array.array('i', [1])", "array.array('l', [1])"),
    ("from zoneinfo import *", "ZoneInfo('UTC')", "None"),
]

NOT_SEEN = r'''
## a comment
def work():
    «→# now
    »return 1

## a comment at the end of a line
def work():
    return 1«→  # one»

## a comment in a helper's module
from . import utils
def work():
    return utils.f()
# file: utils.py
«→# What is used.
»def f():
    return 1

## a comment changed
K = 1  # «one→two»
def work():
    return K

## a comment in a class
class A:
    «→# a field
    »x = 1
def work():
    return A.x

## a comment between decorators
import functools
@functools.cache
«→# here
»def f():
    return 1
def work():
    return f()

## a comment in a table
T = {
    «→# first
    »"a": lambda: 1,
}
def work():
    return T["a"]()

## a blank line
def work():
«→

»    return 1

## lines moved
«→


»def helper():
    return 1
def work():
    return helper()

## lines moved above a lambda
«→


»f = lambda x: x + 1
def work():
    return f(1)

## lines moved above a closure
«→


»def make(n):
    def f():
        return n
    return f
f = make(1)
def work():
    return f()

## lines moved above a class
«→


»class A:
    def f(self):
        return 1
def work():
    return A().f()

## lines moved above two lambdas on one line
«→# one
»T = [lambda: 1, lambda: 2]
def work():
    return T[1]()

## trailing blanks
def work():
    return 1«→   »

## no newline at the end
from . import utils
def work():
    return utils.K
# file: utils.py
K = 1«
→»

## other indentation
def work():
«    return 1→  return 1»

## quotes
def work():
    return «"a"→'a'»

## triple quotes
def work():
    return «"a"→"""a"""»

## a text in two pieces
def work():
    return «"ab"→"a" "b"»

## an escape
def work():
    return "«a→\x61»"

## an f-string's quotes
def work():
    x = 1
    return «f"{x!r} a"→f'{x!r} a'»

## parentheses
def work():
    x = 1
    return «(x + 1) * 2→((x + 1) * (2))»

## formatting
def helper(x, y):
    return x + y
def work():
    return «helper(1, 2)→helper(
        1,
        2,
    )»

## a trailing comma
def work():
    return [1, 2«→,»]

## a trailing comma of parameters
def f(x, y=1«→,»):
    return x + y
def work():
    return f(1)

## a tuple's parentheses
def work():
    return «1, 2→(1, 2)»

## a line continued
def work():
    return 1 + «→\
        »2

## statements on one line
def work():
    x = 1«
    →; »return x

## an if's body on its line
def work():
    if True:«
        → »return 1

## a number's spelling
K = «1000→1_000»
def work():
    return K

## a number's base
def work():
    return «16→0x10»

## a float's spelling
def work():
    return «1000.0→1e3»

## formatting of a table
T = {«"a": 1, "b": 2→
    "a": 1,
    "b": 2,
»}
def work():
    return T

## formatting of a lambda
f = lambda x: «x+1→(x + 1)»
def work():
    return f(1)

## formatting of a decorator's arguments
import functools
@functools.lru_cache(«maxsize=3→ maxsize = 3 »)
def f():
    return 1
def work():
    return f()

## a constant by another expression
K = «60 * 60→3600»
def work():
    return K

## a set's order
S = {«1, 2→2, 1»}
def work():
    return S

## the stage's docstring
def work():
    """«One→Two»."""
    return 1

## the registered function's docstring
T = pivot.loaders.Text()
def stage() -> Annotated[str, pivot.Out("out/CASE.txt", T)]:
    """«One→Two»."""
    return "a"

## a docstring added
def work():
    «→"""One."""
    »return 1

## a helper's docstring
from .utils import f
def work():
    return f()
# file: utils.py
def f():
    """«One→Two»."""
    return 1

## a class's docstring
class A:
    """«One→Two»."""
    x = 1
def work():
    return A.x

## a method's docstring
class A:
    def f(self):
        """«One→Two»."""
        return 1
def work():
    return A().f()

## a dataclass's docstring
import dataclasses
@dataclasses.dataclass
class A:
    """«One→Two»."""
    x: int = 1
def work():
    return A()

## a module's docstring
"""«One→Two»."""
def work():
    return 1

## a nested function's docstring
def work():
    def f():
        """«One→Two»."""
        return 1
    return f()

## a wrapped function's docstring
import functools
def deco(f):
    @functools.wraps(f)
    def inner():
        return f()
    return inner
@deco
def f():
    """«One→Two»."""
    return 1
def work():
    return f()

## a property's docstring
class A:
    @property
    def p(self):
        """«One→Two»."""
        return 1
def work():
    return A().p

## an enum's docstring
import enum
class E(enum.Enum):
    """«One→Two»."""
    A = 1
def work():
    return E.A

## a body that is a docstring
def f():
    «"""Nothing."""→pass»
def work():
    return f()

## a body of dots
def f():
    «...→pass»
def work():
    return f()

## a superfluous pass
def work():
    «→pass
    »return 1

## an unrelated function in the same module
def other():
    return «1→2»
def work():
    return 1

## an unrelated function removed
«def other():
    return 1
→»def work():
    return 1

## an unrelated function added
«→def other():
    return 1
»def work():
    return 1

## an unrelated function of a helper's module
from . import utils
def work():
    return utils.f()
# file: utils.py
def f():
    return 1
def g():
    return «1→2»

## an unrelated constant
OTHER = «1→2»
def work():
    return 1

## an unrelated constant of a helper's module
from .utils import f
def work():
    return f()
# file: utils.py
OTHER = «1→2»
def f():
    return 1

## an unrelated constant of a star import
from .utils import *
def work():
    return f()
# file: utils.py
OTHER = «1→2»
def f():
    return 1

## an unrelated constant of a module imported later
def work():
    from . import lazy
    return lazy.f()
# file: lazy.py
OTHER = «1→2»
def f():
    return 1

## an unrelated class
class Other:
    x = «1→2»
def work():
    return 1

## an unrelated lambda on the line
T = [lambda: 1]«→; other = lambda: 3»
def work():
    return T[0]()

## an unrelated re-export
from .pkg import f
def work():
    return f()
# file: pkg/__init__.py
from .impl import f«→, g»
# file: pkg/impl.py
def f():
    return 1
def g():
    return 2

## an unrelated module of the package
from .pkg import one
def work():
    return one.f()
# file: pkg/__init__.py
from . import one, two
# file: pkg/one.py
def f():
    return 1
# file: pkg/two.py
def f():
    return «1→2»

## an unrelated name of the same spelling
from .one import f
def work():
    return f()
# file: one.py
def f():
    return 1
# file: two.py
def f():
    return «1→2»

## a local that shadows an unrelated helper
def x():
    return «1→2»
def work():
    x = 1
    return x

## an attribute that is called like a helper
def upper():
    return «1→2»
def work():
    return "a".upper()

## a definition that was replaced
def f():
    return «0→1»
def f():
    return 2
def work():
    return f()

## an unused implementation beside a condition
if True:
    def f():
        return 1
else:
    def f():
        return «2→3»
def work():
    return f()

## a constant that was replaced
K = «0→1»
K = 2
def work():
    return K

## an unused import
«→import string
»def work():
    return 1

## an unused import of a library's name
«→from collections import deque
»def work():
    return 1

## an unused import of an own module
«→from . import other
»def work():
    return 1
# file: other.py
K = 1

## an unused import in a helper's module
from . import utils
def work():
    return utils.f()
# file: utils.py
«→import string
»def f():
    return 1

## an unused import for types
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from decimal import «Decimal→Context»
def work():
    return 1

## what an unused import brings
from . import other
def work():
    return 1
# file: other.py
def f():
    return «1→2»

## imports reordered
«import json
import string→import string
import json»
def work():
    return json.dumps(string.digits)

## own imports reordered
from . import «a, b→b, a»
def work():
    return a.K + b.K
# file: a.py
K = 1
# file: b.py
K = 2

## imports on one line
«import json
import string→import json, string»
def work():
    return json.dumps(string.digits)

## definitions reordered
«def f():
    return 1
def g():
    return 2→def g():
    return 2
def f():
    return 1»
def work():
    return f() - g()

## constants reordered
«A = 1
B = 2→B = 2
A = 1»
def work():
    return A - B

## the stage before its helper
«def f():
    return 1
def work():
    return f()→def work():
    return f()
def f():
    return 1»

## classes reordered
«class A:
    x = 1
class B:
    x = 2→class B:
    x = 2
class A:
    x = 1»
def work():
    return A.x - B.x

## lambdas reordered
«f = lambda: 1
g = lambda: 2→g = lambda: 2
f = lambda: 1»
def work():
    return f() - g()

## a parameter's annotation
def f(x: «int→float»):
    return x
def work():
    return f(1)

## an annotation removed
def f(x«: int→»):
    return x
def work():
    return f(1)

## a result's annotation
def f() -> «list[int]→object»:
    return [1]
def work():
    return f()

## a result's annotation added
def work()«→ -> object»:
    return 1

## a local variable's annotation
def work():
    x: «int→float» = 1
    return x

## a local variable's annotation removed
def work():
    x«: int→» = 1
    return x

## a bare annotation
def work():
    «→y: int
    »return 1

## a constant's annotation
K«→: int» = 1
def work():
    return K

## an annotation of a method
class A:
    def f(self, x: «int→str») -> None:
        return x
def work():
    return A().f(1)

## an annotation of a plain class's attribute
class A:
    x: «int→object» = 1
def work():
    return A.x

## an annotation of a name that is only used there
from decimal import Decimal
from fractions import Fraction
def f(x: «Decimal→Fraction»):
    return x
def work():
    return f(1)

## an annotation that is a text
def f(x: «int→"int"»):
    return x
def work():
    return f(1)

## the annotation of a stage's parameter
T = pivot.loaders.Text()
def stage(rate: «float→int» = 1) -> Annotated[str, pivot.Out("out/CASE.txt", T)]:
    return str(rate)

## the annotated type of a dep
T = pivot.loaders.Text()
def stage(x: Annotated[«str→object», pivot.Dep("one.txt", T)]) -> Annotated[str, pivot.Out("out/CASE.txt", T)]:
    return x

## the order of a stage's deps
T = pivot.loaders.Text()
def stage(
«    x: Annotated[str, pivot.Dep("one.txt", T)],
    y: Annotated[str, pivot.Dep("two.txt", T)],→    y: Annotated[str, pivot.Dep("two.txt", T)],
    x: Annotated[str, pivot.Dep("one.txt", T)],»
) -> Annotated[str, pivot.Out("out/CASE.txt", T)]:
    return x + y

## a loader by another name
«T = pivot.loaders.Text()→from pivot.loaders import Text
T = Text()»
def stage() -> Annotated[str, pivot.Out("out/CASE.txt", T)]:
    return "a"

## a loader's default, said
T = pivot.loaders.JSON(«→indent=2»)
def stage() -> Annotated[str, pivot.Out("out/CASE.json", T)]:
    return "a"

## an out's path, spelled otherwise
T = pivot.loaders.Text()
def stage() -> Annotated[str, pivot.Out("out/«→../out/»CASE.txt", T)]:
    return "a"

## a comment in a writer of one's own
class W:
    def save(self, value, path):
        «→# now
        »path.write_text(value)
def stage() -> Annotated[str, pivot.Out("out/CASE.txt", W())]:
    return "a"

## a reader's part of a module with a writer
from .io import W
def stage() -> Annotated[str, pivot.Out("out/CASE.txt", W())]:
    return "a"
# file: io.py
class R:
    def load(self, path):
        return path.read_text()«→.strip()»
class W:
    def save(self, value, path):
        path.write_text(value)

## a comment in what a computed import brings
import importlib
def work():
    name = "plugin"
    return importlib.import_module(f"CASE.{name}").f()
# file: plugin.py
def f():
    «→# now
    »return 1

## an unused function of what a computed import brings
import importlib
def work():
    name = "plugin"
    return importlib.import_module(f"CASE.{name}").f()
# file: plugin.py
def f():
    return 1
def g():
    return «1→2»

## a plugin that was not chosen
import importlib
def work():
    name = "one"
    return importlib.import_module(f"CASE.{name}").f()
# file: one.py
def f():
    return 1
# file: two.py
def f():
    return «1→2»

## a type alias
type Rows = list[«int→str»]
def f(x: Rows) -> Rows:
    return x
def work():
    return f([1])

## an overload
from typing import overload
@overload
def f(x: int) -> «int→str»: ...
@overload
def f(x: str) -> str: ...
def f(x):
    return x
def work():
    return f(1)

## a main guard
def work():
    return 1
if __name__ == "__main__":
    print(work()«→, 2»)

## __all__
from . import utils
def work():
    return utils.f()
# file: utils.py
__all__ = ["f"«→, "g"»]
def f():
    return 1
def g():
    return 2
## a type checker's comment
def work():
    return 1«→  # type: ignore»

## an encoding's comment
from .utils import f
def work():
    return f()
# file: utils.py
«→# -*- coding: utf-8 -*-
»def f():
    return 1

## annotations put off
from .utils import f
def work():
    return f(1)
# file: utils.py
«→from __future__ import annotations
»def f(x: int):
    return x

## a raw text without escapes
def work():
    return «"a"→r"a"»

## an else with an if
def work():
    x = 2
    if x == 1:
        return 1
    «else:
        if x == 2:
            return 2→elif x == 2:
        return 2»

## a decorator's parentheses
def deco(f):
    return f
@«deco→(deco)»
def f():
    return 1
def work():
    return f()

## a with statement's parentheses
import contextlib
def work():
    with «contextlib.nullcontext(1) as x→(contextlib.nullcontext(1) as x)»:
        return x

## an except clause's parentheses
def work():
    try:
        return 1
    except «ValueError→(ValueError)»:
        return 2

## a file that is not read
def work():
    return 1
# file: notes.txt
«One→Two».

## the docstring of a stage's outs
from typing import TypedDict
J = pivot.loaders.JSON()
class Outs(TypedDict):
    """«One→Two»."""
    a: Annotated[list, pivot.Out("out/CASE_a.json", J)]
def stage() -> Outs:
    return Outs(a=[1])

## the annotated type of a stage's out
T = pivot.loaders.Text()
def stage() -> Annotated[«str→object», pivot.Out("out/CASE.txt", T)]:
    return "a"

## a bare annotation in a plain class
class A:
    «→y: int
    »x = 1
def work():
    return A.x

## an unrelated class with an unrelated base
class Base:
    x = 1
class A(Base):
    pass
class B(Base):
    x = «1→2»
def work():
    return A.x

## an unrelated member of a registry's module
from .registry import f
def work():
    return f()
# file: registry.py
R = {}
def register(f):
    R[f.__name__] = f
    return f
def f():
    return 1
@register
def g():
    return «1→2»

## an unused class beside a used one
from .models import A
def work():
    return A().f()
# file: models.py
class A:
    def f(self):
        return 1
class B(A):
    def f(self):
        return «1→2»
'''

# Values that cannot be in a table: not seen either.
SPELLINGS = {
    "other line ends": "def work():«\n→\r\n»    x = 1«\n→\r\n»    return x«\n→\r\n»",
    "a tab": "def work():\n«    →\t»return 1\n",
    "a form feed": "«→\f\n»def work():\n    return 1\n",
    "a byte order mark": "«→\ufeff»def work():\n    return 1\n",
}

# Cases that the tool misses, by title, with the reason: asserted, so that a remedy is noticed.
# These are named: `pivot fingerprint` lists them as not tracked.
NAMED_MISSES = {
    "a constant read by an eval": "only functions are seen when they run; the text is not followed",
    "a constant found in sys.modules": "only functions are seen when they run; the look-up is not followed",
    "an attribute of a subclass found by __subclasses__()": "a class's subclasses are not followed",
}
# And these are not named.
KNOWN_MISSES = {
    "an alias in an annotation that is read": "its text counts where it is read, what its names mean does not",
    "annotations read by get_type_hints": "annotations count where they are read as `__annotations__`",
    "a source read by inspect": "comments never count",
}
# Cases that make a stage stale needlessly, with the reason; asserted too.
KNOWN_NEEDLESS = {
    "the order of a stage's deps": "a function's order of parameters counts, though a stage gets them by name",
}

HEAD = "from typing import Annotated\nimport pivot\n"
TAIL = 'def stage() -> Annotated[str, pivot.Out("out/CASE.txt", pivot.loaders.Text())]:\n    return repr(work())\n'
MARK = re.compile("«([^«»→]*)→([^«»→]*)»")


class Case(NamedTuple):
    """An edit: the files of one stage before and after it."""

    title: str
    name: str
    seen: bool
    old: dict[str, str]
    new: dict[str, str]


def cases() -> list[Case]:
    tables = [(True, title, text) for title, text in (*sections(SEEN), *generated())]
    tables += [(False, title, text) for title, text in (*sections(NOT_SEEN), *SPELLINGS.items())]
    made = [case(title, text, f"case_{n:03}", seen=seen) for n, (seen, title, text) in enumerate(tables)]
    assert len({each.title for each in made}) == len(made), "two cases have one title"
    return made


def sections(table: str) -> Iterator[tuple[str, str]]:
    for section in table.removeprefix("\n## ").split("\n\n## "):
        title, _, text = section.partition("\n")
        yield title, text.rstrip("\n") + "\n"


def generated() -> Iterator[tuple[str, str]]:
    for place, body in PLACES.items():
        yield f"a helper {place}", f"def helper(x):\n    return «1→2»\ndef work(x=(1, 2)):\n    {body}\n"
    for imports, old, new in VALUES:
        yield f"a constant: {old} becomes {new}", f"{imports}\nX = «{old}→{new}»\ndef work():\n    return X\n"


def case(title: str, text: str, name: str, *, seen: bool) -> Case:
    main, *others = text.split("# file: ")
    complete = re.search(r"^»?(def )?stage\b", main, re.MULTILINE)
    files = {"__init__.py": "", "main.py": HEAD + main if complete else main + HEAD + TAIL}
    for other in others:
        file, _, source = other.partition("\n")
        files[file] = source

    def side(group: int) -> dict[str, str]:
        return {
            (file[1:] if file.startswith("/") else f"CASE/{file}").replace("CASE", name): MARK.sub(
                lambda mark: mark[group], source
            ).replace("CASE", name)
            for file, source in files.items()
        }

    made = Case(title, name, seen, side(1), side(2))
    assert made.old != made.new, f"{title}: nothing is edited"
    assert not re.search("[«→»]", "".join(made.new.values())), f"{title}: a mark is wrong"
    return made


def write(project: Project, files: dict[str, str]) -> None:
    for file, text in files.items():
        project.write(file, text)


def test_the_matrix(make: Callable[[str], Project]) -> None:
    """Exactly the edits that matter make their stages stale; nothing else does."""
    matrix = cases()
    titles = {each.name: each.title for each in matrix}
    imports = "".join(f"from {name}.main import stage as {name}\n" for name in titles)
    stages = "".join(f"pipeline.register({name}, name={name!r})\n" for name in titles)
    project = make(f'import pivot\n{imports}pipeline = pivot.Pipeline("matrix")\n{stages}')
    for each in matrix:
        write(project, each.old)
    write(project, {"one.txt": "1", "two.txt": "1"})

    def stale(**env: str) -> set[str]:
        listed = project.json("status", "--json", env=env)["stages"]
        assert {stage["name"] for stage in listed} == set(titles)
        return {titles[stage["name"]] for stage in listed if stage["status"] != "cached"}

    project.pivot("repro")
    assert stale() == set()

    for each in matrix:
        if each.seen:
            write(project, each.new)
    found = stale()
    wanted = {each.title for each in matrix if each.seen}
    misses = {*NAMED_MISSES, *KNOWN_MISSES}
    assert wanted - found == misses, "missed"
    assert found - wanted == set(), "stale without an edit"
    listed = project.json("fingerprint", "--json")["stages"]
    named = {titles[stage["name"]] for stage in listed if stage["unresolved"]}
    assert misses & named == {*NAMED_MISSES}, "missed, and named"

    for each in matrix:
        write(project, each.old)
        for file in each.old:
            os.utime(project.root / file, (1, 1))
    assert stale(PYTHONHASHSEED="1") == set(), "reverted, touched, another hash seed"

    for each in matrix:
        if not each.seen:
            write(project, each.new)
    assert stale() == set(KNOWN_NEEDLESS), "needless"
