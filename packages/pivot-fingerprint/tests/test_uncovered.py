"""Entries for code that ran but is not in the manifest, and their keys."""

# ruff: noqa: E501 - projects as texts

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pivot_fingerprint import Entry, Manifest, Observed, ObservedEntry, Observer, Ran, fingerprint, uncovered
from pivot_fingerprint.observation import recheck

type Gaps = Callable[..., tuple[ObservedEntry, ...]]

LATE = "def stage():\n    return vars(importlib.import_module('plug' + 'in'))['run']()\n"
BEFORE = "import importlib\nplugin = importlib.import_module('plug' + 'in')\ndef stage():\n    return eval('plugin').run()\n# file: plugin.py\n"
DISPATCH = "def stage():\n    return globals()['ru' + 'n']()\n"


class Kept:
    """A memo in a dictionary."""

    def __init__(self, entries: dict[bytes, bytes]) -> None:
        self.get, self.put = entries.get, entries.__setitem__


@pytest.fixture
def gaps(write: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Gaps:
    """The uncovered entries when `pipeline.stage()` of a project runs in this process."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def gaps(
        project: str, *, before: Callable[[Path], object] | None = None, memo: dict[bytes, bytes] | None = None
    ) -> tuple[ObservedEntry, ...]:
        root = write(project)
        monkeypatch.syspath_prepend(os.fspath(root))
        known = set(sys.modules)
        try:
            stage = importlib.import_module("pipeline").stage
            manifest: Manifest = fingerprint(stage, root=root)
            with Observer(root=root) as observer:
                stage()
            if before is not None:
                before(root)
            return uncovered(observer.observed, manifest, root=root, memo=None if memo is None else Kept(memo))
        finally:
            for name in set(sys.modules) - known:
                del sys.modules[name]

    return gaps


TABLE = {
    "what a known module calls while it is imported": (
        ("def stage():\n    import lazy\n    return lazy.f()\n# file: lazy.py\nimport importlib\nfrom logs import log\nL = log()\n"
        "OTHER = importlib.import_module('other')\ndef f():\n    return 1\n# file: logs.py\ndef log():\n    return 1\n# file: other.py\n"),
        "",
    ),
    "a name looked up in globals": (DISPATCH + "def run():\n    return 1\n", "func:pipeline:run"),
    "a constant of the same module": (
        DISPATCH + "K = 1\nK2 = [K]\nK2.append(2)\nOTHER = 2\ndef run():\n    return K2\n",
        "const:pipeline:K const:pipeline:K2 func:pipeline:run",
    ),
    "what made a constant": (
        DISPATCH + "def make(n):\n    return low(n)\ndef low(n):\n    return n\ndef idle():\n    pass\nK = make(1)\ndef run():\n    return K, low(1)\n",
        "const:pipeline:K func:pipeline:low func:pipeline:make func:pipeline:run",
    ),
    "functions that only might have run": (
        DISPATCH + "def other():\n    return 1\ndef run(x=0):\n    return other() if x else 2\n",
        "func:pipeline:run",
    ),
    "a class by its method": (
        DISPATCH.replace("()\n", "().go()\n") + "class run(dict):\n    def go(self):\n        return 1\n    def idle(self):\n        pass\n",
        "class:pipeline:run",
    ),
    "a class without code of its own": (
        DISPATCH + "import dataclasses\n@dataclasses.dataclass\nclass A:\n    x: int = 1\ndef run():\n    return A()\n",
        "class:pipeline:A func:pipeline:run",
    ),
    "a class made twice by one name": (
        DISPATCH + "class A:\n    x = make = 1\nif A:\n    class A:\n        y = 1\ndef run():\n    return A, A\n",
        "class:pipeline:A func:pipeline:run",
    ),
    "a lambda in a table": (
        "def stage():\n    return globals()['TAB' + 'LE']['a'](1)\nTABLE = {'a': lambda x: x + RATE}\nRATE = 2\n",
        "const:pipeline:RATE const:pipeline:TABLE",
    ),
    "a lambda put into a table": (
        "T = {}\nT['a'] = lambda x: x\nV = [T['a'], lambda: 1]\nU = []\nU.append(lambda x: x)\ndef stage():\n    return T['a'](1), U[0](1), V[1]()\n",
        "",
    ),
    "a lambda put into an imported table": (
        "from registry import R\nimport registry as r\nR['a'] = lambda x: x\ndef stage():\n    return r.R['a'](1)\n# file: registry.py\nR = {}\n",
        "",
    ),
    "a lambda handed to a function": (
        ("from registry import R, register\nregister(lambda x: x)\ndef stage():\n    return R[0](1)\n# file: registry.py\n"
        "R = []\ndef register(f):\n    R.append(f)\n"),
        "effects:pipeline",
    ),
    "a lambda as a default": (
        DISPATCH + "def run(f=lambda: 1):\n    return f()\n",
        "func:pipeline:run",
    ),
    "one of two implementations": (
        ("import functools\n@functools.singledispatch\ndef f(x):\n    return 0\n@f.register\ndef _(x: int):\n    return 1\n"
        "def stage():\n    return f(1), globals()['_f']\ndef _f():\n    pass\n"),
        "",
    ),
    "a second definition of a known name": (
        "def f():\n    return 0\nkept = [f]\nold = [f][0]\ndef f():\n    return 1\ndef stage():\n    return f(), globals()['ol' + 'd']()\n",
        "func:pipeline:f",
    ),
    "a global function defined inside another": (
        "def make():\n    global run\n    def run():\n        return 1\nmake()\n" + DISPATCH,
        "func:pipeline:make",
    ),
    "a module imported at run time": (
        "import importlib\n" + LATE + "# file: plugin.py\nfrom far import CONST\nX = CONST\ndef run():\n    return X\n# file: far.py\nCONST = 1\n",
        "func:plugin:run module:far module:plugin",
    ),
    "what a module imported at run time takes from one that was there": (
        "import importlib, far\n" + LATE + "# file: plugin.py\nfrom far import CONST, f\nX = [CONST]\ndef run():\n    return f()\n"
        "# file: far.py\nCONST = 1\ndef f():\n    return 2\n",
        "const:far:CONST func:far:f func:plugin:run module:plugin",
    ),
    "a package's parts": (
        BEFORE.replace("plug' + 'in", "pkg.plug' + 'in").replace("plugin.py", "pkg/plugin.py")
        + "from . import near\nfrom .near import B as C\nfrom .. import nothing\nfrom pkg import D\nimport pkg.near\n".replace("from .. import nothing\n", "")
        + "def run():\n    from . import near as again\n    return near.A, C, D, pkg.near.E, again.F\n"
        "# file: pkg/__init__.py\nD = 1\n# file: pkg/near.py\nA = B = E = F = G = 1\n",
        "const:pkg.near:A const:pkg.near:B const:pkg.near:E const:pkg.near:F const:pkg:D func:pkg.plugin:run",
    ),
    "a module as a value": (
        BEFORE + "import far\nfrom far import nowhere\ndef run():\n    return dict(vars(far)), nowhere\n# file: far.py\nnowhere = K = 1\n",
        "func:plugin:run module:far",
    ),
    "through star imports that go round": (
        BEFORE + "from far import *\nfrom os.path import *\nimport ns.deep\ndef run():\n    return K, join, ns.deep.J, missing_or_not(1)\n"
        "def missing_or_not(x):\n    return x\n# file: far.py\nfrom near import *\n# file: near.py\nfrom far import *\nK = 1\n# file: ns/deep.py\nJ = 1\n",
        "const:far:K const:far:join const:near:K const:near:join const:ns.deep:J func:plugin:missing_or_not func:plugin:run",
    ),
    "an import that another module passes on": (
        BEFORE + "from far import near as n\nimport far\ndef run():\n    return n(1.5) + far.near(2.5) + len(far.name)\n"
        "# file: far.py\nfrom math import floor as near\nname = ''\n",
        "const:far:name const:far:near func:plugin:run",
    ),
    "a function that the manifest has by another way": (
        BEFORE.replace("import importlib\n", "import importlib\nfrom far import f\n").replace("eval('plugin').run()", "eval('plugin').run(), f")
        + "from far import f, K\ndef run():\n    return f(), K\n# file: far.py\nK = 1\ndef f():\n    return K\n",
        "func:plugin:run",
    ),
    "a whole module": (
        "import plugin\ndef stage():\n    return getattr(plugin, 'ru' + 'n')()\n# file: plugin.py\nK = 1\ndef run():\n    return (lambda: K)()\nT = lambda: 1\n",
        "",
    ),
    "a function that opts out": (
        ("from pivot_fingerprint import no_fingerprint\ndef make():\n    @no_fingerprint()\n    def f():\n        return helper()\n    return f\n"
        "f = make()\n@no_fingerprint()\ndef g():\n    return 1\ndef helper():\n    return 1\ndef stage():\n    return f(), g()\n"),
        "func:pipeline:helper",
    ),
}  # fmt: skip


@pytest.mark.parametrize("title", TABLE)
def test_uncovered_entries(title: str, gaps: Gaps) -> None:
    project, keys = TABLE[title]
    entries = gaps(project)

    assert keys.split() == [entry.key for entry in entries]
    assert all(entry.digest is not None for entry in entries)


PLUGIN = (
    "# file: plugin.py\nimport math\nK = 1\nclass A:\n    x = 1\ndef run():\n    return K\ndef idle():\n    return 1\n"
)
FULL = "func:plugin:run module:plugin"
FEW = "const:plugin:K effects:plugin func:plugin:run"
IMPORT = "importlib.import_module('plug' + 'in')"
BODIES = {
    "return IMPORT.run()": FEW,
    "return getattr(IMPORT, 'run')()": FEW,
    "m = IMPORT\n    return m.run() if m else 0": FULL,
    "m = IMPORT\n    return m.run(), m.K": FEW,
    "m = IMPORT\n    return m.run(), m.A.x": f"class:plugin:A {FEW}",
    "IMPORT\n    return K[0]()": "effects:plugin",
    "global m\n    m = IMPORT\n    return m.run()": FULL,
    "m = n = IMPORT\n    return m.run()": FULL,
    "m = [IMPORT]\n    return m[0].run()": FULL,
    "m = IMPORT\n    return [getattr(m, each)() for each in ['run']][0]": FULL,
    "m = IMPORT\n    return hasattr(m, 'idle'), m.run()": FULL,
    "m = IMPORT\n    return getattr(m, 'idle', None), m.run()": FULL,
    "m = IMPORT\n    return dir(), m.run()": FULL,
    "try:\n        return IMPORT.gone\n    except AttributeError:\n        return IMPORT.run()": FULL,
    "return load().run()": FULL,
    "if K:\n        m = IMPORT\n    return m.run()": FEW,
    "import pkgutil\n    list(pkgutil.iter_modules([]))\n    return IMPORT.run()": FEW,
    "import pkgutil\n    pkgutil.get_loader\n    return IMPORT.run()": FULL,
}  # fmt: skip


@pytest.mark.parametrize("body", BODIES)
def test_parts_that_count_of_a_module_with_a_computed_name(body: str, gaps: Gaps) -> None:
    project = (
        "import importlib\nK = [len]\nK[0] = lambda: 1\ndef load():\n    return IMPORT\ndef stage():\n    "
        + body
        + "\n"
        + PLUGIN
    )
    entries = gaps(project.replace("IMPORT", IMPORT))

    assert BODIES[body].split() == [entry.key for entry in entries]


def test_all_of_a_module_that_nobody_imports_by_name_counts(gaps: Gaps) -> None:
    loads = "import pickle\ndef stage():\n    return pickle.loads(b'cplugin\\nrun\\n.')()\n"

    assert FULL.split() == [entry.key for entry in gaps(loads + PLUGIN)]


def test_star_imports_may_bind_any_name(gaps: Gaps) -> None:
    project = f"import importlib\ndef stage():\n    return {IMPORT}.run()\n" + PLUGIN.replace(
        "import math", "from far import *"
    )

    keys = [entry.key for entry in gaps(project + "# file: far.py\nX = 1\n")]

    assert "module:plugin" in keys
    assert "effects:plugin" not in keys


def test_entries_have_places(gaps: Gaps) -> None:
    (run,) = gaps(DISPATCH + "\n\n@staticmethod\ndef run():\n    return 1\n")

    assert run[:3] == ("func:pipeline:run", "pipeline.py", 6)


def test_without_its_source_an_entry_has_no_digest(gaps: Gaps) -> None:
    project = (
        "import importlib\n"
        + LATE
        + DISPATCH.replace("stage", "idle")
        + "# file: plugin.py\ndef run():\n    return (lambda: 1)()\n"
    )
    entries = gaps(project, before=lambda root: (root / "plugin.py").unlink())

    assert [(entry.key, entry.digest) for entry in entries] == [("func:plugin:run", None), ("module:plugin", None)]


def test_moved_code_is_found_by_name_and_deleted_code_has_no_digest(gaps: Gaps) -> None:
    def move(root: Path) -> None:
        path = root / "pipeline.py"
        path.write_text("#\n" * 50 + path.read_text().replace("def gone", "def other"))

    project = "def stage():\n    return globals()['run'](), globals()['gone'](), globals()['T']()\ndef run():\n    return 1\ndef gone():\n    return 1\nT = lambda: 1\n"
    entries = gaps(project, before=move)

    assert [(entry.key, entry.line, entry.digest is None) for entry in entries] == [
        ("func:pipeline:gone", 5, True),
        ("func:pipeline:run", 53, False),
        ("module:pipeline", 1, False),
    ]


def test_keys_that_name_no_code_are_ignored(tmp_path: Path) -> None:
    manifest = {
        "loader:raw": Entry("0" * 32),
        "writer:a:b": Entry("0" * 32),
        "func:m:f": Entry("0" * 32, "m.py", 1),
        "func:m:gone": Entry("0" * 32),
        "func:n:gone": Entry("0" * 32),
    }
    (tmp_path / "m.py").write_text("def f(): pass\n")
    gone = Ran("m.py", "m", "gone.<locals>.g", 9)
    observed = Observed.of([gone, Ran("m.py", "m", "f", 1), Ran("raw.py", "raw", "<module>", 1)], [])

    assert [entry.key for entry in uncovered(observed, manifest, root=tmp_path)] == ["module:raw"]


def test_a_lambda_that_is_stored_elsewhere_counts_by_the_effects_of_its_module(gaps: Gaps) -> None:
    project = (
        f"import importlib, reg\ndef stage():\n    {IMPORT}\n    return reg.R['one']()\n# file: reg.py\nR = {{}}\n"
    )
    plugin = "# file: plugin.py\nimport reg\nK = 1\nreg.R['one'] = lambda: K\n"
    entries = gaps(project + plugin)
    more = gaps(project + plugin + "def idle():\n    return 1\n")

    assert [entry.key for entry in entries] == ["const:plugin:K", "effects:plugin"]
    assert [entry.digest for entry in more] == [entry.digest for entry in entries]
    assert gaps(project + plugin.replace("lambda: K", "lambda: K + 1"))[1].digest != entries[1].digest
    after_another = gaps(project + plugin.replace("reg.R['one'] =", "pass; reg.R['one'] ="))
    assert [entry.key for entry in after_another] == ["const:plugin:K", "effects:plugin"]


@pytest.mark.parametrize("decorator", ["", "@functools.cache\n"])
def test_files_of_ordinary_code_are_not_read(gaps: Gaps, decorator: str) -> None:
    memo: dict[bytes, bytes] = {}
    source = f"import functools\ndef stage():\n    return helper()\n{decorator}def helper():\n    return 1\n"

    assert gaps(source, memo=memo) == ()
    assert memo == {}


@pytest.mark.parametrize("project", [project for project, _ in TABLE.values()])
def test_a_memo_changes_nothing(gaps: Gaps, project: str) -> None:
    memo: dict[bytes, bytes] = {}
    expected = gaps(project)

    assert gaps(project, memo=memo) == expected
    assert gaps(project, memo=memo) == expected


PARTS = "from helpers import f\nf()\n# file: helpers.py\nimport other\ndef f():\n    return 1\ndef g():\n    return 2\n# file: other.py\ndef h():\n    return i()\ndef i():\n    return 3\n# file: b/main.py\nX = 1\ndef h():\n    return 4\n"


def parts(write: Callable[[str], Path], *ran: Ran) -> list[tuple[str, str]]:
    """The code that a script's manifest lacks, by key and file."""
    root = write(PARTS.replace("# file: helpers.py", "# file: main.py\n# file: helpers.py", 1))
    known = {
        "effects:main": Entry("", "main.py", 1),
        "func:helpers:f": Entry("", "helpers.py", 2, 2, 3),
        "module:whole:*": Entry("", "whole.py", 1),
        "module:body": Entry("", "body.py", 1),
        "file:x.sh": Entry("", "x.sh", 1),
        "effects:nowhere": Entry("", None, None),
    }
    return [(each.key, each.file) for each in uncovered(Observed(ran), known, root=root)]


def test_the_manifest_of_a_script_covers_its_modules(write: Callable[[str], Path]) -> None:
    covered = [Ran(f"{name}.py", name, "<module>", 1) for name in ("main", "helpers", "whole", "body")]
    covered += [Ran(f"{name}.py", name, "*", 1) for name in ("main", "helpers", "whole")]
    covered += [
        Ran("helpers.py", "helpers", "f", 2),
        Ran("helpers.py", "pkg.helpers", "f", 2),
        Ran("whole.py", "whole", "<source>", 1),
    ]

    assert parts(write, *covered) == []
    assert parts(write, Ran("helpers.py", "helpers", "g", 4)) == [("func:helpers:g", "helpers.py")]
    assert parts(write, Ran("other.py", "other", "h", 0)) == [
        ("func:other:h", "other.py"),
        ("func:other:i", "other.py"),
    ]
    assert parts(write, Ran("helpers.py", "helpers", "<source>", 1)) == [("module:helpers:*", "helpers.py")]


def test_modules_of_the_same_name_are_told_apart_by_their_paths(write: Callable[[str], Path]) -> None:
    assert parts(write, Ran("b/main.py", "main", "*", 1)) == [("module:b/main.py:*", "b/main.py")]
    assert parts(write, Ran("other.py", "other", "h", 1), Ran("b/main.py", "other", "h", 2)) == [
        ("func:b/main.py:h", "b/main.py"),
        ("func:other:h", "other.py"),
    ]


def test_a_module_counts_if_a_script_finds_it_where_its_text_does_not_say(write: Callable[[str], Path]) -> None:
    root = write("# file: main.py\nimport beside, m\nprint(m.X)\n# file: beside.py\nX = 1\n# file: late/m.py\nX = 1\n")
    ran = [Ran(file, Path(file).stem, "<module>", 1) for file in ("main.py", "beside.py", "late/m.py")]
    bodies = {"effects:main": Entry("", "main.py", 1)}

    assert [each.key for each in uncovered(Observed(tuple(ran)), bodies, root=root)] == ["module:m"]


def test_a_whole_module_counts_with_the_bodies_of_its_functions() -> None:
    one, other = (recheck(f"import a\n# note\ndef f():\n    return {n}\n", "module:m:*") for n in (1, 2))

    assert one != other
    assert one == recheck("import a\ndef f(): return 1", "module:m:*")
