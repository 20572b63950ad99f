"""A shared `Fingerprinter` has the same manifests as separate walks, in any order, and analyses shared code once."""

import functools
import gc
import importlib
import json
import os
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from xxhash import xxh3_128_hexdigest

from pivot_fingerprint import Fingerprinter, Manifest, NotCallableError, fingerprint
from pivot_fingerprint.values import arrays

PROJECT = """
import functools, json, types, threading, os
import twice_one, twice_two
from settings import BIG, NESTED, RATE, SHARED

os.environ.setdefault("SESSION_TEST", "1")

@functools.singledispatch
def f(x):
    return 0
@f.register
def _(x: int):
    return 1
@f.register
def _(x: str):
    return 2
one = f.dispatch(int)
two = f.dispatch(str)

def make(n):
    def inner(x):
        return x + n
    return inner
def plain(x=1):
    return x
copy = types.FunctionType(plain.__code__, globals(), "plain", (5,))
other = types.FunctionType(plain.__code__, globals(), "plain", (6,))
def wrap(g):
    @functools.wraps(g)
    def inner(*a):
        return g(*a)
    return inner
@wrap
def wrapped(x, y=3):
    "Doc."
    return eval("x")
class A:
    limit = RATE
    def run(self):
        return plain()
    def tell(self):
        return wrapped.__doc__
class B(A):
    def run(self):
        return super().run()
table = {"a": lambda x: nowhere(x), "b": wrapped}
again = [table["a"]]
lock = threading.Lock()
odd = types.SimpleNamespace(lock=lock, f=plain)
ring = [1]
ring.append(ring)
ring.append(BIG)

swap = {"k": lambda: (two, f), "l": lambda: (copy, other)}
def s_lambda(x): return swap, copy
def s_one(x): return one(x)
def s_two(x): return two(x)
def s_both(x): return [one, two, f]
def s_swapped(x): return [two, one]
def s_copy(x): return copy(x)
def s_plain(x): return plain(x)
def s_copies(x): return [copy, other, plain]
def s_other(x): return other
def s_method(x): return A.tell
def s_class(x): return B().run(), wrapped
def s_table(x): return table
def s_again(x): return again
def s_odd(x): return odd, lock
def s_big(x, y=BIG): return x, ring
def s_nested(x): return NESTED, SHARED
def s_shared(x): return SHARED
def s_twice(x): return twice_one.f, twice_two.f
def s_second(x): return twice_two.f
def s_sometimes(x):
    import lazy
    return lazy.f(x), json.dumps(x)
s_closure = make(3)
s_bound = B().run
s_partial = functools.partial(plain, BIG)
# file: settings.py
RATE = 1
def helper(): return RATE
BIG = [[n, str(n)] for n in range(300)]
NESTED = {"a": [BIG, (BIG,)], "b": [helper] * 100}
SHARED = [NESTED, BIG, "x" * 5000, b"y" * 5000, helper]
# file: twice_one.py
K = 1
def f(x): return K
# file: twice_two.py
import twice_one
K = 2
def f(x): return K
f.__module__ = "twice_one"
# file: lazy.py
from settings import RATE
LIMIT = RATE + 1
def f(x, y=1): return LIMIT
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    root = tmp_path_factory.mktemp("session")
    for part in f"# file: session_pipeline.py\n{PROJECT}".split("# file: ")[1:]:
        name, _, text = part.partition("\n")
        (root / name).write_text(text)
    sys.path.insert(0, os.fspath(root))
    before = set(sys.modules)
    try:
        yield importlib.import_module("session_pipeline")
    finally:
        sys.path.remove(os.fspath(root))
        for name in set(sys.modules) - before:  # other tests import libraries meanwhile
            if os.fspath(root) in str(getattr(sys.modules[name], "__file__", "")):
                del sys.modules[name]


STAGES = [line.split()[1].partition("(")[0] for line in PROJECT.splitlines() if line.startswith("def s_")]
STAGES += ["s_closure", "s_bound", "s_partial", "A", "f"]


def text(manifest: Manifest) -> str:
    return json.dumps(manifest.to_json()) + manifest.digest


def root_of(project: ModuleType, *, rooted: bool) -> Path | None:
    return Path(str(project.__file__)).parent if rooted else None


@functools.cache
def alone(project: ModuleType, name: str, *, rooted: bool, given: bool) -> str:
    """The manifest of a separate walk."""
    values = {"given": project.SHARED} if given else None
    return text(fingerprint(getattr(project, name), root=root_of(project, rooted=rooted), values=values))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(STAGES), st.booleans())
def test_a_shared_fingerprinter_equals_separate_walks(project: ModuleType, names: list[str], rooted: bool) -> None:
    session = Fingerprinter(root=root_of(project, rooted=rooted))
    values = {"given": project.SHARED}

    for name in names:
        stage = getattr(project, name)
        assert text(session.fingerprint(stage, values)) == alone(project, name, rooted=rooted, given=True)
        assert text(session.fingerprint(stage)) == alone(project, name, rooted=rooted, given=False)


def test_swapping_entries_that_share_a_key_counts(project: ModuleType) -> None:
    one, two = project.one, project.two

    assert fingerprint(len, values={"v": [one, two]}).digest != fingerprint(len, values={"v": [two, one]}).digest


def test_swapping_live_objects_of_one_definition_counts(project: ModuleType) -> None:
    copies = [project.plain, project.copy, project.other]
    digests = {
        fingerprint(len, values={"v": [copies[a], copies[b], copies[c]]}).digest
        for a, b, c in [(0, 1, 2), (0, 2, 1), (1, 0, 2), (2, 1, 0)]
    }

    assert len(digests) == 4


def test_large_values_are_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    numpy: Any = pytest.importorskip("numpy")
    pandas: Any = pytest.importorskip("pandas")
    hashed: list[int] = []
    real = xxh3_128_hexdigest

    def counting(content: Any) -> str:
        hashed.append(len(content))
        return real(content)

    monkeypatch.setattr(arrays, "xxh3_128_hexdigest", counting)
    array = numpy.arange(10_000.0)
    frame = pandas.DataFrame({"a": array, "b": array + 1})
    session = Fingerprinter()
    digests = {session.fingerprint(len, {"v": value})["v"].digest for value in (array, array, frame, frame)}
    session.fingerprint(len, {"v": [array, {"k": frame}]})

    assert len(digests) == 2
    assert sorted(hashed)[-4:-1] == [80_000] * 3
    assert len([size for size in hashed if size == 80_000]) <= 4


def test_containers_are_encoded_once() -> None:
    class Counted:
        looks = 0

        @property
        def __dict__(self) -> dict[str, object]:  # type: ignore[override]
            Counted.looks += 1
            return {}

    large = [Counted() for _ in range(500)]
    session = Fingerprinter(is_user_code=lambda file: file == __file__)
    one = session.fingerprint(len, {"v": large})["v"].digest
    looks = Counted.looks
    two = session.fingerprint(len, {"v": {"inside": [large, 1]}})["v"].digest

    assert one != two
    assert Counted.looks == looks


def test_only_callables_have_fingerprints() -> None:
    with pytest.raises(NotCallableError):
        Fingerprinter().fingerprint(3)  # type: ignore[arg-type]


def test_the_garbage_collector_pauses_and_resumes() -> None:
    class Looked:
        pauses: ClassVar[list[bool]] = []

        @property
        def __dict__(self) -> dict[str, object]:  # type: ignore[override]
            Looked.pauses.append(gc.isenabled())
            return {}

    session = Fingerprinter(is_user_code=lambda file: file == __file__)
    assert gc.isenabled()
    session.fingerprint(len, {"v": Looked()})
    assert gc.isenabled()
    with session as entered:
        assert entered is session
        session.fingerprint(len, {"v": Looked()})
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(KeyError), session:
        raise KeyError
    assert gc.isenabled()

    gc.disable()
    try:
        with session:
            session.fingerprint(len, {"v": Looked()})
        assert not gc.isenabled()
    finally:
        gc.enable()
    assert Looked.pauses
    assert not any(Looked.pauses)


LEVELS = """
from helpers import a, b
def stage(x):
    return a(x), b(x)
# file: helpers.py
K = 1
def a(x):
    return c(x)
def b(x):
    return c(x)
def c(x):
    return d(x), K
def d(x):
    return stage2(x)
def stage2(x):
    return K
"""


def test_a_path_is_the_shortest_chain(take: Callable[..., Manifest]) -> None:
    manifest = take(LEVELS)

    assert manifest.path("func:pipeline:stage") == ("func:pipeline:stage",)
    assert manifest.path("const:helpers:K") == (
        "func:pipeline:stage",
        "func:helpers:a",
        "func:helpers:c",
        "const:helpers:K",
    )
    assert len(manifest.path("func:helpers:stage2")) == 5
    with pytest.raises(KeyError):
        manifest.path("func:helpers:nothing")


def test_a_path_begins_at_values(take: Callable[..., Manifest]) -> None:
    manifest = take("def stage(x):\n    return x\n", values={"loader": random.Random(1)})

    assert manifest.path("loader") == ("loader",)


PLACES = """
import functools
def deco(n):
    return lambda f: f
@deco(
    1
)
@functools.lru_cache
def helper(x,
           y=2):
    return x
X = [
    1,
]
class A:
    def f(self):
        return 1
def stage(x):
    return helper(x), X, A
"""


def test_the_lines_of_an_entry_are_its_source(take: Callable[..., Manifest]) -> None:
    manifest = take(PLACES)
    lines = PLACES.lstrip().splitlines()

    def source(key: str) -> list[str]:
        entry = manifest[key]
        assert entry.start is not None
        return lines[entry.start - 1 : entry.end]

    assert (
        source("func:pipeline:helper")
        == lines[PLACES.lstrip().splitlines().index("@deco(") : lines.index("    return x") + 1]
    )
    assert manifest["func:pipeline:helper"].line == 8
    assert source("const:pipeline:X") == ["X = [", "    1,", "]"]
    assert source("class:pipeline:A") == ["class A:", "    def f(self):", "        return 1"]
    assert source("func:pipeline:stage") == lines[-2:]


def test_the_lines_of_other_callables(take: Callable[..., Manifest]) -> None:
    manifest = take("import functools\ndef f(x):\n    return x\nstage = functools.partial(f, 1)\n")

    assert tuple(manifest["call:functools:f"])[1:] == ("pipeline.py", 2, 3, 2, None)
