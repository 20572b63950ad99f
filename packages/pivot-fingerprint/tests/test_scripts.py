"""Scripts of each kind: the code that they reach, by all ways to import, and code that cannot be followed."""

# ruff: noqa: E501 - projects as texts

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pivot_fingerprint import Manifest, Program, ScriptFingerprinter, fingerprint_script

type Write = Callable[[str], Path]


def keys(manifest: Manifest) -> list[str]:
    return [key for key in manifest if key != "effects:run"]


def script(root: Path, name: str = "run.py", **given: str) -> Manifest:
    return fingerprint_script(root / name, root=root, search_path=[root / place for place in given.values()])


REACHED = {
    "a module as a value": ("import m\nprint(m)\n# file: m.py\nX = 1\ndef f():\n    pass\n", "module:m:*"),
    "a computed attribute": ("import m\nprint(getattr(m, input()))\n# file: m.py\nX = 1\n", "module:m:*"),
    "an attribute that no statement binds": ("import m\nm.f()\n# file: m.py\nX = 1\n", "module:m:*"),
    "the name of a module": ("import m\nprint(m.__name__, m.nested.f)\n# file: m.py\nclass nested:\n    f = 1\n", "class:m:nested"),
    "a lazy package": ("from p import f\nf()\n# file: p/__init__.py\ndef __getattr__(name):\n    return name\n", "module:p:*"),
    "names of the module": ("import m\nm.f()\n# file: m.py\ndef f():\n    return globals()\ndef g():\n    pass\n", "module:m:*"),
    "names of the body": ("import m\nm.f()\n# file: m.py\nX = locals()\ndef f():\n    pass\n", "func:m:f module:m:*"[9:]),
    "the module itself": ("import m\nm.f()\n# file: m.py\nimport sys\ndef f():\n    return sys.modules[__name__]\n", "module:m:*"),
    "any module": ("import m, n\nm.f()\n# file: m.py\nimport sys\ndef f():\n    return sys.modules['n']\n# file: n.py\nX = 1\n", "module:m:* module:n:*"),
    "a test of modules": ("import m\nm.f()\n# file: m.py\nimport sys\ndef f():\n    return 'n' in sys.modules\n", "func:m:f"),
    "a star": ("from m import *\nprint(f(), len([]))\n# file: m.py\nfrom n import *\n# file: n.py\ndef f():\n    pass\n", "func:n:f"),
    "a star of submodules": ("from p import *\nprint(a.X)\n# file: p/__init__.py\n__all__ = ['a', 'b']\nfrom . import a\n# file: p/a.py\nX = 1\nprint()\n# file: p/b.py\nprint()\n", "const:p:__all__ const:p.a:X effects:p.a effects:p.b"),
    "a function of the name of its module": ("import p\np.f()\n# file: p/__init__.py\nfrom .f import f\n# file: p/f.py\ndef f():\n    pass\ndef g():\n    pass\n", "func:p.f:f"),
    "a star that imports": ("from p import *\n# file: p/__init__.py\n__all__ = ['a', 'b']\nb = 1\n# file: p/a.py\nprint()\n", "const:p:__all__ effects:p.a"),
    "a star over a name": ("f = X = 1\ntry:\n    from m import *\nexcept ImportError:\n    Y = 1\nX = X + 1\nprint(f, X, Y)\n# file: m.py\ndef f():\n    pass\nX = Y = Z = 1\n__all__ = ['f', 'X', 'Y']\n", "const:m:X const:m:Y const:m:__all__ const:run:X const:run:Y const:run:f func:m:f"),
    "a star of a library": ("from os.path import *\nprint(join('a'))\n", ""),
    "a star over an import that both have": ("import os\nfrom m import *\nprint(os.sep)\n# file: m.py\nimport os\n", ""),
    "a star over another import": ("import posixpath as os\nfrom m import *\nprint(os.sep)\n# file: m.py\nimport os\n", "const:m:os const:run:os"),
    "a star through a star": ("import m\nm.join('a')\n# file: m.py\nfrom os.path import *\n", "module:m:*"),
    "a package's body": ("import p.q.r\n# file: p/__init__.py\nprint()\n# file: p/q/r.py\nprint()\n", "effects:p effects:p.q.r"),
    "submodules that are listed": ("import p\nprint(p.__path__)\n# file: p/__init__.py\n# file: p/a.py\nX = 1\n# file: p/q/b.py\nX = 1\n# file: p/no-name.py\n# file: p/c.so\n# file: p/data\n", "module:p.a:* module:p.q.b:*"),
    "a package that lists itself": ("import p\np.f()\n# file: p/__init__.py\ndef f():\n    return __path__\n# file: p/a.py\nX = 1\n", "func:p:f module:p.a:*"),
    "a literal import": ("import importlib\nm = importlib.import_module('m')\nimportlib.import_module('n')\n# file: m.py\nX = 1\n# file: n.py\nX = 1\n", "module:m:* module:n:*"),
    "a literal import in a function": ("import importlib\ndef f():\n    m = importlib.import_module('m')\n    return m.X\nf()\n# file: m.py\nX = 1\nY = 1\n", "const:m:X func:run:f"),
    "an import that is not used": ("def f():\n    import m\nf()\n# file: m.py\nX = 1\nprint()\n", "effects:m func:run:f"),
    "a fallback": ("try:\n    import fast as m\nexcept ImportError:\n    import m\nm.f()\n# file: m.py\ndef f():\n    pass\n", "func:m:f"),
    "a redefinition under a condition": ("import m\nm.f()\n# file: m.py\nif input():\n    def f():\n        return 1\nelse:\n    from n import f\n# file: n.py\ndef f():\n    pass\n", "effects:m func:m:f func:n:f"),
    "a cycle": ("import m\nm.f()\n# file: m.py\nimport n\ndef f():\n    return n.g()\n# file: n.py\nimport m\ndef g():\n    return m.f()\n", "func:m:f func:n:g"),
    "a re-export of a library": ("from m import f\nf()\n# file: m.py\nfrom os.path import join as f\n", "const:m:f"),
    "a script that is imported": ("import m\n# file: m.py\nimport run\nprint(run)\n", "effects:m module:run:*"),
    "a script that imports itself": ("import run\nprint(run.f)\ndef f():\n    pass\n", "func:run:f"),
    "wholes that lead to each other": ("import m, n\nm.h()\n# file: m.py\nimport n\ndef h():\n    return n.g()\ndef f():\n    return globals()\n# file: n.py\nimport m\ndef g():\n    eval('1')\n    return m.f()\n", "module:m:* module:n:*"),
    "a lookup in no module that is there": ("import m\nm.f()\n# file: m.py\nimport gone.a, sys\ndef f():\n    return sys.modules['n']\n", "module:m:*"),
    "no modules to list": ("import m\nprint(m.__path__)\n# file: m.py\n", ""),
    "subclasses that their bases may know": (
        ("import m\n# file: m.py\nfrom n import A, B, C, D, E, F\nimport n, k.f, gone\nclass P(A): pass\nclass Q(B): pass\nclass R(C): pass\nclass S(n.A, D): pass\n"
        "class T(E): pass\nclass U(F): pass\nclass V(n.G.H): pass\nclass W(gone.X): pass\nclass X(k.f.Y): pass\nclass Y(A): print()\nclass Z(A, make()): pass\nclass O(n.A): pass\n"
        "# file: n.py\nfrom k import *\nfrom lib import E\nclass A: pass\nclass B:\n    def __init_subclass__(cls): pass\nclass C(A): pass\ndef F(): pass\nclass G:\n    class H: pass\n"
        "# file: k.py\nclass D: pass\n"),
        "class:m:Q class:m:S class:m:T class:m:U class:m:V class:m:W class:m:X class:m:Y class:m:Z module:k:* class:n:A class:n:B class:n:G const:n:E func:n:F",
    ),
    "names of several targets": ("import m\nprint(m.b)\n# file: m.py\na, (b, c) = 1, (2, 3)\n", "const:m:b"),
    "a value that a call gives": ("import m\nprint(m.b)\n# file: m.py\na.x = b = input()\ndel a.x\n", "effects:m"),
    "a text of a definition in a block": ("import m\n# file: m.py\nwith x:\n    @y\n    class A(B, metaclass=C):\n        pass\n    z\n", "class:m:A effects:m"),
    "a module of the standard library's name": ("import json, sys\n# file: json.py\nprint()\n# file: sys.py\nprint()\n", "effects:json"),
    "other blocks than the main one": ("import m\n# file: m.py\nif __name__ != '__main__':\n    print()\nif '__main__' == __name__:\n    print(2)\nif __name__ == 'm':\n    pass\nif __name__ in []:\n    pass\n", "effects:m"),
    "a type alias": ("import m\nprint(m.T)\n# file: m.py\ntype T = int\ntype U = str\n", "const:m:T"),
    "a mere module": ("import m\n# file: m.py\nX: int\nY: int = 1\nZ = [Y, *Y, {1: 2}, f'{Y}', Y if Y else 2, lambda x: x]\n", ""),
    "a customized start": ("pass\n# file: sitecustomize.py\nprint()\n", "effects:sitecustomize"),
}  # fmt: skip


@pytest.mark.parametrize("title", REACHED)
def test_what_a_script_reaches(title: str, write: Write) -> None:
    project, expected = REACHED[title]

    manifest = script(write(f"# file: run.py\n{project}"))

    assert sorted(keys(manifest)) == sorted(expected.split())
    assert all(manifest.path(key)[-1] == key for key in manifest)


MERE = [
    "class A(Exception):\n    x: int\n    y = 1\n    def f(self, a=(), *, b=None, c):\n        pass\n",
    "class A:\n    pass\nclass B(A):\n    class C(A):\n        'docs'\n",
    "import abc, enum, typing as t\nclass A(abc.ABC, t.Generic[t.T], metaclass=abc.ABCMeta):\n    pass\nclass B(enum.Enum):\n    C = enum.auto()\n",
    "import functools as f\n@f.lru_cache(maxsize=None)\ndef g():\n    pass\nclass A:\n    @property\n    def p(self):\n        pass\n    @p.setter\n    def p(self, x):\n        pass\n",
    "from dataclasses import dataclass, field\n@dataclass(frozen=True)\nclass A:\n    x: list = field(default_factory=list)\n",
    "import torch\nclass Net(torch.nn.Module):\n    @torch.no_grad()\n    def f(self):\n        print()\n",
    "from pathlib import Path\nROOT = Path(__file__).resolve().parents[1] / 'data'\nFILE = (ROOT / 'a').with_suffix('.b').as_posix()\nNAMES = 'a b'.split()\nT = f'{NAMES}'.upper()\nU = Path('a').parent.joinpath('b')\n",
    "import re, os\nP = re.compile('a')\nE = os.environ.get('A', '').strip()\nT = E.lower()\n",
    "X = [y for y in range(3)]\n",
    "from __future__ import annotations\nif TYPE_CHECKING:\n    import x\n",
]
NOT_MERE = [
    "print()\n",
    "x = open('f')\n",
    "x = await_.read()\n",
    "from pathlib import Path\nx = Path('f').read_text()\n",
    "from pathlib import *\nx = Path('f').resolve()\n",
    "import pathlib\nimport other as pathlib\nx = pathlib.Path('f')\n",
    "from . import re\nx = re.compile('a')\n",
    "re = 1\nx = re.compile('a')\n",
    "x = y().strip()\n",
    "x.y = 1\n",
    "x += 1\n",
    "assert x\n",
    "def f(a=print()):\n    pass\n",
    "@register\ndef f():\n    pass\n",
    "import functools\n@functools.lru_cache(print())\ndef f():\n    pass\n",
    "@dataclass\nclass A:\n    pass\n",
    "class A(Unknown):\n    pass\n",
    "class A(print):\n    pass\n",
    "class A(make()):\n    pass\n",
    "class A(metaclass=M):\n    pass\n",
    "class A(x=1):\n    pass\n",
    "class A:\n    print()\n",
    "class A:\n    x.y = 1\n",
    "class A:\n    def __init_subclass__(cls):\n        print()\nclass B(A):\n    pass\n",
    "class A(A):\n    pass\n",
    "if x:\n    class A:\n        pass\nelse:\n    A = 1\nclass B(A):\n    pass\n",
    "[x := 1]\n",
    "x = (y := 1)\n",
]


def test_modules_that_merely_define(write: Write) -> None:
    for text in MERE:
        assert keys(script(write(f"# file: run.py\nimport m\n# file: m.py\n{text}"))) == [], text
    for text in NOT_MERE:
        assert keys(script(write(f"# file: run.py\nimport m\n# file: m.py\n{text}"))) != [], text


ANNOTATED = "# file: run.py\nimport typer\ndef main(x: int):\n    from m import A\n    def inner(y: A): pass\ntyper.run(main)\n# file: m.py\nA = 1\n"


def test_annotations_count_if_a_library_may_read_them(write: Write) -> None:
    def digest(*changes: tuple[str, str]) -> str:
        project = ANNOTATED
        for old, new in changes:
            project = project.replace(old, new)
        return script(write(project)).digest

    numpy, other = ("typer", "numpy"), ("x: int", "x: str")
    assert digest() != digest(other)
    assert digest(numpy) == digest(numpy, other)
    for reader in ("typing.get_type_hints(main)", "inspect.signature(main)"):
        reading = (("typer.run(main)", reader), ("import typer", f"import {reader.partition('.')[0]}"))
        assert digest(*reading) != digest(*reading, other)
    own = (("typer.run(main)", "main.__annotations__"), numpy)
    assert digest(*own) != digest(*own, other)


PATHS = {
    "sys.path.insert(0, 'lib')": "lib",
    "sys.path.append('./lib/')": "lib",
    "sys.path.extend(['lib', 'lib'])": "lib",
    "sys.path.append(os.path.join(os.path.dirname(__file__), '..', 'lib'))": "lib",
    "sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + x)": "?",
    "HERE = Path(__file__).resolve().parent\nsys.path.append(str(HERE.parent / 'lib'))": "lib",
    "sys.path.insert(1, str(Path(__file__).parents[1].joinpath('lib').as_posix()))": "lib",
    "sys.path.insert(1, os.path.join(os.getcwd(), 'lib'))": "lib",
    "sys.path.insert(1, str(Path.cwd() / 'lib'))": "lib",
    "sys.path.insert(1, str(Path('lib/x').parent))": "lib",
    "sys.path.append(str(Path(__file__).parents[n]))": "?",
    "sys.path.append(str(Path(n).parent))": "?",
    "sys.path.append(os.environ['X'])": "?",
    "sys.path.append(find())": "?",
    "sys.path.append(str())": "?",
    "sys.path.append(os.path.join())": "?",
    "sys.path.append(1)": "?",
    "sys.path.extend(paths)": "?",
    "sys.path += ['lib']": "?",
    "sys.path[0:0] = ['lib']": "?",
    "del sys.path[0]": "?",
    "sys.path.remove('x')": "?",
    "sys.path.insert()": "?",
    "x = x\nsys.path.append(x)": "?",
    "os.path.append('lib')": "",
}


@pytest.mark.parametrize("change", PATHS)
def test_changes_of_the_search_path(change: str, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write(f"# file: bin/run.py\nimport sys\n{change}\nimport m\nm.f()\n# file: lib/m.py\ndef f():\n    pass\n")
    monkeypatch.chdir(root)
    manifest = script(root, "bin/run.py")

    assert ("func:m:f" in manifest) is (PATHS[change] == "lib")
    assert bool(manifest.unresolved) is (PATHS[change] == "?")


def test_a_module_that_only_a_later_change_of_the_path_finds(write: Write) -> None:
    root = write(
        "# file: run.py\nimport m\nimport n\nm.f()\n# file: n.py\nimport sys\nsys.path.append(__file__ + '/../lib')\n# file: lib/m.py\nX = 1\n"
    )

    assert script(root).unresolved[0].reason.startswith("changes `sys.path`")
    assert script(root).unresolved[0].key == "effects:n"


def programs(root: Path, *given: Program, **options: object) -> Manifest:
    return ScriptFingerprinter(root, **options).fingerprint(given)  # type: ignore[arg-type]


def program(root: Path, **given: Any) -> Program:
    return Program((str(root),), str(root), **given)


def test_modules_and_texts_as_programs(write: Write) -> None:
    root = write(
        "# file: p/__init__.py\nprint()\n# file: p/__main__.py\nfrom .m import f\nf()\n# file: p/m.py\ndef f():\n    pass\n# file: lone.py\nX = 1\n"
    )

    assert list(programs(root, program(root, module="p"))) == ["effects:p", "effects:p/__main__.py", "func:p.m:f"]
    assert list(programs(root, program(root, module="p.m"))) == ["effects:p", "effects:p.m"]
    assert list(programs(root, program(root, module="lone"))) == ["effects:lone"]
    assert list(programs(root, program(root, module="json.tool"), program(root, module="q.r"), program(root))) == []
    manifest = programs(
        root, program(root, text="from p.m import f\nimport sys\nsys.path.append(__file__)\neval(f)", via="it")
    )
    assert {key: entry.via for key, entry in manifest.items()} == {"effects:p": "it", "func:p.m:f": "it"}
    assert [(each.file, each.line) for each in manifest.unresolved] == [(None, 3), (None, 4)]


def test_a_body_is_one_entry_in_a_program_and_in_a_module(write: Write) -> None:
    root = write("# file: a.py\nX = 1\nprint(X)\nif __name__ == '__main__':\n    print(2)\n# file: b.py\nimport a\n")
    alone, main = program(root, file=str(root / "b.py")), program(root, file=str(root / "a.py"))

    one, other, both = (programs(root, *each)["effects:a"] for each in ([alone], [main], [alone, main]))
    assert len({one.digest, other.digest, both.digest}) == 3
    assert programs(root, main, alone)["effects:a"].digest == both.digest
    assert (other.start, other.end) == (2, 4)


def test_modules_of_the_same_name_have_different_keys(write: Write) -> None:
    root = write(
        "# file: a/run.py\nimport m\nm.f()\n# file: a/m.py\ndef f():\n    return g()\ndef g():\n    pass\n"
        "# file: b/run.py\nimport m\nm.f()\n# file: b/m.py\nX = 1\ndef f():\n    return X\n"
    )
    given = [Program((str(root / at),), str(root), file=str(root / at / "run.py")) for at in "ab"]
    manifest = programs(root, *given)

    assert list(manifest) == [
        *("const:m:X", "effects:b/run.py", "effects:run", "func:b/m.py:f", "func:m:f", "func:m:g"),
    ]
    assert manifest["func:b/m.py:f"].via == "effects:b/run.py"
    assert manifest["const:m:X"].via == "func:b/m.py:f"


def test_a_script_and_a_module_of_the_same_name(write: Write) -> None:
    root = write(
        "# file: bin/m.py\nimport sys\nprint(m.X)\n# file: src/m.py\nX = 1\nprint()\n# file: src/n.py\nimport m\n"
    )
    file = str(root / "bin/m.py")
    found = Program((str(root / "src"),), str(root), file=file)
    (root / "bin/m.py").write_text("import m\nprint(m.X)\n")

    assert list(programs(root, found)) == ["const:src/m.py:X", "effects:m", "effects:src/m.py"]


def test_code_that_cannot_be_read(write: Write) -> None:
    root = write(
        "# file: run.py\nimport m, fast\nm.f()\nfast.f()\n# file: m.py\n(\n# file: fast.so\n# file: bad.py\n(\n"
    )

    assert sorted((each.file, each.reason) for each in script(root).unresolved) == [
        ("fast.so", "the module `fast` is compiled code"),
        ("m.py", "it is not Python source"),
    ]
    assert [each.reason for each in script(root, "bad.py").unresolved] == ["it is not Python source"]
    assert script(root, "absent.py") == Manifest({}, script(root, "absent.py").unresolved)


def test_files_outside_the_root_are_named_from_where_they_are_imported(write: Write) -> None:
    root, other = (
        write("# file: run.py\nimport p.m\np.m.f()\n"),
        write("# file: p/m.py\ndef f():\n    pass\n# file: alone.py\nprint()\n"),
    )

    assert script(root, search=str(other))["func:p.m:f"].file == "p/m.py"
    found = Program((), str(root), file=str(other / "alone.py"))
    assert programs(root, found)["effects:alone"].file == "alone.py"


def test_libraries_are_not_followed(write: Write) -> None:
    root = write(
        "# file: run.py\nimport m, p.q, json\nm.f()\np.q.f()\n# file: lib/m.py\ndef f():\n    pass\n# file: lib/p/q.py\ndef f():\n    pass\n# file: late/json.py\nprint()\n# file: late/m.py\n"
    )
    options = {"is_user_code": lambda file: "lib" not in file}
    found = Program((str(root / "lib"),), str(root), file=str(root / "run.py"), late_path=(str(root / "late"),))

    assert list(programs(root, found, **options)) == ["effects:run"]
    assert list(programs(root, found)) == ["effects:run", "func:m:f", "func:p.q:f"]


class Notes:
    """A listener."""

    def __init__(self) -> None:
        self.files: dict[str, bytes | None] = {}
        self.searches: set[tuple[str, str]] = set()

    def read(self, path: str, content: bytes | None) -> None:
        self.files[path] = content

    def searched(self, name: str, places: Sequence[str]) -> None:
        self.searches |= {(name, place) for place in places}

    def probed(self, path: str) -> None:
        raise AssertionError(path)

    @contextmanager
    def called(self) -> Iterator[None]:
        yield


def test_a_listener_hears_what_a_manifest_depends_on(write: Write) -> None:
    root = write("# file: run.py\nimport p.m\nimport later\n# file: p/m.py\n")
    notes = Notes()
    fingerprinter = ScriptFingerprinter(root, listener=notes)
    fingerprinter.fingerprint([program(root, file=str(root / "run.py"))])

    assert fingerprinter.files == notes.files.keys()
    assert notes.files.keys() == {str(root / "run.py"), str(root / "p/m.py")}
    assert {
        ("later", str(root)),
        ("p", str(root)),
        ("m", str(root / "p")),
        ("__init__", str(root / "p")),
    } <= notes.searches


class KeptFacts(dict[bytes, bytes]):
    """A memo."""

    def put(self, key: bytes, content: bytes) -> None:
        self[key] = content


def test_a_memo_changes_nothing(write: Write) -> None:
    projects = [REACHED[title][0] for title in REACHED] + [
        f"import m\n# file: m.py\n{text}" for text in MERE + NOT_MERE
    ]
    for project in projects:
        root, memo = write(f"# file: run.py\n{project}"), KeptFacts()
        found = program(root, file=str(root / "run.py"))
        manifests = [programs(root, found), programs(root, found, memo=memo), programs(root, found, memo=memo)]
        assert manifests[0] == manifests[1] == manifests[2]
        memo.update(dict.fromkeys(memo, b"damaged"))
        assert programs(root, found, memo=memo) == manifests[0]


def test_modules_from_elsewhere_of_which_nothing_counts_are_known_to_be_searched(write: Write) -> None:
    root = write("# file: run.py\nimport m, n\n# file: lib/m.py\nX = 1\n# file: n.py\nX = 1\n")

    manifest = script(root, search="lib")
    assert keys(manifest) == ["effects:m"]
    (root / "lib/m.py").write_text("X = 2\n")
    assert script(root, search="lib") == manifest
